"""E-mail against real and misbehaving servers: how far it came decides what may be done next."""

import shutil
import ssl
import subprocess
import time

import pytest

from tests.channels.test_message import message
from tests.conftest import missing
from tests.mail_server import Misbehaving, free_port, mail_server
from tracker.channels.message import End
from tracker.channels.smtp import Server, Smtp


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Make a certificate for localhost; return its file and its key's."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not shutil.which("openssl"):
        missing("openssl (Debian: apt-get install openssl)")
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    made = subprocess.run(["openssl", *asked.split(), "-keyout", key, "-out", cert], capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    return cert, key


@pytest.fixture
def tls(certificate):
    """Return a server's TLS context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


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
    assert len(kept.messages) == 1


def test_a_server_without_tls_gets_nothing_when_tls_is_asked_for():
    with mail_server() as (kept, port):
        outcome = Smtp(Server("127.0.0.1", port, "starttls"), seconds=5).send(message())
    assert outcome.end is End.LATER
    assert kept.messages == []
