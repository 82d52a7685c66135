"""Wishes are data: they survive a JSON column, and nothing else passes for them."""

import json
from dataclasses import FrozenInstanceError
from datetime import UTC, date, time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tracker.rules.plan import Wish, Wishes

CLOCKS = st.none() | st.times(max_value=time(23, 59)).map(lambda clock: clock.replace(second=0, microsecond=0))
INSTANTS = st.datetimes(timezones=st.just(UTC))
MADE = st.builds(
    Wishes,
    earliest=st.dates(),
    weekdays=st.frozensets(st.integers(0, 6)),
    days_off=st.frozensets(st.dates(), max_size=4),
    arrive_from=CLOCKS,
    leave_by=CLOCKS,
    preferred_time=CLOCKS,
    room_id=st.none() | st.uuids(),
    clinician_id=st.none() | st.uuids(),
    hard=st.frozensets(st.sampled_from(Wish)),
    also=st.frozensets(INSTANTS, max_size=3),
    longest_gap=st.none() | st.integers(1, 60),
)


@given(MADE)
def test_wishes_come_back_from_json_as_they_went_in(wishes):
    assert Wishes.from_data(json.loads(json.dumps(wishes.to_data()))) == wishes


def test_the_same_wishes_are_the_same_data():
    days = [date(2026, 3, day) for day in range(2, 28)]

    there, back = (Wishes(days[0], days_off=frozenset(order)) for order in (days, days[::-1]))

    assert json.dumps(there.to_data()) == json.dumps(back.to_data())


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"earliest": "2026-03-02", "sunny": True},
        {"earliest": 1_770_000_000},
        {"earliest": "2026-03-02", "weekdays": ["1"]},
        {"earliest": "2026-03-02", "weekdays": [7]},
        {"earliest": "2026-03-02", "hard": ["money"]},
        {"earliest": "2026-03-02", "also": ["2026-03-04T09:00"]},
        {"earliest": "2026-03-02", "longest_gap": 0},
    ],
    ids=json.dumps,
)
def test_what_are_not_wishes_is_refused(data):
    with pytest.raises(ValidationError):
        Wishes.from_data(data)


def test_wishes_stay_as_they_are():
    with pytest.raises(FrozenInstanceError):
        Wishes(date(2026, 3, 2)).room_id = UUID(int=1)
