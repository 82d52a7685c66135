"""Courses and visits to treat, without the planner."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from tests.conftest import NOW
from tests.factories import House
from tracker import db
from tracker.models import Course, ProtocolVersion, Task, Visit
from tracker.rules.vocabulary import Indication

BLOCK = timedelta(minutes=150)


def make_course(
    house: House, name: str = "Linh Tran", *, days=(0, 3, 7, 10, 14, 17), start=NOW
) -> tuple[UUID, list[UUID]]:
    """Book a course with a visit at `start` and as many days later; return its id and the visits'."""
    patient_id = house.patient(name)
    with db.transaction() as session:
        protocol = session.scalars(
            select(ProtocolVersion).where(ProtocolVersion.clinic_id == house.clinic.id, ProtocolVersion.code == "B")
        ).one()
        course = Course(
            clinic_id=house.clinic.id,
            patient_id=patient_id,
            protocol_id=protocol.id,
            indication=Indication.TRD,
            created_at=start - timedelta(days=10),
        )
        session.add(course)
        session.flush()
        visits = [
            Visit(
                clinic_id=house.clinic.id,
                course_id=course.id,
                patient_id=patient_id,
                ordinal=ordinal,
                starts_at=start + timedelta(days=day),
                ends_at=start + timedelta(days=day) + BLOCK,
                room_id=house.resources["Sage"],
                nurse_id=house.resources["J. Adeyemi"],
                physician_id=house.resources["Dr A. Hale"],
                created_at=start - timedelta(days=10),
            )
            for ordinal, day in enumerate(days, start=1)
        ]
        session.add_all(visits)
        session.flush()
        return course.id, [visit.id for visit in visits]


def tasks(course_id: UUID, kind: str | None = None) -> list[Task]:
    """Return a course's tasks by when they are due."""
    with db.read() as session:
        query = select(Task).where(Task.course_id == course_id).order_by(Task.due_at)
        return list(session.scalars(query.where(Task.kind == kind) if kind else query))


KILOGRAMS = Decimal("80")
