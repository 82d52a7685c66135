"""Which messages a series asks for, and when: clock changes, quiet hours, late bookings."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules import cadence
from tracker.rules.cadence import (
    DEFAULT,
    Asked,
    Fit,
    LeftOut,
    PlannedVisit,
    Purpose,
    QuietHours,
    Step,
    Wanted,
    Which,
    considered,
)
from tracker.rules.settings import Settings
from tracker.rules.vocabulary import VisitStatus

DENVER = ZoneInfo("America/Denver")
ZONES = [ZoneInfo(name) for name in ("America/Denver", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")]
QUIET = QuietHours()


def wanted(visits, steps, **more):
    """Return the messages there should be, without those left out."""
    return [message for message in considered(visits, steps, **more) if message.left_out is None]


BOOKED = datetime(2026, 9, 1, 17, tzinfo=UTC)


def at(day: str, clock: str, zone: ZoneInfo = DENVER) -> datetime:
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), zone)


def series(*starts: datetime, status: VisitStatus = VisitStatus.BOOKED) -> list[PlannedVisit]:
    return [PlannedVisit(UUID(int=n), start, status) for n, start in enumerate(starts, start=1)]


def plan(visits: list[PlannedVisit], *, booked_at: datetime = BOOKED, zone: ZoneInfo = DENVER) -> list[Wanted]:
    return wanted(visits, DEFAULT, zone=zone, quiet=QUIET, booked_at=booked_at)


def left_out(visits: list[PlannedVisit], *, booked_at: datetime = BOOKED, zone: ZoneInfo = DENVER) -> set:
    """Return what the cadence names and isn't planned, each with its reason."""
    found = considered(visits, DEFAULT, zone=zone, quiet=QUIET, booked_at=booked_at)
    return {(m.purpose, m.left_out) for m in found if m.left_out}


def due(messages: list[Wanted], purpose: Purpose, zone: ZoneInfo = DENVER) -> list[str]:
    return [m.due_at.astimezone(zone).strftime("%a %d %H:%M") for m in messages if m.purpose is purpose]


def test_a_series_of_two_asks_for_these_and_no_others():
    messages = plan(series(at("2026-10-05", "09:00"), at("2026-10-07", "09:00")))
    assert due(messages, Purpose.ITINERARY) == ["Tue 01 11:00"]
    assert due(messages, Purpose.FIRST_VISIT) == ["Fri 02 09:00"]
    assert due(messages, Purpose.VISIT) == ["Sun 04 09:00", "Tue 06 09:00"]
    assert due(messages, Purpose.NEXT_DAY) == ["Thu 08 10:00"]  # the other one is asked in the reminder of Tuesday
    assert due(messages, Purpose.THERAPY) == ["Wed 07 10:00", "Fri 09 10:00"]
    assert due(messages, Purpose.CHECK_IN) == ["Wed 21 10:00"]
    assert due(messages, Purpose.LATE_CHECK_IN) == ["Wed 04 10:00"]
    assert len(messages) == 9


def test_a_single_visit_is_first_and_last_and_asks_once():
    assert due(plan(series(at("2026-10-05", "09:00"))), Purpose.THERAPY) == ["Wed 07 10:00"]


@pytest.mark.parametrize(
    ("step", "said"), [(Step(Purpose.VISIT, hours=-24), "10:00"), (Step(Purpose.VISIT, days=-1), "09:00")]
)
def test_a_day_before_is_not_24_hours_before_when_clocks_go_back(step, said):
    """Denver's clocks go back on 1 November 2026 at 2:00: 9:00 that day is 25 hours after 9:00 the day before."""
    [message] = wanted(series(at("2026-11-01", "09:00")), (step,), zone=DENVER, quiet=QUIET, booked_at=BOOKED)[1:]
    assert message.due_at.astimezone(DENVER).strftime("%d %H:%M") == f"31 {said}"


def test_a_clock_time_that_is_skipped_is_as_long_after_the_jump():
    assert cadence.at_clock(date(2026, 3, 8), time(2, 30), DENVER) == at("2026-03-08", "03:30").astimezone(UTC)


def test_a_clock_time_that_comes_twice_is_the_first():
    assert cadence.at_clock(date(2026, 11, 1), time(1, 30), DENVER) == datetime(2026, 11, 1, 7, 30, tzinfo=UTC)


def test_at_night_a_message_waits_for_the_morning():
    [_, early, *_] = plan(series(at("2026-10-05", "07:45")))
    assert early.due_at.astimezone(DENVER).strftime("%a %H:%M") == "Fri 08:00"


def test_at_night_a_message_goes_the_evening_before_when_the_morning_is_too_late():
    moment, until = at("2026-10-05", "05:00"), at("2026-10-05", "07:00")
    sent = cadence.outside_quiet(moment, zone=DENVER, quiet=QUIET, until=until)
    assert sent.astimezone(DENVER).strftime("%d %H:%M") == "04 20:30"


def test_what_was_due_before_booking_is_left_to_the_itinerary():
    booked = at("2026-10-04", "15:00")
    messages = plan(series(at("2026-10-05", "09:00")), booked_at=booked)
    assert [m.purpose for m in messages[:2]] == [Purpose.ITINERARY, Purpose.NEXT_DAY]
    assert (Purpose.VISIT, LeftOut.BEFORE_BOOKING) in left_out(series(at("2026-10-05", "09:00")), booked_at=booked)
    assert messages[0].due_at == booked


def test_what_was_due_before_a_change_is_left_to_the_message_about_the_change():
    """Booked weeks ago, moved at 15:00 to tomorrow 9:00: the reminder was due this morning, and isn't sent as well."""
    [visit] = series(at("2026-10-05", "09:00"))
    assert Purpose.VISIT in {m.purpose for m in plan([visit])}
    moved = PlannedVisit(visit.id, visit.starts_at, visit.status, told_at=at("2026-10-04", "15:00"))
    assert Purpose.VISIT not in {m.purpose for m in plan([moved])}
    assert (Purpose.VISIT, LeftOut.TOLD) in left_out([moved])


@pytest.mark.parametrize(
    "status", [VisitStatus.CANCELLED, VisitStatus.NO_SHOW, VisitStatus.HELD, VisitStatus.TRANSFERRED]
)
def test_a_visit_that_is_off_asks_for_nothing(status):
    assert plan(series(at("2026-10-05", "09:00"), status=status)) == []


def test_a_visit_under_way_keeps_only_what_comes_after_it():
    messages = plan(series(at("2026-10-05", "09:00"), status=VisitStatus.INFUSING))
    assert not {Purpose.VISIT, Purpose.FIRST_VISIT} & {m.purpose for m in messages}
    assert due(messages, Purpose.NEXT_DAY) == ["Tue 06 10:00"]


def test_a_discharged_visit_leaves_the_itinerary_as_it_was():
    """Else every discharge would send the dates again."""
    starts = at("2026-10-05", "09:00"), at("2026-10-07", "09:00")
    before = plan(series(*starts))[0]
    first, second = series(*starts)
    after = plan([PlannedVisit(first.id, first.starts_at, VisitStatus.DISCHARGED), second])[0]
    assert before == after


@pytest.mark.parametrize(
    ("purpose", "status", "fits"),
    [
        (Purpose.VISIT, VisitStatus.BOOKED, Fit.NOW),
        (Purpose.VISIT, VisitStatus.ARRIVED, Fit.NEVER),
        (Purpose.VISIT, VisitStatus.CANCELLED, Fit.NEVER),
        (Purpose.NEXT_DAY, VisitStatus.DISCHARGED, Fit.NOW),
        (Purpose.NEXT_DAY, VisitStatus.RECOVERING, Fit.NOT_YET),
        (Purpose.NEXT_DAY, VisitStatus.NO_SHOW, Fit.NEVER),
        (Purpose.CHECK_IN, VisitStatus.HELD, Fit.NEVER),
    ],
)
def test_a_message_makes_sense_only_while_its_visit_stands_so(purpose, status, fits):
    assert cadence.fit(purpose, status) is fits


@pytest.mark.parametrize(
    ("start", "said"),
    [("13:00", ["Mon 05 08:00"]), ("10:15", ["Mon 05 08:00"]), ("10:00", []), ("08:00", []), ("06:30", [])],
)
def test_the_morning_of_a_visit_is_a_morning_with_time_to_act(start, said):
    """At 10:00 the message would come two hours before: the patient is on her way."""
    visits = series(at("2026-10-05", start))
    assert due(plan(visits), Purpose.SAME_DAY) == said
    assert ((Purpose.SAME_DAY, LeftOut.TOO_LATE) in left_out(visits)) == (not said)


def test_a_clinic_that_is_quiet_until_nine_asks_nobody_the_evening_before():
    [visit] = series(at("2026-10-05", "10:30"))
    quiet = QuietHours(time(21), time(9))
    found = wanted([visit], DEFAULT, zone=DENVER, quiet=quiet, booked_at=BOOKED)
    assert due(found, Purpose.SAME_DAY) == []


def test_who_has_confirmed_is_not_asked_again():
    [visit] = series(at("2026-10-05", "13:00"))
    confirmed = PlannedVisit(visit.id, visit.starts_at, visit.status, confirmed=True)
    assert due(plan([confirmed]), Purpose.SAME_DAY) == []
    assert (Purpose.SAME_DAY, LeftOut.CONFIRMED) in left_out([confirmed])
    assert cadence.fit(Purpose.SAME_DAY, VisitStatus.BOOKED) is Fit.NOW
    assert cadence.fit(Purpose.SAME_DAY, VisitStatus.BOOKED, confirmed=True) is Fit.NEVER
    assert cadence.fit(Purpose.VISIT, VisitStatus.BOOKED, confirmed=True) is Fit.NOW


def test_how_are_you_is_asked_in_the_reminder_of_the_same_day():
    visits = series(at("2026-10-05", "09:00"), at("2026-10-07", "09:00"))
    assert [m.asks_how for m in plan(visits) if m.purpose is Purpose.VISIT] == [False, True]
    assert (Purpose.NEXT_DAY, LeftOut.INSIDE) in left_out(visits)
    # When the second visit is off, there is no reminder to ask in.
    off = PlannedVisit(visits[1].id, visits[1].starts_at, VisitStatus.CANCELLED)
    assert due(plan([visits[0], off]), Purpose.NEXT_DAY) == ["Tue 06 10:00"]


def test_the_same_day_is_the_same_where_the_patient_lives():
    """16:30 in Denver is half past midnight in Berlin: there the next day is one later, the reminder's day is not."""
    visits = series(at("2026-10-05", "16:30"), at("2026-10-07", "09:00"))
    for zone, said in ((DENVER, ["Thu 08 10:00"]), (ZoneInfo("Europe/Berlin"), ["Wed 07 10:00", "Thu 08 10:00"])):
        assert due(plan(visits, zone=zone), Purpose.NEXT_DAY, zone) == said


def test_a_questionnaire_is_asked_for_on_its_day_while_it_is_open():
    opens_at = at("2026-10-12", "09:00")
    asked = [Asked(UUID(int=99), opens_at, opens_at + timedelta(days=2))]
    found = wanted(series(at("2026-10-05", "09:00")), DEFAULT, zone=DENVER, quiet=QUIET, booked_at=BOOKED, asked=asked)
    [message] = [m for m in found if m.purpose is Purpose.QUESTIONNAIRE]
    assert due(found, Purpose.QUESTIONNAIRE) == ["Mon 12 10:00"]
    assert (message.task_id, message.visit_id, message.about) == (UUID(int=99), None, opens_at)
    assert message.expires_at == opens_at + timedelta(days=2)


def test_a_questionnaire_that_opens_in_the_evening_is_not_asked_for_before():
    opens_at = at("2026-10-12", "22:00")
    asked = [Asked(UUID(int=99), opens_at, opens_at + timedelta(days=2))]
    [message] = wanted([], DEFAULT, zone=DENVER, quiet=QUIET, booked_at=BOOKED, asked=asked)
    assert message.due_at == at("2026-10-13", "08:00")


def test_a_clinic_has_its_own_quiet_hours():
    assert QuietHours.of(Settings()) == QuietHours(time(21), time(8))
    own = QuietHours.of(Settings({"quiet.from": Decimal(24), "quiet.until": Decimal("7.5")}))
    assert own == QuietHours(time(0), time(7, 30))
    assert [own.cover(time(hour)) for hour in (23, 0, 7, 8)] == [False, True, True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": Purpose.VISIT, "days": 1},
        {"purpose": Purpose.NEXT_DAY, "days": -1},
        {"purpose": Purpose.SAME_DAY, "days": -1, "at": time(8)},
        {"purpose": Purpose.SAME_DAY},
        {"purpose": Purpose.ITINERARY, "days": 1},
        {"purpose": Purpose.NEXT_DAY, "days": 1, "useful_for": timedelta()},
    ],
)
def test_a_step_is_on_its_side_of_the_visit(wrong):
    with pytest.raises(ValueError, match=r"visit|use"):
        Step(**wrong)


def test_a_step_counts_one_way_and_leaves_time_to_act():
    with pytest.raises(ValueError, match="not both"):
        Step(Purpose.VISIT, hours=-24, days=-1)
    with pytest.raises(ValueError, match="no use"):
        Step(Purpose.VISIT, hours=-1)


def test_a_naive_instant_is_a_bug():
    with pytest.raises(ValueError, match="aware"):
        plan(series(at("2026-10-05", "09:00").replace(tzinfo=None)))


instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
courses = st.lists(st.tuples(instants, st.sampled_from(list(VisitStatus))), min_size=1, max_size=6)


@given(courses, instants, st.sampled_from(ZONES))
def test_whatever_the_series_no_message_is_at_night_doubled_or_too_late(course, booked_at, zone):
    visits = [PlannedVisit(UUID(int=n), start, status) for n, (start, status) in enumerate(course)]
    messages = plan(visits, booked_at=booked_at, zone=zone)
    starts = {visit.id: visit.starts_at for visit in visits}
    assert len({(m.purpose, m.visit_id) for m in messages}) == len(messages)
    for message in messages:
        assert booked_at <= message.due_at < message.expires_at
        # Only the itinerary of somebody who books at night for the same morning has no better time.
        if message.purpose is not Purpose.ITINERARY:
            assert not QUIET.cover(message.due_at.astimezone(zone).time())
        if message.purpose in (Purpose.VISIT, Purpose.FIRST_VISIT, Purpose.SAME_DAY):
            assert message.expires_at <= starts[message.visit_id] - cadence.LAST_CALL


@given(courses, instants, st.sampled_from(ZONES), st.randoms())
def test_the_order_of_the_visits_does_not_matter(course, booked_at, zone, random):
    visits = [PlannedVisit(UUID(int=n), start, status) for n, (start, status) in enumerate(course)]
    shuffled = random.sample(visits, len(visits))
    assert plan(visits, booked_at=booked_at, zone=zone) == plan(shuffled, booked_at=booked_at, zone=zone)


@given(instants, st.sampled_from(ZONES), st.times(), st.times(), st.integers(0, 72))
def test_outside_quiet_is_outside_quiet(moment, zone, start, end, hours):
    """But for quiet hours so long that nothing is left, or a clock change in the minutes before them."""
    quiet = QuietHours(start, end)
    until = moment + timedelta(hours=hours)
    sent = cadence.outside_quiet(moment, zone=zone, quiet=quiet, until=until)
    if not quiet.cover(moment.astimezone(zone).time()):
        assert sent == moment
    elif sent >= moment:
        assert sent < until
        assert sent - moment <= timedelta(hours=25)
    else:
        assert moment - sent <= timedelta(hours=26)


def test_steps_name_the_visits_they_are_for():
    starts = [at(f"2026-10-{day:02}", "09:00") for day in (5, 7, 9)]
    for which, count in ((Which.EACH, 3), (Which.FIRST, 1), (Which.LAST, 1), (Which.FIRST_AND_LAST, 2)):
        found = wanted(
            series(*starts), (Step(Purpose.VISIT, which, hours=-24),), zone=DENVER, quiet=QUIET, booked_at=BOOKED
        )
        assert len(found) == count + 1


@given(courses, instants, st.sampled_from(ZONES))
def test_whatever_the_series_nobody_is_asked_twice_on_one_day_how_she_is(course, booked_at, zone):
    visits = [PlannedVisit(UUID(int=n), start, status) for n, (start, status) in enumerate(course)]
    messages = considered(visits, DEFAULT, zone=zone, quiet=QUIET, booked_at=booked_at)
    days = {
        purpose: {m.due_at.astimezone(zone).date() for m in messages if m.purpose is purpose and not m.left_out}
        for purpose in (Purpose.VISIT, Purpose.NEXT_DAY)
    }
    assert not days[Purpose.VISIT] & days[Purpose.NEXT_DAY]
    # And nobody is forgotten: what is asked inside has a reminder of its day that asks.
    inside = {m.due_at.astimezone(zone).date() for m in messages if m.left_out is LeftOut.INSIDE}
    assert inside == {m.due_at.astimezone(zone).date() for m in messages if m.asks_how}
