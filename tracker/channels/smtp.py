"""E-mail by SMTP, in a total time, with an outcome that says how far it came.

A socket's time-out is for one operation: a server that drips a byte a second would hold a message for ever. Here every
wait, for a connection, for TLS, for a line, gets only what is left of one deadline.
"""

import contextlib
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as CRLF
from typing import Any

from tracker.channels.message import End, Message, Outcome

DOT = b".\r\n"
_LONGEST_SAID = 300
# "Nobody of that name here", in the answer to RCPT (RFC 5321 §4.2.3, RFC 3463 §3.2).
_NOBODY = frozenset({550, 551, 553})


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
    """Sends each message over a connection of its own."""

    def __init__(self, server: Server, *, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self._server = server

    def send(self, message: Message) -> Outcome:
        """Send it once."""
        email = message.as_email()
        talk = _Talk(self._server, time.monotonic() + self.seconds)
        try:
            return talk.through(email, message)
        except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
            return talk.broke(error)
        finally:
            talk.hang_up()


class _Refusal(smtplib.SMTPException):
    """The server said no, in words."""

    def __init__(self, code: int, said: bytes) -> None:
        super().__init__(code, said)
        self.code = code
        self.said = f"{code} {said.decode('utf-8', 'replace')}"


class _Talk:
    """One conversation with the server. `stage` is what we are at, for whoever has to explain how it ended."""

    def __init__(self, server: Server, deadline: float) -> None:
        self._server = server
        self._deadline = deadline
        self._line: _Line | None = None
        self.stage = "connect"

    def through(self, email: EmailMessage, message: Message) -> Outcome:
        line = self._line = _Line(self._server, message.sender.rpartition("@")[2], self._deadline)
        self.stage = "greeting"
        self._greet(line)
        self.stage = "sender"
        _expect(line.mail(message.sender))
        self.stage = "recipient"
        _expect(line.rcpt(message.recipient), (250, 251))
        self.stage = "data"
        _expect(line.docmd("DATA"), (354,))
        self.stage = "body"
        line.send(_body(email))
        # From here on the server may have it, whatever we hear.
        self.stage = "dot"
        line.send(DOT)
        said = _expect(line.getreply())
        return Outcome(End.ACCEPTED, "dot", _short(said))

    def _greet(self, line: "_Line") -> None:
        if self._server.security == "starttls":
            _expect(line.starttls(context=self._server.trust), (220,))
        line.ehlo_or_helo_if_needed()
        if self._server.user:
            self.stage = "sign-in"
            line.login(self._server.user, self._server.password)

    def broke(self, error: Exception) -> Outcome:
        """Return what an error at this stage means."""
        said = _short(error.said if isinstance(error, _Refusal) else f"{type(error).__name__}: {error}")
        if not isinstance(error, _Refusal) or not 400 <= error.code < 600:
            return Outcome(End.UNKNOWN if self.stage == "dot" else End.LATER, self.stage, said)
        # Being turned away at the door is the installation's trouble, not this message's: it may be mended.
        if error.code < 500 or self.stage in ("connect", "greeting", "sign-in"):
            return Outcome(End.LATER, self.stage, said)
        bad_address = self.stage == "recipient" and error.code in _NOBODY
        return Outcome(End.NEVER, self.stage, said, bad_address)

    def hang_up(self) -> None:
        """Say goodbye without waiting for an answer: the message's fate is settled."""
        if self._line is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._line.putcmd("quit")
            self._line.close()


class _Line(smtplib.SMTP):
    """smtplib's client, with one deadline for everything."""

    def __init__(self, server: Server, name: str, deadline: float) -> None:
        self._deadline = deadline
        self._trust = server.trust if server.security == "tls" else None
        # A name of our own: asking the resolver for this machine's may take minutes.
        super().__init__(server.host, server.port, local_hostname=name, timeout=self._left())

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for this message is up")
        return left

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # Every address of the host gets what is left, not the whole time again.
        for *kind, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            plain = socket.socket(*kind)
            try:
                plain.settimeout(self._left())
                plain.connect(address)
                plain.settimeout(self._left())
                return self._trust.wrap_socket(plain, server_hostname=host) if self._trust else plain
            except OSError as error:
                plain.close()
                failure = error
        raise failure

    def send(self, s: Any) -> None:
        """Send bytes, within what is left."""
        if self.sock is not None:
            self.sock.settimeout(self._left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer, within what is left."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock, self._left)
        answer = super().getreply()
        if self.sock is not None:
            self.sock.settimeout(self._left())  # a TLS handshake may follow
        return answer


class _Lines:
    """Lines from a socket; what `makefile` gives, but each read gets only what is left of the time."""

    def __init__(self, sock: socket.socket, left: Any) -> None:
        self._sock = sock
        self._left = left
        self._read = bytearray()

    def readline(self, limit: int) -> bytes:
        """Return one line, at most `limit` bytes of it."""
        while b"\n" not in self._read and len(self._read) < limit:
            self._sock.settimeout(self._left())
            more = self._sock.recv(4096)
            if not more:
                break
            self._read += more
        end = self._read.find(b"\n") + 1 or len(self._read)
        line = bytes(self._read[: min(end, limit)])
        del self._read[: len(line)]
        return line

    def close(self) -> None:
        """Nothing to close: the socket isn't ours."""


def _expect(answer: tuple[int, bytes], good: tuple[int, ...] = (250,)) -> str:
    code, said = answer
    if code not in good:
        raise _Refusal(code, said)
    return f"{code} {said.decode('utf-8', 'replace')}"


def _body(email: EmailMessage) -> bytes:
    """Return the message with every line's first dot doubled, up to but without the last dot."""
    raw = email.as_bytes(policy=CRLF.clone(cte_type="7bit"))
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in raw.split(b"\r\n"))
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def _short(said: str) -> str:
    """Return what a server said as one line fit to be kept."""
    return "".join(letter if letter.isprintable() else " " for letter in said)[:_LONGEST_SAID]
