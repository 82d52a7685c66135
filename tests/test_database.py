"""The two ways to the database, and what each refuses."""

import contextlib
import time
from datetime import datetime
from uuid import RFC_4122

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError, TimeoutError

from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import Busy, Stale
from tracker.models import Clinic, Patient, new_id


def cottonwood() -> Clinic:
    """Return a clinic that isn't stored yet."""
    return Clinic(
        name="Cottonwood Clinic",
        discreet_name="Cottonwood",
        zone_name="America/Denver",
        country="US",
        phone="+15055550100",
        address="14 Mill Lane",
        created_at=NOW,
    )


def test_what_is_committed_is_read_back_with_aware_instants(database):
    """An instant comes back as it went in, in UTC."""
    with db.transaction() as session:
        session.add(cottonwood())
    with db.read() as session:
        assert session.scalars(select(Clinic)).one().created_at == NOW


def test_an_error_undoes_everything(database):
    """Leaving by an exception keeps nothing."""
    with contextlib.suppress(ZeroDivisionError), db.transaction() as session:
        session.add(cottonwood())
        session.flush()
        raise ZeroDivisionError
    with db.read() as session:
        assert session.scalars(select(Clinic)).first() is None


def test_reading_can_not_write(database):
    """The database itself refuses a write under `read()`."""
    with pytest.raises(Exception, match=r"read-?only|can't answer"), db.read() as session:
        session.add(cottonwood())
        session.flush()
    with db.transaction() as session:  # and the connection can write again afterwards
        session.add(cottonwood())


@pytest.mark.parametrize("way", [db.read, db.transaction])
def test_when_no_connection_is_free_in_time_the_database_is_busy(database, way, monkeypatch):
    monkeypatch.setattr(db.engine().pool, "_timeout", 0.01)
    with contextlib.ExitStack() as others:
        with contextlib.suppress(TimeoutError):
            while True:
                others.enter_context(db.engine().connect())
        with pytest.raises(Busy), way() as session:
            session.execute(select(1))


def test_transactions_do_not_nest(database):
    """A second one inside the first is a bug, and is told so."""
    with pytest.raises(RuntimeError, match="nest"), db.transaction(), db.transaction():
        pass


def test_a_naive_instant_is_refused(database):
    """Nobody stores a time without its zone."""
    clinic = cottonwood()
    clinic.created_at = datetime(2026, 3, 2, 9)
    with pytest.raises(StatementError, match="naive"), db.transaction() as session:
        session.add(clinic)


def test_a_database_that_is_gone_is_busy(tmp_path):
    """What the web answers with 503 has a type."""
    db.configure(f"sqlite:///{tmp_path}/no/such/folder/tracker.db")
    with pytest.raises(Busy), db.read() as session:
        session.execute(text("SELECT 1"))


def test_a_row_that_somebody_else_saved_first_is_stale(database):
    """The second writer of the same version is told so, and nothing of theirs is kept."""
    house = make_clinic()
    ada = house.patient("Ada")
    with pytest.raises(Stale), db.transaction() as session:
        patient = session.get_one(Patient, ada)
        with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            if other.dialect.name == "sqlite":  # there a second writer waits; say what it would have done
                session.execute(text("UPDATE patient SET version = version + 1"))
            else:
                other.execute(text("UPDATE patient SET version = version + 1"))
        patient.given_name = "Adele"
    with db.read() as session:
        assert session.get_one(Patient, ada).given_name == "Ada"


def test_ids_are_of_version_7_and_sort_by_time():
    ids = []
    for _ in range(50):
        ids.append(new_id())
        time.sleep(0.00001)  # longer than the clock's step

    assert ids == sorted(ids)
    assert len(set(ids)) == 50
    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}
    assert 0 <= time.time_ns() // 1_000_000 - (ids[0].int >> 80) < 60_000
