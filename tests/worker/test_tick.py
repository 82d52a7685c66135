"""A tick against a real mail server: what is due arrives once, in the patient's words, and says nothing it must not."""

from collections import Counter
from datetime import timedelta

import pytest
from icalendar import Calendar
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.mail_server import Misbehaving, free_port, mail_server
from tracker import clock, db
from tracker.channels.smtp import Server, Smtp
from tracker.compose import Desk
from tracker.config import Config
from tracker.dispatch import Worker
from tracker.models import Attempt, ContactPoint, OutboxMessage, Task, Visit, WorkerHeartbeat
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus, VisitStatus
from tracker.services import links
from tracker.worker import build

KEY = b"k" * 32
DAY = timedelta(days=1)
STARTS = [NOW + n * DAY for n in (7, 9, 11)]


def worker(port: int | None, *, seconds: float = 5.0) -> Worker:
    """Return a worker that sends to a server on this port."""
    channels = {ReminderChannel.EMAIL: Smtp(Server("127.0.0.1", port, "none"), seconds=seconds)} if port else {}
    return Worker(channels, Desk(KEY, "https://visits.example.org", "visits@clinic.example"), name="test")


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def course(house):
    """Book Ada's three visits."""
    return mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), *STARTS)


def test_a_whole_series_from_booking_to_the_last_check_in(house, course):
    """Tick whenever something is due; each visit is discharged when it is over."""
    with mail_server() as (kept, port):
        sender = worker(port)
        for now in sorted({row.send_at for row in mailroom.messages()} | set(STARTS)):
            if now in STARTS:
                mailroom.change_visit(house, course, STARTS.index(now) + 1, now=now, status=VisitStatus.DISCHARGED)
            sender.tick(now)
    assert [message["Subject"] for message in kept.messages] == [
        "Your appointments",
        "Your first appointment",
        "Your next appointment",
        "Your next appointment",  # asks how she is, too: both are due on one day
        "How are you this week?",
        "Your next appointment",
        "How are you today?",
        "How are you this week?",
        "How have you been?",
        "How have you been?",
    ]
    assert {row.status for row in mailroom.messages()} == {ReminderStatus.ACCEPTED}
    assert mailroom.rows(Task) == []
    assert len({message["Message-ID"] for message in kept.messages}) == 10


def calendars(message) -> list[Calendar]:
    """Return the calendar files by which a message changes the patient's calendar, each once."""
    parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    return [Calendar.from_ical(part.get_payload(decode=True)) for part in parts]


def says(message) -> list[tuple[str, str, int]]:
    """Return method, visit and sequence of each."""
    return [
        (str(file["METHOD"]), str(event["UID"]), event["SEQUENCE"])
        for file in calendars(message)
        for event in file.walk("VEVENT")
    ]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_patients_calendar_follows_what_becomes_of_the_visits(house, course):
    """One moved, one cancelled: the same entries, each with a higher number; what is off is taken out."""
    noon = NOW + timedelta(hours=3)
    with mail_server() as (kept, port):
        worker(port).tick(NOW)
        later = STARTS[1] + timedelta(hours=1)
        mailroom.change_visit(house, course, 2, now=noon, starts_at=later, ends_at=later + timedelta(hours=2))
        mailroom.cancel(house, course, 3, now=noon, changed=True)
        worker(port).tick(noon + timedelta(minutes=10))
    first, changed = (says(message) for message in kept.messages)
    told = {uid: number for _method, uid, number in first}
    assert [method for method, _uid, _number in first] == ["REQUEST"] * 3
    assert [method for method, _uid, _number in changed] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [uid for _method, uid, _number in changed] == list(told)
    assert [number - told[uid] for _method, uid, number in changed] == [0, 1, 1]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_itinerary_has_all_dates_a_link_and_a_calendar(course):
    with mail_server() as (kept, port):
        assert worker(port).tick(NOW) == {"accepted": 1}
    [message] = kept.messages
    text = message.get_body(("plain",)).get_content()
    assert "Hello Ada," in text
    assert "Mon, Mar 9, 10:00 AM" in text  # clocks went forward
    with db.read() as session:
        link = links.find_course_link(session, course)
    assert f"https://visits.example.org/v/{links.make_token(KEY, link.id, 1)}" in text
    with db.read() as session:
        point = session.scalars(select(ContactPoint)).one()
    stop = links.unsubscribe_address("https://visits.example.org", KEY, point.id)
    assert message["List-Unsubscribe"] == f"<{stop}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    files = calendars(message)
    assert [file["METHOD"] for file in files] == ["REQUEST"] * 3
    assert [event["DTSTART"].dt for file in files for event in file.walk("VEVENT")] == STARTS


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_says_what_the_treatment_is(house, course):
    """The clinic's own name says it; its neutral one is used everywhere."""
    with db.transaction() as session:
        session.merge(house.clinic).name = "Cottonwood Ketamine Infusion Clinic"
    with mail_server() as (kept, port):
        for now in sorted({row.send_at for row in mailroom.messages()} | set(STARTS)):
            if now in STARTS:
                mailroom.change_visit(house, course, STARTS.index(now) + 1, now=now, status=VisitStatus.DISCHARGED)
            worker(port).tick(now)
    assert len({message["Subject"] for message in kept.messages}) == 6
    for message in kept.messages:
        parts = [part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()]
        said = "\n".join([*map(str, message.values()), *parts]).lower()
        for word in ("ketamin", "infus", "depress", "trd", "treat", "therap", "drug", "dose", "lovelace", "psych"):
            assert word not in said, word
        assert "cottonwood" in said


def test_a_cancelled_visit_is_not_reminded_of(house, course):
    with mail_server() as (kept, port):
        worker(port).tick(NOW)
        mailroom.cancel(house, course, 1, now=NOW + DAY)
        worker(port).tick(STARTS[0] - DAY)
    assert [message["Subject"] for message in kept.messages] == ["Your appointments", "Your first appointment"]
    assert "Wed, Mar 11" in kept.messages[1].get_body(("plain",)).get_content(), "the second is the first now"


def test_a_cancelled_visit_is_told_of_with_the_dates_that_are_left(house, course):
    noon = NOW + timedelta(hours=3)
    with mail_server() as (kept, port):
        worker(port).tick(NOW)
        mailroom.cancel(house, course, 1, now=noon, changed=True)
        worker(port).tick(noon + timedelta(minutes=10))
        worker(port).tick(noon + timedelta(minutes=20))
    assert [message["Subject"] for message in kept.messages] == ["Your appointments", "Your appointments have changed"]
    text = kept.messages[1].get_body(("plain",)).get_content()
    assert "Mar 9" not in text
    assert "Wed, Mar 11" in text
    assert "Fri, Mar 13" in text


def test_whoever_has_no_date_left_is_told_so(house, course):
    """Also where the message about an earlier change still waits: it says what is so when it leaves."""
    noon = NOW + timedelta(hours=3)
    with mail_server() as (kept, port):
        worker(port).tick(NOW)
        for ordinal in (1, 2, 3):
            mailroom.cancel(house, course, ordinal, now=noon, changed=True)
        worker(port).tick(noon + timedelta(minutes=10))
        for day in range(40):
            worker(port).tick(noon + day * DAY)
    assert [message["Subject"] for message in kept.messages] == ["Your appointments", "Your appointments have changed"]
    [_, message] = kept.messages
    assert "No date is left" in message.get_body(("plain",)).get_content()
    assert "Mar" not in message.get_body(("plain",)).get_content()
    assert [method for method, _uid, _number in says(message)] == ["CANCEL"] * 3


def test_a_message_about_a_change_that_comes_too_late_does_not_say_that_none_is_left(house, course):
    with mail_server() as (kept, port):
        worker(port).tick(NOW)
        mailroom.change_visit(house, course, 3, now=NOW, changed=True)
        for ordinal in (1, 2, 3):
            mailroom.change_visit(house, course, ordinal, now=NOW, status=VisitStatus.ARRIVED)
        worker(port).tick(NOW + timedelta(minutes=10))
    assert len(kept.messages) == 1


def test_a_moved_visit_is_reminded_of_at_its_new_time(house, course):
    later = STARTS[0] + timedelta(hours=3)
    mailroom.change_visit(house, course, 1, now=NOW, starts_at=later, ends_at=later + timedelta(hours=2))
    with mail_server() as (kept, port):
        worker(port).tick(NOW)
        worker(port).tick(later - DAY)
    assert "Mon, Mar 9, 1:00 PM" in kept.messages[-1].get_body(("plain",)).get_content()


def test_an_hour_without_a_mail_server_loses_nothing(course):
    port = free_port()
    assert worker(port).tick(NOW) == {"later": 1}
    with mail_server() as (kept, port):
        assert worker(port).tick(NOW) == {}
        assert worker(port).tick(NOW + timedelta(seconds=37)) == {"accepted": 1}
    assert len(kept.messages) == 1
    assert [attempt.outcome.value for attempt in mailroom.rows(Attempt)] == ["deferred", "accepted"]


def test_silence_after_the_message_is_a_task_and_no_second_message(course):
    with Misbehaving(dot="hang") as server:
        assert worker(server.port, seconds=0.5).tick(NOW) == {"unknown": 1}
    with mail_server() as (kept, port):
        assert worker(port).tick(NOW + timedelta(minutes=10)) == {}
    assert kept.messages == []
    assert [task.kind for task in mailroom.rows(Task)] == ["uncertain"]


def test_no_transaction_is_open_while_it_is_sent(course):
    """A server that takes its time must not hold the database."""
    with Misbehaving(dot="hang") as server:
        sender = worker(server.port, seconds=1.0)
        channel = sender.channels[ReminderChannel.EMAIL]
        send = channel.send

        def sending(message):
            with db.transaction() as session:  # would be refused inside another
                session.execute(mailroom.select(1))
            return send(message)

        channel.send = sending
        assert sender.tick(NOW) == {"unknown": 1}


def test_one_broken_record_does_not_keep_others_from_theirs(house):
    for number in range(10):
        mailroom.series(house, mailroom.patient(house, f"P{number}"), *STARTS)
    with db.transaction() as session:
        session.query(ContactPoint).filter_by(address="p7@example.org").one().address = "p7@exämple\r\nBcc: x@y.org"
    with mail_server() as (kept, port):
        assert worker(port).tick(NOW) == {"accepted": 9, "refuse": 1}
    assert len(kept.messages) == 9
    assert [task.kind for task in mailroom.rows(Task)] == ["undelivered"]


def test_without_a_mail_server_what_is_too_late_becomes_a_task(course):
    assert worker(None).tick(NOW) == {}
    assert worker(None).tick(STARTS[0])["late"] == 3
    assert len(mailroom.rows(Task)) == 3


def test_a_clinic_whose_zone_nobody_knows_keeps_no_other_from_its_calls(course, house):
    broken = make_clinic()
    mailroom.series(broken, mailroom.patient(broken, "Ben"), *STARTS)
    with db.transaction() as session:
        session.merge(broken.clinic).zone_name = "Nowhere/At_all"
    assert worker(None).tick(STARTS[0])["late"] == 6
    assert Counter(task.clinic_id for task in mailroom.rows(Task)) == {house.clinic.id: 3, broken.clinic.id: 3}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_each_sending_is_in_the_history(course):
    with mail_server() as (_, port):
        worker(port).tick(NOW)
    said = [(attempt.address, attempt.outcome, attempt.detail) for attempt in mailroom.rows(Attempt)]
    assert said == [("ada@example.org", AttemptOutcome.ACCEPTED, "dot: 250 OK")]


def test_a_tick_says_that_the_worker_is_alive(course):
    worker(None).tick(NOW)
    with db.read() as session:
        assert NOW <= session.get(WorkerHeartbeat, "test").beat_at < NOW + timedelta(minutes=1)


def test_a_worker_that_is_to_stop_sends_no_more(course):
    with mail_server() as (kept, port):
        sender = worker(port)
        sender.stopping.set()
        assert sender.tick(NOW) == {"given_back": 1}
    assert kept.messages == []
    assert {row.status for row in mailroom.messages()} == {ReminderStatus.SCHEDULED}


def test_with_sending_off_messages_are_kept_in_the_outbox(course):
    clock.shift(timedelta())  # whatever ran before may have left its own
    clock.shift(NOW - clock.now())
    try:
        assert build(Config(secret_key="0123456789abcdefghijklmnopqrstuv", sending=False)).tick(NOW) == {"accepted": 1}
    finally:
        clock.shift(timedelta())
    with db.read() as session:
        [kept] = session.query(OutboxMessage).all()
    assert (kept.recipient, kept.subject) == ("ada@example.org", "Your appointments")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_visit_recorded_late_is_asked_about_when_it_is_recorded(house):
    """The room was closed without a discharge; the nurse makes up for it at noon the next day."""
    course = mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), STARTS[0])
    noon = STARTS[0] + DAY + timedelta(hours=3)
    with db.transaction() as session:
        session.query(Visit).filter_by(ordinal=1).one().status = VisitStatus.RECOVERING
    with mail_server() as (kept, port):
        for hour in range(24):
            now = STARTS[0] + timedelta(hours=hour + 6)
            if now == noon:
                mailroom.change_visit(house, course, 1, now=now, status=VisitStatus.DISCHARGED)
            worker(port).tick(now)
    assert [m["Subject"] for m in kept.messages if m["Subject"] == "How are you today?"] == ["How are you today?"]
    [row] = [row for row in mailroom.messages() if row.purpose == Purpose.NEXT_DAY and row.status == "accepted"]
    assert row.changed_at >= noon
