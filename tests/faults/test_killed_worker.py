"""A worker killed at each step of a send: nothing lost, nothing twice, and each guard is there for a reason."""

import random

import pytest

from tests.faults.killing import kill

# `make faults` dies at every step, fifty times.
STEPS = ("looked", "marking", "connected", "handed over", "recorded")


def test_a_killed_worker_loses_nothing_and_doubles_nothing(database):
    verdict = kill(database, STEPS, each=2, chance=random.Random(1))
    assert verdict.surprises == []
    assert (verdict.kills, verdict.lost, verdict.doubled, verdict.untold) == (len(STEPS), 0, 0, 0)
    # What became of one message and the mark of the next are one commit: who dies after it has marked one more.
    assert verdict.uncertain == 3, "connected; handed over; and the one after what was recorded"
    assert verdict.sent == verdict.messages - 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("guard", "step", "doubled", "lost"),
    [
        ("mark", "answered", True, False),  # marked afterwards
        ("doubt", "answered", True, False),  # what was being sent is taken for not sent
        ("release", "leased", False, True),  # what a dead worker had is never taken back
    ],
)
def test_without_a_guard_the_same_test_is_red(database, guard, step, doubled, lost):
    verdict = kill(database, [step], each=1, guard=guard, chance=random.Random(1))
    assert (verdict.doubled > 0, verdict.lost > 0) == (doubled, lost)
