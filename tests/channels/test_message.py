"""What goes over the wire: constant headers, three parts, nothing smuggled."""

from email import message_from_bytes, message_from_string
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.conftest import NOW
from tracker.channels.message import Message, plain_address
from tracker.channels.outbox import Outbox

ID = UUID(int=7)


CALENDAR = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"


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


def read(sent: Message) -> EmailMessage:
    """Return a message as its receiver reads it."""
    return message_from_bytes(sent.as_bytes(), policy=default)


def test_these_headers_and_no_others():
    email = read(message())
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
    email = read(message(calendars=(CALENDAR, CALENDAR)))
    assert [(part.get_content_type(), part.get_filename()) for part in email.walk()] == [
        ("multipart/mixed", None),
        ("multipart/alternative", None),
        ("text/plain", None),
        ("text/html", None),
        ("text/calendar", None),
        ("application/ics", "invite.ics"),
        ("text/calendar", "invite-2.ics"),
    ]
    # The same file, whichever part a client takes.
    said = [part.get_payload(decode=True) for part in email.walk() if part.get_content_subtype() in ("calendar", "ics")]
    assert [one.replace(b"\r\n", b"\n") for one in said] == [CALENDAR.replace(b"\r\n", b"\n")] * 3


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_the_part_says_what_the_calendar_says(method):
    calendar = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nEND:VCALENDAR\r\n".encode()
    email = read(message(calendars=(calendar, calendar)))
    parts = [part for part in email.walk() if part.get_content_type() == "text/calendar"]
    assert [part["Content-Type"].params["method"] for part in parts] == [method] * 2
    assert parts[0]["Content-Type"].params["charset"] == "utf-8"


def test_one_click_ends_it():
    """The address is longer than a line and stays in one piece: mail programs don't look into encoded words."""
    where = "https://visits.example.org/v/" + "a" * 150 + "/stop"
    raw = message(unsubscribe=where).as_bytes()
    assert f"\r\nList-Unsubscribe: <{where}>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


@pytest.mark.parametrize(
    "where",
    ["", "http:///x", "mailto:a@example.org", "https://a/b>, <https://c/d", "https://a/\r\nBcc: e@f", "https://a/ü"],
)
def test_what_is_clicked_is_one_plain_address(where):
    with pytest.raises(ValueError, match="plain web"):
        message(unsubscribe=where).as_bytes()


def test_nothing_but_seven_bits_goes_over_the_wire():
    raw = message(text="¿Cómo está?\n" + "ñ" * 2000, html="<p>€</p>", sender_name="Clínica").as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


_WORDS = st.lists(st.text(st.characters(categories=("L", "N", "P")), min_size=1), min_size=1, max_size=20)


@given(_WORDS, _WORDS, st.lists(st.text(st.characters(exclude_categories=("C", "Zl", "Zp"))), max_size=5))
@example(["Clínica", "á" * 150], ["Ñ" * 90], ["From the clinic", ".", "x" * 2000, ""])
@example(["A,", '"B"', "<c>"], ["Su", "próxima", "cita"], ["¿Cómo está?"])
def test_it_is_read_as_it_was_written(name, subject, lines):
    assume("=?" not in " ".join([*name, *subject]))
    sent = message(sender_name=" ".join(name), subject=" ".join(subject), text="\n".join(lines), html="\n".join(lines))
    raw, got = sent.as_bytes(), read(sent)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert all(len(word) <= 75 for word in raw.split() if word.startswith(b"=?utf-8?"))
    # The newer parser puts a space between two encoded words of a name; mail programs don't (RFC 2047 §6.2).
    encoded, _address = parseaddr(message_from_bytes(raw)["From"])
    assert (str(make_header(decode_header(encoded))), got["Subject"]) == (sent.sender_name, sent.subject)
    assert [part.get_content().splitlines() for part in got.iter_parts()] == ["\n".join(lines).splitlines()] * 2


def text(short: str = "Hello Ada", recipient: str = "+15055550101") -> Message:
    """Return a text to Ada."""
    return message(short=short, recipient=recipient)


def test_a_text_is_said_in_as_few_segments_as_it_can():
    assert text("Mañana a las 9 – ¿viene? " + "x" * 60).as_text().segments == 1


@pytest.mark.parametrize(
    ("short", "recipient"),
    [
        ("", "+15055550101"),
        ("x" * 1601, "+15055550101"),
        ("Hello", "5055550101"),
        ("Hello", "+1505 5550101"),
        ("Hi", "+0123456"),
    ],
)
def test_what_is_no_text_or_goes_to_no_number_is_not_sent(short, recipient):
    with pytest.raises(ValueError):
        text(short, recipient).as_text()


@pytest.mark.parametrize(
    "name", ["A\r\nBcc: eve@example.org", "=?utf-8?q?A=0ABcc:_eve@example.org?=", "A\u2028B", "\0"]
)
def test_a_name_can_not_smuggle_a_header(name):
    with pytest.raises(ValueError, match="not fit"):
        message(sender_name=name).as_bytes()


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
    assert read(message(sender_name="Clínica Alameda"))["From"].addresses[0].display_name == "Clínica Alameda"


def test_the_outbox_keeps_it_whole():
    kept = []
    outcome = Outbox(lambda *what: kept.append(what)).send(message())
    assert outcome.end == "accepted"
    [(_, whole)] = kept
    assert message_from_string(whole, policy=default).get_body(("plain",)).get_content().startswith("Hello Ada,")


def test_the_outbox_keeps_a_text_as_a_text():
    kept = []
    outcome = Outbox(lambda *what: kept.append(what), texts=True).send(text())
    assert (outcome.end, outcome.segments) == ("accepted", 1)
    [(_, whole)] = kept
    assert message_from_string(whole, policy=default).get_content() == "Hello Ada\n"
