"""The texts' provider calls back: signed it is kept and counts once, unsigned it is nobody."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests import mailroom
from tests.conftest import NOW
from tests.mail_server import free_port
from tests.sms_provider import NUMBER, SID, TOKEN, Provider, answer, headers, receipt
from tests.web.conftest import KEY
from tracker import clock, db
from tracker.app import create_app
from tracker.channels.sms import signature
from tracker.config import Config
from tracker.models import ContactPoint, ProviderEvent, Reminder, Task, Visit
from tracker.rules.vocabulary import ContactChannel, ReminderStatus
from tracker.worker import build

ADA = "+15055550142"
BASE = "https://visits.example.org"


def settings(**more) -> Config:
    """Return an installation's settings, with texts."""
    sms = {"sms_account": SID, "sms_token": TOKEN, "sms_from": NUMBER}
    return Config(**{"secret_key": KEY, "base_url": BASE, **sms, **more})


@pytest.fixture
def app(database) -> Iterator[Flask]:
    """Return the application, with texts set up; its clock starts at the tests' now."""
    clock.shift(timedelta())
    clock.shift(NOW - clock.now())
    yield create_app(settings())
    clock.shift(timedelta())


@pytest.fixture
def texted(house, app, tmp_path) -> Reminder:
    """Send Ada, who agreed to texts alone, what is due; return one message."""
    patient_id = mailroom.patient(house, "Ada Lovelace", email=None)
    with db.transaction() as session:
        point = mailroom.address(house, patient_id, ADA)
        point.channel = ContactChannel.SMS
        session.add(point)
    mailroom.series(house, patient_id, NOW + timedelta(days=7))
    with Provider() as provider:
        build(settings(sms_api=provider.account().api, folder=tmp_path)).tick(NOW)
        [sent] = provider.sent
    [row] = [row for row in mailroom.messages() if row.status is ReminderStatus.ACCEPTED]
    assert sent["StatusCallback"] == f"{BASE}/hooks/sms/{row.id}/{row.lease_epoch}"
    return row


@pytest.fixture
def provider(app):
    """Return a function that posts as the provider does; it says nothing of where it comes from."""

    def post(path: str, fields: dict[str, str], *, signed: dict[str, str] | None = None, **more):
        sign = headers(BASE + path, fields) if signed is None else signed
        return app.test_client().post(path, data=fields, headers=sign, **more)

    return post


def events() -> list[ProviderEvent]:
    """Return what was kept."""
    return mailroom.rows(ProviderEvent)


def status_of(row: Reminder) -> ReminderStatus:
    """Return how a message stands."""
    return next(one.status for one in mailroom.messages() if one.id == row.id)


def test_a_receipt_is_kept_and_counts(provider, texted):
    path = f"/hooks/sms/{texted.id}/{texted.lease_epoch}"
    for _ in range(2):
        said = provider(path, receipt("SM" + f"{1:032x}", "delivered", ADA))
        assert (said.status_code, said.mimetype) == (200, "text/xml")
        assert said.text == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
    [event] = events()
    assert (event.status, event.reminder_id, event.applied_at is not None) == ("delivered", texted.id, True)
    assert status_of(texted) is ReminderStatus.DELIVERED
    provider(path, receipt("SM" + f"{1:032x}", "sent", ADA))  # late: it was under way, before it arrived
    assert status_of(texted) is ReminderStatus.DELIVERED


def test_a_number_that_is_none_is_not_written_to_again(provider, texted):
    path = f"/hooks/sms/{texted.id}/{texted.lease_epoch}"
    provider(path, receipt("SM" + f"{1:032x}", "undelivered", ADA, 30006))
    assert status_of(texted) is ReminderStatus.BOUNCED
    [point] = mailroom.rows(ContactPoint)
    assert point.invalid_at is not None
    assert len(mailroom.rows(Task)) == 1


def test_a_receipt_settles_what_nobody_was_told_of(provider, texted):
    """The worker died before it heard the provider's name for it; the address says which message it was."""
    with db.transaction() as session:
        row = session.merge(texted)
        row.status = ReminderStatus.UNCERTAIN
        session.connection().exec_driver_sql("UPDATE attempt SET external_id = NULL")
    provider(f"/hooks/sms/{texted.id}/{texted.lease_epoch}", receipt("SMother", "delivered", ADA))
    assert status_of(texted) is ReminderStatus.DELIVERED


@pytest.mark.parametrize(
    "forged",
    [
        {},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"X-Twilio-Signature": "ü"},
        headers(f"{BASE}/hooks/sms", answer("SM9", ADA, "YES")),
        headers("http://visits.example.org/hooks/sms", answer("SM1", ADA, "STOP")),
    ],
    ids=["none", "empty", "made up", "odd", "of another text", "of another address"],
)
def test_nobody_else_is_heard(provider, texted, forged):
    said = provider("/hooks/sms", answer("SM1", ADA, "STOP"), signed=forged)
    assert said.status_code == 403
    path = f"/hooks/sms/{texted.id}/{texted.lease_epoch}"
    assert provider(path, receipt("SM1", "failed", ADA), signed=forged).status_code == 403
    assert events() == []


def test_a_signature_of_one_message_does_not_do_for_another(provider, texted):
    fields = receipt("SM1", "failed", ADA)
    signed = headers(f"{BASE}/hooks/sms/{texted.id}/{texted.lease_epoch + 1}", fields)
    assert provider(f"/hooks/sms/{texted.id}/{texted.lease_epoch}", fields, signed=signed).status_code == 403


def test_without_a_token_nobody_is_heard(database, house):
    client = create_app(Config(secret_key=KEY, base_url=BASE)).test_client()
    fields = answer("SM1", ADA, "STOP")
    for token in ("", TOKEN):
        sign = {"X-Twilio-Signature": signature(token, f"{BASE}/hooks/sms", fields.items())}
        assert client.post("/hooks/sms", data=fields, headers=sign).status_code == 403
    assert events() == []


def test_an_answer_is_kept_and_done_once(provider, texted):
    said = provider("/hooks/sms", answer("SM5", ADA, "STOP"))
    assert (said.status_code, "<Message>" in said.text) == (200, False), "the provider says itself that it stopped"
    provider("/hooks/sms", answer("SM5", ADA, "STOP"))
    [event] = events()
    assert (event.kind, event.external_id, event.patient_id) == ("answer", "SM5", texted.patient_id)
    [point] = mailroom.rows(ContactPoint)
    assert point.opted_out_at is not None


def test_what_is_answered_is_in_the_same_request(provider, texted):
    text = provider("/hooks/sms", answer("SM6", ADA, "YES <please> & thanks")).text
    assert "<please>" not in text
    assert provider("/hooks/sms", answer("SM7", ADA, "HELP")).text.count("<Message>") == 1
    assert "<Message>" not in provider("/hooks/sms", answer("SM7", ADA, "HELP")).text, "told again, not answered again"
    assert len(events()) == 2


def test_a_text_from_nobody_we_know_is_kept(provider, house):
    assert provider("/hooks/sms", answer("SM8", "+15055559999", "Who are you?")).status_code == 200
    assert len(events()) == 1
    assert mailroom.rows(Visit) == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"MessageSid": ""}, 400),
        ({"MessageSid": "S" * 65}, 400),
        ({"MessageSid": "SM\n1"}, 400),
        ({"MessageSid": "SM1", "Body": "x" * 40_000}, 413),
        ({f"F{n}": "1" for n in range(500)}, 413),
    ],
    ids=["nothing", "empty", "long", "lines", "large", "many"],
)
def test_what_is_no_text_is_not_kept(provider, house, fields, status):
    assert provider("/hooks/sms", fields).status_code == status
    assert events() == []


def test_odd_characters_do_no_harm(provider, texted):
    for number, body in enumerate(["", "\0", "ü😀中", "x" * 1600, "'; DROP TABLE patient; --", "Ω" * 1600]):
        assert provider("/hooks/sms", answer(f"SM{number}", ADA, body)).status_code == 200, body
    assert len(events()) == 6


def test_what_could_not_be_done_waits_for_the_worker(provider, texted, tmp_path):
    """The text is kept although making something of it fails; a minute later the worker does it."""
    with db.transaction() as session:  # an audit that can't be written
        session.connection().exec_driver_sql("ALTER TABLE audit_head RENAME TO audit_head_away")
    assert provider("/hooks/sms", answer("SM5", ADA, "STOP")).status_code == 200
    with db.transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE audit_head_away RENAME TO audit_head")
    [event] = events()
    assert event.applied_at is None
    build(settings(folder=tmp_path)).tick(NOW + timedelta(minutes=2))
    [point] = mailroom.rows(ContactPoint)
    assert point.opted_out_at is not None


def test_by_a_browser_there_is_nothing_to_see(browser, house):
    assert browser(house.admin).get("/hooks/sms").status_code == 405
    assert browser(house.admin).post("/hooks/sms", data=answer("SM1", ADA, "STOP")).status_code == 403
    assert events() == []


def test_over_real_lines_there_and_back(house, database, tmp_path):
    """A worker, a provider and a web server, each over HTTP: sent, then delivered."""
    clock.shift(timedelta())
    clock.shift(NOW - clock.now())
    patient_id = mailroom.patient(house, "Ada Lovelace", email=None)
    with db.transaction() as session:
        point = mailroom.address(house, patient_id, ADA)
        point.channel = ContactChannel.SMS
        session.add(point)
    mailroom.series(house, patient_id, NOW + timedelta(days=7))
    port = free_port()
    with Provider() as provider:
        config = settings(sms_api=provider.account().api, base_url=f"http://127.0.0.1:{port}", folder=tmp_path)
        server = make_server("127.0.0.1", port, create_app(config))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        build(config).tick(NOW)
        [sent] = provider.sent
        assert provider.tell(sent["sid"], "sent") == 200
        assert provider.tell(sent["sid"], "delivered") == 200
        server.shutdown()
    assert [row.status for row in mailroom.messages()].count(ReminderStatus.DELIVERED) == 1
    clock.shift(timedelta())


def test_the_same_text_from_many_lines_at_once_is_done_once(app, texted):
    fields = answer("SM5", ADA, "Is the door at the back open?")
    sign = headers(f"{BASE}/hooks/sms", fields)
    with ThreadPoolExecutor(8) as pool:
        said = list(
            pool.map(lambda _: app.test_client().post("/hooks/sms", data=fields, headers=sign).status_code, range(16))
        )
    assert set(said) == {200}
    assert len(events()) == 1
    assert len(mailroom.rows(Task)) == 1
