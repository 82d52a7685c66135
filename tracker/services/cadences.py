"""Which cadence counts in a clinic: the protocol's own, or what the clinic put in its place; and its quiet hours."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, create_model
from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from tracker.errors import Invalid, Stale
from tracker.models import Clinic, ProtocolVersion, Setting
from tracker.rules.cadence import BEFORE_A_VISIT, DEFAULT, LAST_CALL, Cadence, Purpose, QuietHours, Step, Which
from tracker.rules.fields import ClockTime, Command, Line, Number, Tick
from tracker.rules.permissions import Actor
from tracker.rules.protocol import Protocol
from tracker.rules.protocols import SHIPPED
from tracker.rules.settings import REGISTRY, Settings
from tracker.services import audit, undelivered
from tracker.text import gettext as _

_ADAPTER: TypeAdapter[Cadence] = TypeAdapter(Cadence)
_KEY = "cadence."
# Every booking and every move asks this, so it is put together once.
_OWN = select(Setting.key, Setting.value).where(
    Setting.clinic_id == bindparam("clinic"), or_(Setting.key.startswith(_KEY), Setting.key.startswith("quiet."))
)


@dataclass(frozen=True)
class Cadences:
    """A clinic's own cadences by protocol code, and its quiet hours."""

    own: dict[str, Cadence]
    quiet: QuietHours

    def of(self, protocol: Protocol) -> Cadence:
        """Return what counts for a protocol."""
        return self.own.get(protocol.code, protocol.cadence)


def key(code: str) -> str:
    """Return the key under which a clinic keeps its own cadence of a protocol."""
    return _KEY + code


def of_clinic(session: Session, clinic_id: UUID) -> Cadences:
    """Return what counts in a clinic. ValueError: somebody wrote nonsense into the table by hand."""
    known = session.info.get((_KEY, clinic_id))  # many ask in one transaction
    if isinstance(known, Cadences):
        return known
    rows: dict[str, Any] = dict(session.connection().execute(_OWN, {"clinic": clinic_id}).all())
    numbers = Settings({name: Decimal(str(value)) for name, value in rows.items() if name in REGISTRY})
    own = {name.removeprefix(_KEY): from_data(value) for name, value in rows.items() if name.startswith(_KEY)}
    found = session.info[(_KEY, clinic_id)] = Cadences(own, QuietHours.of(numbers))
    return found


def forget(session: Session, clinic_id: UUID) -> None:
    """Let what was just changed be read anew in this transaction."""
    session.info.pop((_KEY, clinic_id), None)


def to_data(steps: Cadence) -> object:
    """Return a cadence as plain data; `from_data` gives an equal one back."""
    return _ADAPTER.dump_python(steps, mode="json")


def from_data(data: object) -> Cadence:
    """Return the cadence that `to_data` wrote. ValueError: it isn't one."""
    return _ADAPTER.validate_python(data, strict=False)


class Unit(StrEnum):
    """How a step counts: elapsed time, or days on the calendar."""

    HOURS = "hours"
    DAYS = "days"


# What a clinic may have sent, in the order of a series. The list of dates, and what tells of a change, always go.
STEPS = (
    *(Purpose.FIRST_VISIT, Purpose.VISIT, Purpose.SAME_DAY, Purpose.NEXT_DAY),
    *(Purpose.THERAPY, Purpose.QUESTIONNAIRE, Purpose.CHECK_IN, Purpose.LATE_CHECK_IN),
)


def lacks(protocol: Protocol, steps: Cadence) -> list[Purpose]:
    """Return what the shipped protocol of this code sends and `steps` don't, in order.

    A protocol that was stored by an older version keeps what it was stored with, until somebody ticks what is new.
    """
    shipped = next((one.cadence for one in SHIPPED if one.code == protocol.code), ())
    missing = {step.purpose for step in shipped} - {step.purpose for step in steps}
    return [purpose for purpose in STEPS if purpose in missing]


MOST_HOURS, MOST_DAYS, MOST_USEFUL = 336, 90, 168
_HOUR = timedelta(hours=1)

_FIELDS: dict[str, Any] = {
    "on": (Tick, False),
    "visits": (Which, Which.EACH),
    "amount": (Number | None, None),
    "unit": (Unit, ...),  # always sent: a form that came in pieces switches nothing off
    "at": (ClockTime | None, None),
    "useful": (Number | None, None),  # hours
}
# A cadence as a form has it, one line a purpose, and which one it was when the form was opened.
EditCadence: Any = create_model(
    "EditCadence",
    __base__=Command,
    seen=(Line, ""),
    course=(UUID | None, None),  # whose preview was looked at
    **{f"{purpose}_{name}": field for purpose in STEPS for name, field in _FIELDS.items()},
)


def as_form(steps: Cadence) -> dict[str, object]:
    """Return a cadence as `EditCadence` takes it; of what isn't sent, the default's times."""
    found: dict[str, object] = {}
    for purpose in STEPS:
        asked = [step for step in steps if step.purpose is purpose]
        step = (asked or [step for step in DEFAULT if step.purpose is purpose])[0]
        ends = {Which.FIRST, Which.LAST} <= {one.visits for one in asked}
        found |= {
            f"{purpose}_on": bool(asked),
            f"{purpose}_visits": Which.FIRST_AND_LAST if ends else step.visits,
            f"{purpose}_amount": abs(step.hours or step.days),
            f"{purpose}_unit": Unit.HOURS if step.hours else Unit.DAYS,
            f"{purpose}_at": step.at,
            f"{purpose}_useful": int(step.useful_for / _HOUR),
        }
    return found


def as_steps(typed: Any) -> Cadence:
    """Return the cadence that an `EditCadence` asks for. Invalid: what is wrong, beside each field."""
    faults: dict[str, str] = {}
    steps = [_step(purpose, typed, faults) for purpose in STEPS if getattr(typed, f"{purpose}_on")]
    if faults:
        raise Invalid(faults)
    return tuple(step for step in steps if step)


def _step(purpose: Purpose, typed: Any, faults: dict[str, str]) -> Step | None:
    visits, amount, unit, at, useful = (
        getattr(typed, f"{purpose}_{name}") for name in ("visits", "amount", "unit", "at", "useful")
    )
    hours = unit is Unit.HOURS and purpose not in (Purpose.SAME_DAY, Purpose.QUESTIONNAIRE)
    found = {
        "amount": "" if purpose is Purpose.SAME_DAY else _amount_fault(purpose, amount, hours=hours),
        "at": _clock_fault(purpose, at, hours=hours),
        "useful": _bounds(useful, 1, MOST_USEFUL),
    }
    if wrong := {f"{purpose}_{name}": fault for name, fault in found.items() if fault}:
        what = undelivered.say(purpose)
        faults.update({name: f"{what}: {fault}" for name, fault in wrong.items()})
        return None
    sign = -1 if purpose in BEFORE_A_VISIT else 1
    away = 0 if purpose is Purpose.SAME_DAY else sign * amount
    return Step(purpose, visits, away if hours else 0, 0 if hours else away, at, useful * _HOUR)


def _amount_fault(purpose: Purpose, amount: int | None, *, hours: bool) -> str:
    if purpose is Purpose.QUESTIONNAIRE:
        return _bounds(amount, 0, MOST_DAYS)
    shortest = int(LAST_CALL / _HOUR) if hours and purpose in BEFORE_A_VISIT else 1
    return _bounds(amount, shortest, MOST_HOURS if hours else MOST_DAYS)


def _clock_fault(purpose: Purpose, at: time | None, *, hours: bool) -> str:
    if hours and at is not None:
        return _("A clock time goes with days. Choose days, or leave the time empty.")
    return _("Enter a time such as 08:00.") if purpose is Purpose.SAME_DAY and at is None else ""


def _bounds(number: int | None, low: int, high: int) -> str:
    fits = number is not None and low <= number <= high
    return "" if fits else _("Enter a whole number from %(low)s to %(high)s.", low=low, high=high)


def seen(session: Session, clinic_id: UUID, code: str) -> str:
    """Return what tells one state of a clinic's cadence from another; empty: the protocol's own counts."""
    row = session.get(Setting, (clinic_id, key(code)))
    return row.changed_at.isoformat() if row else ""


def change(
    session: Session, actor: Actor, protocol: ProtocolVersion, steps: Cadence, *, was: str, now: datetime
) -> None:
    """Let a clinic send this cadence for a protocol. What is planned already is planned anew by `replanning`.

    Args:
        was: What `seen` said when the form was opened.

    Raises:
        Stale: Somebody changed it since.
    """
    session.execute(select(Clinic.id).where(Clinic.id == actor.clinic_id).with_for_update(key_share=True))
    if seen(session, actor.clinic_id, protocol.code) != was:
        raise Stale(_("Somebody changed these messages since you opened this page. Look at them again."))
    row = session.get(Setting, (actor.clinic_id, key(protocol.code)))
    if row is None:
        row = Setting(clinic_id=actor.clinic_id, key=key(protocol.code))
        session.add(row)
    before = row.value or to_data(protocol.protocol.cadence)
    row.value, row.changed_by, row.changed_at = to_data(steps), actor.user_id, now
    session.flush()
    forget(session, actor.clinic_id)
    detail = {"from": before, "to": row.value}
    audit.record(session, actor, "messages of a protocol changed", subject=key(protocol.code), detail=detail, now=now)
