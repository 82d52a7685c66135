"""What staff see of messages: what went, what will go, what did not and why."""

import re
from datetime import timedelta

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import COTTONWOOD, make_clinic
from tests.web.conftest import KEY
from tracker import db
from tracker.config import Config
from tracker.models import AuditEntry
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LEASE
from tracker.services import messages
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
    assert text.count("Lovelace, Ada") == 10
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
    assert "No e-mail address with consent." in text


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


def test_a_worker_that_fell_silent_is_noticed_when_something_is_due(house, course):
    with db.read() as session:
        assert messages.silent_since(session, house.coordinator, now=NOW) is None
        assert messages.silent_since(session, house.coordinator, now=NOW + timedelta(minutes=5)) == NOW
    send_due()
    with db.read() as session:
        assert messages.silent_since(session, house.coordinator, now=NOW + timedelta(minutes=5)) is None


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


@pytest.mark.parametrize("asked", ["", "sent", "not_sent", "off", "nonsense", "\0", "1" * 5000])
def test_any_filter_gives_a_page(house, browser, asked):
    assert browser(house.coordinator).get("/messages", query_string={"show": asked}).status_code == 200
