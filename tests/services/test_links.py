"""A link opens for whoever holds it, until it expires or is revoked, and for nobody who made it up."""

import base64
from datetime import timedelta
from uuid import uuid4

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import NotFound
from tracker.rules.permissions import Actor
from tracker.services import links

KEY = b"k" * 32


@pytest.fixture
def link(database):
    """Return the link of a booked course."""
    house = make_clinic()
    course = mailroom.series(house, mailroom.patient(house, "Ada"), NOW + timedelta(days=7))
    with db.read() as session:
        return links.find_course_link(session, course)


def opened(token, *, key=KEY, now=NOW):
    """Open a link, return its id."""
    with db.read() as session:
        return links.open_link(session, key, token, now=now).id


def change(link, **values):
    """Change the stored link."""
    with db.transaction() as session:
        for name, value in values.items():
            setattr(session.merge(link), name, value)


def test_the_same_link_can_be_written_again_and_opens(link):
    token = links.make_token(KEY, link.id, link.generation)
    assert token == links.make_token(KEY, link.id, link.generation)
    assert opened(token) == link.id
    assert len(token) == 43


@pytest.mark.parametrize(
    "values", [{"revoked_at": NOW}, {"expires_at": NOW}, {"generation": 2}], ids=["revoked", "expired", "older"]
)
def test_a_link_closes(link, values):
    change(link, **values)
    with pytest.raises(NotFound):
        opened(links.make_token(KEY, link.id, 1))


def test_a_link_taken_back_is_worthless_and_the_next_message_has_another(link):
    actor = Actor(link.clinic_id, None, None, "test")
    with db.transaction() as session:
        links.revoke(session, actor, link.patient_id, link.id, now=NOW)
    with pytest.raises(NotFound):
        opened(links.make_token(KEY, link.id, 1))
    with db.read() as session:
        assert links.find_course_link(session, link.course_id) is None
    [lease] = mailroom.take(now=NOW)
    fresh = mailroom.look(lease, now=NOW).link
    assert (fresh.id != link.id, fresh.expires_at) == (True, link.expires_at)
    assert opened(links.make_token(KEY, fresh.id, 1)) == fresh.id


def test_another_key_makes_another_token(link):
    with pytest.raises(NotFound):
        opened(links.make_token(b"x" * 32, link.id, 1))


def test_every_changed_character_closes_it(link):
    token = links.make_token(KEY, link.id, 1)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(NotFound):
            opened(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("token", ["", "a", "ß" * 43, "A" * 43, "=" * 43, "A" * 5000, "a/b" * 14 + "a", "\0" * 43])
def test_what_nobody_made_opens_nothing(link, token):
    with pytest.raises(NotFound):
        opened(token)


def test_the_right_seal_on_another_link_opens_nothing(link):
    seal = base64.urlsafe_b64decode(links.make_token(KEY, link.id, 1) + "=")[16:]
    forged = base64.urlsafe_b64encode(uuid4().bytes + seal).decode().rstrip("=")
    with pytest.raises(NotFound):
        opened(forged)


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        links.make_token(b"short", uuid4(), 1)
