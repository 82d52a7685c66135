"""A patient's message: the same in three forms, in either language, and nothing of what for."""

import hashlib
import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tracker.channels.message import Message
from tracker.interop import mail
from tracker.interop.calendar_file import Entry, Place, calendar_files
from tracker.interop.mail import VERSIONS, Due, Facts, Written, write
from tracker.rules import gsm
from tracker.rules.cadence import Purpose
from tracker.text import speaking

DENVER = ZoneInfo("America/Denver")
STARTS = [datetime(2026, 11, 24, 20, 30, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC)]
LINK = "https://visits.example.org/v/" + "x" * 43
WORDS = Path(__file__).with_name("templates.json")
LANGUAGES = ("en", "es")
# Every way that each message may turn out.
FORMS = [
    (purpose, more)
    for purpose in VERSIONS
    for more in (
        {},
        {"link": None},
        *([{"asks_how": True}] if purpose is Purpose.VISIT else []),
        *([{"starts": []}] if purpose is Purpose.CHANGED else []),
    )
]


def facts(purpose: Purpose, **more) -> Facts:
    said = {
        "purpose": purpose,
        "first_name": "María",
        "sender_name": "Cottonwood",
        "phone": "+15055550182",
        "zone": DENVER,
        "country": "US",
        "starts": STARTS if purpose in (Purpose.ITINERARY, Purpose.CHANGED) else STARTS[:1],
        "link": LINK,
        "due": Due(2, 3, 1, 0, ("A.L.", "G.H.")),
    }
    return Facts(**said | more)


def everything(written: Written) -> str:
    return "\n".join((written.subject, written.text, written.html, written.short))


@pytest.mark.parametrize("purpose", VERSIONS)
def test_changed_words_have_a_new_version(purpose):
    """Red? Raise the purpose's number in `mail.VERSIONS` and add the digest under it; leave the older ones."""
    said = [
        everything(write(facts(purpose, **more, language=language)))
        for of, more in FORMS
        if of is purpose
        for language in LANGUAGES
    ]
    digest = hashlib.sha256("\0".join(said).encode()).hexdigest()
    assert json.loads(WORDS.read_text())[purpose].get(str(VERSIONS[purpose])) == digest


def test_every_patient_message_has_words():
    assert set(VERSIONS) == set(Purpose) - {Purpose.TEST}
    assert set(VERSIONS) == set(mail._subjects())


class Seen(HTMLParser):
    """The words that a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.hidden = False
        self.links: list[str] = []
        self.language = None

    def handle_starttag(self, tag, attrs):
        self.hidden = tag == "title" or self.hidden
        self.links += [dict(attrs)["href"]] if tag == "a" else []
        self.language = dict(attrs).get("lang", self.language)
        assert tag not in ("img", "script", "style", "link"), "nothing is loaded, nothing runs"

    def handle_endtag(self, tag):
        self.hidden = self.hidden and tag != "title"

    def handle_data(self, data):
        self.words += [] if self.hidden else data.split()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("purpose", "more"), FORMS)
def test_page_and_plain_text_say_the_same(purpose, more, language):
    written = write(facts(purpose, **more, language=language))
    seen = Seen()
    seen.feed(written.html)
    plain = [word for word in written.text.replace(f":\n{LINK}", "").split() if word != "-"]
    assert seen.words == plain
    assert seen.links == re.findall(r"https://\S+", written.text)
    assert seen.language == language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("purpose", "more"), FORMS)
def test_a_text_is_one_segment_says_who_writes_and_where_to_answer(purpose, more, language):
    short = write(facts(purpose, **more, language=language)).short
    assert gsm.fit(short).segments == 1, short
    assert short.startswith("Cottonwood: ")
    assert (LINK in short) if "link" not in more else ("(505) 555-0182" in short), short
    assert "\n" not in short


def test_what_there_is_no_room_for_in_a_text_is_left_out():
    long = facts(Purpose.VISIT, sender_name="Cottonwood Health and Wellness Center", language="es")
    short = write(long).short
    assert "María" not in short
    assert LINK in short


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("purpose", "more"), FORMS)
def test_no_message_says_what_for(purpose, more, language):
    """Neither subject, headers, text, page, text message nor calendar; the clinic's own name isn't even known here."""
    written = write(facts(purpose, **more, language=language))
    with speaking(language):
        files = calendar_files(
            [Entry(UUID(int=n), 1, start, start) for n, start in enumerate(STARTS)],
            [Entry(UUID(int=9), 2, STARTS[0], STARTS[0])],
            Place("1 Main St", "visits@example.org", "Cottonwood"),
            now=STARTS[0],
            attendee="ana@example.org",
        )
    sent = Message(
        id=UUID(int=7),
        recipient="ana@example.org",
        sender="visits@example.org",
        sender_name="Cottonwood",
        subject=written.subject,
        text=written.text,
        html=written.html,
        written_at=STARTS[0],
        calendars=files,
    )
    message = message_from_bytes(sent.as_bytes(), policy=default)
    parts = [part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()]
    heads = [f"{name}: {value}" for part in message.walk() for name, value in part.items()]
    said = "\n".join([*heads, *parts, written.short]).casefold()
    for word in (
        *("treat", "drug", "diagnos", "infus", "ketamin", "clinic", "therap", "dose", "depress", "psych", "patient"),
        *("tratam", "droga", "fármaco", "medic", "clínica", "terap", "dosis", "depres", "psiq", "pacient", "salud"),
    ):
        assert word not in said, word


def test_a_subject_has_nothing_that_anybody_typed():
    plain, hostile = facts(Purpose.VISIT), facts(Purpose.VISIT, first_name="\r\nBcc: x@y", sender_name="=?utf-8?q?x?=")
    assert write(plain).subject == write(hostile).subject


def test_a_name_is_no_markup():
    html = write(facts(Purpose.VISIT, first_name="<b>Eve</b>")).html
    assert "<b>" not in html
    assert "&lt;b&gt;Eve" in html


def test_the_zone_is_said_where_it_differs():
    here = write(facts(Purpose.VISIT, lives_in=ZoneInfo("America/Boise"))).text
    assert "1:30 PM. Please" in here  # another zone, the same time
    away = facts(Purpose.VISIT, lives_in=ZoneInfo("America/New_York"))
    assert "1:30 PM (Mountain Time)" in write(away).text
    assert "(Mountain Time)" in write(away).short


def test_spanish_is_said_with_spanish_dates():
    written = write(facts(Purpose.ITINERARY, language="es"))
    assert written.subject == "Sus citas"
    assert "- mar, 24 de nov, 1:30 p.m." in written.text.replace("\u00a0", " ")
    assert "p.m.." not in everything(write(facts(Purpose.VISIT, language="es"))).replace("\u00a0", " ")
    with speaking("es"):
        assert (
            b"SUMMARY:Cita"
            in calendar_files(
                [Entry(UUID(int=1), 1, STARTS[0], STARTS[0])],
                [],
                Place("1 Main St", ""),
                now=STARTS[0],
                attendee="a@b.c",
            )[0]
        )


def test_an_unknown_language_is_english():
    written = write(facts(Purpose.VISIT, language="fr"))
    assert written == write(facts(Purpose.VISIT))
    assert '<html lang="en">' in written.html
