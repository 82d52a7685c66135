"""Each guard taken out, one at a time, in a small form of the measurement that it is for: what happened without it."""

import random
import sys
from collections.abc import Callable

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.faults import changing, hours, outages, providers
from tests.faults.databases import New, for_each, maker, on_each
from tests.faults.killing import kill
from tests.faults.measure_reminder_workers import restarts
from tests.faults.several import WEEK, interrupted, leases, locked, zombies
from tests.postgres import binaries

# Name: what is counted, and what the guard does.
GUARDS = {
    "mark": "sent twice: written down only after it was sent",
    "doubt": "sent twice: what a dead worker was sending is sent again",
    "release": "lost: what a dead worker had leased stays with it",
    "lock": "leased twice: looked for and taken in two steps",
    "epoch": "sent twice: a worker that wakes writes down what is another's by now",
    "stages": "sent twice: silence after the end is taken for a refusal",
    "breaker": "more tries than with it: a way that is down is tried by all, each time",
    "deadline": "seconds more that one message takes: each wait gets its time anew from a server that drips",
    "zone": "at a wrong hour: planned in the clinic's zone, not the patient's",
    "quiet": "at a wrong hour: nothing keeps the night free",
    "correction": "stale: nothing follows a message that left before the change",
    "held": "stale: dates are not held back while they are changed, nor compared at the mark",
    "consent": "after an opt-out: the mark doesn't ask again",
    "asking": "unaccounted for: no task for what was told to nobody",
    "each": "not reached: one broken record, and its whole batch waits",
    "witness": "sent twice: a restored database doesn't know that it is one",
}
ONLY = {
    "patience_sqlite": "uncertain: what was sent is given up when the database is locked",
    "durable_postgres": "sent twice: a commit that PostgreSQL says is there is gone after a crash",
}
FLOORS = for_each(**{f"reminder_without_{name}": 1 for name in GUARDS}) | {
    f"reminder_without_{name}": 1.0 for name in ONLY
}


def measure() -> dict[str, float]:
    """Take out each guard on both databases."""
    numbers = on_each(_measured)
    with maker("sqlite") as sqlite:
        url = sqlite()
        lost = interrupted(url, locked(url, 4.0), messages=60, guard="patience", busy_after=1)
        numbers["reminder_without_patience_sqlite"] = float(lost.uncertain)
    if binaries():
        lossy = ("fsync=off", "synchronous_commit=off", "wal_writer_delay=10s")
        with maker("postgres", settings=lossy) as postgres:
            crashed = interrupted(postgres(), restarts(postgres), messages=300)
            numbers["reminder_without_durable_postgres"] = float(crashed.doubled)
    for name, words in (GUARDS | ONLY).items():
        found = [f"{key.rpartition('_')[2]} {n:g}" for key, n in numbers.items() if f"without_{name}" in key]
        print(f"without {name:<18}{', '.join(found):<28}{words}", file=sys.stderr)
    return numbers


def _measured(new: New) -> dict[str, float]:
    def fresh(measured: Callable[[], float]) -> float:
        new()
        return float(measured())

    chance = random.Random(1)
    numbers = {
        "mark": float(kill(new(), ["answered"], each=1, guard="mark", chance=chance).doubled),
        "doubt": float(kill(new(), ["answered"], each=1, guard="doubt", chance=chance).doubled),
        "release": float(kill(new(), ["leased"], each=1, guard="release", chance=chance).lost),
        "lock": float(_leased_twice(new)),
        "epoch": float(zombies(new(), guard="epoch").doubled),
        "stages": fresh(lambda: _outage("resets after the dot", "stages").doubled),
        "breaker": fresh(lambda: _outage("refuses", "breaker").retried) - fresh(lambda: _outage("refuses", "").retried),
        "deadline": fresh(lambda: providers.held(guard="deadline")) - fresh(providers.held),
        "zone": float(hours.run(new(), "UTC", hours.BEGIN[0], guard="zone").wrong),
        "quiet": float(hours.run(new(), "UTC", hours.BEGIN[0], guard="quiet").wrong),
        "correction": fresh(lambda: changing.race(96, chance, guard="correction").stale),
        "held": fresh(lambda: changing.race(96, chance, guard="held").stale),
        "consent": fresh(lambda: changing.race(120, chance, guard="consent").after_opt_out),
        "asking": fresh(lambda: outages.down(20, guard="asking").unaccounted),
        "each": fresh(lambda: 39 - outages.broken(40, guard="each")[0]),
        "witness": float(outages.restored(new, guard="witness").doubled),
    }
    return {f"reminder_without_{name}": value for name, value in numbers.items()}


def _leased_twice(new: New) -> int:
    url = new()
    mailroom.many(make_clinic(), 150, NOW + WEEK)
    return leases(url, 4, guarded=False).doubled


def _outage(fault: str, guard: str) -> providers.Line:
    return providers.outage(make_clinic(), 0, "mail", fault, guard=guard)
