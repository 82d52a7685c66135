"""Of sixteen writers who want the same place exactly one gets it, all of it; and the guards are why."""

import pytest

from tests.races.booking_race import WRITERS, race
from tests.races.storm import storm

ROUNDS, PROCESSES = 3, 2  # as many as show it; `make faults` runs more of both
SECONDS, LONGEST = 4, 20


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


def test_in_a_storm_of_everything_a_desk_does_the_books_stay_balanced(database):
    """Booked, moved, shifted, cancelled, replaced and repaired at once; `make faults` does it for a minute."""
    found = storm(database, SECONDS, processes=PROCESSES)

    assert (found.overlaps, found.deadlocks, found.failures) == (0, 0, 0), found.answers
    assert found.half_courses == []
    assert found.imbalances == []
    assert all(found.done(what) for what in ("book", "move", "cancel")), found.answers
    assert found.answers["book", 422] > 0, "nobody came second, so nothing was tried"


@pytest.mark.slow
def test_without_both_guards_the_storm_books_over_one_another(database):
    found = storm(database, LONGEST, processes=PROCESSES, guarded=False, till_overlap=True)

    assert found.overlaps > 0
