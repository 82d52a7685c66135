"""`tracker worker` as a process: sends by the settings' mail server, has long work done, and ends in good order."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import delete

from tests import mailroom, processes
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.mail_server import Kept, mail_server
from tests.report import ROOT
from tests.services.diary import Diary
from tracker import clock, db
from tracker.models import Closure, Job, JobRun, Reminder, Task
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import JobStatus
from tracker.services import damage, jobs


class Slow(Kept):
    """A server that takes a second to answer for a message."""

    def __init__(self) -> None:
        super().__init__()
        self.has_one = Event()

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep it, and let the sender wait."""
        self.has_one.set()
        await asyncio.sleep(1)
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def worker(database, tmp_path):
    """Return a function that starts a worker whose clock shows NOW."""
    started = []

    def start(port: int, *chores: str) -> subprocess.Popen:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")}
        environ |= {
            "TRACKER_DATABASE_URL": database,
            "TRACKER_FOLDER": str(tmp_path),
            "TRACKER_SECRET_KEY": "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_",
            "TRACKER_MAIL_HOST": "127.0.0.1",
            "TRACKER_MAIL_PORT": str(port),
            "TRACKER_MAIL_SECURITY": "none",
            "TRACKER_MAIL_FROM": "visits@clinic.example",
        }
        ahead = str(round((NOW - clock.now()).total_seconds()))
        command = [sys.executable, "-m", "tests.worker.at_another_time", ahead, *chores]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_told_to_stop_in_the_middle_of_a_send_it_finishes_that_and_no_more(worker):
    house = make_clinic()
    mailroom.many(house, 3, NOW + timedelta(days=7))
    kept = Slow()
    with mail_server(kept) as (_, port):
        process = worker(port)
        assert kept.has_one.wait(30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, "the supervisor waits no longer"
    assert len(kept.messages) == 1
    ends = sorted(row.status.value for row in mailroom.messages() if row.purpose == Purpose.ITINERARY)
    assert ends == ["accepted", "scheduled", "scheduled"]


def test_what_is_done_once_a_period_is_done_and_what_fails_keeps_nothing_else_from_it(worker):
    """What is old goes, a missing message is written, a driver is asked for; the lists of the day can't be made."""
    house, broken = make_clinic(), make_clinic().clinic
    course = mailroom.series(house, mailroom.patient(house, "Ada"), NOW + timedelta(hours=20))
    expected = {row.purpose for row in mailroom.messages(course)}
    with db.transaction() as session:
        session.execute(delete(Reminder).where(Reminder.course_id == course, Reminder.purpose == Purpose.CHECK_IN))
        session.add(JobRun(name="long ago", period="2020", started_at=NOW - timedelta(days=100)))
        session.merge(broken).zone_name = "Nowhere/At_all"
    worker(1, "1")
    processes.wait_for(lambda: {row.purpose for row in mailroom.messages(course)} == expected, "the missing message")
    processes.wait_for(lambda: "driver_call" in {task.kind for task in mailroom.rows(Task)}, "a call about the driver")
    processes.wait_for(lambda: "long ago" not in {run.name for run in mailroom.rows(JobRun)}, "what is old to go")


@pytest.fixture
def job(database) -> UUID:
    """Return a search for places that waits: a series lost its first day."""
    diary = Diary()
    diary.book("Ada")
    starts_at = diary.visits("Ada")[0].starts_at
    with db.transaction() as session:
        of = {"clinic_id": diary.house.clinic.id, "reason": "snow"}
        session.add(Closure(**of, starts_at=starts_at, ends_at=starts_at + timedelta(hours=3)))
    with db.transaction() as session:
        return jobs.start(session, diary.house.coordinator, damage.KIND, {"kept": []}, total=3, now=NOW).id


def now_is(job: UUID) -> JobStatus:
    """Return how a job stands."""
    with db.read() as session:
        return session.get_one(Job, job).status


def searching(process: subprocess.Popen) -> list[int]:
    """Return the processes below a worker that do long work."""
    return [pid for pid in processes.below(process.pid) if "tracker.jobs" in processes.says(pid)]


def test_a_search_that_waits_is_done_in_a_process_of_its_own(worker, job):
    process = worker(1)
    processes.wait_for(lambda: now_is(job) is JobStatus.DONE, "the search to be done")
    with db.read() as session:
        found = session.get_one(Job, job).result
    assert (len(found["changes"]), found["unplaced"]) == (1, [])
    processes.wait_for(lambda: not searching(process), "its process to end")
    assert process.poll() is None, "the worker goes on"


def test_a_worker_that_is_stopped_leaves_no_search_running(worker, job):
    """The search is made to stand still in its middle; what it had is taken up again when its lease is over."""
    process = worker(1)
    processes.wait_for(lambda: now_is(job) is JobStatus.RUNNING, "the search to begin")
    (search,) = searching(process)
    os.kill(search, signal.SIGSTOP)
    assert now_is(job) is JobStatus.RUNNING, "it was too quick to be stopped"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not processes.running(search)
    assert now_is(job) is JobStatus.RUNNING


def test_a_search_that_was_killed_is_taken_up_again_when_its_lease_is_over(worker, job):
    process = worker(1)
    processes.wait_for(lambda: now_is(job) is JobStatus.RUNNING, "the search to begin")
    (search,) = searching(process)
    os.kill(search, signal.SIGKILL)
    with db.transaction() as session:
        row = session.get_one(Job, job)
        assert row.status is JobStatus.RUNNING, "it was too quick to be killed"
        row.lease_until = NOW  # a minute later, as the worker's clock sees it
    processes.wait_for(lambda: now_is(job) is JobStatus.DONE, "another one to do it")
    assert not processes.running(search)
