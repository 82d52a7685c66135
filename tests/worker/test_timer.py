"""The worker's clock: calls what is to be called, and begins anew where the time of day was set back."""

import threading
import time
from datetime import timedelta

from tracker import worker
from tracker.worker import Timer


def wait_until(what, seconds: float = 20.0) -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never was so"
        time.sleep(0.02)


def test_it_calls_again_and_again_and_one_that_fails_too():
    calls = {"good": 0, "bad": 0}

    def good():
        calls["good"] += 1

    def bad():
        calls["bad"] += 1
        raise RuntimeError("no")

    timer = Timer({"good": (0.05, good), "bad": (0.05, bad)})
    timer.start()
    wait_until(lambda: min(calls.values()) >= 3)
    timer.end()


def test_a_call_that_takes_long_is_not_made_twice_at_a_time_nor_taken_for_stalled(monkeypatch):
    monkeypatch.setattr(worker, "STALLED", 0.0)
    inside, most, gate = [], [], threading.Event()

    def slow():
        inside.append(1)
        most.append(len(inside))
        gate.wait(20)
        inside.pop()

    timer = Timer({"slow": (0.05, slow)})
    timer.start()
    wait_until(lambda: most)
    time.sleep(0.2)
    assert timer.rearm_if_stalled() == []
    gate.set()
    wait_until(lambda: len(most) > 1)
    timer.end()
    assert max(most) == 1


def test_a_clock_that_was_set_back_an_hour_is_armed_again(monkeypatch):
    """APScheduler waits for a time of day that is an hour away now; the watch goes by a clock that nobody sets."""
    monkeypatch.setattr(worker, "STALLED", 0.2)
    called = []
    timer = Timer({"tick": (0.05, lambda: called.append(1))})
    timer.start()
    wait_until(lambda: called)
    job = timer._scheduler.get_job("tick")
    job.modify(next_run_time=job.next_run_time + timedelta(hours=1))
    time.sleep(0.5)
    before = len(called)
    wait_until(timer.rearm_if_stalled)
    wait_until(lambda: len(called) > before)
    timer.end()
