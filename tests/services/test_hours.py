"""Closures, absences, outages and shifts: entered as asked, ended without touching what was, and whom they hit."""

import json
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from tests.conftest import NOW
from tests.factories import make_clinic
from tests.web.test_moves import TOMORROW, book
from tracker import db
from tracker.errors import Invalid, NotFound, Refused
from tracker.models import AuditEntry, Closure, Resource, Shift, WeeklyClosure
from tracker.rules.vocabulary import ResourceKind
from tracker.services import affected, capacity, clinic, followup, hours
from tracker.services.hours import EnterHours

TODAY = date(2026, 3, 2)  # a Monday; NOW is 9:00 there
DAY = timedelta(days=1)


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


def enter(house, who="clinic", actor=None, **more):
    """Enter hours as a form would send them."""
    sent = {"who": str(house.resources.get(who, who)), "first_day": TOMORROW.isoformat(), "reason": "Snow"} | more
    command = EnterHours.model_validate_json(json.dumps(sent), context={"today": TODAY})
    with db.transaction() as session:
        return hours.enter(session, actor or house.coordinator, command, now=NOW)


def present(house, who, day=TOMORROW):
    """Return in how many five minutes of a day somebody or something is there."""
    with db.read() as session:
        free = capacity.load(session, clinic.info(session, house.clinic.id), day, day)
    return free.present[house.resources[who]][0].bit_count()


def hit(house):
    """Return whom it affects, and what each is missing."""
    with db.read() as session:
        place = clinic.info(session, house.clinic.id)
        return {one.patient: one.missing for one in affected.affected(session, house.coordinator, place, now=NOW)}


def at(text, house):
    return datetime.fromisoformat(text).replace(tzinfo=house.clinic.zone)


def test_one_whole_day_of_the_clinic(house):
    """From midnight to midnight, for every room; the day after is as it was."""
    (row,) = enter(house)

    assert (row.starts_at, row.ends_at) == (at("2026-03-03T00:00", house), at("2026-03-04T00:00", house))
    assert present(house, "Sage") == 0
    assert present(house, "Sage", TOMORROW + DAY) == 117


def test_a_part_of_a_day_of_one_room(house):
    enter(house, "Sage", from_time="13:00", until_time="15:00")

    assert (present(house, "Sage"), present(house, "Mesa")) == (117 - 24, 117)


def test_several_days_without_a_break(house):
    """Ill from tomorrow afternoon until Thursday noon."""
    (row,) = enter(house, "K. Mori", when="range", last_day="2026-03-05", from_time="13:00", until_time="12:00")

    assert (row.starts_at, row.ends_at) == (at("2026-03-03T13:00", house), at("2026-03-05T12:00", house))


def test_every_week_until_further_notice(house):
    rows = enter(house, "Mesa", when="weekly", weekday=["1", "3"], from_time="08:00", until_time="10:00")

    assert {type(row) for row in rows} == {WeeklyClosure}
    assert [(row.weekday, row.first_day, row.last_day) for row in rows] == [(1, TOMORROW, None), (3, TOMORROW, None)]
    assert [present(house, "Mesa", TOMORROW + DAY * n) for n in (0, 1, 2, 7)] == [93, 117, 93, 93]


def test_a_shift_of_one_day_and_shifts_of_some_weeks(house):
    """Kim stays an hour longer tomorrow; on Saturdays in March Adeyemi comes."""
    before = present(house, "K. Mori")
    enter(house, "K. Mori", what="works", reason=None, from_time="17:45", until_time="18:45")
    saturdays = {"when": "weekly", "weekday": ["5"], "last_day": "2026-03-31"}
    enter(house, "J. Adeyemi", what="works", from_time="09:00", until_time="12:00", **saturdays)

    assert present(house, "K. Mori") - before == 12
    assert present(house, "K. Mori", TOMORROW + 7 * DAY) == before
    assert [present(house, "J. Adeyemi", date(2026, 3, day)) for day in (7, 28)] == [36, 36]
    assert present(house, "J. Adeyemi", date(2026, 4, 4)) == 0


def test_equipment_can_be_out_of_order(house):
    with db.transaction() as session:
        pump = Resource(clinic_id=house.clinic.id, kind=ResourceKind.EQUIPMENT, name="Pump 2", detail="pump")
        session.add(pump)
        session.flush()
        house.resources["Pump 2"] = pump.id

    enter(house, "Pump 2")

    assert present(house, "Pump 2") == 0


@pytest.mark.parametrize(
    ("faulty", "field"),
    [
        ({"reason": None}, "reason"),
        ({"who": "the moon"}, "who"),
        ({"who": "clinic", "what": "works", "from_time": "08:00", "until_time": "09:00"}, "who"),
        ({"when": "range"}, "last_day"),
        ({"when": "range", "last_day": "2026-03-02"}, "last_day"),
        ({"when": "range", "last_day": "2028-03-02"}, "last_day"),
        ({"when": "weekly"}, "weekday"),
        ({"when": "weekly", "weekday": ["9"]}, "weekday"),
        ({"from_time": "10:00", "until_time": "10:00"}, "until_time"),
        ({"from_time": "02:30", "first_day": "2026-03-08"}, "from_time"),
    ],
)
def test_what_does_not_go_together_is_refused_beside_its_field(house, faulty, field):
    with pytest.raises(Invalid) as found:
        enter(house, **{"who": "Sage", **faulty})

    assert field in found.value.fields


def test_the_same_twice_is_refused(house):
    enter(house, "Sage")

    with pytest.raises(Refused, match="entered already"):
        enter(house, "Sage", reason="Another word for it")


def test_a_patient_and_another_clinics_room_are_not_to_be_closed(house):
    with pytest.raises(Invalid):
        enter(house, str(house.patient("Ada")))
    with pytest.raises(NotFound):
        enter(house, str(make_clinic().resources["Sage"]))


def end(house, row, from_day=TODAY, now=NOW):
    with db.transaction() as session:
        if isinstance(row, Closure):
            return hours.end_closure(session, house.coordinator, row.id, now=now)
        return hours.end_weekly(session, house.coordinator, type(row), row.id, from_day, now=now)


def rows(model):
    with db.read() as session:
        return list(session.scalars(select(model)))


def test_a_closure_to_come_is_taken_out(house):
    (row,) = enter(house)
    end(house, row)

    assert rows(Closure) == []


def test_a_closure_that_lasts_ends_now_and_keeps_what_was(house):
    (row,) = enter(house)
    noon = at("2026-03-03T12:00", house)
    end(house, row, now=noon)

    (kept,) = rows(Closure)
    assert (kept.starts_at, kept.ends_at) == (row.starts_at, noon)


def test_what_is_over_stays_as_it_was(house):
    (row,) = enter(house)

    with pytest.raises(Refused, match="over already"):
        end(house, row, now=at("2026-03-05T12:00", house))


def test_a_weekly_entry_ends_from_a_day_on_with_all_its_weekdays(house):
    """From next Monday on; what is before counts."""
    first, *_others = enter(house, "Mesa", when="weekly", weekday=["1", "2", "3"])
    end(house, first, from_day=date(2026, 3, 9))

    assert sorted((row.weekday, row.last_day) for row in rows(WeeklyClosure)) == [
        (weekday, date(2026, 3, 8)) for weekday in (1, 2, 3)
    ]
    assert [present(house, "Mesa", TOMORROW + DAY * n) for n in (0, 7)] == [0, 117]


def test_a_weekly_entry_that_has_not_begun_is_taken_out(house):
    first, *_others = enter(house, "Mesa", when="weekly", weekday=["1"], first_day="2026-04-01")
    end(house, first, from_day=date(2026, 4, 1))

    assert rows(WeeklyClosure) == []


def test_a_shift_for_good_ends_and_the_past_keeps_it(house):
    shift = next(row for row in rows(Shift) if row.resource_id == house.resources["K. Mori"])
    end(house, shift, from_day=TOMORROW)

    assert (present(house, "K. Mori", TODAY), present(house, "K. Mori")) == (105, 0)
    assert present(house, "J. Adeyemi") > 0
    with pytest.raises(Refused):
        end(house, shift, from_day=TOMORROW + DAY)


def test_another_clinics_entry_is_not_there(house):
    (row,) = enter(house)
    stranger = make_clinic()

    with pytest.raises(NotFound):
        end(stranger, row)
    with pytest.raises(NotFound), db.transaction() as session:
        hours.end_weekly(session, house.coordinator, Shift, uuid4(), TODAY, now=NOW)


def test_everything_leaves_an_entry_in_the_audit(house):
    (row,) = enter(house)
    end(house, row)

    with db.read() as session:
        said = session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("hours%"))).all()
    assert sorted(said) == ["hours ended", "hours entered"]


@pytest.mark.parametrize(
    ("closed", "missing"),
    [
        ({"who": "Sage"}, ("Sage",)),
        ({"who": "clinic", "from_time": "11:00", "until_time": "12:00"}, ("Dr A. Hale", "Sage", "nurse")),
        ({"who": "Mesa"}, None),
        ({"who": "Sage", "from_time": "11:30", "until_time": "12:00"}, None),
        ({"who": "Dr A. Hale", "from_time": "10:00", "until_time": "10:15"}, ("Dr A. Hale",)),
        ({"who": "Sage", "first_day": "2026-03-04"}, None),
        ({"who": "Sage", "when": "weekly", "weekday": ["1"]}, ("Sage",)),
    ],
)
def test_who_is_affected_and_what_they_miss(house, closed, missing):
    """Ada comes tomorrow from 9:00 to 11:30 into Sage. A physician has to be on site between the two ends, too."""
    book(house, "Ada Byron")
    with db.read() as session:
        place = clinic.info(session, house.clinic.id)
        assert affected.affected(session, house.coordinator, place, now=NOW) == []

    enter(house, **closed)

    found = hit(house)
    if missing is None:
        assert found == {}
    elif "nurse" in missing:
        assert {"Dr A. Hale", "Sage"} <= {*found["Byron, Ada"]}
        assert len(found["Byron, Ada"]) == 3
    else:
        assert found == {"Byron, Ada": missing}


def test_nobody_is_affected_elsewhere_or_by_an_ended_entry(house):
    book(house, "Ada Byron")
    (row,) = enter(house)
    stranger = make_clinic()

    assert hit(stranger) == {}
    assert hit(house)
    end(house, row)
    assert hit(house) == {}


def test_the_overview_says_what_counts_from_today_on(house):
    enter(house, "Sage")
    enter(house, "Mesa", when="weekly", weekday=["1", "3"])
    with db.transaction() as session:
        times = {"starts_at": NOW - 3 * DAY, "ends_at": NOW - 2 * DAY}
        session.add(Closure(clinic_id=house.clinic.id, reason="Over", **times))
    stranger = make_clinic()

    def seen(who):
        with db.read() as session:
            return hours.overview(session, who.coordinator, clinic.info(session, who.clinic.id), now=NOW)

    found = seen(house)
    assert [one.reason for one in found.closures] == ["Snow"]
    assert [one.weekdays for one in found.weekly] == [(1, 3)]
    assert [one.weekdays for one in found.shifts] == [(0, 1, 2, 3, 4)] * 3
    assert (seen(stranger).closures, seen(stranger).weekly) == ([], [])


def test_a_holiday_is_closed_when_asked_and_once(house):
    """Memorial Day is proposed; another day is not; a holiday is never closed by itself."""
    memorial = date(2026, 5, 25)

    def close(day):
        with db.transaction() as session:
            hours.close_holiday(session, house.coordinator, day, now=NOW)

    def proposed():
        with db.read() as session:
            place = clinic.info(session, house.clinic.id)
            entered = hours.overview(session, house.coordinator, place, now=NOW)
            return {day: closed for day, _name, closed in entered.holidays}

    assert present(house, "Sage", memorial) == 117
    assert proposed()[memorial] is False
    close(memorial)
    assert present(house, "Sage", memorial) == 0
    assert proposed()[memorial] is True
    with pytest.raises(Refused, match="entered already"):
        close(memorial)
    with pytest.raises(Refused, match="none of the holidays"):
        close(TOMORROW)


def test_follow_up_knows_closed_days_and_weekly_ones_but_reads_no_old_ones(house):
    """Closed tomorrow and every Friday; a closure that ended before what is asked for isn't even loaded."""
    enter(house)
    enter(house, when="weekly", weekday=["4"])
    enter(house, when="weekly", weekday=["2"], from_time="08:00", until_time="12:00")
    with db.transaction() as session:
        old = {"starts_at": NOW - 29 * DAY, "ends_at": NOW - 27 * DAY}
        session.add(Closure(clinic_id=house.clinic.id, reason="Old", **old))

    with db.read() as session:
        hours_of = followup.open_hours(session, house.coordinator, NOW)
        found = {day: hours_of(date(2026, 3, day)) is not None for day in (2, 3, 4, 5, 6, 7)}
        seen = followup.open_hours(session, house.coordinator, NOW - 40 * DAY)

    assert found == {2: True, 3: False, 4: True, 5: True, 6: False, 7: False}
    monday = (NOW - 28 * DAY).date()
    assert (hours_of(monday) is None, seen(monday) is None) == (False, True)
