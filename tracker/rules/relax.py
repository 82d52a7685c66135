"""When nothing fits: the smallest single changes with which something does, those first that a patient can grant.

Each hard wish, and each limit that the clinic may stretch, is loosened by itself and as little as helps. Whether a
change helps is asked of `reach`, which is exact about gaps and span and takes well under a millisecond.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from tracker.rules.availability import FreeTime, ones
from tracker.rules.candidates import Candidates, minutes_of
from tracker.rules.costs import KEPT_WITHIN
from tracker.rules.plan import PlanRequest, Relaxation, Rule, Wish, Wishes
from tracker.rules.reach import Reach
from tracker.rules.wording import said, say_clock, weekday_names
from tracker.text import gettext as _
from tracker.text import say_day, say_time

_EACH = 2  # suggestions of one kind at most
_EARLIER, _LONGER = 14, 14  # days that are tried
_STEP = 30  # minutes, from one preferred time to the next that is tried
_CLOCK = (Wish.HOURS, Wish.TIME)


def relaxations(request: PlanRequest, wider: FreeTime | None = None) -> list[Relaxation]:
    """List the smallest single changes that give a plan; empty: no single one does, or nothing need be changed.

    Args:
        wider: Free time of more days than the request's, for finding a day to begin that lies before or after it. The
            request for such a day has to cover the days from it on, as any other.
    """
    if request.protocol.visits <= len(request.given):
        return []
    search = _Search(request, wider or request.free)
    return [] if search.fits(request.wishes) else [*search.by_patient(), *search.by_clinic()]


class _Search:
    def __init__(self, request: PlanRequest, wider: FreeTime) -> None:
        self.request, self.wishes, self.wider = request, request.wishes, wider
        self.candidates = Candidates(request)
        self.days = self.candidates.days

    def fits(self, wishes: Wishes) -> bool:
        return Reach(self._asked(wishes)).fits()

    def _asked(self, wishes: Wishes) -> Candidates:
        return self.candidates.asked(replace(self.request, wishes=wishes))

    def by_patient(self) -> Iterator[Relaxation]:
        hard = self.wishes.hard
        yield from self._clock() if hard & {Wish.HOURS, Wish.TIME} else ()
        yield from self._days_off() if Wish.DAYS_OFF in hard and self.wishes.days_off else ()
        yield from self._weekdays() if Wish.WEEKDAYS in hard and self.wishes.weekdays else ()
        yield from self._starts() if not self.request.given else ()
        yield from self._whoever()

    # The clock

    def _clock(self) -> Iterator[Relaxation]:
        if not self.fits(replace(self.wishes, hard=self.wishes.hard - set(_CLOCK))):
            return
        once = self._once()
        if once is not None:
            yield once
            return
        if Wish.HOURS in self.wishes.hard and (self.wishes.arrive_from or self.wishes.leave_by):
            yield from self._every_day()
        if Wish.TIME in self.wishes.hard and self.wishes.preferred_time:
            yield from self._another_time(self.wishes.preferred_time)

    def _once(self) -> Relaxation | None:
        """Return the one start outside the hours asked for that is least so and would give a plan."""
        loose = Reach(self._asked(replace(self.wishes, hard=self.wishes.hard - set(_CLOCK))))
        now = Reach(self.candidates)
        helpful = now.helpful(loose.starts & ~now.starts)
        found = [self._outside(self.days.find(self._instant(bit))) for bit in ones(helpful)]
        return self._come_once(*min(found)[1:]) if found else None

    def _instant(self, bit: int) -> datetime:
        return self.days.instant(0, bit)

    def _outside(self, place: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return by how many minutes a start is outside, its place, and by how many of those she would leave later."""
        minute = self.days.minute(*place)
        early = late = off = 0
        if Wish.HOURS in self.wishes.hard:
            early = minutes_of(self.wishes.arrive_from) - minute if self.wishes.arrive_from else 0
            late = minute + self._stay - minutes_of(self.wishes.leave_by) if self.wishes.leave_by else 0
        if Wish.TIME in self.wishes.hard and self.wishes.preferred_time:
            off = abs(minute - minutes_of(self.wishes.preferred_time)) - KEPT_WITHIN
        return max(early, 0) + max(late, 0) + max(off, 0), *place, max(late, 0)

    @property
    def _stay(self) -> int:
        return int(self.request.protocol.patient_leaves.total_seconds()) // 60

    def _come_once(self, day: int, slot: int, late: int) -> Relaxation:
        instant = self.days.instant(day, slot)
        leaves = instant + self.request.protocol.patient_leaves
        said = {"day": self._on(self.days.calendar(day)), "arrives": self._at(instant), "leaves": self._at(leaves)}
        if late:
            text = _("Fits if the patient can come at %(arrives)s and stay until %(leaves)s on %(day)s", **said)
        else:
            text = _("Fits if the patient can come at %(arrives)s on %(day)s", **said)
        rule = Wish.HOURS if Wish.HOURS in self.wishes.hard and self._has_hours else Wish.TIME
        return self._relaxed(rule, text, also=self.wishes.also | {instant})

    @property
    def _has_hours(self) -> bool:
        return bool(self.wishes.arrive_from or self.wishes.leave_by)

    def _every_day(self) -> Iterator[Relaxation]:
        """Yield the least that she would have to come earlier, or leave later, on any day."""
        wishes, step, found = self.wishes, self.request.start_every, False
        if wishes.arrive_from:
            from_ = minutes_of(wishes.arrive_from)
            earlier = self._least(from_ // step, lambda n: replace(wishes, arrive_from=_clock(from_ - n * step)))
            if earlier:
                clock = _clock(from_ - earlier * step)
                found, text = True, _("Fits if the patient can come from %(time)s on", time=self._say(clock))
                yield self._relaxed(Wish.HOURS, text, arrive_from=clock)
        if wishes.leave_by:
            by = minutes_of(wishes.leave_by)
            most = (24 * 60 - 1 - by) // step
            later = self._least(most, lambda n: replace(wishes, leave_by=_clock(by + n * step)))
            if later:
                clock = _clock(by + later * step)
                found, text = True, _("Fits if the patient may leave by %(time)s", time=self._say(clock))
                yield self._relaxed(Wish.HOURS, text, leave_by=clock)
        if not found and self.fits(replace(wishes, arrive_from=None, leave_by=None)):
            yield self._relaxed(Wish.HOURS, _("Fits at any hour of the day"), arrive_from=None, leave_by=None)

    def _least(self, most: int, changed: Callable[[int], Wishes]) -> int:
        """Return the least n up to `most` for which the changed wishes fit; 0: none. What fits once fits ever after."""
        if most < 1 or not self.fits(changed(most)):
            return 0
        below = 0
        while most - below > 1:
            middle = (below + most) // 2
            below, most = (below, middle) if self.fits(changed(middle)) else (middle, most)
        return most

    def _another_time(self, asked: time) -> Iterator[Relaxation]:
        soft = self._soft(Wish.TIME)
        if not self.fits(soft):
            return
        middle, step = minutes_of(asked), _STEP
        for near in (sign * n * step for n in range(1, 24) for sign in (1, -1)):
            if 0 <= middle + near < 24 * 60:
                clock = _clock(middle + near)
                if self.fits(replace(self.wishes, preferred_time=clock)):
                    text = _("Fits at %(time)s instead of %(asked)s", time=self._say(clock), asked=self._say(asked))
                    yield self._relaxed(Wish.TIME, text, preferred_time=clock)
                    return
        yield self._relaxed(Wish.TIME, _("Fits at different times of day"), hard=soft.hard)

    # Days

    def _days_off(self) -> Iterator[Relaxation]:
        if not self.fits(replace(self.wishes, days_off=frozenset())):
            return
        found = 0
        for off in sorted(self.wishes.days_off):
            less = self.wishes.days_off - {off}
            if found < _EACH and self.fits(replace(self.wishes, days_off=less)):
                found += 1
                text = _("Fits if the patient can come on %(day)s", day=self._on(off))
                yield self._relaxed(Wish.DAYS_OFF, text, days_off=less)
        if not found:
            yield self._relaxed(Wish.DAYS_OFF, _("Fits without the days off"), days_off=frozenset())

    def _weekdays(self) -> Iterator[Relaxation]:
        if not self.fits(replace(self.wishes, weekdays=frozenset())):
            return
        found = 0
        for weekday in sorted(set(range(7)) - self.wishes.weekdays):
            more = self.wishes.weekdays | {weekday}
            if found < _EACH and self.fits(replace(self.wishes, weekdays=more)):
                found += 1
                text = _("Fits on %(weekday)s too", weekday=weekday_names()[weekday])
                yield self._relaxed(Wish.WEEKDAYS, text, weekdays=more)
        if not found:
            yield self._relaxed(Wish.WEEKDAYS, _("Fits on any day of the week"), weekdays=frozenset())

    def _starts(self) -> Iterator[Relaxation]:
        """Yield the latest earlier day, and the first later one, on which a series can begin."""
        earliest = self.wishes.earliest
        since = replace(self.wishes, earliest=earliest - timedelta(days=_EARLIER))
        asked = replace(self.request, free=self.wider, wishes=since)
        wide = Candidates(asked) if self.wider is not self.request.free else self.candidates.asked(asked)
        days = [wide.days.calendar(day) for day in Reach(wide).first_days()]
        if before := [day for day in days if day < earliest]:
            text = _("Fits if the patient can begin on %(day)s", day=self._on(before[-1]))
            yield self._relaxed(Rule.START, text, earliest=before[-1])
        if after := [day for day in days if day > earliest]:
            text = _("Fits from %(day)s", day=self._on(after[0]))
            yield self._relaxed(Rule.LATER, text, earliest=after[0])

    # Room and clinician

    def _whoever(self) -> Iterator[Relaxation]:
        room, one = self.wishes.room_id, self.wishes.clinician_id
        if self._helps_soft(Wish.ROOM, room):
            text = _("Fits if not every visit is in %(name)s", name=self._name(room))
            yield self._relaxed(Wish.ROOM, text, hard=self._soft(Wish.ROOM).hard)
        if self._helps_soft(Wish.CLINICIAN, one):
            text = _("Fits if not every visit is with %(name)s", name=self._name(one))
            yield self._relaxed(Wish.CLINICIAN, text, hard=self._soft(Wish.CLINICIAN).hard)

    def _helps_soft(self, wish: Wish, wished: UUID | None) -> bool:
        return wish in self.wishes.hard and wished in self.request.free.by_id and self.fits(self._soft(wish))

    def _soft(self, wish: Wish) -> Wishes:
        return replace(self.wishes, hard=self.wishes.hard - {wish})

    # What the clinic may grant

    def by_clinic(self) -> Iterator[Relaxation]:
        """Yield the least by which a gap, or the whole series, would have to be longer."""
        now = self.request.limits
        longest = now.max_gap.days
        more = self._least(_LONGER, lambda n: replace(self.wishes, longest_gap=longest + n)) if now.visits > 1 else 0
        if not more:
            return
        if self._fits_in(now.max_span_days + more):
            days = {"days": now.max_span_days + more, "most": now.max_span_days}
            text = _("Fits if the series may take %(days)s days instead of %(most)s", **days)
            rule = Rule.SPAN
        else:
            text = _("Fits if a gap may be %(days)s days instead of %(most)s", days=longest + more, most=longest)
            rule = Rule.GAP
        yield self._relaxed(rule, text, by_patient=False, longest_gap=longest + more)

    def _fits_in(self, days: int) -> bool:
        protocol = replace(self.request.limits, max_span_days=days)
        return Reach(self.candidates.asked(replace(self.request, protocol=protocol))).fits()

    # Words

    def _relaxed(self, rule: Wish | Rule, text: str, *, by_patient: bool = True, **changes: Any) -> Relaxation:
        return Relaxation(rule, text, said(rule, self.request), replace(self.wishes, **changes), by_patient)

    def _name(self, who: UUID | None) -> str:
        return self.request.free.by_id[who].name if who else ""

    def _on(self, day: date) -> str:
        return say_day(day, country=self.request.country)

    def _at(self, instant: datetime) -> str:
        return say_time(instant, self.days.zone, self.request.country)

    def _say(self, clock: time) -> str:
        return say_clock(clock, self.request.country)


def _clock(minute: int) -> time:
    return time(minute // 60, minute % 60)
