"""The way of one message: a mark can't be taken back, an end is an end, pauses grow and vary."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.delivery import LIVE, MOVES, PAUSES, UNSENT, Event, after, next_try
from tracker.rules.vocabulary import ReminderStatus as S

NOW = datetime(2026, 11, 24, 18, 42, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def test_the_whole_way_of_a_message_that_is_taken_at_the_second_try():
    status = S.SCHEDULED
    for event in (Event.LEASE, Event.MARK, Event.DEFER, Event.LEASE, Event.MARK, Event.ACCEPT):
        status = after(status, event)
    assert status is S.ACCEPTED


@pytest.mark.parametrize(
    "event", [Event.RELEASE, Event.CANCEL, Event.SUPERSEDE, Event.EXPIRE, Event.OVERTAKE, Event.SUPPRESS, Event.LEASE]
)
def test_what_is_marked_is_not_called_back(event):
    """The network may have it already; only its end moves it on."""
    with pytest.raises(ValueError, match="sending"):
        after(S.SENDING, event)


AFTERWARDS = {
    Event.FIND,
    Event.DELIVER,
    Event.BOUNCE,
    Event.RESEND,
}  # what a receipt or a person may say of what has ended


@given(st.sampled_from(sorted(set(S) - LIVE)), st.sampled_from(sorted(set(Event) - AFTERWARDS)))
def test_an_end_is_an_end(status, event):
    with pytest.raises(ValueError, match=f"that is {status}"):
        after(status, event)


@given(st.sampled_from(sorted({S.DELIVERED, S.CANCELLED, S.SUPERSEDED})), st.sampled_from(sorted(Event)))
def test_what_arrived_or_is_off_stays_so(status, event):
    with pytest.raises(ValueError, match=f"that is {status}"):
        after(status, event)


def test_what_nobody_marked_has_no_receipt():
    for event in (Event.DELIVER, Event.BOUNCE):
        assert not MOVES[event].sources & UNSENT


def test_only_a_marked_message_can_be_accepted_and_only_a_leased_one_marked():
    assert {event for event in Event if MOVES[event].target is S.ACCEPTED} == {Event.ACCEPT, Event.FIND}
    assert MOVES[Event.FIND].sources == {S.UNCERTAIN}
    assert MOVES[Event.ACCEPT].sources == {S.SENDING}
    assert MOVES[Event.MARK].sources == {S.LEASED}
    assert MOVES[Event.LEASE].sources == {S.SCHEDULED}


def test_every_state_can_be_reached_and_every_event_has_a_move():
    assert {move.target for move in MOVES.values()} == set(S)
    assert set(MOVES) == set(Event)
    assert UNSENT < LIVE


@pytest.mark.parametrize(("tries", "pause"), [*enumerate(PAUSES, start=1), (6, PAUSES[-1]), (99, PAUSES[-1])])
def test_pauses_grow_and_the_last_one_stays(tries, pause):
    assert next_try(tries, NOW, LATER, chance=0.5) == NOW + pause


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_pauses_vary_by_a_fifth(tries, chance):
    pause = PAUSES[min(tries, len(PAUSES)) - 1]
    again = next_try(tries, NOW, LATER, chance=chance)
    assert again is not None
    assert 0.8 * pause <= again - NOW <= 1.2 * pause


def test_what_would_come_too_late_is_not_tried_again():
    assert next_try(1, NOW, NOW + timedelta(seconds=30), chance=0.5) is None
    assert next_try(1, NOW, NOW + timedelta(seconds=31), chance=0.5) is not None


@pytest.mark.parametrize(("tries", "chance"), [(0, 0.5), (1, 1.0), (1, -0.1)])
def test_out_of_range_is_a_bug(tries, chance):
    with pytest.raises(ValueError, match="counted from 1"):
        next_try(tries, NOW, LATER, chance=chance)
