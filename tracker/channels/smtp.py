"""E-mail by SMTP, in a total time, with an outcome that says how far it came.

A connection that just took a message is kept for the next one. That must never lose or double one: what broke on a kept
connection before DATA was answered is tried once more on a new one, in the same time, and what broke later is not.
"""

import contextlib
import select
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

from tracker.channels import wire
from tracker.channels.message import End, Message, Outcome, as_said
from tracker.channels.wire import Deadline

DOT = b".\r\n"
IDLE = 30.0  # seconds that a connection is kept; servers wait five minutes (RFC 5321 §4.5.3.2.7), firewalls may not
MOST = 100  # messages over one connection: some servers take no more
# "Nobody of that name here", in the answer to RCPT (RFC 5321 §4.2.3, RFC 3463 §3.2).
_NOBODY = frozenset({550, 551, 553})
_CLOSING = 421


@dataclass(frozen=True)
class Server:
    """Where the mail server is and how to talk to it. `security`: "starttls", "tls" or "none"."""

    host: str
    port: int
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)  # verifies name and certificate


class Smtp:
    """Sends one message after the other, over one connection while the server keeps it open."""

    def __init__(self, server: Server, *, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self._server = server
        self._kept: _Line | None = None

    def send(self, message: Message) -> Outcome:
        """Send it once."""
        body = _stuffed(message.as_bytes())
        deadline = Deadline(self.seconds)
        kept, self._kept = self._kept, None  # two threads never share one
        if kept is not None and not kept.fresh():
            kept.hang_up()
            kept = None
        talk = _Talk(self._server, message, deadline, kept)
        outcome = self._go_through(talk, body)
        if talk.came_too_late:
            outcome = self._go_through(_Talk(self._server, message, deadline), body)
        return outcome

    def _go_through(self, talk: "_Talk", body: bytes) -> Outcome:
        try:
            outcome = talk.through(body)
        except (OSError, smtplib.SMTPException) as error:
            talk.hang_up()
            return talk.broke(error)
        self._kept = talk.line
        return outcome


class _Refusal(smtplib.SMTPException):
    """The server said no, in words."""

    def __init__(self, code: int, said: bytes) -> None:
        super().__init__(code, said)
        self.code = code
        self.said = f"{code} {said.decode('utf-8', 'replace')}"


class _Talk:
    """One message's conversation. `stage` is what we are at, for whoever has to explain how it ended."""

    def __init__(self, server: Server, message: Message, deadline: Deadline, kept: "_Line | None" = None) -> None:
        self._server = server
        self._message = message
        self._deadline = deadline
        self._on_kept_line = kept is not None
        self.line = kept
        self.stage = "connect"
        self.came_too_late = False  # a kept connection was over, and the server can have nothing of this message

    def through(self, body: bytes) -> Outcome:
        line = self.line or self._begin()
        line.deadline = self._deadline
        self.stage = "sender"
        _expect(line.mail(self._message.sender))
        self.stage = "recipient"
        _expect(line.rcpt(self._message.recipient), (250, 251))
        self.stage = "data"
        _expect(line.docmd("DATA"), (354,))
        self.stage = "body"
        line.send(body)
        # From here on the server may have it, whatever we hear.
        self.stage = "dot"
        line.send(DOT)
        said = _expect(line.getreply())
        line.took_one()
        return Outcome(End.ACCEPTED, "dot", as_said(said))

    def _begin(self) -> "_Line":
        # A name of our own: asking the resolver for this machine's may take minutes.
        line = self.line = _Line(self._server, self._message.sender.rpartition("@")[2], self._deadline)
        self.stage = "greeting"
        if self._server.security == "starttls":
            _expect(line.starttls(context=self._server.trust), (220,))
        line.ehlo_or_helo_if_needed()
        if self._server.user:
            self.stage = "sign-in"
            line.login(self._server.user, self._server.password)
        return line

    def broke(self, error: Exception) -> Outcome:
        """Return what an error at this stage means."""
        said = as_said(error.said if isinstance(error, _Refusal) else f"{type(error).__name__}: {error}")
        no = error.code if isinstance(error, _Refusal) and 400 <= error.code < 600 else None
        had_nothing = self.stage in ("connect", "sender", "recipient", "data")
        self.came_too_late = self._on_kept_line and had_nothing and no in (None, _CLOSING)
        if no is None:
            return Outcome(End.UNKNOWN if self.stage == "dot" else End.LATER, self.stage, said)
        # Being turned away at the door is the installation's trouble, not this message's: it may be mended.
        if no < 500 or self.stage in ("connect", "greeting", "sign-in"):
            return Outcome(End.LATER, self.stage, said)
        bad_address = self.stage == "recipient" and no in _NOBODY
        return Outcome(End.NEVER, self.stage, said, bad_address)

    def hang_up(self) -> None:
        """End the conversation, if there was one."""
        if self.line is not None:
            self.line.hang_up()


class _Line(smtplib.SMTP):
    """smtplib's client, with one deadline for everything."""

    def __init__(self, server: Server, name: str, deadline: Deadline) -> None:
        self.deadline = deadline
        self._trust = server.trust if server.security == "tls" else None
        self._took = 0
        self._last = time.monotonic()
        super().__init__(server.host, server.port, local_hostname=name, timeout=deadline.left())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return wire.connect(host, port, self.deadline, self._trust)

    def send(self, s: Any) -> None:
        """Send bytes, within what is left."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the line is closed")
        wire.send(self.sock, s.encode("ascii") if isinstance(s, str) else s, self.deadline)

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer, within what is left."""
        if self.file is None and self.sock is not None:
            self.file = _Answers(self.sock, self)
        answer = super().getreply()
        if self.sock is not None:
            self.sock.settimeout(self.deadline.left())  # a TLS handshake may follow
        return answer

    def took_one(self) -> None:
        """Count a message that the server answered for."""
        self._took += 1
        self._last = time.monotonic()

    def fresh(self) -> bool:
        """Return whether another message may go over it: the server didn't close it, and owes us no word."""
        if self.sock is None or self._took >= MOST or time.monotonic() - self._last > IDLE:
            return False
        said_more = self.file is not None and self.file.has_more()
        return not said_more and not select.select([self.sock], [], [], 0)[0]

    def hang_up(self) -> None:
        """Say goodbye without waiting for an answer: the message's fate is settled."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.putcmd("quit")
        self.close()


class _Answers:
    """The server's lines; what `makefile` gives, but each read gets only what is left of the time."""

    def __init__(self, sock: socket.socket, line: _Line) -> None:
        self._sock = sock
        self._line = line
        self._read = bytearray()

    def readline(self, limit: int) -> bytes:
        """Return one line, at most `limit` bytes of it."""
        while b"\n" not in self._read and len(self._read) < limit:
            self._sock.settimeout(self._line.deadline.left())
            more = self._sock.recv(4096)
            if not more:
                break
            self._read += more
        end = self._read.find(b"\n") + 1 or len(self._read)
        line = bytes(self._read[: min(end, limit)])
        del self._read[: len(line)]
        return line

    def has_more(self) -> bool:
        """Return whether there is something that nobody read yet."""
        return bool(self._read) or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)

    def close(self) -> None:
        """Nothing to close: the socket isn't ours."""


def _expect(answer: tuple[int, bytes], good: tuple[int, ...] = (250,)) -> str:
    code, said = answer
    if code not in good:
        raise _Refusal(code, said)
    return f"{code} {said.decode('utf-8', 'replace')}"


def _stuffed(raw: bytes) -> bytes:
    """Return the message with every line's first dot doubled, up to but without the last dot."""
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in raw.split(b"\r\n"))
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
