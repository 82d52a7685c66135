"""What a board allows while a visit is moved is exactly what the planner would take."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.clinics import ADA, HALE, JUNIPER, KIM, MONDAY, SAGE, ClinicWeek
from tracker.errors import Refused
from tracker.rules import planner
from tracker.rules.dragging import starts_by_room
from tracker.rules.plan import PlanRequest, Wish, Wishes
from tracker.rules.protocols import TWO_A_WEEK


def asked(week: ClinicWeek, **wishes) -> PlanRequest:
    return PlanRequest(TWO_A_WEEK, week.free(), ADA.id, Wishes(MONDAY, **wishes), week.at("2026-03-02 00:00"))


def test_an_empty_day_allows_every_quarter_that_a_block_fits_into():
    """8:00 to 15:15 in each of two rooms."""
    found = starts_by_room(asked(ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))), MONDAY)

    assert {room: len(starts) for room, starts in found.items()} == {SAGE.id: 30, JUNIPER.id: 30}


def test_a_wish_forbids_nothing_to_whoever_moves_by_hand():
    wishes = {"weekdays": frozenset({3}), "hard": frozenset({Wish.WEEKDAYS})}

    assert starts_by_room(asked(ClinicWeek(), **wishes), MONDAY)[SAGE.id]


def test_a_day_outside_allows_nothing():
    assert starts_by_room(asked(ClinicWeek(days=2)), MONDAY + timedelta(days=9)) == {}


def test_visits_too_near_forbid_the_whole_day():
    week = ClinicWeek()
    near = week.at("2026-03-03 09:00")

    assert starts_by_room(asked(week), MONDAY, after=near)[SAGE.id] == []


@settings(max_examples=40, deadline=None)
@given(
    taken=st.lists(st.tuples(st.sampled_from([SAGE, JUNIPER, KIM, HALE]), st.integers(0, 36), st.integers(1, 10))),
    now=st.integers(0, 40),
    gap=st.one_of(st.none(), st.integers(20, 120)),
)
def test_allowed_is_what_can_be_placed_and_nothing_else(taken, now, gap):
    week = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE), days=8)
    opens = week.at("2026-03-02 08:00")
    for resource, start, quarters in taken:
        begins = opens + timedelta(minutes=15 * start)
        week.claims.append((resource.id, 1, begins, begins + timedelta(minutes=15 * quarters)))
    request = PlanRequest(TWO_A_WEEK, week.free(), ADA.id, Wishes(MONDAY), opens + timedelta(minutes=15 * now))
    after = opens + timedelta(hours=gap) if gap else None

    found = starts_by_room(request, MONDAY, after=after)

    for room in (SAGE, JUNIPER):
        for quarter in range(-8, 45):
            start = opens + timedelta(minutes=15 * quarter)
            try:
                planner.place(request, 1, start, room_id=room.id, after=after)
            except Refused:
                assert start not in found[room.id]
            else:
                assert start in found[room.id]


@pytest.mark.parametrize("minutes", [7, 5])
def test_only_quarters_are_offered(minutes):
    week = ClinicWeek()
    found = starts_by_room(asked(week), MONDAY)

    assert week.at("2026-03-02 09:00") + timedelta(minutes=minutes) not in found[SAGE.id]
