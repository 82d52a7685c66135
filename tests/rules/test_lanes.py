"""Lanes of one int behave like the numbers they hold."""

from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.lanes import LARGEST, Lanes

PAIRS = st.lists(st.tuples(st.integers(0, LARGEST), st.integers(0, LARGEST)), min_size=1, max_size=9)


@given(PAIRS)
def test_the_least_of_each_lane(pairs):
    lanes = Lanes(len(pairs))
    one, other = lanes.pack([pair[0] for pair in pairs]), lanes.pack([pair[1] for pair in pairs])

    assert lanes.unpack(lanes.least(one, other)) == [min(pair) for pair in pairs]


@given(PAIRS)
def test_lanes_add_up_and_never_run_into_each_other(pairs):
    lanes = Lanes(len(pairs))
    halves = [(one // 2, other // 2) for one, other in pairs]
    added = lanes.pack([pair[0] for pair in halves]) + lanes.pack([pair[1] for pair in halves])

    assert lanes.unpack(added) == [sum(pair) for pair in halves]
    assert lanes.unpack(3 * lanes.ones) == [3] * len(pairs)
