"""How long three plans take: six weeks of free time laid out and searched, 70 % of the places taken."""

import statistics
import time

from tests.benchmarks.instances import Instance, instance
from tracker.rules.planner import plan

LIMITS = {"plan_5_rooms_ms_median": 60.0, "plan_5_rooms_ms_p95": 200.0, "plan_20_rooms_ms_p95": 300.0}
LOAD = 0.7
SIZES = {3: 60, 5: 100, 20: 40}  # rooms, instances


def measure() -> dict[str, float]:
    """Return medians and 95th percentiles in milliseconds, each instance once after one to warm up."""
    numbers: dict[str, float] = {}
    for rooms, count in SIZES.items():
        made = [instance(rooms, LOAD, seed) for seed in range(count + 1)]
        spent = sorted(_milliseconds(one) for one in made)
        numbers[f"plan_{rooms}_rooms_ms_median"] = statistics.median(spent)
        numbers[f"plan_{rooms}_rooms_ms_p95"] = spent[int(0.95 * len(spent))]
        numbers[f"plan_{rooms}_rooms_ms_worst"] = spent[-1]
    return numbers


def _milliseconds(one: Instance) -> float:
    started = time.perf_counter()
    plan(one.request())
    return (time.perf_counter() - started) * 1000
