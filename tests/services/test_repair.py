"""A day falls out: a worker finds other places, a coordinator looks at them, and all of it is moved at once."""

from collections import Counter
from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import select

from tests import claims
from tests.conftest import NOW
from tests.services.diary import Diary, count
from tracker import db, jobs
from tracker.errors import Refused, Stale
from tracker.models import Claim, Closure, Job, Reminder, Task, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.protocols import TWO_A_WEEK
from tracker.rules.repair import repair as planned_anew
from tracker.rules.spacing import spacing_faults
from tracker.rules.vocabulary import JobStatus, ReminderStatus, TaskStatus
from tracker.services import affected, clinic, damage, places, repair
from tracker.services import jobs as job_rows

PEOPLE = ("Ada", "Ben", "Cleo")


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which three patients have their series, told of them long ago."""
    diary = Diary()
    for name in PEOPLE:
        diary.book(name)
    with db.transaction() as session:
        for row in session.scalars(select(Reminder).where(Reminder.purpose == Purpose.ITINERARY)):
            row.status = ReminderStatus.ACCEPTED
    return diary


def close(diary: Diary, day, resource: str | None = None, days: int = 1) -> None:
    """Let the clinic, or a room or a person, be away."""
    with db.transaction() as session:
        place = clinic.info(session, diary.house.clinic.id)
        first = datetime.combine(day, time(), place.zone)
        session.add(
            Closure(
                clinic_id=place.id,
                resource_id=diary.house.resources[resource] if resource else None,
                starts_at=first,
                ends_at=first + timedelta(days=days),
                reason="snow",
            )
        )


def lost(diary: Diary):
    """Return the visits that lost their place."""
    with db.read() as session:
        place = clinic.info(session, diary.house.clinic.id)
        return affected.affected(session, diary.house.coordinator, place, now=NOW)


def search(diary: Diary, *kept: Visit) -> Job:
    """Ask for other places and let the worker find them."""
    with db.transaction() as session:
        args = {"kept": [str(visit.id) for visit in kept]}
        job = job_rows.start(session, diary.house.coordinator, damage.KIND, args, total=3, now=NOW)
    assert jobs.do_one(lambda: NOW)
    assert not jobs.do_one(lambda: NOW)
    with db.read() as session:
        return session.get_one(Job, job.id)


def proposal(diary: Diary, job: Job) -> repair.Proposal:
    """Return what the worker proposes."""
    with db.read() as session:
        return repair.proposal(session, diary.house.coordinator, session.get_one(Job, job.id))


def apply(diary: Diary, job: Job) -> repair.Proposal:
    """Make the changes."""
    with db.transaction() as session:
        wanted = repair.ApplyRepair(version=job.version)
        return repair.apply(session, diary.house.coordinator, job.id, wanted, now=NOW)


def first_day(diary: Diary):
    """Return the day of the first visits."""
    return diary.visits("Ada")[0].starts_at.date()


def test_a_closed_day_is_planned_anew_and_nobody_else_moves(diary):
    """All three have their second visit on one day; it falls out."""
    day = diary.visits("Ada")[1].starts_at.date()
    gone = {name: [v.id for v in diary.visits(name) if v.starts_at.date() == day] for name in PEOPLE}
    close(diary, day)
    assert {one.visit_id for one in lost(diary)} == {visit for ids in gone.values() for visit in ids}

    job = search(diary)
    assert job.status is JobStatus.DONE
    found = proposal(diary, job)
    assert {row.visit.id for row in found.rows if row.lost} == {visit for ids in gone.values() for visit in ids}
    assert not found.unplaced
    before = {visit.id: visit.starts_at for name in PEOPLE for visit in diary.visits(name)}
    apply(diary, job)

    assert lost(diary) == []
    for name in PEOPLE:
        visits = diary.visits(name)
        assert spacing_faults([visit.starts_at for visit in visits], TWO_A_WEEK) == []
        assert all(visit.starts_at.date() != day for visit in visits)
        moved = [visit for visit in visits if visit.starts_at != before[visit.id]]
        assert {visit.id for visit in moved} <= {row.visit.id for row in found.rows}
    with db.read() as session:
        told = Counter(session.scalars(select(Reminder.patient_id).where(Reminder.purpose == Purpose.CHANGED)).all())
    assert set(told.values()) == {1}
    assert set(told) == {row.patient.id for row in found.rows}


def test_every_visit_holds_what_it_says_afterwards(diary):
    """Claims are exactly those of the places that were proposed."""
    day = first_day(diary)
    close(diary, day)
    job = search(diary)
    found = proposal(diary, job)
    apply(diary, job)
    with db.read() as session:
        for row in found.rows:
            held = session.execute(
                select(Claim.resource_id, Claim.lane, Claim.starts_at, Claim.ends_at).where(
                    Claim.visit_id == row.visit.id
                )
            ).all()
            assert sorted(map(tuple, held), key=str) == sorted(
                ((c.resource_id, c.lane, c.starts_at, c.ends_at) for c in row.to.claims), key=str
            )


def test_a_nurse_who_is_ill_takes_only_her_own_visits_away(diary):
    """Whoever the other nurse treats that day stays."""
    visit = diary.visits("Ada")[0]
    nurse = next(name for name, id_ in diary.house.resources.items() if id_ == visit.nurse_id)
    close(diary, visit.starts_at.date(), nurse)
    theirs = {one.visit_id for one in lost(diary)}
    assert visit.id in theirs
    assert all(nurse in one.missing for one in lost(diary))


def test_a_row_that_was_unticked_stays_and_the_rest_is_solved_again(diary):
    day = first_day(diary)
    close(diary, day)
    kept = next(visit for visit in diary.visits("Ben") if visit.starts_at.date() == day)
    job = search(diary, kept)
    found = proposal(diary, job)
    assert kept.id not in {row.visit.id for row in found.rows}
    assert {row.patient.given_name for row in found.rows} >= {"Ada"}
    assert [row.visit.id for row in found.left] == [kept.id]
    apply(diary, job)
    with db.read() as session:
        assert session.scalars(select(Task.visit_id).where(Task.kind == "no_place")).all() == [kept.id]


def test_a_proposal_is_made_once(diary):
    close(diary, first_day(diary))
    job = search(diary)
    apply(diary, job)
    moved = count(Reminder, Reminder.purpose == Purpose.CHANGED)
    with pytest.raises(Refused, match="made already"):
        apply(diary, job)
    assert count(Reminder, Reminder.purpose == Purpose.CHANGED) == moved


def test_a_visit_that_somebody_moved_meanwhile_makes_the_proposal_stale(diary):
    close(diary, first_day(diary))
    job = search(diary)
    row = proposal(diary, job).rows[0]
    other = diary.move_options(row.visit)[-1].visit
    diary.move(row.visit, places.as_place(other))
    with pytest.raises(Stale, match="Somebody changed visits since"):
        apply(diary, job)


@pytest.mark.parametrize("change", ["move", "cancel"])
def test_so_does_a_visit_that_somebody_changed_while_places_were_looked_for(diary, change):
    actor, visit = diary.house.coordinator, diary.visits("Ada")[0]
    other = places.as_place(diary.move_options(visit)[-1].visit)
    close(diary, first_day(diary))
    with db.transaction() as session:
        job = job_rows.start(session, actor, damage.KIND, {"kept": []}, total=3, now=NOW)
        held = job_rows.take(session, now=NOW)
    with db.read() as session:
        seen = damage.load(session, actor, held.args, now=NOW)
    if change == "move":
        diary.move(visit, other)
    else:
        diary.cancel(visit)
    with db.transaction() as session:
        result = damage.as_data(session, actor, held.args, planned_anew(seen), now=NOW)
        job_rows.finish(session, held, result, now=NOW)
        job = session.get_one(Job, job.id)
    with pytest.raises(Stale, match="Somebody changed visits since"):
        apply(diary, job)
    assert claims.imbalances() == []


def test_a_place_that_is_closed_meanwhile_is_refused_and_nothing_moves(diary):
    close(diary, first_day(diary))
    job = search(diary)
    rows = proposal(diary, job).rows
    close(diary, rows[0].to.starts_at.date())
    with pytest.raises(Refused, match="not free for"):
        apply(diary, job)
    assert {visit.id: visit.starts_at for name in PEOPLE for visit in diary.visits(name)} == {
        visit.id: visit.starts_at for name in PEOPLE for visit in diary.visits(name)
    }
    assert count(Reminder, Reminder.purpose == Purpose.CHANGED) == 0


def test_who_has_no_place_is_a_task_until_she_has_one(diary):
    """Everything is closed for ten weeks."""
    close(diary, first_day(diary), days=70)
    job = search(diary)
    found = proposal(diary, job)
    assert not found.rows
    assert len(found.unplaced) == 18
    diary.cancel(diary.visits("Ben")[5])  # nobody has to call about that one
    apply(diary, job)
    assert count(Task, Task.kind == "no_place", Task.status == TaskStatus.OPEN) == 17
    with db.transaction() as session:
        for row in session.scalars(select(Closure)):
            session.delete(row)
    visit = diary.visits("Ada")[0]
    diary.move(visit, places.as_place(diary.move_options(visit)[0].visit))
    assert count(Task, Task.kind == "no_place", Task.status == TaskStatus.OPEN) == 16


def test_a_search_can_be_stopped_before_and_while_it_runs(diary):
    close(diary, first_day(diary))
    with db.transaction() as session:
        job = job_rows.start(session, diary.house.coordinator, damage.KIND, {"kept": []}, total=3, now=NOW)
    with db.transaction() as session:
        job_rows.ask_to_stop(session, diary.house.coordinator, job.id, now=NOW)
    assert not jobs.do_one(lambda: NOW)

    with db.transaction() as session:
        running = job_rows.start(session, diary.house.coordinator, damage.KIND, {"kept": []}, total=3, now=NOW)
        held = job_rows.take(session, now=NOW)
    go_on = jobs.asking(held, lambda: NOW)
    assert go_on("courses")
    assert go_on("courses")
    with db.transaction() as session:
        job_rows.ask_to_stop(session, diary.house.coordinator, running.id, now=NOW)
    assert not go_on("courses")
    assert not go_on("others")
    with db.transaction() as session:
        job_rows.finish(session, held, None, now=NOW)
    with db.read() as session:
        ended = session.get_one(Job, running.id)
    assert (ended.status, ended.doing) == (JobStatus.STOPPED, jobs.say("others"))


def test_a_worker_that_died_leaves_its_work_to_another(diary):
    """And one that comes back late changes nothing."""
    close(diary, first_day(diary))
    with db.transaction() as session:
        job = job_rows.start(session, diary.house.coordinator, damage.KIND, {"kept": []}, total=3, now=NOW)
        dead = job_rows.take(session, now=NOW)
        assert job_rows.take(session, now=NOW) is None
    later = NOW + job_rows.LEASE
    assert jobs.do_one(lambda: later)
    with db.transaction() as session:
        assert not job_rows.wanted(session, dead)
        assert not job_rows.go_on(session, dead, 1, "", now=later)
        job_rows.finish(session, dead, None, now=later, failed=True)
    with db.read() as session:
        assert session.get_one(Job, job.id).status is JobStatus.DONE


def test_nobody_gets_a_place_so_soon_that_she_could_not_prepare(diary):
    """In the morning the room fails; the afternoon is free in another one, but who comes fasts from midnight on."""
    visits = [diary.visits(name)[0] for name in PEOPLE]
    day = visits[0].starts_at.date()
    early = min(visit.starts_at for visit in visits) - timedelta(hours=2)
    for room in {visit.room_id for visit in visits}:
        close(diary, day, next(name for name, one in diary.house.resources.items() if one == room))
    with db.transaction() as session:
        job = job_rows.start(session, diary.house.coordinator, damage.KIND, {"kept": []}, total=3, now=early)
    assert jobs.do_one(lambda: early)
    with db.read() as session:
        found = repair.proposal(session, diary.house.coordinator, session.get_one(Job, job.id))
        assert {row.visit.id for row in found.rows if row.lost} >= {visits[0].id}
        assert all(row.to.starts_at >= early + timedelta(days=1) for row in found.rows)
