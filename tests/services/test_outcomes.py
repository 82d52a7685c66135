"""Questionnaires kept, judged, and the answer about suicide that is never just a number."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from tests.bedside import make_course, tasks
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import Invalid, NotFound
from tracker.models import ScaleResponse, Visit, VisitEvent
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import TaskStatus, VisitStatus
from tracker.services import followup, outcomes
from tracker.services.outcomes import Answered
from tracker.services.tasks import CloseTask, close


@pytest.fixture
def house(database):
    return make_clinic()


@pytest.fixture
def course_id(house):
    return make_course(house)[0]


def answers(total, safety=0):
    """Nine answers that add up to `total`, the last one `safety`."""
    rest = total - safety
    return (*(max(0, min(3, rest - 3 * n)) for n in range(8)), safety)


def record(actor, course_id, total, safety=0, now=NOW, **more):
    with db.transaction() as session:
        return outcomes.record_score(
            session, actor, Answered(course_id, "phq9", answers(total, safety), **more), now=now
        )


def patient(house):
    return Actor(house.clinic.id, None, None, "patient by link")


def settle(house, task, now):
    with db.transaction() as session:
        command = CloseTask(version=task.version, outcome="Safety plan made")
        close(session, house.physician, task.id, command, now=now)


def test_an_incomplete_questionnaire_is_not_kept(house, course_id):
    missing = (*answers(20)[:4], None, *answers(20)[5:])
    with pytest.raises(Invalid, match="Question 5"), db.transaction() as session:
        outcomes.record_score(session, house.nurse, Answered(course_id, "phq9", missing), now=NOW)
    with db.read() as session:
        assert session.scalars(select(ScaleResponse)).all() == []


def test_another_clinics_course_is_not_there(house, course_id):
    stranger = make_clinic().nurse
    with pytest.raises(NotFound):
        record(stranger, course_id, 10)


def test_a_course_says_what_it_comes_to(house, course_id):
    record(house.nurse, course_id, 19, now=NOW - timedelta(days=3))
    _start_visits(house, course_id, 3)
    record(patient(house), course_id, 8, now=NOW + timedelta(days=8))
    with db.transaction() as session:
        course = outcomes._course(session, house.nurse, course_id)
        outcomes.lock_baseline(session, course, NOW)
    record(house.nurse, course_id, 27, now=NOW - timedelta(days=6))  # entered late, taken earlier
    with db.transaction() as session:
        outcomes.lock_baseline(session, outcomes._course(session, house.nurse, course_id), NOW)  # changes nothing
    with db.read() as session:
        curve = outcomes.curve(session, outcomes._course(session, house.nurse, course_id))
    assert curve.baseline.total == 19
    assert curve.words == "PHQ-9 19 → 8, −58 %, response since visit 3"


def _start_visits(house, course_id, count):
    with db.transaction() as session:
        visits = session.scalars(select(Visit).where(Visit.course_id == course_id).order_by(Visit.starts_at)).all()
        for visit in visits[:count]:
            session.add(
                VisitEvent(
                    clinic_id=house.clinic.id,
                    visit_id=visit.id,
                    kind="status",
                    to_status=VisitStatus.INFUSING,
                    occurred_at=visit.starts_at,
                    entered_at=visit.starts_at,
                )
            )


def test_the_database_keeps_one_baseline(house, course_id):
    first = record(house.nurse, course_id, 19)
    second = record(house.nurse, course_id, 18, now=NOW + timedelta(minutes=1))
    both = update(ScaleResponse).where(ScaleResponse.id.in_([first.id, second.id])).values(is_baseline=True)
    with pytest.raises(IntegrityError), db.transaction() as session:
        session.execute(both)


def test_a_first_answer_above_zero_goes_to_the_physician_without_a_siren(house, course_id):
    record(house.nurse, course_id, 20, safety=1)
    (task,) = tasks(course_id, "safety_answer")
    assert (task.urgent, task.owner_role, task.due_at) == (False, "physician", NOW)


def test_a_risen_answer_from_home_has_half_an_hour(house, course_id):
    record(patient(house), course_id, 20, safety=1)
    (first,) = tasks(course_id, "safety_answer")
    settle(house, first, NOW)
    at = NOW + timedelta(days=1)
    record(patient(house), course_id, 20, safety=2, now=at)
    alert = tasks(course_id, "safety_answer")[-1]
    assert alert.urgent
    assert alert.due_at == at + timedelta(minutes=30)
    record(house.nurse, course_id, 20, safety=2, now=at)
    assert {t.due_at for t in tasks(course_id, "safety_answer") if t.urgent} >= {at + timedelta(minutes=15)}


def test_unchanged_is_seen_before_the_next_infusion(house, course_id):
    record(house.nurse, course_id, 20, safety=2)
    settle(house, tasks(course_id, "safety_answer")[0], NOW)
    record(house.nurse, course_id, 18, safety=2, now=NOW + timedelta(days=2))
    again = tasks(course_id, "safety_answer")[-1]
    assert not again.urgent
    assert again.status is TaskStatus.OPEN


def test_an_answer_that_comes_back_after_a_denial_has_risen(house, course_id):
    record(house.nurse, course_id, 20, safety=1)
    settle(house, tasks(course_id, "safety_answer")[0], NOW)
    record(house.nurse, course_id, 10, safety=0, now=NOW + timedelta(days=1))
    record(house.nurse, course_id, 12, safety=1, now=NOW + timedelta(days=2))
    assert tasks(course_id, "safety_answer")[-1].urgent


def test_a_weekly_score_closes_its_task(house, course_id):
    with db.transaction() as session:
        course = outcomes._course(session, house.nurse, course_id)
        visits = session.scalars(select(Visit).where(Visit.course_id == course_id)).all()
        followup.plan_for_course(session, house.nurse, course, visits, now=NOW)
    record(patient(house), course_id, 14, now=NOW + timedelta(days=7))
    weekly = tasks(course_id, "weekly_score")
    assert [t.status for t in weekly] == [TaskStatus.DONE] + [TaskStatus.OPEN] * 5
    assert weekly[0].outcome == "PHQ-9 14"
