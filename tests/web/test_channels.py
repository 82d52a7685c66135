"""The page of the ways by which the clinic writes; a test is a message like any other and goes as they do."""

import re
from datetime import timedelta

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.mail_server import Misbehaving, free_port, mail_server
from tests.sms_provider import NUMBER, SID, TOKEN, Provider, headers, receipt
from tests.web.conftest import KEY, sign_in
from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config
from tracker.models import AuditEntry, ContactPoint, Reminder, Sending, Task, UserAccount
from tracker.rules.vocabulary import ContactChannel, ReminderStatus
from tracker.services import sending
from tracker.worker import build

ADA = "+15055550142"
BASE = "https://visits.example.org"
PASSWORD = "the mail server's password"


@pytest.fixture
def app(database, tmp_path):
    """Return a function that makes the application with both ways set up, and its settings."""
    clock.shift(timedelta())
    clock.shift(NOW - clock.now())

    def make(*, mail: int = 1, sms: str = "http://127.0.0.1:1", **more) -> Config:
        both = {
            "mail_host": "127.0.0.1",
            "mail_port": mail,
            "mail_security": "none",
            "mail_from": "visits@clinic.example",
            "sms_account": SID,
            "sms_token": TOKEN,
            "sms_from": NUMBER,
            "sms_api": sms,
        }
        return Config(**{"secret_key": KEY, "base_url": BASE, "folder": tmp_path, **both, **more})

    yield make
    clock.shift(timedelta())


@pytest.fixture
def admin(house, app):
    """Return a function that opens an administrator's browser on an application with these settings."""
    return lambda config: _open(config, house.admin)


def _open(config: Config, actor):
    client = create_app(config).test_client()
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    sign_in(client, actor)
    return client


def state(text: str) -> str:
    """Return what the page says of the last test."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text[text.index('id="fate"') :]))


def test_a_mail_to_oneself_goes_the_way_of_all(house, app, admin):
    with mail_server() as (kept, port):
        config = app(mail=port)
        client = admin(config)
        assert client.post("/settings/channels/test", data={"way": "email"}).status_code == 303
        part = client.get("/settings/channels/test", headers={"HX-Request-Type": "partial"}).text
        assert "Waiting for the worker" in part
        assert "every 2s" in part
        assert "<html" not in part
        build(config).tick(NOW + timedelta(seconds=5))
        text = state(client.get("/settings/channels").text)
    [message] = kept.messages
    assert message["Subject"] == "Test message"
    assert kept.recipients == [email_of(house.admin)]
    assert "Taken; look whether it came" in text
    assert "every 2s" not in client.get("/settings/channels").text


def email_of(actor) -> str:
    """Return somebody's address."""
    with db.read() as session:
        return session.get_one(UserAccount, actor.user_id).email


def test_a_text_to_oneself_shows_that_it_arrived(app, admin):
    with Provider() as provider:
        config = app(sms=provider.account().api)
        client = admin(config)
        refused = client.post("/settings/channels/test", data={"way": "sms"})
        assert refused.status_code == 422
        assert "Enter the number of your mobile phone" in refused.text
        asked = {"way": "sms", "number": "(505) 555-0177"}
        assert client.post("/settings/channels/test", data=asked).status_code == 303
        build(config).tick(NOW + timedelta(seconds=5))
        [sent] = provider.sent
    assert (sent["To"], sent["From"]) == ("+15055550177", NUMBER)
    path = sent["StatusCallback"].removeprefix(BASE)
    fields = receipt(sent["sid"], "delivered", sent["To"])
    assert client.post(path, data=fields, headers=headers(BASE + path, fields)).status_code == 200
    page = client.get("/settings/channels").text
    assert "Delivered" in state(page)
    assert "+15055550177" in page, "kept for the next time"


def test_what_goes_wrong_is_said(app, admin):
    with Misbehaving(RCPT="550 nobody of that name") as server:
        config = app(mail=server.port)
        client = admin(config)
        client.post("/settings/channels/test", data={"way": "email"})
        build(config).tick(NOW + timedelta(seconds=5))
    text = state(client.get("/settings/channels").text)
    assert "Refused" in text
    assert "550 nobody of that name" in text


def test_a_test_that_no_worker_takes_is_over_after_a_while(app, admin):
    config = app(mail=free_port())
    client = admin(config)
    client.post("/settings/channels/test", data={"way": "email"})
    build(config).tick(NOW + timedelta(minutes=20))
    assert "Did not leave in time" in state(client.get("/settings/channels").text)
    assert mailroom.rows(Task) == [], "it is nobody's patient"


def test_a_way_that_is_not_set_up_can_not_be_tested(app, admin):
    client = admin(app(mail_host="", sms_token=""))
    text = client.get("/settings/channels").text
    assert text.count("Not set up") == 2
    assert "There is no way to test yet" in text
    assert client.post("/settings/channels/test", data={"way": "email"}).status_code == 422
    assert mailroom.rows(Reminder) == []


def test_no_secret_is_shown(app, admin):
    text = admin(app(mail_user="clinic", mail_password=PASSWORD)).get("/settings/channels").text
    for secret in (TOKEN, PASSWORD, KEY):
        assert secret not in text


def test_the_clinic_writes_only_as_it_chose(house, app, admin):
    patient_id = mailroom.patient(house, "Ada Lovelace", email=None)
    with db.transaction() as session:
        point = mailroom.address(house, patient_id, ADA)
        point.channel = ContactChannel.SMS
        session.add(point)
    mailroom.series(house, patient_id, NOW + timedelta(days=7))
    with Provider() as provider:
        config = app(sms=provider.account().api)
        client = admin(config)
        assert client.post("/settings/channels", data={"email": "yes"}).status_code == 303
        assert "Not used" in client.get("/settings/channels").text
        build(config).tick(NOW)
        assert provider.sent == []
    assert "doesn't write this way" in next(row.reason for row in mailroom.messages() if row.reason)
    with db.read() as session:
        assert session.query(AuditEntry).filter_by(action="setting changed").count() == 1


def test_whoever_told_the_provider_to_stop_is_not_written_to_again(house, app):
    patient_id = mailroom.patient(house, "Ada Lovelace", email=None)
    with db.transaction() as session:
        point = mailroom.address(house, patient_id, "+15055550010")
        point.channel = ContactChannel.SMS
        session.add(point)
    mailroom.series(house, patient_id, NOW + timedelta(days=7))
    with Provider() as provider:
        build(app(sms=provider.account().api)).tick(NOW)
    [point] = mailroom.rows(ContactPoint)
    assert (point.opted_out_at is not None, point.opted_out_how) == (True, "text: STOP")
    assert len(mailroom.rows(Task)) == 1


@pytest.fixture
def paused(database):
    """Pause sending."""
    with db.transaction() as session:
        session.add(Sending(id=1, witness="", beats=7, paused_at=NOW, paused_why="This is a copy of the database."))


@pytest.mark.usefixtures("paused")
def test_while_sending_is_paused_every_page_says_so(house, app):
    nurse = _open(app(), house.nurse)
    for page in ("/", "/messages", "/patients"):
        text = nurse.get(page).text
        assert "Sending is paused." in text
        assert "An administrator can say" in text
    assert "/settings/channels" in _open(app(), house.admin).get("/").text
    assert nurse.post("/settings/channels/resume", data={"left_already": "no", "reason": "x"}).status_code == 403


@pytest.mark.usefixtures("paused")
def test_an_administrator_lets_messages_leave_again(house, app):
    mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + timedelta(days=7))
    with mail_server() as (kept, port):
        config = app(mail=port)
        assert build(config).tick(NOW)["accepted"] == 0
        client = _open(config, house.admin)
        assert "This is a copy of the database." in client.get("/settings/channels").text
        said = {"left_already": "no"}
        assert client.post("/settings/channels/resume", data=said).status_code == 422, "without a reason"
        said["reason"] = "the old machine is off"
        assert client.post("/settings/channels/resume", data=said).status_code == 303
        assert "Sending is paused" not in client.get("/").text
        assert build(config).tick(NOW + timedelta(seconds=5))["accepted"] == 1
    assert len(kept.messages) == 1


@pytest.mark.usefixtures("paused")
def test_what_may_have_left_already_becomes_a_task(house, app):
    mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + timedelta(days=7))
    with mail_server() as (kept, port):
        config = app(mail=port)
        said = {"left_already": "yes", "reason": "nobody knows"}
        assert _open(config, house.admin).post("/settings/channels/resume", data=said).status_code == 303
        build(config).tick(NOW + timedelta(seconds=5))
    assert kept.messages == []
    assert [row.status for row in mailroom.messages()].count(ReminderStatus.EXPIRED) == 1
    assert len(mailroom.rows(Task)) == 1


@pytest.mark.usefixtures("paused")
def test_it_takes_the_password_of_lately(house, app):
    client = _open(app(), house.admin)
    clock.shift(timedelta())
    clock.shift(NOW + timedelta(minutes=6) - clock.now())
    answer = client.post("/settings/channels/resume", data={"left_already": "no", "reason": "x"})
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/confirm")
    with db.read() as session:
        assert sending.pause(session) is not None


def test_in_the_demonstration_nothing_is_paused_and_nothing_leaves(house, app):
    with db.transaction() as session:
        sending.seal(session, now=NOW)
    client = _open(app(demo=True), house.admin)
    assert "Sending is paused" not in client.get("/").text
    text = client.get("/settings/channels").text
    assert "Nothing leaves here" in text
    assert "Sending is paused" not in text
