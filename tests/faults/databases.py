"""A database of each kind for a measurement: migrated, configured, thrown away afterwards."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.conftest import upgrade
from tests.postgres import Cluster, binaries
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
def makers(settings: tuple[str, ...] | None = None) -> Iterator[list[New]]:
    """Yield what makes databases: SQLite's, and PostgreSQL's where the machine has it."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tracker-faults-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        found = [New("sqlite", folder, None)]
        if binaries():
            cluster = Cluster() if settings is None else Cluster(settings=settings)
            stack.callback(cluster.remove)
            found.append(New("postgres", folder, cluster))
        yield found


def on_each(measured: Callable[[New], dict[str, float]]) -> dict[str, float]:
    """Measure on each kind; each name gets the kind's."""
    with makers() as found:
        return {f"{name}_{new.kind}": float(value) for new in found for name, value in measured(new).items()}


def for_each(**values: float) -> dict[str, float]:
    """Return limits or floors for each kind of database."""
    return {f"{name}_{kind}": float(value) for name, value in values.items() for kind in KINDS}
