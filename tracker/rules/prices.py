"""What each wish costs: the same series planned without it, and what would be better then."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any
from uuid import UUID

from tracker.rules.candidates import Candidates
from tracker.rules.costs import OFF_RHYTHM, rhythm_cost
from tracker.rules.plan import Plan, PlanRequest, Wish, WishPrice
from tracker.rules.series import Series, SeriesSearch
from tracker.rules.wording import said
from tracker.text import gettext as _
from tracker.text import ngettext, say_day, say_time

_MOST = 2  # gains that are said
_WITHOUT: dict[Wish, dict[str, Any]] = {
    Wish.WEEKDAYS: {"weekdays": frozenset()},
    Wish.DAYS_OFF: {"days_off": frozenset()},
    Wish.HOURS: {"arrive_from": None, "leave_by": None},
    Wish.TIME: {"preferred_time": None},
    Wish.ROOM: {"room_id": None},
    Wish.CLINICIAN: {"clinician_id": None},
}


def wish_prices(request: PlanRequest, best: Plan) -> list[WishPrice]:
    """List the wishes that cost something, each with what would be better without it.

    `best` is the cheapest plan of the request. Hard and soft wishes alike; one that changes nothing is not listed.
    """
    candidates = Candidates(request)
    return [
        price
        for wish, without in _WITHOUT.items()
        if any(getattr(request.wishes, name) for name in without)
        and (price := _price(candidates, best, wish, replace(request, wishes=replace(request.wishes, **without))))
    ]


def _price(candidates: Candidates, best: Plan, wish: Wish, without: PlanRequest) -> WishPrice | None:
    other = candidates.asked(without)
    series = next(SeriesSearch(other).series(1), None)
    if series is None or series.cost >= best.cost:
        return None
    gains = list(islice(_Gains(other, _facts_of_plan(other, best), _facts(other, series)).said(), _MOST))
    text = _("Without “%(wish)s”: %(gains)s", wish=said(wish, candidates.request), gains=", ".join(gains))
    return WishPrice(wish, text, without.wishes) if gains else None


@dataclass(frozen=True)
class _Facts:
    """What a coordinator would compare of two series, visit by visit."""

    places: Sequence[tuple[int, int]]  # day, bit
    rooms: Sequence[UUID]
    physicians: Sequence[UUID]

    @property
    def last(self) -> int:
        return self.places[-1][0]


def _facts_of_plan(candidates: Candidates, plan: Plan) -> _Facts:
    places = [candidates.days.find(start) for start in plan.starts]
    return _Facts(places, [visit.room_id for visit in plan.visits], [visit.physician_id for visit in plan.visits])


def _facts(candidates: Candidates, series: Series) -> _Facts:
    rooms = [candidates.room_at(start, series.home)[1].id for start in series.starts]
    physicians = [candidates.physician_at(start, series.home)[1].id for start in series.starts]
    return _Facts([(start.day, start.slot) for start in series.starts], rooms, physicians)


@dataclass(frozen=True)
class _Gains:
    candidates: Candidates
    now: _Facts
    then: _Facts

    def said(self) -> Iterator[str]:
        """Say what is better then than now, what matters most first."""
        first, last = self.then.places[0][0], self.then.last
        if first < self.now.places[0][0]:
            yield _("starts %(then)s instead of %(now)s", then=self._on(first), now=self._on(self.now.places[0][0]))
        if last < self.now.last and len(self.now.places) > 1:
            yield _("ends %(then)s instead of %(now)s", then=self._on(last), now=self._on(self.now.last))
        if (closer := (self._off_rhythm(self.now) - self._off_rhythm(self.then)) // OFF_RHYTHM) > 0:
            yield ngettext("a day nearer to the usual rhythm", "%(n)s days nearer to the usual rhythm", closer)
        if (more := self._broken(self.now) - self._broken(self.then)) > 0:
            yield ngettext("one visit more as asked otherwise", "%(n)s visits more as asked otherwise", more)
        yield from self._hours()
        yield from self._same(self.now.rooms, self.then.rooms, _("every visit in %(name)s"))
        yield from self._same(self.now.physicians, self.then.physicians, _("every visit with %(name)s"))

    def _on(self, day: int) -> str:
        return say_day(self.candidates.days.calendar(day), country=self.candidates.request.country)

    def _off_rhythm(self, facts: _Facts) -> int:
        days = self.candidates.days
        given = [days.index(start.astimezone(days.zone).date()) for start in self.candidates.request.given]
        gaps = [two - one for one, two in pairwise([*given, *(day for day, _bit in facts.places)])]
        return rhythm_cost(self.candidates.request.protocol.rhythm, gaps)

    def _broken(self, facts: _Facts) -> int:
        return sum(bool(self.candidates.broken(*place)) for place in facts.places)

    def _hours(self) -> Iterator[str]:
        now, then = ([self.candidates.days.minute(*place) for place in facts.places] for facts in (self.now, self.then))
        if len(then) < 2:
            return
        _minute, often = Counter(then).most_common(1)[0]
        if often == len(then) and len(set(now)) > 1:
            instant = self.candidates.days.instant(*self.then.places[0])
            clock = say_time(instant, self.candidates.days.zone, self.candidates.request.country)
            yield _("every visit at %(time)s", time=clock)
        elif (more := often - Counter(now).most_common(1)[0][1]) > 0:
            yield ngettext("one visit more at the same time", "%(n)s visits more at the same time", more)

    def _same(self, now: Sequence[UUID], then: Sequence[UUID], text: str) -> Iterator[str]:
        if len(set(then)) == 1 < len(set(now)):
            yield text % {"name": self.candidates.free.by_id[then[0]].name}
