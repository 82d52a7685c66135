"""What would help when nothing fits, against every change there is: none is wrong, missing or larger than needed."""

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from tests.rules.brute import Brute
from tests.rules.test_planner_exact import requests
from tracker.rules.plan import PlanRequest, Rule, Wish, Wishes
from tracker.rules.planner import plan as planned
from tracker.rules.planner import relaxations, wish_prices


@pytest.mark.slow
@given(requests())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_changes_are_those_that_help_and_none_is_larger_than_needed(made):
    clinic, request = made

    def fits(**changes: object) -> bool:
        return Brute(clinic, replace(request, wishes=replace(request.wishes, **changes))).fits()

    found = {one.rule: one for one in relaxations(request)}

    if fits():
        assert found == {}
        return
    wishes = request.wishes
    for one in relaxations(request):
        assert fits(**vars(one.wishes)), one
    assert (Wish.WEEKDAYS in found) == (
        bool(wishes.weekdays) and fits(weekdays=frozenset()) and is_hard(request, "WEEKDAYS")
    )
    assert (Wish.DAYS_OFF in found) == (
        bool(wishes.days_off) and fits(days_off=frozenset()) and is_hard(request, "DAYS_OFF")
    )
    for wish in (Wish.ROOM, Wish.CLINICIAN):
        assert (wish in found) == (wish in wishes.hard and fits(hard=wishes.hard - {wish}))
    check_clock(clinic, request, found, fits)
    check_gap(request, found, fits)
    check_start(clinic, request, found, fits)


def is_hard(request: PlanRequest, name: str) -> bool:
    return Wish[name] in request.wishes.hard


def check_clock(clinic, request, found, fits):
    """The least that a single start is outside; where none helps, the least on every day."""
    wishes = request.wishes
    least = min(
        (
            outside(clinic, wishes, option.start)
            for option in Brute(
                clinic, replace(request, wishes=replace(wishes, hard=wishes.hard - {Wish.HOURS, Wish.TIME}))
            ).options()
            if outside(clinic, wishes, option.start) and fits(also=wishes.also | {option.start})
        ),
        default=None,
    )
    one = found.get(Wish.HOURS) or found.get(Wish.TIME)
    if least is not None:
        (instant,) = one.wishes.also - wishes.also
        assert outside(clinic, wishes, instant) == least
        return
    if one is None:
        assert not fits(hard=wishes.hard - {Wish.HOURS})
        assert not fits(hard=wishes.hard - {Wish.TIME})
    elif one.rule is Wish.HOURS and one.wishes.arrive_from and one.wishes.arrive_from != wishes.arrive_from:
        later = minutes(one.wishes.arrive_from) + request.start_every
        assert not fits(arrive_from=time(later // 60, later % 60))
    elif one.rule is Wish.HOURS and one.wishes.leave_by and one.wishes.leave_by != wishes.leave_by:
        earlier = minutes(one.wishes.leave_by) - request.start_every
        assert not fits(leave_by=time(earlier // 60, earlier % 60))


def minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def outside(clinic, wishes: Wishes, start: datetime) -> int:
    if start in wishes.also:
        return 0
    minute = minutes(start.astimezone(clinic.zone).time())
    parts = [0]
    if Wish.HOURS in wishes.hard:
        parts += [minutes(wishes.arrive_from) - minute] if wishes.arrive_from else []
        parts += [minute + 65 - minutes(wishes.leave_by)] if wishes.leave_by else []
    if Wish.TIME in wishes.hard and wishes.preferred_time:
        parts += [abs(minute - minutes(wishes.preferred_time)) - 30]
    return sum(max(0, part) for part in parts)


def check_gap(request, found, fits):
    longest = request.limits.max_gap.days
    one = found.get(Rule.GAP) or found.get(Rule.SPAN)
    if one is None:
        assert not fits(longest_gap=longest + 14)
    elif one.wishes.longest_gap > longest + 1:
        assert not fits(longest_gap=one.wishes.longest_gap - 1)
    assert not (one and one.by_patient)


def check_start(clinic, request, found, fits):
    asked = request.wishes.earliest
    days = [clinic.first + timedelta(days=n) for n in range(clinic.days)]
    earlier = [day for day in days if day < asked and not request.given and fits(earliest=day)]
    assert (Rule.START in found) == bool(earlier)
    if earlier:
        assert found[Rule.START].wishes.earliest == max(earlier)


@given(requests())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_wish_has_a_price_only_if_the_cheapest_series_without_it_is_cheaper(made):
    clinic, request = made
    best = planned(request, k=1)
    for price in wish_prices(request, best[0]) if best else ():
        without = replace(request, wishes=price.wishes)
        assert min(Brute(clinic, without).series().values()) < best[0].cost
        assert planned(without, k=1)[0].starts != best[0].starts or "every visit" in price.text
