"""A worker that sends all that is due to a sink, in a process of its own, when it is told to begin.

`python -m tests.benchmarks.drain URL WITNESS`: says "ready", waits for a line, ticks until nothing is due, and says how
many messages it sent. A worker never stops by itself, so it looks again until nothing is left for anybody.
"""

import sys
import time
from pathlib import Path

from tests.conftest import NOW
from tracker import db
from tracker.channels.message import End, Message, Outcome
from tracker.compose import Desk
from tracker.dispatch import Worker
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import sweeping
from tracker.services.sending import Witness

DESK = Desk(b"k" * 32, "https://visits.example.org", "visits@clinic.example")


class Sink:
    """Takes everything, at once."""

    seconds = 1.0

    def send(self, _message: Message) -> Outcome:
        """Say that it is done."""
        return Outcome(End.ACCEPTED, "sink")


def worker(witness: Path | None, name: str) -> Worker:
    """Return a worker that sends to the sink, and beats as a real one does."""
    return Worker({ReminderChannel.EMAIL: Sink()}, DESK, name, Witness(witness) if witness else None)


def main(url: str, witness: str) -> None:
    """Drain what is due at NOW."""
    db.configure(url)
    sender = worker(Path(witness), str(time.monotonic_ns()))
    with db.read() as session:
        sweeping.waits(session, now=NOW)  # connected
    print("ready", flush=True)
    sys.stdin.readline()
    sent = 0
    while sender.has_work(NOW):
        sent += sender.tick(NOW)["accepted"]
        with db.read() as session:
            if not sweeping.waits(session, now=NOW):
                break
    print(sent, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
