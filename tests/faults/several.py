"""Several workers at the same messages; one that was stopped for longer than its lease; a database that is away."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from os import kill
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from sqlalchemy import create_engine, select, text, update

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.faults.killed_worker import Job
from tests.faults.killing import Running, Verdict, counted, judge
from tests.fresh import FRESH
from tests.mail_server import Kept, Misbehaving, mail_server
from tests.processes import wait_for
from tracker import db
from tracker.models import Reminder
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import ReminderStatus
from tracker.services import delivery

WEEK = timedelta(days=7)
SHORT = 2.0  # seconds: a lease that a test can wait for
AT_ONCE = 5  # messages leased together
PATIENCE = 240


@dataclass
class Taken:
    """What several workers leased."""

    leased: int
    doubled: int


def leases(url: str, workers: int, *, guarded: bool = True) -> Taken:
    """Let so many processes lease all there is, a few at a time. The database has messages that are due."""
    with db.transaction() as session:
        free = {"status": ReminderStatus.SCHEDULED, "lease_until": None}
        session.execute(update(Reminder).where(Reminder.send_at <= NOW).values(**free))
    start, answers = FRESH.Barrier(workers), FRESH.Queue()
    running = [FRESH.Process(target=_lease, args=(url, guarded, start, answers)) for _ in range(workers)]
    for process in running:
        process.start()
    try:
        taken: Counter[Any] = Counter()
        for _ in running:
            taken += Counter(answers.get(timeout=PATIENCE))
    finally:
        for process in running:
            process.join(5)
            process.kill()
    return Taken(taken.total(), sum(times > 1 for times in taken.values()))


def _lease(url: str, guarded: bool, start: Any, answers: Any) -> None:
    db.configure(url)
    take = mailroom.take if guarded else _take_unguarded
    got: list[Any] = []
    start.wait(PATIENCE)
    misses = 0
    while misses < 3:  # what others hold locked just now is skipped
        found = [lease.reminder_id for lease in take(now=NOW, limit=AT_ONCE)]
        misses = 0 if found else misses + 1
        got += found
    answers.put(got)


def _take_unguarded(*, now: Any, limit: int) -> Any:
    """Look, then take, whatever became of it meanwhile."""
    with db.read() as session:
        due = select(Reminder).where(Reminder.status == ReminderStatus.SCHEDULED, Reminder.send_at <= now)
        rows = session.scalars(due.order_by(Reminder.expires_at, Reminder.send_at).limit(limit)).all()
    with db.transaction() as session:
        held = {"status": ReminderStatus.LEASED, "lease_until": now + delivery.LEASE}
        session.execute(update(Reminder).where(Reminder.id.in_([row.id for row in rows])).values(**held))
    return [delivery.Lease(row.id, row.lease_epoch) for row in rows]


def zombies(url: str, *, guard: str = "") -> Verdict:
    """Stop three workers where it hurts, for longer than their leases; others do their work; then they go on.

    One has only looked, one has marked, and one was told to try again later, which it hasn't written down when somebody
    has the message sent anew.
    """
    house = make_clinic()
    stopped: dict[str, Any] = {"url": url, "how": SIGSTOP, "guard": guard, "lease": SHORT, "at_once": 3}
    with Misbehaving(dot=["451 later", "250 kept"]) as moody, mail_server() as (kept, port):
        mailroom.many(house, 1, NOW + WEEK)
        refused = _stopped(Job(**stopped, mail=moody.port, step="answered"))
        mailroom.many(house, 8, NOW + WEEK, booked_at=NOW - timedelta(days=1))
        asleep = [
            _stopped(Job(**stopped, mail=port, step=step, nth=nth)) for step, nth in (("prepared", 1), ("marked", 2))
        ]
        time.sleep(SHORT + 0.5)
        Running(Job(url, port, seconds=60.0, guard=guard)).end()
        _resend()
        anew = _stopped(Job(**{**stopped, "lease": None}, mail=moody.port, seconds=120.0, step="answered"))
        for worker in (refused, *asleep, anew):
            kill(worker.process.pid, SIGCONT)
            worker.end()
        Running(Job(url, moody.port, seconds=900.0, guard=guard)).end()
        got = counted(kept)
        [first] = [row for row in mailroom.messages() if row.created_at == NOW and row.send_at <= NOW + WEEK / 2]
        got[str(first.id)] += moody.accepted
    return judge(got, {})


def _stopped(job: Job) -> Running:
    worker = Running(job)
    worker.hear()
    wait_for(lambda: _state(worker.process.pid) == "T", f"{job.step}: the worker to stop")
    return worker


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def _resend() -> None:
    """Do as a person does who wants the uncertain message of the first patient sent again."""
    now = NOW + timedelta(seconds=90)
    with db.transaction() as session:
        which = (Reminder.status == ReminderStatus.UNCERTAIN, Reminder.created_at == NOW)
        delivery.change(session, Event.RESEND, *which, now=now, reason="She got nothing.", send_at=now)


def interrupted(
    url: str,
    interrupt: Callable[[Kept], None],
    *,
    messages: int = 150,
    workers: int = 1,
    guard: str = "",
    busy_after: int = db.WAIT,
) -> Verdict:
    """Let workers send, do something to the database once they are at it, wait for them, and judge."""
    mailroom.many(make_clinic(), messages, NOW + WEEK)
    with mail_server() as (kept, port):
        job = Job(url, port, guard=guard, until_done=True, at_once=AT_ONCE, busy_after=busy_after)
        running = [Running(job) for _ in range(workers)]
        wait_for(lambda: len(kept.messages) > AT_ONCE, "the first messages")
        interrupt(kept)
        for worker in running:
            worker.end()
        for seconds in (300.0, 900.0):
            Running(Job(url, port, seconds=seconds, guard=guard)).end()
    return judge(counted(kept), {})


def locked(url: str, seconds: float) -> Callable[[Kept], None]:
    """Return what locks the database for so long."""

    def lock(_kept: Kept) -> None:
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=60)) as connection:
                connection.isolation_level = None
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(seconds)
                connection.execute("ROLLBACK")
            return
        with create_engine(url).connect() as connection:
            connection.execute(text("LOCK TABLE reminder, attempt IN ACCESS EXCLUSIVE MODE"))
            time.sleep(seconds)

    return lock
