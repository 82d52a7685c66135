"""What patients answer by text: understood where it is a keyword, else given to a person with its words.

A provider's web request writes down what came, raw (`ProviderEvent`, kind "answer"); `text` makes of it what is to be
made, once. The sender is known by her number alone, so she is told nothing but what she just said herself.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from tracker.models import (
    Clinic,
    ContactPoint,
    Course,
    Patient,
    ProviderEvent,
    Reminder,
    Task,
    Visit,
    VisitEvent,
    new_id,
)
from tracker.models.base import insert_unless
from tracker.rules import keywords
from tracker.rules.cadence import Purpose
from tracker.rules.keywords import Said
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ContactChannel, CourseStatus, ReminderChannel, Role, TaskStatus, VisitStatus
from tracker.services import audit, consent, replies, telling
from tracker.services.telling import Teller
from tracker.text import gettext as _
from tracker.text import say_phone

_log = logging.getLogger(__name__)

KIND = "answer"  # of the raw events that are ours
TEXT, UNKNOWN = "patient_text", "unknown_text"  # kinds of tasks
READ_WITHIN, AT_ONCE = timedelta(hours=4), timedelta(hours=1)
SAID_AGAIN = timedelta(hours=12)  # "we read your text" is said once in this time: two machines must not talk all night
# What asks to be confirmed. A "yes" to anything else is for a person.
ASKS_TO_CONFIRM = frozenset({Purpose.VISIT, Purpose.SAME_DAY, Purpose.FIRST_VISIT, Purpose.ITINERARY, Purpose.CHANGED})
STALE = timedelta(minutes=1)  # until then the web request that kept a text may still be at it
MOST = 1600  # characters that providers pass on


class Inbound(NamedTuple):
    """A text as it came: from whom, to which number of ours (both in E.164), what it says."""

    sender: str
    to: str
    body: str


@dataclass(frozen=True)
class _Came:
    """A text and what it means."""

    event: ProviderEvent
    said: Inbound
    read: keywords.Read
    now: datetime


@dataclass(frozen=True)
class _Heard(_Came):
    """A text of somebody we know."""

    patient: Patient
    clinic: Clinic

    @property
    def by(self) -> Teller:
        """Who says it."""
        return Teller(Actor(self.clinic.id, None, None, "patient by text"), _("by text"))

    @property
    def about(self) -> tuple[Clinic, str]:
        """Who answers, and in which language."""
        return self.clinic, self.patient.language


def keep(session: Session, provider: str, external_id: str, raw: Mapping[str, str], *, now: datetime) -> ProviderEvent:
    """Keep a text as it came, its signature verified; the same one again is the same row."""
    row = {
        "id": new_id(),
        "provider": provider,
        "external_id": external_id,
        "kind": KIND,
        "raw": json.dumps(dict(raw), sort_keys=True),
        "received_at": now,
    }
    session.execute(insert_unless(session, ProviderEvent).values(row).on_conflict_do_nothing())
    it = (ProviderEvent.provider == provider, ProviderEvent.external_id == external_id, ProviderEvent.kind == KIND)
    return session.scalars(select(ProviderEvent).where(*it)).one()


def left(session: Session, *, now: datetime) -> list[UUID]:
    """Return the texts that were kept and no more, because whoever kept them failed or died, the oldest first."""
    alone = (ProviderEvent.kind == KIND, ProviderEvent.applied_at.is_(None), ProviderEvent.received_at < now - STALE)
    query = select(ProviderEvent.id).where(*alone).order_by(ProviderEvent.received_at, ProviderEvent.id)
    return list(session.scalars(query.limit(100)))


def catch_up(session: Session, event_id: UUID, *, now: datetime) -> bool:
    """Do what one of those asks for; return whether it was left to us.

    Each in a transaction of its own: a text may end at the end of an audit chain, after which nothing may be locked.
    """
    free = select(ProviderEvent).where(ProviderEvent.id == event_id, ProviderEvent.applied_at.is_(None))
    event = session.scalar(free.with_for_update(skip_locked=True))
    if event is None:  # another worker was here, or is just now
        return False
    try:
        with session.begin_nested():
            text(session, event, now=now)
    except (OperationalError, InterfaceError):  # the database can't answer: the text is done later
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was: somebody reads it
        _log.error("text %s is given to a person as it came: %s", event_id, type(error).__name__)
        _give_raw(session, event, now)
    return True


def _give_raw(session: Session, event: ProviderEvent, now: datetime) -> None:
    session.execute(update(ProviderEvent).where(ProviderEvent.id == event.id).values(applied_at=now))
    said = inbound(event.raw)
    for clinic_id in _receivers(session, said.sender):
        _ask_who(session, _Came(event, said, keywords.read(said.body), now), clinic_id, ())


def inbound(raw: str) -> Inbound:
    """Return a text from a provider's request as it was kept: the form's body, or the same names as JSON."""
    try:
        said = json.loads(raw) if raw.lstrip().startswith("{") else dict(parse_qsl(raw))
    except ValueError:
        said = {}
    # No table takes a NUL, and PostgreSQL no half of a pair.
    sender, to, body = (
        str(said.get(name) or "").replace("\x00", "").encode(errors="replace").decode()
        for name in ("From", "To", "Body")
    )
    return Inbound(sender.strip()[:40], to.strip()[:40], body[:MOST].strip())


def text(session: Session, event: ProviderEvent, *, now: datetime) -> str | None:
    """Do what a text asks for; return what to answer to it in the same request, if anything.

    The same event again changes nothing. STOP counts at once, for everybody who has this number for texts. To STOP and
    START nothing is answered: the provider's own confirmation is the one that the law allows, and it blocks ours.
    """
    claim = update(ProviderEvent).where(ProviderEvent.id == event.id, ProviderEvent.applied_at.is_(None))
    if session.scalar(claim.values(applied_at=now).returning(ProviderEvent.id)) is None:
        return None
    said = inbound(event.raw)
    came = _Came(event, said, keywords.read(said.body), now)
    points = _points(session, said.sender)
    if came.read.said in (Said.STOP, Said.START):
        _switch(session, points, came)
    patients = _patients(session, points)
    if len(patients) != 1:
        return _from_nobody(session, came, patients)
    whose = update(ProviderEvent).where(ProviderEvent.id == event.id)
    session.execute(whose.values(patient_id=patients[0].id))
    clinic = session.get_one(Clinic, patients[0].clinic_id)
    reply = _ACTS[came.read.said](session, _Heard(event, said, came.read, now, patients[0], clinic))
    silent = any(point.opted_out_at for point in points if point.channel is ContactChannel.SMS)
    return None if silent else reply


def _points(session: Session, number: str) -> list[ContactPoint]:
    query = select(ContactPoint).where(
        ContactPoint.address == number,
        ContactPoint.channel.in_((ContactChannel.SMS, ContactChannel.PHONE)),
        ContactPoint.ended_at.is_(None),
    )
    # In the order of clinics, so that two texts never wait for each other's end of an audit chain.
    return list(session.scalars(query.order_by(ContactPoint.clinic_id, ContactPoint.patient_id, ContactPoint.id)))


def _patients(session: Session, points: Sequence[ContactPoint]) -> list[Patient]:
    """Return whose number it is: to write to, or if nobody has it for that, to call."""
    texted = {point.patient_id for point in points if point.channel is ContactChannel.SMS}
    ids = texted or {point.patient_id for point in points}
    return list(session.scalars(select(Patient).where(Patient.id.in_(ids)).order_by(Patient.search_text)))


def _switch(session: Session, points: Sequence[ContactPoint], came: _Came) -> None:
    """Stop texts to a number, or give them back. Where a number is shared, what somebody stopped by another way than a
    text stays stopped: it may be another who writes."""
    texted = [point for point in points if point.channel is ContactChannel.SMS]
    shared = len({point.patient_id for point in texted}) > 1
    for point in texted:
        actor = Actor(point.clinic_id, None, None, "patient by text")
        if came.read.said is Said.STOP:
            consent.stop(session, actor, point, consent.BY_TEXT, now=came.now)
        elif not shared or point.opted_out_how == consent.BY_TEXT:
            consent.give_back(session, actor, point, now=came.now)


def _stop(session: Session, heard: _Heard) -> str | None:
    visit = _about(session, heard, lock=False)
    if not heard.read.whole:
        return _give_to_person(session, heard, visit)
    if visit:
        telling.note(session, heard.by, visit, "stopped", heard.said.body, now=heard.now)
    return None


def _start(session: Session, heard: _Heard) -> str | None:
    visit = _about(session, heard, lock=False)
    points = _points(session, heard.said.sender)
    if not any(consent.may_use(point) for point in points if point.channel is ContactChannel.SMS):
        return _give_to_person(session, heard, visit)  # no consent to what she never agreed to: somebody asks her
    if visit:
        telling.note(session, heard.by, visit, "started", heard.said.body, now=heard.now)
    return None


def _help(_session: Session, heard: _Heard) -> str | None:
    return replies.help_words(*heard.about)


def _confirm(session: Session, heard: _Heard) -> str | None:
    visit = _asked_about(session, heard)
    if visit is None:
        return _give_to_person(session, heard, _about(session, heard))
    telling.confirm(session, heard.by, visit, now=heard.now)
    return replies.expected(*heard.about, visit)


def _other_time(session: Session, heard: _Heard) -> str | None:
    visit = _about(session, heard)
    if visit is None:
        return _give_to_person(session, heard, None)
    telling.ask_other_time(session, heard.by, visit, telling.quoted(heard.said.body), now=heard.now)
    return replies.wished(*heard.about, visit)


def _cant_come(session: Session, heard: _Heard) -> str | None:
    visit = _about(session, heard)
    if visit is None:
        return _give_to_person(session, heard, None)
    telling.cant_come(session, heard.by, visit, heard.said.body, now=heard.now)
    return replies.missed(*heard.about, visit)


def _unclear(session: Session, heard: _Heard) -> str | None:
    return _give_to_person(session, heard, _about(session, heard))


_ACTS: Mapping[Said, Callable[[Session, _Heard], str | None]] = {
    Said.STOP: _stop,
    Said.START: _start,
    Said.HELP: _help,
    Said.CONFIRM: _confirm,
    Said.OTHER_TIME: _other_time,
    Said.CANT_COME: _cant_come,
    Said.UNCLEAR: _unclear,
}


# Which visit


def _last_text(session: Session, heard: _Heard) -> Reminder | None:
    query = select(Reminder).where(
        Reminder.patient_id == heard.patient.id,
        Reminder.channel == ReminderChannel.SMS,
        Reminder.sent_at.is_not(None),
    )
    return session.scalars(query.order_by(Reminder.sent_at.desc()).limit(1)).first()


def _about(session: Session, heard: _Heard, *, lock: bool = True) -> Visit | None:
    """Return the visit that the last text was about, if it is to come, else the next one.

    Args:
        lock: Keep others from changing it and its series. Not once the end of the audit's chain is held: whoever moves
            the visit holds it already and waits for that end.
    """
    last = _last_text(session, heard)
    if lock:
        mine = select(Course.id).where(Course.patient_id == heard.patient.id, Course.status == CourseStatus.ACTIVE)
        session.execute(mine.order_by(Course.id).with_for_update(key_share=True))
    coming = select(Visit).where(
        Visit.patient_id == heard.patient.id,
        Visit.status == VisitStatus.BOOKED,
        Visit.starts_at > heard.now,
        Visit.lost_at.is_(None),
    )
    coming = coming.order_by(Visit.starts_at)
    visits = session.scalars(coming.with_for_update(key_share=True) if lock else coming).all()
    named = [visit for visit in visits if last and visit.id == last.visit_id]
    return next(iter([*named, *visits]), None)


def _asked_about(session: Session, heard: _Heard) -> Visit | None:
    """Return the visit that the last text asked to confirm; None if it asked for nothing, or the visit moved since: a
    "yes" to nine o'clock is none to ten."""
    last, visit = _last_text(session, heard), _about(session, heard)
    if last is None or visit is None or last.purpose not in ASKS_TO_CONFIRM:
        return None
    if last.visit_id is not None:
        return visit if (visit.id, visit.starts_at) == (last.visit_id, last.subject_at) else None
    since = last.sent_at or last.created_at
    moved = select(VisitEvent.id).where(
        VisitEvent.visit_id == visit.id, VisitEvent.kind == "moved", VisitEvent.entered_at > since
    )
    return visit if visit.created_at <= since and session.scalar(moved.limit(1)) is None else None


# What a person does


def _give_to_person(session: Session, heard: _Heard, visit: Visit | None) -> str | None:
    """Make a task with the text quoted; return what says when it is read, once in a while."""
    recent = select(Task.id).where(
        Task.patient_id == heard.patient.id, Task.kind == TEXT, Task.created_at > heard.now - SAID_AGAIN
    )
    said_before = session.scalar(recent.limit(1)) is not None
    task = _task(heard, TEXT, heard.clinic.id, telling.quoted(heard.said.body))
    task.patient_id = heard.patient.id
    if visit:
        task.course_id, task.visit_id = visit.course_id, visit.id
        task.urgent = task.urgent or visit.starts_at - heard.now <= telling.SOON
        task.due_at = min(task.due_at, visit.starts_at)
    session.add(task)
    if visit:
        telling.note(session, heard.by, visit, "text", heard.said.body, now=heard.now)
    else:
        subject = f"provider event {heard.event.id}"
        who = heard.patient.id
        audit.record(session, heard.by.actor, "patient: text", patient_id=who, subject=subject, now=heard.now)
    if heard.read.alarming:
        return replies.in_danger(*heard.about)
    return None if said_before else replies.read_later(*heard.about)


def _task(came: _Came, kind: str, clinic_id: UUID, detail: str) -> Task:
    alarming = came.read.alarming
    return Task(
        clinic_id=clinic_id,
        kind=kind,
        key=f"{kind}:{came.event.id}",
        detail=detail,
        owner_role=Role.NURSE if alarming else Role.COORDINATOR,
        urgent=alarming,
        opens_at=came.now,
        due_at=came.now + (AT_ONCE if alarming else READ_WITHIN),
        created_at=came.now,
    )


def _from_nobody(session: Session, came: _Came, patients: Sequence[Patient]) -> str | None:
    """Give a person what no one patient can be found for: the number is unknown, or several have it."""
    clinics = sorted({patient.clinic_id for patient in patients}) or _receivers(session, came.said.sender)
    settled = came.read.whole and came.read.said in (Said.STOP, Said.START, Said.HELP)
    for clinic_id in () if settled else clinics:
        names = [f"{one.given_name} {one.family_name}" for one in patients if one.clinic_id == clinic_id]
        _ask_who(session, came, clinic_id, names)
    if came.read.said is Said.HELP and len(clinics) == 1:
        return replies.help_words(session.get_one(Clinic, clinics[0]))
    return None


def _receivers(session: Session, number: str) -> list[UUID]:
    """Return whose a text is: of the clinics that have its number, else of the one that had it, else of the first."""
    # The number that is written to says nothing: clinics that share an installation share it.
    have = {point.clinic_id for point in _points(session, number)}
    had = select(ContactPoint.clinic_id).where(ContactPoint.address == number).order_by(ContactPoint.ended_at.desc())
    first = select(Clinic.id).order_by(Clinic.created_at, Clinic.id)
    return sorted(have) or list(session.scalars(had.limit(1))) or list(session.scalars(first.limit(1)))


def _ask_who(session: Session, came: _Came, clinic_id: UUID, names: Sequence[str]) -> None:
    """Make the task; a stranger who writes on has one that is open, with the last text."""
    number = say_phone(came.said.sender, session.get_one(Clinic, clinic_id).country)
    who = f"{number} ({_(' or ').join(names)[:80]})" if names else number
    detail = f"{who}: {telling.quoted(came.said.body, 190 - len(who))}"
    task = _task(came, TEXT if names else UNKNOWN, clinic_id, detail)
    known = select(Task).where(
        Task.clinic_id == clinic_id, Task.kind == UNKNOWN, Task.status == TaskStatus.OPEN, Task.detail.startswith(who)
    )
    waits = None if names else session.scalars(known.limit(1)).first()
    if waits is None:
        session.add(task)
    else:
        waits.detail, waits.urgent = task.detail, waits.urgent or task.urgent
    actor = Actor(clinic_id, None, None, "text from an unknown number")
    audit.record(session, actor, "text received", subject=f"provider event {came.event.id}", now=came.now)
