"""Protocols are data that survive a JSON column, and the shipped ones say what the field says."""

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from tracker.rules.protocol import Protocol
from tracker.rules.protocols import SHIPPED, THREE_A_WEEK, TWO_A_WEEK


@pytest.mark.parametrize("protocol", SHIPPED, ids=lambda protocol: protocol.code)
def test_a_protocol_comes_back_from_json_as_it_went_in(protocol):
    assert Protocol.from_data(json.loads(json.dumps(protocol.to_data()))) == protocol


def test_what_is_not_a_protocol_is_refused():
    with pytest.raises(ValidationError):
        Protocol.from_data({"code": "A", "visits": 6})


def test_the_block_is_two_and_a_half_hours_and_the_patient_leaves_before_the_room_is_reset():
    assert THREE_A_WEEK.block == timedelta(minutes=150)
    assert THREE_A_WEEK.patient_leaves == timedelta(minutes=135)
    assert THREE_A_WEEK.offset("infusion") == timedelta(minutes=35)
    with pytest.raises(KeyError):
        THREE_A_WEEK.offset("lunch")


@pytest.mark.parametrize("protocol", SHIPPED, ids=lambda protocol: protocol.code)
def test_the_plain_rhythm_keeps_the_protocols_own_limits(protocol):
    gaps = [protocol.rhythm[n % len(protocol.rhythm)] for n in range(protocol.visits - 1)]
    assert sum(gaps) <= protocol.max_span_days
    assert all(protocol.min_gap <= timedelta(days=gap) <= protocol.max_gap for gap in gaps)


def test_each_code_is_shipped_once():
    assert len({protocol.code for protocol in SHIPPED}) == len(SHIPPED)


def test_a_longer_gap_is_granted_to_a_series_that_may_then_take_as_much_longer():
    longer = THREE_A_WEEK.with_longer_gap(7)

    assert (longer.max_gap, longer.max_span_days) == (timedelta(days=7, hours=12), 23)
    assert THREE_A_WEEK.with_longer_gap(5) == THREE_A_WEEK.with_longer_gap(None) == THREE_A_WEEK


def test_three_a_week_ends_on_day_11_and_two_a_week_on_day_17():
    assert sum((*THREE_A_WEEK.rhythm, *THREE_A_WEEK.rhythm)[:5]) == 11
    assert sum((*TWO_A_WEEK.rhythm * 3,)[:5]) == 17
