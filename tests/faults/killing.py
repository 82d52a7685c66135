"""Kill workers again and again, then hold what the database says against what mail server and provider have."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.faults.killed_worker import CALLBACK, Job, run
from tests.fresh import FRESH
from tests.mail_server import Kept, mail_server
from tests.sms_provider import Provider
from tracker.models import Task
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LEASE
from tracker.rules.vocabulary import ReminderStatus

# What the server must have got in the end, and the state the message must be in, by where its worker died.
EXPECTED = {
    "leased": (1, ReminderStatus.ACCEPTED),
    "looked": (1, ReminderStatus.ACCEPTED),
    "marking": (1, ReminderStatus.ACCEPTED),  # before the commit
    "marked": (0, ReminderStatus.UNCERTAIN),
    "connected": (0, ReminderStatus.UNCERTAIN),
    "body sent": (0, ReminderStatus.UNCERTAIN),
    "handed over": (1, ReminderStatus.UNCERTAIN),
    "answered": (1, ReminderStatus.UNCERTAIN),
    "recording": (1, ReminderStatus.UNCERTAIN),  # before the commit
    "recorded": (1, ReminderStatus.ACCEPTED),
}
BEFORE = ("leased", "looked", "marking")
RANDOM = "random"
PAUSE = LEASE + timedelta(seconds=30)  # between two workers
LONGEST = 300.0  # seconds for one worker


class Running:
    """A worker in its process."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._heard, said = FRESH.Pipe(duplex=False)
        self.process: Any = FRESH.Process(target=run, args=(job, said), daemon=True)
        self.process.start()
        said.close()
        assert self._heard.poll(LONGEST), "a worker did not start"
        assert self._heard.recv() == "ready"

    def hear(self) -> str:
        """Return the next message that it says it is at."""
        assert self._heard.poll(LONGEST), f"{self.job.step}: nothing was heard"
        return self._heard.recv()

    def end(self) -> str | None:
        """Wait until it is dead or done; return the message it was at ("" for none), None if it ended by itself."""
        at = ""
        try:
            with suppress(EOFError):
                while True:
                    at = self.hear()
            self.process.join(LONGEST)
        finally:
            self.process.kill()
            self.process.join()
        assert self.process.exitcode in (0, -9), f"{self.job.step}: the worker fell over"
        return at if self.process.exitcode else None


@dataclass
class Verdict:
    """What was found in the end."""

    kills: int = 0
    messages: int = 0
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    uncertain: int = 0
    untold: int = 0  # uncertain, and no task
    surprises: list[str] = field(default_factory=list)


def kill(
    url: str,
    steps: Sequence[str],
    *,
    each: int,
    chance: random.Random,
    guard: str = "",
    at_once: int = 1,
    messages: int = 0,
) -> Verdict:
    """Kill one worker at each of `steps`, let a last one finish, and judge. The database at `url` is configured.

    Half of the messages are letters, half are texts.

    Args:
        each: Messages that a worker gets through before it dies, at most.
        guard: What is taken out.
        at_once: How many work, and die, side by side.
        messages: How many there are, where that isn't enough for each worker.
    """
    house = make_clinic()
    mailroom.many(house, messages or each * len(steps) + each, NOW + timedelta(days=7), texts=True)
    died: dict[str, str] = {}
    kills = 0
    with mail_server() as (kept, port), Provider() as provider:
        base = {"url": url, "mail": port, "texts": provider.account(callback=CALLBACK).api, "guard": guard}
        waves = [steps[n : n + at_once] for n in range(0, len(steps), at_once)]
        for number, wave in enumerate(waves):
            base["seconds"] = number * PAUSE.total_seconds()
            running = [Running(Job(**base, step=step, nth=chance.randint(1, each))) for step in wave]
            _strike(running, chance)
            for worker in running:
                victim = worker.end()
                kills += victim is not None
                if victim:
                    died[victim] = worker.job.step  # it may have died before, at another step
        for more in (0, 1):
            base["seconds"] = (len(waves) + more) * PAUSE.total_seconds()
            for worker in [Running(Job(**base)) for _ in range(at_once)]:
                worker.end()
    return judge(counted(kept, provider), died, kills)


def _strike(running: Sequence[Running], chance: random.Random) -> None:
    """Kill those that are to die anywhere, somewhere on the way of their next message."""
    for worker in running:
        if worker.job.step == RANDOM:
            with suppress(EOFError):
                for _ in range(worker.job.nth):
                    worker.hear()
            time.sleep(chance.random() * 0.02)
            worker.process.kill()


def counted(kept: Kept, provider: Provider | None = None) -> Counter[str]:
    """Return how often each message arrived, by its id."""
    got = Counter(message["Message-ID"].strip("<>").partition("@")[0] for message in kept.messages)
    if provider:
        got += Counter(text["StatusCallback"].split("/")[-2] for text in provider.sent)
    return got


def about(task: Task) -> str:
    """Return the id of the message that a task was made for."""
    return task.key.split(":")[1] if task.key.startswith("message:") else ""


def judge(got: Counter[str], died: dict[str, str], kills: int = 0) -> Verdict:
    """Hold the database against what arrived."""
    rows = [row for row in mailroom.messages() if row.purpose == Purpose.ITINERARY]
    told = {about(task) for task in mailroom.rows(Task) if task.kind == "uncertain"}
    verdict = Verdict(kills=kills, messages=len(rows), sent=sum(got.values()))
    for row in rows:
        times = got[str(row.id)]
        uncertain = row.status is ReminderStatus.UNCERTAIN
        verdict.doubled += times > 1
        verdict.lost += times == 0 and not uncertain
        verdict.uncertain += uncertain
        verdict.untold += uncertain and str(row.id) not in told
        step = died.get(str(row.id), RANDOM)
        # Given back before the mark, it may have been in the hands of another one that died, at a step of the next.
        again = step in BEFORE and uncertain and row.lease_epoch > 1
        if step != RANDOM and not again and (times, row.status) != EXPECTED[step]:
            verdict.surprises.append(f"died {step}: sent {times} times, {row.status}")
    return verdict


def plan(count: int) -> Iterator[str]:
    """Yield `count` steps to die at: every one in turn, and every fifth time anywhere."""
    steps = list(EXPECTED)
    for number in range(count):
        yield RANDOM if number % 5 == 4 else steps[(number - number // 5) % len(steps)]
