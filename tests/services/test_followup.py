"""Tasks are planned by difference: asked twice it is the same, and what is over is called off."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.bedside import make_course, tasks
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import Invalid, NotFound, Refused, Stale
from tracker.models import AuditEntry, Course, Visit, VisitEvent
from tracker.rules.vocabulary import CourseStatus, TaskStatus, VisitStatus
from tracker.services import followup
from tracker.services.followup import REVIEW, SAFETY, Ask
from tracker.services.tasks import CloseTask, take
from tracker.services.tasks import close as close_task


@pytest.fixture
def house(database):
    return make_clinic()


@pytest.fixture
def course(house):
    return make_course(house)


def plan(house, course_id, *, change=None):
    with db.transaction() as session:
        course = session.get_one(Course, course_id)
        visits = list(session.scalars(select(Visit).where(Visit.course_id == course_id).order_by(Visit.starts_at)))
        if change:
            change(session, course, visits)
        return followup.plan_for_course(session, house.coordinator, course, visits, now=NOW)


def discharge(which, at=timedelta(hours=2, minutes=15)):
    def change(session, course, visits):
        visit = visits[which]
        visit.status = VisitStatus.DISCHARGED
        occurred = visit.starts_at + at
        session.add(
            VisitEvent(
                clinic_id=visit.clinic_id,
                visit_id=visit.id,
                kind="status",
                to_status=VisitStatus.DISCHARGED,
                occurred_at=occurred,
                entered_at=occurred,
            )
        )

    return change


def test_booking_plans_and_planning_again_changes_nothing(house, course):
    course_id, _visits = course
    assert len(plan(house, course_id)) == 6
    before = [(t.key, t.opens_at, t.due_at, t.version) for t in tasks(course_id)]
    assert plan(house, course_id) == []
    assert [(t.key, t.opens_at, t.due_at, t.version) for t in tasks(course_id)] == before


def test_going_home_adds_a_call_and_a_therapy_session(house, course):
    course_id, visits = course
    plan(house, course_id)
    added = plan(house, course_id, change=discharge(0))
    assert sorted(task.code for task in added) == ["next_day_check_in", "therapy_session"]
    assert {task.visit_id for task in added} == {visits[0]}


def test_moving_moves_what_has_not_happened(house, course):
    course_id, _visits = course
    plan(house, course_id)
    first = tasks(course_id)[0].due_at

    def later(session, course, visits):
        visits[0].starts_at += timedelta(days=1)
        visits[0].ends_at += timedelta(days=1)

    assert plan(house, course_id, change=later) == []
    assert tasks(course_id)[0].due_at == first + timedelta(days=1)


def test_ending_a_course_calls_off_the_rest(house, course):
    course_id, _visits = course
    plan(house, course_id)

    def end(session, course, visits):
        course.status, course.ended_at, course.end_reason = CourseStatus.ENDED, NOW, "Moved away"

    plan(house, course_id, change=end)
    assert {t.status for t in tasks(course_id)} == {TaskStatus.CANCELLED}


def test_a_whole_series_is_reviewed(house, course):
    course_id, visits = course
    for which in range(len(visits)):
        plan(house, course_id, change=discharge(which))
    kinds = [t.kind for t in tasks(course_id)]
    assert kinds.count("response_review") == 1
    assert kinds.count("medication_review") == 1
    assert kinds.count("next_day_check_in") == 6


def open_task(house, course, **more):
    with db.transaction() as session:
        visit = session.get_one(Visit, course[1][0])
        wanted = Ask(**{"kind": "call", "key": "call:1", "owner_role": "nurse", "due_at": NOW, **more})
        return followup.ask(session, visit, wanted, now=NOW)


def close(actor, task, now=NOW, **more):
    command = CloseTask(**{"version": task.version, "outcome": "Reached, well", **more})
    with db.transaction() as session:
        return close_task(session, actor, task.id, command, now=now)


def test_asked_twice_is_one_task(house, course):
    assert open_task(house, course).id == open_task(house, course).id


def test_done_has_an_outcome_and_an_entry_in_the_audit(house, course):
    task = close(house.nurse, open_task(house, course))
    assert (task.status, task.closed_by, task.closed_at) == (TaskStatus.DONE, house.nurse.user_id, NOW)
    with db.read() as session:
        assert "task done" in session.scalars(select(AuditEntry.action)).all()


def test_a_closed_task_stays_closed(house, course):
    task = close(house.nurse, open_task(house, course), skip=True, outcome="Number is dead")
    assert task.status is TaskStatus.SKIPPED
    with pytest.raises(Refused):
        close(house.nurse, task)


def test_a_stale_form_is_told_so(house, course):
    task = open_task(house, course)
    with db.transaction() as session:
        take(session, house.second_nurse, task.id, now=NOW)
    with pytest.raises(Stale):
        close(house.nurse, task)


def test_another_clinic_sees_no_task(house, course):
    task = open_task(house, course)
    with pytest.raises(NotFound):
        close(make_clinic().nurse, task)


def test_only_a_physician_settles_an_answer_about_suicide(house, course):
    task = open_task(house, course, kind=SAFETY, key="safety_answer:1", owner_role="physician")
    with pytest.raises(Refused, match="physician"):
        close(house.nurse, task)
    with pytest.raises(Invalid):
        close(house.physician, task, skip=True)
    assert close(house.physician, task, outcome="Safety plan made").status is TaskStatus.DONE


def test_only_a_physician_decides_at_a_review(house, course):
    task = open_task(house, course, kind=REVIEW, key="review:1:3", owner_role="physician")
    for actor in (house.coordinator, house.nurse):
        with pytest.raises(Refused, match="physician"):
            close(actor, task, outcome="Go on")
    assert close(house.physician, task, outcome="Go on").status is TaskStatus.DONE


def listed(actor, **more):
    with db.read() as session:
        return [entry.task.kind for entry in followup.to_do(session, actor, now=NOW, **more)]


def test_the_list_shows_what_is_open_now_urgent_first(house, course):
    plan(house, course[0])
    open_task(house, course, due_at=NOW + timedelta(hours=1))
    open_task(house, course, kind="alarm", key="alarm:1", due_at=NOW + timedelta(hours=9), urgent=True)
    assert listed(house.nurse) == ["alarm", "call"]
    assert len(listed(house.nurse, ahead=timedelta(days=60))) == 8


def test_mine_is_what_i_took_and_what_my_role_owns(house, course):
    task = open_task(house, course)
    assert listed(house.coordinator, mine=True) == []
    assert listed(house.nurse, mine=True) == ["call"]
    with db.transaction() as session:
        take(session, house.second_nurse, task.id, now=NOW)
    assert listed(house.nurse, mine=True) == []
    assert listed(house.second_nurse, mine=True) == ["call"]
