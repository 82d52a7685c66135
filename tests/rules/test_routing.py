"""By which way a message leaves, and how many texts are enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.cadence import Purpose
from tracker.rules.routing import EMAIL, PREFERRED, PRESSING, SMS, Limits, Reach, Route, Used, route
from tracker.rules.settings import Settings

BOTH = Reach(email=True, sms=True)
NONE_YET = Used()
LIMITS = Limits()
reaches = st.builds(Reach, email=st.booleans(), sms=st.booleans(), more_texts=st.booleans())
uses = st.builds(Used, today=st.integers(0, 5), week=st.integers(0, 9))
limits = st.builds(Limits, a_day=st.integers(0, 3), a_week=st.integers(0, 7))


def test_every_purpose_has_a_way_that_suits_it():
    assert set(PREFERRED) == set(Purpose)


@pytest.mark.parametrize("purpose", [Purpose.VISIT, Purpose.SAME_DAY, Purpose.NEXT_DAY, Purpose.CLOSED])
def test_what_is_of_use_for_hours_is_a_text(purpose):
    assert route(purpose, BOTH, NONE_YET, LIMITS) == Route(SMS)


@pytest.mark.parametrize("purpose", [Purpose.ITINERARY, Purpose.CHANGED, Purpose.THERAPY, Purpose.QUESTIONNAIRE])
def test_what_is_long_or_can_wait_is_a_letter(purpose):
    assert route(purpose, BOTH, NONE_YET, LIMITS) == Route(EMAIL)


def test_without_consent_to_texts_it_is_a_letter_and_says_why():
    reach = Reach(email=True, sms=False, no_sms="No consent to texts.")
    assert route(Purpose.VISIT, reach, NONE_YET, LIMITS) == Route(EMAIL, "No consent to texts.")


def test_without_an_address_a_letter_is_a_text():
    reach = Reach(email=False, sms=True, no_email="No consent to e-mail.")
    assert route(Purpose.ITINERARY, reach, NONE_YET, LIMITS) == Route(SMS, "No consent to e-mail.")


def test_who_can_not_be_reached_gets_nothing_and_both_reasons_are_said():
    reach = Reach(email=False, sms=False, no_email="No e-mail address.", no_sms="No number for texts.")
    assert route(Purpose.VISIT, reach, NONE_YET, LIMITS) == Route(None, "No number for texts. No e-mail address.")


def test_a_reason_for_both_is_said_once():
    reach = Reach(
        email=False, sms=False, no_email="The patient wants no messages.", no_sms="The patient wants no messages."
    )
    assert route(Purpose.VISIT, reach, NONE_YET, LIMITS).why == "The patient wants no messages."


@pytest.mark.parametrize(
    ("used", "why"),
    [
        (Used(today=1, week=1), "No more texts today: 1 of 1 sent."),
        (Used(today=0, week=3), "No more texts this week: 3 of 3 sent."),
    ],
)
def test_beyond_the_limit_it_is_a_letter(used, why):
    assert route(Purpose.VISIT, BOTH, used, LIMITS) == Route(EMAIL, why)


def test_beyond_the_limit_without_an_address_it_is_nothing_today():
    reach = Reach(email=False, sms=True)
    sent = route(Purpose.VISIT, reach, Used(today=1, week=1), LIMITS)
    assert (sent.channel, sent.capped) == (None, True)
    assert sent.why == "No more texts today: 1 of 1 sent. No e-mail address."


def test_who_agreed_to_more_texts_gets_them_but_one_a_day():
    reach = Reach(email=True, sms=True, more_texts=True)
    assert route(Purpose.VISIT, reach, Used(today=0, week=9), LIMITS).channel is SMS
    assert route(Purpose.VISIT, reach, Used(today=1, week=9), LIMITS).channel is EMAIL


def test_a_closed_door_is_told_beyond_any_limit():
    assert route(Purpose.CLOSED, BOTH, Used(today=4, week=9), LIMITS) == Route(SMS)
    assert route(Purpose.CHANGED, Reach(email=False, sms=True), Used(today=4, week=9), LIMITS).channel is SMS


@given(st.sampled_from(Purpose), reaches, uses, limits)
def test_nothing_goes_where_it_may_not(purpose, reach, used, limits):
    sent = route(purpose, reach, used, limits)
    if sent.channel is EMAIL:
        assert reach.email
    if sent.channel is SMS:
        assert reach.sms
        assert purpose in PRESSING or used.today < limits.a_day
        assert purpose in PRESSING or reach.more_texts or used.week < limits.a_week
    # Silence, and a way that isn't the best one, have a reason.
    assert bool(sent.why) == (sent.channel is not PREFERRED[purpose])
    # Whoever can be written to is, but for the limit.
    if sent.channel is None:
        assert not reach.email
        assert sent.capped == reach.sms


def test_a_clinic_has_its_own_limits():
    assert Limits.of(Settings()) == Limits(1, 3)
