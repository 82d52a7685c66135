"""What a course of treatment is made of: visits, spacing, phases and what each holds, dose, messages, follow-up.

A protocol is data: a clinic may change every number, and a course keeps the version it was booked under
(`to_data`/`from_data`). The shipped ones are in `protocols`.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from pydantic import TypeAdapter

from tracker.rules.cadence import DEFAULT, Cadence
from tracker.rules.vocabulary import Role

# What a phase can hold. A clinic may add its own word for a kind of equipment ("pump"): a hold's `what` and a
# resource's `kind` only have to agree.
ROOM = "room"
NURSE = "nurse"  # one lane: one of the patients this nurse may watch at once
PHYSICIAN = "physician"
PATIENT = "patient"  # every phase but turnover holds the patient, without saying so


@dataclass(frozen=True)
class Hold:
    """What a phase holds, from `start` minutes into it (negative: before its end) for `minutes` (None: to its end)."""

    what: str
    start: int = 0
    minutes: int | None = None


@dataclass(frozen=True)
class Phase:
    """One part of a visit's block. `minutes` is planned, whole minutes."""

    name: str
    minutes: int
    holds: tuple[Hold, ...]
    patient: bool = True  # the patient is there


class Anchor(StrEnum):
    """The event that a follow-up step is counted from."""

    BOOKED = "booked"
    FIRST_VISIT = "first_visit"  # its start
    EACH_VISIT = "each_visit"  # its start
    EACH_DISCHARGE = "each_discharge"  # planned: the end of recovery
    LAST_DISCHARGE = "last_discharge"


@dataclass(frozen=True)
class Step:
    """One step of the follow-up programme: due `after` its anchor, overdue when `window` is over as well.

    `owner` is the staff role that does it, None the patient. `every` and `times` repeat it.
    """

    code: str
    anchor: Anchor
    after: timedelta
    window: timedelta
    owner: Role | None = None
    scale: str | None = None
    every: timedelta | None = None
    times: int = 1


@dataclass(frozen=True)
class Protocol:
    """How a course is given.

    `min_gap` and `max_gap` are elapsed time from start to start, inclusive; `max_span_days` is calendar days from the
    first visit's day to the last one's. `rhythm` is the weekly round of day gaps, e.g. (2, 2, 3) for Monday, Wednesday,
    Friday; a course may begin anywhere in the round. `review_after` lists the visits after which a physician decides.
    `max_mg` is the most for one visit, whatever the weight.
    """

    code: str
    version: int
    title: str
    visits: int
    min_gap: timedelta
    max_gap: timedelta
    max_span_days: int
    rhythm: tuple[int, ...]
    phases: tuple[Phase, ...]
    mg_per_kg: Decimal
    max_mg: Decimal
    cadence: Cadence = DEFAULT
    programme: tuple[Step, ...] = ()
    review_after: tuple[int, ...] = ()
    # One nurse's infusions start at least this many minutes apart.
    starts_apart: int = 15

    @cached_property
    def block(self) -> timedelta:
        """Length of the whole block, check-in to the end of turnover."""
        return timedelta(minutes=sum(phase.minutes for phase in self.phases))

    def offset(self, name: str) -> timedelta:
        """Planned time from the block's start to the start of the phase `name`. KeyError: there is no such phase."""
        minutes = 0
        for phase in self.phases:
            if phase.name == name:
                return timedelta(minutes=minutes)
            minutes += phase.minutes
        raise KeyError(name)

    @cached_property
    def patient_leaves(self) -> timedelta:
        """Planned time from the block's start until the patient goes home (end of recovery)."""
        leaves = minutes = 0
        for phase in self.phases:
            minutes += phase.minutes
            leaves = minutes if phase.patient else leaves
        return timedelta(minutes=leaves)

    def with_longer_gap(self, days: int | None) -> Self:
        """Return the protocol with gaps of so many days allowed, and a span longer by as much.

        The hour of day may move as far as before. None, or no more than it allows anyway: the protocol as it is.
        """
        more = 0 if days is None else days - self.max_gap.days
        if more <= 0:
            return self
        return replace(self, max_gap=self.max_gap + timedelta(days=more), max_span_days=self.max_span_days + more)

    def to_data(self) -> dict[str, Any]:
        """Return the protocol as plain data for a JSON column; `from_data` gives an equal protocol back."""
        data: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return data

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Return the protocol that `to_data` wrote. pydantic.ValidationError (a ValueError): it isn't one."""
        protocol = _ADAPTER.validate_python(data, strict=False)
        assert isinstance(protocol, cls)
        return protocol


_ADAPTER = TypeAdapter(Protocol)
