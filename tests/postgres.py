"""A throw-away PostgreSQL cluster for one run of the tests, reached through a socket in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

# What a crash would lose is thrown away anyway; a test about durability starts a cluster with fsync on.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def binaries() -> Path | None:
    """Return the folder with initdb and pg_ctl, or None where PostgreSQL isn't installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists()), None)


class Cluster:
    """A running cluster; `url(name)` is a database in it."""

    def __init__(self, *, settings: tuple[str, ...] = QUICK) -> None:
        where = binaries()
        if where is None:
            raise RuntimeError("PostgreSQL is not installed")
        self._bin = where
        self.folder = Path(tempfile.mkdtemp(prefix="tracker-pg-"))
        self.folder.chmod(0o755)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "tracker", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=200 -c shared_buffers=64MB "
        self._options = options + " ".join(f"-c {setting}" for setting in settings)
        self.start()

    def start(self) -> None:
        """Start, or start again, and wait until it answers."""
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-o", self._options, "-l", log, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `mode` is pg_ctl's smart, fast or immediate."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", mode, "-w", "stop")

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return the address of `database` for SQLAlchemy."""
        return f"postgresql+psycopg://tracker@/{database}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # A server that inherits our pipes would keep them open; it gets /dev/null instead.
        subprocess.run(
            command, check=True, timeout=60, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )


# Every table, constraint and trigger by its number, and whether the trigger is on.
_SHAPE = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
    SELECT oid::text || relname AS part FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT oid::text || conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT oid::text || tgenabled::text FROM pg_trigger
) AS parts
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


class Reused:
    """One database for test after test: emptied in between, which takes a tenth of the time that making one takes.

    A test that changed its tables, or left somebody connected to them, costs the next one a new database.
    """

    def __init__(self, maintenance: Engine, template: str, name: str) -> None:
        self._maintenance, self._template, self._name = maintenance, template, name
        self._shape = self._filled = ""

    def emptied(self) -> str:
        """Return the name of the database, with this version's tables and nothing in them."""
        if not self._shape or not self._empty():
            self._make()
        return self._name

    def _empty(self) -> bool:
        engine = self._engine()
        try:
            with engine.begin() as connection:
                if connection.scalar(text(_SHAPE)) != self._shape:
                    return False
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                # Most tables are empty, and a TRUNCATE of all takes five times as long as this. Triggers are off for
                # it: what is kept as written goes too, and nobody asks who points where.
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                for table in connection.scalars(text(self._filled)).all():
                    connection.execute(text(f"DELETE FROM {table}"))
                return True
        except OperationalError:
            return False
        finally:
            engine.dispose()

    def _make(self) -> None:
        with self._maintenance.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {self._name} TEMPLATE {self._template}"))
        engine = self._engine()
        with engine.connect() as connection:
            self._shape = connection.scalar(text(_SHAPE))
            tables = connection.scalars(text(_TABLES)).all()
            self._filled = " UNION ALL ".join(f"SELECT '{one}' WHERE EXISTS (SELECT FROM {one})" for one in tables)
        engine.dispose()

    def _engine(self) -> Engine:
        return create_engine(self._maintenance.url.set(database=self._name))
