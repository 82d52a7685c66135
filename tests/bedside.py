"""Courses and visits to treat, without the planner."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from tests.conftest import NOW
from tests.factories import House
from tracker import db
from tracker.models import Course, ProtocolVersion, Task, Visit
from tracker.rules import discharge as going_home
from tracker.rules import timeout
from tracker.rules.visit import Move
from tracker.rules.vocabulary import Indication
from tracker.services import bedside, observations, orders
from tracker.services.bedside import MakeMove
from tracker.services.observations import AnswerItems, TakeVitals
from tracker.services.orders import CheckDose, DrawUp, SignOrder

BLOCK = timedelta(minutes=150)
KILOGRAMS = Decimal("80")
SIGNS = TakeVitals(systolic=128, diastolic=78, heart_rate=72, spo2=98, respiratory_rate=14, moaas=5)
ASKED_ALL = frozenset(criterion.key for criterion in going_home.ASKED)


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


def ready_to_start(house: House, visit_id: UUID, *, now=NOW) -> None:
    """Bring a booked visit to where Start is open: order, dose checked by two, checklist, vital signs."""
    do(house.physician, orders.sign_order, visit_id, order(now), now)
    do(house.coordinator, bedside.make_move, visit_id, MakeMove(move=Move.ARRIVE), now)
    do(house.nurse, bedside.make_move, visit_id, MakeMove(move=Move.CHECK), now + minutes(1))
    do(house.nurse, orders.draw_up, visit_id, DrawUp(weight_kg=KILOGRAMS, concentration=Decimal(10)), now)
    do(house.second_nurse, orders.check_dose, visit_id, CheckDose(mg=Decimal(40), ml=Decimal(4)), now)
    ticked = frozenset(item.key for item in timeout.CHECKLIST)
    do(house.nurse, observations.answer_items, visit_id, AnswerItems(ticked=ticked), now)
    do(house.nurse, observations.take_vitals, visit_id, SIGNS, now)


def infuse(house: House, visit_id: UUID, *, start=NOW) -> None:
    """Take a visit that is ready to start through its infusion to the end of recovery."""
    ready_to_start(house, visit_id, now=start)
    move(house.nurse, visit_id, Move.START, start + minutes(2))
    move(house.nurse, visit_id, Move.FINISH, start + minutes(42))
    do(house.nurse, observations.take_vitals, visit_id, SIGNS, start + minutes(100))
    move(house.nurse, visit_id, Move.READY, start + minutes(102))


def discharge(house: House, visit_id: UUID, *, start=NOW) -> None:
    """Take a booked visit all the way home."""
    infuse(house, visit_id, start=start)
    move(house.nurse, visit_id, Move.DISCHARGE, start + minutes(103), ticked=ASKED_ALL, driver="Sam")


def order(now=NOW) -> SignOrder:
    """Return a plain order."""
    half = Decimal("0.5")
    expires_on = now.date() + timedelta(days=40)
    return SignOrder(mg_per_kg=half, max_mg=Decimal(100), minutes=40, expires_on=expires_on)


def move(actor, visit_id: UUID, which: Move, now, **more) -> Visit:
    """Make a move."""
    return do(actor, bedside.make_move, visit_id, MakeMove(move=which, **more), now)


def do(actor, service, row_id: UUID, command, now):
    """Run one service in its own transaction."""
    with db.transaction() as session:
        return service(session, actor, row_id, command, now=now)


def minutes(n: int) -> timedelta:
    return timedelta(minutes=n)
