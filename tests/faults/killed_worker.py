"""A real worker in a process of its own, killed or stopped at a step of its n-th message.

Before it dies it says which message it was at. A guard named is taken out, to show what it is there for.
"""

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import update

from tests.conftest import NOW
from tests.sms_provider import NUMBER, SID, TOKEN
from tracker import db, dispatch
from tracker.channels import sms, smtp
from tracker.channels.sms import Account, Sms
from tracker.channels.smtp import Server, Smtp
from tracker.compose import Desk
from tracker.dispatch import Worker
from tracker.errors import Busy
from tracker.models import Reminder
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus
from tracker.services import delivery, sweeping

SECONDS = 10.0
CALLBACK = "https://visits.example.org"
DESK = Desk(b"k" * 32, CALLBACK, "visits@clinic.example")
LONGEST = 240.0  # seconds that one goes on ticking


@dataclass(frozen=True)
class Job:
    """What a worker is to do: one tick at NOW + `seconds`, or ticks until nothing waits."""

    url: str
    mail: int  # the port of the mail server
    texts: str = ""  # where the provider of texts is
    seconds: float = 0.0
    step: str = "none"
    nth: int = 1
    how: int = signal.SIGKILL  # what it gets at that step
    guard: str = ""
    lease: float | None = None  # seconds, where it isn't the usual one
    at_once: int = 50
    until_done: bool = False
    busy_after: int = db.WAIT  # seconds that SQLite waits for another's write


class Killer:
    """Counts how often a step is reached, and ends (or stops) the process there."""

    def __init__(self, job: Job, say: Connection) -> None:
        self.step, self.left, self.how = job.step, job.nth, job.how
        self.at = ""
        self._say = say

    def reach(self, step: str) -> None:
        """Die here, if here is where to die."""
        if step != self.step:
            return
        self.left -= 1
        if self.left == 0:
            self.tell()
            os.kill(os.getpid(), self.how)

    def tell(self) -> None:
        """Say which message we are at."""
        self._say.send(self.at)

    def around(self, owner: Any, name: str, before: str = "", after: str = "") -> None:
        """Reach steps before and after each call of a function."""
        inner: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            self.reach(before)
            result = inner(*args, **more)
            self.reach(after)
            return result

        setattr(owner, name, wrapped)


def place(killer: Killer) -> None:
    """Put the steps where they are on the way of a message."""
    send_all, settled, mark, record = Worker._send_all, Worker._settled, delivery.mark, delivery.record

    def taken(self: Worker, leases: Any, at: Any) -> Any:
        for lease in leases:
            killer.at = str(lease.reminder_id)
            killer.reach("leased")
        return send_all(self, leases, at)

    def marking(session: Any, letter: Any, **more: Any) -> bool:
        killer.at = str(letter.lease.reminder_id)
        if killer.step == "random":  # the end comes from outside, without warning
            killer.tell()
        killer.reach("looked")
        marked = mark(session, letter, **more)
        killer.reach("marking")
        return marked

    def written_down(self: Worker, before: Any, queue: Any, at: Any) -> Any:
        turn = settled(self, before, queue, at)
        if before is not None:  # and the next one, if any, is marked: the two are one commit
            killer.at, now_at = str(before.letter.lease.reminder_id), killer.at
            killer.reach("recorded")
            killer.at = now_at
        return turn

    def recording(session: Any, lease: Any, *values: Any, **more: Any) -> None:
        record(session, lease, *values, **more)
        killer.at = str(lease.reminder_id)
        killer.reach("recording")

    Worker._send_all, Worker._settled = taken, written_down
    delivery.mark, delivery.record = marking, recording
    _place_at_the_mail_server(killer)
    _place_at_the_provider(killer)


def _place_at_the_mail_server(killer: Killer) -> None:
    killer.around(Worker, "_prepare", after="prepared")  # looked at and written, and no transaction is open
    killer.around(smtp.Smtp, "send", before="marked", after="answered")
    killer.around(smtp._Line, "mail", before="connected")
    send = smtp._Line.send

    def sent(self: smtp._Line, said: Any) -> None:
        if said == smtp.DOT:
            killer.reach("body sent")
        send(self, said)
        if said == smtp.DOT:
            # The answer is there, unread: the server has the message.
            self.sock.recv(1, socket.MSG_PEEK)
            killer.reach("handed over")

    if killer.step in ("body sent", "handed over"):
        smtp._Line.send = sent


def _place_at_the_provider(killer: Killer) -> None:
    killer.around(sms.Sms, "send", before="marked", after="answered")
    connect, read = sms._connect, sms._Answer.read

    def connected(account: Any, deadline: Any) -> Any:
        sock = connect(account, deadline)
        killer.reach("connected")
        if killer.step == "body sent":
            if killer.left == 1:
                sock.sendall(b"POST /2010")  # and no more than that
            killer.reach("body sent")
        return sock

    def peeked(sock: Any, deadline: Any) -> Any:
        if killer.step == "handed over":
            sock.recv(1, socket.MSG_PEEK)
            killer.reach("handed over")
        return read(sock, deadline)

    sms._connect, sms._Answer.read = connected, peeked


def without_mark() -> None:
    """Send what is only leased, and write it down afterwards."""
    delivery.mark = lambda *_args, **_more: True

    def record(session: Any, lease: Any, _result: Any, **_more: Any) -> None:
        done = {"status": ReminderStatus.ACCEPTED, "lease_until": None}
        session.execute(update(Reminder).where(Reminder.id == lease.reminder_id).values(**done))

    delivery.record = record


def without_doubt() -> None:
    """Take what was being sent when its worker died for not sent."""
    change = delivery.change

    def trusting(session: Any, event: Event, *which: Any, **more: Any) -> Any:
        if event is Event.LOSE:
            again = {"status": ReminderStatus.SCHEDULED, "lease_until": None}
            session.execute(update(Reminder).where(Reminder.status == ReminderStatus.SENDING, *which).values(**again))
            return []
        return change(session, event, *which, **more)

    delivery.change = trusting


def without_release() -> None:
    """Leave what a dead worker had leased."""
    change = delivery.change

    def forgetful(session: Any, event: Event, *which: Any, **more: Any) -> Any:
        return [] if event is Event.RELEASE else change(session, event, *which, **more)

    delivery.change = forgetful


def without_epoch() -> None:
    """Write down what became of a message, whoever has it now."""
    delivery._mine = lambda lease: (Reminder.id == lease.reminder_id,)


def without_patience() -> None:
    """Give up what was sent and can't be written down at once."""
    dispatch.Worker._settled = _impatient


def _impatient(self: Any, before: Any, queue: Any, at: Any) -> Any:
    with db.transaction() as session:
        return self._turn(session, before, queue, at())


def without_stages() -> None:
    """Take silence after the message was handed over for a refusal."""
    dispatch._OUTCOMES[dispatch.End.UNKNOWN] = AttemptOutcome.DEFERRED


GUARDS = {
    "mark": without_mark,
    "doubt": without_doubt,
    "release": without_release,
    "epoch": without_epoch,
    "patience": without_patience,
    "stages": without_stages,
}


def run(job: Job, say: Connection) -> None:
    """Work, as far as it goes."""
    if job.guard in GUARDS:
        GUARDS[job.guard]()
    if job.lease is not None:
        delivery.LEASE = dispatch.LEASE = timedelta(seconds=job.lease)
    dispatch.AT_ONCE, db.WAIT = job.at_once, job.busy_after
    place(Killer(job, say))
    db.configure(job.url)
    channels: dict[Any, Any] = {
        ReminderChannel.EMAIL: Smtp(Server("127.0.0.1", job.mail, "none"), seconds=SECONDS),
    }
    if job.texts:
        account = Account(SID, TOKEN, NUMBER, CALLBACK, job.texts)
        channels[ReminderChannel.SMS] = Sms(account, seconds=SECONDS)
    worker = Worker(channels, DESK, name=f"worker {os.getpid()}")
    at = dispatch.running(NOW + timedelta(seconds=job.seconds))
    say.send("ready")
    if job.until_done:
        _until_done(worker, at)
    else:
        worker.tick(at())


def _until_done(worker: Worker, at: Callable[[], datetime]) -> None:
    """Tick as the clock process does, every half second, until nothing waits."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        try:
            worker.tick(at())
            with db.read() as session:
                if not sweeping.waits(session, now=at()):
                    return
        except Busy:
            pass
        time.sleep(0.5)
