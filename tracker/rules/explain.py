"""Why a plan is as it is, why a visit can't be at a place, and why nothing fits, in a coordinator's words."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tracker.rules.availability import Resource
from tracker.rules.candidates import Candidate, Candidates
from tracker.rules.costs import WAIT, gap_cost, hour_cost, wish_cost
from tracker.rules.plan import PlanRequest, Reason, Why, Wish
from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM, Protocol
from tracker.rules.series import Series
from tracker.text import gettext as _
from tracker.text import ngettext, say_day, say_time

# Why a plan is so


def why_so(candidates: Candidates, series: Series) -> list[Reason]:
    """List the reasons of a series; their costs add up to its cost."""
    return [*_about_rhythm(candidates, series), *_about_waiting(candidates, series), *about_visits(candidates, series)]


def about_visits(candidates: Candidates, series: Series) -> list[Reason]:
    """List the reasons that lie in the visits, not in the days between them."""
    return [
        *_about_wishes(candidates, series),
        *_about_hours(candidates, series),
        *_about_rooms(candidates, series),
        *_about_physicians(candidates, series),
        *_about_holes(candidates, series),
    ]


def _numbered(series: Series) -> Iterator[tuple[int, Candidate]]:
    return enumerate(series.starts, start=series.ordinal)


def _day(candidates: Candidates, start: Candidate) -> str:
    return say_day(candidates.days.calendar(start.day), country=candidates.request.country)


def _clock(candidates: Candidates, day: int, minute: int) -> str:
    return say_time(candidates.days.at(day, minute), candidates.days.zone, candidates.request.country)


def _about_wishes(candidates: Candidates, series: Series) -> Iterator[Reason]:
    for ordinal, start in _numbered(series):
        for wish in start.broken:
            text = _broken(candidates, start, wish)
            yield Reason(Why.WISH, text, wish_cost(wish), ordinal)


def _broken(candidates: Candidates, start: Candidate, wish: Wish) -> str:
    day = _day(candidates, start)
    if wish in (Wish.WEEKDAYS, Wish.DAYS_OFF):
        return _("%(day)s is not one of the days asked for", day=day)
    if wish is Wish.HOURS:
        return _("%(day)s is outside the hours asked for", day=day)
    if wish is Wish.TIME:
        return _("%(day)s is more than half an hour from the time asked for", day=day)
    name = _wished_name(candidates)
    return _("%(day)s without %(name)s", day=day, name=name)


def _wished_name(candidates: Candidates) -> str:
    wished = candidates.wishes.clinician_id
    return candidates.free.by_id[wished].name if wished in candidates.free.by_id and wished else ""


def _about_rhythm(candidates: Candidates, series: Series) -> Iterator[Reason]:
    """Speak of each gap that is off the rhythm, those between visits already given included."""
    protocol, given = candidates.request.protocol, candidates.request.given
    if not protocol.rhythm:
        return
    zone = candidates.days.zone
    days = [candidates.days.index(start.astimezone(zone).date()) for start in given]
    days += [start.day for start in series.starts]
    for number in range(len(days) - 1):
        gap = days[number + 1] - days[number]
        if cost := gap_cost(protocol.rhythm, number, gap, series.offset):
            usual = protocol.rhythm[(number + series.offset) % len(protocol.rhythm)]
            text = _(
                "%(gap)s days between visits %(one)s and %(two)s instead of %(usual)s",
                gap=gap,
                one=number + 1,
                two=number + 2,
                usual=usual,
            )
            yield Reason(Why.RHYTHM, text, cost, number + 2)


def _about_waiting(candidates: Candidates, series: Series) -> Iterator[Reason]:
    if candidates.request.given:
        return
    waited = series.starts[0].day - candidates.days.index(candidates.wishes.earliest)
    if waited:
        text = ngettext(
            "Starts %(day)s, a day later than asked",
            "Starts %(day)s, %(n)s days later than asked",
            waited,
            day=_day(candidates, series.starts[0]),
        )
        yield Reason(Why.WAIT, text, WAIT * waited, 1)


def _about_hours(candidates: Candidates, series: Series) -> Iterator[Reason]:
    costs = [hour_cost(abs(start.minute - series.anchor)) for start in series.starts]
    if len(costs) > 1 and len({start.minute for start in series.starts}) == 1:
        clock = _clock(candidates, series.starts[0].day, series.starts[0].minute)
        yield Reason(Why.HOUR, _("Same time every visit: %(clock)s", clock=clock), sum(costs))
        return
    for (ordinal, start), cost in zip(_numbered(series), costs, strict=True):
        if cost:
            yield Reason(Why.HOUR, _moved(candidates, series, start), cost, ordinal)


def _moved(candidates: Candidates, series: Series, start: Candidate) -> str:
    day, clock = _day(candidates, start), _clock(candidates, start.day, start.minute)
    because = _obstacle_at(candidates, start.day, series.anchor, series.home.room)
    if because:
        return _("%(day)s moved to %(clock)s because %(because)s", day=day, clock=clock, because=because)
    return _("%(day)s moved to %(clock)s", day=day, clock=clock)


def _obstacle_at(candidates: Candidates, day: int, minute: int, room: Resource) -> str:
    slot = candidates.days.slot(day, minute)
    return "" if slot is None else obstacle(candidates, day, slot, room)


def _about_rooms(candidates: Candidates, series: Series) -> Iterator[Reason]:
    home, away = series.home.room, 0
    for ordinal, start in _numbered(series):
        room = candidates.room_at(start, series.home)[1]
        if room.id != home.id:
            away += 1
            text = _("%(day)s in %(room)s, not %(home)s", day=_day(candidates, start), room=room.name, home=home.name)
            yield Reason(Why.ROOM, text, series.home.no_room, ordinal)
    if not away and len(series.starts) > 1:
        yield Reason(Why.ROOM, _("%(room)s every visit", room=home.name))


def _about_physicians(candidates: Candidates, series: Series) -> Iterator[Reason]:
    for ordinal, start in _numbered(series):
        cost, physician = candidates.physician_at(start, series.home)
        if cost:
            day, home = _day(candidates, start), series.home.physician.name
            text = _("%(day)s with %(name)s, not %(home)s", day=day, name=physician.name, home=home)
            yield Reason(Why.CLINICIAN, text, cost, ordinal)


def _about_holes(candidates: Candidates, series: Series) -> Iterator[Reason]:
    for ordinal, start in _numbered(series):
        room = candidates.room_at(start, series.home)[1]
        cost = next(cost for cost, free in candidates.rooms_at(start) if free.id == room.id)
        if cost:
            text = _(
                "%(day)s leaves time in %(room)s too short for a visit", day=_day(candidates, start), room=room.name
            )
            yield Reason(Why.HOLE, text, cost, ordinal)


# Why not here


def gap_obstacle(protocol: Protocol, before: datetime | None, start: datetime, after: datetime | None) -> str:
    """Say why a visit can't start between two others; empty: it can."""
    if before and start - before < protocol.min_gap:
        return _("too soon after the visit before")
    if before and start - before > protocol.max_gap:
        return _("too long after the visit before")
    if after and after - start < protocol.min_gap:
        return _("too close to the visit after")
    if after and after - start > protocol.max_gap:
        return _("too long before the visit after")
    return ""


def obstacle(candidates: Candidates, day: int, slot: int, room: Resource | None = None) -> str:
    """Say what keeps a block from starting there (in this room, if one is named); empty: nothing does."""
    block = candidates.block
    if not block.starts(candidates.patient, day) >> slot & 1:
        return _("the patient has another visit")
    rooms = [room] if room else candidates.rooms
    if not any(block.starts(one, day) >> slot & 1 for one in rooms):
        if any(block.there(one, day, slot) for one in rooms):
            return _taken(rooms)
        return _("%(room)s is closed", room=room.name) if room else _("the clinic is closed")
    for kind in block.kinds:
        if kind != ROOM and not block.any_of(kind, day) >> slot & 1:
            return _nobody(candidates, kind, day, slot)
    return ""


def _taken(rooms: Sequence[Resource]) -> str:
    return _("%(room)s is taken", room=rooms[0].name) if len(rooms) == 1 else _("every room is taken")


def _nobody(candidates: Candidates, kind: str, day: int, slot: int) -> str:
    known = candidates.free.of_kind(kind)
    here = [one for one in known if candidates.block.there(one, day, slot)]
    if kind == NURSE:
        return _("no nurse is free") if here else _("no nurse is there")
    if kind == PHYSICIAN:
        if len(known) == 1:
            name = known[0].name
            return _("%(name)s is busy", name=name) if here else _("%(name)s is not there", name=name)
        return _("no physician is free") if here else _("no physician is there")
    return _("no %(kind)s is free", kind=kind)


# Why nothing fits


def scarcity(request: PlanRequest) -> str:
    """Name the kind of resource that is free on the fewest days."""
    block, numbers = Candidates(request).block, range(request.free.days.count)
    days = {kind: sum(bool(block.any_of(kind, day)) for day in numbers) for kind in block.kinds}
    scarce = min(days, key=lambda kind: days[kind])
    return _("There are too few days with a free %(kind)s.", kind=_kinds().get(scarce, scarce))


def _kinds() -> dict[str, str]:
    return {ROOM: _("room"), NURSE: _("nurse"), PHYSICIAN: _("physician")}
