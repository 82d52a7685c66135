"""Two hours of a mail server, or a provider of texts, that fails in its own way; then it is well again.

The time is simulated; a conversation that hangs is real, and as short as its deadline is made.
"""

import time as stopwatch
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete

from tests import mailroom
from tests.conftest import NOW
from tests.factories import House, make_clinic
from tests.faults.killed_worker import CALLBACK, DESK
from tests.faults.killing import about
from tests.mail_server import Misbehaving, free_port
from tests.sms_provider import NUMBER, SID, TOKEN, Provider
from tracker import db, dispatch
from tracker.channels import wire
from tracker.channels.sms import Account, Sms
from tracker.channels.smtp import Server, Smtp
from tracker.dispatch import Worker
from tracker.models import Attempt, ContactPoint, ProviderState, Reminder, Task
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus
from tracker.services import breaker, sweeping

HOURS, AFTER = timedelta(hours=2), timedelta(hours=5)
MESSAGES = 8  # more than it takes for a way to be left alone
SHORT = 0.15  # seconds for a conversation that hangs or drips
DRIPS = 40  # bytes, ten a second: a real one would go on
# What the server says, by the word it says it to.
MAIL: dict[str, dict[str, Any]] = {
    "no at the door, 554": {"hello": "554 no"},
    "busy at the door, 421": {"hello": "421 later"},
    "sender later, 452": {"MAIL": "452 too many"},
    "recipient later, 451": {"RCPT": "451 greylisted"},
    "no after the body, 554": {"dot": "554 no"},
    "later after the body, 451": {"dot": "451 later"},
    "hangs before": {"hello": "hang"},
    "hangs at DATA": {"DATA": "hang"},
    "hangs after the dot": {"dot": "hang"},
    "drips before": {"hello": "drip"},
    "drips after the dot": {"dot": "drip"},
    "resets before the body": {"DATA": "reset"},
    "resets in the body": {"DATA": "354 go on, bye"},
    "resets after the dot": {"dot": "reset"},
    "refuses": {},
}
TEXTS: dict[str, str] = {
    "503": "503",
    "429": "429 retry=60",
    "500": "500",
    "401": "401",
    "hangs before": "hang",
    "resets before": "reset",
    "hangs after": "hang after",
    "resets after": "reset after",
    "drips after": "drip after",
    "500 after": "500 after",
    "not HTTP after": "nonsense after",
    "refuses": "",
}


@dataclass
class Line:
    """What became of the messages, for the table."""

    way: str
    fault: str
    messages: int
    sent: int
    retried: int
    uncertain: int
    tasks: int
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        counts = (self.messages, self.sent, self.retried, self.uncertain, self.tasks, self.lost, self.doubled)
        return f"{self.way:<6}{self.fault:<26}" + "".join(f"{count:>10}" for count in counts)


HEAD = f"{'way':<6}{'fault':<26}" + "".join(
    f"{word:>10}" for word in ("messages", "sent", "retried", "uncertain", "tasks", "lost", "doubled")
)


def outage(house: House, day: int, way: str, fault: str, *, guard: str = "") -> Line:
    """Let one fault last for two hours on a day of its own; return what became of that day's messages."""
    now = NOW + timedelta(days=day)
    with db.transaction() as session:
        session.execute(delete(ProviderState))
    mailroom.many(house, 2 * MESSAGES, now + timedelta(days=90 + day), texts=True, booked_at=now)
    _only(way, now)
    got: Counter[str] = Counter()
    with _without(guard), ExitStack() as stack:
        ill, well = _channels(stack, way, fault, got)
        _ticks(ill, now, HOURS, timedelta(minutes=5))
        _ticks(well, now + HOURS, AFTER, timedelta(minutes=6))
    return _line(way, fault, now, got)


def _only(way: str, now: datetime) -> None:
    """Leave only those messages of today that go this way: letters have an even number."""
    kept = ReminderChannel.EMAIL if way == "mail" else ReminderChannel.SMS
    with db.transaction() as session:
        session.execute(delete(Reminder).where(Reminder.created_at == now, Reminder.purpose != Purpose.ITINERARY))
        points = {point.patient_id: point.channel.value for point in session.query(ContactPoint)}
        for row in session.query(Reminder).filter(Reminder.created_at == now):
            if points[row.patient_id] != kept.value:
                session.delete(row)


def _ticks(channel: Any, now: datetime, long: timedelta, step: timedelta) -> None:
    way = ReminderChannel.EMAIL if isinstance(channel, Smtp) else ReminderChannel.SMS
    sender = Worker({way: channel}, DESK, name="providers")
    for n in range(int(long / step)):
        with db.read() as session:
            waits = sweeping.waits(session, now=now + n * step)
        if waits:
            sender.tick(now + n * step)


def _channels(stack: ExitStack, way: str, fault: str, got: Counter[str]) -> tuple[Any, Any]:
    """Return a channel to a server that has the fault, and one to a server that is well."""
    slow = SHORT if any(word in fault for word in ("hangs", "drips")) else 5.0
    if way == "mail":
        ill, well = Misbehaving(got=got, **MAIL[fault]), Misbehaving(got=got)
        stack.enter_context(ill)
        stack.enter_context(well)
        port = free_port() if fault == "refuses" else ill.port
        return _smtp(port, slow), _smtp(well.port, 10.0)
    bad, good = stack.enter_context(Provider(always=TEXTS[fault])), stack.enter_context(Provider())
    stack.callback(lambda: got.update(text["StatusCallback"].split("/")[-2] for text in (*bad.sent, *good.sent)))
    api = f"http://127.0.0.1:{free_port()}" if fault == "refuses" else bad.account().api
    return _sms(api, slow), _sms(good.account().api, 10.0)


def _smtp(port: int, seconds: float) -> Smtp:
    return Smtp(Server("127.0.0.1", port, "none"), seconds=seconds)


def _sms(api: str, seconds: float) -> Sms:
    return Sms(Account(SID, TOKEN, NUMBER, CALLBACK, api), seconds=seconds)


def _line(way: str, fault: str, now: datetime, got: Counter[str]) -> Line:
    rows = [row for row in mailroom.messages() if row.created_at == now]
    told = {about(task) for task in mailroom.rows(Task)}
    mine = {row.id for row in rows}
    tries = sum(attempt.reminder_id in mine for attempt in mailroom.rows(Attempt))
    uncertain = [row for row in rows if row.status is ReminderStatus.UNCERTAIN]
    return Line(
        way,
        fault,
        messages=len(rows),
        sent=sum(got[str(row.id)] > 0 for row in rows),
        retried=max(0, tries - len(rows)),
        uncertain=len(uncertain),
        tasks=sum(str(row.id) in told for row in rows),
        lost=sum(not got[str(row.id)] and str(row.id) not in told for row in rows),
        doubled=sum(got[str(row.id)] > 1 for row in rows),
    )


@contextmanager
def _without(guard: str) -> Iterator[None]:
    """Take a guard out: "stages" (silence after the end is no refusal), "breaker", "deadline" (one for it all)."""
    outcomes, fail, left = dict(dispatch._OUTCOMES), breaker.fail, wire.Deadline.left
    if guard == "stages":
        dispatch._OUTCOMES[dispatch.End.UNKNOWN] = AttemptOutcome.DEFERRED
    if guard == "breaker":
        breaker.fail = lambda *_args, **_more: breaker.OPEN
    if guard == "deadline":
        wire.Deadline.left = lambda _self: SHORT * 10
    try:
        yield
    finally:
        dispatch._OUTCOMES.update(outcomes)
        breaker.fail, wire.Deadline.left = fail, left


def held(*, guard: str = "") -> float:
    """Return for how many seconds one message holds a worker at a server that drips, for as long as it likes."""
    mailroom.many(make_clinic(), 1, NOW + timedelta(days=7))
    with _without(guard), Misbehaving(hello="drip", drips=DRIPS) as ill:
        begun = stopwatch.monotonic()
        Worker({ReminderChannel.EMAIL: _smtp(ill.port, SHORT)}, DESK, name="held").tick(NOW)
        return stopwatch.monotonic() - begun


def outages() -> list[Line]:
    """Let each fault have its day, on the configured, fresh database."""
    house = make_clinic()
    faults = [("mail", fault) for fault in MAIL] + [("text", fault) for fault in TEXTS]
    return [outage(house, 2 * day, way, fault) for day, (way, fault) in enumerate(faults)]
