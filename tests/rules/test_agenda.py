"""Weeks and months as calendars show them, and lists in every order."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.clinics import DENVER
from tracker.rules.agenda import (
    DayLoad,
    Entry,
    Filters,
    Order,
    by_day,
    in_order,
    month_before,
    next_month,
    shown_weekdays,
    unconfirmed_drivers,
    week_of,
    weeks_of_month,
)
from tracker.rules.vocabulary import VisitStatus

DAYS = st.dates(date(1950, 1, 1), date(2099, 11, 30))
NOON = datetime(2026, 3, 2, 12, tzinfo=DENVER)
SAGE, MESA = UUID(int=1), UUID(int=2)


def an_entry(patient: str, hours: int = 0, room: UUID = SAGE, status: VisitStatus = VisitStatus.BOOKED) -> Entry:
    starts_at = NOON + timedelta(hours=hours)
    return Entry(
        id=UUID(int=abs(hash(patient)) + 1),
        patient_id=UUID(int=7),
        patient=patient,
        ordinal=1,
        of=6,
        sequence=1,
        protocol_id=UUID(int=8),
        title="Two a week",
        room_id=room,
        nurse_id=UUID(int=3),
        physician_id=UUID(int=4),
        status=status,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=150),
        driver_confirmed=False,
    )


@given(DAYS)
def test_a_month_is_whole_weeks_from_monday_that_hold_each_of_its_days_once(day):
    weeks = weeks_of_month(day)
    flat = [one for week in weeks for one in week]

    assert all(len(week) == 7 and week[0].weekday() == 0 for week in weeks)
    assert flat == [flat[0] + timedelta(days=n) for n in range(len(flat))]
    assert (
        sum((one.year, one.month) == (day.year, day.month) for one in flat)
        == (next_month(day) - day.replace(day=1)).days
    )
    assert any(one.month == day.month for one in weeks[0])
    assert any(one.month == day.month for one in weeks[-1])
    assert month_before(next_month(day)) == day.replace(day=1)
    assert day in week_of(day)


def test_a_calendar_shows_the_days_the_clinic_opens_and_those_on_which_somebody_comes():
    """A clinic that opens on weekdays shows Saturday in the week in which somebody came."""
    assert shown_weekdays([0, 1, 2, 3, 4], []) == [0, 1, 2, 3, 4]
    assert shown_weekdays([4, 0], [date(2026, 3, 7)]) == [0, 4, 5]
    assert shown_weekdays([], []) == [0, 1, 2, 3, 4]


def test_visits_belong_to_the_clinics_day_whatever_the_date_is_in_utc():
    late = an_entry("Late, Ada", 11)  # 23:00 in Denver is the next day in UTC

    assert list(by_day([late], DENVER)) == [date(2026, 3, 2)]


@pytest.mark.parametrize(
    ("order", "down", "said"),
    [
        (Order.WHEN, False, "bac"),
        (Order.WHEN, True, "cab"),
        (Order.PATIENT, False, "abc"),
        (Order.ROOM, False, "bca"),
        (Order.STATE, False, "bac"),
    ],
)
def test_a_list_in_order(order, down, said):
    """Mesa before Sage; what is equal stays in order of time."""
    entries = [an_entry("c", 5, MESA, VisitStatus.CANCELLED), an_entry("a", 2, SAGE), an_entry("b", 1, MESA)]

    found = in_order(entries, order, {SAGE: "Sage", MESA: "Mesa"}, descending=down)

    assert "".join(one.patient for one in found) == said


def test_drivers_of_the_next_day_count_and_no_others():
    booked = VisitStatus.BOOKED
    visits = [
        (booked, NOON + timedelta(hours=2), False),
        (VisitStatus.READY, NOON - timedelta(hours=2), False),
        (booked, NOON + timedelta(hours=3), True),
        (booked, NOON + timedelta(hours=25), False),
        (VisitStatus.DISCHARGED, NOON, False),
    ]

    assert unconfirmed_drivers(visits, NOON) == 2


@pytest.mark.parametrize(("booked", "of", "share", "full"), [(0, 0, 0, False), (6, 9, 67, False), (9, 9, 100, True)])
def test_how_full_a_day_is(booked, of, share, full):
    load = DayLoad(date(2026, 3, 2), booked, of)

    assert (load.share, load.full) == (share, full)


def test_filters_go_along_as_an_address_carries_them():
    assert not Filters()
    assert Filters(room=SAGE, protocol="B").args == {"room": str(SAGE), "protocol": "B"}
