"""Patients: finding them, adding each once, keeping who they are up to date."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from tracker.errors import Refused, Stale
from tracker.models import Clinic, ContactPoint, Patient, Resource, Visit, new_id
from tracker.rules import lookup
from tracker.rules.fields import Number, Tick
from tracker.rules.intake import Person
from tracker.rules.permissions import Actor, Permission
from tracker.rules.vocabulary import ContactChannel, IntakeStatus, ResourceKind, VisitStatus
from tracker.services import audit, clinic, replanning
from tracker.services.patient_details import (
    PatientDetails,
    Record,
    check,
    check_stopped,
    details_of,
    fill,
    follow,
    record_of,
)
from tracker.text import gettext as _

PAGE = 50  # patients on one page of the list
_OUR_NUMBER = re.compile(r"C([0-9]{5})")


class AddPatient(PatientDetails):
    """A new patient; `add_anyway` when somebody looked at who is alike and knows that this is another person."""

    add_anyway: Tick = False


class EditPatient(PatientDetails):
    """A patient as changed on a form that was opened at `version`."""

    version: Number


def find(
    session: Session, actor: Actor, said: str = "", *, status: IntakeStatus | None = None, page: int = 1
) -> tuple[list[Patient], bool]:
    """Return one page of the patients whom `said` fits, by name, and whether there are more.

    Args:
        said: Parts of names in any order, a telephone number or a part of it, a birth date, a chart number.
        status: Only those.
        page: From 1, of `PAGE` patients each.
    """
    query = select(Patient).where(Patient.clinic_id == actor.clinic_id)
    query = query.where(*(Patient.search_text.like(term) for term in lookup.terms(said)))
    if status:
        query = query.where(Patient.intake_status == status)
    query = query.order_by(Patient.search_text, Patient.id).offset((page - 1) * PAGE).limit(PAGE + 1)
    found = list(session.scalars(query))
    return found[:PAGE], len(found) > PAGE


@dataclass(frozen=True)
class ListLine:
    """A patient on the list, with how to reach them and when they come next."""

    patient: Patient
    phone: str
    next_visit: Visit | None


def lines_of(session: Session, found: Sequence[Patient], *, now: datetime) -> list[ListLine]:
    """Return the list's lines for these patients, in their order."""
    ids = [patient.id for patient in found]
    phones = select(ContactPoint.patient_id, ContactPoint.address).where(
        ContactPoint.patient_id.in_(ids), ContactPoint.channel == ContactChannel.PHONE, ContactPoint.ended_at.is_(None)
    )
    phone_of = dict(session.execute(phones.order_by(ContactPoint.position.desc())).all())
    coming = select(Visit).where(Visit.patient_id.in_(ids), Visit.starts_at >= now, Visit.status == VisitStatus.BOOKED)
    next_of = {visit.patient_id: visit for visit in session.scalars(coming.order_by(Visit.starts_at.desc()))}
    return [ListLine(patient, phone_of.get(patient.id, ""), next_of.get(patient.id)) for patient in found]


def alike(session: Session, actor: Actor, person: Person) -> list[Patient]:
    """Return who could be the same person: born the same day with a name much alike, or with the same telephone."""
    same_phone = select(ContactPoint.patient_id).where(
        ContactPoint.channel == ContactChannel.PHONE,
        ContactPoint.address == person.phone,
        ContactPoint.ended_at.is_(None),
    )
    query = select(Patient).where(
        Patient.clinic_id == actor.clinic_id,
        or_(Patient.birth_date == person.birth_date, Patient.id.in_(same_phone)),
    )
    names = (person.family_name, person.given_name, person.preferred_name or "")
    return [
        other
        for other in session.scalars(query.order_by(Patient.search_text))
        if other.birth_date != person.birth_date
        or lookup.similar_names(names, (other.family_name, other.given_name, other.preferred_name))
    ]


def add(session: Session, actor: Actor, command: AddPatient, *, now: datetime) -> UUID:
    """Add a patient; return the id.

    Raises:
        Refused: The chart number is taken, somebody is alike and nobody said that this is another person, or
            a physician has to clear.
    """
    check(command)
    _check_clearing(actor, IntakeStatus.ENQUIRY, command.intake_status)
    if not command.add_anyway and (others := alike(session, actor, command)):
        raise Refused(_alike_said(others), field="add_anyway")
    number = command.chart_number or next_chart_number(session, actor)
    patient_id = insert(session, actor, command, number, now=now)
    audit.record(session, actor, "add patient", patient_id=patient_id, now=now)
    return patient_id


def insert(
    session: Session,
    actor: Actor,
    details: PatientDetails,
    chart_number: str,
    *,
    now: datetime,
    patient_id: UUID | None = None,
) -> UUID:
    """Insert a patient that was checked before; return the id. Refused: the chart number is taken.

    Args:
        patient_id: Where the id is to be known beforehand.
    """
    resource = Resource(
        id=patient_id or new_id(), clinic_id=actor.clinic_id, kind=ResourceKind.PATIENT, name=_listed_name(details)
    )
    session.add(resource)
    session.flush()
    patient = Patient(id=resource.id, clinic_id=actor.clinic_id, created_at=now)
    fill(patient, details, chart_number, now)
    session.add(patient)
    _flush(session)
    follow(session, actor, Record(patient, [], [], [], {}), details, now)
    return patient.id


def edit(session: Session, actor: Actor, patient_id: UUID, command: EditPatient, *, now: datetime) -> None:
    """Change who a patient is; every list becomes what the form says.

    Raises:
        NotFound: There is no such patient in this clinic.
        Refused: The chart number is taken, the form contradicts itself, or a physician has to clear.
        Stale: Somebody saved this patient since the form was opened.
    """
    check(command)
    record = record_of(session, actor, patient_id, lock=True)
    if record.patient.version != command.version:
        raise Stale(_("Somebody saved this patient since you opened the form. Nothing of yours was saved yet."))
    _check_clearing(actor, record.patient.intake_status, command.intake_status)
    check_stopped(record, command)
    before = details_of(record)
    fill(record.patient, command, command.chart_number or record.patient.chart_number, now)
    # A change of an address or an allergy alone makes forms that are open elsewhere stale, too.
    flag_modified(record.patient, "search_text")
    clinic.get(session, actor, Resource, patient_id).name = _listed_name(command)
    _flush(session)
    follow(session, actor, record, command, now)
    after = command.model_dump() | {"chart_number": record.patient.chart_number}
    changed = sorted(name for name, value in before.items() if (after[name] or "") != (value or ""))
    if "zone_name" in changed:  # her night is at another time now
        replanning.plan(session, actor, replanning.courses_of(session, patient_id), now=now)
    audit.record(session, actor, "edit patient", patient_id=patient_id, detail={"changed": changed}, now=now)


def _check_clearing(actor: Actor, before: IntakeStatus, after: IntakeStatus) -> None:
    """A cleared patient may be infused, so whoever may order clears."""
    if after is IntakeStatus.CLEARED and before is not after and not actor.may(Permission.ORDER):
        raise Refused(_("A physician clears a patient. Leave it as it was, and ask one."), field="intake_status")


def next_chart_number(session: Session, actor: Actor) -> str:
    """Return the first free number of our own; waits for whoever else is giving out one in this clinic."""
    # Not the key: every entry in the audit points at the clinic, and its writer holds what we want last.
    session.execute(select(Clinic.id).where(Clinic.id == actor.clinic_id).with_for_update(key_share=True))
    ours = select(Patient.chart_number).where(Patient.clinic_id == actor.clinic_id, Patient.chart_number.like("C_____"))
    numbers = (int(match[1]) for number in session.scalars(ours) if (match := _OUR_NUMBER.fullmatch(number)))
    return f"C{max(numbers, default=0) + 1:05d}"


def _listed_name(details: PatientDetails) -> str:
    return f"{details.family_name}, {details.given_name}"


def _alike_said(others: Sequence[Patient]) -> str:
    who = "; ".join(
        f"{other.family_name}, {other.given_name} ({other.chart_number}, {other.birth_date})" for other in others[:3]
    )
    return _("This may be somebody who is here already: %(who)s. Look first; add only another person.", who=who)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        if "chart_number" not in str(error.orig):
            raise
        raise Refused(_("Another patient has this chart number."), field="chart_number") from None
