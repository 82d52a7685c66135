"""Which tasks a course asks for, and that a closed day moves them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules import followup
from tracker.rules.followup import Happening
from tracker.rules.protocols import SINGLE, THREE_A_WEEK, TWO_A_WEEK
from tracker.rules.vocabulary import Role
from tracker.rules.vocabulary import VisitStatus as S

DENVER = ZoneInfo("America/Denver")
COURSE = UUID(int=7)
THANKSGIVING = date(2026, 11, 26)


def hours(day):
    if day.weekday() > 4 or day == THANKSGIVING:
        return None
    return time(8), time(17, 45)


def local(day, clock="09:00"):
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=DENVER).astimezone(UTC)


def said(instant):
    return f"{instant.astimezone(DENVER):%a %d %H:%M}"


def plan(visits, protocol=TWO_A_WEEK):
    return followup.wanted(COURSE, visits, protocol, zone=DENVER, hours=hours)


def booked(*days, protocol=TWO_A_WEEK):
    return [Happening(UUID(int=n), local(day), S.BOOKED) for n, day in enumerate(days, start=1)]


def gone(visit, clock="12:15"):
    day = visit.starts_at.astimezone(DENVER).date()
    return replace(visit, status=S.DISCHARGED, left_at=local(day, clock))


SIX = ("2026-11-03", "2026-11-06", "2026-11-10", "2026-11-13", "2026-11-17", "2026-11-20")


def test_booking_asks_for_the_weekly_scores_alone():
    tasks = plan(booked(*SIX))
    assert [t.code for t in tasks] == ["weekly_score"] * 6
    assert tasks[0].opens_at == local("2026-11-10")
    assert tasks[0].due_at == local("2026-11-12")
    assert len({t.key for t in tasks}) == 6


def test_going_home_asks_for_a_call_and_a_therapy_session():
    first, *rest = booked(*SIX)
    tasks = {t.code: t for t in plan([gone(first), *rest]) if t.visit_id == first.id}
    call, therapy = tasks["next_day_check_in"], tasks["therapy_session"]
    assert (said(call.opens_at), said(call.due_at)) == ("Wed 04 08:00", "Wed 04 17:45")
    assert (said(therapy.opens_at), said(therapy.due_at)) == (
        "Wed 04 08:00",
        "Fri 06 12:15",
    )
    assert call.owner is Role.NURSE


def test_a_friday_is_called_on_monday():
    friday = gone(booked("2026-11-06")[0])
    (call,) = [t for t in plan([friday]) if t.code == "next_day_check_in"]
    assert (said(call.opens_at), said(call.due_at)) == ("Mon 09 08:00", "Mon 09 17:45")


def test_thanksgiving_moves_wednesdays_call_to_friday():
    wednesday = gone(booked("2026-11-25")[0])
    (call,) = [t for t in plan([wednesday]) if t.code == "next_day_check_in"]
    assert said(call.opens_at) == "Fri 27 08:00"


def test_the_review_waits_for_the_whole_series():
    visits = [gone(v) for v in booked(*SIX)]
    assert "response_review" not in {t.code for t in plan(visits[:5])}
    tasks = {t.code: t for t in plan(visits)}
    # Seven days after Friday 20 is Friday 27.
    assert said(tasks["response_review"].opens_at) == "Fri 27 08:00"
    assert tasks["response_review"].owner is Role.PHYSICIAN
    assert said(tasks["medication_review"].opens_at) == "Fri 04 08:00"
    assert said(tasks["medication_review"].due_at) == "Fri 18 12:15"


@pytest.mark.parametrize("status", [S.CANCELLED, S.NO_SHOW, S.HELD, S.TRANSFERRED])
def test_a_visit_that_was_not_given_asks_for_nothing(status):
    visits = [replace(v, status=status) for v in booked(*SIX)]
    assert plan(visits) == []


def test_a_replaced_visit_completes_the_series():
    visits = [gone(v) for v in booked(*SIX)]
    visits[2] = replace(visits[2], status=S.NO_SHOW, left_at=None)
    extra = gone(Happening(uuid4(), local("2026-11-24"), S.BOOKED))
    tasks = {t.code: t for t in plan([*visits, extra])}
    assert said(tasks["response_review"].opens_at) == "Tue 01 08:00"


def test_a_naive_instant_is_a_bug():
    with pytest.raises(ValueError, match="aware"):
        plan([Happening(uuid4(), datetime(2026, 11, 3), S.BOOKED)])


statuses = st.sampled_from(S)
days = st.integers(0, 400)


@given(st.lists(st.tuples(days, statuses), max_size=8), st.sampled_from((THREE_A_WEEK, TWO_A_WEEK, SINGLE)))
def test_asked_twice_in_any_order_it_wants_the_same(rows, protocol):
    visits = []
    for n, (offset, status) in enumerate(rows):
        start = local("2026-01-05") + timedelta(days=offset)
        left = start + timedelta(hours=2, minutes=30) if status is S.DISCHARGED else None
        visits.append(Happening(UUID(int=n), start, status, left))
    tasks = plan(visits, protocol)
    assert tasks == plan(visits[::-1], protocol)
    assert len({t.key for t in tasks}) == len(tasks)
    assert all(t.opens_at <= t.due_at for t in tasks)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(0, 30 * 24))
def test_staff_work_opens_and_ends_while_the_clinic_is_open(target, window):
    target = target.replace(tzinfo=UTC)
    opens_at, due_at = followup.working_window(target, timedelta(hours=window), DENVER, hours)
    assert opens_at <= due_at
    for instant in (opens_at, due_at):
        at = instant.astimezone(DENVER)
        open_that_day = hours(at.date())
        assert open_that_day is not None
        assert open_that_day[0] <= at.time() <= open_that_day[1]
    assert opens_at.astimezone(DENVER).date() >= target.astimezone(DENVER).date()


def test_every_code_of_the_shipped_protocols_has_words():
    codes = {step.code for protocol in (THREE_A_WEEK, TWO_A_WEEK, SINGLE) for step in protocol.programme}
    assert all("_" not in followup.say(code) for code in codes)
