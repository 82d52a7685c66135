"""How long a lost day takes to repair, how many others it touches, and how few it had to at least.

A day with 14 visits in five rooms, of which 70 or 80 % are taken; a day with 40 in twenty rooms, 70 % taken.
"""

import statistics
import time

from tests.benchmarks.damages import damaged
from tracker.rules.damage import Damage, Repair
from tracker.rules.repair import repair

LIMITS = {"repair_14_visits_s": 3.0, "repair_14_80_visits_s": 3.0, "repair_40_visits_s": 10.0}
# rooms, lost, load, and seeds with which the day has so many visits
CASES = {
    "repair_14_{}": (5, 14, 0.7, (3, 5, 7, 8, 9)),
    "repair_14_80_{}": (5, 14, 0.8, (0, 1, 2, 3, 4)),
    "repair_40_{}": (20, 40, 0.7, (0, 1, 2)),
}


def measure() -> dict[str, float]:
    """Return medians over the seeds: seconds for the whole call, visits touched and unplaced, and what was proven."""
    numbers: dict[str, float] = {}
    for name, (rooms, lost, load, seeds) in CASES.items():
        ran = [_repaired(damaged(rooms, lost, load, seed)) for seed in seeds]
        found = [one for _seconds, one in ran]
        numbers |= {
            name.format("visits_s"): statistics.median(seconds for seconds, _one in ran),
            name.format("others_touched"): statistics.median(one.touched for one in found),
            name.format("least_touched"): statistics.median(one.least_touched for one in found),
            name.format("unplaced"): statistics.median(len(one.unplaced) for one in found),
        }
    return numbers


def _repaired(damage: Damage) -> tuple[float, Repair]:
    started = time.perf_counter()
    found = repair(damage)
    return time.perf_counter() - started, found
