"""What a series costs to book, over what the smallest commit costs: the whole service call, the plan given.

The smallest commit is a transaction of the house that adds one row to its session, as the simplest write does.

Booking and one-row commits take turns, so that whatever else the machine does falls on both. SQLite with
synchronous=FULL as always, PostgreSQL in a cluster of its own with fsync on.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tests.benchmarks.house import Opened, opened
from tests.postgres import Cluster, binaries
from tracker import clock, db
from tracker.models import GuessCount, new_id
from tracker.rules.vocabulary import Indication
from tracker.services import booking, places

LIMITS = {"book_over_one_row_commit": 8.0, "book_postgres_over_one_row_commit": 12.0}
SERIES, WARM = 30, 4


def measure() -> dict[str, float]:
    """Return how many one-row commits a booking takes, on each database, and its median time and processor time."""
    with tempfile.TemporaryDirectory() as folder:
        ratio, booked, committed, cpu = _measured(opened(Path(folder)))
    numbers = {
        "book_over_one_row_commit": ratio,
        "book_ms_median": booked,
        "book_cpu_ms_median": cpu,
        "one_row_commit_ms_median": committed,
    }
    return numbers | (_on_postgresql() if binaries() else {})


def _on_postgresql() -> dict[str, float]:
    cluster = Cluster(settings=())  # as it is installed: fsync on
    try:
        ratio, booked, committed, cpu = _measured(opened(Path(cluster.folder), url=cluster.url("postgres")))
    finally:
        db.engine().dispose()
        cluster.remove()
    return {
        "book_postgres_over_one_row_commit": ratio,
        "book_postgres_ms_median": booked,
        "book_postgres_cpu_ms_median": cpu,
        "one_row_commit_postgres_ms_median": committed,
    }


def _measured(house: Opened) -> tuple[float, float, float, float]:
    """Return booking over commit, and the medians in milliseconds: booking, commit, processor time of a booking."""
    committed, booked = [], []
    for number in range(WARM + SERIES):
        patient, wanted = _asked(house, number)
        committed.append(_timed(_one_row)[0])
        booked.append(_timed(lambda patient=patient, wanted=wanted: _book(house, patient, wanted)))
    commit = statistics.median(committed[WARM:])
    wall = statistics.median(wall for wall, _cpu in booked[WARM:])
    return wall / commit, wall, commit, statistics.median(cpu for _wall, cpu in booked[WARM:])


def _timed(piece: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    piece()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def _one_row() -> None:
    with db.transaction() as session:
        now = clock.now()
        session.add(GuessCount(key=str(new_id()), failures=1, last_at=now, blocked_until=now))


def _book(house: Opened, patient: UUID, wanted: booking.BookCourse) -> None:
    with db.transaction() as session:
        booking.book_course(session, house.actor, patient, wanted, now=clock.now())


def _asked(house: Opened, number: int) -> tuple[UUID, booking.BookCourse]:
    """Return a new patient and the first plan shown for her, each from a later week, so that there is room."""
    patient = house.new_patient(f"Person {number}")
    first_day = (clock.now() + timedelta(days=7 + 7 * (number // 2))).date()
    with db.read() as session:
        protocol = next(one for one in booking.protocols(session, house.actor) if one.definition["visits"] == 6)
        wishes = {"protocol_id": protocol.id, "first_day": first_day}
        context = {"today": house.midnight.date()}
        asked = booking.PlanCourse.model_validate(wishes, context=context)
        plan = booking.options(session, house.actor, patient, asked, now=clock.now()).plans[0]
    chosen = tuple(places.as_place(visit) for visit in plan.visits)
    values = {**wishes, "indication": Indication.TRD, "visit": chosen}
    return patient, booking.BookCourse.model_validate(values, context=context)
