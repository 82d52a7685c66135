"""What the board of a full day in twenty rooms costs: the whole page, through the client, audit included."""

import statistics
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.conftest import upgrade
from tests.factories import House, make_clinic, make_patient
from tests.web.conftest import KEY, sign_in
from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config
from tracker.models import Claim, Course, Dose, InfusionOrder, ProtocolVersion, Visit, VisitEvent, VitalReading
from tracker.rules.block import Block
from tracker.rules.permissions import Role
from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM, Protocol
from tracker.rules.vocabulary import Indication, VisitStatus
from tracker.services import capacity, clinic
from tracker.services.setup import NewClinic, NewRoom, NewStaff

LIMITS = {"board_day_20_rooms_ms_median": 40.0}
LOOKS = 60
ROOMS = 20
DAY = date(2026, 11, 17)
NOW = datetime(2026, 11, 17, 18, 42, tzinfo=UTC)  # 11:42 in Denver
HOURS = (8 * 60, 17 * 60 + 45)
ALL_DAY = (7 * 60 + 45, 17 * 60 + 45)
_S = VisitStatus
# What a visit has been through by the time its state is reached: minutes after its start.
STORY = {_S.ARRIVED: 0, _S.TIME_OUT: 15, _S.INFUSING: 35, _S.RECOVERING: 75, _S.READY: 135, _S.DISCHARGED: 140}


def big_clinic() -> NewClinic:
    """Return twenty rooms with the staff they need."""
    nurses = [NewStaff(f"N. Nurse{n}", f"N{n}", Role.NURSE, ALL_DAY, "RN", lanes=2) for n in range(12)]
    physicians = [NewStaff(f"Dr P. Phys{n}", f"P{n}", Role.PHYSICIAN, ALL_DAY, "MD", lanes=3) for n in range(4)]
    rooms = tuple(NewRoom(f"Room {n:02}", "recliner") for n in range(1, ROOMS + 1))
    place = {"zone_name": "America/Denver", "phone": "+15055550100", "address": "14 Mill Lane"}
    names = {"name": "Cottonwood Clinic", "discreet_name": "Cottonwood"}
    return NewClinic(**names, **place, hours=HOURS, rooms=rooms, staff=(*nurses, *physicians))


def fill(house: House) -> int:
    """Book the day until nothing fits any more, and let the morning happen; return how many visits there are."""
    booked = 0
    while booked < 4 * ROOMS:
        patient = make_patient(house.clinic.id, f"Pat{booked} Family{booked}", now=NOW - timedelta(days=1))
        with db.transaction() as session:
            if not _book(session, house, patient, booked):
                break
        booked += 1
    return booked


def _book(session: Session, house: House, patient: UUID, number: int) -> bool:
    place = clinic.info(session, house.clinic.id)
    row = session.scalars(select(ProtocolVersion).where(ProtocolVersion.code == "S")).one()
    protocol = Protocol.from_data(row.definition)
    free = capacity.load(session, place, DAY, DAY, patients=[patient])
    block = Block(protocol, free)
    slot = next((slot for slot in range(0, 288, 3) if block.feasible(0) >> slot & 1), None)
    if slot is None:
        return False
    room, nurse, physician = (block.free_at(kind, 0, slot)[0] for kind in (ROOM, NURSE, PHYSICIAN))
    planned = block.place(1, 0, slot, room, nurse, physician, patient)
    ids = {"clinic_id": house.clinic.id, "patient_id": patient, "created_at": NOW}
    course = Course(**ids, protocol_id=row.id, indication=Indication.TRD)
    session.add(course)
    session.flush()
    who = {"room_id": room.id, "nurse_id": nurse.id, "physician_id": physician.id}
    times = {"starts_at": planned.starts_at, "ends_at": planned.ends_at}
    visit = Visit(**ids, **who, **times, course_id=course.id, ordinal=1, status=VisitStatus.BOOKED)
    session.add(visit)
    session.flush()
    session.add_all(Claim(clinic_id=house.clinic.id, visit_id=visit.id, **asdict(one)) for one in planned.claims)
    _happen(session, house, visit, number)
    return True


def _happen(session: Session, house: House, visit: Visit, number: int) -> None:
    """Bring a visit to where it is by now: arrived, started, watched, gone."""
    ids = {"clinic_id": house.clinic.id, "visit_id": visit.id}
    order = InfusionOrder(
        clinic_id=house.clinic.id,
        course_id=visit.course_id,
        mg_per_kg=Decimal("0.5"),
        max_mg=Decimal(60),
        minutes=40,
        expires_on=DAY,
        signed_by=house.physician.user_id,
        signed_at=NOW,
    )
    session.add(order)
    session.flush()
    visit.driver_confirmed_at = NOW if number % 5 else None
    for status, minutes in STORY.items():
        at = visit.starts_at + timedelta(minutes=minutes)
        if at > NOW:
            break
        visit.status = status
        session.add(VisitEvent(**ids, kind="status", to_status=status, occurred_at=at, entered_at=at))
    started_at = visit.starts_at + timedelta(minutes=STORY[_S.INFUSING])
    if started_at <= NOW:
        given = {"weight_kg": Decimal(80), "mg": Decimal(40), "concentration_mg_per_ml": Decimal(10), "ml": Decimal(4)}
        written = {"entered_at": NOW, "entered_by": house.nurse.user_id}
        session.add(Dose(**ids, order_id=order.id, **given, minutes=40, **written))
        for minute in range(0, int((NOW - started_at).total_seconds() // 60) - 5 * (number % 4), 10):
            at = started_at + timedelta(minutes=minute)
            session.add(VitalReading(**ids, due=str(minute), occurred_at=at, **written, heart_rate=80))


def measure() -> dict[str, float]:
    """Return the median of the page, in milliseconds, and how many visits it shows."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/tracker.db"
        upgrade(url)
        db.configure(url)
        clock.shift(timedelta())
        clock.shift(NOW - clock.now())
        house = make_clinic(big_clinic(), now=NOW - timedelta(days=30))
        booked = fill(house)
        client = create_app(Config(secret_key=KEY)).test_client()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        sign_in(client, house.coordinator)
        spent = [_look(client, booked) for _ in range(LOOKS)]
        db.engine().dispose()
    wall, cpu = (statistics.median(one) for one in zip(*spent[3:], strict=True))
    return {
        "board_day_20_rooms_ms_median": wall,
        "board_day_20_rooms_cpu_ms_median": cpu,
        "board_day_20_rooms_visits": float(booked),
    }


def _look(client: FlaskClient, booked: int) -> tuple[float, float]:
    started, worked = time.perf_counter(), time.process_time()
    answer = client.get("/")
    wall, cpu = time.perf_counter() - started, time.process_time() - worked
    assert answer.status_code == 200
    assert answer.text.count('<article class="bar') == booked
    return wall * 1000, cpu * 1000
