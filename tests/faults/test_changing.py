"""A change races a message that is about to leave: what was told last is true, and an opt-out counts at once."""

import random

import pytest

from tests.faults.changing import race


def test_what_was_told_last_is_true(database):
    found = race(18, random.Random(1))
    assert (found.stale, found.after_opt_out) == (0, 0)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_without_the_correction_the_same_test_is_red(database):
    assert race(24, random.Random(1), guard="correction").stale > 0
