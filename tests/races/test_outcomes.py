"""A questionnaire closes the weekly task that it answers, while somebody is at that task: no patient is sent away."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.bedside import make_course, tasks
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.races.test_at_once import one_after_the_other
from tests.services.test_outcomes import answers, patient
from tracker import db
from tracker.models import Course, Visit
from tracker.rules.vocabulary import TaskStatus
from tracker.services import followup, outcomes
from tracker.services.outcomes import Answered
from tracker.services.tasks import CloseTask, close, take

WEEK = NOW + timedelta(days=7)


@pytest.mark.parametrize(
    ("meanwhile", "outcome"), [("answered", "PHQ-9 14"), ("closed", "By telephone"), ("taken", "PHQ-9 14")]
)
def test_a_questionnaire_is_kept_whatever_becomes_of_its_task_in_that_moment(database, meanwhile, outcome):
    house = make_clinic()
    course_id, _visits = make_course(house)
    with db.transaction() as session:
        course, mine = session.get_one(Course, course_id), Visit.course_id == course_id
        followup.plan_for_course(
            session, house.nurse, course, session.scalars(select(Visit).where(mine)).all(), now=NOW
        )
    weekly = tasks(course_id, "weekly_score")[0]

    def answer(session: Session) -> None:
        outcomes.record_score(session, patient(house), Answered(course_id, "phq9", answers(14)), now=WEEK)

    def shut(session: Session) -> None:
        close(session, house.nurse, weekly.id, CloseTask(version=weekly.version, outcome="By telephone"), now=WEEK)

    def grab(session: Session) -> None:
        take(session, house.nurse, weekly.id, now=WEEK)

    first = {"answered": answer, "closed": shut, "taken": grab}[meanwhile]
    assert one_after_the_other(first, answer) == ["done", "done"]
    closed = tasks(course_id, "weekly_score")
    assert [task.status for task in closed] == [TaskStatus.DONE] + [TaskStatus.OPEN] * 5
    assert closed[0].outcome == outcome
