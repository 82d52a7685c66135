"""Lanes of one int behave like the numbers they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.lanes import Lanes, width_for

WIDTHS = pytest.mark.parametrize("width", [16, 32])


def pairs(width):
    number = st.integers(0, (1 << width - 1) - 1)
    return st.lists(st.tuples(number, number), min_size=1, max_size=9)


@WIDTHS
@given(st.data())
def test_the_least_of_each_lane(width, data):
    drawn = data.draw(pairs(width))
    lanes = Lanes(len(drawn), width)
    one, other = (lanes.pack(numbers) for numbers in zip(*drawn, strict=True))

    least = lanes.least(one, other)

    assert lanes.unpack(least) == [min(pair) for pair in drawn]
    assert [lanes.one(least, n) for n in range(len(drawn))] == [min(pair) for pair in drawn]


@WIDTHS
@given(st.data())
def test_lanes_add_up_and_never_run_into_each_other(width, data):
    halves = [(one // 2, other // 2) for one, other in data.draw(pairs(width))]
    lanes = Lanes(len(halves), width)
    one, other = (lanes.pack(numbers) for numbers in zip(*halves, strict=True))

    assert lanes.unpack(one + other) == [sum(pair) for pair in halves]


def test_lanes_one_after_the_other():
    two, six = Lanes(2, 16), Lanes(6, 16)
    pair = two.pack([5, 7])

    assert six.unpack(two.again(pair, 3)) == [5, 7, 5, 7, 5, 7]
    assert six.unpack(two.one_by_one([pair, 9 * two.ones, 0])) == [5, 7, 9, 9, 0, 0]


def test_sums_and_what_cannot_be_fit_beside_each_other():
    for most in (0, 12_000, 16_383, 16_384, 1_000_000):
        lanes = Lanes(1, width_for(most))
        assert most < lanes.infinite
        assert lanes.infinite + most < 1 << lanes.width - 1
