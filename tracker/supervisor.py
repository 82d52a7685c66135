"""Starts the processes of one machine, starts again what dies, and leaves nothing behind.

It stays in memory beside its children, so it imports the standard library alone. Each child leads its own process
group: a Ctrl-C at the terminal reaches the supervisor only, which then stops its children in good order, and what a
dying child leaves in its group is ended with it.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

HOPELESS = 78  # EX_CONFIG: a child that exits with it will not do better when started again
SUPERVISED_BY = "COURSE_TRACKER_SUPERVISOR"
GRACE = 10.0  # seconds to finish what is in flight
STEADY = 30.0  # seconds after which a child counts as running well
LONGEST_PAUSE = 30.0
PATIENCE = 1.0  # seconds between two looks around


@dataclass
class Child:
    """One supervised process: what it is called, how it is started, how often it died lately."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0

    def start(self) -> None:
        """Start it in a process group of its own, with this process's variables."""
        self.started = time.monotonic()
        environ = {**os.environ, SUPERVISED_BY: str(os.getpid())}
        self.process = subprocess.Popen(  # noqa: S603 - our own commands only
            self.command, env=environ, stdin=subprocess.DEVNULL, process_group=0
        )

    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs or waits for its next start."""
        return self.process.poll() if self.process else None

    def bury(self, now: float) -> None:
        """End what is left of its group and set when to start it again: 0.5 s, 1, 2, … 30."""
        self.sweep()
        self.deaths = 1 if now - self.started > STEADY else self.deaths + 1
        self.due = now + min(LONGEST_PAUSE, 0.25 * 2.0**self.deaths)
        self.process = None

    def sweep(self) -> None:
        """Kill everything in its process group."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Runs commands until a signal says stop. Create it first: from then on no signal ends this process by itself."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._stopping = False
        self._wake, wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Under nohup a closed terminal is not meant.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def run_once(self, command: Sequence[str]) -> int | None:
        """Run one command to its end and return its exit code; None if a signal came first."""
        child = Child(command[-1], command)
        child.start()
        try:
            while not self._stopping and child.exit_code() is None:
                self._pause()
        finally:
            stop_all([child])
        return None if self._stopping else child.exit_code()

    def keep(self, children: Sequence[Child], tick: Callable[[], None]) -> int:
        """Keep the children running until a signal comes; call `tick` about once a second; return the exit code."""
        code = 0
        try:
            while not self._stopping:
                code = self._look_after(children)
                if code:
                    break
                tick()
                self._pause()
        finally:
            stop_all(children)
        return code

    def _look_after(self, children: Sequence[Child]) -> int:
        now = time.monotonic()
        for child in children:
            code = child.exit_code()
            if code == HOPELESS:
                return code
            if code is not None:
                child.bury(now)
                self._say(f"{child.name} ended ({how(code)}); starting it again in {child.due - now:.1f} s")
            if child.process is None and child.due <= now and not self._stopping:
                child.start()
        return 0

    def _pause(self) -> None:
        if select.select([self._wake], [], [], PATIENCE)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 512)


def stop_all(children: Sequence[Child]) -> None:
    """Ask every child to stop, wait for `GRACE` seconds at most, then end what is left."""
    running = [child.process for child in children if child.process]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
    for child in children:
        child.sweep()


def how(code: int) -> str:
    """Say how a process ended: "exit code 3", "SIGKILL"."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def stop_with_supervisor() -> None:
    """End this process when the supervisor that started it is gone. Without a supervisor, do nothing."""
    supervisor = os.environ.get(SUPERVISED_BY)
    if supervisor:
        stop_with_parent(int(supervisor))


def stop_with_parent(parent: int) -> None:
    """End this process when `parent`, its parent, is gone (killed, so that it could not say so)."""
    threading.Thread(target=_watch, args=(parent,), name="parent watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def tracker(*arguments: str) -> list[str]:
    """Return the command line that runs `tracker` with these arguments, with this Python."""
    return [sys.executable, "-m", "tracker.cli", *arguments]
