"""Workers killed two hundred times, four at a time, at every step of a send and anywhere, on both databases."""

import random
import sys

from tests.faults.databases import New, for_each, on_each
from tests.faults.killing import Verdict, kill, plan

KILLS, MESSAGES, AT_ONCE, EACH = 210, 2100, 4, 10
# One message is in flight at a time in each worker.
LIMITS = for_each(reminder_lost=0, reminder_doubled=0, reminder_untold=0, reminder_surprises=0) | for_each(
    reminder_uncertain=KILLS
)
FLOORS = for_each(reminder_kills=200, reminder_messages=2000)


def measure() -> dict[str, float]:
    """Kill on SQLite, and on PostgreSQL where the machine has it."""
    return on_each(_killed)


def _killed(new: New) -> dict[str, float]:
    steps = list(plan(KILLS))
    verdict = kill(new(), steps, each=EACH, chance=random.Random(3), at_once=AT_ONCE, messages=MESSAGES)
    for surprise in verdict.surprises:
        print(f"{new.kind}: {surprise}", file=sys.stderr)
    return {f"reminder_{name}": value for name, value in _numbers(verdict).items()}


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
