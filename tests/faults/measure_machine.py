"""Two thousand steps of everything a desk does, on each database, held against a plain model."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.conftest import upgrade
from tests.postgres import Cluster, binaries
from tests.services.booking_machine import done
from tests.services.test_booking_machine import run
from tracker import db

CLINICS, STEPS = 42, 50
FLOORS = {f"booking_model_steps_{kind}": 2000.0 for kind in ("sqlite", "postgres")}


def measure() -> dict[str, float]:
    """Return how many steps were taken. AssertionError: the database didn't say what the model says."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tracker-steps-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        numbers = {"booking_model_steps_sqlite": _walked(f"sqlite:///{folder}/tracker.db")}
        if binaries():
            cluster = Cluster()
            stack.callback(cluster.remove)
            numbers["booking_model_steps_postgres"] = _walked(cluster.url("postgres"))
        return numbers


def _walked(url: str) -> float:
    upgrade(url)
    engine = db.configure(url)
    before = done["step"]
    run(CLINICS, STEPS)
    engine.dispose()
    return float(done["step"] - before - CLINICS)  # each begins by looking once
