"""The next-day check-in: how a patient was in the hours and days after a visit."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import ContactPoint, RecoveryNote
from tracker.rules.fields import Command, Number, Text
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ContactChannel, Role, Severity, VisitStatus
from tracker.services import followup, settings, visit_record
from tracker.services.followup import SAFETY, Ask
from tracker.text import gettext as _

CHECK_IN = "next_day_check_in"
SAME_DAY = timedelta(hours=4)
ASKED = ("nausea", "dizziness", "headache", "anxiety", "sleep", "bladder")


class Harm(StrEnum):
    """The answer to: any thoughts of harming yourself?"""

    NO = "no"
    YES = "yes"


class CheckIn(Command):
    """What was said on the telephone the day after."""

    mood: Annotated[Number, Field(ge=0, le=10)]
    harm: Harm
    nausea: Severity | None = None
    dizziness: Severity | None = None
    headache: Severity | None = None
    anxiety: Severity | None = None
    sleep: Severity | None = None
    bladder: Severity | None = None
    body: Text | None = None


def check_in(session: Session, actor: Actor, visit_id: UUID, command: CheckIn, *, now: datetime) -> RecoveryNote:
    """Keep how the patient is, and close the task that asked for it; what worries goes to a physician.

    Whether a symptom is a side effect of the infusion is for a clinician to say.

    Raises:
        Refused: The visit isn't over.
    """
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    if record.visit.status is not VisitStatus.DISCHARGED:
        raise Refused(_("The check-in comes after the patient has gone home."))
    symptoms = {term: severity.value for term in ASKED if (severity := getattr(command, term))}
    note = RecoveryNote(
        clinic_id=record.visit.clinic_id,
        visit_id=visit_id,
        occurred_at=now,
        entered_at=now,
        entered_by=actor.user_id,
        mood=command.mood,
        symptoms=symptoms,
        safe=command.harm is Harm.NO,
        body=command.body or "",
    )
    session.add(note)
    session.flush()
    _worry(session, record, note, now)
    for task in followup.open_tasks(session, record.course.id, CHECK_IN, opened_by=now + SAME_DAY):
        if task.visit_id == visit_id:
            followup.done_by_itself(session, actor, task, _("Mood %(n)s of 10", n=command.mood), now=now)
    visit_record.note_down(session, actor, record, "check-in", now=now)
    return note


def _worry(session: Session, record: visit_record.VisitRecord, note: RecoveryNote, now: datetime) -> None:
    if note.safe is False:
        minutes = settings.of_clinic(session, note.clinic_id)["safety.clock_remote"]
        due_at = now + timedelta(minutes=int(minutes))
        detail = _("Thoughts of harming oneself, at the check-in")
        wanted = Ask(SAFETY, f"{SAFETY}:{note.id}", Role.PHYSICIAN, due_at, detail, urgent=True)
        followup.ask(session, record.visit, wanted, now=now)
    severe = [term for term, how in note.symptoms.items() if how == Severity.SEVERE]
    if severe:
        wanted = Ask("severe_effect", f"severe_effect:{note.id}", Role.PHYSICIAN, now + SAME_DAY, ", ".join(severe))
        followup.ask(session, record.visit, wanted, now=now)


def telephones(session: Session, patient_id: UUID) -> list[str]:
    """Return the patient's telephone numbers in E.164."""
    query = select(ContactPoint.address).where(
        ContactPoint.patient_id == patient_id,
        ContactPoint.channel == ContactChannel.PHONE,
        ContactPoint.ended_at.is_(None),
    )
    return list(session.scalars(query.order_by(ContactPoint.address)))
