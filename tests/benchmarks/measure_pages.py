"""What a page and a booking cost: the demonstration's data, SQLite with synchronous=FULL, audit included."""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import select

from tests.benchmarks.growth import grow
from tests.benchmarks.house import Opened, opened
from tracker import clock, db
from tracker.models import Patient, new_id
from tracker.services import booking, places

LIMITS = {
    "today_page_ms_median": 40.0,
    "patient_page_ms_median": 30.0,
    "book_six_ms_median": 60.0,
    "today_page_growth_100x": 1.2,
}
LOOKS = 60
SERIES = 24
TIMES = 100


def measure() -> dict[str, float]:
    """Return the medians in milliseconds, and how much the board slows down when everything past is there 100 times."""
    with tempfile.TemporaryDirectory() as folder:
        house = opened(Path(folder))
        numbers = {"patient_page_ms_median": _patient_pages(house)}
        numbers["today_page_ms_median"], before = _today(house)
        with db.engine().begin() as connection:
            grow(connection, TIMES, house.midnight)
        # In processor time, so that whatever else the machine does now or did then doesn't count.
        numbers["today_page_growth_100x"] = _today(house)[1] / before
    with tempfile.TemporaryDirectory() as folder:
        return numbers | _bookings(opened(Path(folder)))


def _get(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)


def _today(house: Opened) -> tuple[float, float]:
    """Return the medians of the board, in milliseconds and in milliseconds of processor time."""
    looks = [_timed(lambda: _get(house.client, "/")) for _ in range(LOOKS)]
    return statistics.median(wall for wall, _ in looks), statistics.median(cpu for _, cpu in looks)


def _timed(piece: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    piece()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def _patient_pages(house: Opened) -> float:
    with db.read() as session:
        paths = [f"/patients/{patient}" for patient in session.scalars(select(Patient.id))]
    for path in paths:
        _get(house.client, path)
    return statistics.median(_timed(lambda path=path: _get(house.client, path))[0] for path in paths * 3)


def _bookings(house: Opened) -> dict[str, float]:
    """Book series after series, each for a new patient and from a later day, so that each finds its six places."""
    asked = (_asked(house, number) for number in range(SERIES))
    spent = [_timed(lambda path=path, form=form: _book(house.client, path, form)) for path, form in asked]
    return {
        "book_six_ms_median": statistics.median(wall for wall, _ in spent),
        "book_six_cpu_ms_median": statistics.median(cpu for _, cpu in spent),
    }


def _book(client: FlaskClient, path: str, form: dict[str, object]) -> None:
    answer = client.post(path, data=form)
    assert answer.status_code == 303, answer.get_data(as_text=True)


def _asked(house: Opened, number: int) -> tuple[str, dict[str, object]]:
    """Return where to send the first option shown to a new patient, and what its form carries."""
    patient = house.new_patient(f"Person {number}")
    first_day = (clock.now() + timedelta(days=7 + 7 * (number // 2))).date()
    with db.read() as session:
        protocol = next(one for one in booking.protocols(session, house.actor) if one.definition["visits"] == 6)
        wishes = {"protocol_id": protocol.id, "first_day": first_day}
        asked = booking.PlanCourse.model_validate(wishes, context={"today": house.midnight.date()})
        plan = booking.options(session, house.actor, patient, asked, now=clock.now()).plans[0]
    return f"/patients/{patient}/courses", {
        "request_key": str(new_id()),
        "protocol_id": str(protocol.id),
        "indication": "trd",
        "first_day": first_day.isoformat(),
        "visit": [places.spell(visit) for visit in plan.visits],
    }
