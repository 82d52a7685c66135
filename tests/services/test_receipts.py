"""What a provider says afterwards: early, late, twice, out of order, about the wrong try."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import Attempt, ContactPoint, ProviderEvent, Reminder, ReminderEvent, Task
from tracker.rules.delivery import LEASE, Event
from tracker.rules.vocabulary import AttemptOutcome, ReminderStatus, TaskStatus
from tracker.services import delivery, receipts
from tracker.services.delivery import Result
from tracker.services.receipts import PATIENCE, Told

SID = "SM0123456789abcdef"
TAKEN = Result(AttemptOutcome.ACCEPTED, "201", external_id=SID, segments=2)


@pytest.fixture
def letter(database):
    """Mark the message that tells Ada her dates."""
    house = make_clinic()
    mailroom.series(house, mailroom.patient(house, "Ada"), NOW + timedelta(days=7))
    [lease] = mailroom.take(now=NOW)
    letter = mailroom.look(lease, now=NOW)
    assert mailroom.mark(letter, now=NOW)
    return letter


def hear(status: str, letter=None, *, code: str = "", now=NOW, epoch: int | None = None) -> int:
    """Keep a receipt, with the address we gave for it if `letter` is given, and apply what waits."""
    of = letter.lease if letter else None
    told = Told(
        "twilio", SID, status, {"ErrorCode": code} if code else {}, of and of.reminder_id, epoch or (of and of.epoch)
    )
    with db.transaction() as session:
        receipts.keep(session, told, now=now)
    with db.transaction() as session:
        return receipts.apply(session, now=now)


def one(letter) -> Reminder:
    """Return the message."""
    with db.read() as session:
        return session.get_one(Reminder, letter.lease.reminder_id)


def test_it_arrived(letter):
    mailroom.record(letter.lease, TAKEN, now=NOW)
    assert hear("delivered") == 1
    assert one(letter).status is ReminderStatus.DELIVERED
    events = [event.event for event in mailroom.rows(ReminderEvent)]
    assert events == [Event.DELIVER]
    [attempt] = mailroom.rows(Attempt)
    assert (attempt.external_id, attempt.segments) == (SID, 2)


def test_told_twice_it_counts_once(letter):
    mailroom.record(letter.lease, TAKEN, now=NOW)
    assert [hear("delivered"), hear("delivered")] == [1, 0]
    assert len(mailroom.rows(ReminderEvent)) == 1


def test_a_message_only_moves_forward(letter):
    """The receipts come in the wrong order."""
    mailroom.record(letter.lease, TAKEN, now=NOW)
    for status in ("delivered", "sent", "queued", "undelivered"):
        hear(status)
    assert one(letter).status is ReminderStatus.DELIVERED
    assert mailroom.rows(Task) == []


def test_a_receipt_may_come_before_our_own_commit(letter):
    """The address it comes to says which message it is; what the sender writes down afterwards takes nothing back."""
    assert hear("delivered", letter) == 1
    mailroom.record(letter.lease, TAKEN, now=NOW)
    assert one(letter).status is ReminderStatus.DELIVERED
    [attempt] = mailroom.rows(Attempt)
    assert (attempt.external_id, attempt.outcome) == (SID, AttemptOutcome.ACCEPTED)


def test_one_that_names_only_the_providers_id_waits_for_our_commit(letter):
    assert hear("delivered") == 0
    mailroom.record(letter.lease, TAKEN, now=NOW)
    with db.transaction() as session:
        assert receipts.apply(session, now=NOW) == 1
    assert one(letter).status is ReminderStatus.DELIVERED


def test_one_that_nobody_knows_is_not_kept_waiting_for_ever(letter):
    assert hear("delivered") == 0
    with db.transaction() as session:
        assert receipts.apply(session, now=NOW + PATIENCE + timedelta(seconds=1)) == 1
    assert one(letter).status is ReminderStatus.SENDING


@pytest.mark.parametrize(("status", "end"), [("sent", "accepted"), ("delivered", "delivered")])
def test_a_receipt_settles_what_was_uncertain(letter, status, end):
    """The sender died waiting for an answer: it never learned the provider's id."""
    mailroom.sweep(now=NOW + LEASE)
    assert one(letter).status is ReminderStatus.UNCERTAIN
    hear(status, letter, now=NOW + LEASE)
    assert one(letter).status == end
    [task] = mailroom.rows(Task)
    assert (task.kind, task.status) == ("uncertain", TaskStatus.DONE)


def test_a_provider_that_has_it_says_so_before_the_sender_hears_the_answer(letter):
    """The sender gets an error, and would send again: the receipt has the last word."""
    hear("queued", letter)
    mailroom.record(letter.lease, Result(AttemptOutcome.DEFERRED, "503"), now=NOW)
    assert one(letter).status is ReminderStatus.ACCEPTED
    assert mailroom.take(now=NOW + timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("code", "invalid", "opted_out"),
    [("30006", True, False), ("21610", False, True), ("30003", False, False), ("", False, False)],
    ids=["a landline", "stopped at the provider", "switched off", "no reason"],
)
def test_what_can_not_be_delivered_is_a_task(letter, code, invalid, opted_out):
    mailroom.record(letter.lease, TAKEN, now=NOW)
    hear("undelivered", code=code)
    assert one(letter).status is ReminderStatus.BOUNCED
    assert [task.kind for task in mailroom.rows(Task)] == ["undelivered"]
    said = f" (its code: {code})" if code else ""
    assert mailroom.rows(ReminderEvent)[-1].detail == f"The provider could not deliver it{said}."
    [point] = mailroom.rows(ContactPoint)
    assert (point.invalid_at is not None, point.opted_out_at is not None) == (invalid, opted_out)


def test_a_receipt_of_the_first_try_says_nothing_of_the_second(letter):
    mailroom.record(letter.lease, TAKEN, now=NOW)
    with db.transaction() as session:
        delivery.change(session, Event.RESEND, Reminder.id == letter.lease.reminder_id, now=NOW, reason="asked for")
    [again] = mailroom.take(now=NOW)
    assert mailroom.mark(mailroom.look(again, now=NOW), now=NOW)
    assert hear("undelivered") == 1
    assert one(letter).status is ReminderStatus.SENDING


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_message_that_this_database_does_not_know_is_kept_all_the_same(letter):
    told = Told("twilio", "SM9", "delivered", {}, uuid4(), 1)
    with db.transaction() as session:
        assert receipts.keep(session, told, now=NOW)
    with db.read() as session:
        assert session.scalar(select(ProviderEvent.reminder_id)) is None


def test_a_receipt_that_can_not_be_read_keeps_no_other_from_being_applied(letter):
    """It is tried for a while, as one that nobody knows."""
    mailroom.record(letter.lease, TAKEN, now=NOW)
    with db.transaction() as session:
        session.add(ProviderEvent(provider="twilio", external_id="SM0", kind="receipt", raw="{", received_at=NOW))
    assert hear("delivered") == 1
    assert one(letter).status is ReminderStatus.DELIVERED
    with db.transaction() as session:
        assert receipts.apply(session, now=NOW + PATIENCE + timedelta(seconds=1)) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_word_that_nobody_knows_changes_nothing(letter):
    assert hear("sailed", letter) == 1
    assert one(letter).status is ReminderStatus.SENDING


@pytest.mark.parametrize(
    "lie",
    [
        update(ReminderEvent).values(detail="nothing happened"),
        update(Attempt).values(address="somebody@else.example"),
        update(Attempt).values(started_at=NOW - timedelta(hours=1)),
        update(Attempt).values(outcome=AttemptOutcome.REFUSED),
        update(Attempt).values(ended_at=None),
        update(Attempt).values(ended_at=NOW - timedelta(hours=1)),
        update(Attempt).values(detail="nothing happened"),
        delete(Attempt),
    ],
)
def test_the_history_can_not_be_changed(letter, lie):
    mailroom.record(letter.lease, TAKEN, now=NOW)
    hear("delivered")
    with pytest.raises(Exception, match="kept as written"), db.transaction() as session:
        session.execute(lie)
