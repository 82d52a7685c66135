"""The patient's side: what is next, who takes me home, how I feel. Reached by a link, bound to one course."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.orm.attributes import flag_modified

from tracker.errors import NotFound, Refused
from tracker.models import (
    CareContact,
    Course,
    Patient,
    PatientLink,
    PortalSession,
    RecoveryNote,
    ScaleResponse,
    Task,
    Visit,
)
from tracker.rules import scales
from tracker.rules.fields import Command, Line, Number, Phone, Text
from tracker.rules.permissions import Actor
from tracker.rules.protocol import Protocol
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import CareRole, Role, Severity, TaskStatus, VisitStatus
from tracker.services import audit, clinic, closing, links, outcomes, settings, telling
from tracker.services.telling import AHEAD, CantCome, OtherTime
from tracker.text import STAFF, speaking
from tracker.text import gettext as _

IDLE = timedelta(minutes=30)  # a telephone that lies about
LONGEST = timedelta(hours=12)
LOW_MOOD = 2  # of 10: somebody calls (our inference; the follow-up call itself is planned in any case)
CALL_WITHIN = timedelta(hours=4)
SYMPTOMS = ("nausea", "dizziness", "headache")  # asked of every patient on the next day


@dataclass(frozen=True)
class Guest:
    """A patient who came by a link: as an actor, with the one course the link is for."""

    actor: Actor
    clinic: clinic.ClinicInfo
    link_id: UUID
    patient_id: UUID
    course_id: UUID
    language: str
    last_used_at: datetime


@dataclass(frozen=True)
class Home:
    """What the patient's page shows."""

    first_name: str
    visits: Sequence[Visit]  # those that count, in order
    next_visit: Visit | None
    last_visit: Visit | None  # the newest one that was given
    lost_visits: Sequence[Visit]  # their day fell out: they wait for another place
    unread: Set[UUID]  # of those, the ones the patient hasn't said she knows of
    protocol: Protocol
    driver: CareContact | None  # as known from before
    scores: Sequence[ScaleResponse]
    felt: RecoveryNote | None  # what was last told about the last visit
    no_food: int  # hours before a visit
    no_drink: int
    asked: Mapping[UUID, str]  # what waits to be settled of a visit: telling.OTHER_TIME, CANT_COME

    def leaves(self, visit: Visit) -> datetime:
        """Return when the patient of `visit` will be ready to go home, as planned."""
        return visit.starts_at + self.protocol.patient_leaves

    @property
    def treatment_minutes(self) -> int:
        """How long the treatment itself takes, planned."""
        return next(phase.minutes for phase in self.protocol.phases if phase.name == "infusion")

    @property
    def done(self) -> int:
        """How many visits were given."""
        return sum(visit.status is VisitStatus.DISCHARGED for visit in self.visits)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def welcome(session: Session, key: bytes, token: str, *, now: datetime) -> tuple[clinic.ClinicInfo, str]:
    """Return the clinic behind a link's token and the patient's language, for the page before the tap.

    NotFound: the link isn't valid.
    """
    link = links.open_link(session, key, token, now=now)
    return clinic.info(session, link.clinic_id), session.get_one(Patient, link.patient_id).language


def enter(session: Session, key: bytes, token: str, *, now: datetime) -> tuple[UUID, str]:
    """Exchange a link's token for a session; return the link's id and what the cookie holds."""
    link = links.open_link(session, key, token, now=now)
    secret = secrets.token_urlsafe(32)
    session.add(
        PortalSession(
            token_hash=_hash(secret), link_id=link.id, generation=link.generation, created_at=now, last_used_at=now
        )
    )
    actor = Actor(link.clinic_id, None, None, "patient by link")
    audit.record(session, actor, "open link", patient_id=link.patient_id, subject=f"link {link.id}", now=now)
    return link.id, secret


def resume(session: Session, link_id: UUID, secret: str, *, now: datetime) -> Guest | None:
    """Return who holds this cookie for this link; None if nobody any more."""
    row = session.execute(
        select(PortalSession, PatientLink, Patient)
        .join(PatientLink, PatientLink.id == PortalSession.link_id)
        .join(Patient, Patient.id == PatientLink.patient_id)
        .where(
            PortalSession.token_hash == _hash(secret),
            PatientLink.id == link_id,
            PatientLink.generation == PortalSession.generation,
            PatientLink.revoked_at.is_(None),
            PatientLink.expires_at > now,
            PortalSession.last_used_at > now - IDLE,
            PortalSession.created_at > now - LONGEST,
        )
    ).first()
    if row is None or row[1].course_id is None:
        return None
    held, link, patient = row
    return Guest(
        actor=Actor(link.clinic_id, None, None, "patient by link"),
        clinic=clinic.info(session, link.clinic_id),
        link_id=link.id,
        patient_id=link.patient_id,
        course_id=row[1].course_id,
        language=patient.language,
        last_used_at=held.last_used_at,
    )


def touch(session: Session, secret: str, *, now: datetime) -> None:
    """Keep a patient's session alive."""
    held = session.get(PortalSession, _hash(secret))
    if held:
        held.last_used_at = now


def leave(session: Session, secret: str) -> None:
    """End a patient's session."""
    held = session.get(PortalSession, _hash(secret))
    if held:
        session.delete(held)


def home(session: Session, guest: Guest, *, now: datetime) -> Home:
    """Return everything the patient's page shows."""
    course = session.scalars(
        select(Course)
        .where(Course.id == guest.course_id)
        .options(joinedload(Course.protocol), joinedload(Course.patient))
    ).one()
    visits = _visits(session, guest)
    given = [visit for visit in visits if visit.status in (VisitStatus.DISCHARGED, VisitStatus.READY)]
    last = given[-1] if given else None
    numbers = settings.of_clinic(session, guest.actor.clinic_id)
    return Home(
        first_name=course.patient.preferred_name or course.patient.given_name,
        visits=visits,
        next_visit=next((one for one in visits if one.status in AHEAD and one.ends_at > now and not one.lost_at), None),
        lost_visits=[one for one in visits if one.lost_at and one.status in AHEAD],
        unread=closing.unread(session, guest.course_id),
        last_visit=last,
        protocol=Protocol.from_data(course.protocol.definition),
        driver=session.get(CareContact, (guest.patient_id, CareRole.DRIVER)),
        scores=_scores(session, guest),
        felt=_felt(session, last) if last else None,
        no_food=int(numbers["prepare.food_hours"]),
        no_drink=int(numbers["prepare.drink_hours"]),
        asked=_asked(session, guest),
    )


def _asked(session: Session, guest: Guest) -> dict[UUID, str]:
    query = select(Task.visit_id, Task.kind).where(
        Task.course_id == guest.course_id, Task.kind.in_(telling.KINDS), Task.status == TaskStatus.OPEN
    )
    # Whoever asked for another time, and then said that she can't come at all, can't come.
    return {visit_id: kind for visit_id, kind in session.execute(query.order_by(Task.kind.desc())) if visit_id}


def _visits(session: Session, guest: Guest) -> list[Visit]:
    query = select(Visit).where(Visit.course_id == guest.course_id, Visit.status.not_in(NOT_COUNTED))
    return list(session.scalars(query.order_by(Visit.starts_at)))


def _scores(session: Session, guest: Guest) -> list[ScaleResponse]:
    query = select(ScaleResponse).where(ScaleResponse.course_id == guest.course_id, ScaleResponse.scale == "phq9")
    return list(session.scalars(query.order_by(ScaleResponse.answered_at)))


def _felt(session: Session, visit: Visit) -> RecoveryNote | None:
    query = select(RecoveryNote).where(RecoveryNote.visit_id == visit.id, RecoveryNote.entered_by.is_(None))
    return session.scalars(query.order_by(RecoveryNote.entered_at.desc()).limit(1)).first()


def visit_of(session: Session, guest: Guest, visit_id: UUID, *, lock: bool = False) -> Visit:
    """Return a visit of the guest's own course. NotFound: it is somebody else's, or isn't there."""
    query = select(Visit).where(Visit.id == visit_id, Visit.course_id == guest.course_id)
    if lock:
        clinic.lock_course(session, guest.actor, visit_id)
    visit = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if visit is None:
        raise NotFound(_("There is no such visit."))
    return visit


def known_driver(session: Session, guest: Guest) -> tuple[str, str]:
    """Return name and telephone of whoever took the patient home before; empty where nobody is known."""
    known = session.get(CareContact, (guest.patient_id, CareRole.DRIVER))
    return (known.name, known.phone) if known else ("", "")


def confirm(session: Session, guest: Guest, visit_id: UUID, *, now: datetime) -> None:
    """Note that the patient will come. Saying it twice changes nothing. Refused: the visit is not ahead any more."""
    telling.confirm(session, telling.on_page(guest.actor), visit_of(session, guest, visit_id, lock=True), now=now)


def wish_other_time(session: Session, guest: Guest, visit_id: UUID, wish: OtherTime, *, now: datetime) -> None:
    """Ask for another time. Invalid: nothing is said. Refused: the visit has begun, or is off."""
    visit = visit_of(session, guest, visit_id, lock=True)
    telling.wish_other_time(session, telling.on_page(guest.actor), visit, wish, now=now)


def cant_come(session: Session, guest: Guest, visit_id: UUID, said: CantCome, *, now: datetime) -> None:
    """Say that the patient can't come; nothing is cancelled by that. Refused: the visit has begun, or is off."""
    visit = visit_of(session, guest, visit_id, lock=True)
    telling.cant_come(session, telling.on_page(guest.actor), visit, said.reason or "", now=now)


class NameDriver(Command):
    """Who takes the patient home."""

    name: Line
    phone: Phone


def name_driver(session: Session, guest: Guest, visit_id: UUID, driver: NameDriver, *, now: datetime) -> None:
    """Note who takes the patient home from this visit, and remember it for the next."""
    visit = visit_of(session, guest, visit_id, lock=True)
    telling.check_ahead(session, visit)
    visit.driver_name, visit.driver_phone, visit.driver_confirmed_at = driver.name, driver.phone, now
    with speaking(STAFF):
        known_now = _("The patient named the driver")
    telling.settle(session, guest.actor, visit, known_now, now=now, kinds=(telling.DRIVER_CALL,))
    # A form that staff has open on this patient is stale from here on: saved, it would undo what is said now.
    flag_modified(clinic.get(session, guest.actor, Patient, guest.patient_id, lock=True), "search_text")
    session.flush()
    known = session.get(CareContact, (guest.patient_id, CareRole.DRIVER))
    if known is None:
        known = CareContact(patient_id=guest.patient_id, role=CareRole.DRIVER, clinic_id=guest.actor.clinic_id)
        session.add(known)
    known.name, known.phone = driver.name, driver.phone
    telling.note(session, telling.on_page(guest.actor), visit, "driver", f"{driver.name}, {driver.phone}", now=now)


def _mood(value: int) -> int:
    if not 0 <= value <= 10:
        raise ValueError(_("Choose a number from 0 to 10."))
    return value


class HowIFeel(Command):
    """What a patient says in the days after a visit. A symptom that isn't named isn't there."""

    mood: Annotated[Number, AfterValidator(_mood)]
    nausea: Severity | None = None
    dizziness: Severity | None = None
    headache: Severity | None = None
    words: Text | None = None


def feel(session: Session, guest: Guest, told: HowIFeel, *, now: datetime) -> None:
    """Keep how the patient feels as a recovery note of the last visit; somebody calls if it is bad.

    Whether a symptom is a side effect of the infusion is for a clinician to say. Refused: no visit was given yet.
    """
    given = [visit for visit in _visits(session, guest) if visit.status in (VisitStatus.DISCHARGED, VisitStatus.READY)]
    if not given:
        raise Refused(_("You can tell us here how you feel after your first visit. Call us if you need us before."))
    visit = given[-1]
    symptoms = {term: getattr(told, term) for term in SYMPTOMS if getattr(told, term)}
    session.add(
        RecoveryNote(
            clinic_id=visit.clinic_id,
            visit_id=visit.id,
            occurred_at=now,
            entered_at=now,
            mood=told.mood,
            symptoms=symptoms,
            body=told.words or "",
        )
    )
    if Severity.SEVERE in symptoms.values() or told.mood <= LOW_MOOD:
        _ask_to_call(session, guest, visit, now)
    session.flush()
    audit.record(
        session, guest.actor, "patient: how I feel", patient_id=guest.patient_id, subject=f"visit {visit.id}", now=now
    )


def _ask_to_call(session: Session, guest: Guest, visit: Visit, now: datetime) -> None:
    session.add(
        Task(
            clinic_id=visit.clinic_id,
            patient_id=visit.patient_id,
            course_id=visit.course_id,
            visit_id=visit.id,
            kind="call_after_answer",
            key=f"call_after_answer:{visit.id}:{now.isoformat()}",
            owner_role=Role.NURSE,
            urgent=True,
            opens_at=now,
            due_at=now + CALL_WITHIN,
            created_at=now,
        )
    )


class AnswerPhq9(Command):
    """The nine answers as typed; what is missing is asked for by name."""

    item1: Number | None = None
    item2: Number | None = None
    item3: Number | None = None
    item4: Number | None = None
    item5: Number | None = None
    item6: Number | None = None
    item7: Number | None = None
    item8: Number | None = None
    item9: Number | None = None


def answer(session: Session, guest: Guest, answers: AnswerPhq9, *, now: datetime) -> None:
    """Keep the questionnaire. Invalid: an answer is missing or none of those offered."""
    given = tuple(answers.model_dump().values())
    outcomes.record_score(session, guest.actor, outcomes.Answered(guest.course_id, "phq9", given), now=now)


def worrying(mine: Home, *, now: datetime) -> bool:
    """Return whether what was told within the last hour asks for help now, not in opening hours."""
    recent = now - timedelta(hours=1)
    scale = scales.PHQ9
    safety = [
        row.answers[(scale.safety_item or 0) - 1] for row in mine.scores if row.answers and row.answered_at > recent
    ]
    low = mine.felt is not None and mine.felt.entered_at > recent and (mine.felt.mood or 0) <= LOW_MOOD
    return any(safety) or low
