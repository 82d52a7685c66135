"""Two people at once: a proposal applied by both, a visit moved under it, a day closed while somebody is booked."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import claims
from tests.conftest import NOW
from tests.services.diary import MONDAY, Diary, command, count
from tracker import db, jobs
from tracker.errors import Invalid, Refused, Stale
from tracker.models import Closure, Job, Reminder, Shift, Task, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import Indication, JobStatus, ReminderStatus
from tracker.services import affected, booking, clinic, closing, damage, hours, moving, places, repair
from tracker.services import jobs as job_rows

PATIENCE = 30  # seconds


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which two have their series, told of them long ago, and lose their first day."""
    diary = Diary()
    for name in ("Ada", "Ben"):
        diary.book(name)
    with db.transaction() as session:
        for row in session.query(Reminder).where(Reminder.purpose == Purpose.ITINERARY):
            row.status = ReminderStatus.ACCEPTED
    return diary


def close(diary: Diary, day) -> None:
    """Let the clinic be closed."""
    first = datetime.combine(day, datetime.min.time(), diary.house.clinic.zone).astimezone(UTC)
    with db.transaction() as session:
        of = {"clinic_id": diary.house.clinic.id, "reason": "snow"}
        session.add(Closure(**of, starts_at=first, ends_at=first + timedelta(days=1)))


def found(diary: Diary, *, stopped: bool = False) -> Job:
    """Close the first day and let the worker find places; somebody may have asked it to stop."""
    close(diary, diary.visits("Ada")[0].starts_at.date())
    with db.transaction() as session:
        job = job_rows.start(session, diary.house.coordinator, damage.KIND, {"kept": []}, total=3, now=NOW)
        job.cancel_asked = stopped
    assert jobs.do_one(lambda: NOW)
    with db.read() as session:
        return session.get_one(Job, job.id)


def applying(diary: Diary, job: Job) -> Callable[[], Any]:
    """Return what somebody does who applies a proposal."""

    def apply() -> None:
        with db.transaction() as session:
            wanted = repair.ApplyRepair(version=job.version)
            repair.apply(session, diary.house.coordinator, job.id, wanted, now=NOW)

    return apply


def at_once(*doings: Callable[[], Any]) -> list[str]:
    """Do all at once; return what became of each: "done" or what it was answered."""
    start, ends = threading.Barrier(len(doings)), ["lost"] * len(doings)

    def run(number: int) -> None:
        start.wait(PATIENCE)
        try:
            doings[number]()
            ends[number] = "done"
        except (Invalid, Refused, Stale) as answer:
            ends[number] = str(answer)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(doings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return ends


def test_a_proposal_applied_by_two_at_once_is_made_once(diary):
    job = found(diary)
    ends = sorted(at_once(applying(diary, job), applying(diary, job)))

    assert ends[1] == "done"
    assert "made already" in ends[0] or "changed" in ends[0]
    assert count(Reminder, Reminder.purpose == Purpose.CHANGED) == 2, "each patient is told once"
    assert (claims.imbalances(), claims.half_courses(), claims.overlaps()) == ([], [], 0)


def test_of_a_move_and_a_proposal_for_the_same_visit_one_is_made_and_the_other_is_told(diary):
    job = found(diary)
    visit = diary.visits("Ada")[0]
    wanted = places.as_place(diary.move_options(visit)[-1].visit)

    ends = at_once(applying(diary, job), lambda: diary.move(visit, wanted))

    assert ends.count("done") == 1
    assert "changed" in next(end for end in ends if end != "done")
    assert count(Reminder, Reminder.purpose == Purpose.CHANGED) == (2 if ends[0] == "done" else 1)
    assert (claims.imbalances(), claims.half_courses(), claims.overlaps()) == ([], [], 0)


def test_a_search_that_was_stopped_proposes_what_it_has_and_loses_nobody(diary):
    """Stopped before it found anything: nothing moves, and both are somebody's to call."""
    job = found(diary, stopped=True)
    assert job.status is JobStatus.STOPPED
    before = [(visit.starts_at, visit.version) for name in ("Ada", "Ben") for visit in diary.visits(name)]
    applying(diary, job)()
    with db.read() as session:
        shown = repair.proposal(session, diary.house.coordinator, session.get_one(Job, job.id))
    assert (len(shown.rows), len(shown.unplaced)) == (0, 2)
    assert "before it could tell" in shown.said
    assert [(visit.starts_at, visit.version) for name in ("Ada", "Ben") for visit in diary.visits(name)] == before
    assert count(Task, Task.kind == "no_place") == 2


def one_after_the_other(first: Callable[[Session], Any], second: Callable[[Session], Any]) -> list[str]:
    """Do one thing, and begin the other before it is committed; return what became of each."""
    done, begun = threading.Event(), threading.Event()

    def begin() -> None:
        with db.transaction() as session:
            first(session)
            done.set()
            assert begun.wait(PATIENCE)
            till = time.monotonic() + 1  # what doesn't wait by then never will
            while not somebody_waits() and time.monotonic() < till:
                time.sleep(0.02)

    def follow() -> None:
        assert done.wait(PATIENCE)
        begun.set()
        with db.transaction() as session:
            second(session)

    return at_once(begin, follow)


def somebody_waits() -> bool:
    """Return whether somebody waits for a lock; on SQLite whoever has begun to write does."""
    if db.engine().dialect.name == "sqlite":
        return True
    with db.read() as session:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(session.scalar(text(waiting)))


def booking_of(diary: Diary, name: str) -> Callable[[Session], Any]:
    """Return what somebody does who books a series from Monday on."""
    plan = next(one for one in diary.options(name).plans if one.starts[0].date() == MONDAY)
    wanted = command(
        booking.BookCourse,
        protocol_id=diary.protocols["B"],
        first_day=MONDAY,
        indication=Indication.TRD,
        visit=tuple(places.as_place(visit) for visit in plan.visits),
    )
    person = diary.people[name]
    return lambda session: booking.book_course(session, diary.house.coordinator, person, wanted, now=NOW)


def test_whoever_is_booked_while_the_day_is_closed_is_told_too(diary):
    """Her booking is under way when the day is closed: it ends first, and she is among those who hear of it."""
    book, cleo = booking_of(diary, "Cleo"), diary.people["Cleo"]

    def shut(session: Session) -> None:
        closing.close(session, diary.house.coordinator, command(closing.CloseDay, day=MONDAY), now=NOW)

    assert one_after_the_other(book, shut) == ["done", "done"]
    with db.read() as session:
        lost = {one.patient_id for one in session.query(Visit).where(Visit.lost_at.is_not(None))}
    assert cleo in lost
    assert count(Reminder, Reminder.purpose == Purpose.CLOSED, Reminder.patient_id == cleo) == 1


def entering(diary: Diary, who: str, **more: Any) -> Callable[[Session], Any]:
    """Return what somebody does who enters hours from Monday on."""
    sent = {"who": str(diary.house.resources.get(who, who)), "first_day": MONDAY, "reason": "snow"} | more
    return lambda session: hours.enter(session, diary.house.coordinator, command(hours.EnterHours, **sent), now=NOW)


def ending_a_shift(diary: Diary) -> Callable[[Session], Any]:
    """Return what somebody does who ends the only physician's shift on Monday."""
    with db.read() as session:
        shift = session.query(Shift).filter_by(resource_id=diary.house.resources["Dr A. Hale"], weekday=0).one()
    return lambda session: hours.end_weekly(session, diary.house.coordinator, Shift, shift.id, MONDAY, now=NOW)


HOURS = {
    "the clinic closes": lambda diary: entering(diary, hours.WHOLE_CLINIC),
    "the physician is away": lambda diary: entering(diary, "Dr A. Hale"),
    "the physician's shift ends": ending_a_shift,
}


@pytest.mark.parametrize("what", HOURS)
def test_whoever_is_booked_while_somebody_enters_that_nobody_is_there_is_among_those_it_affects(diary, what):
    enter = HOURS[what](diary)
    book, hit = booking_of(diary, "Cleo"), set[str]()

    def enter_and_look(session: Session) -> None:
        enter(session)
        place = clinic.info(session, diary.house.clinic.id)
        hit.update(one.patient for one in affected.affected(session, diary.house.coordinator, place, now=NOW))

    assert one_after_the_other(book, enter_and_look) == ["done", "done"]
    assert "Test, Cleo" in hit


@pytest.mark.parametrize("what", HOURS)
def test_nobody_is_booked_where_it_was_just_entered_that_nobody_is_there(diary, what):
    enter = HOURS[what](diary)
    book, cleo = booking_of(diary, "Cleo"), diary.people["Cleo"]

    entered, booked = one_after_the_other(enter, book)

    assert entered == "done"
    assert booked.endswith(("is closed.", "is not there."))
    assert count(Visit, Visit.patient_id == cleo) == 0


def test_a_visit_cancelled_while_the_day_is_closed_is_off_and_nobody_is_told_to_stay_away_twice(diary):
    visit = diary.visits("Ada")[0]
    day = visit.starts_at.astimezone(diary.house.clinic.zone).date()

    def shut() -> None:
        with db.transaction() as session:
            closing.close(session, diary.house.coordinator, command(closing.CloseDay, day=day), now=NOW)

    ends = at_once(lambda: diary.cancel(visit), shut)
    assert ends == ["done", "done"], "the day closes for whoever is left"
    waits = (Purpose.VISIT, Purpose.FIRST_VISIT, Purpose.NEXT_DAY)
    assert (
        count(Reminder, Reminder.visit_id == visit.id, Reminder.purpose.in_(waits), Reminder.status == "scheduled") == 0
    )
    assert claims.imbalances() == []


def test_two_who_shift_and_move_the_same_series_do_not_mix(diary):
    """The later one is told that the series changed."""
    with db.read() as session:
        course = moving.standing(session, diary.house.coordinator, diary.visits("Ada")[0].course_id).course
    shifts = diary.shift_options(course, 3)
    visit = diary.visits("Ada")[3]
    wanted = places.as_place(diary.move_options(visit)[0].visit)

    ends = at_once(lambda: diary.shift(course, shifts), lambda: diary.move(visit, wanted))

    assert ends.count("done") == 1
    assert "changed" in next(end for end in ends if end != "done")
    assert (claims.imbalances(), claims.half_courses(), claims.overlaps()) == ([], [], 0)
