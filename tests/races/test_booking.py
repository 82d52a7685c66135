"""Of sixteen writers who want the same place exactly one gets it, all of it; and the guards are why."""

import pytest

from tests.races.booking_race import WRITERS, race

ROUNDS, PROCESSES = 3, 2  # as many as show it; `make faults` runs more of both


def test_exactly_one_series_is_booked_and_the_others_are_told(database):
    outcome = race(database, ROUNDS, processes=PROCESSES)

    assert outcome.winners == [1] * ROUNDS
    assert outcome.answers == {303: ROUNDS, 422: ROUNDS * (WRITERS - 1)}
    assert (outcome.overlaps, outcome.half_courses) == (0, 0)


@pytest.mark.slow
def test_without_both_guards_the_place_is_given_twice(database):
    """Else the test above would pass whatever the guards do."""
    outcome = race(database, ROUNDS, processes=PROCESSES, guarded=False)

    assert outcome.doubled > 0
    assert outcome.overlaps > 0
