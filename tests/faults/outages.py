"""Nothing was sent for a day and a half; one record is broken; an older copy of the database was brought back."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.engine import make_url

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.faults.databases import New
from tests.faults.killed_worker import DESK
from tests.faults.killing import about, counted
from tests.mail_server import Kept, mail_server
from tracker import db, dispatch
from tracker.channels.smtp import Server, Smtp
from tracker.dispatch import Worker
from tracker.models import ContactPoint, Patient, Reminder, Task
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import thread
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import undelivered
from tracker.services.sending import Witness

STOPS, DOWN = NOW + timedelta(hours=12), timedelta(hours=36)  # from nine in the evening to nine in the morning
WEEK = timedelta(days=7)
LEFT = frozenset({ReminderStatus.ACCEPTED})
CALLED_BACK = frozenset({ReminderStatus.SUPERSEDED, ReminderStatus.CANCELLED})


def worker(port: int, witness: Witness | None = None) -> Worker:
    """Return a worker that sends letters to the mail server at this port."""
    channels = {ReminderChannel.EMAIL: Smtp(Server("127.0.0.1", port, "none"), seconds=10.0)}
    return Worker(channels, DESK, name="outages", witness=witness)


@dataclass
class Account:
    """What became of all that fell due."""

    due: int
    sent: int = 0
    called_back: int = 0
    overtaken: int = 0  # a newer one of its kind was sent, or is a task
    tasks: int = 0
    calls: int = 0  # nobody can write to her; somebody calls before each visit, of which this isn't the message
    waits: int = 0  # for what it is about

    @property
    def unaccounted(self) -> int:
        """Return how many of it nobody knows the end of."""
        return self.due - self.sent - self.called_back - self.overtaken - self.tasks - self.calls - self.waits

    @property
    def share(self) -> float:
        """Return which share of it is accounted for."""
        return 1 - self.unaccounted / self.due


def down(count: int = 60, *, guard: str = "") -> Account:
    """Let everything stand still for a day and a half, in the middle of many series, and then go on."""
    house = make_clinic()
    for n in range(count):
        first = NOW + timedelta(hours=12 + 3 * n % 60, minutes=7 * n)
        patient_id = mailroom.patient(house, f"D{n}", email=None if n % 10 == 9 else "")
        course_id = mailroom.series(house, patient_id, *(first + n * timedelta(days=2) for n in range(3)))
        if n % 6 == 0:
            mailroom.cancel(house, course_id, 2, now=NOW + timedelta(hours=2), changed=True)
    back = STOPS + DOWN
    with mail_server() as (kept, port), _without(guard):
        for now in (NOW, STOPS, *(back + timedelta(minutes=minutes) for minutes in range(0, 180, 20))):
            worker(port).tick(now)
    return _account(counted(kept), back)


def _account(got: Counter[str], back: Any) -> Account:
    told = {about(task) for task in mailroom.rows(Task)}
    due = [row for row in mailroom.messages() if row.send_at <= back or row.changed_at >= back]
    account = Account(len(due))
    by_thread: Counter[Any] = Counter()
    for row in due:
        if got[str(row.id)] == 1 or str(row.id) in told:
            by_thread[_thread(row)] += 1
    for row in due:
        if got[str(row.id)] == 1 and row.status in LEFT:
            account.sent += 1
        elif str(row.id) in told:
            account.tasks += 1
        elif row.status in CALLED_BACK:
            account.called_back += 1
        elif row.status is ReminderStatus.EXPIRED and by_thread[_thread(row)]:
            account.overtaken += 1
        elif row.status is ReminderStatus.SUPPRESSED and _somebody_calls(row, told, back):
            account.calls += 1
        elif row.status is ReminderStatus.SCHEDULED and row.send_at > back:
            account.waits += 1
    return account


def _somebody_calls(row: Reminder, told: set[str], back: datetime) -> bool:
    """Return whether there is a task for the visit (for the series: a visit) of this message, or will be in time."""
    own = [
        other
        for other in mailroom.messages(row.course_id)
        if other.purpose == Purpose.VISIT and row.visit_id in (None, other.visit_id)
    ]
    alike = [other for other in mailroom.messages(row.course_id) if other.visit_id == row.visit_id is not None]
    return any(str(other.id) in told for other in (*own, *alike)) or any(
        other.status is ReminderStatus.SCHEDULED and other.send_at > back for other in own
    )


def _thread(row: Reminder) -> tuple[UUID | None, Any]:
    return row.patient_id, thread(row.purpose, row.visit_id)


@contextmanager
def _without(guard: str) -> Iterator[None]:
    """Take a guard out: "asking" (a task for what wasn't told), "each" (look at each where one of them is broken)."""
    ask, look = undelivered.ask, Worker._look
    if guard == "asking":
        undelivered.ask = lambda *_args, **_more: None
    if guard == "each":
        Worker._look = _look_at_all
    try:
        yield
    finally:
        undelivered.ask, Worker._look = ask, look


def _look_at_all(self: Worker, leases: Any, now: Any) -> Any:
    with db.read() as session:
        return dispatch.letters.look(session, leases, now=now, ways=self.channels) if leases else {}


BREAKS = ("zone", "address")


def broken(count: int, how: str = "zone", *, guard: str = "") -> tuple[int, int]:
    """Break one record of so many patients; return to how many of the others their message came, and the tasks."""
    mailroom.many(make_clinic(), count, NOW + WEEK)
    with db.transaction() as session:
        point = session.query(ContactPoint).order_by(ContactPoint.address).limit(count // 2 + 1).all()[-1]
        patient, address = Patient.id == point.patient_id, point.address
        match how:
            case "zone":
                session.execute(update(Patient).where(patient).values(zone_name="Nowhere/At_all"))
            case _:
                session.execute(
                    update(ContactPoint).where(ContactPoint.id == point.id).values(address="p@exämple\r\nBcc: x@y.org")
                )
    with mail_server() as (kept, port), _without(guard):
        for minute in range(3):
            try:
                worker(port).tick(NOW + timedelta(minutes=5 * minute))
            except Exception as error:
                print(f"without looking at each: {type(error).__name__}")
    return len({*kept.recipients} - {address}), len(mailroom.rows(Task))


@dataclass
class Restored:
    """What came of bringing back an older database."""

    doubled: int
    paused: bool


def restored(new: New, count: int = 20, *, guard: str = "") -> Restored:
    """Send half, save, send the rest, bring back what was saved: it must not send the rest once more."""
    url = new()
    mailroom.many(make_clinic(), count, NOW + timedelta(days=5))
    folder = (
        Path(url.removeprefix("sqlite:///")).parent if new.kind == "sqlite" else new.folder / make_url(url).database
    )
    folder.mkdir(exist_ok=True)
    witness = None if guard == "witness" else Witness.of(url, folder)
    kept = Kept()
    with mail_server(kept) as (_, port):
        worker(port, witness).tick(NOW)
        later = NOW + timedelta(days=1)
        with db.transaction() as session:
            house_rows = session.query(Reminder).filter(Reminder.send_at > NOW)
            house_rows.update({"send_at": later, "expires_at": later + WEEK})
        db.engine().dispose()
        _save(new, folder)
        worker(port, witness).tick(later)
        db.engine().dispose()
        _bring_back(new, folder)
        db.configure(url)
        again = worker(port, witness)
        for minutes in (1, 5, 9):
            again.tick(later + timedelta(minutes=minutes))
    with db.read() as session:
        paused = bool(session.scalar(text("SELECT count(*) FROM sending WHERE paused_at IS NOT NULL")))
    return Restored(sum(times > 1 for times in counted(kept).values()), paused)


def _save(new: New, folder: Path) -> None:
    if new.cluster is None:
        shutil.copy(folder / "tracker.db", folder / "saved")
        return
    new.cluster.stop("fast")
    subprocess.run(["cp", "-a", new.cluster.folder / "data", new.cluster.folder / "saved"], check=True)
    new.cluster.start()


def _bring_back(new: New, folder: Path) -> None:
    if new.cluster is not None:
        new.cluster.stop("fast")
        shutil.rmtree(new.cluster.folder / "data")
        (new.cluster.folder / "saved").rename(new.cluster.folder / "data")
        new.cluster.start()
        return
    for end in ("-wal", "-shm"):
        Path(f"{folder}/tracker.db{end}").unlink(missing_ok=True)
    with (folder / "saved").open("rb") as old, (folder / "tracker.db").open("r+b") as now:
        now.truncate()
        shutil.copyfileobj(old, now)
