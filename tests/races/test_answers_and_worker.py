"""Somebody answers, or a visit is called off, while a worker is at the next message: neither is thrown out.

Who writes down what became of a message may come to the end of the clinic's audit chain, to which everybody comes last.
To lock anything after it that somebody holds who waits for the chain is a circle: PostgreSQL breaks it after a second
by throwing one of them out.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import House, make_clinic
from tests.faults.killed_worker import DESK
from tests.races.test_at_once import at_once
from tracker import db
from tracker.channels.message import End, Message, Outcome
from tracker.dispatch import Worker
from tracker.models import ContactPoint, Reminder, Task, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import answers, audit, clinic, delivery, letters, receipts
from tracker.services.receipts import Told

PATIENCE = 20  # seconds
HELD = 1.0  # seconds that the other one waits before the chain for the worker to come there, if it does


class Meeting:
    """Somebody else holds what there is to hold, and comes to the chain only after the worker did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._holds, self._worker_came = threading.Event(), threading.Event()
        self._other: threading.Thread | None = None
        self.ends: list[str] = []
        record = audit.record

        def recorded(*args: Any, **more: Any) -> None:
            other = threading.current_thread() is self._other
            if other:
                args[0].flush()
                self._holds.set()
                self._worker_came.wait(HELD)
            record(*args, **more)
            if not other and self._holds.is_set():
                self._worker_came.set()

        monkeypatch.setattr(audit, "record", recorded)

    def begin(self, do: Callable[[], object]) -> None:
        """Let the other one begin, and wait until it holds what it changes."""

        def caught() -> None:
            try:
                do()
                self.ends.append("done")
            except Exception as error:
                self.ends.append(repr(error))

        self._other = threading.Thread(target=caught)
        self._other.start()
        assert self._holds.wait(PATIENCE)

    def over(self) -> list[str]:
        """Wait for the other one; return what became of it."""
        assert self._other
        self._other.join(PATIENCE)
        return self.ends


@pytest.fixture
def meeting(monkeypatch) -> Meeting:
    """Return where somebody and the worker meet."""
    return Meeting(monkeypatch)


@pytest.fixture
def house(database) -> House:
    """Return a clinic."""
    return make_clinic()


def book(house: House, *, start=NOW + timedelta(days=7), texts: bool = True) -> list[Reminder]:
    """Book Ada, and Ben an hour after her; return the first message of each."""
    for n, name in enumerate(("Ada", "Ben")):
        patient_id = mailroom.patient(house, name, email=None)
        if texts:
            with db.transaction() as session:
                session.add(mailroom.number(house, patient_id, f"+1505555010{n}"))
        mailroom.series(house, patient_id, start + n * timedelta(hours=1))
    return sorted(
        (row for row in mailroom.messages() if row.purpose == (Purpose.ITINERARY if texts else Purpose.VISIT)),
        key=lambda row: row.expires_at,
    )


def stop(row: Reminder) -> Callable[[], None]:
    """Return what a STOP by text from the patient of a message does."""
    with db.transaction() as session:
        [point] = session.query(ContactPoint).filter_by(patient_id=row.patient_id)
        event = answers.keep(session, "twilio", "SM1", {"From": point.address, "Body": "STOP"}, now=NOW)

    def write() -> None:
        with db.transaction() as session:
            answers.text(session, event, now=NOW)

    return write


def call_off(house: House, row: Reminder) -> Callable[[], None]:
    """Return what somebody does who calls a message back."""

    def cancel() -> None:
        with db.transaction() as session:
            delivery.change(session, Event.CANCEL, Reminder.id == row.id, now=NOW)
            audit.record(session, house.coordinator, "cancel", now=NOW)

    return cancel


class Refusing:
    """A provider that takes nothing; while it thinks of its first answer, something else begins."""

    seconds = 5.0

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.asked: list[str] = []
        self.meanwhile = meanwhile

    def send(self, message: Message) -> Outcome:
        """Say no."""
        if not self.asked:
            self.meanwhile()
        self.asked.append(message.recipient)
        return Outcome(End.NEVER, "answer", "21408 no")


@pytest.mark.parametrize("what", ["stop", "call off"])
def test_the_next_message_is_not_marked_with_the_chain_in_hand(house, meeting, what):
    """Ada's text is refused, which is a task; meanwhile Ben stops his, or his visit is called off."""
    _adas, bens = book(house)
    doing = stop(bens) if what == "stop" else call_off(house, bens)
    provider = Refusing(lambda: meeting.begin(doing))
    worker = Worker({ReminderChannel.SMS: provider}, DESK, name="racing")
    counts = worker.tick(NOW)
    assert meeting.over() == ["done"]
    assert counts["never"] == 1
    assert provider.asked == ["+15055550100"], "it counts at once"
    assert [task.kind for task in mailroom.rows(Task)].count("undelivered") == 1


def test_what_can_not_be_sent_is_written_down_before_the_tasks_are_made(house, meeting, monkeypatch):
    """Nobody can write to either; while Ada's task is made Ben's visit is called off."""
    adas, bens = book(house, start=NOW + timedelta(hours=27), texts=False)
    now = NOW + timedelta(hours=4)
    look = letters.look

    def looking(*args: Any, **more: Any) -> Any:
        found = look(*args, **more)
        meeting.begin(call_off(house, bens))
        return found

    monkeypatch.setattr(letters, "look", looking)
    Worker({ReminderChannel.SMS: Refusing(lambda: None)}, DESK, name="racing").tick(now)
    assert meeting.over() == ["done"]
    assert [task.visit_id for task in mailroom.rows(Task)] == [adas.visit_id]


def test_receipts_are_all_applied_before_the_tasks_are_made(house, meeting):
    """Neither could be delivered; while Ada's task is made somebody notes of Ben that his arrived."""
    for row in (rows := book(house)):
        [lease] = [one for one in mailroom.take(now=NOW, limit=1) if one.reminder_id == row.id]
        mailroom.mark(mailroom.look(lease, now=NOW), now=NOW)
    with db.transaction() as session:
        for n, row in enumerate(rows):
            told = Told("twilio", f"SM{n}", "undelivered", {}, row.id, 1)
            receipts.keep(session, told, now=NOW + timedelta(seconds=n))

    def arrived() -> None:
        with db.transaction() as session:
            delivery.change(session, Event.DELIVER, Reminder.id == rows[1].id, now=NOW)
            audit.record(session, house.coordinator, "it arrived", now=NOW)

    meeting.begin(arrived)
    with db.transaction() as session:
        receipts.apply(session, now=NOW + timedelta(minutes=1))
    assert meeting.over() == ["done"]
    assert {row.status for row in mailroom.messages() if row.id in {one.id for one in rows}} == {"bounced", "delivered"}


def test_a_text_that_was_left_over_is_taken_when_the_one_before_it_is_written_down(house, meeting):
    """Ada's was a question, which is a task; meanwhile a desk has Ben's series in hand, to whom the next is about."""
    adas, bens = book(house)
    with db.transaction() as session:
        for n, body in enumerate(("What about parking?", "I can't come")):
            sender = {"From": f"+1505555010{n}", "Body": body}
            answers.keep(session, "twilio", f"SM{n}", sender, now=NOW + timedelta(seconds=n))

    def at_the_desk() -> None:
        with db.transaction() as session:
            clinic.lock_course(session, house.coordinator, visit.id)
            audit.record(session, house.coordinator, "looks after Ben", now=NOW)

    [visit] = [one for one in mailroom.rows(Visit) if one.course_id == bens.course_id]
    meeting.begin(at_the_desk)
    counts = Worker({}, DESK, name="racing").tick(NOW + timedelta(hours=1))
    assert meeting.over() == ["done"]
    assert counts["answers"] == 2
    assert {task.patient_id for task in mailroom.rows(Task)} == {adas.patient_id, bens.patient_id}


def test_of_many_workers_one_takes_each_text_that_was_left_over(house):
    book(house)
    with db.transaction() as session:
        for n in range(12):
            sender = {"From": f"+1505555010{n % 2}", "Body": f"Question {n}"}
            answers.keep(session, "twilio", f"SM{n}", sender, now=NOW)
    workers, heard = [Worker({}, DESK, name=f"racing {n}") for n in range(3)], list[int]()

    def ticking(worker: Worker) -> Callable[[], None]:
        return lambda: heard.append(worker.tick(NOW + timedelta(hours=1))["answers"])

    assert at_once(*map(ticking, workers)) == ["done"] * 3
    assert sum(heard) == len(mailroom.rows(Task)) == 12
