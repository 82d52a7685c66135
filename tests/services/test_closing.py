"""Closed, tell them now: everybody is told at once, and whoever isn't known to be reached is called."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.services.diary import Diary, command, count
from tracker import db
from tracker.errors import Refused
from tracker.models import Closure, Reminder, Task, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import ReminderStatus, TaskStatus
from tracker.services import closing, places
from tracker.services.delivery import Letter

MINUTE = timedelta(minutes=1)


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which Ada, who has an address, and Ben, who has none, are booked on one day."""
    diary = Diary()
    diary.people["Ada"] = mailroom.patient(diary.house, "Ada")
    diary.book("Ada")
    diary.book("Ben")
    return diary


def close(diary: Diary, *, now) -> int:
    """Close the first day."""
    wanted = command(closing.CloseDay, day=diary.visits("Ada")[0].starts_at.date())
    with db.transaction() as session:
        return closing.close(session, diary.house.coordinator, wanted, now=now)


def calls(diary: Diary):
    """Return the call list of the first day."""
    with db.read() as session:
        day = diary.visits("Ada")[0].starts_at.date()
        return {one.patient.given_name: one for one in closing.call_list(session, diary.house.coordinator, day)}


def opened(now):
    """Return whose calls are open by now."""
    with db.read() as session:
        query = select(Task).where(Task.kind == closing.KIND, Task.status == TaskStatus.OPEN, Task.opens_at <= now)
        return len(session.scalars(query).all())


def test_everybody_is_told_in_one_go_and_called_if_not_reached(diary):
    """Ben has no address, so he is called at once; Ada, if she hasn't read it in ten minutes."""
    night = diary.visits("Ada")[0].starts_at - timedelta(hours=5)
    assert close(diary, now=night) == 2
    assert count(Closure) == 1
    assert count(Visit, Visit.lost_at.is_not(None)) == 2
    assert count(Reminder, Reminder.purpose == Purpose.CLOSED) == 2
    assert opened(night) == 1
    assert opened(night + 10 * MINUTE) == 2


def test_it_leaves_at_night_and_nothing_says_come(diary):
    """Quiet hours don't hold for a closed door; the reminder for the lost day is called back."""
    visit = diary.visits("Ada")[0]
    night = visit.starts_at - timedelta(hours=6)
    close(diary, now=night)
    leases = mailroom.take(now=night)
    letters = [mailroom.look(lease, now=night) for lease in leases]
    closed = [one for one in letters if isinstance(one, Letter) and one.purpose is Purpose.CLOSED]
    assert [one.visits[0].id for one in closed] == [visit.id]
    waiting = {row.purpose for row in mailroom.messages() if row.visit_id == visit.id and row.status in mailroom.LIVE}
    assert not waiting & {Purpose.VISIT, Purpose.FIRST_VISIT}


def test_what_a_patient_has_read_nobody_needs_to_call(diary):
    night = diary.visits("Ada")[0].starts_at - timedelta(hours=5)
    close(diary, now=night)
    with db.transaction() as session:
        visit = session.get_one(Visit, diary.visits("Ada")[0].id)
        closing.read_by_patient(session, diary.house.coordinator, visit, now=night + MINUTE)
    assert calls(diary)["Ada"].reached
    assert not calls(diary)["Ben"].reached
    assert opened(night + 10 * MINUTE) == 1


def test_whoever_was_reached_by_telephone_is_off_the_list(diary):
    night = diary.visits("Ada")[0].starts_at - timedelta(hours=5)
    close(diary, now=night)
    for _twice in range(2):
        with db.transaction() as session:
            closing.reached(session, diary.house.coordinator, calls(diary)["Ben"].task.id, now=night)
    assert calls(diary)["Ben"].reached


def test_a_day_is_told_once(diary):
    night = diary.visits("Ada")[0].starts_at - timedelta(hours=5)
    close(diary, now=night)
    with pytest.raises(Refused, match="Nobody is booked"):
        close(diary, now=night + MINUTE)
    assert count(Reminder, Reminder.purpose == Purpose.CLOSED) == 2


def test_whoever_was_told_after_all_by_a_move_gets_her_new_dates(diary):
    """The day's lost mark goes with the move."""
    visit = diary.visits("Ada")[0]
    close(diary, now=NOW)
    visit = diary.visits("Ada")[0]
    diary.move(visit, places.as_place(diary.move_options(visit)[0].visit))
    assert diary.visits("Ada")[0].lost_at is None
    statuses = {row.purpose: row.status for row in mailroom.messages() if row.visit_id == visit.id}
    assert statuses[Purpose.CLOSED] is ReminderStatus.SCHEDULED  # looked at again before it leaves
