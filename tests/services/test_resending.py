"""What a person does about a message by hand, on both databases."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import NotFound, Refused, Stale
from tracker.models import Attempt, AuditEntry, ContactPoint, Reminder, ReminderEvent, Task
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LEASE, Event
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus, TaskStatus
from tracker.services import letters, message_history, receipts, resending
from tracker.services.delivery import Result
from tracker.services.resending import Answer, Resend

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VISIT = NOW + 7 * DAY
DUE = VISIT - DAY
LATER = DUE + HOUR
WAYS = frozenset(ReminderChannel)
REFUSED = Result(AttemptOutcome.REFUSED, "rcpt: 550 <ada@example.org> unknown", bad_address=True)


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def course(house):
    """Book Ada one visit in a week; her first two messages have gone."""
    course = mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), VISIT)
    with db.transaction() as session:
        for row in mailroom.messages():
            if row.purpose in (Purpose.ITINERARY, Purpose.FIRST_VISIT):
                session.merge(row).status = ReminderStatus.ACCEPTED
    return course


def sent(result=None, *, due=DUE):
    """Let the reminder of Ada's visit leave; without a result its worker dies. Return its id."""
    [lease] = mailroom.take(now=due)
    assert mailroom.mark(mailroom.look(lease, now=due), now=due)
    if result:
        mailroom.record(lease, result, now=due + timedelta(seconds=1))
    else:
        mailroom.sweep(now=due + LEASE)
    return lease.reminder_id


def the(reminder_id):
    """Return the message as it is now."""
    with db.read() as session:
        return session.get_one(Reminder, reminder_id)


def resend(house, reminder_id, *, epoch=None, now=LATER, reason="Asked for it again", actor=None):
    """Send it again by hand."""
    command = Resend(epoch=the(reminder_id).lease_epoch if epoch is None else epoch, reason=reason)
    with db.transaction() as session:
        resending.resend(session, actor or house.coordinator, reminder_id, command, WAYS, now=now)


def answer(house, reminder_id, what, *, epoch=1, note=None, actor=None):
    """Say what became of it."""
    command = Answer(epoch=epoch, answer=what, note=note)
    with db.transaction() as session:
        resending.answer(session, actor or house.nurse, reminder_id, command, now=LATER)


def preview(house, reminder_id, *, now=LATER):
    """Look at what would be sent."""
    with db.read() as session:
        return resending.preview(session, house.coordinator, reminder_id, WAYS, now=now)


def set_point(**values):
    """Change Ada's address."""
    with db.transaction() as session:
        [point] = session.query(ContactPoint).all()
        for name, value in values.items():
            setattr(point, name, value)


def history(house, reminder_id):
    """Return what a person reads of it."""
    with db.read() as session:
        row = session.get_one(Reminder, reminder_id)
        return message_history.of_message(session, house.coordinator, row)


def task():
    """Return the one task."""
    [task] = mailroom.rows(Task)
    return task


def test_what_was_sent_again_goes_once_more_and_its_task_is_done(house, course):
    it = sent()
    assert (the(it).status, task().status) == (ReminderStatus.UNCERTAIN, TaskStatus.OPEN)

    resend(house, it)

    row = the(it)
    assert (row.status, row.send_at, row.expires_at) == (ReminderStatus.SCHEDULED, LATER, VISIT - 2 * HOUR)
    assert (task().status, task().closed_by) == (TaskStatus.DONE, house.coordinator.user_id)
    assert task().outcome == "Sent again: Asked for it again"
    [lease] = mailroom.take(now=LATER)
    assert mailroom.mark(mailroom.look(lease, now=LATER), now=LATER)
    mailroom.record(lease, Result(AttemptOutcome.ACCEPTED, "dot: 250 OK"), now=LATER)
    assert the(it).status is ReminderStatus.ACCEPTED
    assert len(mailroom.rows(Attempt)) == 2
    [entry] = [entry for entry in mailroom.rows(AuditEntry) if entry.action == "resend message"]
    assert entry.actor_name == "M. Reyes"


def test_its_history_says_who_wanted_it_and_why(house, course):
    it = sent(REFUSED)
    set_point(invalid_at=None)
    resend(house, it)
    lines = history(house, it)
    assert [line.words for line in lines] == ["Planned", "Refused for a…@example.org", "To be sent again"]
    assert (lines[-1].by, lines[-1].why) == ("M. Reyes", "Asked for it again")
    assert "ada@" not in " ".join(line.why for line in lines)
    assert lines[1].why == "The mail server refused it."


def test_what_fails_a_second_time_is_a_second_task(house, course):
    it = sent()
    resend(house, it)
    [lease] = mailroom.take(now=LATER)
    assert mailroom.mark(mailroom.look(lease, now=LATER), now=LATER)
    mailroom.record(lease, REFUSED, now=LATER)
    assert [one.status for one in mailroom.rows(Task)] == [TaskStatus.DONE, TaskStatus.OPEN]


def test_what_nobody_took_up_after_that_is_a_task_too(house, course):
    it = sent()
    resend(house, it)
    mailroom.sweep(now=VISIT)
    assert the(it).status is ReminderStatus.EXPIRED
    assert [one.status for one in mailroom.rows(Task)] == [TaskStatus.DONE, TaskStatus.OPEN]


def test_a_worker_that_comes_back_from_the_first_try_changes_nothing(house, course):
    [lease] = mailroom.take(now=DUE)
    assert mailroom.mark(mailroom.look(lease, now=DUE), now=DUE)
    mailroom.sweep(now=DUE + LEASE)
    resend(house, lease.reminder_id)
    mailroom.record(lease, Result(AttemptOutcome.ACCEPTED), now=LATER)
    assert the(lease.reminder_id).status is ReminderStatus.SCHEDULED


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"opted_out_at": NOW, "opted_out_how": "said so"}, "wants no messages"),
        ({"consent_at": None, "consent_wording": None}, "No consent to e-mail"),
        ({"invalid_at": NOW}, "refused this address"),
        ({"ended_at": NOW}, "No e-mail address"),
    ],
)
def test_nobody_is_written_to_against_their_will(house, course, values, why):
    it = sent()
    set_point(**values)
    assert why in preview(house, it).why
    with pytest.raises(Refused, match=why) as refused:
        resend(house, it)
    assert refused.value.helps == ("Call instead.",)
    assert (the(it).status, task().status) == (ReminderStatus.UNCERTAIN, TaskStatus.OPEN)


def test_what_is_not_so_any_more_is_not_sent_again(house, course):
    it = sent()
    mailroom.change_visit(house, course, now=LATER, starts_at=VISIT + HOUR, ends_at=VISIT + 3 * HOUR)
    with pytest.raises(Refused, match="The visit moved"):
        resend(house, it)
    mailroom.change_visit(house, course, now=LATER, starts_at=VISIT, ends_at=VISIT + 2 * HOUR)
    mailroom.cancel(house, course, now=LATER)
    with pytest.raises(Refused, match="The visit is off"):
        resend(house, it)


def test_it_is_too_late_two_hours_before_the_visit(house, course):
    it = sent()
    with pytest.raises(Refused, match="too late"):
        resend(house, it, now=VISIT - 2 * HOUR)


def test_at_night_it_waits_for_the_morning_and_says_so(house, course):
    mailroom.change_visit(house, course, now=NOW, starts_at=VISIT + 5 * HOUR, ends_at=VISIT + 7 * HOUR)
    it = sent(due=DUE + 5 * HOUR)
    night = DUE + 12 * HOUR  # 22:00 in Denver
    seen = preview(house, it, now=night)
    assert "at night" in seen.why
    assert seen.letter
    assert seen.later == DUE + 22 * HOUR
    resend(house, it, now=night)
    assert the(it).send_at == seen.later
    mailroom.plan(house, course, now=night + HOUR)
    assert (the(it).send_at, the(it).expires_at) == (seen.later, seen.row.expires_at)  # and is left to wait


def test_looking_changes_nothing(house, course):
    it = sent()
    before = (the(it).send_at, the(it).expires_at, the(it).status)
    assert isinstance(preview(house, it).letter, letters.Letter)
    assert (the(it).send_at, the(it).expires_at, the(it).status) == before


def test_the_second_of_two_people_hears_who_was_first(house, course):
    it = sent()
    resend(house, it, epoch=1)
    with pytest.raises(Stale, match=r"M\. Reyes has had it sent again already"):
        resend(house, it, epoch=1, actor=house.nurse)
    with pytest.raises(Stale, match=r"M\. Reyes"):
        answer(house, it, "arrived")


def test_two_at_once_send_it_once(house, course):
    it, found, barrier = sent(), [], Barrier(2)

    def try_it(actor):
        barrier.wait()
        try:
            resend(house, it, epoch=1, actor=actor)
            found.append("sent")
        except Stale as stale:
            found.append(str(stale))

    threads = [Thread(target=try_it, args=[actor]) for actor in (house.coordinator, house.nurse)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("sent") == 1
    assert len([event for event in mailroom.rows(ReminderEvent) if event.event == Event.RESEND]) == 1
    assert "sent again already" in next(one for one in found if one != "sent")


def test_it_arrived(house, course):
    it = sent()
    answer(house, it, "arrived", note="Read it on Monday")
    assert the(it).status is ReminderStatus.DELIVERED
    assert (task().status, task().outcome) == (TaskStatus.DONE, "It arrived. Read it on Monday")
    last = history(house, it)[-1]
    assert (last.words, last.by, last.why) == ("It arrived, noted", "J. Adeyemi", "Read it on Monday")
    with pytest.raises(Stale, match=r"J\. Adeyemi saw to it already: It arrived"):
        answer(house, it, "arrived", actor=house.coordinator)
    with pytest.raises(Stale):
        resend(house, it)


def test_somebody_called_instead(house, course):
    it = sent(REFUSED)
    answer(house, it, "called", note="She comes")
    assert the(it).status is ReminderStatus.FAILED
    assert (task().status, task().outcome) == (TaskStatus.DONE, "Called instead. She comes")
    last = history(house, it)[-1]
    assert (last.words, last.by, last.why) == ("Seen to", "J. Adeyemi", "Called instead. She comes")
    with pytest.raises(Stale, match=r"J\. Adeyemi saw to it already: Called instead"):
        answer(house, it, "called", actor=house.coordinator)


def test_only_what_nobody_is_sure_of_can_be_said_to_have_arrived(house, course):
    with pytest.raises(Stale):
        answer(house, sent(REFUSED), "arrived")


def told(it, status, now):
    """Let the provider say something about the first try."""
    with db.transaction() as session:
        receipts.keep(session, receipts.Told("twilio", "SM1", status, {}, it, 1), now=now)
        assert receipts.apply(session, now=now) == 1


def test_a_receipt_that_it_bounced_turns_the_question_into_a_call(house, course):
    it = sent()
    told(it, "undelivered", LATER)
    assert (the(it).status, task().kind) == (ReminderStatus.BOUNCED, "undelivered")


def test_a_receipt_after_somebody_called_asks_nobody_again(house, course):
    it = sent()
    answer(house, it, "called")
    told(it, "undelivered", LATER)
    assert task().status is TaskStatus.DONE


def test_another_clinics_message_is_not_there(house, course):
    it, other = sent(), make_clinic()
    with pytest.raises(NotFound):
        resend(house, it, actor=other.coordinator)
    with pytest.raises(NotFound):
        answer(house, it, "called", actor=other.coordinator)
