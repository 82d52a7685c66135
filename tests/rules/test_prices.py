"""What each wish costs, in a coordinator's words."""

from datetime import date, time

from tests.rules.clinics import HALE, JUNIPER, KIM, SAGE, ClinicWeek
from tracker.rules.plan import Wish
from tracker.rules.planner import plan, wish_prices
from tracker.rules.protocols import THREE_A_WEEK, TWO_A_WEEK


def said(request):
    best = plan(request, k=1)[0]
    return [price.text for price in wish_prices(request, best)]


def test_a_wish_that_changes_nothing_has_no_price():
    assert said(ClinicWeek().request(weekdays=frozenset({0, 2, 4}), leave_by=time(17, 30))) == []


def test_never_wednesdays_make_three_a_week_longer():
    clinic = ClinicWeek()

    assert said(clinic.request(weekdays=frozenset({0, 1, 4}))) == [
        "Without “Never on Wednesdays, Thursdays”: starts Mon, Mar 2 instead of Tue, Mar 3,"
        " ends Fri, Mar 13 instead of Fri, Mar 20"
    ]


def test_an_hour_that_is_not_free_every_day_costs_the_same_hour_every_day():
    clinic = ClinicWeek()
    clinic.take(SAGE, "2026-03-06 10:30", "2026-03-06 17:45")

    assert said(clinic.request(THREE_A_WEEK, preferred_time=time(10))) == [
        "Without “Around 10:00 AM”: every visit at 8:00 AM"
    ]


def test_days_off_cost_a_later_start():
    clinic = ClinicWeek()

    assert said(clinic.request(TWO_A_WEEK, days_off=frozenset({date(2026, 3, 2), date(2026, 3, 3)}))) == [
        "Without “Days off”: starts Mon, Mar 2 instead of Thu, Mar 5, ends Thu, Mar 19 instead of Mon, Mar 23"
    ]


def test_a_room_that_must_be_had():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))
    clinic.close(JUNIPER, "2026-03-02 00:00", "2026-03-05 00:00")

    request = clinic.request(room_id=JUNIPER.id, hard=frozenset({Wish.ROOM}))

    assert said(request) == [
        "Without “Every visit in Juniper”: starts Mon, Mar 2 instead of Fri, Mar 6,"
        " ends Fri, Mar 13 instead of Wed, Mar 18"
    ]
