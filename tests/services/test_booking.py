"""A series is booked whole or not at all, with what the patient asked for."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from tests.conftest import NOW
from tests.factories import make_clinic
from tests.services.diary import MONDAY, Diary, command, count
from tracker import db
from tracker.errors import NotFound, Refused
from tracker.models import AuditEntry, Claim, Closure, Course, ProtocolVersion, Reminder, Resource, Task
from tracker.rules.plan import Wish, Wishes
from tracker.rules.protocols import TWO_A_WEEK
from tracker.rules.spacing import spacing_faults
from tracker.rules.vocabulary import Indication, ResourceKind
from tracker.services import booking, places
from tracker.services.wishing import fields_of


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which nothing is booked."""
    return Diary()


def test_six_visits_are_found_shown_and_booked_with_all_that_belongs_to_them(diary):
    """One phone call: six visits, their claims, messages, tasks and the audit entry."""
    found = diary.options("Ada", preferred_time=time(9))
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
    shown_to_ada, shown_to_ben = diary.options("Ada").plans[0], diary.options("Ben").plans[0]
    diary.book("Ada", shown_to_ada)
    with pytest.raises(Refused, match=r"Visit 1, Mon, Mar 9, .*: \w+ is taken"):
        diary.book("Ben", shown_to_ben)
    assert (len(diary.visits("Ada")), len(diary.visits("Ben"))) == (6, 0)
    diary.book("Ben", diary.options("Ben").plans[0])
    assert len(diary.visits("Ben")) == 6


def test_nobody_is_booked_twice_at_once(diary):
    """Ada's second series finds other hours than her first."""
    diary.book("Ada", diary.options("Ada").plans[0])
    diary.book("Ada", diary.options("Ada", "S").plans[0], "S")
    visits = diary.visits("Ada")
    assert all(a.ends_at - timedelta(minutes=15) <= b.starts_at for a, b in pairwise(visits))


def test_a_second_series_keeps_its_distance_from_the_first(diary):
    """No infusion on the day of another, nor nearer than the protocol allows, whatever series it belongs to."""
    shown_before = diary.options("Ada").plans[1]
    diary.book("Ada", diary.options("Ada").plans[0])
    with pytest.raises(Refused):
        diary.book("Ada", shown_before)
    diary.book("Ada", diary.options("Ada").plans[0])
    starts = sorted(visit.starts_at for visit in diary.visits("Ada"))
    assert len(starts) == 12
    assert min(later - earlier for earlier, later in pairwise(starts)) >= TWO_A_WEEK.min_gap


def test_places_that_break_the_protocol_are_refused_though_they_are_free(diary):
    """Whoever edits the form by hand gets no six visits in a row."""
    plan = diary.options("Ada").plans[0]
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
    for plan in diary.options("Ada").plans:
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


def test_the_wishes_are_kept_with_the_course(diary):
    """Never Thursdays, rather Mesa, a day off: what was asked for at booking stands there for every later move."""
    asked = {
        "weekdays": frozenset({0, 1, 2, 4}),
        "days_off": frozenset({date(2026, 3, 11)}),
        "room_id": diary.house.resources["Mesa"],
        "must": frozenset({Wish.WEEKDAYS, Wish.DAYS_OFF}),
    }
    course = diary.book("Ada", **asked)
    with db.read() as session:
        kept = Wishes.from_data(session.get(Course, course.id).wishes)
    assert (kept.weekdays, kept.days_off, kept.room_id) == (asked["weekdays"], asked["days_off"], asked["room_id"])
    assert kept.hard == asked["must"]
    days = [visit.starts_at.astimezone(diary.house.clinic.zone).date() for visit in diary.visits("Ada")]
    assert all(day.weekday() != 3 and day != date(2026, 3, 11) for day in days)


def test_when_nothing_fits_each_help_is_wishes_to_plan_with(diary):
    """Only Mondays is too seldom for two a week: planned again with any of the helps, it fits."""
    nothing = diary.options("Ada", weekdays=frozenset({0}))
    assert not nothing.plans
    assert nothing.helps
    for one in nothing.helps:
        wishes = fields_of(one.wishes)
        assert diary.options("Ada", first=wishes.pop("first_day"), **wishes).plans, one.text


def test_a_wish_that_costs_something_says_what(diary):
    """Without the wish for the afternoon it would begin earlier."""
    house = diary.house
    with db.transaction() as session:
        first, last = (datetime(2026, 3, day, 19, tzinfo=UTC) for day in (9, 13))
        for day in range((last - first).days + 1):
            starts = first + timedelta(days=day)
            closed = {"starts_at": starts, "ends_at": starts + timedelta(hours=5)}
            session.add(Closure(clinic_id=house.clinic.id, reason="course", **closed))
    found = diary.options("Ada", arrive_from=time(13))
    assert [price.wish for price in found.prices] == [Wish.HOURS]
    assert "starts Mon, Mar 9" in found.prices[0].text


def test_a_retired_protocol_is_neither_planned_nor_booked(diary):
    """Whoever has the form of an older version open is told so."""
    plan = diary.options("Ada").plans[0]
    with db.transaction() as session:
        session.get(ProtocolVersion, diary.protocols["B"]).retired_at = NOW
    with pytest.raises(Refused, match="no longer booked in this version"):
        diary.options("Ada")
    with pytest.raises(Refused, match="no longer booked in this version"):
        diary.book("Ada", plan)
    assert count(Course) == 0


def test_a_pump_is_a_row_and_a_word_in_the_protocol(diary):
    """One pump for three rooms: whoever is booked second gets other hours, and no code knows what a pump is."""
    with db.transaction() as session:
        row = session.get(ProtocolVersion, diary.protocols["B"])
        phases = [
            {**phase, "holds": [*phase["holds"], {"what": "pump"}]} if phase["name"] == "infusion" else phase
            for phase in row.definition["phases"]
        ]
        row.definition = {**row.definition, "phases": phases}
        pump = Resource(clinic_id=row.clinic_id, kind=ResourceKind.EQUIPMENT, name="Pump 1", detail="pump")
        session.add(pump)
    diary.book("Ada")
    diary.book("Ben")
    assert count(Claim, Claim.resource_id == pump.id) == 12
    with db.read() as session:
        held = session.execute(
            select(Claim.starts_at, Claim.ends_at).where(Claim.resource_id == pump.id).order_by(Claim.starts_at)
        ).all()
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(held))
    with db.transaction() as session:
        session.get(Resource, pump.id).retired_at = NOW
    assert diary.options("Cid").scarce == "There are too few days with a free pump."


def test_a_plan_that_was_chosen_is_shown_with_other_places_for_one_visit(diary):
    """Those for visit 3 lie between visits 2 and 4, and each makes a plan that can be booked."""
    visits = diary.options("Ada").plans[0].visits
    chosen = tuple(places.as_place(visit) for visit in visits)
    choice = diary.options("Ada", kind=booking.ChoosePlaces, visit=chosen, change=3).choice
    assert [places.as_place(visit) for visit in choice.visits] == list(chosen)
    assert choice.others
    for one in choice.others:
        assert visits[1].starts_at + TWO_A_WEEK.min_gap <= one.visit.starts_at
        assert one.visit.starts_at <= visits[3].starts_at - TWO_A_WEEK.min_gap
        assert one.visit.starts_at != visits[2].starts_at


def test_what_was_taken_of_a_choice_has_another_place_and_is_named(diary):
    """Ben takes one hour of Ada's third visit: the other five stay."""
    chosen = tuple(places.as_place(visit) for visit in diary.options("Ada").plans[0].visits)
    third = chosen[2]
    with db.transaction() as session:
        closed = {"starts_at": third.starts_at, "ends_at": third.starts_at + timedelta(minutes=30)}
        session.add(Closure(clinic_id=diary.house.clinic.id, resource_id=third.room_id, reason="leak", **closed))
    choice = diary.options("Ada", kind=booking.ChoosePlaces, visit=chosen).choice
    assert len(choice.taken) == 1
    assert choice.taken[0].startswith("Visit 3, Mon, Mar 16")
    kept = [places.as_place(visit) for visit in choice.visits]
    assert kept[:2] + kept[3:] == [*chosen[:2], *chosen[3:]]
    assert kept[2] != third


def test_a_plan_from_yesterday_is_refused_and_books_nothing(diary):
    """The first visit's hour is over by now."""
    plan = diary.options("Ada").plans[0]
    with pytest.raises(Refused, match="That time is over"):
        diary.book("Ada", plan, now=plan.starts[0] + timedelta(minutes=1))
    assert count(Course) == 0


def test_a_gap_that_the_clinic_granted_is_kept_and_written_down(diary):
    """Two weeks closed between the second and the third visit: it fits with a longer gap only, and says so for ever."""
    house = diary.house
    closed = datetime(2026, 3, 13, 6, tzinfo=UTC), datetime(2026, 3, 22, 6, tzinfo=UTC)
    with db.transaction() as session:
        session.add(Closure(clinic_id=house.clinic.id, starts_at=closed[0], ends_at=closed[1], reason="painters"))
    course = diary.book("Ada", longest_gap=14)
    assert diary.options("Ben").plans[0].starts[0] > closed[1]  # nobody granted Ben anything
    with db.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "book course")).one()
        assert entry.detail == {"longest_gap": 14}
        assert Wishes.from_data(session.get(Course, course.id).wishes).longest_gap == 14
