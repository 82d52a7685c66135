"""Gaps are elapsed time; the span is calendar days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.protocols import THREE_A_WEEK
from tracker.rules.spacing import GapFault, spacing_faults, span_days

DENVER = ZoneInfo("America/Denver")


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=DENVER)


def test_monday_wednesday_friday_is_well_spaced():
    starts = [local(f"2026-03-{day:02} 09:00") for day in (2, 4, 6, 9, 11, 13)]

    assert spacing_faults(starts, THREE_A_WEEK) == []
    assert span_days(starts, DENVER) == 11


def test_the_visit_on_the_next_day_comes_too_soon_and_the_one_after_a_week_too_late():
    starts = [local("2026-03-16 09:00"), local("2026-03-17 09:00"), local("2026-03-24 09:00")]

    assert spacing_faults(starts, THREE_A_WEEK) == [GapFault(2, timedelta(days=1)), GapFault(3, timedelta(days=7))]


@pytest.mark.parametrize(
    ("later", "faults"),
    [("2026-03-08 22:00", []), ("2026-03-08 21:59", [GapFault(2, timedelta(hours=35, minutes=59))])],
)
def test_an_hour_that_clocks_jump_over_is_no_time_between_visits(later, faults):
    """Saturday 9:00 to Sunday 22:00 is 37 hours by the clock and 36 in fact: clocks went forward on 8 March."""
    assert spacing_faults([local("2026-03-07 09:00"), local(later)], THREE_A_WEEK) == faults


def test_a_start_without_a_zone_is_a_callers_bug():
    naive = datetime(2026, 3, 2, 9)
    with pytest.raises(ValueError, match="timezone-aware"):
        spacing_faults([naive], THREE_A_WEEK)
    with pytest.raises(ValueError, match="timezone-aware"):
        span_days([naive], DENVER)


def test_a_series_of_none_or_one_has_no_gaps_and_no_span():
    assert spacing_faults([], THREE_A_WEEK) == spacing_faults([local("2026-03-02 09:00")], THREE_A_WEEK) == []
    assert span_days([], DENVER) == span_days([local("2026-03-02 09:00")], DENVER) == 0


@given(st.lists(st.integers(0, 12 * 24 * 60), min_size=1, max_size=7), st.sampled_from(("UTC", "Asia/Kolkata")))
def test_faults_are_the_gaps_outside_the_limits_in_whatever_zone_the_starts_are_said(minutes, zone):
    first = datetime(2026, 3, 1, tzinfo=UTC)
    starts = [first + timedelta(minutes=sum(minutes[: n + 1])) for n in range(len(minutes))]
    said = [start.astimezone(ZoneInfo(zone)) for start in starts]

    wrong = [n + 2 for n, gap in enumerate(minutes[1:]) if not 36 * 60 <= gap <= (5 * 24 + 12) * 60]
    assert [fault.ordinal for fault in spacing_faults(said, THREE_A_WEEK)] == wrong
