"""What is left over: the proof that nothing is missing, and what is done once a period."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import delete, select, update

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db, worker
from tracker.models import Course, JobRun, PatientLink, PortalSession, Reminder, RequestKey, WorkerHeartbeat, new_id
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import ReminderStatus, VisitStatus
from tracker.services import daily, delivery, letters, sweeping

DAY = timedelta(days=1)
VISITS = [NOW + n * DAY for n in (7, 9)]


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def courses(house):
    """Book two visits each for more patients than are looked at in one transaction."""
    return [mailroom.series(house, mailroom.patient(house, f"P{n}"), *VISITS) for n in range(sweeping.COURSES + 2)]


def test_a_message_that_somebody_forgot_to_plan_is_made_good(courses, caplog):
    with db.transaction() as session:
        session.execute(delete(Reminder).where(Reminder.course_id.in_((courses[0], courses[-1]))))
    before = len(mailroom.messages(courses[1]))
    assert before
    assert worker.prove(NOW) == 2 * before
    assert len(mailroom.messages(courses[0])) == len(mailroom.messages(courses[-1])) == before
    assert "mended" in caplog.text


def test_where_all_is_well_nothing_is_changed(courses, caplog):
    assert worker.prove(NOW) == 0
    assert caplog.text == ""


def test_a_visit_that_was_moved_behind_our_back_is_told_of_at_its_new_time(house, courses):
    with db.transaction() as session:
        visit = session.scalars(select(mailroom.Visit).where(mailroom.Visit.course_id == courses[0])).first()
        visit.starts_at = visit.starts_at + timedelta(hours=1)
    assert worker.prove(NOW) > 0
    live = [row for row in mailroom.messages(courses[0]) if row.status in mailroom.LIVE and row.visit_id == visit.id]
    assert {row.subject_at for row in live} == {visit.starts_at}


def test_what_waits_for_a_reason_is_left_to_wait(house, caplog):
    """The visit of yesterday isn't recorded as finished: its check-in looks again in half an hour, not at once."""
    course = mailroom.series(house, mailroom.patient(house, "Ada"), VISITS[0])
    end(course, Purpose.ITINERARY, NOW, ReminderStatus.ACCEPTED)
    [row] = [row for row in mailroom.messages(course) if row.purpose == Purpose.NEXT_DAY]
    now = row.send_at + timedelta(minutes=1)
    mailroom.sweep(now=now)
    [held] = mailroom.take(now=now)
    with db.transaction() as session:
        delivery.settle(session, letters.look(session, [held], now=now), now=now)
    [waits] = [row for row in mailroom.messages(course) if row.purpose == Purpose.NEXT_DAY]
    assert (waits.status, waits.send_at) == (ReminderStatus.SCHEDULED, now + letters.LOOK_AGAIN)
    assert worker.prove(now + timedelta(minutes=5)) == 0
    [left] = [row for row in mailroom.messages(course) if row.purpose == Purpose.NEXT_DAY]
    assert left.send_at == waits.send_at
    assert caplog.text == ""


def end(course, purpose, about, status):
    """Let a message of a course end, or leave."""
    with db.transaction() as session:
        mine = (Reminder.course_id == course, Reminder.purpose == purpose, Reminder.subject_at == about)
        session.execute(update(Reminder).where(*mine).values(status=status))


def how_are_you(course):
    """Return the check-ins of the day after the first visit, and whether the next reminder asks as well."""
    rows = mailroom.messages(course)
    own = [row.status.value for row in rows if row.purpose == Purpose.NEXT_DAY and row.subject_at == VISITS[0]]
    [reminder] = [row for row in rows if row.purpose == Purpose.VISIT and row.subject_at == VISITS[1]]
    return own, reminder.asks_how


@pytest.mark.parametrize(
    "status", [ReminderStatus.FAILED, ReminderStatus.BOUNCED, ReminderStatus.SUPPRESSED, ReminderStatus.EXPIRED]
)
def test_a_check_in_goes_by_itself_when_the_reminder_that_asks_reached_nobody(house, status, caplog):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), *VISITS)
    mailroom.change_visit(house, course, now=VISITS[0] + timedelta(hours=3), status=VisitStatus.DISCHARGED)
    assert how_are_you(course) == ([], True)
    end(course, Purpose.VISIT, VISITS[1], status)
    now = VISITS[1] - DAY + timedelta(minutes=5)
    assert worker.prove(now) == worker.prove(now) == 0  # nothing was forgotten
    assert caplog.text == ""
    assert how_are_you(course) == (["scheduled"], False)
    end(course, Purpose.NEXT_DAY, VISITS[0], ReminderStatus.ACCEPTED)
    end(course, Purpose.VISIT, VISITS[1], ReminderStatus.SCHEDULED)  # sent again by hand: it doesn't ask once more
    assert worker.prove(now) == 0
    assert how_are_you(course) == (["accepted"], False)


@pytest.mark.parametrize("status", [ReminderStatus.ACCEPTED, ReminderStatus.UNCERTAIN, ReminderStatus.SENDING])
def test_a_check_in_that_may_have_been_asked_is_not_asked_again(house, status):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), *VISITS)
    held = {"lease_until": NOW} if status is ReminderStatus.SENDING else {}
    with db.transaction() as session:
        session.execute(update(Reminder).where(Reminder.subject_at == VISITS[1]).values(status=status, **held))
    worker.prove(VISITS[1] - DAY + timedelta(minutes=5))
    assert how_are_you(course) == ([], True)


def test_one_broken_course_does_not_keep_others_from_being_looked_at(courses, caplog):
    with db.transaction() as session:
        session.execute(delete(Reminder).where(Reminder.course_id.in_(courses[:2])))
        visits = session.scalars(select(mailroom.Visit.id).where(mailroom.Visit.course_id == courses[0])).all()
        protocol = session.get_one(mailroom.ProtocolVersion, session.get_one(Course, courses[0]).protocol_id)
        broken = {"id": new_id(), "definition": {**protocol.definition, "cadence": "nonsense"}}
        columns = {column.name: getattr(protocol, column.name) for column in protocol.__table__.columns}
        session.add(type(protocol)(**columns | broken | {"version": 99}))
        session.flush()
        session.execute(update(Course).where(Course.id == courses[0]).values(protocol_id=broken["id"]))
        assert visits
    assert worker.prove(NOW) > 0
    assert mailroom.messages(courses[0]) == []
    assert mailroom.messages(courses[1])
    assert f"course {courses[0]} can't be planned" in caplog.text


def test_a_course_that_the_database_refuses_is_left_as_it_was_and_keeps_no_other_from_being_proven(
    house, courses, caplog
):
    """Its messages hang at another course: what it misses is written up to the first that is there already."""
    broken, other = courses[:2]
    with db.transaction() as session:
        session.execute(delete(Reminder).where(Reminder.course_id == courses[-1]))
        [*own] = session.scalars(select(Reminder).where(Reminder.course_id == broken).order_by(Reminder.send_at))
        for row in own[:-1]:
            session.delete(row)
        own[-1].course_id = other
        links = session.scalars(select(PatientLink).where(PatientLink.course_id == broken))
        for link in links:
            session.delete(link)
    before = len(mailroom.messages(courses[2]))
    assert worker.prove(NOW) == before + 1, "and the stray one is called back"
    assert len(mailroom.messages(courses[-1])) == before
    assert mailroom.messages(broken) == []
    with db.read() as session:
        assert session.scalars(select(PatientLink).where(PatientLink.course_id == broken)).all() == []
    assert f"course {broken} can't be planned" in caplog.text
    assert worker.prove(NOW) == before, "nothing is in its way any more"


def test_a_job_is_begun_once_a_period_however_many_ask(house):
    began, gate = [], Barrier(4)

    def ask():
        gate.wait()
        with db.transaction() as session:
            began.append(daily.begin(session, "clear", "2026-03-02", now=NOW))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(began) == [False, False, False, True]
    with db.transaction() as session:
        assert daily.begin(session, "clear", "2026-03-03", now=NOW + DAY)


def test_a_job_that_fails_is_not_done(house):
    with pytest.raises(RuntimeError), db.transaction() as session:
        assert daily.begin(session, "clear", "2026-03-02", now=NOW)
        raise RuntimeError
    with db.transaction() as session:
        assert daily.begin(session, "clear", "2026-03-02", now=NOW)


def test_what_nobody_needs_any_more_is_taken_away(house):
    ages = (timedelta(hours=1), timedelta(days=90))
    with db.transaction() as session:
        for n, age in enumerate(ages):
            at = NOW - age
            session.add(RequestKey(owner_id=new_id(), key=str(n), body_digest="", result_url="", created_at=at))
            session.add(JobRun(name="clear", period=str(n), started_at=at))
            session.add(WorkerHeartbeat(name=str(n), beat_at=at))
    with db.transaction() as session:
        daily.clear(session, now=NOW)
    with db.read() as session:
        for model in (RequestKey, JobRun, WorkerHeartbeat):
            assert len(session.scalars(select(model)).all()) == 1
        assert session.scalars(select(PortalSession)).all() == []


def test_there_is_work_when_something_is_due_or_its_worker_is_gone(house):
    def waits(now):
        with db.read() as session:
            return sweeping.waits(session, now=now)

    mailroom.series(house, mailroom.patient(house, "Ada"), *VISITS)
    assert not waits(NOW - timedelta(seconds=1))
    assert waits(NOW)
    [lease] = mailroom.take(now=NOW)
    assert not waits(NOW)
    assert waits(NOW + timedelta(minutes=2)), "its lease is over"
    mailroom.mark(mailroom.look(lease, now=NOW), now=NOW)
    mailroom.sweep(now=NOW + timedelta(minutes=2))
    assert not waits(NOW + timedelta(minutes=2))
    assert ReminderStatus.UNCERTAIN in {row.status for row in mailroom.messages()}
