"""What a late arrival or a long recovery does to the next in the room and to the nurse's next, in every state."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.test_board import DAY, DENVER, HOURS, KIM, ROOMS, a_visit, at
from tracker.rules.attention import Matter
from tracker.rules.board import draw
from tracker.rules.lateness import expected
from tracker.rules.vocabulary import VisitStatus

_S = VisitStatus
LEE, HALE = uuid4(), uuid4()


def the_board(visits, now, lanes=2):
    return draw(
        day=DAY,
        zone=DENVER,
        hours=HOURS,
        rooms=list(ROOMS.values()),
        visits=visits,
        lanes={KIM: lanes, LEE: lanes, HALE: 1},
        now=at(now),
    )


def said(visits, now, lanes=2):
    """Return what the board says of whom: patient, matter, where, next, when it is free."""
    return [
        (need.visit.patient, need.chip.about, one.where, one.next, one.free_at)
        for need in the_board(visits, now, lanes).needs
        for one in need.effects
    ]


# A block is 15 check-in, 20 set-up, 40 infusion, 60 recovery, 15 room reset; from 9:00 it is over at 11:30.
@pytest.mark.parametrize(
    ("status", "now", "moments", "nurse_until", "room_until"),
    [
        (_S.BOOKED, "08:30", {}, "11:15", "11:30"),
        (_S.BOOKED, "09:20", {}, "11:35", "11:50"),
        (_S.ARRIVED, "09:05", {"arrived_at": "08:50"}, "11:15", "11:30"),
        (_S.ARRIVED, "09:30", {"arrived_at": "09:25"}, "11:40", "11:55"),
        (_S.ARRIVED, "10:00", {"arrived_at": "09:00"}, "12:00", "12:15"),
        (_S.TIME_OUT, "09:20", {}, "11:15", "11:30"),
        (_S.TIME_OUT, "10:00", {}, "11:40", "11:55"),
        (_S.INFUSING, "10:00", {"started_at": "09:35"}, "11:15", "11:30"),
        (_S.INFUSING, "10:20", {"started_at": "10:00"}, "11:40", "11:55"),
        (_S.PAUSED, "11:00", {"started_at": "10:00"}, "12:00", "12:15"),
        (_S.RECOVERING, "10:30", {"started_at": "09:35", "stopped_at": "09:50"}, "10:50", "11:05"),
        (_S.RECOVERING, "12:00", {"started_at": "09:35", "stopped_at": "10:15"}, "12:00", "12:15"),
        (_S.READY, "11:40", {"started_at": "09:35", "stopped_at": "10:15"}, "11:40", "11:55"),
    ],
)
def test_from_where_it_is_a_visit_takes_as_long_as_planned(status, now, moments, nurse_until, room_until):
    visit = a_visit("Ada", "Sage", "09:00", status, **moments)

    found = expected(visit, at(now))

    assert (found.nurse_until, found.room_until) == (at(nurse_until), at(room_until))


@given(
    status=st.sampled_from([one for one in _S if one not in {_S.CANCELLED, _S.NO_SHOW, _S.HELD}]),
    now=st.integers(8 * 60, 18 * 60),
    started=st.one_of(st.none(), st.integers(8 * 60, 18 * 60)),
    stopped=st.one_of(st.none(), st.integers(8 * 60, 18 * 60)),
)
def test_nobody_is_expected_to_have_left_already(status, now, started, stopped):
    """Whatever was written down, in whatever order."""
    minutes = {"started_at": started, "stopped_at": stopped}
    moments = {name: f"{value // 60:02}:{value % 60:02}" for name, value in minutes.items() if value is not None}
    clock = f"{now // 60:02}:{now % 60:02}"

    found = expected(a_visit("Ada", "Sage", "09:00", status, **moments), at(clock))

    assert at(clock) <= found.nurse_until < found.room_until


LATE_STATES = [
    (_S.BOOKED, "09:40", {}, Matter.LATE),
    (_S.ARRIVED, "09:40", {"arrived_at": "09:38"}, Matter.LATE),
    (_S.TIME_OUT, "10:10", {"arrived_at": "09:38"}, Matter.LATE),
    (_S.INFUSING, "10:40", {"started_at": "10:15"}, Matter.LATE),
    (_S.PAUSED, "10:40", {"started_at": "10:15"}, Matter.LATE),
    (_S.RECOVERING, "12:00", {"started_at": "09:35", "stopped_at": "10:15"}, Matter.OVER),
]


@pytest.mark.parametrize(("status", "now", "moments", "matter"), LATE_STATES)
def test_the_room_is_not_free_for_the_next(status, now, moments, matter):
    """In every state in which somebody can be late, the next in that room is told of, with when it will be free."""
    late = a_visit("Ada", "Sage", "09:00", status, **moments)
    following = a_visit("Ben", "Sage", "11:45", nurse_id=LEE)

    found = said([late, following], now)

    assert [one[:4] for one in found] == [("Ada", matter, "Sage", "Ben")]
    assert found[0][4] == expected(late, at(now)).room_until > at("11:45")


@pytest.mark.parametrize(("status", "now", "moments", "matter"), LATE_STATES)
def test_the_nurse_is_not_free_for_the_next(status, now, moments, matter):
    """The same in another room, with a nurse who has one patient at a time: needed for set-up at 11:20."""
    late = a_visit("Ada", "Sage", "09:00", status, **moments)
    following = a_visit("Ben", "Mesa", "11:05" if now < "11:20" else "11:50")

    found = said([late, following], now, lanes=1)

    if now >= "11:20":  # recovering until now, so the one at 12:05 is in time
        assert found == []
    else:
        assert [one[:4] for one in found] == [("Ada", matter, "KM", "Ben")]
        assert found[0][4] == expected(late, at(now)).nurse_until > at("11:20")


def test_a_nurse_with_a_free_lane_keeps_nobody_waiting():
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:15")
    following = a_visit("Ben", "Mesa", "11:05")

    assert said([late, following], "10:40", lanes=2) == []


def test_two_lanes_are_taken_by_two_and_the_first_to_end_counts():
    """Ada and Cy are both there when Ben is to be set up; Cy leaves first."""
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:15")
    other = a_visit("Cy", "Juniper", "09:15", _S.INFUSING, started_at="09:50")
    following = a_visit("Ben", "Mesa", "11:05")

    (found,) = said([late, other, following], "10:40")

    assert found == ("Ada", Matter.LATE, "KM", "Ben", at("11:40"))


def test_the_same_next_one_is_told_of_once_by_what_holds_longer():
    """Room and nurse: the room is free a reset later."""
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:35")
    following = a_visit("Ben", "Sage", "11:30")

    found = said([late, following], "10:40", lanes=1)

    assert [one[2:4] for one in found] == [("Sage", "Ben")]


def test_whoever_is_in_time_says_nothing():
    """In time, over, cancelled or not begun: no word."""
    visits = [
        a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="09:35"),
        a_visit("Ben", "Sage", "11:30"),
        a_visit("Cy", "Mesa", "08:00", _S.DISCHARGED, started_at="09:35", stopped_at="10:15", left_at="11:15"),
        a_visit("Dee", "Mesa", "11:00", _S.CANCELLED),
    ]

    assert said(visits, "10:00", lanes=1) == []


def test_a_few_minutes_are_not_worth_a_word():
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="09:39")

    assert said([late, a_visit("Ben", "Sage", "11:30")], "10:00") == []
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="09:40")
    assert said([late, a_visit("Ben", "Sage", "11:30")], "10:00")


def test_a_late_bar_shows_how_long_it_is_expected_to_stay():
    """Started at 10:00, it will need the room until 11:55: 25 minutes more; never over the next one's beginning."""
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:00")

    alone = the_board([late], "10:20").rows[0].bars[0]
    close = the_board([late, a_visit("Ben", "Sage", "11:40")], "10:20").rows[0].bars[0]

    assert (alone.over, close.over) == (5, 2)
    assert close.chip.about is Matter.LATE
    assert close.chip.minutes == 25


def test_somebody_waiting_is_told_until_when_it_moves_nobody():
    """Ben waits; if he starts by 13:00 Cy keeps her time; later, she waits too."""
    ben = a_visit("Ben", "Sage", "11:30", _S.ARRIVED, arrived_at="11:20")
    cy = a_visit("Cy", "Sage", "15:30")
    late = a_visit("Ada", "Sage", "09:00", _S.RECOVERING, started_at="09:35", stopped_at="10:15")

    needs = the_board([late, ben, cy], "12:00").needs

    (held,) = next(need.effects for need in needs if need.visit.patient == "Ada")
    assert (held.next, held.start_by, held.after_next) == ("Ben", at("13:00"), "Cy")
    assert held.free_at == at("12:00") + timedelta(minutes=15)


def test_whoever_has_to_wait_keeps_the_next_one_waiting():
    """Ada needs Sage until 12:15, so Ben until 15:00, so Cy until 17:20; Dee comes late enough."""
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:20")
    following = [a_visit(name, "Sage", start) for name, start in (("Ben", "12:00"), ("Cy", "14:35"), ("Dee", "17:20"))]

    found = said([late, *following], "10:40")

    assert [one[2:] for one in found] == [("Sage", "Ben", at("12:15")), ("Sage", "Cy", at("14:45"))]


def test_it_goes_from_a_room_to_a_nurse_and_on_to_another_room():
    """Ben starts late in Sage, so his nurse has no lane for Cy in Mesa, who keeps Dee out of there."""
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:20", nurse_id=LEE, nurse="LW")
    ben, cy = a_visit("Ben", "Sage", "11:45"), a_visit("Cy", "Mesa", "14:00")
    dee = a_visit("Dee", "Mesa", "16:30", nurse_id=LEE)

    found = said([late, ben, cy, dee], "10:40", lanes=1)

    assert [one[2:] for one in found] == [
        ("Sage", "Ben", at("12:15")),
        ("KM", "Cy", at("14:30")),
        ("Mesa", "Dee", at("16:45")),
    ]


def test_what_is_made_up_for_between_two_visits_goes_no_further():
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:20")
    visits = [late, a_visit("Ben", "Sage", "12:00"), a_visit("Cy", "Sage", "14:45")]

    assert [one[3] for one in said(visits, "10:40")] == ["Ben"]


def test_whoever_waits_already_tells_of_those_after():
    """Ben is due: what he does to Cy stands in his own line, and not in Ada's, too."""
    late = a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="11:15")
    ben, cy = a_visit("Ben", "Sage", "11:45", _S.ARRIVED, arrived_at="11:40"), a_visit("Cy", "Sage", "14:20")

    found = said([late, ben, cy], "12:00")

    assert [(one[0], one[3], one[4]) for one in found] == [("Ada", "Ben", at("13:15")), ("Ben", "Cy", at("15:45"))]


def with_hale(visit):
    return replace(visit, physician_id=HALE, physician="AH")


@pytest.mark.parametrize(
    ("arrived", "second", "found"),
    [
        ("09:25", "09:30", [("AH", "Ben", "10:00")]),  # Ada's set-up is from 9:40 to 10:00, Ben's would be at 9:45
        ("09:05", "09:30", []),  # Ada is late, and done in time
        ("09:45", "09:30", []),  # Ben is there first
        ("09:58", "10:00", [("AH", "Ben", "10:33")]),
    ],
)
def test_a_late_set_up_keeps_the_physician_from_the_next_one(arrived, second, found):
    late = with_hale(a_visit("Ada", "Sage", "09:00", _S.ARRIVED, arrived_at=arrived))
    following = with_hale(a_visit("Ben", "Mesa", second, nurse_id=LEE))

    told = said([late, following], max(arrived, "09:20"))

    assert [one[2:] for one in told] == [(where, who, at(free)) for where, who, free in found]


def test_a_physician_who_has_begun_an_infusion_is_free():
    late = with_hale(a_visit("Ada", "Sage", "09:00", _S.INFUSING, started_at="10:20"))
    following = with_hale(a_visit("Ben", "Mesa", "10:15", nurse_id=LEE))

    assert said([late, following], "10:25") == []
