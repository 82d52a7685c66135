"""What the planner is asked, and what it answers."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from tracker.rules.availability import FreeTime
from tracker.rules.protocol import Protocol


class Wish(StrEnum):
    """What a patient may ask for; a hard one is kept or there is no plan, a soft one is kept where it can be."""

    WEEKDAYS = "weekdays"
    DAYS_OFF = "days_off"
    HOURS = "hours"
    TIME = "time"
    ROOM = "room"
    CLINICIAN = "clinician"


# Whoever says "never Thursdays" means it; whoever says "rather Sage" would still come.
HARD_UNLESS_SAID = frozenset({Wish.WEEKDAYS, Wish.DAYS_OFF, Wish.HOURS})


@dataclass(frozen=True)
class Wishes:
    """A patient's wishes, in the clinic's local time.

    No visit is before `earliest`. `weekdays` counts from 0 = Monday; empty is any. The patient arrives at `arrive_from`
    or later and has left (end of recovery) by `leave_by`. `preferred_time` is the hour of arrival she would like best;
    within half an hour of it counts as kept. `clinician_id` is a nurse or a physician.
    """

    earliest: date
    weekdays: frozenset[int] = frozenset()
    days_off: frozenset[date] = frozenset()
    arrive_from: time | None = None
    leave_by: time | None = None
    preferred_time: time | None = None
    room_id: UUID | None = None
    clinician_id: UUID | None = None
    hard: frozenset[Wish] = HARD_UNLESS_SAID


@dataclass(frozen=True)
class PlanRequest:
    """Everything a plan follows from.

    `free` covers the days that may be used (six weeks are usual). `given` are the starts of the course's first visits
    that stay where they are, completed or kept, in order; the rest of the protocol's visits is planned. No visit starts
    before `not_before` (now, as a rule). Visits start on a multiple of `start_every` minutes of the clock. `country` is
    for saying times.
    """

    protocol: Protocol
    free: FreeTime = field(repr=False)
    patient_id: UUID
    wishes: Wishes
    not_before: datetime
    given: tuple[datetime, ...] = ()
    start_every: int = 15
    country: str = "US"


@dataclass(frozen=True)
class PlannedClaim:
    """One lane of a resource to hold from one instant (UTC) to another."""

    resource_id: UUID
    lane: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class PlannedVisit:
    """One visit of a plan. `starts_at` to `ends_at` (UTC) is the whole block; `claims` is all that it has to hold."""

    ordinal: int
    starts_at: datetime
    ends_at: datetime
    room_id: UUID
    nurse_id: UUID
    physician_id: UUID
    claims: tuple[PlannedClaim, ...] = field(repr=False)


class Why(StrEnum):
    """The kinds of reason, in the order of their weight."""

    WISH = "wish"
    RHYTHM = "rhythm"
    WAIT = "wait"
    HOUR = "hour"
    ROOM = "room"
    CLINICIAN = "clinician"
    HOLE = "hole"


@dataclass(frozen=True)
class Reason:
    """One part of why a plan is as it is, in a coordinator's words. `cost` 0 is something that went well."""

    why: Why
    text: str
    cost: int = 0
    ordinal: int | None = None  # the visit it is about; None: all of them


@dataclass(frozen=True)
class Plan:
    """One way to give what remains of a course. `cost` is the sum of its reasons' costs; lower is better."""

    visits: tuple[PlannedVisit, ...]
    cost: int
    reasons: tuple[Reason, ...]

    @property
    def starts(self) -> list[datetime]:
        """Start instants in order."""
        return [visit.starts_at for visit in self.visits]


@dataclass(frozen=True)
class Alternative:
    """One other place for a single visit; cheaper is better."""

    visit: PlannedVisit
    cost: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class FreePlace:
    """A room in which a block fits: it may start at `starts_at` or, at the latest, at `latest_start`."""

    room_id: UUID
    starts_at: datetime
    latest_start: datetime
    block: timedelta
