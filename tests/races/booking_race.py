"""Sixteen writers in several processes who want one place: each a whole series, through the whole application.

Every round has weeks of its own. The series of a round are all different and all meet in their third visit: the same
room, within an hour. So exactly one of them can be booked.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text

from tests import claims
from tests.conftest import NOW
from tests.factories import House, make_clinic
from tests.fresh import FRESH
from tests.web.conftest import KEY, sign_in
from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config
from tracker.models import ProtocolVersion
from tracker.rules.permissions import Actor
from tracker.services import capacity, clinic

WRITERS = 16
PATIENCE = 240  # seconds that anybody waits for the others
FIRST = date(2026, 3, 9)  # a Monday after NOW


@dataclass
class Outcome:
    """What came of a race."""

    attempts: int = 0
    winners: list[int] = field(default_factory=list)  # by round
    answers: Counter[int] = field(default_factory=Counter)  # by HTTP status
    overlaps: int = 0  # pairs of claims that share a lane and time
    half_courses: int = 0

    @property
    def doubled(self) -> int:
        """Rounds in which more than one series was booked."""
        return sum(winners > 1 for winners in self.winners)


@dataclass(frozen=True)
class Writer:
    """What a process has to know of one of its threads."""

    actor: Actor
    patient_id: UUID
    forms: list[dict[str, Any]]  # by round


def race(url: str, rounds: int, *, processes: int = 4, guarded: bool = True) -> Outcome:
    """Run the race on a fresh, migrated database; with `guarded` off, both guards are taken out first."""
    db.configure(url)
    house = make_clinic()
    writers = _writers(house, rounds)
    if not guarded:
        take_out_guard()
    start, answers = FRESH.Barrier(WRITERS), FRESH.Queue()
    shares = [writers[n::processes] for n in range(processes)]
    running = [FRESH.Process(target=_write, args=(url, share, guarded, start, answers)) for share in shares]
    for process in running:
        process.start()
    try:
        given = [answers.get(timeout=PATIENCE) for _ in range(WRITERS * rounds)]
    finally:
        for process in running:
            process.join(5)
            process.kill()
    outcome = Outcome(attempts=len(given), answers=Counter(status for _round, status in given))
    outcome.winners = [sum(status == 303 for where, status in given if where == n) for n in range(rounds)]
    outcome.overlaps, outcome.half_courses = claims.overlaps(), len(claims.half_courses() + claims.imbalances())
    return outcome


def take_out_guard() -> None:
    """Take out the database's own; whoever writes has to leave out the other one."""
    with db.engine().begin() as connection:
        if db.engine().dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER claim_no_overlap"))
        else:
            connection.execute(text("ALTER TABLE claim DROP CONSTRAINT ex_claim_overlap"))


def _writers(house: House, rounds: int) -> list[Writer]:
    with db.read() as session:
        query = select(ProtocolVersion.id).where(ProtocolVersion.code == "A")
        protocol = session.scalars(query.where(ProtocolVersion.clinic_id == house.clinic.id)).one()
    forms = [[_form(house, protocol, n, writer) for n in range(rounds)] for writer in range(WRITERS)]
    return [Writer(house.coordinator, house.patient(f"Person {n}"), forms[n]) for n in range(WRITERS)]


def _form(house: House, protocol: UUID, number: int, writer: int) -> dict[str, Any]:
    first = FIRST + timedelta(weeks=2 * number)
    rooms = [house.resources[name] for name in ("Sage", "Juniper", "Mesa")]
    visits = []
    for ordinal, days in enumerate((0, 2, 4, 7, 9, 11), start=1):
        room = rooms[0] if ordinal == 3 else rooms[(writer + ordinal) % 3]
        hour = time(9 + (0 if ordinal == 3 else writer % 4), 15 * (writer // 4))
        starts_at = datetime.combine(first + timedelta(days=days), hour, house.clinic.zone).astimezone(UTC)
        visits.append(f"{starts_at:%Y-%m-%dT%H:%MZ}~{room}")
    return {
        "request_key": str(uuid4()),
        "protocol_id": str(protocol),
        "indication": "trd",
        "first_day": first.isoformat(),
        "visit": visits,
    }


# In the writers' processes


def _write(url: str, share: list[Writer], guarded: bool, start: Any, answers: Any) -> None:
    db.configure(url)
    clock.shift(NOW - clock.now())
    app = create_app(Config(secret_key=KEY))
    look = (lambda _writer, _form: None) if guarded else _without_lock()
    threads = [threading.Thread(target=_run, args=(app, writer, look, start, answers)) for writer in share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _run(app: Any, writer: Writer, look: Any, start: Any, answers: Any) -> None:
    client = app.test_client()
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    sign_in(client, writer.actor)
    for number, form in enumerate(writer.forms):
        look(writer, form)
        start.wait(PATIENCE)
        answer = client.post(f"/patients/{writer.patient_id}/courses", data=form)
        answers.put((number, answer.status_code))


def _without_lock() -> Any:
    """Lock nothing, and on SQLite, where one writes at a time, look before the transaction in which is written."""
    capacity.lock = lambda *_args, **_more: None
    if db.engine().dialect.name == "postgresql":
        return lambda _writer, _form: None
    seen, load = threading.local(), capacity.load

    def look(writer: Writer, form: dict[str, Any]) -> None:
        first = date.fromisoformat(form["first_day"])
        with db.read() as session:
            place = clinic.info(session, writer.actor.clinic_id)
            seen.free = load(session, place, first, first + timedelta(days=11), patients=[writer.patient_id])

    capacity.load = lambda *_args, **_more: seen.free
    return look
