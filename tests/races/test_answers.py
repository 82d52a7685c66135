"""A text and a desk at once: neither waits for the other in a circle, and a text that comes twice is done once."""

import itertools

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.races.test_at_once import at_once
from tests.services.diary import Diary
from tracker import db
from tracker.models import AuditEntry, ContactPoint, Task
from tracker.rules.vocabulary import ContactChannel
from tracker.services import answers, places

NUMBER = "+15055550142"
ROUNDS = 12
_numbers = itertools.count()


@pytest.fixture
def diary(database) -> Diary:
    """Return the diary of a clinic in which Ada has her series, and texts."""
    diary = Diary()
    diary.book("Ada")
    with db.transaction() as session:
        point = mailroom.address(diary.house, diary.patient("Ada"), NUMBER)
        point.channel = ContactChannel.SMS
        session.add(point)
    return diary


def writing(body: str):
    """Return what a provider's request does with one text."""
    with db.transaction() as session:
        event = answers.keep(session, "twilio", f"SM{next(_numbers)}", {"From": NUMBER, "Body": body}, now=NOW)

    def write() -> None:
        with db.transaction() as session:
            answers.text(session, event, now=NOW)

    return write


@pytest.mark.parametrize("body", ["STOP", "R", "I can't come", "What about parking?"])
def test_a_text_and_a_move_of_the_same_visit_both_end(diary, body):
    """On PostgreSQL a circle of locks would throw one of them out; nothing but an answer may."""
    first = diary.visits("Ada")[0]
    places_of = [places.as_place(diary.move_options(first)[-1].visit), places.Place(first.starts_at, first.room_id)]
    moved = 0
    for number in range(ROUNDS):
        visit, there = diary.visits("Ada")[0], places_of[number % 2]
        ends = at_once(writing(body), lambda visit=visit, there=there: diary.move(visit, there))
        assert ends[0] == "done"
        assert "lost" not in ends
        moved += ends[1] == "done"
    assert moved >= ROUNDS / 2, "nothing was moved at the same time"


def test_a_text_that_comes_twice_at_once_is_done_once(diary):
    for round_ in range(1, ROUNDS + 1):
        write = writing("Hello?")
        assert at_once(write, write, write) == ["done"] * 3
        with db.read() as session:
            assert len(session.scalars(select(Task).where(Task.kind == "patient_text")).all()) == round_
    with db.read() as session:
        said = session.scalars(select(AuditEntry).where(AuditEntry.action == "patient: text")).all()
        assert len(said) == ROUNDS
        assert session.scalars(select(ContactPoint)).one().opted_out_at is None
