"""`tracker serve` as a person runs it: web and worker answer, survive a kill, and end with it, whatever ends it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.processes import LIMIT, below, running, says, wait_for


class Served:
    """One `tracker serve` under test."""

    def __init__(self, url: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tracker.cli", "serve", "--port", str(self.port)],
            env=kept
            | {
                "TRACKER_DATABASE_URL": url,
                "TRACKER_FOLDER": str(folder),
                "TRACKER_SECRET_KEY": "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_",
            },
            start_new_session=True,
        )

    def status(self) -> int:
        """Return the status of the sign-in page, 0 while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/sign-in")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def tree(self) -> list[int]:
        return below(self.process.pid)

    def child(self, name: str) -> int:
        wait_for(lambda: [pid for pid in self.tree() if says(pid).endswith(f"tracker.cli {name}")], name)
        return next(pid for pid in self.tree() if says(pid).endswith(f"tracker.cli {name}"))


@pytest.fixture
def served(sqlite_url, tmp_path) -> Iterator[Served]:
    """Return a running machine that has answered once."""
    run = Served(sqlite_url, tmp_path)
    try:
        wait_for(lambda: run.status() == 200, "the first answer")
        yield run
    finally:
        for pid in [run.process.pid, *run.tree()]:
            if running(pid):
                os.kill(pid, signal.SIGKILL)
        run.process.wait()


def gone(pids: list[int]) -> None:
    assert len(pids) >= 4, "the web, its two workers, and the clock"
    wait_for(lambda: not any(running(pid) for pid in pids), "every process to be gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it(served, number):
    pids = served.tree()

    served.process.send_signal(number)

    assert served.process.wait(LIMIT) == 0
    gone(pids)
    assert served.status() == 0


def test_a_killed_supervisor_leaves_nothing_behind(served):
    pids = served.tree()

    served.process.kill()

    gone(pids)
    assert served.status() == 0


def test_a_killed_web_answers_again(served):
    web = served.child("web")
    workers = below(web)

    os.kill(web, signal.SIGKILL)

    wait_for(lambda: not any(running(pid) for pid in workers), "the workers of the killed web to be gone")
    wait_for(lambda: served.status() == 200, "an answer")
    assert served.child("web") != web


def test_a_killed_clock_is_started_again(served):
    clock = served.child("worker")

    os.kill(clock, signal.SIGKILL)

    wait_for(lambda: [pid for pid in served.tree() if says(pid).endswith("worker") and pid != clock], "a clock")
    assert served.status() == 200


def test_a_killed_web_worker_is_replaced(served):
    web = served.child("web")
    victim = below(web)[0]

    os.kill(victim, signal.SIGKILL)

    wait_for(lambda: len(below(web)) == 2 and victim not in below(web), "another worker")
    assert served.status() == 200


def test_a_taken_port_is_said_at_once(sqlite_url, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = subprocess.run(
            [sys.executable, "-m", "tracker.cli", "serve", "--port", str(taken.getsockname()[1])],
            env=os.environ | {"TRACKER_FOLDER": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )

    assert said.returncode == 78
    assert "Choose another port" in said.stdout
