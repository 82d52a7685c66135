"""The day's board from the tables: what is loaded, for whom, and at what price."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import event, select

from tests.conftest import NOW
from tests.factories import make_clinic
from tests.web.test_moves import book
from tracker import db
from tracker.models import Course, InfusionOrder, ProtocolVersion, SideEffect, Task, Visit, VisitEvent, VitalReading
from tracker.rules.attention import Level, Matter
from tracker.rules.vocabulary import Indication, Role, Severity, VisitStatus
from tracker.services import clinic, diary
from tracker.services.followup import SAFETY

TODAY = date(2026, 3, 2)  # NOW is 9:00 there


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


def a_visit(house, name, *, starts, status=VisitStatus.BOOKED, reached=(), ordinal=2, order=True, room="Sage"):
    """Add a course with one visit that starts `starts` minutes from now; `reached` is (status, minutes from now)."""
    patient = house.patient(name)
    with db.transaction() as session:
        protocol = session.scalars(select(ProtocolVersion).where(ProtocolVersion.code == "B")).first()
        course = Course(
            clinic_id=house.clinic.id,
            patient_id=patient,
            protocol_id=protocol.id,
            indication=Indication.TRD,
            created_at=NOW,
        )
        session.add(course)
        session.flush()
        start = NOW + timedelta(minutes=starts)
        visit = Visit(
            clinic_id=house.clinic.id,
            course_id=course.id,
            patient_id=patient,
            ordinal=ordinal,
            starts_at=start,
            ends_at=start + timedelta(minutes=150),
            room_id=house.resources[room],
            nurse_id=house.resources["K. Mori"],
            physician_id=house.resources["Dr A. Hale"],
            status=status,
            driver_confirmed_at=NOW,
            created_at=NOW,
        )
        session.add(visit)
        session.flush()
        for number, (to_status, minutes) in enumerate(reached):
            session.add(
                VisitEvent(
                    clinic_id=house.clinic.id,
                    visit_id=visit.id,
                    kind="status",
                    to_status=to_status,
                    occurred_at=NOW + timedelta(minutes=minutes),
                    entered_at=NOW + timedelta(minutes=minutes, seconds=number),
                )
            )
        if order:
            session.add(
                InfusionOrder(
                    clinic_id=house.clinic.id,
                    course_id=course.id,
                    mg_per_kg=Decimal("0.5"),
                    max_mg=Decimal(100),
                    minutes=40,
                    expires_on=TODAY,
                    signed_by=house.physician.user_id,
                    signed_at=NOW,
                )
            )
    return visit


def the_board(house, day=TODAY, actor=None, now=NOW):
    """Return the board as the coordinator sees it."""
    with db.read() as session:
        place = clinic.info(session, house.clinic.id)
        return diary.day_board(session, actor or house.coordinator, place, day, now=now)


def test_a_day_without_visits_has_its_rooms(house):
    """The board of an empty day is the clinic's rooms in its hours."""
    board = the_board(house)

    assert [row.room.name for row in board.rows] == ["Sage", "Juniper", "Mesa"]
    assert (board.first_hour, board.hours, board.counts.visits, board.needs) == (8, 10, 0, ())


def test_only_the_days_own_visits(house):
    """The last minute of the day is in, the next midnight is out, whatever UTC says."""
    a_visit(house, "Ada Late", starts=14 * 60 + 59)
    a_visit(house, "Ben Tomorrow", starts=15 * 60, room="Mesa")

    assert [bar.visit.patient for bar in the_board(house).rows[0].bars] == ["Late, Ada"]
    assert the_board(house, TODAY + timedelta(1)).counts.visits == 1


def test_another_clinics_day_is_not_ours(house):
    """Nothing of the neighbour's."""
    a_visit(house, "Ada", starts=0)

    assert the_board(make_clinic(), actor=None).counts.visits == 0


def test_an_infusion_keeps_its_first_start_and_says_which_set_waits(house):
    """Paused and resumed: the clock runs from the first start; the 20-minute set is four minutes late."""
    reached = [(VisitStatus.ARRIVED, -45), (VisitStatus.TIME_OUT, -40), (VisitStatus.INFUSING, -24)]
    reached += [(VisitStatus.PAUSED, -20), (VisitStatus.INFUSING, -18)]
    visit = a_visit(house, "Linh Tran", starts=-45, status=VisitStatus.INFUSING, reached=reached)
    with db.transaction() as session:
        for due in ("base", "0", "10"):
            session.add(
                VitalReading(
                    clinic_id=house.clinic.id,
                    visit_id=visit.id,
                    due=due,
                    occurred_at=NOW,
                    entered_at=NOW,
                    entered_by=house.nurse.user_id,
                    heart_rate=80,
                )
            )

    board = the_board(house)

    facts = board.rows[0].bars[0].visit
    assert facts.started_at == NOW - timedelta(minutes=24)
    assert (facts.vitals_set, board.needs[0].chip.about, board.needs[0].chip.minutes) == ("20", Matter.VITALS, 4)


def test_a_step_taken_back_is_not_told(house):
    """A start that was a slip leaves the checklist, and the second start counts."""
    reached = [(VisitStatus.ARRIVED, -45), (VisitStatus.TIME_OUT, -40), (VisitStatus.INFUSING, -30)]
    reached += [(VisitStatus.TIME_OUT, -29), (VisitStatus.INFUSING, -5)]
    a_visit(house, "Ada", starts=-45, status=VisitStatus.INFUSING, reached=reached)

    assert the_board(house).rows[0].bars[0].visit.started_at == NOW - timedelta(minutes=5)


def test_no_order_no_dose(house):
    """Without a signed order in date the bar shows what is missing and no milligrams."""
    a_visit(house, "Ada", starts=60, order=False)

    bar = the_board(house).rows[0].bars[0]
    assert (bar.chip.about, bar.visit.mg) == (Matter.ORDER, None)


def test_a_severe_side_effect_is_named_until_it_is_over(house):
    """The worst that is still there."""
    visit = a_visit(house, "Ada", starts=-60, status=VisitStatus.RECOVERING, reached=[(VisitStatus.INFUSING, -30)])
    with db.transaction() as session:
        for severity in (Severity.SEVERE, Severity.MILD):
            session.add(
                SideEffect(
                    clinic_id=house.clinic.id,
                    visit_id=visit.id,
                    term="nausea",
                    severity=severity,
                    onset_at=NOW,
                    entered_at=NOW,
                )
            )

    assert the_board(house).rows[0].bars[0].visit.side_effect == "Severe nausea"


@pytest.mark.parametrize(
    ("kind", "urgent", "opens", "due", "level"),
    [
        ("no_show", True, -60, 5, Level.STOP),
        ("next_day_check_in", False, -60, 300, Level.SOON),
        ("next_day_check_in", False, 60, 300, None),  # not yet open
        ("next_day_check_in", False, -60, 3000, None),  # tomorrow will do
        ("therapy_session", False, -60, 300, None),  # waits in To do
    ],
)
def test_which_tasks_the_day_shows(house, kind, urgent, opens, due, level):
    """Calls and what is urgent; the rest has a list of its own."""
    with db.transaction() as session:
        session.add(
            Task(
                clinic_id=house.clinic.id,
                kind=kind,
                key=kind,
                owner_role=Role.NURSE,
                urgent=urgent,
                opens_at=NOW + timedelta(minutes=opens),
                due_at=NOW + timedelta(minutes=due),
                created_at=NOW,
            )
        )

    assert [need.chip.level for need in the_board(house).needs] == ([level] if level else [])


def test_an_answer_about_suicide_stands_on_the_patients_bar(house):
    """It is the bar's chip with the time left, and not told twice."""
    visit = a_visit(house, "Sara Bianchi", starts=60)
    with db.transaction() as session:
        session.add(
            Task(
                clinic_id=house.clinic.id,
                patient_id=visit.patient_id,
                kind=SAFETY,
                key="safety",
                owner_role=Role.PHYSICIAN,
                owner_id=house.physician.user_id,
                urgent=True,
                opens_at=NOW,
                due_at=NOW + timedelta(minutes=17),
                created_at=NOW,
            )
        )

    (need,) = the_board(house).needs
    assert need.visit
    assert (need.chip.about, need.chip.minutes, need.visit.answer_for) == (Matter.ANSWER, -17, "A. Hale")


def test_a_day_costs_the_same_number_of_queries_however_full(house):
    """The price is per page, not per visit."""

    def queries():
        count = 0

        def one_more(*_args):
            nonlocal count
            count += 1

        event.listen(db.engine(), "before_cursor_execute", one_more)
        the_board(house)
        event.remove(db.engine(), "before_cursor_execute", one_more)
        return count

    a_visit(house, "Ada", starts=-60, status=VisitStatus.RECOVERING, reached=[(VisitStatus.INFUSING, -30)])
    few = queries()
    for number in range(6):
        a_visit(house, f"P{number}", starts=200 * number, room="Mesa")

    assert queries() == few
    assert few <= 26


def test_what_is_free_lies_side_by_side_and_never_on_a_visit(house):
    """Mesa is taken at noon: one block before it, one after it; the other rooms are free twice from now on."""
    book(house, "Ada Byron", day=TODAY, at="12:00", room="Mesa")

    board = the_board(house)

    for row in board.rows:
        spans = sorted(
            [(bar.column, bar.span) for bar in row.bars] + [(place.column, place.span) for place in row.free]
        )
        assert all(start + span <= following for (start, span), (following, _) in pairwise(spans)), row.room.name
        assert row.free
