"""The clock process: wakes every second, sends what is due, does once a period what is to be done once.

APScheduler only ticks. What is to be done stands in the database, so any number of workers may run, and one that is
killed loses nothing.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from apscheduler.schedulers.background import BackgroundScheduler

from tracker import clock, db
from tracker.channels.message import Message
from tracker.channels.ways import ways
from tracker.compose import Desk
from tracker.config import Config
from tracker.dispatch import Worker
from tracker.errors import Busy
from tracker.services import daily, drivers, jobs, outbox, sweeping
from tracker.services.sending import Witness

_log = logging.getLogger(__name__)

EVERY = 1  # seconds
CHORES = 60  # seconds between two looks whether something is to be done once a period
PROOF = 5  # minutes: how often it is proven that nothing due is missing
STALLED = 10.0  # seconds without a tick, and none under way


def build(config: Config) -> Worker:
    """Return the worker that the settings ask for."""
    desk = Desk(config.key(), config.base_url, config.mail_from or "appointments@example.invalid")
    return Worker(
        ways(config, _keep),
        desk,
        name=f"{socket.gethostname()}:{os.getpid()}",
        # Where nothing leaves the house, nothing can leave it twice.
        witness=Witness.of(config.database, config.folder) if config.lets_out else None,
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
    long_work = _Jobs()
    often = {"tick": (EVERY, lambda: _tick(worker)), "jobs": (EVERY, long_work.start)}
    timer = Timer(often | {name: (CHORES, partial(_do, chore)) for name, chore in ONCE_A_PERIOD.items()})
    timer.start()
    while not worker.stopping.wait(1.0):
        timer.rearm_if_stalled()
    timer.end()  # the tick ends after the message it is at
    long_work.end()


def _tick(worker: Worker) -> None:
    if worker.has_work(clock.now()):
        worker.tick(clock.now())


def _do(chore: Callable[[datetime], None]) -> None:
    chore(clock.now())


class Timer:
    """Calls functions every so many seconds, each one never twice at a time.

    APScheduler goes by the time of day. If that is set back by an hour, it would stand still for an hour; so a watch
    that nobody can set looks whether it stands still.
    """

    def __init__(self, calls: Mapping[str, tuple[float, Callable[[], None]]]) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._seconds = {name: seconds for name, (seconds, _call) in calls.items()}
        self._last = dict.fromkeys(calls, time.monotonic())
        self._under_way: set[str] = set()
        for name, (seconds, call) in calls.items():
            self._scheduler.add_job(self._call, "interval", [name, call], id=name, seconds=seconds)

    def _call(self, name: str, call: Callable[[], None]) -> None:
        self._under_way.add(name)
        try:
            call()
        except Busy:
            _log.warning("the database can't answer; trying again")
        except Exception:  # noqa: BLE001 - whatever it was: the next time it may work
            _log.exception("%s failed", name)
        finally:
            self._under_way.discard(name)
            self._last[name] = time.monotonic()

    def start(self) -> None:
        """Begin; each function is called when its time is over once."""
        self._scheduler.start()

    def rearm_if_stalled(self) -> list[str]:
        """Start again what should have been called and wasn't; return their names."""
        now = time.monotonic()
        stalled = [
            name
            for name, seconds in self._seconds.items()
            if name not in self._under_way and now - self._last[name] > seconds + STALLED
        ]
        if stalled:
            _log.warning("the clock stood still: %s", ", ".join(stalled))
        for name in stalled:
            self._last[name] = now
            # Counted anew from the time of day as it is now.
            self._scheduler.reschedule_job(name, trigger="interval", seconds=self._seconds[name])
        return stalled

    def end(self) -> None:
        """Call nothing any more, and wait for what is under way."""
        self._scheduler.shutdown(wait=True)


def _clear(now: datetime) -> None:
    with db.transaction() as session:
        if daily.begin(session, "clear", f"{now:%Y-%m-%d}", now=now):
            daily.clear(session, now=now)


def _digests(now: datetime) -> None:
    each_clinic(daily.digests, now)


def _proof(now: datetime) -> None:
    with db.transaction() as session:
        mine = daily.begin(session, "prove", _slot(now), now=now)
    if mine:
        prove(now)


def _calls(now: datetime) -> None:
    with db.transaction() as session:
        mine = daily.begin(session, "calls", _slot(now), now=now)
    if mine:
        each_clinic(drivers.ask_to_call, now)


def each_clinic(do: Callable[..., int], now: datetime) -> int:
    """Do something for each clinic in a transaction of its own, so that a broken one keeps no other from it.

    Returns:
        What it came to in all.
    """
    with db.read() as session:
        clinics = daily.clinics(session)
    count = 0
    for clinic_id in clinics:
        try:
            with db.transaction() as session:
                count += do(session, clinic_id, now=now)
        except Busy:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was
            _log.error("%s of clinic %s failed: %s", do.__name__, clinic_id, type(error).__name__)
    return count


def _slot(now: datetime) -> str:
    return f"{now.replace(minute=now.minute - now.minute % PROOF):%Y-%m-%dT%H:%M}"


# Whoever of many workers comes first does it. Each by itself: one that fails keeps no other from being done.
ONCE_A_PERIOD: Mapping[str, Callable[[datetime], None]] = {
    "clear": _clear,
    "digests": _digests,
    "proof": _proof,
    "calls": _calls,
}


def prove(now: datetime) -> int:
    """Make sure that no message is missing; return how many had to be mended."""
    after: UUID | None = None
    mended = 0
    broken: list[UUID] = []
    while True:
        with db.transaction() as session:
            proven = sweeping.prove(session, after, now=now)
        mended, after = mended + proven.mended, proven.last
        broken += proven.broken
        if after is None:
            break
    if mended:
        _log.error("%s messages were not as the visits ask for; mended", mended)
    for course_id in broken:
        _log.error("the messages of course %s can't be planned", course_id)
    return mended


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
