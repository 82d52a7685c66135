"""A day falls out: what is found is allowed, whatever falls out, and on small clinics it is the least there is."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.rules.brute import protocol
from tests.rules.clinics import HALE, JUNIPER, KIM, LEE, SAGE, WONG, ClinicWeek
from tests.rules.mishaps import PUMP, EveryRepair, Mishap, with_pump
from tracker.rules.damage import Repair
from tracker.rules.plan import Wish
from tracker.rules.protocols import THREE_A_WEEK
from tracker.rules.repair import repair

FIRSTS = (date(2026, 3, 2), date(2026, 3, 6), date(2026, 10, 30))  # clocks change on 8 March and 1 November
LOSSES = ("day", "two days", "room", "nurse", "physician between", "first", "last", "two of one", "rest of today")
QUICK = protocol(THREE_A_WEEK)
SINGLE = protocol(THREE_A_WEEK, visits=1)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@st.composite
def protocols(draw: st.DrawFn, most: int):
    asked = protocol(
        THREE_A_WEEK,
        visits=draw(st.sampled_from((1, most - 1, most, most))),
        min_gap=timedelta(hours=draw(st.sampled_from((20, 24, 36)))),
        max_gap=timedelta(hours=draw(st.sampled_from((49, 72, 120)))),
        max_span_days=draw(st.integers(4, 9)),
        rhythm=draw(st.sampled_from(((2, 2, 3), (1,), (3, 2)))),
    )
    return with_pump(asked) if draw(st.booleans()) else asked


@st.composite
def mishaps(
    draw: st.DrawFn,
    *,
    patients: int,
    visits: int,
    days: int,
    hours: int,
    more=((LEE, JUNIPER), (WONG, JUNIPER), (LEE, WONG, JUNIPER), ()),
):
    resources = (SAGE, KIM, HALE, PUMP, *draw(st.sampled_from(more)))
    opening = tuple((weekday, 480, 480 + 15 * draw(st.integers(5, hours))) for weekday in range(7))
    clinic = ClinicWeek(resources=resources, first=draw(st.sampled_from(FIRSTS)), days=days, opening=opening)
    now = datetime.combine(clinic.first + timedelta(days=draw(st.integers(0, 2))), time(7), clinic.zone)
    mishap = Mishap(clinic, now)
    somebody = st.tuples(st.sampled_from(resources), st.integers(0, days - 1))
    for who, number in draw(st.lists(somebody, max_size=3, unique=True)):
        day = clinic.first + timedelta(days=number)
        begins = 480 + 15 * draw(st.integers(0, hours))
        clinic.take(who, f"{day} {begins // 60:02}:{begins % 60:02}", f"{day} {begins // 60 + 1:02}:{begins % 60:02}")
    for _ in range(draw(st.integers(2, patients))):
        mishap.book(draw(protocols(visits)), again=draw(st.integers(0, 5)) == 0, **draw(wishes(clinic)))
    assume(any(not visit.fixed for course in mishap.courses for visit in course.visits))
    return mishap


@st.composite
def wishes(draw: st.DrawFn, clinic: ClinicWeek) -> dict[str, object]:
    people = [one.id for one in clinic.resources if one.kind in ("nurse", "physician")]
    rooms = [one.id for one in clinic.resources if one.kind == "room"]
    return {
        "earliest": clinic.first + timedelta(days=draw(st.integers(0, 2))),
        "days_off": frozenset({clinic.first + timedelta(days=draw(st.integers(0, 5)))} if draw(st.booleans()) else ()),
        "arrive_from": draw(st.none() | st.just(time(8, 15))),
        "preferred_time": draw(st.none() | st.just(time(8, 30))),
        "room_id": draw(st.none() | st.sampled_from(rooms)),
        "clinician_id": draw(st.none() | st.sampled_from(people)),
        "longest_gap": draw(st.none() | st.just(6)),
        "hard": draw(st.frozensets(st.sampled_from(tuple(Wish)))),
    }


def lose(draw: st.DrawFn, mishap: Mishap) -> frozenset:
    """Let something fall out; return what is left where it is all the same."""
    coming = [visit for course in mishap.courses for visit in course.visits if not visit.fixed]
    visit = draw(st.sampled_from(coming))
    course = next(course for course in mishap.courses if visit in course.visits)
    clinic, loss = mishap.clinic, draw(st.sampled_from(LOSSES))
    there = {resource.id: resource for resource in clinic.resources}
    day = visit.starts_at.astimezone(clinic.zone).date()
    midnight = (f"{day} 00:00", f"{day + timedelta(days=1)} 00:00", f"{day + timedelta(days=2)} 00:00")
    nurse = next(
        there[c.resource_id] for c in visit.claims if c.resource_id in there and there[c.resource_id].kind == "nurse"
    )
    if loss == "physician between":
        start = visit.starts_at.astimezone(clinic.zone) + timedelta(minutes=30)
        clinic.closures.append((visit.physician_id, start, start + timedelta(minutes=20)))
    elif loss in ("first", "last", "two of one"):
        ours = [one for one in course.visits if not one.fixed]
        chosen = {"first": ours[:1], "last": ours[-1:]}.get(loss, ours[:2])
        clinic.closures += [(one.room_id, one.starts_at, one.starts_at + timedelta(hours=1)) for one in chosen]
    elif loss == "rest of today":
        clinic.close(None, f"{day} 09:00", midnight[1])
    else:
        who = {"room": there[visit.room_id], "nurse": nurse}.get(loss)
        clinic.close(who, midnight[0], midnight[2 if loss in ("two days", "nurse") else 1])
    return frozenset(one.id for one in coming if draw(st.integers(0, 7)) == 0)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
def test_whatever_falls_out_no_repair_breaks_a_rule(data):
    mishap = data.draw(mishaps(patients=7, visits=4, days=10, hours=12))
    damage = mishap.damage(keep=lose(data.draw, mishap))
    stages = data.draw(st.sampled_from((1, 2, 3)))

    found = repair(damage, seconds=0.3, go_on=lambda stage: ("lost", "courses", "others").index(stage) < stages)

    assert mishap.faults(damage, found) == []
    assert (len(found.unplaced), found.touched) >= (found.least_unplaced, 0)
    if len(found.unplaced) == found.least_unplaced:
        assert found.touched >= found.least_touched


@pytest.mark.slow
@given(st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
def test_on_a_small_clinic_a_repair_is_the_least_there_is(data):
    mishap = data.draw(mishaps(patients=3, visits=3, days=7, hours=7, more=((), (JUNIPER,), (WONG,))))
    damage = mishap.damage(keep=lose(data.draw, mishap))
    alone, all_ways = (EveryRepair(mishap, damage, others=others).least() for others in (False, True))
    assume(alone and all_ways)

    first = repair(damage, seconds=6, go_on=lambda stage: stage == "lost")
    found = repair(damage, seconds=4)

    assert len(first.unplaced) == alone[0]
    assert (len(found.unplaced), found.touched) == all_ways
    assert (found.least_unplaced, found.least_touched) <= all_ways


# Plain cases: one room, one nurse, 8:00 to 17:45 on weekdays, visits of 75 minutes.


@pytest.fixture
def clinic() -> ClinicWeek:
    return ClinicWeek(resources=(SAGE, KIM, HALE))


@pytest.fixture
def mishap(clinic) -> Mishap:
    return Mishap(clinic, clinic.at("2026-03-02 07:00"))


def moved(mishap: Mishap, found: Repair) -> list[tuple[str, str]]:
    """Say what moves, from where to where, in order of time."""
    changes = sorted(found.changes, key=lambda change: change.visit.starts_at)
    return [(mishap.clinic.say(one.visit.starts_at), mishap.clinic.say(one.to.starts_at)) for one in changes]


def repaired(mishap: Mishap, **options: Any) -> Repair:
    damage = mishap.damage(**options)
    found = repair(damage, seconds=5)
    assert mishap.faults(damage, found) == []
    return found


def test_a_wednesday_falls_out_of_monday_wednesday_friday(mishap):
    """Thirty-six hours from Monday, and from Friday, lie on Wednesday only; so Friday has to move as well."""
    mishap.book(QUICK, "2026-03-02 09:00", "2026-03-04 09:00", "2026-03-06 09:00")
    mishap.clinic.close(None, "2026-03-04 00:00", "2026-03-05 00:00")

    found = repaired(mishap)

    assert moved(mishap, found) == [("Wed 04 09:00", "Thu 05 09:00"), ("Fri 06 09:00", "Mon 09 09:00")]
    assert (found.touched, found.least_touched, found.unplaced) == (1, 1, ())


def test_the_rest_of_the_course_stays_where_it_can(mishap):
    twice = replace(QUICK, max_gap=timedelta(days=7, hours=12), max_span_days=28)
    mishap.book(twice, "2026-03-02 09:00", "2026-03-05 09:00", "2026-03-09 09:00")
    mishap.clinic.close(None, "2026-03-05 00:00", "2026-03-06 00:00")
    mishap.clinic.take(SAGE, "2026-03-06 08:00", "2026-03-06 17:45")

    assert moved(mishap, repaired(mishap)) == [("Thu 05 09:00", "Wed 04 09:00")]


def test_only_the_room_is_closed_so_the_hour_stays(mishap, clinic):
    clinic.resources = (SAGE, JUNIPER, KIM, HALE)
    (lost,) = mishap.book(SINGLE, "2026-03-04 09:00").visits
    clinic.close(mishap.by_id[lost.room_id], "2026-03-04 00:00", "2026-03-05 00:00")

    (change,) = repaired(mishap).changes

    assert change.to.starts_at == lost.starts_at
    assert change.to.room_id == ({SAGE.id, JUNIPER.id} - {lost.room_id}).pop()


def test_another_patient_moves_only_if_somebody_must(mishap, clinic):
    """Ada can come at 8:00 on Tuesday only. Ben is there, and can come at any time."""
    clinic.days = 2
    mishap.book(SINGLE, "2026-03-02 08:00", hard=frozenset({Wish.HOURS}), leave_by=time(9, 15))
    mishap.book(SINGLE, "2026-03-03 08:00")
    clinic.close(None, "2026-03-02 00:00", "2026-03-03 00:00")

    found = repaired(mishap)

    assert moved(mishap, found) == [("Mon 02 08:00", "Tue 03 08:00"), ("Tue 03 08:00", "Tue 03 09:15")]
    assert (found.touched, found.least_touched, found.unplaced) == (1, 1, ())


def test_a_hard_wish_for_a_room_is_kept_and_another_goes_next_door(mishap, clinic):
    clinic.resources, clinic.days = (SAGE, JUNIPER, KIM, LEE, HALE), 2
    clinic.opening = tuple((weekday, 480, 480 + 75) for weekday in range(5))
    mishap.book(SINGLE, "2026-03-02 08:00", hard=frozenset({Wish.ROOM}), room_id=SAGE.id)
    (ben,) = mishap.book(SINGLE, "2026-03-03 08:00", room_id=SAGE.id).visits
    clinic.close(None, "2026-03-02 00:00", "2026-03-03 00:00")
    assert ben.room_id == SAGE.id

    found = repaired(mishap)

    assert {change.visit.lost: change.to.room_id for change in found.changes} == {True: SAGE.id, False: JUNIPER.id}
    assert {change.to.starts_at for change in found.changes} == {ben.starts_at}


def test_a_patient_is_not_sent_to_two_visits_at_once(mishap, clinic):
    """Ada has two courses. The lost visit could only be at 8:00 on Tuesday, when she has the other one."""
    clinic.resources, clinic.days = (SAGE, JUNIPER, KIM, LEE, HALE), 2
    mishap.book(SINGLE, "2026-03-02 08:00", hard=frozenset({Wish.HOURS}), leave_by=time(9, 15))
    mishap.book(SINGLE, "2026-03-03 08:00", again=True)
    clinic.close(None, "2026-03-02 00:00", "2026-03-03 00:00")

    found = repaired(mishap)

    assert (found.touched, found.unplaced) == (1, ())


def test_nobody_else_moves_if_nobody_must(mishap, clinic):
    clinic.days = 2
    mishap.book(SINGLE, "2026-03-02 08:00")
    mishap.book(SINGLE, "2026-03-03 08:00")
    clinic.close(None, "2026-03-02 00:00", "2026-03-03 00:00")

    assert moved(mishap, repaired(mishap)) == [("Mon 02 08:00", "Tue 03 09:15")]


def test_whom_somebody_wants_left_alone_is_not_moved(mishap, clinic):
    clinic.days = 2
    mishap.book(SINGLE, "2026-03-02 08:00", hard=frozenset({Wish.HOURS}), leave_by=time(9, 15))
    ben = mishap.book(SINGLE, "2026-03-03 08:00")
    clinic.close(None, "2026-03-02 00:00", "2026-03-03 00:00")

    found = repaired(mishap, keep=frozenset({ben.visits[0].id}))

    assert moved(mishap, found) == []
    assert [visit.starts_at for visit in found.unplaced] == [clinic.at("2026-03-02 08:00")]
    assert found.least_unplaced == 1


def test_a_visit_left_without_a_place_still_holds_what_it_held(mishap, clinic):
    """Ada wants Sage, which is closed; Ben could have her hour in Juniper, but nurse Kim is still held for her."""
    clinic.resources, clinic.days = (SAGE, JUNIPER, replace(KIM, lanes=1), HALE), 2
    clinic.opening = tuple((weekday, 480, 480 + 75) for weekday in range(5))
    mishap.book(SINGLE, "2026-03-02 08:00", hard=frozenset({Wish.ROOM}), room_id=SAGE.id)
    mishap.book(SINGLE, "2026-03-03 08:00", hard=frozenset({Wish.ROOM}), room_id=JUNIPER.id)
    clinic.close(SAGE, "2026-03-02 00:00", "2026-03-04 00:00")
    clinic.close(JUNIPER, "2026-03-03 00:00", "2026-03-04 00:00")

    found = repaired(mishap)

    assert len(found.unplaced) == 2
    assert found.changes == ()


def test_what_is_left_as_it_is_keeps_its_gaps_even_if_they_are_too_long(mishap):
    mishap.book(QUICK, "2026-03-02 09:00", "2026-03-12 09:00", "2026-03-16 09:00", "2026-03-18 09:00")
    mishap.clinic.close(None, "2026-03-18 00:00", "2026-03-19 00:00")

    assert moved(mishap, repaired(mishap)) == [("Wed 18 09:00", "Thu 19 09:00")]


def test_a_longer_gap_that_was_granted_is_used(mishap):
    mishap.book(QUICK, "2026-03-03 09:00", "2026-03-06 09:00", longest_gap=6)
    mishap.clinic.close(None, "2026-03-04 12:00", "2026-03-09 00:00")

    assert moved(mishap, repaired(mishap)) == [("Fri 06 09:00", "Mon 09 09:00")]
    mishap.clinic.close(None, "2026-03-09 00:00", "2026-03-09 12:00")
    assert moved(mishap, repaired(mishap)) == [("Fri 06 09:00", "Mon 09 12:00")]


def test_a_course_does_not_become_longer_than_its_span(mishap, clinic):
    """One visit fits into a day. Ada and Ben could have Friday; Ada the next Monday, too, but for her span."""
    clinic.opening, clinic.days = tuple((weekday, 480, 480 + 75) for weekday in range(5)), 8
    short = replace(QUICK, max_gap=timedelta(days=7, hours=12), max_span_days=4)
    ada = mishap.book(short, "2026-03-02 08:00", "2026-03-04 08:00")
    mishap.book(SINGLE, "2026-03-05 08:00", hard=frozenset({Wish.WEEKDAYS}), weekdays=frozenset({3, 4}))
    clinic.close(None, "2026-03-04 00:00", "2026-03-06 00:00")

    found = repaired(mishap, keep=frozenset({ada.visits[0].id}))

    assert (len(found.changes), len(found.unplaced), found.least_unplaced) == (1, 1, 1)


def test_a_course_on_consecutive_days_moves_along(mishap):
    daily = replace(QUICK, min_gap=timedelta(hours=20), max_gap=timedelta(days=4, hours=12), max_span_days=7)
    mishap.book(daily, "2026-03-02 09:00", "2026-03-03 09:00", "2026-03-04 09:00", "2026-03-05 09:00")
    mishap.clinic.close(None, "2026-03-03 00:00", "2026-03-04 00:00")

    found = repaired(mishap)

    assert (found.touched, found.least_touched, found.unplaced) == (2, 2, ())


def test_nothing_lost_is_nothing_to_do(mishap):
    mishap.book(QUICK, "2026-03-02 09:00", "2026-03-04 09:00")

    assert repaired(mishap) == Repair()


def test_it_ends_where_it_is_told_to(mishap):
    mishap.book(QUICK, "2026-03-02 09:00", "2026-03-04 09:00", "2026-03-06 09:00")
    mishap.clinic.close(None, "2026-03-04 00:00", "2026-03-05 00:00")
    asked: list[str] = []

    found = repair(mishap.damage(), seconds=5, go_on=lambda stage: asked.append(stage) or len(asked) < 2)

    assert asked == ["lost", "courses"]
    assert [mishap.clinic.say(visit.starts_at) for visit in found.unplaced] == ["Wed 04 09:00"]
    assert (found.least_unplaced, found.least_touched) == (0, 1)
