"""The web process: granian in front of the Flask application, two workers of four threads each."""

import logging
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config, load
from tracker.supervisor import GRACE, stop_with_parent

if TYPE_CHECKING:
    from flask import Flask

WORKERS = 2
THREADS = 4  # a worker's; SQLite has one writer at a time anyway
HEADER_TIMEOUT = 10_000  # milliseconds for a client to send its headers


_made: "Flask | None" = None


def serve(config: Config) -> None:
    """Answer requests until SIGTERM or SIGINT; what is in flight is still answered.

    Raises:
        RuntimeError: The application can't be put together.
    """
    global _made
    # Made before the workers are forked: they share its memory, and a mistake in it is told once.
    _made = create_app(config)
    db.engine().dispose()  # a connection must not be shared with a forked worker
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
    server = Server(
        "tracker.app:create_app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        workers=WORKERS,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        workers_kill_timeout=int(GRACE) - 2,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        log_level=LogLevels.warning,
        websockets=False,
    )
    server.serve(target_loader=_application, wrap_loader=False)


def _application() -> "Flask":
    """Return the application in a worker, with an engine and a clock of its own."""
    stop_with_parent(os.getppid())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    config = load()
    db.configure(config.database)
    clock.shift(config.offset)
    return _made or create_app(config)
