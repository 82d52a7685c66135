"""The clock process: wakes every few seconds, sends what is due, looks after what is left over.

APScheduler only ticks. What is to be done stands in the database, so any number of workers may run, and one that is
killed loses nothing.
"""

import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.blocking import BlockingScheduler

from tracker import clock, db
from tracker.channels.message import Channel, End, Message, Outcome, plain_address
from tracker.channels.outbox import Outbox
from tracker.channels.smtp import Server, Smtp
from tracker.config import Config
from tracker.errors import Busy
from tracker.interop import mail
from tracker.interop.calendar_file import Entry, Method, Place, calendar_file
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import AttemptOutcome
from tracker.services import delivery, jobs, links, outbox
from tracker.services.delivery import Lease, Letter, Result, Verdict
from tracker.text import gettext as _

_log = logging.getLogger(__name__)

EVERY = 5  # seconds
TELLS_DATES = (Purpose.ITINERARY, Purpose.CHANGED)
AT_ONCE = 20  # messages leased together; what there is no time for goes back
_OUTCOMES = {
    End.ACCEPTED: AttemptOutcome.ACCEPTED,
    End.LATER: AttemptOutcome.DEFERRED,
    End.NEVER: AttemptOutcome.REFUSED,
    End.UNKNOWN: AttemptOutcome.UNCERTAIN,
}


@dataclass
class Worker:
    """Everything a tick needs. Without a channel nothing is sent; `stopping` ends a tick between two messages."""

    channel: Channel | None
    key: bytes
    base_url: str
    sender: str
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    stopping: threading.Event = field(default_factory=threading.Event)

    def tick(self, now: datetime) -> Counter[str]:
        """Do what is to be done at `now`; return how many messages met which end.

        Raises:
            Busy: The database can't answer. What was leased goes back when its lease is over.
        """
        at = _running(now)
        counts: Counter[str] = Counter()
        while True:
            with db.transaction() as session:
                delivery.beat(session, self.name, now=at())
                swept = delivery.sweep(session, now=at())
                leases = delivery.lease(session, limit=AT_ONCE if self.channel else 0, now=at())
            counts += Counter(returned=swept.back, uncertain=swept.uncertain, late=swept.late)
            ends = Counter(self._handle(self.channel, lease, at) for lease in leases if self.channel)
            counts += ends
            # What was given back is due still; the next tick takes it.
            if self.stopping.is_set() or not ends - Counter(given_back=AT_ONCE):
                return counts

    def _handle(self, channel: Channel, lease: Lease, at: Callable[[], datetime]) -> str:
        found, message = self._read(lease, at())
        if found is None:
            return "fenced"
        with db.transaction() as session:
            if isinstance(found, Verdict):
                delivery.settle(session, lease, found, now=at())
                return found.event.value
            if self.stopping.is_set() or not delivery.mark(session, found, now=at(), seconds=channel.seconds):
                delivery.give_back(session, lease, now=at())
                return "given_back"
        assert message is not None
        # No transaction is open here: this may take as long as the channel's deadline.
        outcome = channel.send(message)
        with db.transaction() as session:
            delivery.record(session, lease, _result(outcome), now=at(), chance=random.random())  # noqa: S311 - no secret
        return outcome.end.value

    def _read(self, lease: Lease, now: datetime) -> tuple[Letter | Verdict | None, Message | None]:
        """Return what is to become of a message, and its words if it is to be sent.

        One that can't be read or written is refused: a broken record must not keep others from theirs.
        """
        try:
            with db.read() as session:
                found = delivery.look(session, lease, now=now)
            if not isinstance(found, Letter):
                return found, None
            message = self._compose(found, now)
            message.as_email()
        except Busy:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was
            # Its text may name the patient; the type and the id are enough to find it.
            _log.error("message %s can't be written: %s", lease.reminder_id, type(error).__name__)
            return Verdict(Event.REFUSE, _("It could not be written. Tell whoever looks after this program.")), None
        return found, message

    def _compose(self, letter: Letter, now: datetime) -> Message:
        clinic = letter.clinic
        written = mail.write(
            mail.Facts(
                purpose=letter.purpose,
                first_name=letter.first_name,
                sender_name=clinic.discreet_name,
                phone=clinic.phone,
                zone=clinic.zone,
                country=clinic.country,
                starts=[visit.starts_at for visit in letter.visits],
                link=links.address(self.base_url, self.key, letter.link) if letter.link else None,
                language=letter.language,
            )
        )
        return Message(
            id=letter.lease.reminder_id,
            recipient=plain_address(letter.address),
            sender=self.sender,
            sender_name=clinic.discreet_name,
            subject=written.subject,
            text=written.text,
            html=written.html,
            written_at=now,
            calendar=self._calendar(letter, now) if letter.visits and letter.purpose in TELLS_DATES else None,
        )

    def _calendar(self, letter: Letter, now: datetime) -> bytes:
        entries = [Entry(visit.id, visit.version, visit.starts_at, visit.ends_at) for visit in letter.visits]
        place = Place(letter.clinic.address, self.sender)
        return calendar_file(entries, place, Method.REQUEST, now=now, attendee=letter.address)


def _result(outcome: Outcome) -> Result:
    said = f"{outcome.stage}: {outcome.said}" if outcome.said else outcome.stage
    return Result(_OUTCOMES[outcome.end], said, outcome.bad_address)


def _running(now: datetime) -> Callable[[], datetime]:
    """Return a clock that shows `now` and goes on from there: leases run out while we send."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)


def build(config: Config) -> Worker:
    """Return the worker that the settings ask for."""
    return Worker(
        channel=_channel(config),
        key=config.key(),
        base_url=config.base_url,
        sender=config.mail_from or "appointments@example.invalid",
    )


def _channel(config: Config) -> Channel | None:
    if not config.lets_out:
        return Outbox(_keep)
    if not config.mail_host:
        return None  # what is due waits, and becomes a task when it is too late
    return Smtp(
        Server(config.mail_host, config.mail_port, config.mail_security.value, config.mail_user, config.mail_password)
    )


def _keep(message: Message, whole: str) -> None:
    with db.transaction() as session:
        outbox.keep(session, message.id, message.recipient, message.subject, whole, now=clock.now())


def run(config: Config) -> None:
    """Tick until SIGTERM or SIGINT; what is being sent is finished and written down first."""
    clock.shift(config.offset)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a long tick is no news
    worker = build(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    scheduler = BlockingScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(_tick, "interval", [worker], seconds=EVERY)
    long_work = _Jobs()
    scheduler.add_job(long_work.start, "interval", seconds=1)
    scheduler.add_job(_stop_if_asked, "interval", [worker, scheduler], seconds=0.5)
    _tick(worker)
    scheduler.start()
    long_work.end()


def _tick(worker: Worker) -> None:
    try:
        worker.tick(clock.now())
    except Busy:
        _log.warning("the database can't answer; trying again")


class _Jobs:
    """Starts a process for long work that waits, one at a time, and ends it with the worker."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start one if something waits and none is running."""
        if self._process and self._process.poll() is None:
            return
        try:
            with db.read() as session:
                waits = jobs.waiting(session, now=clock.now())
        except Busy:
            return
        if waits:
            self._process = subprocess.Popen([sys.executable, "-m", "tracker.jobs"])

    def end(self) -> None:
        """End what runs. Nothing is lost: when the lease is over, the next worker takes the work up again."""
        if self._process:
            self._process.kill()
            self._process.wait()


def _stop_if_asked(worker: Worker, scheduler: BlockingScheduler) -> None:
    if worker.stopping.is_set():
        # The tick in the other thread ends after the message it is at; the process waits for it.
        scheduler.shutdown(wait=False)
