"""Real processes of this machine: what runs below one, whether it still runs, and a wait with an end."""

import time
from collections.abc import Callable
from pathlib import Path

LIMIT = 60.0  # seconds for anything to happen; a busy machine needs some of it


def wait_for(true: Callable[[], object], what: str) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline, f"waited {LIMIT:.0f} s for {what}"
        time.sleep(0.05)


def below(pid: int) -> list[int]:
    """Return the processes below `pid`, its children first."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return children + [process for child in children for process in below(child)]


def running(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def says(pid: int) -> str:
    """Return a process's command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""
