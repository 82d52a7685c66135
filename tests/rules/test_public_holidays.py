"""Public holidays as they are proposed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.public_holidays import coming, open_on

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("US", date(2026, 11, 26), "Thanksgiving Day"),
        ("US", date(2027, 7, 5), "Independence Day (observed)"),
        ("GB", date(2026, 12, 28), "Boxing Day (observed)"),
    ],
)
def test_the_countrys_own(country, day, name):
    assert name in dict(coming(country, TODAY))[day]


def test_twelve_months_and_no_more():
    """Thanksgiving of next year is in, the one after it is out; each day once, in order."""
    days = [day for day, _name in coming("US", TODAY)]

    assert days == sorted({*days})
    assert days[0] == date(2026, 11, 26)
    assert days[-1] == date(2027, 11, 11)


def test_a_country_nobody_knows_has_none():
    assert coming("ZZ", TODAY) == []


@given(st.dates(date(2020, 1, 1), date(2090, 1, 1)), st.integers(1, 700))
def test_never_outside_of_what_was_asked(today, days):
    assert all(0 <= (day - today).days < days for day, _name in coming("US", today, days))


def test_only_days_on_which_the_clinic_opens_are_proposed():
    found = [(date(2026, 11, 26), "Thanksgiving Day"), (date(2026, 12, 26), "Boxing Day")]

    assert open_on(found, [0, 1, 2, 3, 4]) == found[:1]
