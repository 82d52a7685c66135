"""Two, four and eight workers at the same rows, stopped ones that wake, a locked database, a restarted PostgreSQL."""

import time

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.faults.databases import New, for_each, maker, on_each
from tests.faults.killing import Verdict
from tests.faults.several import WEEK, interrupted, leases, locked, zombies
from tests.mail_server import Kept
from tests.postgres import binaries

WORKERS, ROWS = (2, 4, 8), 600
LOCKED = 60.0  # seconds
RESTARTS = 2
_WHAT = ("zombie", "locked")
LIMITS = for_each(
    reminder_double_leases=0, **{f"reminder_{what}_{end}": 0 for what in _WHAT for end in ("lost", "doubled", "untold")}
) | {f"reminder_restarted_{end}_postgres": 0.0 for end in ("lost", "doubled", "untold")}
# What was sent is written down as soon as the database can be written to.
LIMITS |= for_each(reminder_locked_uncertain=0) | {"reminder_restarted_uncertain_postgres": 2.0 * RESTARTS}


def measure() -> dict[str, float]:
    """Measure on both databases."""
    numbers = on_each(_measured)
    if binaries():
        # A crash must lose nothing that was acknowledged.
        with maker("postgres", settings=()) as postgres:
            verdict = interrupted(postgres(), restarts(postgres), workers=2)
        numbers |= {f"{name}_postgres": value for name, value in _ends("restarted", verdict).items()}
    return numbers


def _measured(new: New) -> dict[str, float]:
    url = new()
    mailroom.many(make_clinic(), ROWS, NOW + WEEK)
    doubled = sum(leases(url, workers).doubled for workers in WORKERS)
    numbers = {"reminder_double_leases": float(doubled)} | _ends("zombie", zombies(new()))
    url = new()
    return numbers | _ends("locked", interrupted(url, locked(url, LOCKED), workers=2))


def restarts(new: New, times: int = RESTARTS):
    """Return what stops PostgreSQL as a crash does, and starts it again a second later."""

    def restart(kept: Kept) -> None:
        for _ in range(times):
            new.cluster.stop("immediate")
            time.sleep(1.0)
            new.cluster.start()
            time.sleep(2.0)

    return restart


def _ends(what: str, verdict: Verdict) -> dict[str, float]:
    ends = {"lost": verdict.lost, "doubled": verdict.doubled, "uncertain": verdict.uncertain, "untold": verdict.untold}
    return {f"reminder_{what}_{end}": float(value) for end, value in ends.items()}
