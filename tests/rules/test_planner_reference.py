"""The planner against CP-SAT on a few instances; `make bench` compares more than two hundred."""

import pytest

from tests.benchmarks.cpsat_reference import Reference
from tests.benchmarks.instances import instance
from tracker.rules.planner import plan

# Rooms, load, seed: each protocol of the generator, with visits given and without, easy and hard to place.
CASES = [
    *((3, 0.9 - 0.1 * (seed % 5), seed) for seed in range(8)),
    *((5, load, seed) for load, seed in ((0.5, 2), (0.7, 10), (0.8, 4))),
    (20, 0.9, 2),
]


@pytest.mark.parametrize(("rooms", "load", "seed"), CASES)
def test_three_plans_cost_what_cp_sat_finds(rooms, load, seed):
    request = instance(rooms, load, seed).request()

    plans = plan(request)

    assert [one.cost for one in plans] == Reference(request).solve(plans)
