"""Patients with a series and an address, made as short as a test of messages wants them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.conftest import NOW
from tests.factories import House
from tracker import db
from tracker.models import ContactPoint, Course, Patient, ProtocolVersion, Reminder, Resource, Visit
from tracker.models.base import Base
from tracker.rules.vocabulary import ContactChannel, Indication, IntakeStatus, ReminderStatus, ResourceKind, VisitStatus
from tracker.services import delivery, letters, reminders, sweeping
from tracker.services.delivery import Result
from tracker.services.letters import Lease, Letter


def patient(house: House, name: str, *, email: str | None = "", consent: bool = True) -> UUID:
    """Add a patient with an address of that name, who may be written to."""
    patient_id = house.patient(name)
    if email is not None:
        with db.transaction() as session:
            session.add(address(house, patient_id, email or f"{name.split()[0].lower()}@example.org", consent))
    return patient_id


def address(house: House, patient_id: UUID, email: str, consent: bool = True) -> ContactPoint:
    """Return a patient's address."""
    return ContactPoint(
        clinic_id=house.clinic.id,
        patient_id=patient_id,
        channel=ContactChannel.EMAIL,
        address=email,
        consent_at=NOW if consent else None,
        consent_wording="May we write to you?" if consent else None,
    )


def series(house: House, patient_id: UUID, *starts: datetime, booked_at: datetime = NOW) -> UUID:
    """Book a series by hand (rooms don't matter here) and plan its messages; return the course's id."""
    with db.transaction() as session:
        return _book(session, house, patient_id, starts, booked_at)


def _book(session: Session, house: House, patient_id: UUID, starts: Sequence[datetime], booked_at: datetime) -> UUID:
    protocol = session.scalars(select(ProtocolVersion).where(ProtocolVersion.clinic_id == house.clinic.id)).first()
    course = Course(
        clinic_id=house.clinic.id,
        patient_id=patient_id,
        protocol_id=protocol.id,
        indication=Indication.TRD,
        created_at=booked_at,
    )
    session.add(course)
    session.flush()
    visits = [
        Visit(
            clinic_id=house.clinic.id,
            course_id=course.id,
            patient_id=patient_id,
            ordinal=ordinal,
            starts_at=start,
            ends_at=start + timedelta(minutes=150),
            room_id=house.resources["Sage"],
            nurse_id=house.resources["J. Adeyemi"],
            physician_id=house.resources["Dr A. Hale"],
            created_at=booked_at,
        )
        for ordinal, start in enumerate(starts, start=1)
    ]
    session.add_all(visits)
    reminders.plan_for_course(session, house.coordinator, course, visits, now=booked_at)
    return course.id


def number(house: House, patient_id: UUID, digits: str) -> ContactPoint:
    """Return a patient's number for texts; she agreed to them."""
    point = address(house, patient_id, digits)
    point.channel = ContactChannel.SMS
    return point


def many(house: House, count: int, start: datetime, *, texts: bool = False, booked_at: datetime = NOW) -> None:
    """Book one visit each for many patients, in one transaction; with `texts` every second one has only a telephone."""
    with db.transaction() as session:
        for n in range(count):
            name = f"P{n}" if booked_at == NOW else f"P{n} {booked_at:%m%d}"
            resource = Resource(clinic_id=house.clinic.id, kind=ResourceKind.PATIENT, name=name)
            session.add(resource)
            session.flush()
            session.add(
                Patient(
                    id=resource.id,
                    clinic_id=house.clinic.id,
                    chart_number=name,
                    given_name=f"P{n}",
                    family_name="Test",
                    search_text="",
                    birth_date=NOW.date(),
                    intake_status=IntakeStatus.CLEARED,
                    created_at=NOW,
                )
            )
            session.flush()
            by_text = texts and n % 2
            reached = number(house, resource.id, f"+1970{n:07}") if by_text else None
            session.add(reached or address(house, resource.id, f"p{n}@example.org"))
            _book(session, house, resource.id, [start], booked_at)


def plan(house: House, course_id: UUID, *, now: datetime) -> reminders.Planned:
    """Plan a course again, as it stands."""
    with db.transaction() as session:
        visits = session.scalars(select(Visit).where(Visit.course_id == course_id)).all()
        course = session.get_one(Course, course_id)
        return reminders.plan_for_course(session, house.coordinator, course, visits, now=now)


def change_visit(
    house: House, course_id: UUID, ordinal: int = 1, *, now: datetime, changed: bool = False, **values: object
) -> None:
    """Change a visit and plan again, as booking does in one transaction."""
    with db.transaction() as session:
        visits = session.scalars(select(Visit).where(Visit.course_id == course_id)).all()
        [visit] = [visit for visit in visits if visit.ordinal == ordinal]
        for name, value in values.items():
            setattr(visit, name, value)
        session.flush()
        course = session.get_one(Course, course_id)
        reminders.plan_for_course(session, house.coordinator, course, visits, now=now, changed=changed)


def cancel(house: House, course_id: UUID, ordinal: int = 1, *, now: datetime, changed: bool = False) -> None:
    """Cancel a visit."""
    gone = {"status": VisitStatus.CANCELLED, "cancel_reason": "ill"}
    change_visit(house, course_id, ordinal, now=now, changed=changed, **gone)


def messages(course_id: UUID | None = None) -> list[Reminder]:
    """Return the messages in order of their time."""
    query = select(Reminder).order_by(Reminder.send_at, Reminder.purpose, Reminder.id)
    with db.read() as session:
        return list(session.scalars(query if course_id is None else query.where(Reminder.course_id == course_id)))


def statuses() -> dict[str, str]:
    """Return the state of each message by its purpose; a series of one has one of each."""
    return {row.purpose: row.status.value for row in messages()}


def rows(model: type[Base]) -> list:
    """Return all rows of a table, in the order in which they were written where they say when."""
    written = [getattr(model, name) for name in ("at", "started_at", "created_at") if hasattr(model, name)]
    with db.read() as session:
        return list(session.scalars(select(model).order_by(*written)))


def take(*, now: datetime, limit: int = 50) -> list[Lease]:
    """Lease what is due."""
    with db.transaction() as session:
        return delivery.lease(session, limit=limit, now=now)


def look(lease: Lease, *, now: datetime):
    """Look at a leased message."""
    with db.read() as session:
        return letters.look(session, [lease], now=now).get(lease)


def mark(letter: Letter, *, now: datetime) -> bool:
    """Mark a message as leaving."""
    with db.transaction() as session:
        return delivery.mark(session, letter, now=now)


def record(lease: Lease, result: Result, *, now: datetime) -> None:
    """Write down what became of it."""
    with db.transaction() as session:
        delivery.record(session, lease, result, now=now, chance=0.5)


def sweep(*, now: datetime) -> sweeping.Swept:
    """Look after what is left over."""
    with db.transaction() as session:
        return sweeping.sweep(session, now=now)


LIVE = {ReminderStatus.SCHEDULED, ReminderStatus.LEASED, ReminderStatus.SENDING}
