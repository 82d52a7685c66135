"""What the planner is asked, and what it answers."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

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

    `also` are starts (instants) at which she can come although days or hours say otherwise. `longest_gap`, in days, is
    what the clinic grants where the protocol allows less. Both answer a `Relaxation`.

    A patient who lives in another zone comes to the clinic all the same, so her hours are those of its clocks too.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    earliest: date
    weekdays: frozenset[Annotated[int, Field(ge=0, le=6)]] = frozenset()
    days_off: frozenset[date] = frozenset()
    arrive_from: time | None = None
    leave_by: time | None = None
    preferred_time: time | None = None
    room_id: UUID | None = None
    clinician_id: UUID | None = None
    hard: frozenset[Wish] = HARD_UNLESS_SAID
    also: frozenset[AwareDatetime] = frozenset()
    longest_gap: Annotated[int, Field(ge=1, le=60)] | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the wishes as plain data for a JSON column; `from_data` gives equal ones back."""
        data: dict[str, Any] = _WISHES.dump_python(self, mode="json")
        return {key: sorted(value) if isinstance(value, list) else value for key, value in data.items()}

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Return the wishes that `to_data` wrote. pydantic.ValidationError (a ValueError): these aren't any."""
        wishes = _WISHES.validate_json(json.dumps(data))
        assert isinstance(wishes, cls)
        return wishes


_WISHES = TypeAdapter(Wishes)


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

    @cached_property
    def limits(self) -> Protocol:
        """The protocol with the longest gap that was granted: what visits are held against."""
        return self.protocol.with_longer_gap(self.wishes.longest_gap)


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


class Rule(StrEnum):
    """What may be in the way of every plan; those of `Wish` are a patient's."""

    START = "start"  # the patient's first day
    LATER = "later"  # the last day that was looked at
    GAP = "gap"
    SPAN = "span"


@dataclass(frozen=True)
class Relaxation:
    """One change, as small as can be, with which there is a plan.

    `text` says it to a coordinator ("Fits if the patient can come at 8:30 AM on Mon, Nov 9"), `in_the_way` which rule
    stands against it now ("Not before 9:00 AM"). `wishes` are those to plan with instead. `by_patient`: she can grant
    it; else it is the clinic's.
    """

    rule: Wish | Rule
    text: str
    in_the_way: str
    wishes: Wishes
    by_patient: bool = True


@dataclass(frozen=True)
class WishPrice:
    """What a wish costs: "Without “Never on Thursdays”: ends Fri, Dec 4 instead of Fri, Dec 11".

    `wishes` are the others.
    """

    wish: Wish
    text: str
    wishes: Wishes


@dataclass(frozen=True)
class FreePlace:
    """A room in which a block fits: it may start at `starts_at` or, at the latest, at `latest_start`."""

    room_id: UUID
    starts_at: datetime
    latest_start: datetime
    block: timedelta
