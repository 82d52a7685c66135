"""A series is booked whole or not at all, and a visit moves between its neighbours."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import NotFound, Refused, Stale
from tracker.models import AuditEntry, Claim, Closure, Course, ProtocolVersion, Reminder, Task, Visit, VisitEvent
from tracker.rules.protocols import TWO_A_WEEK
from tracker.rules.spacing import spacing_faults
from tracker.rules.vocabulary import Indication
from tracker.services import booking, moving, places

MONDAY = date(2026, 3, 9)


def command(kind, **values):
    """Return a command as the web would make it."""
    return kind.model_validate(values, context={"today": NOW.date(), "zone": UTC})


class Diary:
    """The clinic's diary in a coordinator's hands."""

    def __init__(self) -> None:
        self.house = make_clinic()
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

    def plans(self, name: str, code: str = "B", first: date = MONDAY, at: time | None = None):
        """Return the options for `name`."""
        asked = command(booking.PlanCourse, protocol_id=self.protocols[code], first_day=first, preferred_time=at)
        person = self.patient(name)
        with db.read() as session:
            return booking.options(session, self.house.coordinator, person, asked, now=NOW)

    def book(self, name: str, plan, code: str = "B") -> Course:
        """Book a plan for `name`."""
        wanted = command(
            booking.BookCourse,
            protocol_id=self.protocols[code],
            first_day=MONDAY,
            indication=Indication.TRD,
            visit=tuple(places.as_place(visit) for visit in plan.visits),
        )
        person = self.patient(name)
        with db.transaction() as session:
            return booking.book_course(session, self.house.coordinator, person, wanted, now=NOW)

    def visits(self, name: str) -> list[Visit]:
        """Return the visits of `name` in order."""
        with db.read() as session:
            query = select(Visit).where(Visit.patient_id == self.patient(name)).order_by(Visit.starts_at)
            return list(session.scalars(query))

    def move(self, visit: Visit, place: places.Place, **more) -> Visit:
        """Move a visit."""
        wanted = moving.MoveVisit(place=place, version=visit.version, **more)
        with db.transaction() as session:
            return moving.move_visit(session, self.house.coordinator, visit.id, wanted, now=NOW)


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which nothing is booked."""
    return Diary()


def count(model) -> int:
    """Return how many rows there are."""
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_six_visits_are_found_shown_and_booked_with_all_that_belongs_to_them(diary):
    """One phone call: six visits, their claims, messages, tasks and the audit entry."""
    found = diary.plans("Ada", at=time(9))
    assert 1 <= len(found.plans) <= 3
    diary.book("Ada", found.plans[0])

    visits = diary.visits("Ada")
    assert [visit.ordinal for visit in visits] == [1, 2, 3, 4, 5, 6]
    assert spacing_faults([visit.starts_at for visit in visits], TWO_A_WEEK) == []
    assert count(Claim) >= 6 * 5  # patient, room, nurse, her start, physician
    assert count(Reminder) > 6
    assert count(Task) >= 1
    with db.read() as session:
        actions = session.scalars(select(AuditEntry.action)).all()
    assert "book course" in actions


def test_a_place_taken_meanwhile_refuses_the_whole_series(diary):
    """Ada and Ben are shown the same plan; Ada takes it, so Ben gets none of his six, and hears why."""
    shown_to_ada, shown_to_ben = diary.plans("Ada").plans[0], diary.plans("Ben").plans[0]
    diary.book("Ada", shown_to_ada)
    with pytest.raises(Refused, match=r"Visit 1, Mon, Mar 9, .*: \w+ is taken"):
        diary.book("Ben", shown_to_ben)
    assert (len(diary.visits("Ada")), len(diary.visits("Ben"))) == (6, 0)
    diary.book("Ben", diary.plans("Ben").plans[0])
    assert len(diary.visits("Ben")) == 6


def test_nobody_is_booked_twice_at_once(diary):
    """Ada's second series finds other hours than her first."""
    diary.book("Ada", diary.plans("Ada").plans[0])
    diary.book("Ada", diary.plans("Ada", "S").plans[0], "S")
    visits = diary.visits("Ada")
    assert all(a.ends_at - timedelta(minutes=15) <= b.starts_at for a, b in pairwise(visits))


def test_a_second_series_keeps_its_distance_from_the_first(diary):
    """No infusion on the day of another, nor nearer than the protocol allows, whatever series it belongs to."""
    shown_before = diary.plans("Ada").plans[1]
    diary.book("Ada", diary.plans("Ada").plans[0])
    with pytest.raises(Refused):
        diary.book("Ada", shown_before)
    diary.book("Ada", diary.plans("Ada").plans[0])
    starts = sorted(visit.starts_at for visit in diary.visits("Ada"))
    assert len(starts) == 12
    assert min(later - earlier for earlier, later in pairwise(starts)) >= TWO_A_WEEK.min_gap


def test_places_that_break_the_protocol_are_refused_though_they_are_free(diary):
    """Whoever edits the form by hand gets no six visits in a row."""
    plan = diary.plans("Ada").plans[0]
    first = places.as_place(plan.visits[0])
    squeezed = tuple(places.Place(first.starts_at + timedelta(hours=3 * n), first.room_id) for n in range(6))
    wanted = command(
        booking.BookCourse,
        protocol_id=diary.protocols["B"],
        first_day=MONDAY,
        indication=Indication.TRD,
        visit=squeezed,
    )
    with pytest.raises(Refused), db.transaction() as session:
        booking.book_course(session, diary.house.coordinator, diary.patient("Ada"), wanted, now=NOW)
    assert count(Course) == 0


def test_closures_and_hours_are_kept(diary):
    """Nothing is offered on a closed day, before opening or after closing."""
    house = diary.house
    closed = datetime(2026, 3, 9, 6, tzinfo=UTC), datetime(2026, 3, 11, 6, tzinfo=UTC)
    with db.transaction() as session:
        session.add(Closure(clinic_id=house.clinic.id, starts_at=closed[0], ends_at=closed[1], reason="snow"))
    for plan in diary.plans("Ada").plans:
        for visit in plan.visits:
            local = visit.starts_at.astimezone(house.clinic.zone)
            assert not closed[0] <= visit.starts_at < closed[1]
            assert time(8) <= local.time() <= time(15, 15)
            assert local.weekday() < 5


def test_another_clinics_patient_is_not_there(diary):
    """The other clinic's coordinator can't tell a stranger's patient from nobody."""
    other = make_clinic()
    asked = command(booking.PlanCourse, protocol_id=diary.protocols["B"], first_day=MONDAY)
    with pytest.raises(NotFound), db.read() as session:
        booking.options(session, other.coordinator, diary.patient("Ada"), asked, now=NOW)


def test_a_visit_moves_between_its_neighbours_and_is_to_be_confirmed_again(diary):
    """The claims follow, the history says from where to where and why."""
    diary.book("Ada", diary.plans("Ada").plans[0])
    third = diary.visits("Ada")[2]
    with db.transaction() as session:
        session.get(Visit, third.id).confirmed_at = NOW
    third = diary.visits("Ada")[2]
    with db.read() as session:
        choices = moving.move_options(session, diary.house.coordinator, third.id, now=NOW)
    assert choices
    place = places.as_place(choices[0].visit)
    diary.move(third, place, reason="she works that day")

    moved = next(visit for visit in diary.visits("Ada") if visit.id == third.id)
    assert moved.starts_at == place.starts_at != third.starts_at
    assert moved.confirmed_at is None
    with db.read() as session:
        held = session.scalars(select(Claim).where(Claim.visit_id == third.id)).all()
        event = session.scalars(select(VisitEvent).where(VisitEvent.visit_id == third.id)).one()
    assert min(claim.starts_at for claim in held) == place.starts_at
    assert "she works that day" in event.detail


def test_a_move_from_a_stale_page_changes_nothing(diary):
    """Somebody moved it first: the second one is told."""
    diary.book("Ada", diary.plans("Ada").plans[0])
    third = diary.visits("Ada")[2]
    with db.read() as session:
        choices = moving.move_options(session, diary.house.coordinator, third.id, now=NOW)
    diary.move(third, places.as_place(choices[0].visit))
    with pytest.raises(Stale):
        diary.move(third, places.as_place(choices[1].visit))


def test_a_move_past_a_neighbour_is_refused(diary):
    """Visit 3 can't come after visit 5."""
    diary.book("Ada", diary.plans("Ada").plans[0])
    visits = diary.visits("Ada")
    third, last = visits[2], visits[-1]
    place = places.Place(last.starts_at + timedelta(days=2), third.room_id)
    with pytest.raises(Refused):
        diary.move(third, place)


def test_a_move_that_makes_the_series_too_long_is_refused_and_not_offered(diary):
    """The last visit may wait a week after the fifth, but not past the protocol's span."""
    with db.transaction() as session:
        row = session.get(ProtocolVersion, diary.protocols["B"])
        row.definition = {**row.definition, "max_span_days": 18}
    diary.book("Ada", diary.plans("Ada").plans[0])
    last = diary.visits("Ada")[-1]
    with pytest.raises(Refused, match="more than 18 days"):
        diary.move(last, places.Place(last.starts_at + timedelta(days=4), last.room_id))
    with db.read() as session:
        offered = moving.move_options(session, diary.house.coordinator, last.id, now=NOW)
    first = diary.visits("Ada")[0].starts_at
    assert all((one.visit.starts_at - first).days <= 18 for one in offered)


def test_a_visit_does_not_move_next_to_one_of_another_series(diary):
    """Ada has a single visit besides her six: none of them comes nearer to it than the protocol allows."""
    single = diary.plans("Ada", "S", first=date(2026, 4, 20)).plans[0]
    diary.book("Ada", single, "S")
    diary.book("Ada", diary.plans("Ada").plans[0])
    last = next(visit for visit in diary.visits("Ada") if visit.ordinal == 6)
    near = single.visits[0].starts_at
    with db.read() as session:
        offered = moving.move_options(session, diary.house.coordinator, last.id, now=NOW)
    assert all(abs(one.visit.starts_at - near) >= TWO_A_WEEK.min_gap for one in offered)
    with pytest.raises(Refused):
        diary.move(last, places.Place(near + timedelta(hours=3), last.room_id))
