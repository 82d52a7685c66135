"""How long `tracker --help` takes, started as a person starts it."""

import statistics
import subprocess
import sys
import time

LIMITS = {"help_s": 0.3}


def measure() -> dict[str, float]:
    """Return the median of nine starts, in seconds."""
    return {"help_s": statistics.median(_once() for _ in range(9))}


def _once() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tracker.cli", "--help"], check=True, capture_output=True)
    return time.perf_counter() - started
