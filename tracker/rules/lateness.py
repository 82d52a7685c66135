"""What late arrivals and long recoveries do to whoever comes next, in the same room and with the same nurse.

Nothing is refused and nothing is moved: a visit is where it is, and from there it takes as long as planned.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tracker.rules.attention import (
    BEFORE_START,
    FINISHED,
    Chip,
    Level,
    Matter,
    RoomFacts,
    VisitFacts,
    minutes_of,
    problems,
)
from tracker.rules.vocabulary import VisitStatus

WORTH_SAYING = 5  # minutes that somebody waits
_ENDING = frozenset({VisitStatus.RECOVERING, VisitStatus.READY})
_RUNNING = frozenset({VisitStatus.INFUSING, VisitStatus.PAUSED})


@dataclass(frozen=True, slots=True)
class Expected:
    """Until when a visit is expected to need its nurse (the end of recovery) and its room (reset and all)."""

    nurse_until: datetime
    room_until: datetime


@dataclass(frozen=True, slots=True)
class Effect:
    """What somebody who needs longer does to the next patient there."""

    where: str  # the room, or the nurse's initials
    next: str  # patient
    needed_at: datetime
    free_at: datetime  # when room or nurse is expected to be free
    start_by: datetime | None = None  # the latest start of a waiting patient that moves nobody
    after_next: str = ""  # … whom it would move
    patients: int = 0  # a nurse's, at once, until then; 0 for a room

    @property
    def late(self) -> int:
        """Minutes that the next one has to wait; 0 or less is none."""
        return minutes_of(self.free_at - self.needed_at)


def expected(visit: VisitFacts, now: datetime) -> Expected:
    """Return when a live visit is expected to be over, from where it is at `now`; never earlier than now."""
    recovery = visit.planned("turnover") - visit.planned("recovery")
    reset = visit.ends_at - visit.planned("turnover")
    if visit.status is VisitStatus.READY:
        ends = now
    elif visit.status is VisitStatus.RECOVERING:
        ends = max((visit.stopped_at or now) + recovery, now)
    else:
        infusion = visit.planned("recovery") - visit.planned("infusion")
        ends = max(_infusion_starts(visit, now) + infusion, now) + recovery
    return Expected(ends, ends + reset)


def _infusion_starts(visit: VisitFacts, now: datetime) -> datetime:
    if visit.status in _RUNNING:
        return visit.started_at or now
    planned = visit.planned("infusion")
    if visit.status is VisitStatus.TIME_OUT:
        return max(planned, now)
    check_in = visit.planned("set_up") - visit.starts_at
    if visit.status is VisitStatus.ARRIVED:
        # Somebody who waits has been checked in by then, and is still to be set up.
        lead = planned - visit.starts_at
        arrived_at = max(visit.arrived_at or visit.starts_at, visit.starts_at)
        return max(arrived_at + lead, now + lead - check_in)
    return planned + max(now - visit.starts_at, timedelta())


def effects(
    visit: VisitFacts,
    room: RoomFacts,
    live: Sequence[VisitFacts],
    lanes: Mapping[UUID, int],
    closes_at: datetime,
    now: datetime,
) -> list[Effect]:
    """Return what a visit does to the next one in its room and, where that is another, to its nurse's.

    Args:
        visit: Not over yet.
        room: Its room.
        live: The day's live visits, in order of time.
        lanes: How many patients each nurse may have at once.
        closes_at: When the clinic closes.
        now: When it is said.
    """
    found = list(_in_room(visit, room, [other for other in live if other.room_id == visit.room_id], closes_at, now))
    for one in _of_nurse(visit, [other for other in live if other.nurse_id == visit.nurse_id], lanes, now):
        same = next((other for other in found if other.next == one.next), None)
        if same is None or one.free_at > same.free_at:
            found.append(one)
    return found


def _in_room(
    visit: VisitFacts, room: RoomFacts, line: Sequence[VisitFacts], closes_at: datetime, now: datetime
) -> Iterator[Effect]:
    later = [other for other in line if other.starts_at > visit.starts_at and other.status not in FINISHED]
    if not later:
        return
    following, after = later[0], later[1] if len(later) > 1 else None
    free_at = expected(visit, now).room_until
    if following.status is VisitStatus.ARRIVED:
        start_by = (after.starts_at if after else closes_at) - following.block
        moved = after.patient if after else ""
        yield Effect(room.name, following.patient, following.starts_at, free_at, start_by, moved)
    else:
        yield Effect(room.name, following.patient, following.starts_at, free_at)


def _of_nurse(
    visit: VisitFacts, line: Sequence[VisitFacts], lanes: Mapping[UUID, int], now: datetime
) -> Iterator[Effect]:
    """Say whom a visit that goes on longer than planned keeps from their nurse: the first, if any."""
    most = lanes.get(visit.nurse_id)
    ends = {other.id: expected(other, now).nurse_until for other in line if other.status not in FINISHED}
    for other in line:
        needed_at = other.planned("set_up")
        waits = other.status in BEFORE_START and other.starts_at > visit.starts_at and needed_at >= now
        if not most or not waits or not visit.planned("turnover") <= needed_at < ends[visit.id]:
            continue
        untils = sorted(
            ends[one.id]
            for one in line
            if one.id in ends and one.starts_at < other.starts_at and ends[one.id] > needed_at
        )
        if len(untils) >= most:
            yield Effect(visit.nurse, other.patient, needed_at, untils[len(untils) - most], patients=len(untils))
            return


def runs_late(visit: VisitFacts, found: Sequence[Effect]) -> bool:
    """Return whether somebody has to wait for a visit that has not been said to be over its time otherwise."""
    return visit.status not in _ENDING and any(one.late >= WORTH_SAYING for one in found)


@dataclass(frozen=True, slots=True)
class State:
    """What is wrong with a visit, the worst first, and whom it keeps waiting."""

    visit: VisitFacts
    problems: Sequence[Chip]
    effects: tuple[Effect, ...]


def standing(
    rooms: Sequence[RoomFacts],
    live: Sequence[VisitFacts],
    lanes: Mapping[UUID, int],
    closes_at: datetime,
    now: datetime,
) -> dict[UUID, State]:
    """Return how each of the live visits of a day stands, by its id; see `effects` for the rest."""
    by_id = {room.id: room for room in rooms}
    return {
        visit.id: _state(visit, by_id[visit.room_id], live, lanes, closes_at, now)
        for visit in live
        if visit.room_id in by_id
    }


def _state(
    visit: VisitFacts,
    room: RoomFacts,
    live: Sequence[VisitFacts],
    lanes: Mapping[UUID, int],
    closes_at: datetime,
    now: datetime,
) -> State:
    found = problems(visit, now)
    if visit.status in FINISHED or now < visit.starts_at:
        return State(visit, found, ())
    held = effects(visit, room, live, lanes, closes_at, now)
    if runs_late(visit, held):
        late = expected(visit, now).room_until - visit.ends_at
        found.append(Chip(Matter.LATE, Level.SOON, visit.ends_at, minutes_of(late)))
        found.sort(key=lambda one: [*Matter].index(Matter(one.about)))
    return State(visit, found, tuple(held))
