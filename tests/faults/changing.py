"""A visit is moved or cancelled, or its patient wants no more messages, while a worker is about to send her one.

What was told last must be true. A message that was marked before the change may say what was so; then another one has
to follow, or somebody to call. After an opt-out nothing is marked.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, true, update
from sqlalchemy.orm import Session

from tests import mailroom
from tests.conftest import NOW
from tests.factories import House, make_clinic
from tests.faults.killed_worker import DESK
from tracker import db
from tracker.channels.message import End, Message, Outcome
from tracker.dispatch import Worker
from tracker.models import ContactPoint, Course, Reminder, Task, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import UNSENT
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus, VisitStatus
from tracker.services import consent, delivery, letters, reminders

CHANGES = ("move", "cancel", "stop")
PATIENCE = 60.0  # seconds
JITTER = 0.012  # seconds: about as long as what they race through
LATER = timedelta(hours=3)
# The visit's time and the one it moves to, as they are said; there is a clock change between the two days.
TIMES = {Purpose.ITINERARY: ("10:00 AM", "1:00 PM"), Purpose.VISIT: ("9:00 AM", "12:00 PM")}


@dataclass
class Told:
    """A channel that keeps what left, by whom it was for."""

    seconds: float = 1.0
    by_address: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def send(self, message: Message) -> Outcome:
        """Take it."""
        self.by_address[message.recipient].append(message.short if message.recipient[0] == "+" else message.text)
        return Outcome(End.ACCEPTED, "kept", external_id=str(message.id))


@dataclass
class Round:
    """One patient, her series, and what becomes of it."""

    change: str
    purpose: Purpose
    course_id: UUID
    contact_id: UUID
    address: str
    changed_at: float = 0.0  # committed


@dataclass
class Outcomes:
    """What was found in the end."""

    rounds: int = 0
    stale: int = 0  # what was told last isn't so
    after_opt_out: int = 0
    marked_first: int = 0  # rounds in which a message left before the change


def race(rounds: int, chance: random.Random, *, guard: str = "") -> Outcomes:
    """Race on the configured, fresh database; with `guard` named, that one is taken out."""
    house, told = make_clinic(), Told()
    worker = Worker(dict.fromkeys(ReminderChannel, told), DESK, name="racing")
    run: list[Round] = []
    with _without(guard), _watched() as (looked, marks):
        for number in range(rounds):
            one = _round(house, number)
            looked.clear()
            _at_once(
                lambda: worker.tick(NOW),
                lambda one=one: _change(house, one, looked, chance, told=guard != "correction"),
            )
            run.append(one)
        # The limit of one text a day keeps a correction by text until the next morning.
        for hours in (0.1, 0.5, 1.0, 22.5, 23.5):
            worker.tick(NOW + timedelta(hours=hours))
    return _judge(run, told, marks)


def _round(house: House, number: int) -> Round:
    """Book somebody a visit of which a message is due now: all dates, by letter, or the reminder, by text."""
    purpose = Purpose.VISIT if number % 2 else Purpose.ITINERARY
    patient_id = mailroom.patient(house, f"R{number}", email=None)
    by_text = purpose is Purpose.VISIT
    address = f"+1970{number:07}" if by_text else f"r{number}@example.org"
    with db.transaction() as session:
        point = (mailroom.number if by_text else mailroom.address)(house, patient_id, address)
        session.add(point)
        session.flush()
    start = NOW + timedelta(days=1 if by_text else 7)
    course_id = mailroom.series(house, patient_id, start, booked_at=NOW - timedelta(days=3 * by_text))
    with db.transaction() as session:
        other = (Reminder.course_id == course_id, Reminder.purpose != purpose, Reminder.send_at <= NOW)
        session.execute(update(Reminder).where(*other).values(status=ReminderStatus.ACCEPTED))
    return Round(CHANGES[number // 2 % len(CHANGES)], purpose, course_id, point.id, address)


def _change(house: House, one: Round, looked: threading.Event, chance: random.Random, *, told: bool) -> None:
    """Change it: half of the time when the worker has looked, half of the time so that it looks meanwhile."""
    first = chance.random() < 0.5
    if not first:
        looked.wait(PATIENCE)
    time.sleep(chance.random() * JITTER)
    with db.transaction() as session:
        if one.change == "stop":
            point = session.get_one(ContactPoint, one.contact_id)
            consent.stop(session, house.coordinator, point, consent.TO_STAFF, now=NOW)
        else:
            _alter(session, house, one, told)
        if first:
            session.flush()
            time.sleep(chance.random() * 2 * JITTER)
    one.changed_at = time.monotonic()


def _alter(session: Session, house: House, one: Round, told: bool) -> None:
    """Do as moving and cancelling do."""
    course = session.get_one(Course, one.course_id, with_for_update={"key_share": True})
    visits = session.scalars(select(Visit).where(Visit.course_id == course.id)).all()
    for visit in visits:
        if one.change == "move":
            visit.starts_at, visit.ends_at = visit.starts_at + LATER, visit.ends_at + LATER
        else:
            visit.status, visit.cancel_reason = VisitStatus.CANCELLED, "ill"
    session.flush()
    reminders.plan_for_course(session, house.coordinator, course, visits, now=NOW, changed=told)


def _at_once(*calls: Callable[[], Any]) -> None:
    failures: list[BaseException] = []

    def caught(call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=caught, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if failures:
        raise failures[0]


Mark = tuple[UUID | None, float]  # whom to, and when it was begun


@contextmanager
def _watched() -> Iterator[tuple[threading.Event, list[Mark]]]:
    """Yield an event that is set when somebody has looked, and the marks that were made."""
    looked, marks = threading.Event(), []
    look, mark = letters.look, delivery.mark
    jitter = random.Random(2)

    def looking(*args: Any, **more: Any) -> Any:
        found = look(*args, **more)
        looked.set()
        time.sleep(jitter.random() * 2 * JITTER)
        return found

    def marking(session: Session, letter: Any, **more: Any) -> bool:
        begun = time.monotonic()
        marked = mark(session, letter, **more)
        if marked:
            marks.append((letter.contact_id, begun))
        return marked

    letters.look, delivery.mark = looking, marking
    try:
        yield looked, marks
    finally:
        letters.look, delivery.mark = look, mark


@contextmanager
def _without(guard: str) -> Iterator[None]:
    """Take a guard out: "consent" (asked again at the mark), "correction", "held" (and the mark's versions with it)."""
    marking, consenting, waits = delivery._marking, delivery._may_be_written_to, reminders._dates_wait
    if guard == "held":
        delivery._marking = lambda _course, *more: marking(False, *more)
        reminders._dates_wait = _waits_unheld
    if guard == "consent":
        delivery._may_be_written_to = true
    marking.cache_clear()
    try:
        yield
    finally:
        delivery._marking, delivery._may_be_written_to, reminders._dates_wait = marking, consenting, waits
        marking.cache_clear()


def _waits_unheld(session: Session, course: Course, _now: Any) -> bool:
    dates = (Reminder.course_id == course.id, Reminder.purpose.in_((Purpose.ITINERARY, Purpose.CHANGED)))
    return bool(session.scalars(select(Reminder.id).where(*dates, Reminder.status.in_(UNSENT))).all())


def _judge(run: Sequence[Round], told: Told, marks: Sequence[Mark]) -> Outcomes:
    found = Outcomes(rounds=len(run))
    begun: dict[UUID | None, list[float]] = defaultdict(list)
    for contact_id, at in marks:
        begun[contact_id].append(at)
    called = {str(task.course_id) for task in mailroom.rows(Task) if task.kind == "undelivered"}
    for one in run:
        said = told.by_address[one.address]
        found.marked_first += any(at < one.changed_at for at in begun[one.contact_id])
        if one.change == "stop":
            found.after_opt_out += any(at > one.changed_at for at in begun[one.contact_id])
        else:
            found.stale += not _true(one, said) and f"{one.course_id}" not in called
    return found


def _true(one: Round, said: Sequence[str]) -> bool:
    """Return whether what was told last is so. A text that says that dates have changed gives none: its link does."""
    old, new = TIMES[one.purpose]
    last = said[-1] if said else ""
    if one.change == "cancel":
        return old not in last
    return old not in last and (new in last or "have changed" in last)
