"""Free time as bits, against plain datetimes, on days with and without a change of clocks."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.rules.clinics import ADA, DENVER, HALE, KIM, SAGE, ClinicWeek
from tracker.rules.availability import SLOT, STARTS_LANE, Days, free_time, mask, ones, runs, starts_of_runs

MINUTE = timedelta(minutes=1)
# Forward and back at night; by half an hour; at midnight itself; none at all.
ZONES = ("America/Denver", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut", "America/Santiago", "Asia/Kolkata")
BITS = st.integers(0, (1 << 60) - 1)


@given(BITS, st.integers(0, 8), st.integers(1, 20))
def test_a_block_may_start_where_all_its_bits_are_free(bits, first, length):
    wanted = {s for s in range(60) if all(bits >> (s + n) & 1 for n in range(first, first + length))}

    assert set(ones(starts_of_runs(bits, first, first + length))) == wanted


@given(BITS)
def test_runs_put_together_are_the_bits_and_never_touch(bits):
    found = list(runs(bits))

    assert sum(mask(first, last) for first, last in found) == bits
    assert all(one[1] < two[0] for one, two in pairwise(found))


@given(st.sampled_from(ZONES), st.dates(date(2026, 1, 1), date(2027, 12, 1)), st.integers(1, 9))
def test_days_lie_end_to_end_and_begin_with_their_own_first_moment(zone, first, count):
    days = Days(ZoneInfo(zone), first, first + timedelta(days=count - 1))

    for day in range(count):
        begins, ends = days.instant(day, 0), days.instant(day, days.sizes[day])
        assert begins.astimezone(days.zone).date() == days.calendar(day)
        assert (begins - MINUTE).astimezone(days.zone).date() == days.calendar(day) - timedelta(days=1)
        assert ends == datetime.fromtimestamp(days.begins[day + 1], UTC)


@given(st.sampled_from(ZONES), st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)))
def test_an_instant_is_found_again_and_its_clock_time_is_right(zone, moment):
    instant = moment.replace(tzinfo=UTC, second=0, microsecond=0)
    local = instant.astimezone(ZoneInfo(zone))
    days = Days(ZoneInfo(zone), local.date() - timedelta(days=1), local.date() + timedelta(days=1))

    day, slot = days.find(instant)

    assert timedelta() <= instant - days.instant(day, slot) < SLOT * MINUTE
    assert days.calendar(day) == local.date()
    if instant == days.instant(day, slot):
        minute = local.hour * 60 + local.minute
        assert days.minute(day, slot) == minute
        if local.fold == 0:
            assert days.slot(day, minute) == slot
            assert days.at(day, minute) == instant


@given(
    st.sampled_from(ZONES),
    st.dates(date(2026, 1, 1), date(2027, 12, 1)),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
def test_hours_of_the_clock_hold_the_bits_that_lie_wholly_inside(zone, day, first, last):
    assume(first < last)
    days = Days(ZoneInfo(zone), day, day)
    begins = datetime.combine(day, time(first // 60, first % 60), days.zone).astimezone(UTC)
    ends = datetime.combine(day + timedelta(days=last // 1440), time(last % 1440 // 60, last % 60), days.zone)

    inside = {
        slot
        for slot in range(days.sizes[0])
        if begins <= days.instant(0, slot) and days.instant(0, slot + 1) <= ends.astimezone(UTC)
    }
    assert set(ones(days.local_bits(0, first, last))) == inside


@given(
    st.sampled_from(ZONES), st.dates(date(2026, 1, 1), date(2027, 12, 1)), st.integers(-900, 6000), st.integers(1, 3000)
)
def test_a_claim_takes_every_bit_that_it_touches_and_no_other(zone, first, begins, length):
    """Seconds are counted as well: who is busy for a moment of five minutes is busy for all five."""
    days = Days(ZoneInfo(zone), first, first + timedelta(days=2))
    start = days.instant(0, 0) + timedelta(seconds=begins * 53)
    end = start + timedelta(seconds=length * 53)

    touched = {
        (day, slot)
        for day in range(3)
        for slot in range(days.sizes[day])
        if days.instant(day, slot) < end and start < days.instant(day, slot + 1)
    }
    assert {(day, slot) for day, bits in days.spread(start, end) for slot in ones(bits)} == touched


def test_a_room_follows_the_opening_hours_a_nurse_her_shifts_and_a_patient_nothing():
    clinic = ClinicWeek(shifts=((KIM.id, 0, 540, 600),), days=7)
    free = clinic.free()

    assert list(runs(free.present[SAGE.id][0])) == [(96, 213)]
    assert list(runs(free.present[KIM.id][0])) == [(108, 120)]
    assert free.present[HALE.id] == [0] * 7  # no shifts: not there
    assert free.present[ADA.id] == [mask(0, 288)] * 6 + [mask(0, 276)]  # clocks go forward on the Sunday
    assert free.present[SAGE.id][5:] == [0, 0]


def test_a_closure_of_the_clinic_closes_all_but_the_patient():
    clinic = ClinicWeek(days=1)
    clinic.close(None, "2026-03-02 10:00", "2026-03-02 11:01")
    free = clinic.free()

    for resource in (SAGE, KIM, HALE):
        assert list(runs(free.present[resource.id][0])) == [(96, 120), (133, 213)]
    assert free.present[ADA.id] == [mask(0, 288)]


def test_a_claim_takes_its_own_lane_only_and_presence_stays():
    clinic = ClinicWeek(days=1)
    clinic.take(KIM, "2026-03-02 10:00", "2026-03-02 11:00", lane=2)
    clinic.take(KIM, "2026-03-02 12:00", "2026-03-02 12:15", lane=STARTS_LANE)
    clinic.take(KIM, "2026-03-02 12:00", "2026-03-02 12:15", lane=7)  # a lane she doesn't have any more
    free = clinic.free()

    assert list(runs(free.free[KIM.id, 1][0])) == [(96, 213)]
    assert list(runs(free.free[KIM.id, 2][0])) == [(96, 120), (132, 213)]
    assert list(runs(free.free[KIM.id, STARTS_LANE][0])) == [(96, 144), (147, 213)]
    assert list(runs(free.present[KIM.id][0])) == [(96, 213)]


def test_rows_about_others_are_passed_over():
    other = UUID(int=999)
    hour = datetime(2026, 3, 2, 9, tzinfo=DENVER), datetime(2026, 3, 2, 10, tzinfo=DENVER)
    free = free_time(
        DENVER,
        date(2026, 3, 2),
        date(2026, 3, 2),
        resources=[SAGE],
        opening=[(0, 480, 540), (0, 600, 660)],
        shifts=[(other, 0, 480, 540)],
        closures=[(other, *hour)],
        claims=[(other, 1, *hour), (SAGE.id, 1, hour[0] - timedelta(days=9), hour[1] - timedelta(days=9))],
    )

    assert list(runs(free.free[SAGE.id, 1][0])) == [(96, 108), (120, 132)]


def test_a_moment_outside_the_days_is_not_found():
    days = Days(DENVER, date(2026, 3, 2), date(2026, 3, 3))

    for moment in (datetime(2026, 3, 1, 23, 59, tzinfo=DENVER), datetime(2026, 3, 4, tzinfo=DENVER)):
        with pytest.raises(IndexError):
            days.find(moment)


def test_a_shift_may_hold_for_some_weeks_or_for_one_day_only():
    """Kim works Mondays until the second one, and one Saturday that nobody else works."""
    saturday = date(2026, 3, 7)
    shifts = [
        (KIM.id, 0, 540, 600, None, date(2026, 3, 9)),
        (KIM.id, 5, 540, 600, saturday, saturday),
        (KIM.id, 0, 600, 660, date(2026, 3, 10), None),
    ]
    free = free_time(DENVER, date(2026, 3, 2), date(2026, 3, 22), resources=[KIM], opening=[], shifts=shifts)
    nine, ten = mask(108, 120), mask(120, 132)
    worked = {date(2026, 3, 2): nine, saturday: nine, date(2026, 3, 9): nine, date(2026, 3, 16): ten}
    assert {free.days.calendar(n): bits for n, bits in enumerate(free.present[KIM.id]) if bits} == worked
