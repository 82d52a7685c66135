"""What a patient tells us about a visit: I will come, I want another time, I can't come. On the page or by text.

Nothing of it moves or cancels a visit: a person does that, after talking to her.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Invalid, Refused
from tracker.models import Task, Visit, VisitEvent
from tracker.rules.fields import Command, Line, Number
from tracker.rules.followup import CANT_COME
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import Role, TaskStatus, VisitStatus
from tracker.services import audit, clinic, followup, reminders
from tracker.text import STAFF, say_day, say_phone, speaking
from tracker.text import gettext as _

AHEAD = frozenset({VisitStatus.BOOKED, VisitStatus.ARRIVED, VisitStatus.TIME_OUT})
OTHER_TIME = "other_time"  # as CANT_COME a kind of task, and of what stands in a visit's history
DRIVER_CALL = "driver_call"  # nobody is named who takes the patient home
KINDS = (OTHER_TIME, CANT_COME)
SOON = timedelta(days=2)  # a place that may be free so soon is somebody's business now
SOME_MONDAY = date(2024, 1, 1)
PATIENCE, AT_ONCE = timedelta(hours=24), timedelta(hours=2)  # within which somebody calls


@dataclass(frozen=True)
class Teller:
    """Who tells us something, and how, in the staff's words: "by text"."""

    actor: Actor
    how: str


def on_page(actor: Actor) -> Teller:
    """Return the patient as who tells us something on her page, whatever her language."""
    with speaking(STAFF):
        return Teller(actor, _("on the page"))


def check_ahead(session: Session, visit: Visit, among: frozenset[VisitStatus] = AHEAD) -> None:
    """Refuse what is said of a visit that has no say in it any more: over, begun, off, or its day fell out."""
    if visit.status not in among or visit.lost_at:
        place = clinic.info(session, visit.clinic_id)
        phone = say_phone(place.phone, place.country)
        raise Refused(_("This visit isn't ahead any more. Call %(phone)s if something is wrong.", phone=phone))


def confirm(session: Session, by: Teller, visit: Visit, *, now: datetime) -> None:
    """Note that the patient will come; what she said against it is settled. Saying it twice changes nothing.

    Args:
        visit: Locked by the caller, its series before it.

    Raises:
        Refused: The visit is not ahead any more.
    """
    check_ahead(session, visit)
    if visit.confirmed_at is None:
        visit.confirmed_at = now
        with speaking(STAFF):
            settle(session, by.actor, visit, _("The patient will come after all"), now=now, kinds=(CANT_COME,))
            reminders.plan_again(session, by.actor, visit.course_id, now=now)
        note(session, by, visit, "confirmed", by.how, now=now)


class PartOfDay(StrEnum):
    """When in a day it suits."""

    MORNING = "morning"
    NOON = "noon"
    AFTERNOON = "afternoon"


class OtherTime(Command):
    """Which days and hours suit a patient better, in ticks and in her own words."""

    days: tuple[Number, ...] = Field(default=(), max_length=7)  # 0 = Monday
    parts: tuple[PartOfDay, ...] = Field(default=(), max_length=3)
    words: Line | None = None


def wish_other_time(session: Session, by: Teller, visit: Visit, wish: OtherTime, *, now: datetime) -> None:
    """Ask the desk for another time, as ticked and written on a form.

    Raises:
        Invalid: Nothing is said, or something that isn't a weekday.
        Refused: The visit has begun, or is off.
    """
    if any(not 0 <= day <= 6 for day in wish.days):
        raise Invalid({"days": _("Choose weekdays from the list.")})
    if not (wish.days or wish.parts or wish.words):
        raise Invalid({"days": _("Choose a day or a time, or write what would suit you.")})
    with speaking(STAFF):
        said = " · ".join(filter(None, (_suits(wish), quoted(wish.words or "", 120))))
    ask_other_time(session, by, visit, said, now=now)


def _suits(wish: OtherTime) -> str:
    parts = {
        PartOfDay.MORNING: _("in the morning"),
        PartOfDay.NOON: _("around noon"),
        PartOfDay.AFTERNOON: _("in the afternoon"),
    }
    days = (say_day(SOME_MONDAY + timedelta(days=day), form="E") for day in sorted({*wish.days}))
    return " ".join(filter(None, (", ".join(days), ", ".join(parts[part] for part in PartOfDay if part in wish.parts))))


def ask_other_time(session: Session, by: Teller, visit: Visit, said: str, *, now: datetime) -> None:
    """Ask the desk for another time; the visit stays where it is until somebody moves it.

    Raises:
        Refused: The visit has begun, or is off.
    """
    check_ahead(session, visit, frozenset({VisitStatus.BOOKED}))
    _ask(session, visit, OTHER_TIME, said, now)
    note(session, by, visit, OTHER_TIME, f"{by.how}: {said}", now=now)


class CantCome(Command):
    """That a patient can't come, and if she likes, why."""

    reason: Line | None = None


def cant_come(session: Session, by: Teller, visit: Visit, reason: str, *, now: datetime) -> None:
    """Tell the desk that the patient can't come; the visit stays booked until somebody has talked to her.

    Until then nothing asks her to come to it.

    Args:
        visit: Locked by the caller, its series before it.

    Raises:
        Refused: The visit has begun, or is off.
    """
    check_ahead(session, visit, frozenset({VisitStatus.BOOKED}))
    visit.confirmed_at = None
    with speaking(STAFF):
        settle(session, by.actor, visit, _("The patient can't come at all"), now=now, kinds=(OTHER_TIME,))
    _ask(session, visit, CANT_COME, quoted(reason), now)
    with speaking(STAFF):
        reminders.plan_again(session, by.actor, visit.course_id, now=now)
    note(session, by, visit, CANT_COME, f"{by.how}: {quoted(reason)}" if reason else by.how, now=now)


def _ask(session: Session, visit: Visit, kind: str, detail: str, now: datetime) -> None:
    """Give the desk a task, or bring the one that is open up to date: what was said last counts."""
    soon = visit.starts_at - now <= SOON
    due_at = min(visit.starts_at, now + (AT_ONCE if soon else PATIENCE))
    waiting = open_tasks(session, visit.id, (kind,))
    if waiting:
        waiting[0].detail, waiting[0].due_at, waiting[0].urgent = detail, due_at, soon
        return
    key = f"{kind}:{visit.id}:{now.isoformat()}"
    wanted = followup.Ask(kind, key, Role.COORDINATOR, due_at, detail, urgent=soon)
    followup.ask(session, visit, wanted, now=now)


def quoted(words: str, most: int = 190) -> str:
    """Return what somebody said as one line in quotes, cut where it is too long; nothing where nothing was said."""
    line = " ".join(words.split())
    return f"“{line if len(line) <= most else line[: most - 1] + '…'}”" if line else ""


def open_tasks(session: Session, visit_id: UUID, kinds: Sequence[str]) -> list[Task]:
    """Return what is still to do about a visit because of what its patient said."""
    query = select(Task).where(Task.visit_id == visit_id, Task.kind.in_(kinds), Task.status == TaskStatus.OPEN)
    return list(session.scalars(query.order_by(Task.created_at)))


def settle(
    session: Session,
    actor: Actor,
    visit: Visit,
    outcome: str,
    *,
    now: datetime,
    kinds: Sequence[str] = (*KINDS, DRIVER_CALL),
) -> None:
    """Close what is to be settled with the patient of a visit: it was moved, or is off, or she settled it herself."""
    for task in open_tasks(session, visit.id, kinds):
        followup.done_by_itself(session, actor, task, outcome, now=now)


def note(session: Session, by: Teller, visit: Visit, kind: str, detail: str, *, now: datetime) -> None:
    """Keep what a patient said in the visit's history."""
    session.add(
        VisitEvent(
            clinic_id=visit.clinic_id, visit_id=visit.id, kind=kind, occurred_at=now, entered_at=now, detail=detail
        )
    )
    session.flush()
    audit.record(
        session, by.actor, f"patient: {kind}", patient_id=visit.patient_id, subject=f"visit {visit.id}", now=now
    )


def say(kind: str) -> str:
    """Return the staff's words for what a patient said; "" for what isn't a patient's to say."""
    return {
        "confirmed": _("Will come"),
        "driver": _("Named the driver"),
        OTHER_TIME: _("Asked for another time"),
        CANT_COME: _("Can't come"),
        "text": _("Wrote a text"),
        "stopped": _("Wants no more texts"),
        "started": _("Wants texts again"),
    }.get(kind, "")
