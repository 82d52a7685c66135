"""What is wrong with a visit, where it stands, and whom it keeps waiting.

Plain facts go in (`VisitFacts`), chips come out; words and colours are the template's. Instants are aware.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tracker.rules.vocabulary import VisitStatus

ABSENT_AFTER = timedelta(minutes=15)  # the first call to somebody who has not come
EXPECTED = timedelta(hours=1)  # somebody may be at the door this long before the start
DRIVER_WANTED = timedelta(hours=24)  # from here on an unconfirmed driver is somebody's business

WATCHED = frozenset({VisitStatus.INFUSING, VisitStatus.PAUSED, VisitStatus.RECOVERING, VisitStatus.READY})
BEFORE_START = frozenset({VisitStatus.BOOKED, VisitStatus.ARRIVED, VisitStatus.TIME_OUT})
OFF_THE_BOARD = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW, VisitStatus.HELD})
FINISHED = frozenset({VisitStatus.DISCHARGED, VisitStatus.TRANSFERRED})


class Level(StrEnum):
    """How loud: STOP is overdue or stop, SOON is act soon; the rest is quiet."""

    PLAIN = "plain"
    ACTIVE = "active"
    DONE = "done"
    OFF = "off"
    SOON = "soon"
    STOP = "stop"


class Matter(StrEnum):
    """What can be wrong, the worst first: a visit's chip shows the first that is true."""

    ANSWER = "answer"  # an answer about suicide waits to be read, and a clock runs
    VITALS = "vitals"  # a set is overdue
    LOST = "lost"  # its day fell out, and the patient was told: it waits for another place
    ABSENT = "absent"  # not here yet
    TASK = "task"  # something owed outside a visit
    OVER = "over"  # recovery longer than planned
    LATE = "late"  # runs late, and somebody has to wait for it
    DRIVER_SILENT = "driver_silent"  # ready to go home, and nobody to take them
    CLEARANCE = "clearance"  # no physician has cleared the patient
    ORDER = "order"  # no signed order
    ACKNOWLEDGE = "acknowledge"  # an answer about suicide is to be acknowledged before Start, no clock running
    REVIEW = "review"  # a review gate is open
    DRIVER = "driver"  # not confirmed


_LOUD = frozenset({Matter.ANSWER, Matter.VITALS, Matter.ABSENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFacts:
    """A room, in the order of the board."""

    id: UUID
    name: str
    detail: str = ""  # "bed", "recliner"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFacts:
    """What the board must know of one visit. `phases` are (name, planned minutes); `mg` is planned or drawn up."""

    id: UUID
    patient_id: UUID
    patient: str  # as the board names them: "Tran, Linh"
    ordinal: int
    of: int  # visits of the course
    sequence: int = 1  # the patient's how-many-eth course of this protocol: booster 5
    room_id: UUID
    nurse_id: UUID
    nurse: str  # initials
    physician_id: UUID | None = None
    physician: str = ""  # initials
    mg: Decimal | None = None
    status: VisitStatus
    starts_at: datetime
    ends_at: datetime
    phases: tuple[tuple[str, int], ...]
    arrived_at: datetime | None = None
    started_at: datetime | None = None  # the infusion
    stopped_at: datetime | None = None  # the infusion ended: recovery began
    ready_at: datetime | None = None
    left_at: datetime | None = None  # discharged or taken to hospital
    driver: str = ""
    driver_phone: str = ""
    driver_confirmed: bool = False
    cleared: bool = True
    order_signed: bool = True
    review_after: int | None = None  # the number of the visit whose review is open
    review_id: UUID | None = None  # … and its task
    answered_at: datetime | None = None  # an answer about suicide that nobody has acknowledged
    answer_due_at: datetime | None = None  # … and until when somebody must
    answer_alert: bool = False  # … it has risen or is the highest: a clock runs, not only the way to Start is closed
    answer_for: str = ""  # … and who
    answer_id: UUID | None = None  # … in which task
    vitals_due_at: datetime | None = None  # the next set
    vitals_overdue: bool = False  # it is late by the clinic's own measure: rules/vitals.py
    vitals_set: str = ""  # its name: "20"
    side_effect: str = ""  # the worst that is not over, as a person would say it
    note_signed: bool = True
    lost_at: datetime | None = None  # its day fell out, and the patient was told
    version: int = 1  # what a move sends along

    def expected(self, now: datetime) -> bool:
        """Whether the patient may come through the door any moment."""
        return self.status is VisitStatus.BOOKED and now >= self.starts_at - EXPECTED

    @property
    def block(self) -> timedelta:
        """Length of the whole block."""
        return self.ends_at - self.starts_at

    def planned(self, phase: str) -> datetime:
        """Return the planned start of `phase`; the block's end if it has none of that name."""
        minutes = 0
        for name, length in self.phases:
            if name == phase:
                break
            minutes += length
        return self.starts_at + timedelta(minutes=minutes)

    @property
    def recovery_ends_at(self) -> datetime:
        """When recovery was to be over: as long after the infusion's end as planned, no earlier than planned."""
        planned = self.planned("turnover")
        length = planned - self.planned("recovery")
        return max(planned, self.stopped_at + length) if self.stopped_at else planned


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """An open task that cannot wait for tomorrow: urgent, or a call that is due."""

    id: UUID
    title: str  # what is to be done, as To do says it
    patient_id: UUID | None
    patient: str
    detail: str
    urgent: bool
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Chip:
    """The one thing a bar says: what is wrong (`Matter`) or where the visit is (`VisitStatus`).

    `at` is when it began or is due; `minutes` is how long it is over, or still left where negative.
    """

    about: Matter | VisitStatus
    level: Level
    at: datetime | None = None
    minutes: int | None = None


def minutes_of(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def problems(visit: VisitFacts, now: datetime) -> list[Chip]:
    """List what is wrong with a visit at `now`, the worst first."""
    found = dict(_wrong(visit, now))
    return [
        Chip(matter, Level.STOP if matter in _LOUD else Level.SOON, found[matter], minutes_of(now - found[matter]))
        for matter in Matter
        if matter in found
    ]


def _wrong(visit: VisitFacts, now: datetime) -> Iterator[tuple[Matter, datetime]]:
    """Yield each matter with the instant from which it is over; a later one is time left."""
    if visit.answer_due_at and visit.answer_alert:
        yield Matter.ANSWER, visit.answer_due_at
    if visit.status in WATCHED and visit.vitals_due_at and visit.vitals_overdue:
        yield Matter.VITALS, visit.vitals_due_at
    if visit.status is VisitStatus.RECOVERING and now > visit.recovery_ends_at:
        yield Matter.OVER, visit.recovery_ends_at
    if visit.status is VisitStatus.READY and not visit.driver_confirmed:
        yield Matter.DRIVER_SILENT, visit.ready_at or now
    if visit.status is VisitStatus.BOOKED and visit.lost_at:
        yield Matter.LOST, visit.lost_at
        return
    if visit.status is VisitStatus.BOOKED and now >= visit.starts_at + ABSENT_AFTER:
        yield Matter.ABSENT, visit.starts_at
    if visit.status in BEFORE_START and now >= visit.starts_at - DRIVER_WANTED:
        yield from _unready(visit)


def _unready(visit: VisitFacts) -> Iterator[tuple[Matter, datetime]]:
    if not visit.cleared:
        yield Matter.CLEARANCE, visit.starts_at
    if not visit.order_signed:
        yield Matter.ORDER, visit.starts_at
    if visit.answer_due_at and not visit.answer_alert:
        yield Matter.ACKNOWLEDGE, visit.starts_at
    if visit.review_after:
        yield Matter.REVIEW, visit.starts_at
    if not visit.driver_confirmed:
        yield Matter.DRIVER, visit.starts_at


_STATE = {
    VisitStatus.BOOKED: Level.PLAIN,
    VisitStatus.DISCHARGED: Level.DONE,
    VisitStatus.TRANSFERRED: Level.STOP,
    VisitStatus.NO_SHOW: Level.OFF,
    VisitStatus.HELD: Level.OFF,
    VisitStatus.CANCELLED: Level.OFF,
}


def state(visit: VisitFacts, now: datetime) -> Chip:
    """Return the chip that says where the visit is, with the time it got there and, while infusing, minutes in."""
    since = {
        VisitStatus.ARRIVED: visit.arrived_at,
        VisitStatus.INFUSING: visit.started_at,
        VisitStatus.PAUSED: visit.started_at,
        VisitStatus.RECOVERING: visit.stopped_at,
        VisitStatus.READY: visit.ready_at,
        VisitStatus.DISCHARGED: visit.left_at,
        VisitStatus.TRANSFERRED: visit.left_at,
    }.get(visit.status)
    level = _STATE.get(visit.status, Level.ACTIVE)
    return Chip(visit.status, level, since, minutes_of(now - since) if since else None)


def chip(visit: VisitFacts, found: Sequence[Chip], now: datetime) -> Chip:
    """Return the one chip a visit shows: the worst of its problems, else its state."""
    return found[0] if found else state(visit, now)
