"""A real worker in a process of its own, killed by SIGKILL at a step of its n-th message.

`python -m tests.faults.killed_worker URL PORT SECONDS STEP NTH [GUARD]`: one tick at NOW + SECONDS. Before it dies it
says which message it was at. A GUARD named is taken out, to show what it is there for.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from tests.conftest import NOW
from tracker import db, worker
from tracker.channels import smtp
from tracker.channels.smtp import Server, Smtp
from tracker.models import Reminder
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import ReminderStatus
from tracker.services import delivery

SECONDS = 10.0


class Killer:
    """Counts how often a step is reached, and ends the process there."""

    def __init__(self, step: str, nth: int) -> None:
        self.step, self.left = step, nth
        self.at = ""

    def reach(self, step: str) -> None:
        """Die here, if here is where to die."""
        if step != self.step:
            return
        self.left -= 1
        if self.left == 0:
            print(self.at, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str, before: str = "", after: str = "") -> None:
        """Reach steps before and after each call of a function."""
        inner: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            self.reach(before)
            result = inner(*args, **more)
            self.reach(after)
            return result

        setattr(owner, name, wrapped)


def place(killer: Killer) -> None:
    """Put the steps where they are on the way of a message."""
    handle = worker.Worker._handle

    def handled(self: worker.Worker, channel: Any, lease: Any, at: Any) -> str:
        killer.at = str(lease.reminder_id)
        if killer.step == "random":  # the end comes from outside, without warning
            print(killer.at, flush=True)
        killer.reach("leased")
        end = handle(self, channel, lease, at)
        killer.reach("recorded")
        return end

    worker.Worker._handle = handled
    killer.around(delivery, "mark", before="looked", after="marking")
    killer.around(smtp.Smtp, "send", before="marked", after="answered")
    killer.around(smtp._Line, "mail", before="connected")
    killer.around(delivery, "record", after="recording")
    send = smtp._Line.send

    def sent(self: smtp._Line, said: Any) -> None:
        if said == smtp.DOT:
            killer.reach("body sent")
        send(self, said)
        if said == smtp.DOT:
            # The answer is there, unread: the server has the message.
            self.sock.recv(1, socket.MSG_PEEK)
            killer.reach("handed over")

    if killer.step in ("body sent", "handed over"):
        smtp._Line.send = sent


def without_mark() -> None:
    """Send what is only leased, and write it down afterwards."""
    delivery.mark = lambda *_args, **_more: True

    def record(session: Any, lease: Any, _result: Any, **_more: Any) -> None:
        done = {"status": ReminderStatus.ACCEPTED, "lease_until": None}
        session.execute(update(Reminder).where(Reminder.id == lease.reminder_id).values(**done))

    delivery.record = record


def without_doubt() -> None:
    """Take what was being sent when its worker died for not sent."""
    change = delivery.change

    def trusting(session: Any, event: Event, *which: Any, **more: Any) -> Any:
        if event is Event.LOSE:
            again = {"status": ReminderStatus.SCHEDULED, "lease_until": None}
            session.execute(update(Reminder).where(Reminder.status == ReminderStatus.SENDING, *which).values(**again))
            return []
        return change(session, event, *which, **more)

    delivery.change = trusting


def without_release() -> None:
    """Leave what a dead worker had leased."""
    change = delivery.change

    def forgetful(session: Any, event: Event, *which: Any, **more: Any) -> Any:
        return [] if event is Event.RELEASE else change(session, event, *which, **more)

    delivery.change = forgetful


GUARDS = {"mark": without_mark, "doubt": without_doubt, "release": without_release}


def main(url: str, port: str, seconds: str, step: str, nth: str, guard: str = "") -> None:
    """Run one tick, as far as it goes."""
    if guard:
        GUARDS[guard]()
    place(Killer(step, int(nth)))
    db.configure(url)
    channel = Smtp(Server("127.0.0.1", int(port), "none"), seconds=SECONDS)
    sender = worker.Worker(channel, b"k" * 32, "https://visits.example.org", "visits@clinic.example", name="killed")
    print("ready", flush=True)
    sender.tick(NOW + timedelta(seconds=float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
