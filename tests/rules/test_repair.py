"""A day falls out: what is found is allowed, whatever falls out, and on small clinics it is the least there is."""

from datetime import date, datetime, time, timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.rules.brute import protocol
from tests.rules.clinics import HALE, JUNIPER, KIM, LEE, SAGE, WONG, ClinicWeek
from tests.rules.mishaps import PUMP, EveryRepair, Mishap, with_pump
from tracker.rules.plan import Wish
from tracker.rules.protocols import THREE_A_WEEK
from tracker.rules.repair import repair

FIRSTS = (date(2026, 3, 2), date(2026, 3, 6), date(2026, 10, 30))  # clocks change on 8 March and 1 November
LOSSES = ("day", "two days", "room", "nurse", "physician between", "first", "last", "two of one", "rest of today")
QUICK = protocol(THREE_A_WEEK)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@st.composite
def protocols(draw: st.DrawFn, most: int):  # type: ignore[no-untyped-def]
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
):  # type: ignore[no-untyped-def]
    resources = (SAGE, KIM, HALE, PUMP, *draw(st.sampled_from(more)))
    opening = tuple((weekday, 480, 480 + 15 * draw(st.integers(5, hours))) for weekday in range(7))
    clinic = ClinicWeek(resources=resources, first=draw(st.sampled_from(FIRSTS)), days=days, opening=opening)
    now = datetime.combine(clinic.first + timedelta(days=draw(st.integers(0, 2))), time(7), clinic.zone)
    mishap = Mishap(clinic, now)
    for _ in range(draw(st.integers(0, 3))):
        who, day = draw(st.sampled_from(resources)), clinic.first + timedelta(days=draw(st.integers(0, days - 1)))
        begins = 480 + 15 * draw(st.integers(0, hours))
        clinic.take(who, f"{day} {begins // 60:02}:{begins % 60:02}", f"{day} {begins // 60 + 1:02}:{begins % 60:02}")
    for _ in range(draw(st.integers(2, patients))):
        mishap.book(draw(protocols(visits)), **draw(wishes(clinic)))
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


def lose(draw: st.DrawFn, mishap: Mishap) -> frozenset:  # type: ignore[type-arg]
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


@given(st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=SLOW)
def test_whatever_falls_out_no_repair_breaks_a_rule(data):
    mishap = data.draw(mishaps(patients=7, visits=4, days=10, hours=12))
    damage = mishap.damage(keep=lose(data.draw, mishap))
    stages = data.draw(st.sampled_from((1, 2, 3)))

    found = repair(damage, seconds=0.4, go_on=lambda stage: ("lost", "courses", "others").index(stage) < stages)

    assert mishap.faults(damage, found) == []
    assert (len(found.unplaced), found.touched) >= (found.least_unplaced, 0)
    if len(found.unplaced) == found.least_unplaced:
        assert found.touched >= found.least_touched


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_on_a_small_clinic_a_repair_is_the_least_there_is(data):
    mishap = data.draw(mishaps(patients=3, visits=3, days=7, hours=7, more=((), (JUNIPER,))))
    damage = mishap.damage(keep=lose(data.draw, mishap))
    alone, all_ways = (EveryRepair(mishap, damage, others=others).least() for others in (False, True))
    assume(alone and all_ways)

    first = repair(damage, seconds=6, go_on=lambda stage: stage == "lost")
    found = repair(damage, seconds=4)

    assert len(first.unplaced) == alone[0]
    assert (len(found.unplaced), found.touched) == all_ways
    assert (found.least_unplaced, found.least_touched) <= all_ways
