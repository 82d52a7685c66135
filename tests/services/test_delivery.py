"""Lease, look, mark, record: each guard on its own, on both databases."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import Attempt, ContactPoint, Patient, Task
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LEASE, Event
from tracker.rules.vocabulary import AttemptOutcome, ReminderStatus, VisitStatus
from tracker.services.delivery import Result, settle
from tracker.services.letters import Letter

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VISIT = NOW + 7 * DAY  # Monday, 10:00: clocks went forward on Sunday
DUE = VISIT - DAY  # the reminder of the visit is due
ACCEPTED = Result(AttemptOutcome.ACCEPTED, "dot: 250 OK")
DEFERRED = Result(AttemptOutcome.DEFERRED, "connect: refused")


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def course(house):
    """Book Ada one visit in a week; her first two messages have gone."""
    course = mailroom.series(house, mailroom.patient(house, "Ada"), VISIT)
    with db.transaction() as session:
        for row in mailroom.messages():
            if row.purpose in (Purpose.ITINERARY, Purpose.FIRST_VISIT):
                session.merge(row).status = ReminderStatus.ACCEPTED
    return course


@pytest.fixture
def leased(course):
    """Lease the reminder of Ada's visit."""
    [lease] = mailroom.take(now=DUE)
    return lease


@pytest.fixture
def letter(leased):
    """Look at it."""
    letter = mailroom.look(leased, now=DUE)
    assert isinstance(letter, Letter)
    return letter


def status():
    """Return the state of the visit's reminder."""
    return ReminderStatus(mailroom.statuses()[Purpose.VISIT])


def test_nothing_is_leased_before_it_is_due_or_twice(course):
    assert mailroom.take(now=DUE - timedelta(seconds=1)) == []
    assert len(mailroom.take(now=DUE)) == 1
    assert mailroom.take(now=DUE) == []


def test_what_is_too_late_is_not_leased(course):
    assert mailroom.take(now=VISIT - 2 * HOUR) == []


def test_the_whole_way(letter):
    assert mailroom.mark(letter, now=DUE)
    assert status() is ReminderStatus.SENDING
    [attempt] = mailroom.rows(Attempt)
    assert (attempt.address, attempt.outcome, attempt.ended_at) == ("ada@example.org", AttemptOutcome.SENDING, None)
    mailroom.record(letter.lease, ACCEPTED, now=DUE + timedelta(seconds=1))
    assert status() is ReminderStatus.ACCEPTED
    [attempt] = mailroom.rows(Attempt)
    assert (attempt.outcome, attempt.detail) == (AttemptOutcome.ACCEPTED, "dot: 250 OK")
    assert mailroom.rows(Task) == []


def test_a_letter_says_this_and_no_more(letter):
    assert (letter.first_name, letter.address, letter.about) == ("Ada", "ada@example.org", VISIT)
    assert [visit.starts_at for visit in letter.visits] == [VISIT]


def test_a_message_is_marked_once(letter):
    assert mailroom.mark(letter, now=DUE)
    assert not mailroom.mark(letter, now=DUE)


def moved(house, course):
    mailroom.change_visit(house, course, now=DUE, starts_at=VISIT + HOUR, ends_at=VISIT + 3 * HOUR)


def called_off(house, course):
    mailroom.cancel(house, course, now=DUE)


def moved_unplanned(house, course):
    """A visit changed by somebody who forgot to plan."""
    with db.transaction() as session:
        [visit] = session.query(mailroom.Visit).all()
        visit.starts_at = VISIT + HOUR


def contact(**values):
    def change(_house, _course):
        with db.transaction() as session:
            for point in session.query(ContactPoint).all():
                for name, value in values.items():
                    setattr(point, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        moved,
        called_off,
        moved_unplanned,
        contact(opted_out_at=DUE),
        contact(invalid_at=DUE),
        contact(ended_at=DUE),
        contact(consent_at=None, consent_wording=None),
    ],
    ids=["moved", "cancelled", "moved unplanned", "opted out", "address refused", "address replaced", "no consent"],
)
def test_the_mark_asks_again_for_everything_it_rests_on(change, letter, house, course):
    change(house, course)
    assert not mailroom.mark(letter, now=DUE)
    assert mailroom.rows(Attempt) == []


def test_a_lease_that_is_over_is_not_marked_though_nobody_swept_it(letter):
    assert not mailroom.mark(letter, now=DUE + LEASE)


def test_the_mark_takes_the_lease_anew_so_that_there_is_time_to_send(letter):
    late = DUE + LEASE - timedelta(seconds=1)
    assert mailroom.mark(letter, now=late)
    assert mailroom.sweep(now=DUE + LEASE).uncertain == 0
    assert mailroom.sweep(now=late + LEASE).uncertain == 1


def test_a_lease_that_is_over_goes_back_and_its_old_holder_is_fenced(letter):
    late = DUE + LEASE
    assert mailroom.sweep(now=late).back == 1
    assert not mailroom.mark(letter, now=late)
    [again] = mailroom.take(now=late)
    assert again.epoch == letter.lease.epoch + 1
    assert not mailroom.mark(letter, now=late), "a zombie marked what another worker holds"
    assert mailroom.look(letter.lease, now=late) is None


def test_a_sender_that_died_leaves_a_task_and_no_second_message(letter):
    mailroom.mark(letter, now=DUE)
    late = DUE + LEASE
    assert mailroom.sweep(now=late).uncertain == 1
    assert status() is ReminderStatus.UNCERTAIN
    [task] = mailroom.rows(Task)
    assert (task.kind, task.urgent) == ("uncertain", True)
    assert "Mon, Mar 9, 10:00 AM" in task.detail  # clocks went forward on the 8th
    assert mailroom.take(now=late) == []
    assert [attempt.outcome for attempt in mailroom.rows(Attempt)] == [AttemptOutcome.UNCERTAIN]


def test_a_zombie_that_comes_back_changes_nothing_but_its_own_attempt(letter):
    mailroom.mark(letter, now=DUE)
    mailroom.sweep(now=DUE + LEASE)
    mailroom.record(letter.lease, ACCEPTED, now=DUE + LEASE)
    assert status() is ReminderStatus.UNCERTAIN
    assert [attempt.outcome for attempt in mailroom.rows(Attempt)] == [AttemptOutcome.ACCEPTED]


def test_what_is_recorded_twice_is_as_it_was_the_first_time(letter):
    """The database had it, and its answer was lost."""
    mailroom.mark(letter, now=NOW)
    for minute in (0, 1):
        mailroom.record(letter.lease, Result(AttemptOutcome.ACCEPTED, "dot"), now=NOW + timedelta(minutes=minute))
    assert [attempt.ended_at for attempt in mailroom.rows(Attempt)] == [NOW]


def test_what_was_refused_for_now_is_tried_again_later(letter):
    mailroom.mark(letter, now=DUE)
    mailroom.record(letter.lease, DEFERRED, now=DUE)
    assert status() is ReminderStatus.SCHEDULED
    assert mailroom.take(now=DUE + timedelta(seconds=29)) == []
    [again] = mailroom.take(now=DUE + timedelta(seconds=30))
    assert mailroom.mark(mailroom.look(again, now=DUE), now=DUE)
    mailroom.record(again, ACCEPTED, now=DUE)
    assert status() is ReminderStatus.ACCEPTED
    assert len(mailroom.rows(Attempt)) == 2


def test_what_could_not_be_tried_again_in_time_is_a_task(letter):
    mailroom.mark(letter, now=DUE)
    mailroom.record(letter.lease, DEFERRED, now=VISIT - 2 * HOUR - timedelta(seconds=30))
    assert status() is ReminderStatus.FAILED
    assert [task.kind for task in mailroom.rows(Task)] == ["undelivered"]


@pytest.mark.parametrize(
    ("outcome", "end", "kind"),
    [
        (AttemptOutcome.REFUSED, ReminderStatus.FAILED, "undelivered"),
        (AttemptOutcome.UNCERTAIN, ReminderStatus.UNCERTAIN, "uncertain"),
    ],
)
def test_an_end_without_delivery_is_a_task(letter, outcome, end, kind):
    mailroom.mark(letter, now=DUE)
    mailroom.record(letter.lease, Result(outcome, "said"), now=DUE)
    assert status() is end
    assert [task.kind for task in mailroom.rows(Task)] == [kind]


def test_an_address_nobody_knows_is_not_written_to_again(letter):
    mailroom.mark(letter, now=DUE)
    mailroom.record(letter.lease, Result(AttemptOutcome.REFUSED, "550", bad_address=True), now=DUE)
    with db.read() as session:
        [point] = session.query(ContactPoint).all()
    assert point.invalid_at == DUE


def test_what_came_too_late_is_a_task(course):
    assert mailroom.sweep(now=VISIT).late == 1
    assert status() is ReminderStatus.EXPIRED
    [task] = mailroom.rows(Task)
    assert (task.kind, task.status.value) == ("undelivered", "open")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (contact(opted_out_at=DUE), "wants no messages"),
        (contact(invalid_at=DUE), "refused this address"),
        (contact(ended_at=DUE), "No e-mail address"),
        (contact(consent_at=None, consent_wording=None), "No consent"),
    ],
    ids=["opted out", "bad address", "none", "no consent"],
)
def test_who_can_not_be_written_to_is_called_before_the_visit(change, reason, leased, house, course):
    change(house, course)
    verdict = mailroom.look(leased, now=DUE)
    assert (verdict.event, reason in verdict.reason) == (Event.SUPPRESS, True)
    with db.transaction() as session:
        settle(session, {leased: verdict}, now=DUE)
    assert status() is ReminderStatus.SUPPRESSED
    assert [task.kind for task in mailroom.rows(Task)] == ["undelivered"]


def test_nothing_goes_out_at_night(leased):
    """Taken at 10:00, but the mail server was away until 22:00: it waits for 8:00, past which it is too late."""
    night = DUE + 13 * HOUR
    assert mailroom.look(leased, now=night).event is Event.EXPIRE
    evening = DUE + 10 * HOUR
    assert isinstance(mailroom.look(leased, now=evening), Letter)


def test_a_night_that_is_over_in_time_is_waited_for(house, course):
    later = mailroom.series(house, mailroom.patient(house, "Ben"), VISIT + 4 * HOUR)
    [lease] = [lease for lease in mailroom.take(now=DUE + 4 * HOUR) if is_of(lease, later, Purpose.VISIT)]
    verdict = mailroom.look(lease, now=DUE + 14 * HOUR)
    assert (verdict.event, verdict.send_at) == (Event.RELEASE, DUE + 22 * HOUR)  # 8:00


def is_of(lease, course_id, purpose):
    """Return whether a lease is of this course's message."""
    return any(row.id == lease.reminder_id and row.purpose == purpose for row in mailroom.messages(course_id))


def test_a_check_in_waits_until_the_visit_is_recorded_as_finished(house, course):
    """Nobody is asked how the day after was who never came."""
    due = VISIT + DAY
    mailroom.change_visit(house, course, now=VISIT, status=VisitStatus.RECOVERING)
    [lease] = mailroom.take(now=due)
    verdict = mailroom.look(lease, now=due)
    assert (verdict.event, verdict.send_at) == (Event.RELEASE, due + timedelta(minutes=30))
    with db.transaction() as session:
        settle(session, {lease: verdict}, now=due)
    mailroom.change_visit(house, course, now=due, status=VisitStatus.DISCHARGED)
    [lease] = mailroom.take(now=verdict.send_at)
    assert isinstance(mailroom.look(lease, now=verdict.send_at), Letter)


def test_a_missed_visit_is_not_asked_about(house, course):
    [lease] = mailroom.take(now=DUE)
    with db.transaction() as session:
        [visit] = session.query(mailroom.Visit).all()
        visit.status = VisitStatus.NO_SHOW
    assert mailroom.look(lease, now=DUE).event is Event.CANCEL


def test_a_preferred_name_is_used(house, course):
    with db.transaction() as session:
        session.query(Patient).one().preferred_name = "Addie"
    [lease] = mailroom.take(now=DUE)
    assert mailroom.look(lease, now=DUE).first_name == "Addie"


def test_several_workers_never_get_the_same_message(house):
    courses = [mailroom.series(house, mailroom.patient(house, f"P{n}"), VISIT) for n in range(10)]
    assert len(courses) == 10
    taken, gate = [], Barrier(4)

    def work():
        gate.wait()
        for _ in range(20):
            taken.extend(mailroom.take(now=DUE, limit=2))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(taken) == len(set(taken)) == 20, "itinerary and reminder of each of ten patients, once"
