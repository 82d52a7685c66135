"""What staff see of messages: what went, what will go, and why not; never changes anything."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from tracker.models import Attempt, ContactPoint, OutboxMessage, Patient, Reminder, WorkerHeartbeat
from tracker.rules.delivery import LIVE
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ContactChannel, ReminderStatus
from tracker.services import calendar, clinic, outbox, undelivered
from tracker.text import gettext as _

_S = ReminderStatus
MOST = 200  # rows on one page
SILENT = timedelta(minutes=2)  # a worker looks every few seconds


class Show(StrEnum):
    """Which messages a list shows."""

    COMING = "coming"
    SENT = "sent"
    NOT_SENT = "not_sent"
    OFF = "off"


SHOWN: dict[Show, Collection[ReminderStatus]] = {
    Show.COMING: LIVE,
    Show.SENT: {_S.ACCEPTED},
    Show.NOT_SENT: {_S.FAILED, _S.UNCERTAIN, _S.EXPIRED, _S.SUPPRESSED},
    Show.OFF: {_S.CANCELLED, _S.SUPERSEDED},
}


@dataclass(frozen=True, slots=True)
class Line:
    """One message in a list."""

    id: UUID
    patient_id: UUID | None  # none: it goes to staff
    patient_name: str
    what: str
    about: datetime | None  # start of its visit
    status: ReminderStatus
    words: str
    level: str  # how urgent its state is: a chip's level
    at: datetime  # when it went, ended, or will go
    why: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One message with every try to send it, and in the demonstration its words."""

    line: Line
    attempts: Sequence[Attempt]
    kept: OutboxMessage | None


def listed(session: Session, actor: Actor, show: Show, *, now: datetime) -> list[Line]:
    """Return the clinic's messages: those to come soonest first, others newest first, `MOST` at most."""
    order = Reminder.send_at if show is Show.COMING else Reminder.changed_at.desc()
    mine = (Reminder.clinic_id == actor.clinic_id, Reminder.status.in_(SHOWN[show]))
    return _lines(session, mine, order, now=now)


def of_patient(session: Session, actor: Actor, patient_id: UUID, *, now: datetime) -> list[Line]:
    """Return a patient's messages in order of their time, without those called off; of very many the latest."""
    latest = _lines(session, _of(actor, Reminder.patient_id == patient_id), Reminder.send_at.desc(), now=now)
    return latest[::-1]


def of_visit(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> list[Line]:
    """Return a visit's messages in order of their time, without those called off."""
    return _lines(session, _of(actor, Reminder.visit_id == visit_id), Reminder.send_at, now=now)


def _of(actor: Actor, whose: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (Reminder.clinic_id == actor.clinic_id, whose, Reminder.status.not_in(SHOWN[Show.OFF]))


def one(session: Session, actor: Actor, reminder_id: UUID, *, now: datetime) -> Detail:
    """Return one message. NotFound: there is none in the actor's clinic."""
    row = clinic.get(session, actor, Reminder, reminder_id)
    [line] = _lines(session, (Reminder.id == row.id,), Reminder.send_at, now=now)
    attempts = session.scalars(select(Attempt).where(Attempt.reminder_id == row.id).order_by(Attempt.lease_epoch)).all()
    return Detail(line, attempts, outbox.find(session, row.id))


def silent_since(session: Session, actor: Actor, *, now: datetime) -> datetime | None:
    """Return since when messages that are due wait for a worker; None if all is well."""
    waits = session.scalar(
        select(func.min(Reminder.send_at)).where(
            Reminder.clinic_id == actor.clinic_id,
            Reminder.status == _S.SCHEDULED,
            Reminder.send_at <= now - SILENT,
        )
    )
    if waits is None:
        return None
    seen = session.scalar(select(func.max(WorkerHeartbeat.beat_at)))
    return None if seen is not None and seen > now - SILENT else max(waits, seen or waits)


def _lines(session: Session, which: Iterable[ColumnElement[bool]], order: object, *, now: datetime) -> list[Line]:
    # Who has an address to write to, asked in the same statement: a list must not ask once a row.
    reachable = (
        select(ContactPoint.id)
        .where(
            ContactPoint.patient_id == Reminder.patient_id,
            ContactPoint.channel == ContactChannel.EMAIL,
            ContactPoint.consent_at.is_not(None),
            ContactPoint.opted_out_at.is_(None),
            ContactPoint.invalid_at.is_(None),
            ContactPoint.ended_at.is_(None),
        )
        .exists()
    )
    found = session.execute(
        select(Reminder, Patient.preferred_name, Patient.given_name, Patient.family_name, reachable)
        .join(Patient, Patient.id == Reminder.patient_id)
        .where(*which)
        .order_by(order, Reminder.id)  # type: ignore[arg-type] # either column
        .limit(MOST)
    )
    return [_line(row.Reminder, calendar.say_name(row), row[-1], now) for row in found]


def _line(row: Reminder, name: str, reached: bool, now: datetime) -> Line:
    words, level, why = _said(row, reached, now)
    return Line(
        id=row.id,
        patient_id=row.patient_id,
        patient_name=name,
        what=undelivered.say(row.purpose),
        about=row.subject_at if row.visit_id else None,
        status=row.status,
        words=words,
        level=level,
        at=row.send_at if row.status in LIVE else row.changed_at,
        why=why,
    )


def _said(row: Reminder, reached: bool, now: datetime) -> tuple[str, str, str]:
    """Return a message's state in staff's words, how urgent it is, and why it is so."""
    if row.status is _S.SCHEDULED:
        if not reached:
            return _("Will not go"), "soon", _("No e-mail address with consent.")
        if row.attempts:
            return _("Being tried again"), "soon", row.reason
        return (_("Due now") if row.send_at <= now else _("Will go")), "plain", row.reason
    return {
        _S.LEASED: (_("Going out now"), "active", ""),
        _S.SENDING: (_("Going out now"), "active", ""),
        _S.ACCEPTED: (_("Sent"), "ok", ""),
        _S.FAILED: (_("Not delivered"), "stop", row.reason),
        _S.UNCERTAIN: (_("May not have arrived"), "soon", row.reason),
        _S.EXPIRED: (_("Too late"), "stop", row.reason),
        _S.SUPPRESSED: (_("Not sent"), "soon", row.reason),
        _S.CANCELLED: (_("Called off"), "off", row.reason),
        _S.SUPERSEDED: (_("Replaced"), "off", row.reason),
    }[row.status]
