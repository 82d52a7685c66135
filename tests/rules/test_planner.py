"""Planning a series, in a coordinator's words."""

from dataclasses import replace
from datetime import time, timedelta
from uuid import UUID

import pytest

from tests.rules.brute import quick_phases
from tests.rules.clinics import ADA, HALE, JUNIPER, KIM, LEE, SAGE, WONG, ClinicWeek
from tracker.errors import Refused
from tracker.rules.availability import STARTS_LANE, Resource
from tracker.rules.block import Block
from tracker.rules.planner import (
    Why,
    Wish,
    alternatives,
    free_places,
    place,
    place_series,
    plan,
    relaxations,
    scarcity,
)
from tracker.rules.protocol import Hold
from tracker.rules.protocols import SINGLE, THREE_A_WEEK, TWO_A_WEEK


def said(clinic, plan):
    return [clinic.say(start) for start in plan.starts]


def test_an_empty_clinic_gives_monday_wednesday_friday_at_the_hour_asked_for():
    clinic = ClinicWeek()

    best = plan(clinic.request(preferred_time=time(10, 30)))[0]

    assert said(clinic, best) == [
        *("Mon 02 10:30", "Wed 04 10:30", "Fri 06 10:30"),
        *("Mon 09 10:30", "Wed 11 10:30", "Fri 13 10:30"),
    ]
    assert best.cost == 0
    assert [visit.ordinal for visit in best.visits] == [1, 2, 3, 4, 5, 6]
    assert [reason.text for reason in best.reasons] == ["Same time every visit: 10:30 AM", "Sage every visit"]


def test_clocks_that_go_forward_between_visits_leave_the_hour_where_it_was():
    """In Denver on 8 March 2026; the fourth visit is an hour of elapsed time sooner and still at 10:30."""
    clinic = ClinicWeek()

    starts = plan(clinic.request(preferred_time=time(10, 30)))[0].starts

    assert starts[3] - starts[2] == timedelta(days=3, hours=-1)


def test_a_visit_holds_room_patient_nurse_and_physician_for_their_phases():
    clinic = ClinicWeek()

    first = plan(clinic.request(preferred_time=time(10, 30)))[0].visits[0]

    held = [(c.resource_id, c.lane, clinic.say(c.starts_at)[-5:], clinic.say(c.ends_at)[-5:]) for c in first.claims]
    assert sorted(held) == [
        (ADA.id, 1, "10:30", "12:45"),
        (SAGE.id, 1, "10:30", "13:00"),
        (KIM.id, 1, "10:45", "12:45"),
        (KIM.id, STARTS_LANE, "11:05", "11:20"),
        (HALE.id, 1, "10:45", "11:05"),
        (HALE.id, 1, "12:35", "12:45"),
    ]


def test_one_friday_moves_because_the_room_is_taken():
    clinic = ClinicWeek()
    clinic.take(SAGE, "2026-03-06 09:00", "2026-03-06 12:00")

    best = plan(clinic.request(preferred_time=time(9), hard=frozenset()))[0]

    assert said(clinic, best)[2] == "Fri 06 12:00"
    assert "Fri, Mar 6 moved to 12:00 PM because Sage is taken" in [reason.text for reason in best.reasons]
    assert sum(reason.cost for reason in best.reasons) == best.cost


def test_one_friday_is_in_the_other_room_at_the_same_hour():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))
    clinic.take(SAGE, "2026-03-06 08:00", "2026-03-06 17:45")
    clinic.close(JUNIPER, "2026-03-09 00:00", "2026-04-09 00:00")

    best = plan(clinic.request(preferred_time=time(8)))[0]

    assert [visit.room_id for visit in best.visits] == [SAGE.id, SAGE.id, JUNIPER.id, SAGE.id, SAGE.id, SAGE.id]
    assert "Fri, Mar 6 in Juniper, not Sage" in [reason.text for reason in best.reasons]


def test_a_span_may_make_another_hour_of_day_the_best():
    """At 8:00 three days would cost nothing, but they are too far apart; three near ones are best seen from 9:00."""
    clinic = ClinicWeek(days=5)
    for day, hour in ((2, 8), (3, 9), (4, 9), (5, 8), (6, 8)):
        clinic.take(SAGE, f"2026-03-0{day} 07:00", f"2026-03-0{day} {hour:02}:00")
        clinic.take(SAGE, f"2026-03-0{day} {hour + 1:02}:15", f"2026-03-0{day} 17:45")
    gaps = {"min_gap": timedelta(hours=20), "max_gap": timedelta(days=4), "max_span_days": 2, "rhythm": ()}
    asked = replace(THREE_A_WEEK, visits=3, phases=quick_phases(), **gaps)

    best = plan(clinic.request(asked))[0]

    assert said(clinic, best) == ["Mon 02 08:00", "Tue 03 09:00", "Wed 04 09:00"]
    assert sum(reason.cost for reason in best.reasons if reason.why is Why.HOUR) == 24


def test_a_visit_comes_earlier_than_asked_where_the_next_day_could_not_follow_otherwise():
    clinic = ClinicWeek(days=2)
    clinic.take(SAGE, "2026-03-03 10:35", "2026-03-03 17:45")
    daily = replace(THREE_A_WEEK, visits=2, min_gap=timedelta(hours=24))

    best = plan(clinic.request(daily, preferred_time=time(9, 30)))[0]

    assert said(clinic, best) == ["Mon 02 08:00", "Tue 03 08:00"]


def test_the_three_plans_differ_on_at_least_two_days():
    clinic = ClinicWeek()

    plans = plan(clinic.request())

    days = [{start.astimezone(clinic.zone).date() for start in one.starts} for one in plans]
    assert len(plans) == 3
    assert all(len(later - earlier) >= 2 for n, later in enumerate(days) for earlier in days[:n])
    assert [one.cost for one in plans] == sorted(one.cost for one in plans)


def test_what_remains_follows_what_was_given():
    """Three of six are done, the last one on a Friday; the rest goes on with Monday."""
    clinic = ClinicWeek(first=ClinicWeek().first + timedelta(days=5))
    given = tuple(clinic.at(f"2026-03-0{day} 09:00") for day in (2, 4, 6))

    best = plan(replace(clinic.request(preferred_time=time(9)), given=given))[0]

    assert said(clinic, best) == ["Mon 09 09:00", "Wed 11 09:00", "Fri 13 09:00"]
    assert [visit.ordinal for visit in best.visits] == [4, 5, 6]


def test_nothing_remains_of_a_series_that_is_done():
    clinic = ClinicWeek()
    given = tuple(plan(clinic.request())[0].starts)

    assert plan(replace(clinic.request(), given=given)) == []
    assert relaxations(replace(clinic.request(weekdays=frozenset({6})), given=given)) == []


def test_never_thursdays_and_not_before_ten():
    clinic = ClinicWeek()

    for one in plan(clinic.request(TWO_A_WEEK, weekdays=frozenset({0, 1, 2, 4}), arrive_from=time(10))):
        local = [start.astimezone(clinic.zone) for start in one.starts]
        assert all(start.weekday() != 3 and start.time() >= time(10) for start in local)


def test_a_nurse_watches_two_patients_and_starts_them_a_quarter_of_an_hour_apart():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))
    clinic.book(place(clinic.request(SINGLE), 1, clinic.at("2026-03-02 09:00"), room_id=SAGE.id))
    clinic.claims = [claim for claim in clinic.claims if claim[0] != ADA.id]

    with pytest.raises(Refused, match="no nurse is free"):
        place(clinic.request(SINGLE), 1, clinic.at("2026-03-02 09:10"), room_id=JUNIPER.id)

    second = place(clinic.request(SINGLE), 1, clinic.at("2026-03-02 09:15"), room_id=JUNIPER.id)
    assert {claim.lane for claim in second.claims if claim.resource_id == KIM.id} == {2, STARTS_LANE}


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("2026-03-04 16:00", "Visit 2, Wed, Mar 4, 4:00 PM: Sage is closed."),
        ("2026-03-04 10:00", "Visit 2, Wed, Mar 4, 10:00 AM: Sage is taken."),
        ("2026-03-03 09:00", "Visit 2, Tue, Mar 3, 9:00 AM: too soon after the visit before."),
        ("2026-03-13 09:00", "Visit 2, Fri, Mar 13, 9:00 AM: too long after the visit before."),
        ("2026-03-04 12:02", "Choose a time on a multiple of 5 minutes."),
        ("2026-03-01 09:00", "That time is over."),
        ("2027-03-01 09:00", "That day is too far away."),
    ],
)
def test_a_visit_is_refused_with_the_rule_that_is_in_the_way(start, message):
    clinic = ClinicWeek()
    clinic.take(SAGE, "2026-03-04 09:00", "2026-03-04 12:00")

    with pytest.raises(Refused) as refused:
        place(clinic.request(), 2, clinic.at(start), room_id=SAGE.id, before=clinic.at("2026-03-02 09:00"))

    assert refused.value.message == message


@pytest.mark.parametrize("room_id", [KIM.id, ADA.id, UUID(int=77)], ids=["a nurse", "the patient", "nobody"])
def test_only_a_room_is_a_room(room_id):
    clinic = ClinicWeek()

    with pytest.raises(Refused, match="Visit 1: there is no such room"):
        place(clinic.request(SINGLE), 1, clinic.at("2026-03-02 09:00"), room_id=room_id)
    with pytest.raises(Refused, match="Visit 1: there is no such room"):
        place_series(clinic.request(SINGLE), [(clinic.at("2026-03-02 09:00"), room_id)])


def test_a_plan_that_was_shown_is_refused_when_one_of_its_places_is_taken_meanwhile():
    clinic = ClinicWeek()
    shown = [(visit.starts_at, visit.room_id) for visit in plan(clinic.request(preferred_time=time(9)))[0].visits]
    clinic.take(SAGE, "2026-03-06 11:00", "2026-03-06 12:00")

    with pytest.raises(Refused, match=r"Visit 3, Fri, Mar 6, .*: Sage is taken"):
        place_series(clinic.request(), shown)


def test_a_series_put_together_by_hand_keeps_the_gaps_also_to_what_was_given():
    clinic = ClinicWeek()
    given = (clinic.at("2026-03-02 09:00"),)
    request = replace(clinic.request(replace(THREE_A_WEEK, visits=3)), given=given)

    with pytest.raises(Refused, match=r"Visit 2, .*: too soon after the visit before"):
        place_series(request, [(clinic.at(f"2026-03-{day} 09:00"), SAGE.id) for day in ("03", "05")])
    with pytest.raises(Refused, match=r"Visit 2, .*: too close to the visit after"):
        place_series(request, [(clinic.at(f"2026-03-{day} 09:00"), SAGE.id) for day in ("04", "05")])
    assert [
        visit.ordinal for visit in place_series(request, [(clinic.at(f"2026-03-0{d} 09:00"), SAGE.id) for d in (4, 6)])
    ] == [2, 3]


def test_a_nurse_who_is_away_on_wednesdays_is_stood_in_for():
    weekdays = tuple((one.id, day, 480, 1065) for one in (HALE, KIM) for day in range(5) if (one, day) != (KIM, 2))
    clinic = ClinicWeek(resources=(SAGE, KIM, LEE, HALE), shifts=(*weekdays, (LEE.id, 2, 480, 1065)))

    best = plan(clinic.request(preferred_time=time(9)))[0]

    assert [visit.nurse_id for visit in best.visits] == [KIM.id, LEE.id, KIM.id] * 2


def test_the_lane_with_less_free_time_before_is_taken_so_that_long_free_time_stays_whole():
    """Kim's second patient leaves at 10:30, her first lane is free since 8:00: the next one follows the second."""
    clinic = ClinicWeek()
    clinic.take(KIM, "2026-03-02 08:15", "2026-03-02 10:30", lane=2)

    visit = place(clinic.request(SINGLE), 1, clinic.at("2026-03-02 10:30"))

    assert [claim.lane for claim in visit.claims if claim.resource_id == KIM.id] == [2, STARTS_LANE]


@pytest.mark.parametrize(
    ("start", "holes"),
    [("08:00", 0), ("08:15", 1), ("10:15", 1), ("10:30", 0), ("12:45", 0), ("12:50", 1), ("15:10", 1), ("15:15", 0)],
)
def test_a_hole_is_time_of_the_room_in_which_no_block_fits(start, holes):
    """The day is 8:00 to 17:45, a block 150 minutes: up to 12:45 another fits after it, from 10:30 one before it."""
    clinic = ClinicWeek()
    block, day = Block(SINGLE, clinic.free()), 0
    slot = clinic.free().days.find(clinic.at(f"2026-03-02 {start}"))[1]

    assert sum(bits >> slot & 1 for bits in block.holes(SAGE, day)) == holes


def test_the_best_alternative_is_the_same_day_at_the_next_hour():
    clinic = ClinicWeek()
    clinic.take(SAGE, "2026-03-04 09:00", "2026-03-04 11:30")

    ranked = alternatives(
        clinic.request(),
        2,
        instead_of=clinic.at("2026-03-04 09:00"),
        room_id=SAGE.id,
        physician_id=HALE.id,
        before=clinic.at("2026-03-02 09:00"),
        after=clinic.at("2026-03-06 09:00"),
    )

    assert clinic.say(ranked[0].visit.starts_at) == "Wed 04 11:30"
    assert ranked[0].reasons[0].text == "The same day"
    assert all(one.cost == sum(reason.cost for reason in one.reasons) for one in ranked)
    assert [one.cost for one in ranked] == sorted(one.cost for one in ranked)


def test_a_visit_whose_room_and_physician_are_gone_can_still_be_moved():
    clinic = ClinicWeek()
    gone = {"room_id": JUNIPER.id, "physician_id": WONG.id}

    ranked = alternatives(clinic.request(), 2, instead_of=clinic.at("2026-03-04 09:00"), **gone)

    assert {one.visit.room_id for one in ranked} == {SAGE.id}
    assert (
        alternatives(ClinicWeek(resources=(SAGE, KIM)).request(), 2, instead_of=clinic.at("2026-03-04 09:00"), **gone)
        == []
    )


def test_a_place_that_somebody_chose_may_break_every_wish():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE, WONG))
    clinic.close(WONG, "2026-03-01 00:00", "2026-04-01 00:00")
    request = clinic.request(
        SINGLE,
        weekdays=frozenset({3}),
        arrive_from=time(12),
        room_id=JUNIPER.id,
        clinician_id=WONG.id,
        hard=frozenset(Wish),
    )

    visit = place(request, 1, clinic.at("2026-03-02 09:00"), room_id=SAGE.id)

    assert (visit.room_id, visit.physician_id) == (SAGE.id, HALE.id)
    assert place_series(request, [(visit.starts_at, SAGE.id)]) == [visit]


def test_free_places_of_a_day_room_by_room():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))
    clinic.take(SAGE, "2026-03-02 09:00", "2026-03-02 15:30")
    now = clinic.at("2026-03-02 11:42")

    places = free_places(SINGLE, clinic.free(), clinic.first, not_before=now)

    assert [(p.room_id, clinic.say(p.starts_at), clinic.say(p.latest_start)) for p in places] == [
        (JUNIPER.id, "Mon 02 11:45", "Mon 02 15:15")
    ]


def test_when_the_clinic_has_no_physician_it_says_so():
    clinic = ClinicWeek(resources=(SAGE, KIM))

    assert plan(clinic.request()) == []
    assert relaxations(clinic.request()) == []
    assert scarcity(clinic.request()) == "There are too few days with a free physician."


def test_the_nurse_wished_for_comes_whenever_she_can():
    clinic = ClinicWeek(resources=(SAGE, KIM, LEE, HALE))

    best = plan(clinic.request(clinician_id=LEE.id))[0]

    assert {visit.nurse_id for visit in best.visits} == {LEE.id}


def test_a_wish_that_cannot_be_kept_costs_and_is_said():
    clinic = ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE))
    clinic.close(JUNIPER, "2026-03-02 00:00", "2026-03-05 00:00")

    kept = plan(clinic.request(room_id=JUNIPER.id, hard=frozenset({Wish.ROOM})))[0]
    soft = plan(clinic.request(room_id=JUNIPER.id))[0]

    assert {visit.room_id for visit in kept.visits} == {JUNIPER.id}
    assert all(reason.why is not Why.WISH for reason in kept.reasons)
    assert soft.cost <= kept.cost


def test_a_single_infusion_is_planned_and_offered_on_three_days():
    clinic = ClinicWeek()

    plans = plan(clinic.request(SINGLE))

    assert [len(one.visits) for one in plans] == [1, 1, 1]
    assert len({start.date() for one in plans for start in one.starts}) == 3


def test_the_protocol_of_the_request_counts_not_the_shipped_one():
    clinic = ClinicWeek()
    four = replace(THREE_A_WEEK, visits=4)

    assert len(plan(clinic.request(four))[0].visits) == 4


def with_a_pump():
    """The infusion holds a pump; the clinic has one for its two rooms."""
    phases = tuple(
        replace(phase, holds=(*phase.holds, Hold("pump"))) if phase.name == "infusion" else phase
        for phase in THREE_A_WEEK.phases
    )
    pump = Resource(UUID(int=41), "pump", "Pump 1")
    return replace(THREE_A_WEEK, phases=phases), pump, ClinicWeek(resources=(SAGE, JUNIPER, KIM, HALE, pump))


def test_a_pump_is_held_for_the_infusion_and_nobody_wrote_code_for_pumps():
    protocol, pump, clinic = with_a_pump()
    clinic.take(pump, "2026-03-04 09:30", "2026-03-04 10:00")

    best = plan(clinic.request(protocol, preferred_time=time(9)))[0]

    held = [
        (c.lane, clinic.say(c.starts_at), clinic.say(c.ends_at))
        for v in best.visits
        for c in v.claims
        if c.resource_id == pump.id
    ]
    assert held[:2] == [(1, "Mon 02 09:35", "Mon 02 10:15"), (1, "Wed 04 10:05", "Wed 04 10:45")]
    assert len(held) == 6
    assert "Wed, Mar 4 moved to 9:30 AM because no pump is free" in [reason.text for reason in best.reasons]
    assert tuple(place_series(clinic.request(protocol), [(v.starts_at, v.room_id) for v in best.visits])) == best.visits


def test_two_visits_do_not_share_a_pump():
    protocol, _pump, clinic = with_a_pump()
    clinic.book(place(clinic.request(protocol), 1, clinic.at("2026-03-02 09:00"), room_id=SAGE.id))
    clinic.claims = [claim for claim in clinic.claims if claim[0] != ADA.id]

    with pytest.raises(Refused, match="no pump is free"):
        place(clinic.request(protocol), 1, clinic.at("2026-03-02 09:30"), room_id=JUNIPER.id)
    assert place(clinic.request(protocol), 1, clinic.at("2026-03-02 09:45"), room_id=JUNIPER.id)


def test_a_clinic_without_a_pump_is_told_so():
    protocol, pump, clinic = with_a_pump()
    clinic.resources = tuple(one for one in clinic.resources if one is not pump)

    assert plan(clinic.request(protocol)) == []
    assert scarcity(clinic.request(protocol)) == "There are too few days with a free pump."
