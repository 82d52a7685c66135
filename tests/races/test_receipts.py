"""Two who apply receipts of the same messages at once: neither waits for the other in a circle."""

import threading
from datetime import timedelta
from typing import Any

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.races.test_at_once import PATIENCE
from tracker import db
from tracker.rules.vocabulary import AttemptOutcome, ReminderStatus
from tracker.services import delivery, receipts
from tracker.services.delivery import Result
from tracker.services.receipts import Told

HELD = 1.0  # seconds that the first one waits for the second to have changed a message, if it does


def kept(status: str, *numbers: int) -> None:
    """Let receipts of these messages come, in this order."""
    with db.transaction() as session:
        for seconds, number in enumerate(numbers):
            told = Told("twilio", f"SM{number}", status, {})
            receipts.keep(session, told, now=NOW + timedelta(seconds=seconds))


def test_receipts_that_came_in_another_order_are_applied_message_by_message(database, monkeypatch):
    house = make_clinic()
    for number in range(2):
        mailroom.series(house, mailroom.patient(house, f"P{number}"), NOW + timedelta(days=7))
    leases = mailroom.take(now=NOW)
    for number, lease in enumerate(leases):
        mailroom.mark(mailroom.look(lease, now=NOW), now=NOW)
        mailroom.record(lease, Result(AttemptOutcome.ACCEPTED, external_id=f"SM{number}"), now=NOW)
    first_changed, second_changed, ends = threading.Event(), threading.Event(), list[int]()
    change = delivery.change

    def changed(*args: Any, **more: Any) -> Any:
        moved = change(*args, **more)
        if threading.current_thread() is second:
            second_changed.set()
        else:
            first_changed.set()
            second_changed.wait(HELD)
        return moved

    def apply() -> None:
        with db.transaction() as session:
            ends.append(receipts.apply(session, now=NOW + timedelta(minutes=1)))

    monkeypatch.setattr(delivery, "change", changed)
    first, second = threading.Thread(target=apply), threading.Thread(target=apply)
    kept("undelivered", 0, 1)
    first.start()
    assert first_changed.wait(PATIENCE)
    kept("delivered", 1, 0)
    second.start()
    for thread in (first, second):
        thread.join(PATIENCE)
    assert ends == [2, 2]
    assert {row.status for row in mailroom.messages() if row.sent_at} == {ReminderStatus.BOUNCED}
