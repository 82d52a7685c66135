"""E-mail against real and misbehaving servers: how far it came decides what may be done next."""

import ssl
import time

import pytest

from tests.channels.test_message import message
from tests.mail_server import Misbehaving, free_port, mail_server
from tracker.channels import smtp
from tracker.channels.message import End
from tracker.channels.smtp import MOST, Server, Smtp


def send(port: int, *, seconds: float = 10.0, **more):
    """Send to a server without TLS."""
    return Smtp(Server("127.0.0.1", port, "none", **more), seconds=seconds).send(message())


def test_a_real_server_gets_it_as_it_was_written():
    with mail_server() as (kept, port):
        outcome = send(port)
    assert (outcome.end, outcome.stage) == (End.ACCEPTED, "dot")
    assert kept.recipients == ["ada@example.org"]
    # Lines of dots end a message unless each is doubled on the way.
    assert kept.messages[0].get_body(("plain",)).get_content().replace("\r\n", "\n") == "Hello Ada,\n.\n..\nbye\n"


@pytest.mark.parametrize(
    ("answers", "end", "stage"),
    [
        ({"hello": "554 go away"}, End.LATER, "connect"),
        ({"hello": "reset"}, End.LATER, "connect"),
        ({"hello": "nonsense"}, End.LATER, "connect"),
        ({"EHLO": "reset"}, End.LATER, "greeting"),
        ({"MAIL": "451 later"}, End.LATER, "sender"),
        ({"MAIL": "550 not you"}, End.NEVER, "sender"),
        ({"RCPT": "450 full"}, End.LATER, "recipient"),
        ({"RCPT": "550 nobody here"}, End.NEVER, "recipient"),
        ({"RCPT": "reset"}, End.LATER, "recipient"),
        ({"DATA": "451 later"}, End.LATER, "data"),
        ({"DATA": "554 no"}, End.NEVER, "data"),
        ({"dot": "451 later"}, End.LATER, "dot"),
        ({"dot": "554 spam"}, End.NEVER, "dot"),
        ({"dot": "reset"}, End.UNKNOWN, "dot"),
        ({"dot": "nonsense"}, End.UNKNOWN, "dot"),
        ({"dot": "354 again?"}, End.UNKNOWN, "dot"),
        ({}, End.ACCEPTED, "dot"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_the_stage_decides(answers, end, stage):
    with Misbehaving(**answers) as server:
        outcome = send(server.port)
    assert (outcome.end, outcome.stage) == (end, stage), outcome.said


@pytest.mark.parametrize("how", ["hang", "drip"])
@pytest.mark.parametrize(
    ("word", "end"), [("hello", End.LATER), ("EHLO", End.LATER), ("RCPT", End.LATER), ("dot", End.UNKNOWN)]
)
def test_one_deadline_holds_for_everything(word, end, how):
    with Misbehaving(**{word: how}) as server:
        began = time.monotonic()
        outcome = send(server.port, seconds=0.5)
    assert outcome.end is end
    assert time.monotonic() - began < 2


def two(server: Misbehaving, *, between: float = 0.0):
    """Send two messages through one channel; return what each came to."""
    channel = Smtp(Server("127.0.0.1", server.port, "none"), seconds=1)
    first = channel.send(message())
    time.sleep(between)  # for a line that the server cuts to be cut here too
    return first, channel.send(message())


def test_one_connection_takes_many():
    with mail_server() as (kept, port):
        channel = Smtp(Server("127.0.0.1", port, "none"))
        opened = count_connections(channel)
        assert {channel.send(message()).end for _ in range(MOST + 5)} == {End.ACCEPTED}
    assert len(kept.messages) == MOST + 5
    assert len(opened) == 2, "a new one after the hundredth"


def count_connections(channel: Smtp) -> set:
    """Return a set that fills with the connections a channel keeps."""
    opened = set()

    class Watched(Smtp):
        def __setattr__(self, name, value):
            if name == "_kept" and value is not None:
                opened.add(value)
            super().__setattr__(name, value)

    channel.__class__ = Watched
    return opened


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("how", ["reset", "421 closing, bye", "nonsense"])
def test_a_kept_connection_that_is_over_costs_nothing(word, how):
    """What broke before DATA was answered is said again on a new connection, at once."""
    fine = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on"}[word]
    with Misbehaving(**{word: [fine, how, fine]}) as server:
        first, second = two(server)
    assert (first.end, second.end) == (End.ACCEPTED, End.ACCEPTED)
    assert (server.accepted, server.lines) == (2, 2)


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
def test_it_is_said_again_once_and_no_more(word):
    fine = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on"}[word]
    with Misbehaving(**{word: [fine, "reset"]}) as server:
        first, second = two(server)
    assert (first.end, second.end) == (End.ACCEPTED, End.LATER)
    assert (server.accepted, server.lines) == (1, 2)


@pytest.mark.parametrize(
    ("answers", "end"),
    [
        ({"dot": ["250 kept", "reset"]}, End.UNKNOWN),
        ({"dot": ["250 kept", "hang"]}, End.UNKNOWN),
        ({"dot": ["250 kept", "drip"]}, End.UNKNOWN),
        ({"dot": ["250 kept", "451 later"]}, End.LATER),
        ({"RCPT": ["250 ok", "550 nobody"]}, End.NEVER),
        ({"RCPT": ["250 ok", "450 full"]}, End.LATER),
        ({"RCPT": ["250 ok", "hang"]}, End.LATER),
        ({"MAIL": ["250 ok", "drip"]}, End.LATER),
    ],
    ids=str,
)
def test_nothing_else_is_said_again(answers, end):
    """After the dot the server may have it; a plain no is a no; and the time is one time for both connections."""
    with Misbehaving(**answers) as server:
        began = time.monotonic()
        first, second = two(server)
    assert (first.end, second.end) == (End.ACCEPTED, end)
    assert server.accepted == 1
    assert server.heard.count("dot") <= 2
    assert time.monotonic() - began < 3


def test_a_connection_that_the_server_closed_is_not_used():
    with Misbehaving(dot="250 kept, bye") as server:
        first, second = two(server, between=0.2)
    assert (first.end, second.end) == (End.ACCEPTED, End.ACCEPTED)
    assert (server.accepted, server.lines) == (2, 2)


def test_a_connection_on_which_the_server_goes_on_talking_is_not_used():
    """A word too many would be taken for the answer to the next command."""
    with Misbehaving(dot=["250 kept\r\n250 kept it, really", "250 kept"]) as server:
        first, second = two(server, between=0.2)
    assert (first.end, second.end) == (End.ACCEPTED, End.ACCEPTED)
    assert (server.accepted, server.lines) == (2, 2)
    assert server.heard.count("MAIL") == 2, "nothing was said on the old one"


def test_after_a_refusal_the_next_message_has_a_connection_of_its_own():
    with Misbehaving(RCPT=["550 nobody", "250 ok"]) as server:
        first, second = two(server)
    assert (first.end, second.end) == (End.NEVER, End.ACCEPTED)
    assert server.lines == 2


def test_a_connection_grows_old(monkeypatch):
    monkeypatch.setattr(smtp, "IDLE", 0.0)
    with Misbehaving() as server:
        two(server, between=0.01)
    assert (server.accepted, server.lines) == (2, 2)


def test_only_the_recipient_can_make_an_address_bad():
    with Misbehaving(RCPT="550 5.1.1 nobody here") as server:
        assert send(server.port).bad_address
    with Misbehaving(dot="550 no") as server:
        assert not send(server.port).bad_address


def test_nobody_listening_is_for_later():
    assert send(free_port()).end is End.LATER


def test_a_password_is_not_sent_in_the_clear():
    """smtplib finds no way to sign in that the server offers; nothing is sent."""
    with mail_server() as (kept, port):
        outcome = send(port, user="clinic", password="secret")
    assert (outcome.end, outcome.stage) == (End.LATER, "sign-in")
    assert kept.messages == []


def test_what_a_server_says_is_kept_as_one_short_line():
    with Misbehaving(RCPT="550-" + "x" * 400 + "\r\n550 \x1b[31mred") as server:
        said = send(server.port).said
    assert len(said) <= 300
    assert said.isprintable()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_is_verified(security, certificate, tls):
    how = {"tls_context": tls, "require_starttls": True} if security == "starttls" else {"ssl_context": tls}
    trusting = ssl.create_default_context(cafile=certificate[0])
    with mail_server(**how) as (kept, port):
        unknown = Smtp(Server("127.0.0.1", port, security), seconds=5).send(message())
        assert unknown.end is End.LATER
        assert "CERTIFICATE_VERIFY_FAILED" in unknown.said
        assert kept.messages == []
        known = Smtp(Server("127.0.0.1", port, security, trust=trusting), seconds=5).send(message())
        assert known.end is End.ACCEPTED
        channel = Smtp(Server("127.0.0.1", port, security, trust=trusting), seconds=5)
        opened = count_connections(channel)
        assert {channel.send(message()).end for _ in range(3)} == {End.ACCEPTED}
        assert len(opened) == 1
    assert len(kept.messages) == 4


def test_a_server_without_tls_gets_nothing_when_tls_is_asked_for():
    with mail_server() as (kept, port):
        outcome = Smtp(Server("127.0.0.1", port, "starttls"), seconds=5).send(message())
    assert outcome.end is End.LATER
    assert kept.messages == []
