"""A day before a visit somebody knows who takes the patient home, or calls."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import Task, Visit
from tracker.rules.vocabulary import TaskStatus, VisitStatus
from tracker.services import drivers, telling
from tracker.worker import ONCE_A_PERIOD, each_clinic

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST, SECOND = NOW + 3 * DAY, NOW + 5 * DAY


@pytest.fixture
def house(database):
    """Return a clinic in which Ada is booked twice."""
    house = make_clinic()
    mailroom.series(house, mailroom.patient(house, "Ada"), FIRST, SECOND)
    return house


def ask(now) -> int:
    """Look whose driver isn't known."""
    return each_clinic(drivers.ask_to_call, now)


def tasks() -> list[Task]:
    """Return the calls, in their order."""
    with db.read() as session:
        return list(session.scalars(select(Task).where(Task.kind == "driver_call").order_by(Task.created_at)))


def first() -> Visit:
    """Return Ada's first visit."""
    with db.read() as session:
        return session.scalars(select(Visit).order_by(Visit.starts_at)).first()


def test_a_day_before_and_no_earlier_and_once(house):
    assert ask(FIRST - DAY - HOUR) == 0
    assert ask(FIRST - DAY) == 1
    assert ask(FIRST - DAY + HOUR) == 0
    [task] = tasks()
    assert (task.visit_id, task.due_at) == (first().id, FIRST - DAY + 4 * HOUR)
    assert task.detail == "Visit Thu, Mar 5, 9:00 AM"


def test_one_broken_clinic_keeps_no_other_from_its_calls(house, caplog):
    """Of three the first is where no time can be said."""
    others = [make_clinic(), make_clinic()]
    for number, one in enumerate(others):
        mailroom.series(one, mailroom.patient(one, f"Ben {number}"), FIRST)
    with db.transaction() as session:
        session.merge(house.clinic).zone_name = "Nowhere"
    ONCE_A_PERIOD["calls"](FIRST - DAY)
    assert {task.clinic_id for task in tasks()} == {one.clinic.id for one in others}
    assert str(house.clinic.id) in caplog.text


def test_a_call_that_was_made_is_not_asked_for_again(house):
    ask(FIRST - DAY)
    with db.transaction() as session:
        task = session.scalars(select(Task).where(Task.kind == "driver_call")).one()
        task.status, task.outcome, task.closed_at = TaskStatus.DONE, "her sister, she will say", NOW
    assert ask(FIRST - DAY + HOUR) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"driver_confirmed_at": NOW},
        {"lost_at": NOW},
        {"status": VisitStatus.ARRIVED},
        {"status": VisitStatus.CANCELLED, "cancel_reason": "ill"},
    ],
)
def test_nobody_is_called_where_it_is_known_or_nobody_comes(house, change):
    with db.transaction() as session:
        visit = session.get_one(Visit, first().id)
        for name, value in change.items():
            setattr(visit, name, value)
    assert ask(FIRST - DAY) == 0


def test_naming_the_driver_settles_the_call(house):
    ask(FIRST - DAY)
    with db.transaction() as session:
        drivers.confirm(session, house.coordinator, first().id, now=FIRST - DAY + HOUR)
    assert [(task.status, task.outcome) for task in tasks()] == [("done", "The driver is known")]


def test_a_moved_visit_is_another_one(house):
    ask(FIRST - DAY)
    with db.transaction() as session:
        visit = session.get_one(Visit, first().id)
        telling.settle(session, house.coordinator, visit, "Moved", now=FIRST - DAY)
        visit.starts_at, visit.ends_at = visit.starts_at + HOUR, visit.ends_at + HOUR
    assert ask(FIRST - DAY + HOUR) == 1
    assert [task.status for task in tasks()] == ["done", "open"]
