"""Sixteen writers, twenty rounds, both databases: one winner a round; and what happens without the guards."""

import shutil
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.conftest import upgrade
from tests.postgres import Cluster, binaries
from tests.races.booking_race import Outcome, race

LIMITS = {"booking_overlaps": 0, "booking_half_courses": 0, "booking_5xx": 0, "booking_not_one_winner": 0}
ROUNDS = 20


def measure() -> dict[str, float]:
    """Return what went wrong in all rounds on both databases, and the rounds doubled without guards on each."""
    folder = Path(tempfile.mkdtemp())
    try:
        guarded, doubled = _on_sqlite(folder)
        runs, numbers = [guarded], {"booking_sqlite_doubled_without_guards": float(doubled)}
        if binaries():
            guarded, doubled = _on_postgresql()
            runs.append(guarded)
            numbers["booking_postgres_doubled_without_guards"] = float(doubled)
        return numbers | _summed(runs)
    finally:
        shutil.rmtree(folder)


def _summed(runs: list[Outcome]) -> dict[str, float]:
    return {
        "booking_attempts": sum(run.attempts for run in runs),
        "booking_overlaps": sum(run.overlaps for run in runs),
        "booking_half_courses": sum(run.half_courses for run in runs),
        "booking_5xx": sum(count for run in runs for status, count in run.answers.items() if status >= 500),
        "booking_not_one_winner": sum(winners != 1 for run in runs for winners in run.winners),
    }


def _on_sqlite(folder: Path) -> tuple[Outcome, int]:
    urls = [f"sqlite:///{folder}/{name}.db" for name in ("guarded", "open")]
    for url in urls:
        upgrade(url)
    return race(urls[0], ROUNDS), race(urls[1], ROUNDS, guarded=False).doubled


def _on_postgresql() -> tuple[Outcome, int]:
    cluster = Cluster()
    try:
        with create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT").connect() as connection:
            for name in ("guarded", "open"):
                connection.execute(text(f"CREATE DATABASE {name}"))
                upgrade(cluster.url(name))
        guarded = race(cluster.url("guarded"), ROUNDS)
        return guarded, race(cluster.url("open"), ROUNDS, guarded=False).doubled
    finally:
        cluster.remove()
