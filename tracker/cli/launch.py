"""Starts a whole machine: `tracker serve`, and `tracker demo` with its own key, data and time."""

import contextlib
import hashlib
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from tracker import clock
from tracker.config import Config, load
from tracker.supervisor import HOPELESS, Child, Supervisor, tracker

SAVE_EVERY = timedelta(seconds=5)


@dataclass(frozen=True)
class SignIn:
    """Somebody to try the demonstration as."""

    role: str
    email: str
    password: str


@dataclass(frozen=True)
class DemoState:
    """What the demonstration keeps beside its database: which tables it was made with, what time it is there."""

    revision: str
    database: str
    at: datetime
    sign_ins: list[SignIn] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return what was kept in `folder`, None if nothing was or it can't be read."""
        try:
            data = json.loads(_state_file(folder).read_text(encoding="utf-8"))
            people = [SignIn(**person) for person in data["sign_ins"]]
            return cls(data["revision"], data["database"], datetime.fromisoformat(data["at"]), people)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Keep it in `folder`: whole or not at all."""
        file = _state_file(folder)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self) | {"at": self.at.isoformat()}, indent=1), encoding="utf-8")
        fresh.replace(file)


def service() -> int:
    """Run web and worker until a signal; return the exit code."""
    supervisor = Supervisor(_say)
    config = load()
    _port_is_free(config)
    return supervisor.keep(_children(), lambda: None)


def demonstration(minute: str, newest: str) -> int:
    """Run the demonstration until a signal; return the exit code.

    Args:
        minute: The time of day ("11:42") of its very first start.
        newest: The revision of this version's tables.
    """
    supervisor = Supervisor(_say)
    os.environ |= {"TRACKER_DEMO": "yes", "TRACKER_SENDING": "no", "TRACKER_CLOCK_OFFSET": "0"}
    config = load()
    _port_is_free(config)
    config.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TRACKER_BASE_URL", f"http://{config.host}:{config.port}")
    own_key(config)
    state = DemoState.read(config.folder)
    if state is None or not _fits(state, config, newest):
        _say("Making the demonstration clinic; this takes a moment.")
        code = supervisor.run_once(tracker("demo", "--only-make", "--at", minute))
        state = DemoState.read(config.folder)
        if code is None or code or state is None:
            return code or 0
    offset = state.at - clock.now()
    clock.shift(offset)
    os.environ["TRACKER_CLOCK_OFFSET"] = str(round(offset.total_seconds()))
    demo = _Demonstration(config, state)
    try:
        return supervisor.keep(_children(), demo.tick)
    finally:
        demo.save()


class _Demonstration:
    """What happens once a second while it runs: its time is kept, and at first, where to go is said."""

    def __init__(self, config: Config, state: DemoState) -> None:
        self._config, self._state, self._announced = config, state, False

    def tick(self) -> None:
        if not self._announced and answers(self._config):
            self._announced = True
            _say(welcome(self._config, self._state))
        if clock.now() - self._state.at >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        self._state = replace(self._state, at=clock.now())
        self._state.write(self._config.folder)


def welcome(config: Config, state: DemoState) -> str:
    """Return what a person needs to look around."""
    first = {person.role: person for person in reversed(state.sign_ins)}  # one for each role is enough
    wide = max((len(person.email) for person in first.values()), default=0)
    people = [f"  {person.role:<12} {person.email:<{wide}}  {person.password}" for person in reversed(first.values())]
    return "\n".join(
        [
            "",
            f"The clinic is open: http://{config.host}:{config.port}",
            "",
            *people,
            "",
            f"Messages that would have gone out: http://{config.host}:{config.port}/messages",
            f"Its day goes on from where it was stopped; the data stay in {config.folder}/. Stop with Ctrl-C.",
        ]
    )


def identity(config: Config) -> str:
    """Return a short name for the database, without its password."""
    return hashlib.sha256(config.database.encode()).hexdigest()[:16]


def answers(config: Config) -> bool:
    """Tell whether the web server gives any answer to a request."""
    try:
        with socket.create_connection((config.host, config.port), timeout=1) as connection:
            connection.sendall(f"GET /health HTTP/1.1\r\nHost: {config.host}\r\nConnection: close\r\n\r\n".encode())
            return bool(connection.recv(1))
    except OSError:
        return False


def _children() -> list[Child]:
    return [Child("web", tracker("web")), Child("worker", tracker("worker"))]


def _fits(state: DemoState, config: Config, newest: str) -> bool:
    file = config.database.removeprefix("sqlite:///")
    there = file == config.database or Path(file).is_file()
    return there and (state.revision, state.database) == (newest, identity(config))


def own_key(config: Config) -> None:
    """Let the demonstration have a key of its own, that nobody else on the machine can read."""
    if config.secret_key:
        return
    file = config.folder / "demo.key"
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(48))
    os.environ["TRACKER_SECRET_KEY_FILE"] = str(file)


def _port_is_free(config: Config) -> None:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            where = f"{config.host}:{config.port}"
            _say(f"Can't listen on {where}: {error.strerror}. Choose another port: --port 8001 (PORT=8001 make run)")
            raise SystemExit(HOPELESS) from error


def _state_file(folder: Path) -> Path:
    return folder / "demo.json"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(1, (text + "\n").encode())
