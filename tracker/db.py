"""The engine, and the only two ways to the database: `transaction()` to write, `read()` to look.

Both are opened at the edge (a view, a worker's tick, a command) and nowhere else.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from tracker.errors import Busy, Stale
from tracker.text import gettext as _

_engine: Engine | None = None
_inside: ContextVar[bool] = ContextVar("inside a transaction", default=False)
# SQLite has one writer at a time. Waiting here is fair and cheap; waiting in its busy handler is neither
# (8 threads waited up to 1.8 s there, 0.15 s here).
_one_writer = threading.Lock()
# Seconds to wait for another process's write. SQLite lets whoever came last go first, more or less: of sixteen
# processes that write without a pause one in twenty-five waited more than ten.
WAIT = 30


def configure(url: str) -> Engine:
    """Use the database at `url` from now on, in this process."""
    global _engine
    if _engine is not None:
        _engine.dispose()
    _engine = build_engine(url)
    return _engine


def build_engine(url: str) -> Engine:
    """Return an engine for `url`, set up so that what was acknowledged survives a power loss."""
    if url.startswith("sqlite"):
        built = create_engine(url, connect_args={"timeout": WAIT, "check_same_thread": False}, hide_parameters=True)
        event.listen(built, "connect", _prepare_sqlite)
        event.listen(built, "begin", _begin_sqlite)
        return built
    # An error's text goes to the log; the values in a statement are patients'.
    return create_engine(url, pool_pre_ping=True, hide_parameters=True)


def engine() -> Engine:
    """Return the engine in use.

    Raises:
        RuntimeError: `configure` was not called. That is a caller's bug.
    """
    if _engine is None:
        raise RuntimeError("the database is not configured yet")
    return _engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite`, not guessed by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={WAIT}000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("postgresql_readonly", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def transaction() -> Iterator[Session]:
    """Open the one write transaction of this piece of work; commit at the end, roll back on any error.

    Raises:
        Busy: The database can't answer. Nothing was changed.
        Stale: Somebody else saved a row meanwhile that we were about to save. Nothing was changed.
        RuntimeError: Another transaction of this thread is still open.
    """
    writers = _one_writer if engine().dialect.name == "sqlite" else None
    if _inside.get():
        raise RuntimeError("transactions do not nest: the edge opens one, services use it")
    if writers and not writers.acquire(timeout=20):
        raise Busy("the database is busy")
    token = _inside.set(True)
    try:
        with _asking(), Session(engine(), expire_on_commit=False) as session, session.begin():
            yield session
    finally:
        _inside.reset(token)
        if writers:
            writers.release()


@contextmanager
def read() -> Iterator[Session]:
    """Open a session that can only look; the database refuses a write.

    Raises:
        Busy: The database can't answer.
    """
    # One name for both databases: SQLAlchemy knows it for PostgreSQL, `_begin_sqlite` for SQLite.
    with _asking(), engine().connect() as connection:
        looking = connection.execution_options(postgresql_readonly=True)
        with Session(looking, expire_on_commit=False, autoflush=False) as session:
            yield session


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError) as error:  # the last: no connection was free in time
        raise Busy("the database can't answer just now") from error
    except StaleDataError as error:  # the row's version moved on between our reading and our writing it
        raise Stale(_("Somebody else saved this first.")) from error
