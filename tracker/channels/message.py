"""One message, and what became of a try to send it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.charset import QP, Charset
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from tracker.rules.gsm import Cut, fit

_LONGEST_LINE = 998  # RFC 5322 §2.1.1
# The older half of the standard library's e-mail: the newer one parses every header that it is given, and takes three
# times as long for a message. A header that is folded inside an address is read by nobody: only encoded words are.
_WIRE = compat32.clone(linesep="\r\n", cte_type="7bit", max_line_length=_LONGEST_LINE)
_QUOTED = Charset("utf-8")
_QUOTED.body_encoding = QP
_LONGEST_SAID = 300
LONGEST_TEXT = 1600  # characters: what Twilio takes, about ten segments
# Header values are constants, checked addresses, and the clinic's name. What looks like an encoded word is decoded by
# whoever reads it, line breaks included, so none may.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]|=\?")
_LINK = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/-]{1,400}")
_METHOD = re.compile(rb"^METHOD:([A-Z]+)\r?$", re.MULTILINE)
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")  # E.164
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Message:
    """What one person is told: all of it by e-mail, or only `short` by a text.

    `unsubscribe` is where a POST of one click ends all messages (RFC 8058), `calendars` are files for what the patient
    has in her calendar.
    """

    id: UUID  # the reminder's: every try carries the same Message-ID, so that a receiver can tell a second copy
    recipient: str
    sender: str
    sender_name: str
    subject: str
    text: str
    html: str
    written_at: datetime
    calendars: tuple[bytes, ...] = ()
    short: str = ""
    unsubscribe: str | None = None
    epoch: int = 0  # of the lease it leaves under: with the id, a receipt tells which try it speaks of
    useful_until: datetime | None = None  # a provider that still has it then shall throw it away

    def as_text(self) -> Cut:
        """Return the text as it goes to a telephone, in as few segments as it can be said in.

        Raises:
            ValueError: There is none, or it is longer than any provider takes, or the number isn't one.
        """
        if not self.short or len(self.short) > LONGEST_TEXT:
            raise ValueError(f"a text has 1 to {LONGEST_TEXT} characters")
        if not _NUMBER.fullmatch(self.recipient):
            raise ValueError(f"not a telephone number: {self.recipient!r}")
        return fit(self.short)

    def as_bytes(self) -> bytes:
        """Return the e-mail as it goes over the wire: seven bits, lines of at most 998.

        Raises:
            ValueError: A header would carry a line break, an encoded word or no plain address. Nothing is sent then.
        """
        headers = self._headers()
        words = MIMEMultipart("alternative", None, (_text(self.text, "plain"), _text(self.html, "html")))
        email = _with_calendars(words, self.calendars) if self.calendars else words
        for name, value in headers.items():
            email[name] = value
        return email.as_bytes(policy=_WIRE)

    def _headers(self) -> dict[str, str]:
        name, sender = _safe(self.sender_name), plain_address(self.sender)
        one_click = {} if self.unsubscribe is None else _one_click(self.unsubscribe)
        return {
            "From": formataddr((name, sender)) if name.isascii() else f"{_encoded(name)} <{sender}>",
            "To": plain_address(self.recipient),
            "Subject": _encoded(_safe(self.subject)),
            "Message-ID": f"<{self.id}@{sender.rpartition('@')[2]}>",
            "Date": format_datetime(self.written_at),
            # No answers from holiday notices, please.
            "Auto-Submitted": "auto-generated",
            **one_click,
        }


def _one_click(where: str) -> dict[str, str]:
    return {"List-Unsubscribe": f"<{_link(where)}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _encoded(value: str) -> str:
    """Return a header's words in seven bits, in encoded words of at most 75 characters (RFC 2047 §2)."""
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=75).encode(linesep="\r\n")


def _text(content: str, subtype: str) -> MIMEText:
    plain = content.isascii() and max(map(len, content.split("\n"))) <= _LONGEST_LINE
    return MIMEText(content, subtype, "us-ascii" if plain else _QUOTED)  # type: ignore[arg-type] # it takes both


def _with_calendars(words: MIMEMultipart, calendars: Sequence[bytes]) -> MIMEMultipart:
    """Add calendar files where the common clients look for them.

    Outlook and Gmail offer to add what is an alternative to the words; Apple Mail and telephones open attachments. So
    the first is both. A part says by which method, as its file does (RFC 6047 §2.4): clients go by the part.
    """
    first, *others = map(_calendar, calendars)
    words.attach(first)
    # Of another type, or some would take it for a second invitation.
    same = MIMEApplication(calendars[0], "ics")
    for number, part in enumerate((same, *others), 1):
        name = f"invite-{number}.ics" if number > 1 else "invite.ics"
        part.add_header("Content-Disposition", "attachment", filename=name)
    return MIMEMultipart("mixed", None, (words, same, *others))


def _calendar(file: bytes) -> MIMEText:
    part = MIMEText(file.decode(), "calendar", "utf-8")
    if says := _METHOD.search(file):
        part.set_param("method", says[1].decode())
    return part


def _safe(value: str) -> str:
    if _UNSAFE.search(value):
        raise ValueError(f"not fit for a header: {value!r}")
    return value


def _link(value: str) -> str:
    if not _LINK.fullmatch(value):
        raise ValueError("not a plain web address")  # it may be somebody's key: it isn't said
    return value


def plain_address(value: str) -> str:
    """Return `value` if it is one plain ASCII e-mail address and nothing else.

    Raises:
        ValueError: It is not.
    """
    if not _ADDRESS.fullmatch(value) or _UNSAFE.search(value):
        raise ValueError(f"not a plain e-mail address: {value!r}")
    return value


def as_said(words: str) -> str:
    """Return what a provider said as one line fit to be kept."""
    return "".join(letter if letter.isprintable() else " " for letter in words)[:_LONGEST_SAID]


class End(StrEnum):
    """What a try to send came to."""

    ACCEPTED = "accepted"  # the server answered for it
    LATER = "later"  # the server does not have it: trying again is safe
    NEVER = "never"  # the server will not have it
    UNKNOWN = "unknown"  # the server may have it


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended, at which stage, and what was said, for the record."""

    end: End
    stage: str
    said: str = ""
    bad_address: bool = False  # it can't be written to: nobody has it, or it is no mobile number
    opted_out: bool = False  # the person told the provider to stop
    external_id: str | None = None  # the provider's name for it, which its receipts carry
    segments: int | None = None  # what a text was cut into
    spent: bool = True  # whether this counts as a try: being told to come back later doesn't
    wait: timedelta | None = None  # how long the provider asked to be left alone


class Channel(Protocol):
    """A way out of the house."""

    seconds: float  # `send` takes no longer than this, whatever happens

    def send(self, message: Message) -> Outcome:
        """Send it once. Raises ValueError before anything was sent if it isn't fit to be."""
