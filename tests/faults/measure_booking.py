"""Sixteen writers on both databases: for one place, and a minute at everything; and without the guards."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.conftest import upgrade
from tests.postgres import Cluster, binaries
from tests.races.booking_race import Outcome, race
from tests.races.storm import Outcome as Storm
from tests.races.storm import storm

ROUNDS = 20
SECONDS = 60
UNGUARDED = 15  # seconds are enough to see them overlap
_KINDS = ("sqlite", "postgres")
_NONE = ("overlaps", "deadlocks", "half_courses", "imbalances", "5xx", "not_one_winner")
LIMITS = {f"booking_{name}": 0.0 for name in _NONE}
KINDS = ("book", "move", "shift", "cancel", "replace", "apply")
FLOORS = {f"booking_{kind}_least_done": 1.0 for kind in _KINDS} | {
    f"booking_{kind}_{what}_without_guards": 1.0 for kind in _KINDS for what in ("doubled", "overlaps")
}


def measure() -> dict[str, float]:
    """Return what went wrong on both databases, and what does without guards on each."""
    folder = Path(tempfile.mkdtemp())
    try:
        numbers = _measured("sqlite", lambda name: f"sqlite:///{folder}/{name}.db")
    finally:
        shutil.rmtree(folder)
    if binaries():
        cluster = Cluster()
        try:
            more = _measured("postgres", lambda name: _created(cluster, name))
        finally:
            cluster.remove()
        numbers = {name: numbers.get(name, 0) + more.get(name, 0) for name in (*numbers, *more)}
    return numbers


def _created(cluster: Cluster, name: str) -> str:
    with create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return cluster.url(name)


def _measured(kind: str, new: Callable[[str], str]) -> dict[str, float]:
    urls = {name: new(name) for name in ("raced", "raced_open", "stormed", "stormed_open")}
    for url in urls.values():
        upgrade(url)
    raced, stormed = race(urls["raced"], ROUNDS), storm(urls["stormed"], SECONDS)
    print(f"{kind}: {sorted(stormed.answers.items())}", *stormed.half_courses, *stormed.imbalances, file=sys.stderr)
    return _summed(raced, stormed) | {
        f"booking_{kind}_least_done": min(stormed.done(what) for what in KINDS),
        f"booking_{kind}_doubled_without_guards": race(urls["raced_open"], ROUNDS, guarded=False).doubled,
        f"booking_{kind}_overlaps_without_guards": storm(urls["stormed_open"], UNGUARDED, guarded=False).overlaps,
    }


def _summed(raced: Outcome, stormed: Storm) -> dict[str, float]:
    return {
        "booking_attempts": raced.attempts + stormed.attempts,
        "booking_overlaps": raced.overlaps + stormed.overlaps,
        "booking_deadlocks": stormed.deadlocks,
        "booking_half_courses": raced.half_courses + len(stormed.half_courses),
        "booking_imbalances": len(stormed.imbalances),
        "booking_5xx": sum(n for status, n in raced.answers.items() if status >= 500) + stormed.failures,
        "booking_not_one_winner": sum(winners != 1 for winners in raced.winners),
    }
