"""A visit through its story on both databases: gates, times, corrections, what follows."""

from datetime import date, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests import bedside as chair
from tests.bedside import do, make_course, minutes, move, tasks
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import Invalid, NotFound, Refused, Stale
from tracker.models import (
    AuditEntry,
    Claim,
    Course,
    Dose,
    InfusionOrder,
    Patient,
    Reminder,
    SideEffect,
    Visit,
    VisitEvent,
    VitalReading,
)
from tracker.rules.timeout import Answer
from tracker.rules.visit import Move
from tracker.rules.vocabulary import CourseStatus, IntakeStatus, Severity, SideEffectAction, TaskStatus
from tracker.rules.vocabulary import VisitStatus as S
from tracker.services import bedside, observations, orders, recovery, visit_record
from tracker.services.bedside import MakeMove, Override
from tracker.services.observations import AnswerItem, ReportEffect, TakeVitals, UpdateEffect
from tracker.services.orders import CheckDose, DrawUp
from tracker.services.outcomes import Answered, record_score
from tracker.services.recovery import CheckIn, Harm

D = Decimal


@pytest.fixture
def house(database):
    return make_clinic()


@pytest.fixture
def course(house):
    return make_course(house)


@pytest.fixture
def visit_id(course):
    return course[1][0]


def load(house, visit_id, now=NOW):
    with db.read() as session:
        return visit_record.load(session, house.nurse, visit_id, now=now)


def status(visit_id):
    with db.read() as session:
        return session.get_one(Visit, visit_id).status


def test_a_visit_from_booked_to_discharged(house, course, visit_id):
    chair.discharge(house, visit_id)

    record = load(house, visit_id, NOW + timedelta(hours=3))
    assert record.visit.status is S.DISCHARGED
    assert [step.status for step in record.steps] == [
        S.ARRIVED,
        S.TIME_OUT,
        S.INFUSING,
        S.RECOVERING,
        S.READY,
        S.DISCHARGED,
    ]
    assert record.dose.given_mg == 40
    assert "driver: Sam" in record.events[-1].detail
    assert {t.kind for t in tasks(course[0])} >= {"next_day_check_in", "therapy_session"}
    with db.read() as session:
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.patient_id == record.patient.id)).all()
        assert {"visit arrive", "visit start", "dose drawn up", "dose checked", "visit discharge"} <= set(actions)
        assert session.scalar(select(func.count()).select_from(Reminder)) > 0


def test_a_move_that_is_not_open_changes_nothing(house, visit_id):
    with pytest.raises(Refused, match="booked"):
        move(house.nurse, visit_id, Move.START, NOW)
    with pytest.raises(Refused, match="others"):
        move(house.coordinator, visit_id, Move.CHECK, NOW)
    assert status(visit_id) is S.BOOKED


def test_another_clinics_visit_is_not_there(house, visit_id):
    with pytest.raises(NotFound):
        move(make_clinic().nurse, visit_id, Move.ARRIVE, NOW)


WITHOUT = {
    "order": "UPDATE dose SET order_id = order_id",
    "second person": "UPDATE dose SET checked_by = NULL, checked_at = NULL",
    "checklist": "DELETE FROM checklist_answer WHERE item = 'driver'",
    "cleared": "UPDATE patient SET intake_status = 'consult'",
}


@pytest.mark.parametrize(
    ("without", "why"),
    [("second person", "second person"), ("checklist", "1 check left"), ("cleared", "not cleared")],
)
def test_start_stays_closed_without(house, visit_id, without, why):
    chair.ready_to_start(house, visit_id)
    with db.transaction() as session:
        session.execute(text(WITHOUT[without]))

    with pytest.raises(Refused, match=why):
        move(house.nurse, visit_id, Move.START, NOW + minutes(5))
    assert status(visit_id) is S.TIME_OUT


def test_start_stays_closed_without_an_order_or_with_an_expired_one(house, visit_id):
    chair.ready_to_start(house, visit_id)
    late = NOW + timedelta(days=41)
    with pytest.raises(Refused, match="No signed order"):
        move(house.nurse, visit_id, Move.START, late)


def test_a_new_order_voids_the_dose(house, visit_id):
    chair.ready_to_start(house, visit_id)
    do(house.physician, orders.sign_order, visit_id, chair.order(), NOW + minutes(3))
    with pytest.raises(Refused, match="The order changed"):
        move(house.nurse, visit_id, Move.START, NOW + minutes(5))


def test_a_suicide_answer_keeps_start_closed_until_it_is_settled(house, course, visit_id):
    chair.ready_to_start(house, visit_id)
    with db.transaction() as session:
        record_score(session, house.nurse, Answered(course[0], "phq9", (3, 3, 3, 3, 3, 3, 1, 0, 1)), now=NOW)
    with pytest.raises(Refused, match="suicide answer"):
        move(house.nurse, visit_id, Move.START, NOW + minutes(5))


def test_a_high_pressure_holds_until_a_physician_lets_it_pass(house, visit_id):
    chair.ready_to_start(house, visit_id)
    high = TakeVitals(systolic=165, diastolic=95, heart_rate=72, spo2=98)
    do(house.nurse, observations.take_vitals, visit_id, high, NOW + minutes(2))
    with pytest.raises(Refused, match="≥ 160: hold"):
        move(house.nurse, visit_id, Move.START, NOW + minutes(5))
    with pytest.raises(Refused, match="Only a physician"):
        do(house.nurse, bedside.override, visit_id, Override(item="base", why="Known"), NOW + minutes(3))

    do(house.physician, bedside.override, visit_id, Override(item="base", why="White coat"), NOW + minutes(3))
    assert move(house.nurse, visit_id, Move.START, NOW + minutes(5)).status is S.INFUSING
    assert "base: White coat" in [event.detail for event in load(house, visit_id).events]


def test_a_no_on_a_stop_item_needs_a_physicians_reason(house, visit_id):
    chair.ready_to_start(house, visit_id)
    no = AnswerItem(item="fasting", answer=Answer.NO, note="Toast at 7")
    do(house.nurse, observations.answer_item, visit_id, no, NOW + minutes(1))
    with pytest.raises(Refused, match="1 check left"):
        move(house.nurse, visit_id, Move.START, NOW + minutes(5))
    with pytest.raises(Refused, match="Nothing of that kind"):
        do(house.physician, bedside.override, visit_id, Override(item="driver", why="x"), NOW + minutes(2))
    do(house.physician, bedside.override, visit_id, Override(item="fasting", why="Light, 4 h ago"), NOW + minutes(2))
    assert move(house.nurse, visit_id, Move.START, NOW + minutes(5)).status is S.INFUSING


def test_the_time_it_happened_is_kept_beside_the_time_it_was_entered(house, visit_id):
    at = NOW.astimezone(house.clinic.zone)
    now = NOW + minutes(20)
    move(house.nurse, visit_id, Move.ARRIVE, now, at=(at + minutes(5)).time())
    event = load(house, visit_id).events[0]
    assert (event.occurred_at, event.entered_at, event.entered_by) == (NOW + minutes(5), now, house.nurse.user_id)
    with pytest.raises(Refused, match="still to come"):
        move(house.nurse, visit_id, Move.CHECK, now, at=(at + minutes(21)).time())
    with pytest.raises(Refused, match="before the step before it"):
        move(house.nurse, visit_id, Move.CHECK, now, at=at.time())


def test_a_slip_is_taken_back_by_a_correcting_entry(house, visit_id):
    move(house.nurse, visit_id, Move.ARRIVE, NOW)
    with pytest.raises(Refused, match="Say why"):
        move(house.nurse, visit_id, Move.UNDO, NOW + minutes(1))
    move(house.nurse, visit_id, Move.UNDO, NOW + minutes(1), reason="Wrong patient")
    assert status(visit_id) is S.BOOKED
    assert [event.kind for event in load(house, visit_id).events] == ["status", "correction"]
    move(house.nurse, visit_id, Move.ARRIVE, NOW + minutes(2))
    assert [step.status for step in load(house, visit_id).steps] == [S.ARRIVED]


def test_taking_back_a_discharge_calls_off_its_tasks(house, course, visit_id):
    chair.discharge(house, visit_id)
    move(house.nurse, visit_id, Move.UNDO, NOW + minutes(110), reason="Still here")
    assert status(visit_id) is S.READY
    assert {t.status for t in tasks(course[0], "next_day_check_in")} == {TaskStatus.CANCELLED}
    move(house.nurse, visit_id, Move.DISCHARGE, NOW + minutes(120), ticked=chair.ASKED_ALL, driver="Sam")
    assert [t.status for t in tasks(course[0], "next_day_check_in") if t.status is TaskStatus.OPEN]


def test_the_database_keeps_events_and_readings_as_written(house, visit_id):
    chair.ready_to_start(house, visit_id)
    for statement in (
        "UPDATE visit_event SET detail = 'x'",
        "DELETE FROM visit_event",
        "UPDATE vital_reading SET systolic = 120",
        "UPDATE infusion_order SET max_mg = 900",
    ):
        with pytest.raises(DBAPIError, match="kept as written"), db.transaction() as session:
            session.execute(text(statement))


def test_the_second_person_is_a_second_person(house, visit_id):
    do(house.physician, orders.sign_order, visit_id, chair.order(), NOW)
    move(house.nurse, visit_id, Move.ARRIVE, NOW)
    do(house.nurse, orders.draw_up, visit_id, DrawUp(weight_kg=D(80), concentration=D(10)), NOW)
    with pytest.raises(Refused, match="somebody else"):
        do(house.nurse, orders.check_dose, visit_id, CheckDose(mg=D(40), ml=D(4)), NOW)
    with pytest.raises(Refused, match="not what was drawn up"):
        do(house.second_nurse, orders.check_dose, visit_id, CheckDose(mg=D(40), ml=D("0.4")), NOW)
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.execute(text("UPDATE dose SET checked_by = entered_by"))


def test_a_weight_that_jumped_asks(house, course):
    first, second = course[1][:2]
    chair.discharge(house, first)
    later = NOW + timedelta(days=3)
    move(house.nurse, second, Move.ARRIVE, later)
    with pytest.raises(Refused, match=r"Is it kilograms\?"):
        do(house.nurse, orders.draw_up, second, DrawUp(weight_kg=D(90), concentration=D(10)), later)
    sure = DrawUp(weight_kg=D(90), concentration=D(10), weight_is_right=True)
    assert do(house.nurse, orders.draw_up, second, sure, later).mg == 45


def test_only_a_physician_orders(house, visit_id):
    with pytest.raises(Refused, match="Only a physician"):
        do(house.nurse, orders.sign_order, visit_id, chair.order(), NOW)
    with db.read() as session:
        assert session.scalars(select(InfusionOrder)).all() == []


def test_stopped_early_keeps_what_was_given(house, visit_id):
    chair.ready_to_start(house, visit_id)
    move(house.nurse, visit_id, Move.START, NOW + minutes(2))
    with pytest.raises(Refused, match="22 min are still to run"):
        move(house.nurse, visit_id, Move.FINISH, NOW + minutes(20))
    move(house.nurse, visit_id, Move.PAUSE, NOW + minutes(12), reason="Anxious")
    move(house.nurse, visit_id, Move.RESUME, NOW + minutes(15))
    move(house.nurse, visit_id, Move.STOP, NOW + minutes(23), reason="Panic")
    assert load(house, visit_id).dose.given_mg == 18


def test_the_pump_knows_best_but_not_more_than_was_drawn(house, visit_id):
    chair.ready_to_start(house, visit_id)
    move(house.nurse, visit_id, Move.START, NOW + minutes(2))
    with pytest.raises(Refused, match="more than was drawn up"):
        move(house.nurse, visit_id, Move.STOP, NOW + minutes(20), reason="Panic", given_mg=D(41))
    move(house.nurse, visit_id, Move.STOP, NOW + minutes(20), reason="Panic", given_mg=D("13.5"))
    assert load(house, visit_id).dose.given_mg == D("13.5")


def test_nobody_goes_home_before_the_criteria_are_met(house, visit_id):
    chair.infuse(house, visit_id)
    all_but_one = chair.ASKED_ALL - {"steady"}
    with pytest.raises(Refused, match="Stands and walks steadily"):
        move(house.nurse, visit_id, Move.DISCHARGE, NOW + minutes(103), ticked=all_but_one, driver="Sam")
    with pytest.raises(Refused, match="Enter the name"):
        move(house.nurse, visit_id, Move.DISCHARGE, NOW + minutes(103), ticked=chair.ASKED_ALL)
    with pytest.raises(Refused, match="Not yet"):
        move(house.nurse, visit_id, Move.DISCHARGE, NOW + minutes(103), ticked=frozenset(), reason="Wants to go")
    move(house.physician, visit_id, Move.DISCHARGE, NOW + minutes(103), ticked=all_but_one, driver="Sam", reason="Cane")
    assert status(visit_id) is S.DISCHARGED


def test_a_missed_visit_frees_its_room_and_asks_for_a_call(house, course, visit_id):
    _claim(house, visit_id)
    with pytest.raises(Refused, match="isn't time"):
        move(house.coordinator, visit_id, Move.NO_SHOW, NOW - minutes(1))
    move(house.coordinator, visit_id, Move.NO_SHOW, NOW + minutes(20))
    with db.read() as session:
        assert session.scalars(select(Claim)).all() == []
    assert [t.kind for t in tasks(course[0]) if t.urgent] == ["no_show"]
    with pytest.raises(Refused, match="can't be taken back"):
        move(house.nurse, visit_id, Move.UNDO, NOW + minutes(25), reason="Late")


def _claim(house, visit_id):
    with db.transaction() as session:
        visit = session.get_one(Visit, visit_id)
        session.add(
            Claim(
                clinic_id=visit.clinic_id,
                resource_id=visit.room_id,
                visit_id=visit.id,
                starts_at=visit.starts_at,
                ends_at=visit.ends_at,
            )
        )


def test_a_cancellation_says_why_and_calls_back_its_messages(house, course, visit_id):
    with pytest.raises(Refused, match="Say why"):
        move(house.coordinator, visit_id, Move.CANCEL, NOW - timedelta(days=2))
    move(house.coordinator, visit_id, Move.CANCEL, NOW - timedelta(days=2), reason="Fever")
    with db.read() as session:
        assert session.get_one(Visit, visit_id).cancel_reason == "Fever"
        live = session.scalars(
            select(Reminder).where(Reminder.visit_id == visit_id, Reminder.status == "scheduled")
        ).all()
    assert live == []


def test_a_transfer_leaves_a_task_for_the_physician(house, course, visit_id):
    chair.ready_to_start(house, visit_id)
    move(house.nurse, visit_id, Move.START, NOW + minutes(2))
    move(house.nurse, visit_id, Move.TRANSFER, NOW + minutes(12), reason="Chest pain")
    (task,) = tasks(course[0], "transferred")
    assert (task.owner_role, task.urgent) == ("physician", True)
    assert load(house, visit_id).dose.given_mg == 10


def test_an_order_that_nobody_could_draw_up_is_not_signed(house, visit_id):
    fine = chair.order().model_copy(update={"mg_per_kg": D("0.525")})
    with pytest.raises(Refused, match="2 decimals") as refused:
        do(house.physician, orders.sign_order, visit_id, fine, NOW)
    assert refused.value.field == "mg_per_kg"
    do(house.physician, orders.sign_order, visit_id, fine.model_copy(update={"mg_per_kg": D("0.520")}), NOW)


@pytest.mark.parametrize("before", [S.RECOVERING, S.READY])
def test_what_the_pump_said_outlives_a_transfer_taken_back(house, visit_id, before):
    chair.ready_to_start(house, visit_id)
    move(house.nurse, visit_id, Move.START, NOW + minutes(2))
    move(house.nurse, visit_id, Move.FINISH, NOW + minutes(42), given_mg=D("39.5"))
    if before is S.READY:
        move(house.nurse, visit_id, Move.READY, NOW + minutes(60))
    move(house.nurse, visit_id, Move.TRANSFER, NOW + minutes(62), reason="Chest pain")
    move(house.nurse, visit_id, Move.UNDO, NOW + minutes(63), reason="The wrong patient")
    record = load(house, visit_id)
    assert (record.visit.status, record.dose.given_mg) == (before, D("39.5"))


def test_two_go_home_at_once_and_the_series_is_complete(house, course):
    course_id, visits = course
    starts = []
    for visit_id in visits:
        with db.read() as session:
            starts.append(session.get_one(Visit, visit_id).starts_at)
    for visit_id, start in zip(visits[:4], starts[:4], strict=True):
        chair.discharge(house, visit_id, start=start)
    for visit_id, start in zip(visits[4:], starts[4:], strict=True):
        chair.infuse(house, visit_id, start=start)
    home = MakeMove(move=Move.DISCHARGE, ticked=chair.ASKED_ALL, driver="Sam")
    late = starts[-1] + minutes(103)
    other = Thread(target=do, args=(house.nurse, bedside.make_move, visits[4], home, late))
    with db.transaction() as session:
        bedside.make_move(session, house.nurse, visits[5], home, now=late)
        other.start()
        other.join(1)  # it waits for us
    other.join(20)
    with db.read() as session:
        assert session.get_one(Course, course_id).status is CourseStatus.COMPLETED
    assert len(tasks(course_id, "response_review")) == 1


def test_the_third_infusion_opens_a_review_and_the_sixth_completes_the_course(house, course):
    course_id, visits = course
    for number, visit_id in enumerate(visits, start=1):
        with db.read() as session:
            start = session.get_one(Visit, visit_id).starts_at
        chair.discharge(house, visit_id, start=start)
        assert len(tasks(course_id, "review")) == (number >= 3)
        assert len(load(house, visits[-1], start + minutes(200)).reviews) == (number >= 3)
    with db.read() as session:
        assert session.get_one(Course, course_id).status is CourseStatus.COMPLETED
    assert len(tasks(course_id, "response_review")) == 1
    move(house.nurse, visits[-1], Move.UNDO, NOW + timedelta(days=18), reason="Slip")
    with db.read() as session:
        assert session.get_one(Course, course_id).status is CourseStatus.ACTIVE


def test_a_third_infusion_that_was_not_over_yet_asks_for_its_review_when_it_is(house, course):
    course_id, visits = course
    for visit_id in visits[:3]:
        with db.read() as session:
            start = session.get_one(Visit, visit_id).starts_at
        chair.discharge(house, visit_id, start=start)
    home = MakeMove(move=Move.DISCHARGE, ticked=chair.ASKED_ALL, driver="Sam")
    move(house.nurse, visits[2], Move.UNDO, start + minutes(110), reason="Slip")
    assert [task.status for task in tasks(course_id, "review")] == [TaskStatus.CANCELLED]
    do(house.nurse, bedside.make_move, visits[2], home, start + minutes(120))
    assert [task.status for task in tasks(course_id, "review")] == [TaskStatus.CANCELLED, TaskStatus.OPEN]


def test_vital_signs_by_planned_set(house, visit_id):
    chair.ready_to_start(house, visit_id)
    move(house.nurse, visit_id, Move.START, NOW + minutes(2))
    at_ten = TakeVitals(systolic=181, diastolic=95, heart_rate=80, due="10")
    row, found = do(house.nurse, observations.take_vitals, visit_id, at_ten, NOW + minutes(12))
    assert found[0].rule == "Systolic ≥ 180: repeat in 5 min"
    do(house.nurse, observations.take_vitals, visit_id, TakeVitals(spo2=97, due="10"), NOW + minutes(13))
    fixed = TakeVitals(systolic=131, diastolic=95, corrects=row.id)
    again, _found = do(house.nurse, observations.take_vitals, visit_id, fixed, NOW + minutes(24))
    assert (again.due, again.occurred_at, again.entered_at) == ("10", row.occurred_at, NOW + minutes(24))
    with pytest.raises(Refused, match="corrected already"):
        do(house.nurse, observations.take_vitals, visit_id, fixed, NOW + minutes(25))

    record = load(house, visit_id)
    assert (record.sets["10"].systolic, record.sets["10"].spo2) == (131, 97)
    assert record.sets["10"].heart_rate is None  # it was typed by mistake, and is gone with what was corrected
    pulse = TakeVitals(heart_rate=80, due="10")
    do(house.nurse, observations.take_vitals, visit_id, pulse, NOW + minutes(25))
    record = load(house, visit_id)
    states = {column.minute: column.state for column in record.columns(NOW + minutes(27))}
    assert [states[minute] for minute in (None, 0, 10, 20, 30)] == ["done", "missed", "done", "overdue", "later"]
    with db.read() as session:
        assert len(session.scalars(select(VitalReading)).all()) == 5


@pytest.mark.parametrize(
    ("signs", "field"),
    [
        ({}, "systolic"),
        ({"systolic": 120}, "diastolic"),
        ({"diastolic": 80}, "systolic"),
        ({"systolic": 80, "diastolic": 120}, "diastolic"),
    ],
)
def test_what_is_no_reading_is_not_kept(house, visit_id, signs, field):
    move(house.nurse, visit_id, Move.ARRIVE, NOW)
    with pytest.raises(Invalid) as refusal:
        do(house.nurse, observations.take_vitals, visit_id, TakeVitals(**signs), NOW)
    assert field in refusal.value.fields


def test_nothing_is_measured_on_somebody_who_is_not_there(house, visit_id):
    with pytest.raises(Refused, match="isn't here"):
        do(house.nurse, observations.take_vitals, visit_id, chair.SIGNS, NOW)


def test_a_side_effect_from_tap_to_resolution(house, course, visit_id):
    chair.ready_to_start(house, visit_id)
    tapped = ReportEffect(term="nausea", severity=Severity.MODERATE)
    effect = do(house.nurse, observations.report_effect, visit_id, tapped, NOW + minutes(5))
    assert tasks(course[0], "severe_effect") == []
    worse = UpdateEffect(
        version=effect.version,
        severity=Severity.SEVERE,
        action=SideEffectAction.MEDICINE,
        action_detail="Ondansetron 4 mg",
    )
    effect = do(house.nurse, observations.update_effect, effect.id, worse, NOW + minutes(9))
    assert len(tasks(course[0], "severe_effect")) == 1
    over = UpdateEffect(
        version=effect.version, severity=Severity.SEVERE, action=SideEffectAction.MEDICINE, resolved_now=True
    )
    do(house.nurse, observations.update_effect, effect.id, over, NOW + minutes(30))
    with pytest.raises(Stale):
        do(house.nurse, observations.update_effect, effect.id, over, NOW + minutes(31))
    with db.read() as session:
        kept = session.get_one(SideEffect, effect.id)
    assert (kept.resolved_at, kept.action) == (NOW + minutes(30), SideEffectAction.MEDICINE)
    assert kept.action_detail == "Ondansetron 4 mg"
    with pytest.raises(Invalid):
        do(house.nurse, observations.report_effect, visit_id, ReportEffect(term="trip", severity=Severity.MILD), NOW)


def check_in(house, visit_id, **more):
    return do(
        house.nurse,
        recovery.check_in,
        visit_id,
        CheckIn(**{"mood": 6, "harm": Harm.NO, **more}),
        NOW + timedelta(days=1),
    )


def test_the_check_in_closes_its_task(house, course, visit_id):
    with pytest.raises(Refused, match="after the patient has gone home"):
        check_in(house, visit_id)
    chair.discharge(house, visit_id)
    check_in(house, visit_id, nausea=Severity.MILD, body="Slept well")
    (task,) = tasks(course[0], "next_day_check_in")
    assert (task.status, task.outcome) == (TaskStatus.DONE, "Mood 6 of 10")
    assert load(house, visit_id).recovery_notes[0].symptoms == {"nausea": "mild"}


def test_thoughts_of_harm_at_the_check_in_ring(house, course, visit_id):
    chair.discharge(house, visit_id)
    check_in(house, visit_id, harm=Harm.YES, headache=Severity.SEVERE)
    (alert,) = tasks(course[0], "safety_answer")
    assert (alert.urgent, alert.due_at) == (True, NOW + timedelta(days=1, minutes=30))
    assert len(tasks(course[0], "severe_effect")) == 1


def test_the_weight_of_today_is_the_patients_last_known(house, visit_id):
    chair.ready_to_start(house, visit_id)
    record = load(house, visit_id)
    with db.read() as session:
        assert session.get_one(Patient, record.patient.id).weight_kg == 80
        assert session.get_one(Dose, visit_id).ml == 4
    assert record.rate_ml_h == 6
    assert record.order.expires_on > date(2026, 3, 2)
    assert record.patient.intake_status is IntakeStatus.CLEARED
    with db.read() as session:
        assert session.scalars(select(VisitEvent.detail).where(VisitEvent.visit_id == visit_id)).all() == ["", ""]


def test_nobody_arrives_for_a_visit_of_another_day(house, course):
    later = course[1][1]
    with pytest.raises(Refused, match="on another day"):
        move(house.coordinator, later, Move.ARRIVE, NOW)
    assert status(later) is S.BOOKED
