"""The chain finds what was done to it; the database refuses most of it."""

from threading import Thread

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.bedside import make_course
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import Visit
from tracker.services import audit, clinic, followup, patients

KEEPERS = {
    "sqlite": ["DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete"],
    "postgresql": ["ALTER TABLE audit_entry DISABLE TRIGGER USER"],
}


@pytest.fixture
def actor(database):
    """Write five entries; return who wrote them."""
    house = make_clinic()
    for number in range(5):
        with db.transaction() as session:
            audit.record(session, house.coordinator, "read patient", subject=f"patient {number}", now=NOW)
    return house.coordinator


def verdict(actor, **outside):
    """Return what `verify` finds."""
    with db.read() as session:
        return audit.verify(session, actor.clinic_id, **outside)


def tamper(statement):
    """Do what only somebody with the database in hand can do."""
    with db.transaction() as session:
        for keeper in KEEPERS[db.engine().dialect.name]:
            session.execute(text(keeper))
        session.execute(text(statement))


def test_an_untouched_chain_is_whole(actor):
    """Five entries, no fault, also against the head kept outside."""
    found = verdict(actor)
    assert (found.count, found.faults) == (5, ())
    assert verdict(actor, head=found.head, count=5).faults == ()


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry"])
def test_the_database_keeps_what_is_written(actor, statement):
    """Neither an edit nor a deletion gets past the triggers."""
    with pytest.raises(DBAPIError, match="kept as written"), db.transaction() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_entry SET action = 'nothing' WHERE seq = 3", "entry 3 was changed"),
        ("DELETE FROM audit_entry WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM audit_entry WHERE seq = 5", "the chain does not end where its head says"),
        ("UPDATE audit_entry SET subject = 'patient 9' WHERE seq = 1", "entry 1 was changed"),
    ],
)
def test_the_chain_finds_it(actor, statement, fault):
    """Edit and deletion show, wherever they are."""
    tamper(statement)
    assert fault in verdict(actor).faults


def test_a_chain_swapped_as_a_whole_shows_against_the_head_kept_outside(actor):
    """With the table and its head replaced, only the printed hash tells."""
    kept = verdict(actor)
    tamper("DELETE FROM audit_entry")
    with db.transaction() as session:
        session.execute(text(f"UPDATE audit_head SET seq = 0, hash = '{audit.START}'"))
    for number in range(5):
        with db.transaction() as session:
            audit.record(session, actor, "read patient", subject=f"other {number}", now=NOW)
    assert verdict(actor).faults == ()
    assert verdict(actor, head=kept.head, count=kept.count).faults != ()


def _new_number(session, actor, visit_id):
    patients.next_chart_number(session, actor)


def _visit(session, actor, visit_id):
    clinic.get(session, actor, Visit, visit_id, lock=True)


@pytest.mark.parametrize("hold", [_new_number, _visit])
def test_who_holds_the_end_of_the_chain_waits_for_nobody_who_wants_it(database, hold):
    house = make_clinic()
    visit_id = make_course(house)[1][0]
    failed = []

    def look_and_ask():
        try:
            with db.transaction() as session:
                audit.record(session, house.nurse, "read patient", now=NOW)
                visit = clinic.get(session, house.nurse, Visit, visit_id)
                followup.ask(session, visit, followup.Ask("call", "call:1", "nurse", NOW), now=NOW)
        except Exception as error:
            failed.append(error)

    other = Thread(target=look_and_ask)
    with db.transaction() as session:
        hold(session, house.coordinator, visit_id)
        other.start()
        other.join(1)  # on SQLite it waits for us, on PostgreSQL it has no need to
        audit.record(session, house.coordinator, "add patient", now=NOW)
    other.join(20)
    assert failed == []
