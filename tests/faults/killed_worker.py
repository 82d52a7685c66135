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
from tracker import db
from tracker.channels import smtp
from tracker.channels.smtp import Server, Smtp
from tracker.compose import Desk
from tracker.dispatch import Worker
from tracker.models import Reminder
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
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
    send_all, settled, mark = Worker._send_all, Worker._settled, delivery.mark

    def taken(self: Worker, leases: Any, at: Any) -> Any:
        for lease in leases:
            killer.at = str(lease.reminder_id)
            killer.reach("leased")
        return send_all(self, leases, at)

    def marking(session: Any, letter: Any, **more: Any) -> bool:
        killer.at = str(letter.lease.reminder_id)
        if killer.step == "random":  # the end comes from outside, without warning
            print(killer.at, flush=True)
        killer.reach("looked")
        marked = mark(session, letter, **more)
        killer.reach("marking")
        return marked

    def written_down(self: Worker, before: Any, queue: Any, at: Any) -> Any:
        turn = settled(self, before, queue, at)
        if before is not None:  # and the next one, if any, is marked: the two are one commit
            killer.at, now_at = str(before.letter.lease.reminder_id), killer.at
            killer.reach("recorded")
            killer.at = now_at
        return turn

    def recording(session: Any, lease: Any, *values: Any, **more: Any) -> None:
        record(session, lease, *values, **more)
        killer.at = str(lease.reminder_id)
        killer.reach("recording")

    record = delivery.record
    Worker._send_all, Worker._settled = taken, written_down
    delivery.mark, delivery.record = marking, recording
    place_at_the_server(killer)


def place_at_the_server(killer: Killer) -> None:
    """Put the steps where they are in the conversation with the mail server."""
    killer.around(smtp.Smtp, "send", before="marked", after="answered")
    killer.around(smtp._Line, "mail", before="connected")
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
    channels = {ReminderChannel.EMAIL: Smtp(Server("127.0.0.1", int(port), "none"), seconds=SECONDS)}
    sender = Worker(channels, Desk(b"k" * 32, "https://visits.example.org", "visits@clinic.example"), name="killed")
    print("ready", flush=True)
    sender.tick(NOW + timedelta(seconds=float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
