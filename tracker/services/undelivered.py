"""What could not be told by a message becomes a task: somebody calls."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tracker.models import Clinic, Reminder, Task
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import Event
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderStatus, Role, TaskStatus
from tracker.services import audit
from tracker.services.clinic import ClinicInfo
from tracker.text import gettext as _
from tracker.text import say_instant, say_time

# The ends that leave somebody untold.
ASKING = frozenset({Event.REFUSE, Event.LOSE, Event.EXPIRE, Event.SUPPRESS, Event.BOUNCE})
PATIENCE = timedelta(hours=4)
UNCERTAIN, UNDELIVERED = "uncertain", "undelivered"  # kinds of tasks; the first asks: did it arrive?
KINDS = (UNCERTAIN, UNDELIVERED)


def key(reminder_id: UUID, epoch: int) -> str:
    """Return what a message's task is found by; sent again, it is asked after anew."""
    return f"message:{reminder_id}:{epoch}"


def open_task(session: Session, row: Reminder) -> Task | None:
    """Return what is still to do because of a message."""
    return session.scalars(_known(row).where(Task.status == TaskStatus.OPEN)).first()


def _known(row: Reminder) -> Select[Task]:
    mine = (Task.clinic_id == row.clinic_id, Task.key == key(row.id, row.lease_epoch))
    return select(Task).where(*mine, Task.status != TaskStatus.CANCELLED)


def message_of(task: Task) -> UUID | None:
    """Return which message a task is about, if it is about one."""
    name, _colon, rest = task.key.partition(":")
    return UUID(rest.partition(":")[0]) if name == "message" else None


def call(kind: str, who: str, visit_at: datetime | None, place: ClinicInfo, *, now: datetime) -> str:
    """Say whom to call about which visit: "Call Maria, visit tomorrow 9:00 AM".

    Args:
        kind: Of the task.
        who: The patient's first name.
        visit_at: When the visit it is about is, if it is to come.
    """
    asks = kind == UNCERTAIN
    if visit_at is None or visit_at <= now:
        return _("Ask %(who)s whether it arrived", who=who) if asks else _("Call %(who)s", who=who)
    days = (visit_at.astimezone(place.zone).date() - now.astimezone(place.zone).date()).days
    at = say_time(visit_at, place.zone, place.country)
    far = say_instant(visit_at, place.zone, place.country)
    when = {0: _("today %(at)s", at=at), 1: _("tomorrow %(at)s", at=at)}.get(days, far)
    if asks:
        return _("Ask %(who)s whether it arrived, visit %(when)s", who=who, when=when)
    return _("Call %(who)s, visit %(when)s", who=who, when=when)


def ask(session: Session, row: Reminder, *, now: datetime) -> None:
    """Make the task for a message that ended untold.

    Somebody without an address would give a task for every message of a series: one before each visit is enough.
    """
    if row.patient_id is None:  # a digest, a test: what they say stands on the pages
        return
    if row.purpose == Purpose.CLOSED:  # whoever is told of a closed day is on a call list from the beginning
        return
    if row.status == ReminderStatus.SUPPRESSED and not _is_the_one(session, row):
        return
    kind = UNCERTAIN if row.status == ReminderStatus.UNCERTAIN else UNDELIVERED
    if task := session.scalars(_known(row)).first():
        # What nobody was sure of is known now. Where somebody has seen to it, that is enough.
        if task.status is TaskStatus.OPEN:
            task.kind, task.detail = kind, _detail(session, row)
        return
    about = row.subject_at if row.visit_id else row.send_at
    ahead = about > now
    task = Task(
        clinic_id=row.clinic_id,
        patient_id=row.patient_id,
        course_id=row.course_id,
        visit_id=row.visit_id,
        kind=kind,
        key=key(row.id, row.lease_epoch),
        detail=_detail(session, row),
        owner_role=Role.COORDINATOR,
        urgent=ahead and about - now <= timedelta(days=1),
        opens_at=now,
        due_at=min(now + PATIENCE, about) if ahead else now + PATIENCE,
        created_at=now,
    )
    session.add(task)
    actor = Actor(row.clinic_id, None, None, "reminders")
    audit.record(
        session, actor, f"message {row.status}", patient_id=row.patient_id, subject=f"message {row.id}", now=now
    )


def ask_each(session: Session, rows: Iterable[Reminder], *, now: datetime) -> None:
    """Make the tasks for messages that ended untold, last of all: each is an entry in the audit of its clinic.

    In the order of clinics, so that two of these never wait for each other's end of an audit chain.
    """
    for row in sorted(rows, key=lambda row: (row.clinic_id, row.id)):
        ask(session, row, now=now)


def _is_the_one(session: Session, row: Reminder) -> bool:
    """Return whether it is this message of a series that asks for a call: before a visit its reminder, or, where that
    was overtaken while nothing was sent, or never planned, the one of the same day."""
    if row.purpose is not Purpose.SAME_DAY:
        return row.purpose in (Purpose.VISIT, Purpose.CHANGED)
    same = (Reminder.visit_id == row.visit_id, Reminder.subject_at == row.subject_at)
    told = select(Reminder.id).where(*same, Reminder.sent_at.is_not(None))
    asked = select(Task.id).where(
        Task.visit_id == row.visit_id, Task.kind.in_(KINDS), Task.status != TaskStatus.CANCELLED
    )
    return not session.scalar(select(told.exists() | asked.exists()))


def _detail(session: Session, row: Reminder) -> str:
    named = say(row.purpose)
    if row.visit_id is None:
        return f"{named}. {row.reason}"
    clinic = session.get_one(Clinic, row.clinic_id)
    try:
        when = say_instant(row.subject_at, clinic.zone, clinic.country)
    except ZoneInfoNotFoundError:  # no reason to leave anybody uncalled, here or in another clinic
        return f"{named}. {row.reason}"
    return _("%(message)s, visit %(when)s. %(reason)s", message=named, when=when, reason=row.reason)


def say(purpose: Purpose) -> str:
    """Return the staff's words for a kind of message."""
    return {
        Purpose.ITINERARY: _("All dates"),
        Purpose.FIRST_VISIT: _("Before the first visit"),
        Purpose.VISIT: _("Visit reminder"),
        Purpose.NEXT_DAY: _("Next-day check-in"),
        Purpose.THERAPY: _("Therapy check-in"),
        Purpose.CHECK_IN: _("Check-in weeks later"),
        Purpose.LATE_CHECK_IN: _("Later check-in"),
        Purpose.CHANGED: _("New dates"),
        Purpose.CLOSED: _("Closed: do not come"),
        Purpose.SAME_DAY: _("Same-day reminder"),
        Purpose.QUESTIONNAIRE: _("Questionnaire"),
        Purpose.DIGEST: _("What is due today"),
        Purpose.TEST: _("Test message"),
    }[purpose]
