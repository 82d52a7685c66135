"""How long the demonstration's second start takes until the first answer, and what all its processes weigh."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

LIMITS = {"start_again_s": 3.0, "serve_pss_mib": 260.0}
LONGEST = 120.0  # seconds for the first start, which makes the clinic
REPEATS = 3


def measure() -> dict[str, float]:
    """Start once to make the clinic, then three times more; weigh the last after it has answered every page once."""
    with tempfile.TemporaryDirectory() as folder:
        _run(folder)
        again = [_run(folder) for _ in range(REPEATS)]
    numbers = {"start_again_s": statistics.median(seconds for seconds, _ in again)}
    if again[-1][1]:
        numbers["serve_pss_mib"] = again[-1][1]
    return numbers


def _run(folder: str) -> tuple[float, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")}
    started = time.perf_counter()
    demo = subprocess.Popen(
        [sys.executable, "-m", "tracker.cli", "demo", "--port", str(port)],
        env=environ | {"TRACKER_FOLDER": folder},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _answers(port):
            if time.perf_counter() - started > LONGEST or demo.poll() is not None:
                raise RuntimeError("the demonstration did not start")
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        for _ in range(40):  # enough for every thread of both workers to have worked
            _answers(port)
        return seconds, _weight(demo.pid)
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(30)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/sign-in")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _weight(pid: int) -> float:
    """Return the proportional set size of a process and all below it, in MiB; 0 where the system doesn't tell."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0.0
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
    return own + sum(_weight(child) for child in children)
