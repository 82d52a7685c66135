"""A visit moves between its neighbours; the rest is shifted as one course; what was missed is made up for."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.services.diary import Diary, count
from tracker import db
from tracker.errors import Refused, Stale
from tracker.models import Claim, Closure, Course, ProtocolVersion, Reminder, Task, Visit, VisitEvent
from tracker.rules.plan import Wish
from tracker.rules.protocols import TWO_A_WEEK
from tracker.rules.spacing import spacing_faults
from tracker.rules.vocabulary import TaskStatus, VisitStatus
from tracker.services import places


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which nothing is booked."""
    return Diary()


def test_a_visit_moves_between_its_neighbours_and_is_to_be_confirmed_again(diary):
    """The claims follow, the history says from where to where and why."""
    diary.book("Ada", diary.options("Ada").plans[0])
    third = diary.visits("Ada")[2]
    with db.transaction() as session:
        session.get(Visit, third.id).confirmed_at = NOW
    third = diary.visits("Ada")[2]
    choices = diary.move_options(third)
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
    diary.book("Ada", diary.options("Ada").plans[0])
    third = diary.visits("Ada")[2]
    choices = diary.move_options(third)
    diary.move(third, places.as_place(choices[0].visit))
    with pytest.raises(Stale):
        diary.move(third, places.as_place(choices[1].visit))


def test_a_move_past_a_neighbour_is_refused(diary):
    """Visit 3 can't come after visit 5."""
    diary.book("Ada", diary.options("Ada").plans[0])
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
    diary.book("Ada", diary.options("Ada").plans[0])
    last = diary.visits("Ada")[-1]
    with pytest.raises(Refused, match="more than 18 days"):
        diary.move(last, places.Place(last.starts_at + timedelta(days=4), last.room_id))
    offered = diary.move_options(last)
    first = diary.visits("Ada")[0].starts_at
    assert all((one.visit.starts_at - first).days <= 18 for one in offered)


def test_a_visit_does_not_move_next_to_one_of_another_series(diary):
    """Ada has a single visit besides her six: none of them comes nearer to it than the protocol allows."""
    single = diary.options("Ada", "S", first=date(2026, 4, 20)).plans[0]
    diary.book("Ada", single, "S")
    diary.book("Ada", diary.options("Ada").plans[0])
    last = next(visit for visit in diary.visits("Ada") if visit.ordinal == 6)
    near = single.visits[0].starts_at
    offered = diary.move_options(last)
    assert all(abs(one.visit.starts_at - near) >= TWO_A_WEEK.min_gap for one in offered)
    with pytest.raises(Refused):
        diary.move(last, places.Place(near + timedelta(hours=3), last.room_id))


def test_a_move_keeps_what_was_asked_for_at_booking(diary):
    """Never Thursdays holds for the places offered later; a place that somebody chose by hand goes before it."""
    asked = {"weekdays": frozenset({0, 1, 2, 4}), "must": frozenset({Wish.WEEKDAYS})}
    diary.book("Ada", **asked)
    third = diary.visits("Ada")[2]
    zone = diary.house.clinic.zone
    offered = diary.move_options(third)
    assert offered
    assert all(one.visit.starts_at.astimezone(zone).weekday() != 3 for one in offered)


def test_a_move_tells_the_patient_once_and_a_second_one_not_again(diary):
    """The message that still waits says the dates as they are when it leaves."""
    diary.book("Ada")
    with db.transaction() as session:
        _itinerary_left(session)
    for _time in range(2):
        third = diary.visits("Ada")[2]
        diary.move(third, places.as_place(diary.move_options(third)[0].visit))
    assert diary.told() == 1
    assert len(diary.moves(diary.visits("Ada")[2])) == 2


def _itinerary_left(session) -> None:
    for row in session.scalars(select(Reminder).where(Reminder.purpose == "itinerary")):
        row.status = "accepted"


def test_a_cancelled_visit_and_the_one_that_makes_up_for_it_are_told_in_one_message(diary):
    """Whoever cancels is asked for another place next, so the message waits for it."""
    diary.people["Ada"] = mailroom.patient(diary.house, "Ada")
    diary.book("Ada")
    with db.transaction() as session:
        _itinerary_left(session)
    visit = diary.visits("Ada")[2]
    diary.cancel(visit)
    assert diary.told() == 1
    assert mailroom.take(now=diary.now + timedelta(minutes=9)) == []
    found = diary.replacement(visit)
    diary.replace(visit, found, found.between[0])
    assert diary.told() == 1
    [lease] = mailroom.take(now=diary.now + timedelta(minutes=10))
    letter = mailroom.look(lease, now=diary.now + timedelta(minutes=10))
    assert {one.id for one in letter.visits} == {one.id for one in diary.live("Ada")}


def test_a_visit_cancelled_when_its_hour_is_past_is_no_news(diary):
    diary.book("Ada")
    with db.transaction() as session:
        _itinerary_left(session)
    visit = diary.visits("Ada")[0]
    diary.now = visit.starts_at + timedelta(hours=1)
    diary.cancel(visit)
    assert diary.told() == 0


def test_another_room_at_the_same_hour_is_history_and_no_news(diary):
    """What the patient confirmed stands; the history says which room it was."""
    diary.book("Ada")
    third = diary.visits("Ada")[2]
    with db.transaction() as session:
        session.get(Visit, third.id).confirmed_at = NOW
        _itinerary_left(session)
    third = diary.visits("Ada")[2]
    other = next(
        diary.house.resources[name]
        for name in ("Sage", "Juniper", "Mesa")
        if diary.house.resources[name] != third.room_id
    )
    moved = diary.move(third, places.Place(third.starts_at, other))
    assert (moved.room_id, moved.confirmed_at) == (other, NOW)
    assert "→" in diary.moves(third)[0]
    assert diary.told() == 0


def test_a_lost_visit_that_gets_a_place_is_lost_no_more(diary):
    """Even the same hour, should it come back: the patient was told not to come."""
    diary.book("Ada")
    third = diary.visits("Ada")[2]
    with db.transaction() as session:
        session.get(Visit, third.id).lost_at = NOW
        _itinerary_left(session)
    third = diary.visits("Ada")[2]
    moved = diary.move(third, places.Place(third.starts_at, third.room_id))
    assert moved.lost_at is None
    assert diary.told() == 1


def test_the_rest_is_shifted_as_one_course(diary):
    """From the third visit on: four move, two stay, the gaps are kept, one message, and the claims follow."""
    course = diary.book("Ada")
    with db.transaction() as session:
        _itinerary_left(session)
    before = diary.visits("Ada")
    found = diary.shift_options(course, 3)
    assert found.plans
    assert all(len(plan.visits) == 4 for plan in found.plans)
    diary.shift(course, found, reason="she has the flu")

    after = diary.visits("Ada")
    assert [one.id for one in after] == [one.id for one in before]
    assert [one.starts_at for one in after[:2]] == [one.starts_at for one in before[:2]]
    assert [one.starts_at for one in after[2:]] == found.plans[0].starts
    assert after[2].starts_at > before[2].starts_at
    assert spacing_faults([one.starts_at for one in after], TWO_A_WEEK) == []
    assert diary.holds("Ada")
    assert "she has the flu" in diary.moves(after[2])[0]
    assert diary.told() == 1


def test_a_shift_refuses_what_has_begun(diary):
    """The third visit is being given: from there on nothing shifts; from the fourth on it does."""
    course = diary.book("Ada")
    third = diary.visits("Ada")[2]
    with db.transaction() as session:
        session.get(Visit, third.id).status = VisitStatus.ARRIVED
    with pytest.raises(Refused, match="Visit 3 has begun"):
        diary.shift_options(course, 3)
    assert diary.shift_options(course, 4).plans


def test_a_shift_of_a_series_that_somebody_changed_moves_nothing(diary):
    """Visit 5 was moved while the options were open."""
    course = diary.book("Ada")
    found = diary.shift_options(course, 3)
    fifth = diary.visits("Ada")[4]
    diary.move(fifth, places.as_place(diary.move_options(fifth)[0].visit))
    before = [one.starts_at for one in diary.visits("Ada")]
    with pytest.raises(Stale):
        diary.shift(course, found)
    assert [one.starts_at for one in diary.visits("Ada")] == before


def test_a_shift_onto_a_place_taken_meanwhile_moves_nothing(diary):
    """All four or none."""
    course = diary.book("Ada")
    found = diary.shift_options(course, 3)
    last = found.plans[0].visits[-1]
    with db.transaction() as session:
        closed = {"starts_at": last.starts_at, "ends_at": last.ends_at}
        session.add(Closure(clinic_id=diary.house.clinic.id, resource_id=last.room_id, reason="leak", **closed))
    before = [(one.starts_at, one.version) for one in diary.visits("Ada")]
    with pytest.raises(Refused, match="Visit 6"):
        diary.shift(course, found)
    assert [(one.starts_at, one.version) for one in diary.visits("Ada")] == before
    assert diary.holds("Ada")


def test_a_missed_visit_is_replaced_not_counted(diary):
    """Visit 3 was a no-show: its number gets another visit between the second and the fourth, or after the sixth."""
    diary.book("Ada")
    visits = diary.visits("Ada")
    for given in visits[:2]:
        diary.end(given, VisitStatus.DISCHARGED)
    diary.end(visits[2], VisitStatus.NO_SHOW)
    now = visits[2].ends_at
    found = diary.replacement(visits[2], now)
    assert found.series.missing == [3]
    new = diary.replace(visits[2], found, found.between[0], now)

    assert (new.ordinal, new.status) == (3, VisitStatus.BOOKED)
    live = diary.live("Ada")
    assert [one.ordinal for one in live] == [1, 2, 3, 4, 5, 6]
    assert spacing_faults([one.starts_at for one in live], TWO_A_WEEK) == []
    assert "no-show" in diary.moves(new)[0]
    with pytest.raises(Refused, match="needs no replacement"):
        diary.replacement(visits[2], now)


def test_a_missed_visit_made_up_for_at_the_end_lets_the_others_move_up(diary):
    """Nobody else's day changes; the fourth is the third infusion now, and so on."""
    diary.book("Ada")
    visits = diary.visits("Ada")
    diary.end(visits[2], VisitStatus.HELD)
    now = visits[2].ends_at
    found = diary.replacement(visits[2], now)
    assert found.at_end
    new = diary.replace(visits[2], found, found.at_end[0], now)

    live = diary.live("Ada")
    assert [one.ordinal for one in live] == [1, 2, 3, 4, 5, 6]
    assert [one.id for one in live] == [visits[0].id, visits[1].id, visits[3].id, visits[4].id, visits[5].id, new.id]
    assert [one.starts_at for one in live[2:5]] == [one.starts_at for one in visits[3:]]
    assert spacing_faults([one.starts_at for one in live], TWO_A_WEEK) == []


def test_of_two_that_were_cancelled_the_second_can_be_made_up_for_when_the_first_went_to_the_end(diary):
    """The third and the fifth are off; with the third made up for at the end, the fifth is the fourth."""
    diary.book("Ada")
    visits = diary.visits("Ada")
    diary.cancel(visits[2])
    diary.cancel(visits[4])
    found = diary.replacement(visits[2])
    diary.replace(visits[2], found, found.at_end[0])
    assert [one.ordinal for one in diary.live("Ada")] == [1, 2, 3, 5, 6]

    found = diary.replacement(visits[4])
    assert diary.replace(visits[4], found, found.between[0]).ordinal == 4
    assert [one.ordinal for one in diary.live("Ada")] == [1, 2, 3, 4, 5, 6]


def test_the_end_is_no_place_where_the_gap_would_be_too_long(diary):
    """Every other day for two weeks: the second and the fourth are further apart than the protocol lets them be."""
    with db.transaction() as session:
        row = session.get(ProtocolVersion, diary.protocols["B"])
        row.definition = {**row.definition, "max_gap": "P5D"}
    diary.book("Ada")
    visits = diary.visits("Ada")
    diary.end(visits[2], VisitStatus.NO_SHOW)
    found = diary.replacement(visits[2], visits[2].ends_at)
    assert found.at_end == []


def test_a_cancelled_visit_is_offered_its_own_place_again(diary):
    """Cancelled by mistake: nothing is lost."""
    diary.book("Ada")
    third = diary.visits("Ada")[2]
    diary.cancel(third)
    found = diary.replacement(third)
    assert found.between[0].visit.starts_at == third.starts_at
    new = diary.replace(third, found, found.between[0])
    assert (new.starts_at, new.room_id) == (third.starts_at, third.room_id)


def test_a_shift_makes_up_for_the_visit_that_is_missing(diary):
    """From the missing third on: a new third visit, and the others move."""
    course = diary.book("Ada")
    visits = diary.visits("Ada")
    diary.end(visits[2], VisitStatus.NO_SHOW)
    now = visits[2].ends_at
    found = diary.shift_options(course, 5, now)
    assert found.first == 3  # a gap in the numbers can't stay
    diary.shift(course, found, now=now)
    live = diary.live("Ada")
    assert [one.ordinal for one in live] == [1, 2, 3, 4, 5, 6]
    assert spacing_faults([one.starts_at for one in live], TWO_A_WEEK) == []
    assert diary.holds("Ada")


def test_a_replacement_from_a_stale_page_books_nothing(diary):
    """Two coordinators book the missing visit: there is one."""
    diary.book("Ada")
    third = diary.visits("Ada")[2]
    diary.end(third, VisitStatus.NO_SHOW)
    found = diary.replacement(third, third.ends_at)
    other = diary.visits("Ada")[4]
    diary.move(other, places.as_place(diary.move_options(other)[0].visit))
    with pytest.raises(Stale):
        diary.replace(third, found, found.between[0], third.ends_at)
    assert count(Visit) == 6


def test_nothing_of_a_series_that_is_over_moves(diary):
    """It was ended with a reason: no replacement, no shift."""
    course = diary.book("Ada")
    third = diary.visits("Ada")[2]
    diary.end(third, VisitStatus.NO_SHOW)
    with db.transaction() as session:
        row = session.get(Course, course.id)
        row.status, row.ended_at, row.end_reason = "ended", NOW, "moved away"
    with pytest.raises(Refused, match="series is over"):
        diary.replacement(third)
    with pytest.raises(Refused, match="series is over"):
        diary.shift_options(course, 1)


def test_a_cancelled_visit_is_to_do_until_it_is_made_up_for(diary):
    """Whoever cancels and is called away leaves it on the list; the new visit, or taking it back, takes it off."""
    course = diary.book("Ada")
    visit = diary.visits("Ada")[2]
    waits = Task.kind == "to_replace", Task.visit_id == visit.id, Task.status == TaskStatus.OPEN

    diary.cancel(visit)
    assert count(Task, Task.course_id == course.id, *waits) == 1

    found = diary.replacement(visit)
    diary.replace(visit, found, found.between[0])
    assert count(Task, *waits) == 0
