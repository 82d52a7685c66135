"""A note is written from what is known, signed once, and then the database keeps it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests import bedside as chair
from tests.bedside import do, make_course, minutes
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import NotFound, Refused, Stale
from tracker.rules.vocabulary import Severity, SignMeaning
from tracker.services import notes, observations, visit_record
from tracker.services.notes import WriteAddendum, WriteNote
from tracker.services.observations import ReportEffect


@pytest.fixture
def house(database):
    return make_clinic()


@pytest.fixture
def visit_id(house):
    return make_course(house)[1][0]


def test_it_says_what_is_known_so_that_nobody_types_a_number_twice(house, visit_id):
    chair.infuse(house, visit_id)
    effect = ReportEffect(term="dissociation", severity=Severity.MILD)
    do(house.nurse, observations.report_effect, visit_id, effect, NOW + minutes(100))
    with db.read() as session:
        said = notes.written(visit_record.load(session, house.nurse, visit_id, now=NOW), NOW)
    assert said.splitlines() == [
        "Infusion 1 of 6.",
        "Weight 80 kg; 40 mg drawn up (10 mg/mL, 4 mL), over 40 min.",
        "Checked by K. Mori.",
        "Started 9:02 AM.",
        "Ended 9:42 AM; 40 mg given.",
        "Before: 128/78, pulse 72, SpO₂ 98 %.",
        "Peak: 128/78 at 10:40 AM.",
        "Lowest SpO₂: 98 %.",
        "Dissociation, mild, from 10:40 AM.",
    ]


def save(actor, visit_id, body, version=0, service=notes.save):
    return do(actor, service, visit_id, WriteNote(body=body, version=version), NOW)


def test_a_stale_draft_is_told_so(house, visit_id):
    first = save(house.nurse, visit_id, "One")
    save(house.physician, visit_id, "Two", first.version)
    with pytest.raises(Stale):
        save(house.nurse, visit_id, "Three", first.version)


def test_who_signs_anothers_text_has_reviewed_it(house, visit_id):
    draft = save(house.nurse, visit_id, "Calm")
    signed = save(house.physician, visit_id, "Calm", draft.version, notes.sign)
    assert (signed.meaning, signed.signed_by) == (SignMeaning.REVIEWED, house.physician.user_id)


def test_a_signed_note_is_locked_by_the_database(house, visit_id):
    save(house.nurse, visit_id, "Calm", service=notes.sign)
    with pytest.raises(Refused, match="addendum"):
        save(house.nurse, visit_id, "Changed")
    for statement in ("UPDATE note SET body = 'x'", "DELETE FROM note"):
        with pytest.raises(DBAPIError, match="kept as written"), db.transaction() as session:
            session.execute(text(statement))


def test_a_correction_is_an_addendum_beside_the_original(house, visit_id):
    draft = save(house.nurse, visit_id, "Calm")
    with pytest.raises(Refused, match="isn't signed"):
        do(house.nurse, notes.add, draft.id, WriteAddendum(body="Not so calm"), NOW)
    signed = save(house.nurse, visit_id, "Calm", draft.version, notes.sign)
    do(house.nurse, notes.add, signed.id, WriteAddendum(body="Not so calm"), NOW + minutes(5))
    with db.read() as session:
        assert [addendum.body for addendum in notes.addenda(session, signed.id)] == ["Not so calm"]
    with pytest.raises(NotFound):
        do(make_clinic().nurse, notes.add, signed.id, WriteAddendum(body="x"), NOW)


def test_a_coordinator_writes_no_note(house, visit_id):
    with pytest.raises(Refused):
        save(house.coordinator, visit_id, "Calm")
