"""What a course of treatment is made of: visits, spacing, phases and what each holds, dose, messages, follow-up.

A protocol is data: a clinic may change every number, and a course keeps the version it was booked under
(`to_data`/`from_data`). The shipped ones are at the end, each number with its source.
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


def infusion_block(infusion: int = 40, recovery: int = 60) -> tuple[Phase, ...]:
    """Return the phases of an infusion visit; `infusion` and `recovery` in minutes.

    The nurse's lane, and the physician on site, run from set-up to the end of recovery; the physician is held for
    set-up and again for the last ten minutes of recovery. The second person who checks the drug is the physician, who
    is held for set-up anyway.

    Source:
        Inference from clinics' published visits (2.5 h in all, recovery 20-60 min quoted): docs/clinical-rules.md.
    """
    room, nurse = Hold(ROOM), Hold(NURSE)
    return (
        Phase("check_in", 15, (room,)),
        Phase("set_up", 20, (room, nurse, Hold(PHYSICIAN))),
        Phase("infusion", infusion, (room, nurse)),
        Phase("recovery", recovery, (room, nurse, Hold(PHYSICIAN, start=-10))),
        Phase("turnover", 15, (room,), patient=False),
    )


_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)

# Windows are inference; 24 h call: PADSS study convention; 24-72 h therapy window: clinics' claim, evidence limited.
_AFTER_EACH = (
    Step("next_day_check_in", Anchor.EACH_DISCHARGE, 24 * _HOUR, 12 * _HOUR, Role.NURSE),
    Step("therapy_session", Anchor.EACH_DISCHARGE, 24 * _HOUR, 48 * _HOUR, Role.COORDINATOR),
)
_PROGRAMME = (
    *_AFTER_EACH,
    Step("weekly_score", Anchor.FIRST_VISIT, 7 * _DAY, 2 * _DAY, scale="phq9", every=7 * _DAY, times=6),
    Step("response_review", Anchor.LAST_DISCHARGE, 7 * _DAY, 3 * _DAY, Role.PHYSICIAN),
    Step("medication_review", Anchor.LAST_DISCHARGE, 14 * _DAY, 14 * _DAY, Role.COORDINATOR),
    Step("relapse_look", Anchor.LAST_DISCHARGE, 28 * _DAY, 7 * _DAY, Role.COORDINATOR),
)

# 0.5 mg/kg over 40 minutes: Murrough 2013, Singh 2016, Feder 2021. 1 mg/kg is the most that trials tested; 100 mg is
# that for 100 kg (inference).
_MG_PER_KG, _MAX_MG = Decimal("0.5"), Decimal(100)

# Gaps (inference on Singh 2016's schedules): 36 h leaves one free day between any two visits of an open day shorter
# than twelve hours; half a day above the longest gap lets the hour of day move.
THREE_A_WEEK = Protocol(
    code="A",
    version=1,
    title="Three a week for two weeks",
    visits=6,
    min_gap=36 * _HOUR,
    max_gap=5 * _DAY + 12 * _HOUR,
    max_span_days=21,
    rhythm=(2, 2, 3),
    phases=infusion_block(),
    mg_per_kg=_MG_PER_KG,
    max_mg=_MAX_MG,
    programme=_PROGRAMME,
    review_after=(3, 6),
)

TWO_A_WEEK = Protocol(
    code="B",
    version=1,
    title="Two a week for three weeks",
    visits=6,
    min_gap=36 * _HOUR,
    max_gap=7 * _DAY + 12 * _HOUR,
    max_span_days=28,  # 17 in the plain rhythm; from 28 on it counts as a deviation (inference)
    rhythm=(3, 4),
    phases=infusion_block(),
    mg_per_kg=_MG_PER_KG,
    max_mg=_MAX_MG,
    programme=_PROGRAMME,
    review_after=(3, 6),
)

# One infusion: OCD (Rodriguez 2013), and every booster.
SINGLE = Protocol(
    code="S",
    version=1,
    title="Single infusion",
    visits=1,
    min_gap=36 * _HOUR,
    max_gap=365 * _DAY,
    max_span_days=0,
    rhythm=(),
    phases=infusion_block(),
    mg_per_kg=_MG_PER_KG,
    max_mg=_MAX_MG,
    programme=(
        *_AFTER_EACH,
        Step("response_review", Anchor.LAST_DISCHARGE, 7 * _DAY, 3 * _DAY, Role.PHYSICIAN),
    ),
    review_after=(1,),
)

SHIPPED = (THREE_A_WEEK, TWO_A_WEEK, SINGLE)
