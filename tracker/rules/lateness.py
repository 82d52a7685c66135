"""What late arrivals and long recoveries do to whoever comes next, in the same room and with the same nurse.

Nothing is refused and nothing is moved: a visit is where it is, and from there it takes as long as planned.
"""

from collections import defaultdict
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


class Going:
    """The live visits of a day as they go at `now`, by room and by nurse, in order of time."""

    def __init__(
        self, live: Sequence[VisitFacts], lanes: Mapping[UUID, int], closes_at: datetime, now: datetime
    ) -> None:
        self.lanes, self.closes_at, self.now = lanes, closes_at, now
        self.by_room: dict[UUID, list[VisitFacts]] = defaultdict(list)
        self.by_nurse: dict[UUID, list[VisitFacts]] = defaultdict(list)
        self.until: dict[UUID, Expected] = {}
        for visit in sorted(live, key=lambda visit: visit.starts_at):
            self.by_room[visit.room_id].append(visit)
            self.by_nurse[visit.nurse_id].append(visit)
            if visit.status not in FINISHED:
                self.until[visit.id] = expected(visit, now)

    def effects(self, visit: VisitFacts, room: RoomFacts) -> list[Effect]:
        """Return what a visit that isn't over does to the next one in its room and, where that is another, to its
        nurse's."""
        found = list(self._in_room(visit, room))
        for one in self._of_nurse(visit):
            same = next((other for other in found if other.next == one.next), None)
            if same is None or one.free_at > same.free_at:
                found.append(one)
        return found

    def _in_room(self, visit: VisitFacts, room: RoomFacts) -> Iterator[Effect]:
        line = self.by_room[visit.room_id]
        later = [other for other in line if other.starts_at > visit.starts_at and other.status not in FINISHED]
        if not later:
            return
        following, after = later[0], later[1] if len(later) > 1 else None
        free_at = self.until[visit.id].room_until
        if following.status is VisitStatus.ARRIVED:
            start_by = (after.starts_at if after else self.closes_at) - following.block
            moved = after.patient if after else ""
            yield Effect(room.name, following.patient, following.starts_at, free_at, start_by, moved)
        else:
            yield Effect(room.name, following.patient, following.starts_at, free_at)

    def _of_nurse(self, visit: VisitFacts) -> Iterator[Effect]:
        """Say whom a visit that goes on longer than planned keeps from their nurse: the first, if any."""
        most, until = self.lanes.get(visit.nurse_id), self.until[visit.id].nurse_until
        if not most or until <= visit.planned("turnover"):
            return
        for other in self.by_nurse[visit.nurse_id]:
            needed_at = other.planned("set_up")
            waits = other.status in BEFORE_START and other.starts_at > visit.starts_at and needed_at >= self.now
            if not waits or not visit.planned("turnover") <= needed_at < until:
                continue
            untils = self._still_with(visit.nurse_id, other, needed_at)
            if len(untils) >= most:
                yield Effect(visit.nurse, other.patient, needed_at, untils[len(untils) - most], patients=len(untils))
                return

    def _still_with(self, nurse_id: UUID, other: VisitFacts, at: datetime) -> list[datetime]:
        """Return until when a nurse has each of those who came before another and are still there at an instant."""
        before = [one for one in self.by_nurse[nurse_id] if one.id in self.until and one.starts_at < other.starts_at]
        return sorted(until for one in before if (until := self.until[one.id].nurse_until) > at)


def runs_late(visit: VisitFacts, found: Sequence[Effect]) -> bool:
    """Return whether somebody has to wait for a visit that has not been said to be over its time otherwise."""
    return visit.status not in _ENDING and any(one.late >= WORTH_SAYING for one in found)


@dataclass(frozen=True, slots=True)
class State:
    """What is wrong with a visit, the worst first, and whom it keeps waiting."""

    visit: VisitFacts
    problems: Sequence[Chip]
    effects: tuple[Effect, ...]


def standing(rooms: Sequence[RoomFacts], going: Going) -> dict[UUID, State]:
    """Return how each live visit of the rooms stands, by its id."""
    return {visit.id: _state(visit, room, going) for room in rooms for visit in going.by_room[room.id]}


def _state(visit: VisitFacts, room: RoomFacts, going: Going) -> State:
    found = problems(visit, going.now)
    if visit.status in FINISHED or going.now < visit.starts_at:
        return State(visit, found, ())
    held = going.effects(visit, room)
    if runs_late(visit, held):
        late = going.until[visit.id].room_until - visit.ends_at
        found.append(Chip(Matter.LATE, Level.SOON, visit.ends_at, minutes_of(late)))
        found.sort(key=lambda one: [*Matter].index(Matter(one.about)))
    return State(visit, found, tuple(held))
