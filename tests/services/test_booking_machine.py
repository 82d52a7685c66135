"""Series in the hands of a desk, in any order: `make faults` takes 2,000 steps on each database."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.services.booking_machine import Desk, done

WHAT = ("book", "move", "shift", "cancel", "miss", "give", "replace", "close", "apply")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def run(examples: int, steps: int) -> None:
    """Take as many steps in as many clinics of the configured database, always the same ones."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),  # what a failure shrinks to takes minutes to find
        suppress_health_check=SLOW,
    )
    run_state_machine_as_test(Desk, settings=chosen)


@pytest.mark.slow
def test_whatever_a_desk_does_the_database_says_what_the_model_says(database):
    before = done.copy()
    run(examples=5, steps=25)
    reached = done - before
    assert all(reached[what] for what in WHAT), reached
