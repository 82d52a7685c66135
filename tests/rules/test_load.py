"""How many blocks a day holds: never more than would really fit, and as many as rooms and staff allow."""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.rules.clinics import HALE, JUNIPER, KIM, LEE, SAGE, WONG, ClinicWeek
from tracker.rules.availability import Resource
from tracker.rules.block import Block
from tracker.rules.load import blocks_left, blocks_left_by_day, nearly_full
from tracker.rules.protocols import THREE_A_WEEK

SUNDAY = 6


def left(week: ClinicWeek, day: int = 0) -> int:
    return blocks_left(THREE_A_WEEK, week.free(), day)


def test_an_empty_day_of_one_room_holds_three():
    """Open 8:00 to 17:45: three blocks of two and a half hours."""
    assert left(ClinicWeek()) == 3


def test_two_rooms_hold_twice_as_many_where_one_nurse_may_watch_two():
    """Six."""
    assert left(ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))) == 6


def test_a_third_room_is_of_no_use_to_a_nurse_with_two_lanes():
    """What one nurse can watch is the measure, not the number of rooms."""
    rooms = (SAGE, JUNIPER, Resource(JUNIPER.id.__class__(int=13), "room", "Mesa"))
    alone, together = (left(ClinicWeek(resources=(*rooms, *staff, HALE, WONG))) for staff in ((KIM,), (KIM, LEE)))

    assert alone < together == 9


def test_what_is_booked_takes_its_place():
    """A room that is taken from 10:00 to noon leaves two: one before would end at 10:00, one after 12:00."""
    week = ClinicWeek()
    week.take(SAGE, "2026-03-02 10:45", "2026-03-02 12:00")

    assert left(week) == 3
    week.take(SAGE, "2026-03-02 08:00", "2026-03-02 08:30")
    assert left(week) == 2


@pytest.mark.parametrize("who", [None, SAGE, KIM, HALE])
def test_nobody_comes_where_something_is_missing(who):
    """Clinic, only room, only nurse, only physician: closed for the day is nought."""
    week = ClinicWeek()
    week.close(who, "2026-03-02 00:00", "2026-03-03 00:00")

    assert (left(week, 0), left(week, 1)) == (0, 3)


def test_a_weekend_holds_nothing():
    assert left(ClinicWeek(), SUNDAY) == 0


def test_days_that_look_alike_are_worked_out_once_and_come_out_alike():
    """Each day by itself gives the same."""
    week = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE), days=14)
    week.take(SAGE, "2026-03-04 09:00", "2026-03-04 15:00")
    free = week.free()

    assert blocks_left_by_day(THREE_A_WEEK, free) == [blocks_left(THREE_A_WEEK, free, n) for n in range(14)]


@example(taken=[(KIM, 19, 12)])  # of two places at her side the one that is free for less long is taken
@settings(max_examples=60, deadline=None)
@given(taken=st.lists(st.tuples(st.sampled_from([SAGE, JUNIPER, KIM, HALE]), st.integers(0, 36), st.integers(1, 12))))
def test_what_is_left_can_really_be_booked_one_after_the_other(taken):
    """As many as said can be placed with their claims on what is free, each claim alone in its lane."""
    week = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE), days=1)
    for resource, start, quarters in taken:
        begins = week.at("2026-03-02 08:00") + timedelta(minutes=15 * start)
        week.claims.append((resource.id, 1, begins, begins + timedelta(minutes=15 * quarters)))
    said = left(week)

    placed = 0
    while (free := week.free()) and (found := _first(free)):
        week.book(found)
        placed += 1
    assert said == placed


def _first(free):
    """Return the earliest block that a room, a nurse and a physician are free for, on the quarter of an hour."""
    block = Block(THREE_A_WEEK, free)
    bits = block.feasible(0)
    slot = next((slot for slot in range(0, 288, 3) if bits >> slot & 1), None)
    if slot is None:
        return None
    chosen = []
    for kind in ("room", "nurse", "physician"):
        able = block.free_at(kind, 0, slot)
        chosen.append(min(able, key=lambda one: (block.starts(one, 0) >> slot).bit_count()))
    patient = next(one for one in free.resources if one.kind == "patient")
    return block.place(1, 0, slot, *chosen, patient.id)


@pytest.mark.parametrize(("booked", "of", "said"), [(0, 0, False), (8, 10, False), (9, 10, True), (3, 3, True)])
def test_nearly_full(booked, of, said):
    assert nearly_full(booked, of) is said
