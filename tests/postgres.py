"""A throw-away PostgreSQL cluster for one run of the tests, reached through a socket in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

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
