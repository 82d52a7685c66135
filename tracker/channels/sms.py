"""Texts by Twilio's REST protocol, in a total time, with an outcome that says how far it came.

Source:
    Twilio's documentation, "Messages resource", "Track the message status of outbound messages", "Security: validating
    requests", and its dictionary of error codes. Codes are added and split now and then: one that isn't known here is
    a plain refusal.
"""

import base64
import hashlib
import hmac
import http.client
import io
import json
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from tracker.channels import wire
from tracker.channels.message import End, Message, Outcome, as_said
from tracker.channels.wire import Deadline
from tracker.rules.gsm import Cut

TWILIO = "https://api.twilio.com"
# The number is none, or none that texts reach: a landline, a short code, a premium number, our own; then, in receipts,
# a handset nobody knows and a landline.
BAD_NUMBER = frozenset({21211, 21214, 21217, 21265, 21266, 21268, 21614, 21635, 30005, 30006})
STOPPED = 21610  # the person wrote STOP to the provider
# What the installation, its account or its sender's number lacks: it may be mended, and then all of them go out.
_OURS = frozenset(
    {20003, 20005, 20008, 20404, 21212, 21408, 21603, 21606, 21609, 21659, 21660, 21661, 21701, 21702, 21703, 21705}
)
_TOO_FAST = frozenset({20429, 21611})
_AT_THE_DOOR = frozenset({*range(300, 400), 401, 403, 404, 408})  # nobody looked at the text
_ANSWER = 64 * 1024  # bytes of an answer that are read
_QUEUED = timedelta(hours=10)  # the longest that Twilio keeps one it can't hand on
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Account:
    """Whose account, and from which number: "+15055550100", or a messaging service, "MG…"."""

    sid: str
    token: str = field(repr=False)
    sender: str
    callback: str = ""  # our own public address, which is told what became of each text
    api: str = TWILIO
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)


class Sms:
    """Sends each text by a request of its own."""

    def __init__(self, account: Account, *, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self._account = account

    def send(self, message: Message) -> Outcome:
        """Send it once."""
        text = message.as_text()
        request = _request(self._account, _fields(self._account, message, text))
        stage = "connect"
        deadline = Deadline(self.seconds)
        try:
            with _connect(self._account, deadline) as sock:
                stage = "request"
                wire.send(sock, request, deadline)
                # From here on the provider may have it, whatever we hear.
                stage = "answer"
                answer = _Answer.read(sock, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            end = End.UNKNOWN if stage == "answer" else End.LATER
            return Outcome(end, stage, as_said(f"{type(error).__name__}: {error}"))
        return answer.means(text, message.written_at)


def trouble(account: Account, *, seconds: float = 5.0) -> str:
    """Return why the provider would take nothing from this account, "" if it would. Nothing is sent."""
    deadline = Deadline(seconds)
    try:
        with _connect(account, deadline) as sock:
            wire.send(sock, _head(account, "GET", ".json"), deadline)
            answer = _Answer.read(sock, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return as_said(f"{type(error).__name__}: {error}")
    state = answer.said.get("status")
    return "" if answer.status == 200 and state == "active" else answer.words


def _fields(account: Account, message: Message, text: Cut) -> dict[str, str]:
    service = account.sender.startswith("MG")
    fields = {
        "To": message.recipient,
        "MessagingServiceSid" if service else "From": account.sender,
        "Body": text.text,
    }
    if account.callback:
        fields["StatusCallback"] = f"{account.callback}/hooks/sms/{message.id}/{message.epoch}"
    if message.useful_until is not None:
        left = min(message.useful_until - message.written_at, _QUEUED)
        fields["ValidityPeriod"] = str(max(1, int(left.total_seconds())))
    return fields


def _request(account: Account, fields: dict[str, str]) -> bytes:
    body = urlencode(fields).encode("ascii")
    form = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
    return _head(account, "POST", "/Messages.json", *form) + body


def _head(account: Account, method: str, what: str, *more: str) -> bytes:
    place = urlsplit(account.api)
    signed_in = base64.b64encode(f"{account.sid}:{account.token}".encode()).decode("ascii")
    lines = (
        f"{method} {place.path}/2010-04-01/Accounts/{quote(account.sid, safe='')}{what} HTTP/1.1",
        f"Host: {place.netloc}",
        f"Authorization: Basic {signed_in}",
        *more,
        "Accept: application/json",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _connect(account: Account, deadline: Deadline) -> Any:
    place = urlsplit(account.api)
    secure = place.scheme == "https"
    port = place.port or (443 if secure else 80)
    return wire.connect(place.hostname or "", port, deadline, account.trust if secure else None)


class _Source:
    """What `HTTPResponse` takes for a socket."""

    def __init__(self, incoming: wire.Incoming) -> None:
        self._incoming = incoming

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._incoming)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the provider said. `code` is its own number for an error."""

    status: int
    retry_after: str
    said: dict[str, Any]

    @classmethod
    def read(cls, sock: Any, deadline: Deadline) -> "_Answer":
        """Read it. Raises OSError, HTTPException, ValueError: it never came, or isn't whole, or isn't one."""
        source = cast(Any, _Source(wire.Incoming(sock, deadline)))
        response = http.client.HTTPResponse(source, method="POST")
        response.begin()
        body = response.read(_ANSWER)
        try:
            said = json.loads(body)
        except ValueError:
            said = {}
        return cls(response.status, response.headers.get("Retry-After", ""), said if isinstance(said, dict) else {})

    @property
    def code(self) -> int:
        """Return the provider's number for what is wrong, 0 for none."""
        found = self.said.get("code", self.said.get("error_code"))
        return found if isinstance(found, int) else 0

    @property
    def words(self) -> str:
        """Return what it said, for the record."""
        parts = (str(self.status), str(self.code or ""), str(self.said.get("message", self.said.get("status", ""))))
        return as_said(" ".join(part for part in parts if part))

    def means(self, text: Cut, now: datetime) -> Outcome:
        """Return what became of the text."""
        if 200 <= self.status < 300 and self.said.get("status") != "failed":
            return self._taken(text)
        if self.status == 429 or self.code in _TOO_FAST:
            return Outcome(End.LATER, "answer", self.words, spent=False, wait=_wait(self.retry_after, now))
        if self.status == 503:
            return Outcome(End.LATER, "answer", self.words, wait=_wait(self.retry_after, now))
        if self.status >= 500:
            # A gateway that lost sight of what is behind it, or a fault in the middle of the work.
            return Outcome(End.UNKNOWN, "answer", self.words)
        if self.status in _AT_THE_DOOR or self.code in _OURS:
            return Outcome(End.LATER, "account", self.words)
        bad, stopped = self.code in BAD_NUMBER, self.code == STOPPED
        return Outcome(End.NEVER, "answer", self.words, bad_address=bad, opted_out=stopped)

    def _taken(self, text: Cut) -> Outcome:
        sid, counted = self.said.get("sid"), str(self.said.get("num_segments", ""))
        if not isinstance(sid, str) or not 0 < len(sid) <= 64:
            return Outcome(End.UNKNOWN, "answer", self.words)  # whoever answered so isn't the provider we know
        # With a messaging service it says 0: it doesn't know yet.
        known = counted.isascii() and counted.isdigit() and 0 < len(counted) < 3 and int(counted) > 0
        segments = int(counted) if known else text.segments
        return Outcome(End.ACCEPTED, "answer", self.words, external_id=sid, segments=segments)


def _wait(said: str, now: datetime) -> timedelta | None:
    """Return how long to wait, of "120" or a date (RFC 9110 §10.2.3); no longer than an hour."""
    if said.isascii() and said.isdigit() and len(said) < 9:
        wait = timedelta(seconds=int(said))
    else:
        try:
            wait = parsedate_to_datetime(said).astimezone(UTC) - now
        except (ValueError, OverflowError):
            return None
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)


def signature(token: str, address: str, fields: Iterable[tuple[str, str]]) -> str:
    """Return how the provider signs what it sends to `address`: HMAC-SHA1 over it and the fields in order of name."""
    said = address + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode("ascii")


def is_signed(token: str, address: str, fields: Iterable[tuple[str, str]], signed: str) -> bool:
    """Return whether whoever sent this knows the token. Without a token nobody does."""
    known = list(fields)
    # It signs the address with its port or without, by the protocol and the age of its own parts.
    ways = (signature(token, way, known) for way in _with_and_without_port(address))
    right = [hmac.compare_digest(way.encode(), signed.encode()) for way in ways]
    return bool(token) and any(right)


def _with_and_without_port(address: str) -> tuple[str, str]:
    place = urlsplit(address)
    host = place.netloc.rpartition("@")[2].removesuffix(f":{place.port}")
    port = place.port or (443 if place.scheme == "https" else 80)
    return place._replace(netloc=host).geturl(), place._replace(netloc=f"{host}:{port}").geturl()
