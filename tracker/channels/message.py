"""One message, and what became of a try to send it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from tracker.rules.gsm import Cut, fit

# A header that is folded inside an address is read by nobody: only encoded words are folded.
_WIRE = SMTP.clone(cte_type="7bit", max_line_length=998)
_LONGEST_SAID = 300
LONGEST_TEXT = 1600  # characters: what Twilio takes, about ten segments
# Header values are constants, checked addresses, and the clinic's name. Python 3.11's EmailMessage decodes an encoded
# word in any of them, line breaks included (CVE-2024-6923), so none may look like one.
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

    def as_email(self) -> EmailMessage:
        """Return the message as it goes over the wire.

        Raises:
            ValueError: A header would carry a line break, an encoded word or no plain address. Nothing is sent then.
        """
        headers = {
            "From": Address(_safe(self.sender_name), addr_spec=plain_address(self.sender)),
            "To": Address(addr_spec=plain_address(self.recipient)),
            "Subject": _safe(self.subject),
            "Message-ID": f"<{self.id}@{self.sender.rpartition('@')[2]}>",
            "Date": self.written_at,
            # No answers from holiday notices, please.
            "Auto-Submitted": "auto-generated",
        }
        if self.unsubscribe is not None:
            headers["List-Unsubscribe"] = f"<{_link(self.unsubscribe)}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        email = EmailMessage(policy=SMTP)
        for name, value in headers.items():
            email[name] = value
        email.set_content(self.text)
        email.add_alternative(self.html, subtype="html")
        _add_calendars(email, self.calendars)
        return email

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
        """Return the e-mail as it goes over the wire. Raises ValueError as `as_email` does."""
        return self.as_email().as_bytes(policy=_WIRE)


def _add_calendars(email: EmailMessage, calendars: Sequence[bytes]) -> None:
    """Add calendar files where the common clients look for them.

    Outlook and Gmail offer to add what is an alternative to the words; Apple Mail and telephones open attachments. So
    the first is both. A part says by which method, as its file does (RFC 6047 §2.4): clients go by the part.
    """
    for number, calendar in enumerate(calendars):
        says = _METHOD.search(calendar)
        method = {"method": says[1].decode()} if says else {}
        name = f"invite-{number + 1}.ics" if number else "invite.ics"
        if number:
            email.add_attachment(calendar, maintype="text", subtype="calendar", filename=name, params=method)
        else:
            email.add_alternative(calendar.decode(), subtype="calendar", params=method)
            # Of another type, or some would take it for a second invitation.
            email.add_attachment(calendar, maintype="application", subtype="ics", filename=name)


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
