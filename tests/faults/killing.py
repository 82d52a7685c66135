"""Kill a worker again and again, then hold what the database says against what the mail server has."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.mail_server import Kept, mail_server
from tests.report import ROOT
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
RANDOM = "random"
PAUSE = LEASE + timedelta(seconds=30)  # between two workers
LONGEST = 120.0  # seconds for one worker


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


def kill(url: str, steps: Sequence[str], *, each: int, chance: random.Random, guard: str = "") -> Verdict:
    """Kill one worker at each of `steps`, let a last one finish, and judge. The database at `url` is configured.

    Args:
        each: Messages that a worker gets through before it dies, at most.
        guard: What is taken out.
    """
    house = make_clinic()
    count = each * len(steps) + each
    mailroom.many(house, count, NOW + timedelta(days=7))
    died: dict[str, str] = {}
    kills = 0
    with mail_server() as (kept, port):
        for number, step in enumerate(steps):
            seconds = number * PAUSE.total_seconds()
            victim = _run(url, port, seconds, step, chance.randint(1, each), guard)
            kills += victim is not None
            if victim:
                died[victim] = step  # it may have died before, at another step
        for more in (0, 1):
            _run(url, port, (len(steps) + more) * PAUSE.total_seconds(), "none", 1, guard)
    return _judge(kept, died, kills)


def _run(url: str, port: int, seconds: float, step: str, nth: int, guard: str) -> str | None:
    """Run a worker until it is dead or done; return the message it was at ("" for none), None if it ended by itself."""
    command = [sys.executable, "-m", "tests.faults.killed_worker", url, str(port), str(seconds), step]
    command += [str(nth), *([guard] if guard else [])]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        assert process.stdout.readline() == "ready\n", f"the worker did not start: {step}"
        if step == RANDOM:
            time.sleep(0.1 * nth)  # anywhere
            process.kill()
        said, _ = process.communicate(timeout=LONGEST)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (0, -9), f"{step}: the worker fell over"
    return (said.split() or [""])[-1] if process.returncode else None


def _judge(kept: Kept, died: dict[str, str], kills: int) -> Verdict:
    got = Counter(message["Message-ID"].strip("<>").partition("@")[0] for message in kept.messages)
    rows = [row for row in mailroom.messages() if row.purpose == Purpose.ITINERARY]
    told = {task.key for task in mailroom.rows(Task) if task.kind == "uncertain"}
    verdict = Verdict(kills=kills, messages=len(rows), sent=sum(got.values()))
    for row in rows:
        times = got[str(row.id)]
        uncertain = row.status is ReminderStatus.UNCERTAIN
        verdict.doubled += times > 1
        verdict.lost += times == 0 and not uncertain
        verdict.uncertain += uncertain
        verdict.untold += uncertain and f"message:{row.id}" not in told
        step = died.get(str(row.id), RANDOM)
        if step != RANDOM and (times, row.status) != EXPECTED[step]:
            verdict.surprises.append(f"died {step}: sent {times} times, {row.status}")
    return verdict


def plan(count: int) -> Iterator[str]:
    """Yield `count` steps to die at: every one in turn, and every fifth time anywhere."""
    steps = list(EXPECTED)
    for number in range(count):
        yield RANDOM if number % 5 == 4 else steps[(number - number // 5) % len(steps)]
