"""The board tells the story of the demonstration clinic at 11:42, and keeps its own arithmetic."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules.attention import Level, Matter, RoomFacts, TaskFacts, VisitFacts, problems
from tracker.rules.board import STEP, Board, draw
from tracker.rules.vocabulary import VisitStatus

DENVER = ZoneInfo("America/Denver")
DAY = date(2026, 11, 24)
PHASES = (("check_in", 15), ("set_up", 20), ("infusion", 40), ("recovery", 60), ("turnover", 15))
ROOMS = {name: RoomFacts(id=uuid4(), name=name) for name in ("Sage", "Juniper", "Mesa")}
KIM = uuid4()
HOURS = (8 * 60, 17 * 60 + 45)


def at(clock: str) -> datetime:
    return datetime.combine(DAY, time.fromisoformat(clock), DENVER)


def a_visit(
    patient: str, room: str, starts: str, status: VisitStatus = VisitStatus.BOOKED, **facts: object
) -> VisitFacts:
    moments = {
        key: at(value) if isinstance(value, str) and key.endswith("_at") else value for key, value in facts.items()
    }
    start = at(starts)
    given: dict[str, object] = {
        "id": uuid4(),
        "patient_id": uuid4(),
        "ordinal": 2,
        "of": 6,
        "nurse": "KM",
        "nurse_id": KIM,
    }
    given |= {"driver_confirmed": True} | moments
    return VisitFacts(
        patient=patient,
        room_id=ROOMS[room].id,
        status=status,
        starts_at=start,
        ends_at=start + timedelta(minutes=150),
        phases=PHASES,
        **given,
    )


def the_demonstration() -> list[VisitFacts]:
    status = VisitStatus
    return [
        a_visit("Okafor", "Sage", "08:00", status.DISCHARGED, started_at="08:35", stopped_at="09:15", left_at="10:24"),
        a_visit(
            "Haddad",
            "Juniper",
            "08:30",
            status.RECOVERING,
            started_at="09:05",
            stopped_at="09:45",
            vitals_due_at="11:45",
        ),
        a_visit(
            "Schmidt",
            "Mesa",
            "09:15",
            status.READY,
            started_at="09:50",
            stopped_at="10:30",
            ready_at="11:31",
            driver_confirmed=False,
        ),
        a_visit(
            "Tran", "Sage", "10:45", status.INFUSING, started_at="11:18", vitals_due_at="11:38", vitals_overdue=True
        ),
        a_visit("Ibrahim", "Juniper", "11:15", status.ARRIVED, arrived_at="11:04"),
        a_visit("Bianchi", "Mesa", "12:30", answered_at="11:29", answer_due_at="11:59", answer_alert=True),
        a_visit("Novak", "Sage", "13:30", driver_confirmed=False),
        a_visit("Alvarez", "Juniper", "14:30", review_after=3),
        a_visit("Fraser", "Mesa", "15:00"),
    ]


def a_task(patient: str, title: str, due: str, *, urgent: bool) -> TaskFacts:
    return TaskFacts(
        id=uuid4(), title=title, patient_id=uuid4(), patient=patient, detail="", urgent=urgent, due_at=at(due)
    )


def the_board(visits: list[VisitFacts], now: str = "11:42", tasks: tuple[TaskFacts, ...] = ()) -> Board:
    return draw(day=DAY, zone=DENVER, hours=HOURS, rooms=list(ROOMS.values()), visits=visits, tasks=tasks, now=at(now))


def test_the_counters_of_the_demonstration():
    counts = the_board(the_demonstration()).counts

    assert (counts.visits, counts.done, counts.in_rooms, counts.waiting, counts.to_come) == (9, 1, 3, 1, 4)
    assert (counts.free, counts.drivers, counts.vitals) == (0, 2, 1)


def test_what_needs_somebody_in_the_demonstration():
    tasks = (a_task("Brooks", "no_show", "09:00", urgent=True), a_task("Petrov", "check_in", "11:30", urgent=False))

    needs = the_board(the_demonstration(), tasks=tasks).needs

    said = [
        (need.visit.patient if need.visit else need.task and need.task.patient, need.chip.about, need.chip.level)
        for need in needs
    ]
    assert sorted(said[:3]) == [
        ("Bianchi", Matter.ANSWER, Level.STOP),
        ("Brooks", Matter.TASK, Level.STOP),
        ("Tran", Matter.VITALS, Level.STOP),
    ]
    assert sorted(said[3:]) == [
        ("Alvarez", Matter.REVIEW, Level.SOON),
        ("Haddad", Matter.OVER, Level.SOON),
        ("Novak", Matter.DRIVER, Level.SOON),
        ("Petrov", Matter.TASK, Level.SOON),
        ("Schmidt", Matter.DRIVER_SILENT, Level.SOON),
    ]


def test_how_long_and_how_long_still():
    said = {need.visit.patient: need.chip.minutes for need in the_board(the_demonstration()).needs if need.visit}

    assert said["Haddad"] == 57
    assert said["Tran"] == 4
    assert said["Bianchi"] == -17  # minutes left


def test_whom_a_late_patient_keeps_waiting():
    effects = {need.visit.patient: need.effects for need in the_board(the_demonstration()).needs if need.effects}

    (late,) = effects["Haddad"]
    assert (late.next, late.start_by, late.after_next) == ("Ibrahim", at("12:00"), "Alvarez")
    (silent,) = effects["Schmidt"]
    assert (silent.where, silent.needed_at, silent.start_by) == ("Mesa", at("12:30"), None)


def test_where_the_bars_stand():
    board = the_board(the_demonstration())

    assert (board.first_hour, board.hours) == (8, 10)
    assert board.now_column == 45  # 11:40 to 11:45
    sage = board.rows[0].bars
    assert [(bar.column, bar.span) for bar in sage] == [(1, 30), (34, 30), (67, 30)]
    assert [(stretch.phase, stretch.span) for stretch in sage[2].stretches] == [
        ("check_in", 3),
        ("set_up", 4),
        ("infusion", 8),
        ("recovery", 12),
        ("turnover", 3),
    ]


def test_a_bar_grows_while_somebody_stays_but_not_over_the_next():
    bars = the_board(the_demonstration()).rows[1].bars

    assert bars[0].over == 3  # 11:00 to 11:15, where Ibrahim's begins


def test_an_early_stop_shifts_what_follows():
    stopped = a_visit("Kaur", "Sage", "10:00", VisitStatus.RECOVERING, started_at="10:35", stopped_at="10:53")

    bar = the_board([stopped]).rows[0].bars[0]

    assert [stretch.span for stretch in bar.stretches if stretch.phase == "infusion"] == [4]  # 10:35 to 10:55


@pytest.mark.parametrize(("now", "absent"), [("11:29", False), ("11:30", True)])
def test_absent_from_a_quarter_of_an_hour_on(now, absent):
    expected = a_visit("Novak", "Sage", "11:15")

    assert (Matter.ABSENT in [found.about for found in problems(expected, at(now))]) is absent


def test_the_driver_is_nobodys_business_two_days_before():
    unsure = a_visit("Novak", "Sage", "13:30", driver_confirmed=False)

    assert problems(unsure, at("13:00") - timedelta(days=1)) == []
    assert [found.about for found in problems(unsure, at("13:30") - timedelta(days=1))] == [Matter.DRIVER]


def test_called_off_visits_leave_the_room_and_are_told_apart():
    gone = a_visit("Brooks", "Sage", "10:00", VisitStatus.NO_SHOW)

    board = the_board([gone])

    assert board.rows[0].bars == ()
    assert [visit.patient for visit in board.aside] == ["Brooks"]
    assert (board.counts.visits, board.counts.off) == (0, 1)


def test_a_closed_day_has_a_board():
    board = draw(day=DAY, zone=DENVER, hours=(0, 0), rooms=list(ROOMS.values()), visits=[], now=at("11:42"))

    assert (board.first_hour, board.hours, board.counts.visits) == (8, 10, 0)


def test_another_day_has_no_line_for_now():
    assert the_board([], now="06:00").now_column is None
    tomorrow = draw(day=DAY + timedelta(1), zone=DENVER, hours=HOURS, rooms=[], visits=[], now=at("11:42"))
    assert tomorrow.now_column is None


@given(
    status=st.sampled_from(VisitStatus),
    starts=st.integers(0, 24 * 60 - 1),
    length=st.integers(5, 300),
    infusing=st.one_of(st.none(), st.integers(-30, 200)),
    now=st.integers(0, 24 * 60 - 1),
)
def test_any_visit_is_drawn_inside_the_board(status, starts, length, infusing, now):
    start = at("00:00") + timedelta(minutes=starts)
    base = a_visit("Tran", "Sage", "08:00", status)
    visit = replace(
        base,
        starts_at=start,
        ends_at=start + timedelta(minutes=length),
        phases=(("check_in", 5), ("infusion", length)),
        started_at=None if infusing is None else start + timedelta(minutes=infusing),
    )

    board = draw(
        day=DAY,
        zone=DENVER,
        hours=HOURS,
        rooms=list(ROOMS.values()),
        visits=[visit],
        now=at("00:00") + timedelta(minutes=now),
    )

    columns = board.hours * 60 // STEP
    for bar in board.rows[0].bars:
        assert 1 <= bar.column <= columns
        assert bar.column + bar.span + bar.over - 1 <= columns
        assert sum(stretch.span for stretch in bar.stretches) == bar.span
        assert bar.chip.level in [*Level]
    assert UUID(str(visit.id)) in {*(bar.visit.id for bar in board.rows[0].bars), *(gone.id for gone in board.aside)}
