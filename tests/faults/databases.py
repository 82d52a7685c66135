"""A database of each kind for a measurement: migrated, configured, thrown away afterwards."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.conftest import upgrade
from tests.fresh import FRESH
from tests.postgres import QUICK, Cluster, binaries
from tracker import db

KINDS = ("sqlite", "postgres")
_numbers = itertools.count()


class New:
    """Makes databases of one kind."""

    def __init__(self, kind: str, folder: Path, cluster: Cluster | None) -> None:
        self.kind, self.folder, self.cluster = kind, folder, cluster
        self._template = ""

    def __call__(self) -> str:
        """Return the address of a fresh one, which is configured from now on."""
        url = self._made(f"n{next(_numbers)}")
        db.configure(url)
        return url

    def _made(self, name: str) -> str:
        if self.cluster is None:
            return self._copied(name)
        first, template = not self._template, self._template or "template0"
        with create_engine(self.cluster.url("postgres"), isolation_level="AUTOCOMMIT").connect() as connection:
            if first:
                self._template = "migrated"
                connection.execute(text("CREATE DATABASE migrated"))
                upgrade(self.cluster.url("migrated"))
                template = "migrated"
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return self.cluster.url(name)

    def _copied(self, name: str) -> str:
        template = self.folder / "template.db"
        if not template.exists():
            upgrade(f"sqlite:///{template}")
        (self.folder / name).mkdir()
        shutil.copy(template, self.folder / name / "tracker.db")
        return f"sqlite:///{self.folder}/{name}/tracker.db"


@contextmanager
def maker(kind: str, settings: tuple[str, ...] = QUICK) -> Iterator[New]:
    """Yield what makes databases of a kind; `settings` are for PostgreSQL."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tracker-faults-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        cluster = Cluster(settings=settings) if kind == "postgres" else None
        if cluster:
            stack.callback(cluster.remove)
        yield New(kind, folder, cluster)


def on_each(measured: Callable[[New], dict[str, float]]) -> dict[str, float]:
    """Measure on SQLite, and side by side on PostgreSQL where the machine has it; each name gets the kind's."""
    running = [(kind, *_begun(measured, kind)) for kind in (KINDS if binaries() else KINDS[:1])]
    numbers: dict[str, float] = {}
    failed = []
    for kind, process, answer in running:
        try:
            numbers |= {f"{name}_{kind}": float(value) for name, value in answer.recv().items()}
        except EOFError:  # it has said why
            failed.append(kind)
        process.join()
    assert not failed, failed
    return numbers


def _begun(measured: Callable[[New], dict[str, float]], kind: str) -> tuple[Any, Any]:
    answer, say = FRESH.Pipe(duplex=False)
    process = FRESH.Process(target=_measure, args=(measured, kind, say))  # no daemon: it has processes of its own
    process.start()
    say.close()
    return process, answer


def _measure(measured: Callable[[New], dict[str, float]], kind: str, say: Any) -> None:
    with maker(kind) as new:
        say.send(measured(new))


def for_each(**values: float) -> dict[str, float]:
    """Return limits or floors for each kind of database."""
    return {f"{name}_{kind}": float(value) for name, value in values.items() for kind in KINDS}
