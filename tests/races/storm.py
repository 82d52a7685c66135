"""Sixteen writers at everything a desk does, all at once, in the same few weeks of one small clinic.

They book (what the planner found, or a place of their own choosing), move, shift, cancel and replace, each from a form
that may be old by the time it is sent; the first one closes a room now and then and has the lost visits moved. Nothing
is kept apart: any writer may meet any patient, any series, any room.
"""

import random
import threading
import time as stopwatch
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from sqlalchemy import select, text

from tests import claims
from tests.conftest import NOW
from tests.factories import House, make_clinic
from tests.fresh import FRESH
from tests.races.booking_race import PATIENCE, WRITERS, take_out_guard
from tests.web.conftest import KEY, sign_in
from tracker import clock, db, jobs
from tracker.app import create_app
from tracker.config import Config
from tracker.errors import Refused, TrackerError
from tracker.models import Closure, Job, ProtocolVersion, Visit
from tracker.rules.permissions import Actor
from tracker.rules.plan import PlannedVisit
from tracker.rules.vocabulary import VisitStatus
from tracker.services import booking, capacity, clinic, moving, places, replacing, shifting

FIRST = date(2026, 3, 9)  # a Monday after NOW
WEEKS = 3  # within which everything begins
PEOPLE = 40
LEAST = 3  # forms that each sends, however slow the machine is
EVERY = 8  # seconds between two days that are lost
CODES = ("A", "B", "F")  # six, six and four visits, with gaps of their own


@dataclass
class Outcome:
    """What came of a storm."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)  # by what was asked, and HTTP status
    overlaps: int = 0
    deadlocks: int = 0  # that the database had to break; SQLite has none
    half_courses: list[str] = field(default_factory=list)
    imbalances: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How many forms were sent."""
        return sum(self.answers.values())

    @property
    def failures(self) -> int:
        """How many answers were none."""
        return sum(number for (_what, status), number in self.answers.items() if status >= 500)

    def done(self, what: str) -> int:
        """Return how often something was done."""
        return self.answers[what, 303]


def storm(
    url: str, seconds: float, *, processes: int = WRITERS, guarded: bool = True, till_overlap: bool = False
) -> Outcome:
    """Let it blow on a fresh, migrated database; with `guarded` off, both guards are taken out first.

    Args:
        till_overlap: It may end before its time, as soon as two have the same place.
    """
    db.configure(url)
    house = make_clinic()
    people = [house.patient(f"Person {n}") for n in range(PEOPLE)]
    if not guarded:
        take_out_guard()
    start, enough, answers = FRESH.Barrier(WRITERS), FRESH.Event(), FRESH.Queue()
    shares = [range(WRITERS)[n::processes] for n in range(processes)]
    running = [
        FRESH.Process(target=_work, args=(url, share, house, people, seconds, guarded, start, enough, answers))
        for share in shares
    ]
    for process in running:
        process.start()
    try:
        while till_overlap and not enough.is_set() and all(process.is_alive() for process in running):
            stopwatch.sleep(0.2)
            if claims.overlaps():
                enough.set()
        given = [answers.get(timeout=PATIENCE + seconds) for _ in range(WRITERS)]
    finally:
        for process in running:
            process.join(5)
            process.kill()
    found = Outcome(sum(given, Counter()), claims.overlaps(), _deadlocks())
    found.half_courses, found.imbalances = claims.half_courses(), claims.imbalances()
    return found


def _deadlocks() -> int:
    if db.engine().dialect.name != "postgresql":
        return 0
    with db.read() as session:
        query = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(session.scalar(query) or 0)


# In the writers' processes


def _work(
    url: str,
    share: range,
    house: House,
    people: list[UUID],
    seconds: float,
    guarded: bool,
    start: Any,
    enough: Any,
    answers: Any,
) -> None:
    db.configure(url)
    clock.shift(NOW - clock.now())
    app = create_app(Config(secret_key=KEY))
    if not guarded:
        _without_lock()
    writers = [_Writer(number, house, people, app.test_client(), number == share[0]) for number in share]
    threads = [threading.Thread(target=writer.run, args=(seconds, start, enough, answers)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _without_lock() -> None:
    """Lock nothing. On SQLite, where one writes at a time, look in another transaction than the one that writes."""
    capacity.lock = lambda *_args, **_more: None
    if db.engine().dialect.name == "postgresql":
        return
    load = capacity.load

    def look(session: Any, *args: Any, **more: Any) -> Any:
        free, connection = load(session, *args, **more), session.connection()
        if not connection.get_execution_options().get("postgresql_readonly"):
            connection.exec_driver_sql("COMMIT")
            db._one_writer.release()
            stopwatch.sleep(0.01)
            db._one_writer.acquire()
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        return free

    capacity.load = look


class _Writer:
    """One person at a desk, with a browser."""

    def __init__(self, number: int, house: House, people: list[UUID], client: FlaskClient, looks_around: bool) -> None:
        self.number, self.people, self.client, self.looks_around = number, people, client, looks_around
        self.actor: Actor = house.coordinator
        self.house = house
        self.chance = random.Random(number)
        self.answers: Counter[tuple[str, int]] = Counter()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        with db.read() as session:
            query = select(ProtocolVersion).where(ProtocolVersion.clinic_id == self.actor.clinic_id)
            self.protocols = [row for row in session.scalars(query) if row.code in CODES]
            self.zone = clinic.info(session, self.actor.clinic_id).zone
        kinds = [self._book, self._book_own, self._move, self._shift, self._cancel, self._replace]
        self.days_work = kinds, (4, 4, 5, 2, 4, 4)

    def run(self, seconds: float, start: Any, enough: Any, answers: Any) -> None:
        """Do one thing after the other until the time is over, but some at least, or until it is enough."""
        try:
            sign_in(self.client, self.actor)
            if self.looks_around:
                self._look_around()
            start.wait(PATIENCE)
            until = stopwatch.monotonic() + seconds
            lost = until - seconds * 2 / 3  # by then there is something to lose
            while not enough.is_set() and (stopwatch.monotonic() < until or self.answers.total() < LEAST):
                if self.number == 0 and stopwatch.monotonic() > lost:
                    self._lose_a_day()
                    lost = stopwatch.monotonic() + EVERY
                self._try(self.chance.choices(*self.days_work)[0])
        except Exception as error:  # a thread's own would be lost
            self.answers[repr(error), 599] += 1
        finally:
            answers.put(self.answers)

    def _look_around(self) -> None:
        """See each page once, one writer for all of a process: a template's first time is not part of the race."""
        person = self.people[self.number]
        asked = {"protocol_id": str(self.protocols[0].id), "first_day": FIRST.isoformat()}
        self.client.get(f"/patients/{person}/courses/new", query_string=asked)

    def _try(self, do: Callable[[], None]) -> None:
        """A form is only sent if the page before it could be shown."""
        try:
            do()
        except (Refused, LookupError):
            return
        except TrackerError as error:
            self.answers["look", error.status] += 1

    def _send(self, asked: str, path: str, **fields: Any) -> Any:
        answer = self.client.post(path, data={"request_key": str(uuid4()), **fields})
        self.answers[asked, answer.status_code] += 1
        return answer

    def _asked(self) -> tuple[UUID, ProtocolVersion, date]:
        first = FIRST + timedelta(days=self.chance.randrange(7 * WEEKS))
        return self.chance.choice(self.people), self.chance.choice(self.protocols), first

    def _send_course(self, person: UUID, protocol: ProtocolVersion, first: date, visits: list[str]) -> None:
        asked = {"protocol_id": str(protocol.id), "first_day": first.isoformat(), "indication": "trd"}
        self._send("book", f"/patients/{person}/courses", **asked, visit=visits)

    def _book(self) -> None:
        person, protocol, first = self._asked()
        wanted = booking.PlanCourse.model_construct(**_wishes(first), protocol_id=protocol.id)
        with db.read() as session:
            found = booking.options(session, self.actor, person, wanted, now=clock.now())
        self._send_course(person, protocol, first, _spelled(self.chance.choice(found.plans).visits))

    def _book_own(self) -> None:
        """Places that nobody looked up: they meet those of others more often than a planner's do."""
        person, protocol, first = self._asked()
        rounds, day, visits = protocol.protocol.rhythm, first, []
        for n in range(protocol.protocol.visits):
            visits.append(self._somewhere(day))
            day += timedelta(days=rounds[n % len(rounds)])
        self._send_course(person, protocol, first, visits)

    def _somewhere(self, day: date) -> str:
        hour = time(self.chance.randrange(8, 16), 15 * self.chance.randrange(4))
        starts_at = datetime.combine(day, hour, self.zone).astimezone(UTC)
        return f"{starts_at:%Y-%m-%dT%H:%MZ}~{self._room()}"

    def _room(self) -> UUID:
        return self.house.resources[self.chance.choice(("Sage", "Juniper", "Mesa"))]

    def _visit(self, status: VisitStatus) -> Visit:
        """Return any visit of a state. LookupError: there is none."""
        with db.read() as session:
            query = select(Visit).where(Visit.clinic_id == self.actor.clinic_id, Visit.status == status)
            return self.chance.choice(session.scalars(query).all())

    def _move(self) -> None:
        visit = self._visit(VisitStatus.BOOKED)
        place = self._somewhere(visit.starts_at.astimezone(self.zone).date())
        if self.chance.random() < 0.5:
            with db.read() as session:
                found = moving.move_options(session, self.actor, visit.id, now=clock.now())
            place = places.spell(self.chance.choice(found).visit)
        self._send("move", f"/visits/{visit.id}/move", place=place, version=visit.version, reason="a cold")

    def _shift(self) -> None:
        visit = self._visit(VisitStatus.BOOKED)
        with db.read() as session:
            wishes = shifting.usual_wishes(session, self.actor, visit.course_id, visit.ordinal, now=clock.now())
            first = wishes.earliest
            asked = shifting.AskShift.model_construct(**_wishes(first), first=visit.ordinal)
            found = shifting.shift_options(session, self.actor, visit.course_id, asked, now=clock.now())
        visits = _spelled(self.chance.choice(found.plans).visits)
        fields = {"first": found.first, "first_day": first.isoformat(), "seen": found.series.seen, "visit": visits}
        self._send("shift", f"/courses/{visit.course_id}/shift", **fields)

    def _cancel(self) -> None:
        self._send("cancel", f"/visits/{self._visit(VisitStatus.BOOKED).id}/cancel", why="she is away")

    def _replace(self) -> None:
        visit = self._visit(VisitStatus.CANCELLED)
        with db.read() as session:
            found = replacing.replacement_options(session, self.actor, visit.id, now=clock.now())
        place = places.spell(self.chance.choice([*found.between, *found.at_end]).visit)
        self._send("replace", f"/visits/{visit.id}/replace", place=place, seen=found.series.seen)

    def _lose_a_day(self) -> None:
        """Close a room, have places found, move whom it hit, open it again."""
        day = self._visit(VisitStatus.BOOKED).starts_at.astimezone(self.zone).date().isoformat()
        self._send("close", "/hours", who=str(self._room()), what="away", when="day", first_day=day, reason="a leak")
        for _again in range(5):  # it is old as soon as somebody moved one of its visits
            job_id = self._send("look for places", "/repairs").location.rpartition("/")[2]
            self._try(lambda of=job_id: _find(of))
            with db.read() as session:
                version = session.get_one(Job, UUID(job_id)).version
            if self._send("apply", f"/repairs/{job_id}/apply", version=version).status_code == 303:
                break
        with db.read() as session:
            closures = session.scalars(select(Closure.id).where(Closure.reason == "a leak")).all()
        for closure in closures:
            self._send("open", f"/hours/closures/{closure}/end")


def _find(job_id: str) -> None:
    """Do what the worker does."""
    while jobs.do_one(clock.now):
        with db.read() as session:
            if session.get_one(Job, UUID(job_id)).ended_at:
                return


def _wishes(first: date) -> dict[str, Any]:
    return {"first_day": first}


def _spelled(visits: tuple[PlannedVisit, ...]) -> list[str]:
    return [places.spell(visit) for visit in visits]
