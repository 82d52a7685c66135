"""What staff see of messages: what went, what will go, and why not; never changes anything."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tracker.models import Attempt, ContactPoint, OutboxMessage, Patient, Reminder, UserAccount
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LIVE
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import addresses, calendar, channels, clinic, message_history, outbox, settings, undelivered
from tracker.services.message_history import Happened
from tracker.text import gettext as _
from tracker.text import say_instant

_S = ReminderStatus
PAGE = 50  # messages on one page of the list
MOST = 200  # of one patient's, or one visit's


class Show(StrEnum):
    """Which messages a list shows."""

    COMING = "coming"
    SENT = "sent"
    NOT_SENT = "not_sent"
    OFF = "off"


SHOWN: dict[Show, Collection[ReminderStatus]] = {
    Show.COMING: LIVE,
    Show.SENT: {_S.ACCEPTED, _S.DELIVERED},
    Show.NOT_SENT: {_S.BOUNCED, _S.FAILED, _S.UNCERTAIN, _S.EXPIRED, _S.SUPPRESSED},
    Show.OFF: {_S.CANCELLED, _S.SUPERSEDED},
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; `page` is counted from 1."""

    show: Show = Show.COMING
    kind: Purpose | None = None
    way: ReminderChannel | None = None
    day: date | None = None  # in the clinic's zone: when it is to go, or when it went or ended
    patient_id: UUID | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One message in a list."""

    id: UUID
    patient_id: UUID | None  # none: it goes to staff
    name: str  # of the patient, or of somebody of the staff
    what: str
    by: str  # "by text"; "" where that isn't settled
    about: datetime | None  # start of its visit
    status: ReminderStatus
    words: str
    level: str  # how urgent its state is: a chip's level
    at: datetime  # when it went, ended, or will go
    why: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One message with its history, every try to send it, and in the demonstration its words."""

    row: Reminder
    line: Line
    history: Sequence[Happened]
    attempts: Sequence[Attempt]
    kept: OutboxMessage | None
    open_task: bool  # somebody is asked to see to it


def listed(session: Session, actor: Actor, asked: Filter, *, now: datetime) -> tuple[list[Line], bool]:
    """Return one page of the clinic's messages, and whether there are more.

    Those to come stand soonest first, others newest first.
    """
    order = {Show.COMING: Reminder.send_at, Show.SENT: Reminder.send_at.desc()}.get(
        asked.show, Reminder.changed_at.desc()
    )
    mine = [Reminder.clinic_id == actor.clinic_id, Reminder.status.in_(SHOWN[asked.show]), *_narrowed(asked)]
    if asked.day:
        since, until = calendar.bounds(clinic.info(session, actor.clinic_id), asked.day, asked.day)
        when = Reminder.changed_at if asked.show in (Show.NOT_SENT, Show.OFF) else Reminder.send_at
        mine += [when >= since, when < until]
    lines = _lines(session, actor, mine, order, now=now, skip=(asked.page - 1) * PAGE, most=PAGE + 1)
    return lines[:PAGE], len(lines) > PAGE


def _narrowed(asked: Filter) -> Iterable[ColumnElement[bool]]:
    if asked.kind:
        yield Reminder.purpose == asked.kind
    if asked.way:
        yield Reminder.channel == asked.way
    if asked.patient_id:
        yield Reminder.patient_id == asked.patient_id


def of_patient(session: Session, actor: Actor, patient_id: UUID, *, now: datetime) -> list[Line]:
    """Return a patient's messages in order of their time, without those called off; of very many the latest."""
    latest = _lines(session, actor, _of(actor, Reminder.patient_id == patient_id), Reminder.send_at.desc(), now=now)
    return latest[::-1]


def of_visit(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> list[Line]:
    """Return a visit's messages in order of their time, without those called off."""
    return _lines(session, actor, _of(actor, Reminder.visit_id == visit_id), Reminder.send_at, now=now)


def _of(actor: Actor, whose: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    return (Reminder.clinic_id == actor.clinic_id, whose, Reminder.status.not_in(SHOWN[Show.OFF]))


def one(session: Session, actor: Actor, reminder_id: UUID, *, now: datetime) -> Detail:
    """Return one message. NotFound: there is none in the actor's clinic."""
    row = clinic.get(session, actor, Reminder, reminder_id)
    [line] = _lines(session, actor, (Reminder.id == row.id,), Reminder.send_at, now=now)
    attempts = session.scalars(select(Attempt).where(Attempt.reminder_id == row.id).order_by(Attempt.lease_epoch)).all()
    return Detail(
        row,
        line,
        message_history.of_message(session, actor, row),
        attempts,
        outbox.find(session, row.id),
        undelivered.open_task(session, row) is not None,
    )


def _lines(
    session: Session,
    actor: Actor,
    which: Iterable[ColumnElement[bool]],
    order: object,
    *,
    now: datetime,
    skip: int = 0,
    most: int = MOST,
) -> list[Line]:
    # Who has an address to write to, asked in the same statement: a list must not ask once a row.
    ways = channels.used(settings.of_clinic(session, actor.clinic_id))
    points = [point for point, way in addresses.CHANNELS.items() if way in ways]
    reachable = (
        select(ContactPoint.id)
        .where(
            ContactPoint.patient_id == Reminder.patient_id,
            ContactPoint.channel.in_(points),
            ContactPoint.consent_at.is_not(None),
            ContactPoint.opted_out_at.is_(None),
            ContactPoint.invalid_at.is_(None),
            ContactPoint.ended_at.is_(None),
        )
        .exists()
    )
    found = session.execute(
        select(
            *(Reminder, Patient.preferred_name, Patient.given_name, Patient.family_name),
            *(UserAccount.name.label("user"), reachable.label("reachable")),
        )
        .outerjoin(Patient, Patient.id == Reminder.patient_id)
        .outerjoin(UserAccount, UserAccount.id == Reminder.user_id)
        .where(*which)
        .order_by(order, Reminder.id)  # type: ignore[arg-type] # either column
        .offset(skip)
        .limit(most)
    )
    place = clinic.info(session, actor.clinic_id)
    lines = []
    for row in found:
        name = calendar.say_name(row) if row.Reminder.patient_id else row.user
        until = say_instant(row.Reminder.expires_at, place.zone, place.country)
        lines.append(_line(row.Reminder, name, row.reachable or row.Reminder.patient_id is None, until, now))
    return lines


def _line(row: Reminder, name: str, reached: bool, until: str, now: datetime) -> Line:
    words, level, why = _said(row, reached, until, now)
    return Line(
        id=row.id,
        patient_id=row.patient_id,
        name=name,
        what=undelivered.say(row.purpose),
        by=message_history.by_what(row.channel),
        about=row.subject_at if row.visit_id else None,
        status=row.status,
        words=words,
        level=level,
        at=row.send_at if row.status in LIVE else row.changed_at,
        why=why,
    )


def _said(row: Reminder, reached: bool, until: str, now: datetime) -> tuple[str, str, str]:
    """Return a message's state in staff's words, how urgent it is, and why it is so."""
    if row.status is _S.SCHEDULED:
        if not reached:
            return _("Will not go"), "soon", _("No address or number that may be written to.")
        if row.attempts:
            return _("Being tried again until %(when)s", when=until), "soon", row.reason
        return (_("Due now") if row.send_at <= now else _("Will go")), "plain", row.reason
    return {
        _S.LEASED: (_("Going out now"), "active", ""),
        _S.SENDING: (_("Going out now"), "active", ""),
        _S.ACCEPTED: (_("Sent"), "ok", ""),
        _S.DELIVERED: (_("Delivered"), "ok", ""),
        _S.BOUNCED: (_("Could not be delivered"), "stop", row.reason),
        _S.FAILED: (_("Not delivered"), "stop", row.reason),
        _S.UNCERTAIN: (_("May not have arrived"), "soon", row.reason),
        _S.EXPIRED: (_("Too late"), "stop", row.reason),
        _S.SUPPRESSED: (_("Not sent"), "soon", row.reason),
        _S.CANCELLED: (_("Called off"), "off", row.reason),
        _S.SUPERSEDED: (_("Replaced"), "off", row.reason),
    }[row.status]
