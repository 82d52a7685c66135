"""One message, and what became of a try to send it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from typing import Protocol
from uuid import UUID

# Header values are constants, checked addresses, and the clinic's name. Python 3.11's EmailMessage decodes an encoded
# word in any of them, line breaks included (CVE-2024-6923), so none may look like one.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]|=\?")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class Message:
    """What one person is told. `calendar` is an iCalendar file with METHOD:REQUEST, or nothing."""

    id: UUID  # the reminder's: every try carries the same Message-ID, so that a receiver can tell a second copy
    recipient: str
    sender: str
    sender_name: str
    subject: str
    text: str
    html: str
    written_at: datetime
    calendar: bytes | None = None

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
        email = EmailMessage(policy=SMTP)
        for name, value in headers.items():
            email[name] = value
        email.set_content(self.text)
        email.add_alternative(self.html, subtype="html")
        if self.calendar is not None:
            email.add_attachment(self.calendar, maintype="text", subtype="calendar", filename="appointments.ics")
        return email


def _safe(value: str) -> str:
    if _UNSAFE.search(value):
        raise ValueError(f"not fit for a header: {value!r}")
    return value


def plain_address(value: str) -> str:
    """Return `value` if it is one plain ASCII e-mail address and nothing else.

    Raises:
        ValueError: It is not.
    """
    if not _ADDRESS.fullmatch(value) or _UNSAFE.search(value):
        raise ValueError(f"not a plain e-mail address: {value!r}")
    return value


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
    bad_address: bool = False
    external_id: str | None = None  # the provider's name for it, which its receipts carry
    segments: int | None = None  # what a text was cut into
    spent: bool = True  # whether this counts as a try: being told to come back later doesn't
    wait: timedelta | None = None  # how long the provider asked to be left alone


class Channel(Protocol):
    """A way out of the house."""

    seconds: float  # `send` takes no longer than this, whatever happens

    def send(self, message: Message) -> Outcome:
        """Send it once. Raises ValueError before anything was sent if it isn't fit to be."""
