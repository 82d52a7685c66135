"""What goes over the wire: constant headers, three parts, nothing smuggled."""

from email import message_from_string
from email.policy import default
from uuid import UUID

import pytest

from tests.conftest import NOW
from tracker.channels.message import Message, plain_address
from tracker.channels.outbox import Outbox

ID = UUID(int=7)


def message(**more) -> Message:
    """Return a message to Ada."""
    said = {
        "id": ID,
        "recipient": "ada@example.org",
        "sender": "visits@clinic.example",
        "sender_name": "Cottonwood",
        "subject": "Your appointments",
        "text": "Hello Ada,\n.\n..\nbye\n",
        "html": "<p>Hello Ada</p>",
        "written_at": NOW,
    }
    return Message(**said | more)


def test_these_headers_and_no_others():
    email = message().as_email()
    assert dict(email.items()) == {
        "From": "Cottonwood <visits@clinic.example>",
        "To": "ada@example.org",
        "Subject": "Your appointments",
        "Message-ID": f"<{ID}@clinic.example>",
        "Date": "Mon, 02 Mar 2026 16:00:00 +0000",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": email["Content-Type"],
    }


def test_text_page_and_calendar_are_parts_of_it():
    email = message(calendar=b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n").as_email()
    assert [part.get_content_type() for part in email.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "text/calendar",
    ]


@pytest.mark.parametrize(
    "name", ["A\r\nBcc: eve@example.org", "=?utf-8?q?A=0ABcc:_eve@example.org?=", "A\u2028B", "\0"]
)
def test_a_name_can_not_smuggle_a_header(name):
    with pytest.raises(ValueError, match="not fit"):
        message(sender_name=name).as_email()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@",
        "ada@example.org, eve@example.org",
        "Ada <ada@example.org>",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@exämple.org",
        '"a b"@example.org',
        "=?utf-8?q?a?=@example.org",
    ],
)
def test_an_address_is_one_plain_address(address):
    with pytest.raises(ValueError, match="plain"):
        plain_address(address)


def test_a_name_with_an_accent_survives():
    raw = message(sender_name="Clínica Alameda").as_email().as_string()
    assert message_from_string(raw, policy=default)["From"].addresses[0].display_name == "Clínica Alameda"


def test_the_outbox_keeps_it_whole():
    kept = []
    outcome = Outbox(lambda *what: kept.append(what)).send(message())
    assert outcome.end == "accepted"
    [(_, whole)] = kept
    assert message_from_string(whole, policy=default).get_body(("plain",)).get_content().startswith("Hello Ada,")
