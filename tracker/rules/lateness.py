"""What late arrivals and long recoveries do to whoever comes next, in the same room, with the same nurse or physician.

Nothing is refused and nothing is moved: a visit is where it is, and from there it takes as long as planned. Whoever has
to wait keeps others waiting in turn. A physician is held during set-up; who gets there first keeps them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from tracker.rules.attention import (
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
_TO_COME = frozenset({VisitStatus.BOOKED, VisitStatus.ARRIVED})


class Hold(NamedTuple):
    """Until when a visit is expected to hold something, until when it was to, and from when on it does."""

    until: datetime
    planned: datetime
    visit_id: UUID
    since: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """Until when a visit is expected to need its physician (for set-up), its nurse (the end of recovery), its room."""

    physician_until: datetime
    nurse_until: datetime
    room_until: datetime


@dataclass(frozen=True, slots=True)
class Effect:
    """What somebody who needs longer does to the next patient there."""

    where: str  # the room, or initials
    next: str  # patient
    needed_at: datetime
    free_at: datetime  # when it is expected to be free
    start_by: datetime | None = None  # the latest start of a waiting patient that moves nobody
    after_next: str = ""  # … whom it would move
    patients: int = 0  # a nurse's, at once, until then; else 0

    @property
    def late(self) -> int:
        """Minutes that the next one has to wait; 0 or less is none."""
        return minutes_of(self.free_at - self.needed_at)


def expected(visit: VisitFacts, now: datetime) -> Expected:
    """Return when a live visit is expected to be over, from where it is at `now`; never earlier than now."""
    recovery = visit.planned("turnover") - visit.planned("recovery")
    reset = visit.ends_at - visit.planned("turnover")
    begins = visit.started_at or visit.planned("infusion")
    if visit.status is VisitStatus.READY:
        ends = now
    elif visit.status is VisitStatus.RECOVERING:
        ends = max((visit.stopped_at or now) + recovery, now)
    else:
        infusion = visit.planned("recovery") - visit.planned("infusion")
        begins = _infusion_starts(visit, now)
        ends = max(begins + infusion, now) + recovery
    return Expected(begins, ends, ends + reset)


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
    """The live visits of a day as they go at `now`, and whom each of them keeps waiting.

    Args:
        lanes: How many patients each nurse, and each physician, may have at once.
    """

    def __init__(
        self,
        rooms: Sequence[RoomFacts],
        live: Sequence[VisitFacts],
        lanes: Mapping[UUID, int],
        closes_at: datetime,
        now: datetime,
    ) -> None:
        self.rooms = {room.id: room.name for room in rooms}
        self.lanes, self.closes_at, self.now = lanes, closes_at, now
        self.by_room: dict[UUID, list[VisitFacts]] = defaultdict(list)
        self.until: dict[UUID, Expected] = {}
        self._holds: dict[UUID | None, list[Hold]] = defaultdict(list)  # of a room, a nurse, a physician
        self._waits: dict[UUID, dict[UUID, Effect]] = defaultdict(dict)  # for whom, and who
        for visit in sorted(live, key=lambda visit: visit.starts_at):
            self.by_room[visit.room_id].append(visit)
            if visit.status not in FINISHED:
                self._add(visit)

    def _add(self, visit: VisitFacts) -> None:
        """Note until when a visit needs what, those that came before it known."""
        set_up, infusion, turnover = (visit.planned(phase) for phase in ("set_up", "infusion", "turnover"))
        until = self.until[visit.id] = self._expected(visit, set_up)
        room = Hold(until.room_until, visit.ends_at, visit.id, visit.starts_at)
        nurse = Hold(until.nurse_until, turnover, visit.id, visit.starts_at)
        physician = Hold(until.physician_until, infusion, visit.id, until.physician_until - (infusion - set_up))
        self._holds[visit.room_id].append(room)
        self._holds[visit.nurse_id].append(nurse)
        self._holds[visit.physician_id].append(physician)

    def _expected(self, visit: VisitFacts, set_up: datetime) -> Expected:
        alone = expected(visit, self.now)
        waits = list(self._waits_for(visit, set_up)) if visit.status in _TO_COME else []
        if not waits:
            return alone
        effect, causes = max(waits, key=lambda wait: wait[0].free_at - wait[0].needed_at)
        for cause in causes:
            self._waits[cause][visit.id] = effect
        wait = effect.free_at - effect.needed_at
        return Expected(
            max(alone.physician_until, visit.planned("infusion") + wait),
            max(alone.nurse_until, visit.planned("turnover") + wait),
            max(alone.room_until, visit.ends_at + wait),
        )

    def _waits_for(self, visit: VisitFacts, set_up: datetime) -> Iterator[tuple[Effect, list[UUID]]]:
        """Yield what isn't free in time for a visit, each with who should have been gone by then."""
        for where, what, needed_at, most in (
            (self.rooms.get(visit.room_id, ""), visit.room_id, visit.starts_at, 1),
            (visit.nurse, visit.nurse_id, set_up, self.lanes.get(visit.nurse_id, 0)),
            (visit.physician, visit.physician_id, set_up, self.lanes.get(visit.physician_id or visit.id, 0)),
        ):
            holding = sorted(hold for hold in self._holds[what] if hold.since <= needed_at < hold.until)
            causes = [hold.visit_id for hold in holding if hold.planned <= needed_at]
            if causes and 0 < most <= len(holding):
                patients = len(holding) if what == visit.nurse_id else 0
                yield Effect(where, visit.patient, needed_at, holding[-most].until, patients=patients), causes

    def effects(self, visit: VisitFacts) -> list[Effect]:
        """Return what a visit that isn't over does to the next one in its room, to whoever else has to wait for it, and
        to whoever waits for those."""
        found, asked = dict(self._in_room(visit)), [visit.id]
        while asked:
            for other, effect in self._waits[asked.pop(0)].items():
                if other not in found or effect.free_at > found[other].free_at:
                    found[other] = effect
                if effect.late >= WORTH_SAYING and effect.needed_at > self.now:  # else it is said of whoever waits
                    asked.append(other)
        return list(found.values())

    def _in_room(self, visit: VisitFacts) -> Iterator[tuple[UUID, Effect]]:
        """Say when the next one in the same room needs it, in time or not."""
        line = self.by_room[visit.room_id]
        later = [other for other in line if other.starts_at > visit.starts_at and other.status not in FINISHED]
        if not later:
            return
        following, after = later[0], later[1] if len(later) > 1 else None
        start_by, moved = None, ""
        if following.status is VisitStatus.ARRIVED:
            start_by = (after.starts_at if after else self.closes_at) - following.block
            moved = after.patient if after else ""
        free_at = self.until[visit.id].room_until
        name = self.rooms.get(visit.room_id, "")
        yield following.id, Effect(name, following.patient, following.starts_at, free_at, start_by, moved)


def runs_late(visit: VisitFacts, found: Sequence[Effect]) -> bool:
    """Return whether somebody has to wait for a visit that has not been said to be over its time otherwise."""
    return visit.status not in _ENDING and any(one.late >= WORTH_SAYING for one in found)


@dataclass(frozen=True, slots=True)
class State:
    """What is wrong with a visit, the worst first, and whom it keeps waiting."""

    visit: VisitFacts
    problems: Sequence[Chip]
    effects: tuple[Effect, ...]


def standing(going: Going) -> dict[UUID, State]:
    """Return how each live visit of the rooms stands, by its id."""
    return {visit.id: _state(visit, going) for room_id in going.rooms for visit in going.by_room[room_id]}


def _state(visit: VisitFacts, going: Going) -> State:
    found = problems(visit, going.now)
    if visit.status in FINISHED or going.now < visit.starts_at:
        return State(visit, found, ())
    held = going.effects(visit)
    if runs_late(visit, held):
        late = going.until[visit.id].room_until - visit.ends_at
        found.append(Chip(Matter.LATE, Level.SOON, visit.ends_at, minutes_of(late)))
        found.sort(key=lambda one: [*Matter].index(Matter(one.about)))
    return State(visit, found, tuple(held))
