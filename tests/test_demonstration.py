"""`tracker demo` as `make run` starts it, at a real terminal: what it says, what it keeps, and how it ends."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.processes import LIMIT, below, running, wait_for


class Terminal:
    """A terminal in which `tracker demo` runs."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.said = folder, ""
        self.side, other = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tracker.cli", "demo", "--port", str(self.port)],
            env=kept | {"TRACKER_FOLDER": str(folder)},
            stdin=other,
            stdout=other,
            stderr=other,
            preexec_fn=_own_terminal,
        )
        os.close(other)
        os.set_blocking(self.side, False)

    def reads(self, words: str) -> bool:
        """Read on; tell whether the words have been said."""
        with contextlib.suppress(BlockingIOError):
            self.said += os.read(self.side, 100_000).decode()
        return words in self.said

    def state(self) -> dict:
        return json.loads((self.folder / "demo.json").read_text())

    def end(self) -> None:
        for pid in [self.process.pid, *below(self.process.pid)]:
            if running(pid):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def _own_terminal() -> None:
    os.setsid()
    os.close(os.open(os.ttyname(0), os.O_RDWR))  # the first terminal a session opens is the one that it hangs on


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def start(folder) -> Iterator:
    """Return a function that starts the demonstration and waits until it says where to go."""
    terminals: list[Terminal] = []

    def starter(*, wait: str = "The clinic is open") -> Terminal:
        terminals.append(Terminal(folder))
        wait_for(lambda: terminals[-1].reads(wait), wait)
        return terminals[-1]

    yield starter
    for terminal in terminals:
        terminal.end()


def test_it_tells_where_to_go_and_goes_on_from_where_it_was_stopped(start, folder):
    first = start()

    for role in ("coordinator", "nurse", "physician", "admin", "auditor"):
        assert re.search(rf"{role}\s+\S+@example.org\s+\S", first.said)
    assert f"http://127.0.0.1:{first.port}/" in first.said
    assert stat.S_IMODE((folder / "demo.key").stat().st_mode) == 0o600
    pids = below(first.process.pid)
    os.write(first.side, b"\x03")  # Ctrl-C
    assert first.process.wait(LIMIT) == 0
    assert not any(running(pid) for pid in pids)
    stopped = datetime.fromisoformat(first.state()["at"])
    at = stopped.astimezone(ZoneInfo("America/Denver"))
    assert timedelta() <= at - at.replace(hour=11, minute=42, second=0, microsecond=0) < timedelta(minutes=3)

    second = start()

    assert "Making" not in second.said
    os.kill(second.process.pid, signal.SIGTERM)
    assert second.process.wait(LIMIT) == 0
    assert timedelta() <= datetime.fromisoformat(second.state()["at"]) - stopped < timedelta(minutes=3)


def test_a_closed_terminal_ends_all_of_it_even_while_the_clinic_is_made(start, folder):
    terminal = start(wait="Making the demonstration clinic")
    wait_for(lambda: below(terminal.process.pid), "the making to begin")
    pids = [terminal.process.pid, *below(terminal.process.pid)]

    os.close(terminal.side)

    terminal.process.wait(LIMIT)
    wait_for(lambda: not any(running(pid) for pid in pids), "every process to be gone")
    assert not (folder / "demo.json").exists()
    again = start()  # what was half made is made anew
    pids = [again.process.pid, *below(again.process.pid)]
    assert page(again) == 200
    os.close(again.side)
    again.process.wait(LIMIT)
    wait_for(lambda: not any(running(pid) for pid in pids), "every process to be gone")


def page(terminal: Terminal) -> int:
    connection = HTTPConnection("127.0.0.1", terminal.port, timeout=LIMIT)
    connection.request("GET", "/sign-in")
    return connection.getresponse().status
