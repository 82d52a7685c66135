"""What all tests share: a fresh database of either kind, already migrated."""

import gc
import itertools
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text

from tests.postgres import Cluster, Reused, binaries
from tracker import db
from tracker.paths import shipped

# A runner that ignores a closed terminal (nohup) would hand that on to every process tested here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

KINDS = ("sqlite", "postgresql")
NOW = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # a Monday, 9:00 in Denver


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` to `revision`."""
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    engine = db.build_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def pytest_collection_modifyitems(items) -> None:
    """Begin, on every worker, with what takes long: at the end it would keep one busy and the others waiting.

    The list is handed out in as many pieces as there are workers (xdist's `worksteal`).
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    workers, count, items[:] = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), len(items), []
    for n in range(workers):
        mine = slow[n::workers]
        quick = max((count - len(items)) // (workers - n) - len(mine), 0)
        items += [*mine, *rest[:quick]]
        del rest[:quick]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all that was imported, and come less often: its rounds took a share of it."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_configure_node(node) -> None:
    """Give every worker of a parallel run the one cluster (xdist calls this)."""
    if binaries() and not hasattr(node.config, "_cluster"):
        node.config._cluster = Cluster()
    cluster = getattr(node.config, "_cluster", None)
    node.workerinput["postgres"] = str(cluster.folder) if cluster else ""


def pytest_unconfigure(config) -> None:
    """Leave no cluster behind."""
    if hasattr(config, "_cluster"):
        config._cluster.remove()


@pytest.fixture(scope="session")
def postgres(request) -> str:
    """Return the folder of the run's cluster, whose socket lies in it."""
    shared = getattr(request.config, "workerinput", {}).get("postgres")
    if shared:
        return shared
    if not binaries():
        missing("PostgreSQL (Debian: apt-get install postgresql)")
    if not hasattr(request.config, "_cluster"):
        request.config._cluster = Cluster()
    return str(request.config._cluster.folder)


def missing(what: str) -> None:
    """Skip a test for want of `what`; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI may skip nothing")
    pytest.skip(f"needs {what}")


def pytest_terminal_summary(terminalreporter) -> None:
    """Say at the end, one line each, what could not be run here and how to get it."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"Not run here: {count} tests; {reason.removeprefix('Skipped: ')}")


def pytest_sessionfinish(session, exitstatus) -> None:
    """Let nothing be skipped in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == 0 and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_numbers = itertools.count()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tracker.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres_template(postgres, worker_name) -> str:
    name = f"template_{worker_name}"
    with _maintenance(postgres).connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    upgrade(postgres_url(postgres, name))
    return name


@pytest.fixture(scope="session")
def worker_name(request) -> str:
    """Return this worker's name in a parallel run, "main" otherwise."""
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


def postgres_url(folder: str, database: str) -> str:
    """Return the address of a database in the cluster at `folder`."""
    return f"postgresql+psycopg://tracker@/{database}?host={folder}"


def _maintenance(folder: str):
    return create_engine(postgres_url(folder, "postgres"), isolation_level="AUTOCOMMIT")


@pytest.fixture
def sqlite_url(_sqlite_template, tmp_path) -> str:
    """Return the address of a fresh, migrated SQLite database."""
    shutil.copy(_sqlite_template, tmp_path / "tracker.db")
    return f"sqlite:///{tmp_path}/tracker.db"


@pytest.fixture
def _sqlite_emptied(_sqlite_template) -> str:
    """Return the one address at which a fresh, migrated SQLite database lies for each test."""
    return f"sqlite:///{lay(_sqlite_template, _sqlite_template.with_name('used.db'))}"


def lay(template: Path, target: Path) -> Path:
    """Put a copy of the SQLite file `template` at `target`; whoever still has the one before open keeps that."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    shutil.copy(template, target)
    return target


@pytest.fixture
def postgres_url_fresh(postgres, _postgres_template, worker_name) -> Iterator[str]:
    """Return the address of a fresh, migrated PostgreSQL database."""
    name = f"t_{worker_name}_{next(_numbers)}"
    engine = _maintenance(postgres)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {_postgres_template}"))
    yield postgres_url(postgres, name)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def _postgres_reused(postgres, _postgres_template, worker_name) -> Iterator[Reused]:
    engine = _maintenance(postgres)
    yield Reused(engine, _postgres_template, f"used_{worker_name}")
    engine.dispose()


@pytest.fixture
def postgres_url_emptied(postgres, _postgres_reused) -> str:
    """Return the address of a migrated PostgreSQL database with nothing in it."""
    return postgres_url(postgres, _postgres_reused.emptied())


_engines: dict[str, Engine] = {}


def use(url: str) -> Engine:
    """Configure the database at `url`. An address that comes again finds its engine, and the SQL compiled for it."""
    if url in _engines:
        db.engine().dispose()
        db._engine = _engines[url]
    else:
        _engines[url] = db.configure(url)
    return _engines[url]


@pytest.fixture(params=KINDS)
def database(request) -> Iterator[str]:
    """Configure a fresh, migrated database of each kind in turn; return its address."""
    url = request.getfixturevalue("_sqlite_emptied" if request.param == "sqlite" else "postgres_url_emptied")
    engine = use(url)
    yield url
    engine.dispose()


@pytest.fixture
def now() -> datetime:
    """Return the instant that the tests call now."""
    return NOW
