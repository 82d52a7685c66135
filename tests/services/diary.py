"""The clinic's diary in a coordinator's hands: what tests of booking, moving and shifting say short."""

from datetime import UTC, date, datetime

from sqlalchemy import func, select

from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import Claim, Course, ProtocolVersion, Reminder, Visit, VisitEvent
from tracker.rules.cadence import Purpose
from tracker.rules.visit import Move
from tracker.rules.vocabulary import Indication, VisitStatus
from tracker.services import bedside, booking, moving, places, replacing, shifting

MONDAY = date(2026, 3, 9)


def command(kind, **values):
    """Return a command as the web would make it."""
    return kind.model_validate(values, context={"today": NOW.date(), "zone": UTC})


def count(model, *where) -> int:
    """Return how many rows there are."""
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where)) or 0


class Diary:
    """A clinic in which nothing is booked, and what its coordinator does."""

    def __init__(self) -> None:
        self.house = make_clinic()
        self.now = NOW
        self.people = {}
        with db.read() as session:
            rows = session.scalars(
                select(ProtocolVersion).where(ProtocolVersion.clinic_id == self.house.clinic.id)
            ).all()
        self.protocols = {row.code: row.id for row in rows}

    def patient(self, name: str):
        """Return the patient called `name`, adding her if she is new."""
        if name not in self.people:
            self.people[name] = self.house.patient(name)
        return self.people[name]

    def options(self, name: str, code: str = "B", first: date = MONDAY, kind=booking.PlanCourse, **wishes):
        """Return what is found for `name`."""
        asked = command(kind, protocol_id=self.protocols[code], first_day=first, **wishes)
        person = self.patient(name)
        with db.read() as session:
            return booking.options(session, self.house.coordinator, person, asked, now=self.now)

    def book(self, name: str, plan=None, code: str = "B", *, now: datetime = NOW, **wishes) -> Course:
        """Book a plan for `name`: the one given, else the best."""
        visits = plan.visits if plan else self.options(name, code, **wishes).plans[0].visits
        wanted = command(
            booking.BookCourse,
            protocol_id=self.protocols[code],
            first_day=wishes.pop("first", MONDAY),
            indication=Indication.TRD,
            visit=tuple(places.as_place(visit) for visit in visits),
            **wishes,
        )
        person = self.patient(name)
        with db.transaction() as session:
            return booking.book_course(session, self.house.coordinator, person, wanted, now=now)

    def visits(self, name: str) -> list[Visit]:
        """Return the visits of `name` in order of time."""
        with db.read() as session:
            query = select(Visit).where(Visit.patient_id == self.patient(name)).order_by(Visit.starts_at)
            return list(session.scalars(query))

    def live(self, name: str) -> list[Visit]:
        """Return those that count."""
        gone = (VisitStatus.NO_SHOW, VisitStatus.HELD, VisitStatus.CANCELLED)
        return [one for one in self.visits(name) if one.status not in gone]

    def end(self, visit: Visit, status: VisitStatus) -> None:
        """Let a visit have come to an end, with what it held given back."""
        with db.transaction() as session:
            session.get(Visit, visit.id).status = status
            if status is not VisitStatus.DISCHARGED:
                places.release(session, visit)

    def cancel(self, visit: Visit) -> None:
        """Cancel a visit as the desk does."""
        with db.transaction() as session:
            asked = bedside.MakeMove(move=Move.CANCEL, reason="she is away")
            bedside.make_move(session, self.house.coordinator, visit.id, asked, now=self.now)

    def move(self, visit: Visit, place: places.Place, **more) -> Visit:
        """Move a visit."""
        wanted = moving.MoveVisit(place=place, version=visit.version, **more)
        with db.transaction() as session:
            return moving.move_visit(session, self.house.coordinator, visit.id, wanted, now=self.now)

    def move_options(self, visit: Visit):
        """Return other places for a visit."""
        with db.read() as session:
            return moving.move_options(session, self.house.coordinator, visit.id, now=self.now)

    def shift_options(self, course: Course, first: int, now: datetime = NOW, **wishes):
        """Return where the rest of a series could go."""
        with db.read() as session:
            usual = shifting.usual_wishes(session, self.house.coordinator, course.id, first, now=now)
            asked = command(shifting.AskShift, first=first, **{"first_day": usual.earliest, **wishes})
            return shifting.shift_options(session, self.house.coordinator, course.id, asked, now=now)

    def shift(self, course: Course, found, number: int = 0, now: datetime = NOW, **more) -> None:
        """Take one of the plans."""
        plan = found.plans[number]
        wanted = command(
            shifting.ShiftRest,
            first=found.first,
            first_day=plan.starts[0].date(),
            seen=found.series.seen,
            visit=tuple(places.as_place(visit) for visit in plan.visits),
            **more,
        )
        with db.transaction() as session:
            shifting.shift_rest(session, self.house.coordinator, course.id, wanted, now=now)

    def replacement(self, visit: Visit, now: datetime = NOW):
        """Return where a missed visit can be made up for."""
        with db.read() as session:
            return replacing.replacement_options(session, self.house.coordinator, visit.id, now=now)

    def replace(self, visit: Visit, found, alternative, now: datetime = NOW) -> Visit:
        """Take one of the places."""
        place = places.as_place(alternative.visit)
        wanted = replacing.ReplaceVisit(place=place, seen=found.series.seen, reason="no-show")
        with db.transaction() as session:
            return replacing.replace_visit(session, self.house.coordinator, visit.id, wanted, now=now)

    def moves(self, visit: Visit) -> list[str]:
        """Return how a visit came to its place."""
        with db.read() as session:
            query = select(VisitEvent.detail).where(VisitEvent.visit_id == visit.id, VisitEvent.kind == "moved")
            return list(session.scalars(query))

    def told(self, purpose: Purpose = Purpose.CHANGED) -> int:
        """Return how many messages of a kind wait to be sent."""
        return count(Reminder, Reminder.purpose == purpose, Reminder.status == "scheduled")

    def holds(self, name: str) -> bool:
        """Return whether exactly the booked visits of `name` hold their rooms, each from its start to its end."""
        with db.read() as session:
            claims = session.execute(
                select(Claim.visit_id, Claim.resource_id, Claim.starts_at, Claim.ends_at)
                .join(Visit, Visit.id == Claim.visit_id)
                .where(Visit.patient_id == self.patient(name), Claim.resource_id == Visit.room_id)
            ).all()
        wanted = {(one.id, one.room_id, one.starts_at, one.ends_at) for one in self.live(name)}
        return {tuple(row) for row in claims} == wanted
