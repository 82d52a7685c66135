"""The list of the day by e-mail: who gets it, when, how often, and what it says."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.factories import COTTONWOOD, make_clinic
from tests.mail_server import mail_server
from tests.worker.test_tick import worker
from tracker import db
from tracker.models import Reminder, Setting, Task, UserAccount
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import ReminderStatus, Role, TaskStatus
from tracker.services import accounts, daily, followup, settings
from tracker.worker import ONCE_A_PERIOD, each_clinic

HALF_PAST_SEVEN = NOW - timedelta(hours=1, minutes=30)  # NOW is Monday, 9:00
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def house(database):
    """Return a clinic that is open from Monday to Friday."""
    return make_clinic()


def ask(house, name="Ada Lovelace", role=Role.COORDINATOR, *, owner=None, due=NOW + HOUR, **more) -> None:
    """Give somebody a task about a patient."""
    patient = house.patient(name)
    with db.transaction() as session:
        session.add(
            Task(
                clinic_id=house.clinic.id,
                patient_id=patient,
                kind="call_back",
                key=f"call:{patient}",
                owner_role=role,
                owner_id=owner,
                opens_at=NOW - DAY,
                due_at=due,
                created_at=NOW - DAY,
                **more,
            )
        )


def run(now: datetime = HALF_PAST_SEVEN) -> int:
    return each_clinic(daily.digests, now)


def rows() -> list[Reminder]:
    with db.read() as session:
        return list(session.scalars(select(Reminder).where(Reminder.purpose == Purpose.DIGEST)))


def test_whoever_has_something_to_do_gets_one_list_a_morning(house):
    ask(house)
    assert [run(HALF_PAST_SEVEN + minute * timedelta(minutes=1)) for minute in range(-1, 3)] == [0, 1, 0, 0]
    [row] = rows()
    assert (row.user_id, row.send_at, row.patient_id) == (house.coordinator.user_id, HALF_PAST_SEVEN, None)
    assert run(HALF_PAST_SEVEN + DAY) == 1


def test_whoever_has_nothing_to_do_gets_none(house):
    ask(house, role=Role.NURSE, owner=house.physician.user_id)
    assert run() == 1
    assert rows()[0].user_id == house.physician.user_id


@pytest.mark.parametrize("now", [HALF_PAST_SEVEN - 2 * DAY, HALF_PAST_SEVEN + 7 * HOUR])
def test_none_on_a_closed_day_or_in_the_afternoon(house, now):
    ask(house, due=NOW + 9 * DAY)
    assert run(now) == 0


def test_the_hour_is_the_clinics_and_so_is_the_zone(house):
    with db.transaction() as session:
        settings.change(session, house.coordinator, "digest.at", "6", now=NOW)
    ask(house)
    assert run(HALF_PAST_SEVEN - 1.6 * HOUR) == 0
    assert run(HALF_PAST_SEVEN - 1.5 * HOUR) == 1


def test_whoever_wants_none_gets_none_and_may_change_her_mind(house):
    ask(house)
    for wanted, count in ((False, 0), (True, 1)):
        with db.transaction() as session:
            accounts.set_digest(session, house.coordinator, wanted=wanted, now=NOW)
            assert accounts.gets_digest(session, house.coordinator) is wanted
        assert run(HALF_PAST_SEVEN + wanted * DAY) == count


def test_a_closed_account_gets_none(house):
    ask(house)
    with db.transaction() as session:
        session.get_one(UserAccount, house.coordinator.user_id).disabled_at = NOW
    assert run() == 0


def test_each_clinic_has_its_own(house):
    ask(house)
    ask(make_clinic(COTTONWOOD), "Grace Hopper")
    assert run() == 2


def test_one_broken_clinic_keeps_no_other_from_its_own(house, caplog):
    """Of three the second has a setting that can't be read."""
    houses = [house, make_clinic(COTTONWOOD), make_clinic(COTTONWOOD)]
    for number, one in enumerate(houses):
        ask(one, f"Ada {number}")
    with db.transaction() as session:
        key = {"clinic_id": houses[1].clinic.id, "key": "digest.at"}
        session.add(Setting(**key, value="nonsense", changed_at=NOW))
    ONCE_A_PERIOD["digests"](HALF_PAST_SEVEN)
    assert {row.clinic_id for row in rows()} == {houses[0].clinic.id, houses[2].clinic.id}
    assert str(houses[1].clinic.id) in caplog.text


def test_it_says_how_much_and_whose_and_names_nobody(house):
    ask(house, due=NOW - 2 * HOUR)
    ask(house, "Grace Hopper", owner=house.coordinator.user_id, urgent=True)
    run()
    with mail_server() as (kept, port):
        assert worker(port).tick(HALF_PAST_SEVEN)["accepted"] == 1
    [message] = kept.messages
    text = message.get_body(("plain",)).get_content()
    assert message["Subject"] == "What is due today"
    assert "2 tasks are due today. Yours: 1. For anybody of your role: 1. Overdue: 1. Urgent: 1." in text
    assert "In this order: G.H., A.L." in text
    assert "https://visits.example.org/to-do" in text
    for word in ("Lovelace", "Hopper", "Grace", "call", "infus", "ketamin"):
        assert word.casefold() not in message.as_string().casefold()
    assert message["List-Unsubscribe"] is None


def test_what_is_done_meanwhile_is_not_told(house):
    ask(house)
    run()
    with db.transaction() as session:
        task = session.scalars(select(Task)).one()
        followup.done_by_itself(session, house.coordinator, task, "called", now=NOW)
    with mail_server() as (kept, port):
        worker(port).tick(HALF_PAST_SEVEN)
    assert kept.messages == []
    assert [(row.status, row.reason) for row in rows()] == [(ReminderStatus.CANCELLED, "Nothing is due any more.")]
    assert mailroom.rows(Task)[0].status is TaskStatus.DONE
