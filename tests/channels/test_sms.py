"""Texts against a double of the provider: how far it came, and what it said, decide what may be done next."""

import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.channels.test_message import ID, text
from tests.conftest import NOW
from tests.mail_server import free_port
from tests.sms_provider import NUMBER, SID, TOKEN, Provider
from tracker.channels.message import End
from tracker.channels.sms import Account, Sms, is_signed, signature, trouble


def send(provider: Provider, sent=None, *, seconds: float = 10.0, **more):
    """Send a text there."""
    return Sms(provider.account(**more), seconds=seconds).send(sent or text())


def test_the_provider_gets_what_its_manual_asks_for():
    sent = text("Mañana 9:00 – ¿viene?")
    with Provider() as provider:
        outcome = send(provider, sent, callback="https://visits.example.org")
    assert (outcome.end, outcome.stage, outcome.segments) == (End.ACCEPTED, "answer", 1)
    assert provider.sent == [
        {
            "To": "+15055550101",
            "From": NUMBER,
            "Body": "Mañana 9:00 – ¿viene?",
            "StatusCallback": f"https://visits.example.org/hooks/sms/{ID}/0",
            "sid": outcome.external_id,
        }
    ]
    assert TOKEN not in repr(provider.account())


def test_segments_are_the_providers_or_ours_where_it_does_not_know():
    long = text("x" * 161)
    with Provider() as provider:
        assert send(provider, long).segments == 2
        assert send(provider, long, sender="MG" + "a" * 32).segments == 2
    assert provider.sent[1]["MessagingServiceSid"] == "MG" + "a" * 32
    assert "From" not in provider.sent[1]


@pytest.mark.parametrize(("hours", "seconds"), [(1, "3600"), (48, "36000"), (-1, "1")])
def test_what_is_useless_later_is_not_kept_by_the_provider(hours, seconds):
    with Provider() as provider:
        assert send(provider, replace(text(), useful_until=NOW + timedelta(hours=hours))).end is End.ACCEPTED
    assert provider.sent[0]["ValidityPeriod"] == seconds


@pytest.mark.parametrize(
    ("fault", "end", "taken"),
    [
        ("reset", {End.LATER, End.UNKNOWN}, 0),  # a text fits into the first packet: it may have been read
        ("500", {End.UNKNOWN}, 0),
        ("502", {End.UNKNOWN}, 0),
        ("504", {End.UNKNOWN}, 0),
        ("503", {End.LATER}, 0),
        ("429", {End.LATER}, 0),
        ("408", {End.LATER}, 0),
        ("302", {End.LATER}, 0),
        ("403", {End.LATER}, 0),
        ("400", {End.NEVER}, 0),
        ("reset after", {End.UNKNOWN}, 1),
        ("garbage after", {End.UNKNOWN}, 1),
        ("nonsense after", {End.UNKNOWN}, 1),
        ("short after", {End.UNKNOWN}, 1),
        ("500 after", {End.UNKNOWN}, 1),
        ("", {End.ACCEPTED}, 1),
    ],
)
def test_the_stage_and_the_answer_decide(fault, end, taken):
    """What the provider took is never for later: that would send it again."""
    with Provider(always=fault) as provider:
        outcome = send(provider)
    assert outcome.end in end, outcome
    assert len(provider.sent) == taken


@pytest.mark.parametrize("fault", ["hang", "hang after", "drip after"])
def test_one_deadline_holds_for_everything(fault):
    with Provider(always=fault) as provider:
        began = time.monotonic()
        outcome = send(provider, seconds=0.5)
    assert outcome.end is End.UNKNOWN
    assert time.monotonic() - began < 2


def test_a_provider_that_lets_nobody_in_gets_nothing():
    """The handshake never ends: nothing was said, so it may be said later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        account = Account(SID, TOKEN, NUMBER, api=f"https://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        outcome = Sms(account, seconds=0.5).send(text())
    assert (outcome.end, outcome.stage) == (End.LATER, "connect")
    assert time.monotonic() - began < 2


def test_what_was_not_handed_over_whole_is_for_later():
    """A provider that reads nothing, and a text larger than all that lies between: it never has the end of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        held = []
        threading.Thread(target=lambda: held.append(listener.accept()), daemon=True).start()
        account = Account(SID, "t" * 8_000_000, NUMBER, api=f"http://127.0.0.1:{listener.getsockname()[1]}")
        outcome = Sms(account, seconds=1).send(text())
    assert (outcome.end, outcome.stage) == (End.LATER, "request")


def test_nobody_listening_is_for_later():
    account = Account(SID, TOKEN, NUMBER, api=f"http://127.0.0.1:{free_port()}")
    assert Sms(account).send(text()).end is End.LATER


@pytest.mark.parametrize(
    ("number", "end", "bad", "stopped", "spent"),
    [
        ("+15055550001", End.NEVER, True, False, True),
        ("+15055550009", End.NEVER, True, False, True),
        ("+15055550014", End.NEVER, True, False, True),
        ("+15055550010", End.NEVER, False, True, True),
        ("+15055550011", End.LATER, False, False, True),
        ("+15055550012", End.LATER, False, False, True),
        ("+15055550013", End.LATER, False, False, False),
        ("+15055550015", End.NEVER, False, False, True),
    ],
)
def test_the_code_says_whose_trouble_it_is(number, end, bad, stopped, spent):
    with Provider() as provider:
        found = send(provider, text(recipient=number))
    assert (found.end, found.bad_address, found.opted_out, found.spent) == (end, bad, stopped, spent), found.said


@pytest.mark.parametrize("wrong", [{"token": "not it"}, {"sid": "AC" + "2" * 32}, {"sender": "nobody"}])
def test_a_wrong_account_is_the_installations_trouble(wrong):
    with Provider() as provider:
        found = send(provider, **wrong)
    assert (found.end, found.stage) == (End.LATER, "account")
    assert "not it" not in found.said


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("99999", timedelta(hours=1)),
        ("Mon, 02 Mar 2026 16:02:00 GMT", timedelta(minutes=2)),
        ("Mon, 02 Mar 2020 16:02:00 GMT", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_being_told_to_wait_is_no_try(said, wait):
    with Provider(always=f"429 retry={said}".encode("latin-1", "replace").decode("latin-1")) as provider:
        found = send(provider)
    assert (found.end, found.spent, found.wait) == (End.LATER, False, wait)


def test_a_certificate_is_verified(certificate, tls):
    trusting = ssl.create_default_context(cafile=certificate[0])
    with Provider(tls=tls) as provider:
        unknown = send(provider)
        assert unknown.end is End.LATER
        assert "CERTIFICATE_VERIFY_FAILED" in unknown.said
        assert provider.sent == []
        assert send(provider, trust=trusting).end is End.ACCEPTED
        elsewhere = provider.account(trust=trusting).api.replace("127.0.0.1", "127.0.0.2")
        assert send(provider, trust=trusting, api=elsewhere).end is End.LATER, "the name is verified too"
    assert len(provider.sent) == 1


MANUAL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
ADDRESS = "https://mycompany.com/myapp.php?foo=1&bar=2"


def test_the_signature_is_the_one_in_the_providers_manual():
    assert signature("12345", ADDRESS, MANUAL.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_signed("12345", ADDRESS, MANUAL.items(), "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


@pytest.mark.parametrize(
    ("token", "address", "fields"),
    [
        ("", ADDRESS, MANUAL),
        ("12346", ADDRESS, MANUAL),
        ("12345", ADDRESS + "1", MANUAL),
        ("12345", ADDRESS.replace("https", "http"), MANUAL),
        ("12345", ADDRESS, MANUAL | {"Digits": "1235"}),
        ("12345", ADDRESS, MANUAL | {"Extra": ""}),
        ("12345", ADDRESS, dict(list(MANUAL.items())[1:])),
    ],
)
def test_nobody_else_signs_like_that(token, address, fields):
    assert not is_signed(token, address, fields.items(), "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    assert not is_signed("", address, fields.items(), signature("", address, fields.items())), "no token, no proof"


@pytest.mark.parametrize(
    ("signed", "asked"),
    [
        ("https://a.example/x", "https://a.example:443/x"),
        ("https://a.example:443/x", "https://a.example/x"),
        ("http://a.example:8000/x", "http://a.example:8000/x"),
        ("http://a.example/x", "http://a.example:8000/x"),
    ],
)
def test_the_port_may_be_signed_or_not(signed, asked):
    assert is_signed("12345", asked, MANUAL.items(), signature("12345", signed, MANUAL.items()))


def test_an_account_can_be_tried_without_sending():
    with Provider() as provider:
        assert trouble(provider.account()) == ""
        assert "401 20003" in trouble(provider.account(token="not it"))
        assert "404" in trouble(provider.account(sid="AC2"))
        provider.account_is = "suspended"
        assert "suspended" in trouble(provider.account())
    assert "refused" in trouble(provider.account())
    assert provider.sent == []


def test_a_text_to_no_number_is_not_sent():
    with Provider() as provider, pytest.raises(ValueError):
        send(provider, text(recipient="ada@example.org"))
    assert provider.requests == 0
