"""When nothing fits: the smallest single changes with which something does, in a coordinator's words."""

from dataclasses import replace
from datetime import time

from tests.rules.clinics import SAGE, ClinicWeek
from tracker.rules.plan import Rule
from tracker.rules.planner import plan, relaxations
from tracker.rules.protocols import THREE_A_WEEK


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
