"""When nothing fits: the smallest single changes with which something does, in a coordinator's words."""

from dataclasses import replace
from datetime import date, time, timedelta

from tests.rules.clinics import HALE, JUNIPER, KIM, MONDAY, SAGE, WONG, ClinicWeek
from tracker.rules.plan import Rule, Wish
from tracker.rules.planner import plan, relaxations
from tracker.rules.protocols import THREE_A_WEEK, TWO_A_WEEK


def said(request, wider=None):
    """What is said; each change must give a plan."""
    found = relaxations(request, wider)
    for one in found:
        if one.rule is not Rule.LATER:
            assert plan(replace(request, wishes=one.wishes)), one.text
    return [one.text for one in found]


def test_where_something_fits_nothing_need_change():
    assert relaxations(ClinicWeek().request()) == []


def test_one_visit_at_another_hour_is_the_least_that_she_could_grant():
    clinic = ClinicWeek(days=18)
    clinic.take(SAGE, "2026-03-09 10:55", "2026-03-09 17:45")
    clinic.take(SAGE, "2026-03-10 08:00", "2026-03-10 17:45")
    clinic.take(SAGE, "2026-03-06 08:00", "2026-03-06 17:45")
    clinic.take(SAGE, "2026-03-05 08:00", "2026-03-05 17:45")

    request = clinic.request(THREE_A_WEEK, arrive_from=time(9))

    assert said(request) == [
        "Fits if the patient can come at 8:15 AM on Mon, Mar 9",
        "Fits if a gap may be 7 days instead of 5",
    ]
    best = plan(replace(request, wishes=relaxations(request)[0].wishes))[0]
    assert [clinic.say(start) for start in best.starts if start.astimezone(clinic.zone).hour < 9] == ["Mon 09 08:15"]
    assert not any(reason.cost for reason in best.reasons if reason.why == "wish")


def test_a_day_off_a_weekday_and_a_first_day():
    clinic = ClinicWeek(days=12)
    five = replace(THREE_A_WEEK, visits=5)

    mondays_and_fridays = clinic.request(five, weekdays=frozenset({0, 4}))
    day_off = clinic.request(days_off=frozenset({date(2026, 3, 4), date(2026, 4, 1)}))
    late = clinic.request(weekdays=frozenset({0, 2, 4}), earliest=date(2026, 3, 3))

    assert said(mondays_and_fridays) == ["Fits on Wednesdays too"]
    assert relaxations(mondays_and_fridays)[0].in_the_way == "Never on Tuesdays, Wednesdays, Thursdays"
    assert said(day_off) == ["Fits if the patient can come on Wed, Mar 4"]
    assert said(late) == ["Fits if the patient can begin on Mon, Mar 2"]
    four = clinic.request(replace(THREE_A_WEEK, visits=4), earliest=date(2026, 3, 9))
    assert said(four) == ["Fits if the patient can begin on Fri, Mar 6"]
    assert relaxations(four)[0].wishes.earliest == date(2026, 3, 6)


def test_hours_that_have_to_give_every_day():
    clinic = ClinicWeek(resources=(SAGE, KIM, HALE))
    for n in range(28):
        clinic.take(SAGE, f"{MONDAY + timedelta(days=n)} 10:40", f"{MONDAY + timedelta(days=n)} 15:15")

    request = clinic.request(leave_by=time(16), arrive_from=time(9))

    assert said(request) == [
        "Fits if the patient can come from 8:00 AM on",
        "Fits if the patient may leave by 5:30 PM",
    ]
    assert {one.in_the_way for one in relaxations(request)} == {"Only from 9:00 AM to 4:00 PM"}


def test_a_room_a_clinician_and_a_time_that_must_be():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE, WONG))
    clinic.close(JUNIPER, "2026-03-02 00:00", "2026-04-01 00:00")
    clinic.close(WONG, "2026-03-02 00:00", "2026-04-01 00:00")

    assert said(clinic.request(room_id=JUNIPER.id, hard=frozenset(Wish))) == ["Fits if not every visit is in Juniper"]
    assert said(clinic.request(clinician_id=WONG.id, hard=frozenset(Wish))) == [
        "Fits if not every visit is with Dr Wong"
    ]
    assert said(clinic.request(preferred_time=time(16, 30), hard=frozenset(Wish))) == [
        "Fits at 3:30 PM instead of 4:30 PM"
    ]


def test_a_later_first_day_is_found_in_wider_free_time():
    clinic = ClinicWeek(days=14)
    clinic.close(None, "2026-03-02 00:00", "2026-03-25 00:00")
    request = clinic.request()
    clinic.days = 60

    (later,) = relaxations(request, clinic.free())

    assert (later.text, later.in_the_way) == ("Fits from Wed, Mar 25", "Nothing until Sun, Mar 15")
    assert later.wishes.earliest == date(2026, 3, 25)
    assert plan(replace(request, free=clinic.free(), wishes=later.wishes))


def test_the_clinic_may_grant_a_longer_gap_or_a_longer_series_after_what_it_may_ask_of_the_patient():
    clinic = ClinicWeek(days=10)
    clinic.close(None, "2026-03-03 00:00", "2026-03-10 00:00")
    two = replace(THREE_A_WEEK, visits=2)

    assert said(clinic.request(two, days_off=frozenset({date(2026, 3, 11)}))) == [
        "Fits if a gap may be 8 days instead of 5",
    ]
    assert said(clinic.request(replace(two, max_gap=timedelta(days=20), max_span_days=7))) == [
        "Fits if the series may take 8 days instead of 7"
    ]
    (granted,) = relaxations(clinic.request(two))
    assert (granted.by_patient, granted.in_the_way, granted.wishes.longest_gap) == (
        False,
        "No gap longer than 5 days",
        8,
    )


def test_a_series_that_is_under_way_goes_on_from_what_was_given():
    clinic = ClinicWeek(first=date(2026, 3, 9), days=19)
    given = tuple(clinic.at(f"2026-03-0{day} 09:00") for day in (2, 4))

    request = replace(clinic.request(earliest=date(2026, 3, 12)), given=given)

    assert said(request) == [
        "Fits if a gap may be 8 days instead of 5",
    ]


def test_no_series_has_two_visits_on_one_day_however_long_the_clinic_is_open():
    clinic = ClinicWeek(days=2)
    clinic.opening = tuple((weekday, 0, 1440) for weekday in range(7))
    twice = replace(THREE_A_WEEK, visits=2, min_gap=timedelta(hours=20))

    assert said(clinic.request(twice, days_off=frozenset({date(2026, 3, 3)}))) == [
        "Fits if the patient can come on Tue, Mar 3"
    ]
    assert said(clinic.request(twice, days_off=frozenset({date(2026, 3, 2)}))) == [
        "Fits if the patient can come on Mon, Mar 2"
    ]


def test_a_visit_at_another_hour_keeps_the_gap_to_the_next_to_the_minute():
    clinic = ClinicWeek(days=2)
    clinic.take(SAGE, "2026-03-02 10:35", "2026-03-02 17:45")
    clinic.take(SAGE, "2026-03-03 11:35", "2026-03-03 17:45")
    a_day = {"min_gap": timedelta(hours=25), "max_gap": timedelta(hours=26)}

    request = clinic.request(replace(THREE_A_WEEK, visits=2, **a_day), arrive_from=time(9))

    assert said(request) == ["Fits if the patient can come at 8:00 AM on Mon, Mar 2"]


def test_everything_is_free_again_when_the_patient_can_come_once_more():
    """Visit 2 of three can only be on a day on which the clinic is taken but for one early hour."""
    clinic = ClinicWeek(days=5)
    clinic.take(SAGE, "2026-03-04 10:35", "2026-03-04 17:45")
    clinic.take(SAGE, "2026-03-03 08:00", "2026-03-03 17:45")
    clinic.take(SAGE, "2026-03-05 08:00", "2026-03-05 17:45")
    three = replace(TWO_A_WEEK, visits=3)

    assert said(clinic.request(three, arrive_from=time(9))) == ["Fits if the patient can come at 8:00 AM on Wed, Mar 4"]


def test_of_several_other_hours_it_is_the_one_nearest_to_the_time_that_must_be():
    clinic = ClinicWeek(days=3)
    clinic.take(SAGE, "2026-03-03 08:00", "2026-03-03 17:45")
    clinic.take(SAGE, "2026-03-04 10:35", "2026-03-04 11:30")
    two = replace(THREE_A_WEEK, visits=2)

    request = clinic.request(two, preferred_time=time(10), hard=frozenset(Wish))

    assert said(request) == ["Fits if the patient can come at 11:30 AM on Wed, Mar 4"]
