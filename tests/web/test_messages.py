"""What staff see of messages: what went, what will go, what did not and why."""

import html
import re
from datetime import timedelta
from html import unescape

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import COTTONWOOD, make_clinic
from tests.web.conftest import KEY
from tracker import db
from tracker.compose import Desk
from tracker.config import Config
from tracker.dispatch import Worker
from tracker.models import (
    Attempt,
    AuditEntry,
    ContactPoint,
    ProviderState,
    Reminder,
    Sending,
    Visit,
    VisitEvent,
)
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LEASE
from tracker.rules.vocabulary import AttemptOutcome, ContactChannel, ReminderStatus
from tracker.services import messages, sending, undelivered
from tracker.services.delivery import Result
from tracker.services.health import health
from tracker.services.sending import Witness
from tracker.worker import build

DAY = timedelta(days=1)


@pytest.fixture
def course(house):
    """Book Ada two visits; nothing has been sent yet."""
    return mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + 7 * DAY, NOW + 9 * DAY)


def send_due():
    """Let the demonstration's worker send what is due."""
    build(Config(secret_key=KEY, sending=False)).tick(NOW)


def id_of(purpose):
    """Return the id of the first message of that purpose."""
    return next(row.id for row in mailroom.messages() if row.purpose == purpose)


def test_what_will_go_stands_in_order_of_its_time(house, browser, course):
    text = browser(house.coordinator).get("/messages").text
    assert text.index("All dates") < text.index("Before the first visit") < text.index("Next-day check-in")
    assert text.count("Lovelace, Ada") == len(mailroom.messages())
    assert "Will go" in text
    assert "Sun, Mar 8, 10:00 AM" in text


def test_what_went_is_shown_as_the_patient_sees_it_with_a_link_that_opens(house, browser, course):
    send_due()
    desk = browser(house.coordinator)
    assert "All dates" in desk.get("/messages?show=sent").text
    text = desk.get(f"/messages/{id_of(Purpose.ITINERARY)}").text
    assert "Your appointments" in text
    assert "Hello Ada," in text
    assert "Kept here: nothing leaves" in text
    address = re.search(r'href="http://127.0.0.1:8000(/v/[^"]+)"', text)[1]
    assert browser().get(address).status_code == 200


def test_who_has_no_address_is_seen_before_it_is_too_late(house, browser):
    mailroom.series(house, mailroom.patient(house, "Ben Shaw", email=None), NOW + 7 * DAY)
    text = browser(house.coordinator).get("/messages").text
    assert text.count("Will not go") == 7
    assert "No address or number that may be written to." in text


def test_what_may_not_have_arrived_says_so(house, browser, course):
    [lease] = mailroom.take(now=NOW)
    mailroom.mark(mailroom.look(lease, now=NOW), now=NOW)
    mailroom.sweep(now=NOW + LEASE)
    assert "May not have arrived" in browser(house.coordinator).get("/messages?show=not_sent").text


def test_what_was_called_off_has_its_own_list(house, browser, course):
    mailroom.cancel(house, course, 1, now=NOW)
    desk = browser(house.coordinator)
    assert "Called off" in desk.get("/messages?show=off").text
    with db.read() as session:
        lines = messages.of_patient(session, house.coordinator, mailroom.messages()[0].patient_id, now=NOW)
    assert {line.words for line in lines} == {"Will go", "Due now"}


def wrong(house, now):
    with db.read() as session:
        return health(session, house.coordinator, now=now)


def test_a_worker_that_fell_silent_is_noticed_when_something_is_due(house, course):
    assert not wrong(house, NOW)
    assert wrong(house, NOW + timedelta(minutes=5)).silent_since == NOW
    send_due()
    assert not wrong(house, NOW + timedelta(minutes=5))


def test_the_visits_and_the_patients_page_say_it_too(house, browser, course):
    send_due()
    row = next(row for row in mailroom.messages() if row.purpose == Purpose.VISIT)
    desk = browser(house.coordinator)
    visit = desk.get(f"/visits/{row.visit_id}").text
    assert f"/messages/{row.id}" in visit
    assert "Visit reminder" in visit
    assert "Sent" in desk.get(f"/patients/{row.patient_id}").text


def test_another_clinic_sees_nothing_of_it(browser, course):
    other = browser(make_clinic(COTTONWOOD).coordinator)
    assert "Ada" not in other.get("/messages").text
    assert other.get(f"/messages/{id_of(Purpose.VISIT)}").status_code == 404


def test_reading_one_is_in_the_audit(house, browser, course):
    browser(house.nurse).get(f"/messages/{id_of(Purpose.VISIT)}")
    with db.read() as session:
        [entry] = session.query(AuditEntry).filter_by(action="read message").all()
    assert entry.patient_id == mailroom.messages()[0].patient_id


@pytest.mark.parametrize(
    ("field", "asked", "status"),
    [
        ("show", "", 200),
        ("show", "sent", 200),
        ("show", "not_sent", 200),
        ("show", "off", 200),
        ("show", "nonsense", 422),
        ("show", "\0", 422),
        ("show", "1" * 5000, 422),
        ("kind", "visit", 200),
        ("kind", "nonsense", 422),
        ("way", "sms", 200),
        ("day", "2026-03-09", 200),
        ("day", "yesterday", 422),
        ("patient", "Ada", 422),
        ("page", "9000", 200),
        ("page", "-3", 200),
    ],
)
def test_any_filter_gives_a_page(house, browser, course, field, asked, status):
    answer = browser(house.coordinator).get("/messages", query_string={field: asked})
    assert answer.status_code == status
    assert "<h1>Messages</h1>" in answer.text


def rows_of(text):
    """Return what stands in the list's body, row by row."""
    return re.findall(r"<tr>\s*<td.*?</tr>", text, re.DOTALL)


def test_the_list_is_narrowed_by_kind_way_day_and_patient(house, browser, course):
    mailroom.series(house, mailroom.patient(house, "Ben Shaw"), NOW + 7 * DAY)
    send_due()
    desk = browser(house.coordinator)
    everything = rows_of(desk.get("/messages").text)
    kind = rows_of(desk.get("/messages?kind=visit").text)
    assert 0 < len(kind) < len(everything)
    assert all("Visit reminder" in row for row in kind)
    day = rows_of(desk.get("/messages?day=2026-03-08").text)
    assert 0 < len(day) < len(everything)
    assert all("Mar 8" in row.split("</td>")[0] for row in day)
    assert len(rows_of(desk.get("/messages?show=sent&way=email").text)) == 2
    assert rows_of(desk.get("/messages?show=sent&way=sms").text) == []
    ben = next(row.patient_id for row in mailroom.messages() if row.course_id != course)
    bens = desk.get("/messages", query_string={"patient": ben}).text
    assert "Only those of Shaw, Ben" in bens
    assert "Lovelace" not in bens


def test_a_name_that_is_looked_for_stands_in_no_address(house, browser, course):
    desk = browser(house.coordinator)
    found = desk.post("/messages/find", data={"whose": "lovel"})
    [link] = re.findall(r'href="(/messages\?patient=[^"]+)"', found.text)
    assert "ovel" not in link
    assert "Only those of Lovelace, Ada" in desk.get(link).text
    assert "Nobody fits" in desk.post("/messages/find", data={"whose": "nobody"}).text
    assert desk.post("/messages/find", data={}).status_code == 200
    other = browser(make_clinic(COTTONWOOD).coordinator)
    assert "Lovelace" not in other.post("/messages/find", data={"whose": "lovel"}).text
    assert other.get(link).status_code == 404


def test_more_than_a_page_goes_on_on_the_next(house, browser):
    mailroom.many(house, 12, NOW + 7 * DAY)
    desk = browser(house.coordinator)
    seen = []
    for number in (1, 2, 3):
        text = desk.get(f"/messages?page={number}").text
        seen += re.findall(r'href="(/messages/[0-9a-f-]{36})"', text)
        more = "Next page" in text
        assert more == (len(seen) < len(mailroom.messages()))
        if not more:
            break
    assert sorted(seen) == sorted(f"/messages/{row.id}" for row in mailroom.messages())


def test_what_goes_to_staff_stands_there_with_their_name(house, browser, course):
    with db.transaction() as session:
        times = {"send_at": NOW, "expires_at": NOW + DAY, "created_at": NOW, "changed_at": NOW, "subject_at": NOW}
        about = {"user_id": house.nurse.user_id, "subject_id": house.nurse.user_id, "purpose": Purpose.DIGEST}
        row = Reminder(clinic_id=house.clinic.id, **about, **times)
        session.add(row)
        session.flush()
        digest = row.id
    desk = browser(house.coordinator)
    [line] = rows_of(desk.get("/messages?kind=digest").text)
    assert "J. Adeyemi" in line
    assert "staff" in line
    assert "the clinic’s work" in line
    shown = desk.get(f"/messages/{digest}")
    assert shown.status_code == 200
    assert "J. Adeyemi" in shown.text
    assert "Send again" not in shown.text
    assert (
        "not sent again" in desk.get(f"/messages/{digest}/again").text
        or "on its way" in desk.get(f"/messages/{digest}/again").text
    )


@pytest.fixture
def lost(house, app, course, monkeypatch):
    """Let the list of Ada's dates be one of which nobody knows whether it left, where messages could leave."""
    monkeypatch.setitem(app.config, "TRACKER", Config(secret_key=KEY, sending=False))
    before = NOW - LEASE
    with db.transaction() as session:
        [row] = session.query(Reminder).filter_by(purpose=Purpose.ITINERARY).all()
        row.send_at = before
    [lease] = mailroom.take(now=before)
    mailroom.mark(mailroom.look(lease, now=before), now=before)
    mailroom.sweep(now=NOW)
    return lease.reminder_id


def fields(text):
    """Return the hidden fields of the page's last form."""
    form = text.rpartition("<form")[2]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


def test_what_will_be_sent_again_is_shown_first_and_the_reason_stays(house, browser, lost):
    desk = browser(house.coordinator)
    seen = desk.get(f"/messages/{lost}/again").text
    assert "What will be sent" in seen
    assert "Hello Ada," in seen
    assert "a…@example.org" in seen
    assert "/v/…" in seen
    assert "It may have arrived" in seen
    asked = fields(seen)
    refused = desk.post(f"/messages/{lost}/again", data=asked)
    assert refused.status_code == 422
    assert "What will be sent" in refused.text
    done = desk.post(f"/messages/{lost}/again", data=asked | {"reason": "Did not get it"})
    assert done.status_code == 303
    text = desk.get(done.location).text
    assert "To be sent again" in text
    assert "by M. Reyes" in text
    assert "Did not get it" in text
    again = browser(house.nurse).post(f"/messages/{lost}/again", data={"epoch": "1", "reason": "Me too"})
    assert again.status_code == 409
    assert "M. Reyes has had it sent again already" in again.text
    assert "on its way already" in again.text


@pytest.mark.parametrize(
    ("outcome", "detail", "said"),
    [
        (
            AttemptOutcome.REFUSED,
            "recipient: 550 5.1.1 <ada@example.org>: User unknown",
            "Refused. Nothing is taken for this address. "
            "In technical words: “550 5.1.1 <a…@example.org>: User unknown”",
        ),
        (
            AttemptOutcome.DEFERRED,
            "connect: ConnectionRefusedError: [Errno 111] Connection refused",
            "Not taken, to be tried again. There was no connection. "
            "In technical words: “ConnectionRefusedError: [Errno 111] Connection refused”",
        ),
        (AttemptOutcome.ACCEPTED, "dot: 250 queued as 4F", "Taken In technical words: “250 queued as 4F”"),
        (AttemptOutcome.REFUSED, "write", "Refused"),
        (
            AttemptOutcome.UNCERTAIN,
            "The sender stopped in the middle of it.",
            "No answer after it was handed over. The sender stopped in the middle of it.",
        ),
    ],
)
def test_what_became_of_a_try_is_said_plainly_before_it_is_quoted(house, browser, course, outcome, detail, said):
    [lease] = mailroom.take(now=NOW)
    mailroom.mark(mailroom.look(lease, now=NOW), now=NOW)
    mailroom.record(lease, Result(outcome, detail), now=NOW)
    page = browser(house.coordinator).get(f"/messages/{lease.reminder_id}").text
    cell = re.search(r'<td data-label="What became of it">(.*?)</td>', page)[1]
    assert unescape(re.sub("<[^>]+>", "", cell.replace("<br>", " "))) == said


def test_whoever_found_out_says_so_and_the_task_is_gone(house, browser, lost):
    nurse = browser(house.nurse)
    listed = nurse.get("/to-do?show=all").text
    assert "Ask Ada whether it arrived" in listed
    assert f'href="/messages/{lost}"' in listed
    page = nurse.get(f"/messages/{lost}").text
    assert "Did it arrive?" in page
    said = {"epoch": "1", "answer": "arrived", "note": "Read it on Monday"}
    assert nurse.post(f"/messages/{lost}/answer", data=said).status_code == 303
    assert "Delivered" in nurse.get(f"/messages/{lost}").text
    assert "Ask Ada" not in nurse.get("/to-do?show=all").text
    second = browser(house.coordinator).post(f"/messages/{lost}/answer", data=said)
    assert second.status_code == 409
    assert "J. Adeyemi saw to it already: It arrived" in second.text


def test_whom_to_call_stands_with_the_number_while_somebody_has_to_be_told(house, browser, lost):
    desk = browser(house.coordinator)
    assert "No telephone number is noted." in desk.get(f"/messages/{lost}").text
    with db.transaction() as session:
        point = mailroom.number(house, session.get_one(Reminder, lost).patient_id, "+15055550142")
        point.channel = ContactChannel.PHONE
        session.add(point)
    for page in (f"/messages/{lost}", f"/messages/{lost}/again"):
        with db.transaction() as session:
            for email in session.query(ContactPoint).filter_by(channel=ContactChannel.EMAIL):
                email.opted_out_at, email.opted_out_how = NOW, "told us"
        assert 'href="tel:+15055550142"' in desk.get(page).text
        assert "(505) 555-0142" in desk.get(page).text
    desk.post(f"/messages/{lost}/answer", data={"epoch": "1", "answer": "arrived"})
    assert "tel:+1505" not in desk.get(f"/messages/{lost}").text


@pytest.mark.parametrize(("ahead", "offered"), [(timedelta(hours=5), True), (timedelta(hours=1), False)])
def test_sending_again_is_offered_while_it_is_of_use(house, app, browser, monkeypatch, ahead, offered):
    monkeypatch.setitem(app.config, "TRACKER", Config(secret_key=KEY, sending=False))
    mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + ahead, booked_at=NOW - 7 * DAY)
    failed = id_of(Purpose.VISIT)
    with db.transaction() as session:
        row = session.get_one(Reminder, failed)
        row.status, row.reason = ReminderStatus.FAILED, "The mail server refused it."
        undelivered.ask(session, row, now=NOW)
    text = browser(house.coordinator).get(f"/messages/{failed}").text
    assert "Somebody has to be told" in text
    assert ("Send again…" in text) is offered
    assert ("It can't be sent again: It would come too late to be of use." in html.unescape(text)) is not offered


def test_who_wants_none_is_called(house, browser, lost):
    with db.transaction() as session:
        [point] = session.query(ContactPoint).all()
        point.opted_out_at, point.opted_out_how = NOW, "told us"
    desk = browser(house.coordinator)
    seen = desk.get(f"/messages/{lost}/again").text
    assert "The patient wants no messages" in seen
    assert "<form" not in seen.partition('id="main"')[2]
    refused = desk.post(f"/messages/{lost}/again", data={"epoch": "1", "reason": "All the same"})
    assert refused.status_code == 422
    assert "Call instead." in refused.text


def test_today_says_what_keeps_messages_from_getting_out_and_nothing_where_all_is_well(house, browser, course):
    desk = browser(house.coordinator)
    assert "data-health" not in desk.get("/").text
    with db.transaction() as session:
        down = {"down_since": NOW, "retry_at": NOW + timedelta(minutes=4), "reason": "refused", "changed_at": NOW}
        session.add(ProviderState(name="email", failures=5, **down))
    text = desk.get("/").text
    for said in ("No e-mail has got out since Mon, Mar 2, 9:00 AM.", "Next try 9:04 AM.", "1 message waits."):
        assert said in text
    assert "data-health" in desk.get("/board", headers={"HX-Request": "true", "HX-Request-Type": "partial"}).text
    assert "data-health" in desk.get("/messages").text
    assert "data-health" not in desk.get("/day/2026-03-03").text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_today_says_that_nothing_is_sent_because_a_file_cannot_be_written(house, browser, course, tmp_path):
    """The worker goes on looking for work, so that it isn't silent; without a word nobody would know."""
    desk = browser(house.coordinator)
    witness = Witness(tmp_path / "beats")
    witness.path.mkdir()
    sender = Worker({}, Desk(b"k" * 32, "https://visits.example.org", "visits@clinic.example"), "one", witness)
    for minutes in (0, 5):
        sender.tick(NOW + timedelta(minutes=minutes))
    said = "Nothing is sent. A file beside the database can't be written. Tell whoever looks after this program."
    assert f"{said} 1 message waits." in unescape(desk.get("/").text)
    witness.path.rmdir()
    sender.tick(NOW + timedelta(minutes=6))
    assert "Nothing is sent." not in desk.get("/").text


def test_today_says_that_nobody_saw_to_what_may_not_have_arrived(house, browser, lost):
    assert not wrong(house, NOW + timedelta(hours=1))
    assert wrong(house, NOW + timedelta(hours=5)).overdue == 1
    other = make_clinic(COTTONWOOD)
    assert not wrong(other, NOW + timedelta(hours=5))


def test_a_pause_is_said_unless_it_is_the_demonstrations(house, course):
    with db.transaction() as session:
        session.add(Sending(id=1, witness="abc", beats=0, paused_at=NOW, paused_why="a copy"))
    assert wrong(house, NOW).paused_since == NOW
    with db.transaction() as session:
        session.get_one(Sending, 1).witness = sending.DEMONSTRATION
    assert not wrong(house, NOW)


def test_whom_to_call_about_which_visit_stands_on_today(house, browser, course):
    with db.transaction() as session:
        [visit] = session.query(Visit).filter_by(ordinal=1).all()
        visit.starts_at, visit.ends_at = NOW + timedelta(hours=20), NOW + timedelta(hours=22)
        row = next(row for row in mailroom.messages() if row.purpose == Purpose.VISIT and row.visit_id == visit.id)
        row = session.get_one(Reminder, row.id)
        row.status, row.subject_at, row.reason = ReminderStatus.FAILED, visit.starts_at, "The address is refused."
        session.flush()
        undelivered.ask(session, row, now=NOW - timedelta(minutes=1))
    for page in ("/", "/to-do?show=all"):
        text = browser(house.coordinator).get(page).text
        assert "Call Ada, visit tomorrow 5:00 AM" in text
        assert "The address is refused." in text


def test_a_visits_messages_and_answers_are_one_story(house, browser, course):
    send_due()
    with db.transaction() as session:
        [visit] = session.query(Visit).filter_by(ordinal=1).all()
        row = next(row for row in mailroom.messages() if row.purpose == Purpose.VISIT and row.visit_id == visit.id)
        point = session.query(ContactPoint).one()
        when = NOW + timedelta(hours=1)
        tried = {"clinic_id": house.clinic.id, "reminder_id": row.id, "address": point.address, "started_at": when}
        session.add(Attempt(**tried, lease_epoch=1, ended_at=when, outcome=AttemptOutcome.ACCEPTED))
        said = {"kind": "confirmed", "occurred_at": when + DAY, "entered_at": when + DAY, "detail": "by text"}
        session.add(VisitEvent(clinic_id=house.clinic.id, visit_id=visit.id, **said))
        visit_id = visit.id
    text = browser(house.coordinator).get(f"/visits/{visit_id}").text
    assert text.index("Taken by the mail server for a…@example.org") < text.index("Will come")
