"""By which way a message leaves, how many texts are enough, and which of several late ones still counts."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import ContactPoint, Patient, Reminder, Task, UserAccount
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import AttemptOutcome, ContactChannel, ReminderChannel, ReminderStatus, Role
from tracker.services import letters
from tracker.services.delivery import Result, settle
from tracker.services.letters import Lease, Letter, Verdict

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VISITS = [NOW + n * DAY for n in (7, 9, 11)]
MAIL, SMS = ReminderChannel.EMAIL, ReminderChannel.SMS


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def ada(house):
    """Return a patient who gave an e-mail address and a number for texts."""
    patient_id = mailroom.patient(house, "Ada")
    with db.transaction() as session:
        number = mailroom.address(house, patient_id, "+15055550142")
        number.channel = ContactChannel.SMS
        session.add(number)
    return patient_id


@pytest.fixture
def course(house, ada):
    """Book Ada's three visits."""
    return mailroom.series(house, ada, *VISITS)


def look(*purposes: Purpose, now, ways=frozenset(ReminderChannel)) -> list:
    """Lease what is due and return what is found for the messages of these purposes, in this order."""
    leases = mailroom.take(now=now)
    with db.read() as session:
        found = letters.look(session, leases, now=now, ways=ways)
        purpose = dict(session.execute(select(Reminder.id, Reminder.purpose)).all())
    return [one for want in purposes for lease, one in found.items() if purpose[lease.reminder_id] == want]


def text_left(course_id, number: int, at) -> None:
    """Let `number` other messages have left as texts."""
    with db.transaction() as session:
        of_this = select(Reminder.id).where(Reminder.course_id == course_id, Reminder.purpose == Purpose.THERAPY)
        more = select(Reminder.id).where(Reminder.course_id == course_id, Reminder.purpose == Purpose.CHECK_IN)
        last = select(Reminder.id).where(Reminder.course_id == course_id, Reminder.purpose == Purpose.LATE_CHECK_IN)
        ids = [*session.scalars(of_this), *session.scalars(more), *session.scalars(last)][:number]
        left = {"status": ReminderStatus.DELIVERED, "withdrawn": False, "channel": SMS, "sent_at": at}
        session.execute(update(Reminder).where(Reminder.id.in_(ids)).values(**left))


def test_what_is_of_use_for_hours_is_a_text_and_what_is_long_a_letter(course):
    [itinerary] = look(Purpose.ITINERARY, now=NOW)
    assert (itinerary.channel, itinerary.address) == (MAIL, "ada@example.org")
    [reminder] = look(Purpose.VISIT, now=VISITS[0] - DAY)
    assert (reminder.channel, reminder.address) == (SMS, "+15055550142")


def test_where_the_clinic_sends_no_texts_it_is_a_letter(course):
    [reminder] = look(Purpose.VISIT, now=VISITS[0] - DAY, ways={MAIL})
    assert (reminder.channel, reminder.why) == (MAIL, "The clinic doesn't write this way.")


def test_the_channel_is_settled_when_it_leaves(course):
    """She took her consent to texts back a minute ago."""
    with db.transaction() as session:
        session.execute(update(ContactPoint).where(ContactPoint.channel == "sms").values(opted_out_at=NOW))
    [reminder] = look(Purpose.VISIT, now=VISITS[0] - DAY)
    assert reminder.channel is MAIL


@pytest.mark.parametrize(
    ("texts", "ago", "channel"), [(1, HOUR, MAIL), (1, DAY, SMS), (3, 2 * DAY, MAIL), (3, 8 * DAY, SMS)]
)
def test_how_many_texts_are_enough(texts, ago, channel, course):
    """One a day, three a week; then it is a letter."""
    now = VISITS[0] - DAY
    text_left(course, texts, now - ago)
    [reminder] = look(Purpose.VISIT, now=now)
    assert reminder.channel is channel


def test_a_text_that_may_not_go_today_goes_tomorrow_if_it_is_of_use_then(house, course):
    with db.transaction() as session:
        session.execute(update(ContactPoint).where(ContactPoint.channel == "email").values(ended_at=NOW))
    later = VISITS[0] + 4 * HOUR  # 14:00: at 8:00 it is of use still
    mailroom.change_visit(house, course, 1, now=NOW, starts_at=later, ends_at=later + HOUR)
    now = later - DAY
    text_left(course, 1, now - HOUR)
    [verdict] = look(Purpose.VISIT, now=now)
    assert (verdict.event, verdict.send_at) == (Event.RELEASE, now + 18 * HOUR)


def test_two_texts_of_one_batch_are_not_both_the_last_that_is_allowed(house, ada, course):
    """Looked at together, each of them may go; marked one after the other, one of them."""
    other = mailroom.series(house, ada, VISITS[0] + 5 * HOUR)
    now = VISITS[0] - DAY + 5 * HOUR
    both = look(Purpose.VISIT, now=now)
    assert [letter.channel for letter in both] == [SMS, SMS]
    assert [mailroom.mark(letter, now=now) for letter in both] == [True, False]
    assert other


def test_a_message_that_was_refused_for_now_does_not_count_against_itself(course):
    now = VISITS[0] - DAY
    [letter] = look(Purpose.VISIT, now=now)
    assert mailroom.mark(letter, now=now)
    mailroom.record(letter.lease, Result(AttemptOutcome.DEFERRED, "503"), now=now)
    [again] = look(Purpose.VISIT, now=now + HOUR)
    assert again.channel is SMS
    assert mailroom.mark(again, now=now + HOUR)


def test_quiet_hours_are_the_patients(house, ada, course):
    """10:00 in Denver is 6:00 in Honolulu (where it would be too late after them, it is a task)."""
    with db.transaction() as session:
        session.execute(update(Patient).where(Patient.id == ada).values(zone_name="Pacific/Honolulu"))
    [verdict] = look(Purpose.ITINERARY, now=NOW)
    assert isinstance(verdict, Verdict)
    assert (verdict.event, verdict.send_at) == (Event.RELEASE, NOW + 2 * HOUR)


def test_after_a_stop_the_newest_of_a_kind_goes_and_the_others_are_accounted_for(house, course):
    """Nothing was sent for days: her dates, the first reminder of Monday's visit and the last one are all late."""
    now = VISITS[0] - 22 * HOUR
    with db.transaction() as session:
        early = update(Reminder).where(Reminder.purpose == Purpose.FIRST_VISIT)
        session.execute(early.values(expires_at=VISITS[0] - 2 * HOUR))
    [itinerary, first, second] = look(Purpose.ITINERARY, Purpose.FIRST_VISIT, Purpose.VISIT, now=now)
    assert (type(itinerary), type(second)) == (Letter, Letter), "they say different things"
    assert first.event is Event.OVERTAKE
    [row] = [row for row in mailroom.messages() if row.purpose == Purpose.FIRST_VISIT]
    with db.transaction() as session:
        settle(session, {Lease(row.id, row.lease_epoch): first}, now=now)
    assert mailroom.rows(Task) == [], "what was overtaken asks for no call"
    assert mailroom.plan(house, course, now=now).added == 0, "and isn't written again"


def test_what_is_not_late_is_not_overtaken(course):
    now = VISITS[0] - DAY + timedelta(minutes=30)
    with db.transaction() as session:
        early = update(Reminder).where(Reminder.purpose == Purpose.FIRST_VISIT)
        session.execute(early.values(send_at=now - HOUR / 2, expires_at=VISITS[0] - 2 * HOUR))
    [first, second] = look(Purpose.FIRST_VISIT, Purpose.VISIT, now=now)
    assert (type(first), type(second)) == (Letter, Letter)


def test_staff_are_written_to_while_their_account_is_open(house):
    with db.transaction() as session:
        user = session.scalars(select(UserAccount).where(UserAccount.role == Role.NURSE)).first()
        due = {"opens_at": NOW, "due_at": NOW, "created_at": NOW}
        session.add(Task(clinic_id=user.clinic_id, kind="therapy", key="one", owner_role=user.role, **due))
        session.add(
            Reminder(
                clinic_id=user.clinic_id,
                user_id=user.id,
                subject_id=user.id,
                subject_at=NOW,
                purpose=Purpose.DIGEST,
                send_at=NOW,
                expires_at=NOW + HOUR,
                created_at=NOW,
                changed_at=NOW,
            )
        )
        user_id, email = user.id, user.email
    [letter] = look(Purpose.DIGEST, now=NOW)
    assert (letter.address, letter.channel, letter.user_id) == (email, MAIL, user_id)
    with db.transaction() as session:
        session.execute(update(UserAccount).values(no_digest_at=NOW))
    assert not mailroom.mark(letter, now=NOW), "she wants none any more, since a moment"
    with db.transaction() as session:
        session.execute(update(UserAccount).values(no_digest_at=None))
    assert mailroom.mark(letter, now=NOW)
