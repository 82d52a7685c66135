"""Weeks, months, staff and lists from the tables: what is in them, for whom, and at what price."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event

from tests.conftest import NOW
from tests.factories import make_clinic
from tests.services.test_diary import a_visit
from tests.web.test_moves import book
from tracker import db
from tracker.models import Closure, Visit, WeeklyClosure
from tracker.rules.agenda import Filters, Sign
from tracker.rules.vocabulary import VisitStatus
from tracker.services import calendar, clinic, month, roster

TODAY = date(2026, 3, 2)  # a Monday; NOW is 9:00
ALL = Filters()


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


def seen(house, view, day=TODAY, filters=ALL, actor=None):
    """Return a view of the calendar as somebody sees it."""
    actor = actor or house.coordinator
    with db.read() as session:
        place = clinic.info(session, actor.clinic_id)
        if view == "week":
            return calendar.week(session, actor, place, day, filters, now=NOW)
        if view == "month":
            return month.month(session, actor, place, day, filters, now=NOW)
        if view == "staff":
            chosen = calendar.choices(session, actor)
            return roster.staff_day(session, actor, place, day, chosen, filters, now=NOW)
        return calendar.entries(session, actor, place, day, day + timedelta(days=6), filters)


def loads(house, **more):
    """Return the days of the month by their number."""
    return {load.day.day: load for week in seen(house, "month", **more).weeks for load in week if load}


def close(house, start, end, who=None, why="Snow"):
    """Close the clinic, or something of it, in local time."""
    zone = house.clinic.zone
    with db.transaction() as session:
        times = {"starts_at": datetime.fromisoformat(start), "ends_at": datetime.fromisoformat(end)}
        times = {name: value.replace(tzinfo=zone) for name, value in times.items()}
        session.add(Closure(clinic_id=house.clinic.id, resource_id=house.resources.get(who), reason=why, **times))


def test_a_week_has_its_visits_by_day_and_room(house):
    """Called-off ones hold nothing and are not there."""
    a_visit(house, "Ada Byron", starts=60)
    a_visit(house, "Ben Gone", starts=24 * 60, status=VisitStatus.NO_SHOW, room="Mesa")

    week = seen(house, "week")

    assert [day.day for day in week.days] == [2, 3, 4, 5, 6]
    assert {key: [one.patient for one in found] for key, found in week.cells.items()} == {
        (TODAY, house.resources["Sage"]): ["Byron, Ada"]
    }
    assert (week.count(TODAY), week.count(date(2026, 3, 3))) == (1, 0)


def test_a_week_offers_what_is_free_from_now_on(house):
    """Nothing before nine today; a whole day tomorrow; nothing for a clinician, whose rooms nobody knows."""
    week = seen(house, "week")

    today, tomorrow = (week.free[day, house.resources["Sage"]] for day in (TODAY, date(2026, 3, 3)))
    assert min(start for start, _end in today) >= NOW
    assert len(tomorrow) == 3
    assert seen(house, "week", filters=Filters(clinician=house.resources["K. Mori"])).free == {}


def test_a_day_of_the_month_says_how_many_of_how_many(house):
    """Nine blocks fit into three rooms; one booked, one where somebody else's series is."""
    empty = loads(house)[3]
    book(house, "Ada Byron")
    one = loads(house)[3]

    assert (empty.booked, empty.of) == (0, 9)
    assert (one.booked, one.of, one.full) == (1, 9, False)


def test_closed_days_and_parts_of_days_say_why(house):
    """The clinic all day, a room, a nurse, an afternoon, every Friday; another clinic's snow is not ours."""
    close(house, "2026-03-04T00:00", "2026-03-05T00:00", why="Inspection")
    close(house, "2026-03-05T00:00", "2026-03-06T00:00", "Sage")
    close(house, "2026-03-10T08:00", "2026-03-10T12:00", "K. Mori")
    close(house, "2026-03-11T13:00", "2026-03-11T18:00", why="Training")
    close(make_clinic(), "2026-03-03T00:00", "2026-03-04T00:00")
    with db.transaction() as session:
        weekly = {"weekday": 4, "starts_minute": 0, "ends_minute": 1440, "first_day": date(2026, 3, 9)}
        session.add(WeeklyClosure(clinic_id=house.clinic.id, reason="Fridays off", **weekly))

    found = loads(house)

    assert (found[4].closed, found[4].of) == ("Inspection", 0)
    assert [found[day].closed for day in (6, 13, 20, 27)] == [None, "Fridays off", "Fridays off", "Fridays off"]
    said = {day: [(one.sign, one.name) for one in found[day].hints] for day in (3, 5, 10, 11)}
    assert said == {3: [], 5: [(Sign.ROOM, "Sage")], 10: [(Sign.STAFF, "K. Mori")], 11: [(Sign.CLOSED, "Training")]}
    assert found[5].of == 6


def test_a_day_without_a_nurse_warns(house):
    for who in ("J. Adeyemi", "K. Mori"):
        close(house, "2026-03-05T00:00", "2026-03-06T00:00", who)

    load = loads(house)[5]

    assert Sign.NO_NURSE in [one.sign for one in load.hints]
    assert (load.of, load.closed) == (0, None)


def test_lost_visits_and_drivers_are_warned_of(house):
    lost = a_visit(house, "Ada", starts=180)
    with db.transaction() as session:
        visit = session.get_one(Visit, lost.id)
        visit.lost_at, visit.driver_confirmed_at = NOW, None

    hints = [(one.sign, one.n) for one in loads(house)[2].hints]

    assert hints == [(Sign.LOST, 1), (Sign.DRIVERS, 1)]
    assert [one.id for one in seen(house, "week").lost] == [lost.id]


@pytest.mark.parametrize("view", ["week", "list", "month", "staff"])
def test_another_clinics_visits_are_nobodys_business(house, view):
    a_visit(house, "Ada Byron", starts=60)
    stranger = make_clinic()

    found = seen(stranger, view)

    if view == "week":
        assert found.cells == {}
    elif view == "month":
        assert sum(load.booked for week in found.weeks for load in week if load) == 0
    else:
        assert not (found if view == "list" else [one for row in found.rows for one in row.watches])


def test_staff_have_their_visits_and_only_treating_staff_is_shown(house):
    a_visit(house, "Ada Byron", starts=60)

    rows = {row.person.name: row for row in seen(house, "staff").rows}

    assert {name: len(row.watches) for name, row in rows.items()} == {
        "Dr A. Hale": 1,
        "J. Adeyemi": 0,
        "K. Mori": 1,
    }
    (watch,) = rows["K. Mori"].watches
    assert (watch.starts_at - NOW, watch.ends_at - NOW) == (timedelta(minutes=75), timedelta(minutes=195))
    assert rows["J. Adeyemi"].away[-1].column == 100  # 16:15


def test_filters_narrow_every_view(house):
    a_visit(house, "Ada Sage", starts=60)
    a_visit(house, "Ben Mesa", starts=60, room="Mesa")
    book(house, "Cy Single", at="13:00")

    def names(**chosen):
        return {one.patient.split(",")[0] for one in seen(house, "list", filters=Filters(**chosen))}

    assert names() == {"Sage", "Mesa", "Single"}
    assert names(room=house.resources["Mesa"]) == {"Mesa"}
    assert names(protocol="S") == {"Single"}
    assert names(clinician=house.resources["K. Mori"]) >= {"Sage", "Mesa"}
    assert loads(house, filters=Filters(room=house.resources["Mesa"]))[2].booked == 1
    assert loads(house, filters=Filters(room=house.resources["Mesa"]))[3].of == 3


@pytest.mark.parametrize("view", ["week", "month", "staff", "list"])
def test_a_view_costs_few_queries_however_full_it_is(house, view):
    """The price is per page, not per visit, room or day."""

    def queries():
        count = 0

        def one_more(*_args):
            nonlocal count
            count += 1

        event.listen(db.engine(), "before_cursor_execute", one_more)
        seen(house, view)
        event.remove(db.engine(), "before_cursor_execute", one_more)
        return count

    a_visit(house, "Ada", starts=60)
    queries()  # a new connection has some of its own
    few = queries()
    for number in range(6):
        a_visit(house, f"P{number}", starts=200 * number, room="Mesa")
        close(house, f"2026-03-1{number}T00:00", f"2026-03-1{number}T12:00")

    assert queries() == few
    assert few <= 17
