"""Mail servers to send to: a real one that keeps what it accepted, and one that misbehaves as told."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import BinaryIO

from aiosmtpd.controller import Controller


@dataclass
class Kept:
    """What a server accepted, in order."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a message, then answer for it."""
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        self.recipients.extend(envelope.rcpt_tos)
        return "250 OK"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def mail_server(kept: Kept | None = None, **more) -> Iterator[tuple[Kept, int]]:
    """Run a real server (aiosmtpd); yield what it keeps and its port."""
    kept = kept or Kept()
    controller = Controller(kept, hostname="127.0.0.1", port=free_port(), **more)
    controller.start()
    try:
        yield kept, controller.port
    finally:
        controller.stop()


class Misbehaving:
    """A server that speaks by a script: what to answer to each command, by its first word.

    An answer is text; "hang" says nothing more; "reset" cuts the line; "drip" sends `drips` bytes, one now and then;
    "250 kept, bye" says it and cuts the line. A list is for the first time the word comes, the second, ... the rest.
    """

    def __init__(self, *, got: Counter[str] | None = None, drips: int = 200, **answers: str | list[str]) -> None:
        self.got = got if got is not None else Counter()  # whole messages it didn't say no to
        self.answers = {
            "hello": "220 ready",
            "EHLO": "250 here",
            "MAIL": "250 ok",
            "RCPT": "250 ok",
            "DATA": "354 go on",
            "dot": "250 kept",
            **answers,
        }
        self.drips = drips
        self.accepted = 0
        self.lines = 0  # connections there were
        self.heard: list[str] = []
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Misbehaving":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.lines += 1
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as said:
            if not self._answer(line, "hello"):
                return
            for command in said:
                word = command.split()[0].upper().decode() if command.split() else ""
                if word == "QUIT" or not self._answer(line, word):
                    return
                if word == "DATA" and self.said.startswith("354"):
                    if not (id_ := self._read(said)):
                        return
                    goes_on = self._answer(line, "dot")
                    self.got[id_] += not self.said.startswith(("4", "5"))
                    if not goes_on:
                        return

    @staticmethod
    def _read(said: BinaryIO) -> str:
        """Read a message; return its id, "" if it isn't whole."""
        id_ = ""
        for text in said:
            if text == b".\r\n":
                return id_ or "?"
            if text.startswith(b"Message-ID: <"):
                id_ = text.decode().partition("<")[2].partition("@")[0]
        return ""

    def _answer(self, line: socket.socket, word: str) -> bool:
        answer = self.answers.get(word, "502 what?")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        self.heard.append(word)
        self.said = answer
        if answer == "hang":
            self._over.wait(20)
            return False
        if answer == "reset":
            return False
        if answer == "drip":
            return self._drip(line)
        self.accepted += word == "dot" and answer.startswith("2")  # before whoever waits for the answer looks
        line.sendall(answer.encode() + b"\r\n")
        return not answer.endswith(", bye")

    def _drip(self, line: socket.socket) -> bool:
        for _ in range(self.drips):
            if self._over.wait(0.1):
                break
            try:
                line.sendall(b"2")
            except OSError:
                break
        return False
