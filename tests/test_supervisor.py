"""The supervisor, with real processes and real signals: it starts, restarts, stops, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import LIMIT, running, wait_for

SUPERVISOR = """
    import os, sys
    from tracker.supervisor import Child, Supervisor
    os.environ["FOR_CHILDREN"] = "yes"
    supervisor = Supervisor(lambda text: print(text, flush=True))
    code = supervisor.run_once([sys.executable, {prepare!r}]) if {prepare!r} else 0
    if code is None or code:
        raise SystemExit(code or 0)
    children = [Child(name, [sys.executable, {child!r}, name]) for name in ("web", "worker")]
    raise SystemExit(supervisor.keep(children, lambda: None))
"""
# A child with a child of its own, as the web server has; both write their ids down.
CHILD = """
    import os, subprocess, sys, time
    from pathlib import Path
    from tracker.supervisor import stop_with_supervisor
    assert os.environ["FOR_CHILDREN"] == "yes"
    stop_with_supervisor()
    own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) if {grandchild} else None
    with Path({ids!r}).open("a") as file:
        file.write(f"{{sys.argv[1]}} {{os.getpid()}} {{own.pid if own else 0}}\\n")
    time.sleep(600)
"""


class Run:
    """One supervisor under test, and what its children wrote down."""

    def __init__(self, folder: Path, *, prepare: str = "", grandchild: bool = False, child: str = CHILD) -> None:
        self.ids = folder / "ids"
        self.ids.touch()
        script = folder / "child.py"
        script.write_text(textwrap.dedent(child.format(ids=str(self.ids), grandchild=grandchild)))
        first = folder / "prepare.py"
        first.write_text(textwrap.dedent(prepare.format(ids=str(self.ids))))
        body = SUPERVISOR.format(child=str(script), prepare=str(first) if prepare else "")
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(body)], stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.ids.read_text().splitlines()]

    def pids(self) -> list[int]:
        return [int(pid) for _, *pids in self.lines() for pid in pids if pid != "0"]

    def started(self, count: int) -> list[list[str]]:
        wait_for(lambda: len(self.lines()) >= count, f"{count} starts")
        return self.lines()


def nothing_left(run: Run) -> None:
    assert run.pids()
    wait_for(lambda: not any(running(pid) for pid in run.pids()), "every child to be gone")


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def starter(**how) -> Run:
        runs.append(Run(tmp_path, **how))
        return runs[-1]

    yield starter
    for run in runs:
        for pid in [run.process.pid, *run.pids()]:
            if running(pid):
                os.kill(pid, signal.SIGKILL)
        run.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_and_counts_as_a_good_end(start, number):
    run = start(grandchild=True)
    run.started(2)

    run.process.send_signal(number)

    assert run.process.wait(LIMIT) == 0
    nothing_left(run)


def test_a_signal_during_the_preparation_stops_that_and_starts_nothing(start):
    run = start(
        prepare="import os, time; from pathlib import Path; "
        "Path({ids!r}).write_text(f'prepare {{os.getpid()}}\\n'); time.sleep(600)"
    )
    run.started(1)

    run.process.terminate()

    assert run.process.wait(LIMIT) == 0
    nothing_left(run)
    assert [name for name, *_ in run.lines()] == ["prepare"]


def test_a_preparation_that_fails_ends_it_with_the_same_code(start):
    run = start(prepare="raise SystemExit(78)")

    assert run.process.wait(LIMIT) == 78
    assert run.lines() == []


def test_a_killed_child_is_started_again_and_its_own_children_end_with_it(start):
    run = start(grandchild=True)
    victim, grandchild = (int(pid) for name, *pids in run.started(2) if name == "web" for pid in pids)

    os.kill(victim, signal.SIGKILL)

    assert [name for name, *_ in run.started(3)][2] == "web"
    wait_for(lambda: not running(grandchild), "what the killed child left behind")
    assert run.process.poll() is None


def test_children_notice_that_the_supervisor_was_killed(start):
    run = start()
    run.started(2)

    run.process.kill()

    nothing_left(run)


def test_a_child_that_says_it_is_hopeless_ends_all(start):
    run = start(child="import sys, time; sys.exit(78) if sys.argv[1] == 'worker' else time.sleep(600)")

    assert run.process.wait(LIMIT) == 78


def test_a_child_that_dies_again_and_again_is_started_ever_more_slowly(start):
    run = start(child="from pathlib import Path; Path({ids!r}).open('a').write('x 0\\n'); raise SystemExit(3)")
    assert run.process.stdout
    pauses = [float(run.process.stdout.readline().split()[-2]) for _ in range(6)]

    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]


def test_a_closed_terminal_under_nohup_is_not_meant(tmp_path):
    code = (
        "import signal; from tracker.supervisor import Supervisor; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        "Supervisor(print); print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT)

    assert said.stdout.strip() == "True"
