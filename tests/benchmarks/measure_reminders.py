"""What a message costs: on SQLite over two one-row commits, on PostgreSQL over Procrastinate's jobs that do nothing.

What is held against each other takes turns, so that whatever else the machine does falls on both. SQLite with
synchronous=FULL as always, PostgreSQL in a cluster of its own with fsync on. A sink takes every message at once; all
else is as in a clinic: looked up, put in words, marked, written down, with its history. The message is the commonest,
the reminder of a visit, as an e-mail.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select, text, update

from tests import mailroom
from tests.benchmarks import procrastinate_reference
from tests.benchmarks.drain import DESK, worker
from tests.conftest import NOW, upgrade
from tests.factories import House, make_clinic
from tests.postgres import Cluster, binaries
from tests.report import ROOT
from tracker import clock, db
from tracker.channels.smtp import Server, Smtp
from tracker.dispatch import Worker
from tracker.models import Course, GuessCount, Reminder, Visit, new_id
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import delivery, reminders

LIMITS = {"reminders_sqlite_over_two_commits": 2.0, "claim_50_of_100k_ms_p99": 25.0, "due_to_sent_s_p95": 10.0}
FLOORS = {"reminders_over_procrastinate": 3.0}
ROUNDS, IN_A_ROUND = 12, 50  # on SQLite; between two rounds as many one-row commits
AT_ONCE = 1000  # due at the same moment
DUE, CLAIMS, BATCH = 100_000, 150, 50
TURNS = 3  # ours and Procrastinate's
CONCURRENCIES = ((1, 1), (1, 10), (2, 1), (2, 5), (2, 20))  # processes, and jobs at a time in each
START = NOW + timedelta(days=7)
FAR = NOW + timedelta(days=6)


def measure() -> dict[str, float]:
    """Return all figures of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = _on_sqlite(Path(folder))
        numbers["due_to_sent_s_p95"] = _due_to_sent(Path(folder))
        claims = [_claims(f"sqlite:///{folder}/claims.db")]
        if binaries():
            cluster = Cluster(settings=())  # as it is installed: fsync on
            try:
                numbers |= _on_postgresql(cluster, Path(folder))
                _create(cluster, "claims")
                claims.append(_claims(cluster.url("claims")))
            finally:
                db.engine().dispose()
                cluster.remove()
    return numbers | {"claim_50_of_100k_ms_p99": max(claims)}


def _clinic(url: str, patients: int) -> House:
    """Make a clinic where each of so many patients will be reminded of a visit, some day."""
    upgrade(url)
    db.configure(url)
    house = make_clinic()
    mailroom.many(house, patients, START)
    with db.transaction() as session:
        session.execute(update(Reminder).values(send_at=FAR, expires_at=FAR + timedelta(days=1)))
    return house


def _let_be_due(count: int, at: datetime = NOW) -> None:
    """Let `count` messages be due at one moment; those that were sent before wait again."""
    anew = {"status": ReminderStatus.SCHEDULED, "attempts": 0, "lease_until": None}
    with db.transaction() as session:
        session.execute(update(Reminder).values(**anew, send_at=FAR, expires_at=FAR + timedelta(days=1)))
        waiting = select(Reminder.id).where(Reminder.purpose == Purpose.VISIT, Reminder.send_at == FAR).limit(count)
        session.execute(update(Reminder).where(Reminder.id.in_(waiting)).values(send_at=at))


def _timed(piece: Callable[[], object]) -> float:
    began = time.perf_counter()
    piece()
    return time.perf_counter() - began


def _one_row() -> None:
    with db.transaction() as session:
        session.add(GuessCount(key=str(new_id()), failures=1, last_at=NOW, blocked_until=NOW))


def _on_sqlite(folder: Path) -> dict[str, float]:
    house = _clinic(f"sqlite:///{folder}/tracker.db", IN_A_ROUND)
    sender = worker(folder / "beats", "sink")
    _let_be_due(IN_A_ROUND)
    sender.tick(NOW)  # warm
    sent, committed = [], []
    for _ in range(ROUNDS):
        _let_be_due(IN_A_ROUND)
        sent.append(_timed(lambda: sender.tick(NOW)) / IN_A_ROUND)
        committed.append(_timed(lambda: [_one_row() for _ in range(IN_A_ROUND)]) / IN_A_ROUND)
    with _sink() as (port, _came):
        by_mail = _by_mail(port)
    return {
        "reminders_sqlite_over_two_commits": statistics.median(sent) / (2 * statistics.median(committed)),
        "reminders_sqlite_per_s": 1 / statistics.median(sent),
        "reminders_smtp_per_s": 1 / by_mail,
        "reminders_planned_per_s": _planned(house),
    }


def _by_mail(port: int) -> float:
    """Return the seconds that a message takes to a mail server in another process."""
    channels = {ReminderChannel.EMAIL: Smtp(Server("127.0.0.1", port, "none"))}
    sender, taken = Worker(channels, DESK, "mail"), []
    for _ in range(ROUNDS - 1):
        _let_be_due(IN_A_ROUND)
        taken.append(_timed(lambda: sender.tick(NOW)) / IN_A_ROUND)
    return statistics.median(taken)


@contextmanager
def _sink() -> Iterator[tuple[int, Callable[[], list[float]]]]:
    """Run a mail server; yield its port, and what says when each message came."""
    sink = _python("tests.benchmarks.mail_sink")
    assert sink.stdin and sink.stdout
    try:
        port = int(sink.stdout.readline())
        yield port, lambda: json.loads(_ask(sink))
    finally:
        sink.kill()
        sink.wait()


def _python(module: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *arguments]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")} | more
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=environ)


def _ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin and process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def _planned(house: House) -> float:
    """Return how many messages a second are planned: series of six, as booking does it, commit included."""
    starts = [START + timedelta(days=n) for n in (0, 2, 4, 7, 9, 11)]
    courses = [mailroom.series(house, mailroom.patient(house, f"P{n}"), *starts) for n in range(30)]
    with db.transaction() as session:
        session.execute(text("DELETE FROM reminder WHERE status = 'scheduled'"))
    taken = 0.0
    for course_id in courses:
        with db.transaction() as session:
            course = session.get_one(Course, course_id)
            visits = session.scalars(select(Visit).where(Visit.course_id == course_id)).all()
            began = time.perf_counter()
            reminders.plan_for_course(session, house.coordinator, course, visits, now=NOW, begins=True)
            taken += time.perf_counter() - began
    with db.read() as session:
        return (session.scalar(select(func.count()).where(Reminder.course_id.in_(courses))) or 0) / taken


def _due_to_sent(folder: Path) -> float:
    """Return within how many seconds 95 of 100 arrive of a thousand that are due at the same moment.

    `tracker worker` as it is, on SQLite; only its clock shows a morning.
    """
    url = f"sqlite:///{folder}/at-once.db"
    _clinic(url, AT_ONCE)
    ahead = NOW - clock.now()
    due = NOW + timedelta(seconds=8)  # by then it has started
    with db.transaction() as session:
        first = (Reminder.purpose == Purpose.VISIT,)
        session.execute(update(Reminder).where(*first).values(send_at=due))
    with _sink() as (port, came):
        settings = {"TRACKER_DATABASE_URL": url, "TRACKER_SECRET_KEY": "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_"}
        settings |= {"TRACKER_MAIL_HOST": "127.0.0.1", "TRACKER_MAIL_PORT": str(port), "TRACKER_FOLDER": str(folder)}
        settings |= {"TRACKER_MAIL_SECURITY": "none", "TRACKER_MAIL_FROM": "visits@clinic.example"}
        running = _python("tests.worker.at_another_time", str(round(ahead.total_seconds())), **settings)
        try:
            for _ in range(240):
                time.sleep(0.5)
                if len(came()) >= AT_ONCE:
                    break
        finally:
            running.kill()
            running.wait()
        began = (due - timedelta(seconds=round(ahead.total_seconds()))).timestamp()
        waited = sorted(at - began for at in came())
    if len(waited) < AT_ONCE:
        raise RuntimeError(f"{len(waited)} of {AT_ONCE} arrived")
    return waited[int(0.95 * AT_ONCE)]


def _on_postgresql(cluster: Cluster, folder: Path) -> dict[str, float]:
    _create(cluster, "tracker")
    _create(cluster, "procrastinate")
    url, other = cluster.url("tracker"), f"dbname=procrastinate user=tracker host={cluster.folder}"
    _clinic(url, AT_ONCE)
    asyncio.run(procrastinate_reference.prepare(other))
    jobs = {shape: _jobs(other, shape, AT_ONCE // 2) for shape in CONCURRENCIES}
    best = max(jobs, key=lambda shape: jobs[shape])
    ours, theirs = [], []
    for turn in range(TURNS):
        ours.append(_two_workers(url, folder / f"beats-{turn}"))
        theirs.append(_jobs(other, best, AT_ONCE))
    per_s, reference = statistics.median(ours), statistics.median(theirs)
    return {
        "reminders_postgres_per_s": per_s,
        "procrastinate_per_s": reference,
        "reminders_over_procrastinate": per_s / reference,
    }


def _create(cluster: Cluster, name: str) -> None:
    engine = db.build_engine(cluster.url("postgres"))
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()


def _two_workers(url: str, witness: Path) -> float:
    """Return how many messages a second two workers send."""
    _let_be_due(AT_ONCE)
    with db.transaction() as session:
        session.execute(text("DELETE FROM sending"))  # each turn's workers begin anew, with a file of their own
    pair = [_python("tests.benchmarks.drain", url, str(witness)) for _ in range(2)]
    seconds, said = _together(pair)
    if sum(map(int, said)) != AT_ONCE:
        raise RuntimeError(f"sent {said}")
    return AT_ONCE / seconds


def _jobs(conninfo: str, shape: tuple[int, int], count: int) -> float:
    """Return how many jobs a second Procrastinate does."""
    processes, concurrency = shape
    asyncio.run(procrastinate_reference.defer(conninfo, count))
    module = "tests.benchmarks.procrastinate_reference"
    seconds, _said = _together([_python(module, conninfo, str(concurrency)) for _ in range(processes)])
    return count / seconds


def _together(processes: Sequence[subprocess.Popen[str]]) -> tuple[float, list[str]]:
    """Let processes that are ready begin at once; return how long the last one took, and what each said."""
    try:
        for process in processes:
            assert process.stdout
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("it did not start")
        began = time.perf_counter()
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.stdout.readline() for process in processes if process.stdout]
        return time.perf_counter() - began, said
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _claims(url: str) -> float:
    """Return the 99th percentile, in milliseconds, of leasing 50 messages of 100,000 that are due."""
    upgrade(url)
    db.configure(url)
    house, chance = make_clinic(), random.Random(7)
    patient_id = house.patient("Ada")
    rows = [_due(house, patient_id, chance) for _ in range(DUE)]
    with db.transaction() as session:
        for first in range(0, DUE, 5000):
            session.execute(insert(Reminder), rows[first : first + 5000])
    if url.startswith("postgres"):
        with db.engine().connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    taken = sorted(_timed(_claim) * 1000 for _ in range(CLAIMS))
    return taken[int(0.99 * CLAIMS)]


def _due(house: House, patient_id, chance: random.Random) -> dict[str, object]:
    """Return a message that became due in a day and a half without a worker."""
    of = {"id": new_id(), "clinic_id": house.clinic.id, "patient_id": patient_id, "subject_id": new_id()}
    times = {"subject_at": NOW, "created_at": NOW, "changed_at": NOW}
    times |= {"send_at": NOW - timedelta(hours=36 * chance.random())}
    times |= {"expires_at": NOW + timedelta(hours=1 + 36 * chance.random())}
    return of | times | {"purpose": Purpose.VISIT}


def _claim() -> None:
    with db.transaction() as session:
        if len(delivery.lease(session, limit=BATCH, now=NOW)) != BATCH:
            raise RuntimeError("too few were leased")
