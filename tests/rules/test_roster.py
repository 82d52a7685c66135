"""A day by staff: who has whom, and when they are away and why."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.clinics import DENVER, HALE, KIM, SAGE, ClinicWeek
from tests.rules.test_agenda import an_entry
from tracker.rules import roster
from tracker.rules.agenda import Closed
from tracker.rules.columns import Scale, away
from tracker.rules.roster import Person
from tracker.rules.vocabulary import Role

MONDAY = date(2026, 3, 2)
HOURS = (8 * 60, 18 * 60)
NURSE = Person(UUID(int=3), "Kim", "RN", Role.NURSE, 2)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02 {clock}").replace(tzinfo=DENVER)


def drawn(entries, week: ClinicWeek, closed=()):
    free = week.free()
    free.present[NURSE.id] = free.present[KIM.id]
    held = {(one.id, role): (15, 135) for one in entries for role in (Role.NURSE, Role.PHYSICIAN)}
    return roster.draw(
        day=MONDAY,
        zone=DENVER,
        hours=HOURS,
        people=[NURSE],
        entries=entries,
        held=held,
        free=free,
        closed=closed,
        now=at("11:00"),
    ).rows[0]


def test_visits_at_the_same_time_stand_under_one_another_from_set_up_to_recovery():
    entries = [an_entry("a", 0), an_entry("b", 1), an_entry("c", 3)]

    row = drawn(entries, ClinicWeek(days=1))

    assert [(one.entry.patient, one.line, one.column, one.span) for one in row.watches] == [
        ("a", 1, 52, 24),
        ("b", 2, 64, 24),
        ("c", 1, 88, 24),
    ]
    assert (row.lines, row.over, row.present) == (2, False, True)


def test_more_patients_than_a_nurse_may_have_are_said():
    assert drawn([an_entry("a"), an_entry("b"), an_entry("c")], ClinicWeek(days=1)).over


def test_an_absence_has_its_reason_and_the_end_of_the_shift_none():
    """Open until 17:45, ill from 13:00 to 15:00."""
    week = ClinicWeek(days=1)
    week.close(KIM, "2026-03-02 13:00", "2026-03-02 15:00")
    ill = Closed(NURSE.id, at("13:00"), at("15:00"), "Ill")

    said = [(one.column, one.span, one.why) for one in drawn([], week, [ill]).away]

    assert said == [(61, 24, "Ill"), (118, 3, "")]


def test_somebody_who_does_not_work_that_day_is_not_present():
    week = ClinicWeek(days=1, shifts=((HALE.id, 0, 480, 1065),))

    assert not drawn([], week).present


@given(st.lists(st.tuples(st.integers(0, 95), st.integers(1, 30)), max_size=5))
def test_what_is_there_and_what_is_away_share_the_day(closures):
    """No column twice, none left out, whatever is closed."""
    week, closed = ClinicWeek(days=1), []
    for start, quarters in closures:
        begins = at("00:00") + timedelta(minutes=15 * start)
        closed.append(Closed(SAGE.id, begins, begins + timedelta(minutes=15 * quarters), "Paint"))
        week.closures.append((SAGE.id, closed[-1].starts_at, closed[-1].ends_at))
    free = week.free()
    scale = Scale.around(MONDAY, DENVER, (0, 24 * 60), [])

    pieces = away(free, SAGE.id, scale, closed)

    covered = [column for one in pieces for column in range(one.column, one.column + one.span)]
    assert len(covered) == len(set(covered)) == 288 - free.present[SAGE.id][0].bit_count()
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(pieces))
