"""The planner against every series there is, on small clinics: no hard rule broken, nothing cheaper left out."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rules.brute import Brute, protocol
from tests.rules.clinics import ADA, HALE, JUNIPER, KIM, LEE, SAGE, WONG, ClinicWeek
from tracker.rules.availability import STARTS_LANE
from tracker.rules.plan import Wish
from tracker.rules.planner import place_series, plan
from tracker.rules.protocols import THREE_A_WEEK

# An ordinary week; clocks forward on 8 March 2026, back on 1 November.
FIRSTS = (date(2026, 3, 2), date(2026, 3, 6), date(2026, 10, 30))


@st.composite
def clinics(draw: st.DrawFn) -> ClinicWeek:
    resources = (SAGE, KIM, HALE)
    resources += draw(st.sampled_from(((JUNIPER,), (JUNIPER, LEE), (WONG,), (JUNIPER, LEE, WONG), ())))
    # At one in the night the block runs over the change of clocks.
    opens = draw(st.sampled_from((480, 480, 0, 60)))
    clinic = ClinicWeek(resources=resources, first=draw(st.sampled_from(FIRSTS)), days=draw(st.integers(4, 8)))
    length = 5 * draw(st.integers(18, 42))
    clinic.opening = tuple((weekday, opens, opens + length) for weekday in draw(st.sets(st.integers(0, 6), min_size=5)))
    for _ in range(draw(st.sampled_from((0, 2, 4, 8, 12)))):
        resource = draw(st.sampled_from((*resources, ADA)))
        lane = draw(
            st.sampled_from([*range(1, resource.lanes + 1), *([STARTS_LANE] if resource.kind == "nurse" else [])])
        )
        start = datetime.combine(clinic.first, time(), clinic.zone) + timedelta(
            days=draw(st.integers(0, clinic.days - 1)), minutes=opens + draw(st.integers(-30, length))
        )
        start = start.astimezone(clinic.zone)
        end = start.timestamp() + 60 * draw(st.integers(1, 120) | st.just(300))
        taken = (start, datetime.fromtimestamp(end, clinic.zone))
        if draw(st.booleans()) or resource is ADA:
            clinic.claims.append((resource.id, lane, *taken))
        else:
            clinic.closures.append((draw(st.sampled_from((None, resource.id))), *taken))
    return clinic


def protocols(draw: st.DrawFn, remaining: int):
    """Three a week and the like; boosters; daily, with gaps that only some starts of two days keep."""
    given_before = draw(st.sampled_from((0, 0, 1, 4)))
    return given_before, protocol(
        THREE_A_WEEK,
        visits=given_before + remaining,
        min_gap=timedelta(hours=draw(st.sampled_from((20, 23, 24, 24, 36, 47)))),
        max_gap=timedelta(hours=draw(st.sampled_from((26, 49, 72, 120)))),
        max_span_days=draw(st.sampled_from((1, 2, 2, 3, 4, 7))) + 2 * given_before,
        rhythm=draw(st.sampled_from(((2, 2, 3), (1,), (3, 2), (7,), ()))),
    )


@st.composite
def requests(draw: st.DrawFn):
    clinic = draw(clinics())
    given_before, asked = protocols(draw, draw(st.sampled_from((1, 2, 2, 3))))
    people = [resource.id for resource in clinic.resources if resource.kind in ("nurse", "physician")]
    rooms = [resource.id for resource in clinic.resources if resource.kind == "room"]
    first_minute = clinic.opening[0][1]
    clock = time(first_minute // 60 + draw(st.integers(0, 3)), draw(st.sampled_from((0, 30))))
    late = time(first_minute // 60 + draw(st.integers(2, 4)), draw(st.sampled_from((0, 15))))
    also = clinic.at(f"{clinic.first + timedelta(days=draw(st.integers(0, 2)))} {clock:%H:%M}").astimezone(UTC)
    request = clinic.request(
        asked,
        earliest=clinic.first + timedelta(days=draw(st.integers(0, 2))),
        weekdays=draw(st.just(frozenset()) | st.frozensets(st.integers(0, 6), min_size=4)),
        days_off=frozenset({clinic.first + timedelta(days=draw(st.integers(0, 4)))} if draw(st.booleans()) else ()),
        arrive_from=draw(st.none() | st.none() | st.just(clock)),
        leave_by=draw(st.none() | st.none() | st.just(late)),
        preferred_time=draw(st.none() | st.none() | st.just(clock)),
        room_id=draw(st.none() | st.sampled_from(rooms)),
        clinician_id=draw(st.none() | st.sampled_from(people)),
        hard=draw(st.frozensets(st.sampled_from(tuple(Wish)), max_size=3)),
        also=draw(st.just(frozenset()) | st.just(frozenset({also}))),
        longest_gap=draw(st.none() | st.none() | st.integers(1, 6)),
    )
    last = clinic.first - timedelta(days=draw(st.integers(-1, 2)))
    # An instant is an instant, whatever zone it comes in.
    zone = draw(st.sampled_from((clinic.zone, UTC, ZoneInfo("Pacific/Auckland"))))
    nines = (clinic.at(f"{last - timedelta(days=2 * n)} 09:00") for n in reversed(range(given_before)))
    done = tuple(nine.astimezone(zone) for nine in nines)
    return clinic, replace(request, given=done, start_every=draw(st.sampled_from((15, 30))))


@pytest.mark.slow
@given(requests())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_plan_breaks_a_hard_rule_and_none_is_dearer_than_the_cheapest(made):
    clinic, request = made
    possible = Brute(clinic, request).series()

    plans = plan(request)

    differ = min(2, request.protocol.visits - len(request.given))
    earlier: list[set[date]] = []
    for option in plans:
        cheapest = min(cost for starts, cost in possible.items() if unlike(clinic, starts, earlier, differ))
        assert option.cost == possible[tuple(option.starts)] == cheapest
        assert option.cost == sum(reason.cost for reason in option.reasons)
        assert tuple(place_series(request, [(v.starts_at, v.room_id) for v in option.visits])) == option.visits
        earlier.append(days(clinic, option.starts))
    if len(plans) < 3:
        assert not any(unlike(clinic, starts, earlier, differ) for starts in possible)


def days(clinic, starts):
    return {start.astimezone(clinic.zone).date() for start in starts}


def unlike(clinic, starts, earlier, differ):
    return all(len(days(clinic, starts) - other) >= differ for other in earlier)


@given(requests())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_what_a_plan_holds_is_free_and_enough(made):
    """Each claim against the clinic's hours and every other claim, its own plan's included."""
    clinic, request = made
    brute = Brute(clinic, request)
    by_id = {resource.id: resource for resource in (*clinic.resources, ADA)}

    for option in plan(request):
        for visit in option.visits:
            for claim in visit.claims:
                resource = by_id[claim.resource_id]
                assert brute.there(resource, (claim.starts_at, claim.ends_at))
                assert brute.unclaimed(resource, claim.lane, (claim.starts_at, claim.ends_at))
                assert claim.lane == STARTS_LANE or 1 <= claim.lane <= resource.lanes
            held = sorted((by_id[c.resource_id].kind, c.lane == STARTS_LANE, minutes(visit, c)) for c in visit.claims)
            assert held == [
                ("nurse", False, (10, 65)),
                ("nurse", True, (25, 40)),
                ("patient", False, (0, 65)),
                ("physician", False, (10, 25)),
                ("physician", False, (55, 65)),
                ("room", False, (0, 75)),
            ]


def minutes(visit, claim):
    seconds = ((claim.starts_at - visit.starts_at).total_seconds(), (claim.ends_at - visit.starts_at).total_seconds())
    return tuple(int(second) // 60 for second in seconds)
