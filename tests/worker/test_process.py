"""`tracker worker` as a process: sends by the settings' mail server, and ends in good order when told to."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from threading import Event

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.mail_server import Kept, mail_server
from tests.report import ROOT
from tracker import clock
from tracker.rules.cadence import Purpose


class Slow(Kept):
    """A server that takes a second to answer for a message."""

    def __init__(self) -> None:
        super().__init__()
        self.has_one = Event()

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep it, and let the sender wait."""
        self.has_one.set()
        await asyncio.sleep(1)
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def worker(database):
    """Return a function that starts a worker whose clock shows NOW."""
    started = []

    def start(port: int) -> subprocess.Popen:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("TRACKER_")}
        environ |= {
            "TRACKER_DATABASE_URL": database,
            "TRACKER_SECRET_KEY": "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_",
            "TRACKER_DEMO": "yes",
            "TRACKER_CLOCK_OFFSET": str(round((NOW - clock.now()).total_seconds())),
            "TRACKER_MAIL_HOST": "127.0.0.1",
            "TRACKER_MAIL_PORT": str(port),
            "TRACKER_MAIL_SECURITY": "none",
            "TRACKER_MAIL_FROM": "visits@clinic.example",
        }
        started.append(subprocess.Popen([sys.executable, "-m", "tracker.cli", "worker"], cwd=ROOT, env=environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_told_to_stop_in_the_middle_of_a_send_it_finishes_that_and_no_more(worker):
    house = make_clinic()
    mailroom.many(house, 3, NOW + timedelta(days=7))
    kept = Slow()
    with mail_server(kept) as (_, port):
        process = worker(port)
        assert kept.has_one.wait(30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, "the supervisor waits no longer"
    assert len(kept.messages) == 1
    ends = sorted(row.status.value for row in mailroom.messages() if row.purpose == Purpose.ITINERARY)
    assert ends == ["accepted", "scheduled", "scheduled"]
