"""A worker killed fifty times at every step of a send and anywhere, on both databases."""

import random
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.conftest import upgrade
from tests.faults.killing import Verdict, kill, plan
from tests.postgres import Cluster, binaries
from tracker import db

KILLS = 50
_KINDS = ("sqlite", "postgres")
LIMITS = {f"reminder_{name}_{kind}": 0.0 for kind in _KINDS for name in ("lost", "doubled", "untold", "surprises")} | {
    f"reminder_uncertain_{kind}": float(KILLS) for kind in _KINDS
}  # one message is in flight at a time


def measure() -> dict[str, float]:
    """Kill on SQLite, and on PostgreSQL where the machine has it."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tracker-kills-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        numbers = _killed("sqlite", f"sqlite:///{folder}/tracker.db")
        if binaries():
            cluster = Cluster()
            stack.callback(cluster.remove)
            numbers |= _killed("postgres", cluster.url("postgres"))
        return numbers


def _killed(kind: str, url: str) -> dict[str, float]:
    upgrade(url)
    engine = db.configure(url)
    verdict = kill(url, list(plan(KILLS)), each=4, chance=random.Random(3))
    engine.dispose()
    for surprise in verdict.surprises:
        print(f"{kind}: {surprise}", file=sys.stderr)
    return {f"reminder_{name}_{kind}": value for name, value in _numbers(verdict).items()}


def _numbers(verdict: Verdict) -> dict[str, float]:
    return {
        "kills": verdict.kills,
        "messages": verdict.messages,
        "sent": verdict.sent,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "uncertain": verdict.uncertain,
        "untold": verdict.untold,
        "surprises": len(verdict.surprises),
    }
