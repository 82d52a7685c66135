"""The table of moves is the only way through a visit."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import Refused
from tracker.rules import visit
from tracker.rules.permissions import Role
from tracker.rules.visit import Move, Needs
from tracker.rules.vocabulary import VisitStatus as S

THE_STORY = [
    (Move.ARRIVE, S.ARRIVED),
    (Move.CHECK, S.TIME_OUT),
    (Move.START, S.INFUSING),
    (Move.PAUSE, S.PAUSED),
    (Move.RESUME, S.INFUSING),
    (Move.FINISH, S.RECOVERING),
    (Move.READY, S.READY),
    (Move.DISCHARGE, S.DISCHARGED),
]


def test_the_story_runs_from_booked_to_discharged():
    status = S.BOOKED
    for move, expected in THE_STORY:
        status = visit.after(status, move)
        assert status is expected


def test_every_pair_that_is_not_in_the_table_is_refused():
    allowed = {(s, m) for m, rule in visit.MOVES.items() for s in rule.sources}
    assert len(allowed) == 20
    refused = 0
    for status in S:
        for move in Move:
            if (status, move) not in allowed:
                with pytest.raises(Refused):
                    visit.after(status, move)
                refused += 1
    assert refused == len(S) * len(Move) - 20


@given(st.sampled_from(S), st.lists(st.sampled_from(Move), max_size=12))
def test_what_is_over_stays_over(status, moves):
    for move in moves:
        before = status
        try:
            status = visit.after(status, move)
        except Refused:
            continue
        assert before not in visit.OVER


def test_no_treatment_starts_without_order_checked_dose_checklist_and_baseline():
    assert visit.needs(Move.START) == {
        Needs.CLEARED,
        Needs.SAFETY_SEEN,
        Needs.SIGNED_ORDER,
        Needs.CHECKED_DOSE,
        Needs.CHECKLIST,
        Needs.BASELINE_VITALS,
    }


@pytest.mark.parametrize("move", [Move.CANCEL, Move.HOLD, Move.STOP, Move.PAUSE, Move.TRANSFER, Move.UNDO])
def test_a_reason_is_asked_where_somebody_will_ask_why(move):
    assert Needs.REASON in visit.needs(move)


def test_who_may():
    assert set(visit.open_moves(S.BOOKED, Role.COORDINATOR)) == {Move.ARRIVE, Move.NO_SHOW, Move.CANCEL}
    assert visit.open_moves(S.TIME_OUT, Role.COORDINATOR) == ()
    assert visit.open_moves(S.TIME_OUT, Role.NURSE) == (Move.START, Move.HOLD, Move.TRANSFER)
    assert all(visit.open_moves(s, Role.AUDITOR) == () for s in S)
    assert not visit.may(None, Move.ARRIVE)
    assert not visit.may(Role.COORDINATOR, Move.UNDO)


@given(st.sampled_from(Move), st.sampled_from(S))
def test_an_undo_goes_back_to_where_it_came_from_or_is_refused(move, before):
    if move in visit.CANNOT_BE_UNDONE:
        with pytest.raises(Refused):
            visit.undone(move, before)
    else:
        assert visit.undone(move, before) is before


def test_a_correction_takes_back_the_step_before_it():
    at = [datetime(2026, 11, 24, 15, minute, tzinfo=UTC) for minute in range(5)]
    entries = [
        ("status", S.ARRIVED, at[0]),
        ("confirmed", None, at[1]),
        ("status", S.TIME_OUT, at[1]),
        ("correction", S.ARRIVED, at[2]),
        ("status", S.TIME_OUT, at[3]),
    ]
    assert visit.story(entries) == [visit.Step(S.ARRIVED, at[0]), visit.Step(S.TIME_OUT, at[3])]


def test_every_row_of_the_table_is_found_from_its_ends():
    for move, rule in visit.MOVES.items():
        for source in rule.sources:
            found = visit.move_between(source, rule.target)
            assert found is move or {found, move} == {Move.FINISH, Move.STOP}
    with pytest.raises(ValueError, match="no move"):
        visit.move_between(S.BOOKED, S.INFUSING)


def test_every_status_and_move_has_words():
    assert len({visit.say(s) for s in S}) == len(S)
    assert len({visit.say_move(m) for m in Move}) == len(Move)
