"""A visit moved on the board: which places there are, why another is none, and the board that comes back."""

from datetime import timedelta

import pytest

from tests.factories import make_clinic
from tests.web.test_moves import TOMORROW, book, now_at, there
from tracker import db
from tracker.models import Visit
from tracker.rules.vocabulary import VisitStatus

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def visit(house):
    """Return a visit tomorrow at nine in Sage."""
    return book(house, "Linh Tran")


@pytest.fixture
def client(house, browser):
    """Return the coordinator's browser."""
    return browser(house.coordinator)


def put(client, visit, place, version=None, day=TOMORROW):
    """Drop the visit there."""
    sent = {"place": place, "version": str(version or visit.version)}
    return client.post(f"/visits/{visit.id}/place?day={day}", data=sent, headers=PARTIAL)


def test_the_board_carries_what_a_move_needs(client, visit):
    text = client.get(f"/day/{TOMORROW}").get_data(as_text=True)

    assert f'data-move="/visits/{visit.id}/move"' in text
    assert f'data-query="day={TOMORROW}"' in text
    assert "move.js" in text


def test_places_by_room_as_a_form_spells_them(house, client, visit):
    """Where Ben is, there is none."""
    book(house, "Ben", at="13:00")

    rooms = client.get(f"/visits/{visit.id}/places?day={TOMORROW}").get_json()["rooms"]

    sage, mesa = (rooms[str(house.resources[room])] for room in ("Sage", "Mesa"))
    assert sage["480"] == "2026-03-03T15:00Z"
    assert "780" in mesa
    assert "780" not in sage


def test_a_place_says_why_it_is_none(house, client, visit):
    book(house, "Ben", at="13:00")
    spot = {"day": TOMORROW.isoformat(), "minute": "780", "room": str(house.resources["Sage"])}

    taken = client.get(f"/visits/{visit.id}/place", query_string=spot).get_json()
    free = client.get(f"/visits/{visit.id}/place", query_string=spot | {"minute": "540"}).get_json()

    assert "Sage" in taken["why"]
    assert taken["when"] == "1:00 PM"
    assert free["why"] == ""


def test_a_drop_moves_and_returns_the_board(house, client, visit):
    answer = put(client, visit, there(house, 11, room="Mesa"))

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "<html" not in text
    assert "Moved to Tue, Mar 3, 11:00 AM" in text
    row, claimed = now_at(visit)
    assert row.starts_at == claimed == visit.starts_at + timedelta(hours=2)
    assert row.room_id == house.resources["Mesa"]


def test_a_stale_board_is_answered_with_the_fresh_one(house, client, visit):
    """Somebody else was quicker: 409, where it is now, and nothing moved."""
    assert put(client, visit, there(house, 11)).status_code == 200

    answer = put(client, visit, there(house, 13))

    text = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Somebody changed this visit" in text
    assert "11:00 AM–1:30 PM" in text
    assert now_at(visit)[0].starts_at == visit.starts_at + timedelta(hours=2)


def test_a_place_that_was_taken_meanwhile_is_refused_with_the_fresh_board(house, client, visit):
    book(house, "Ben", at="13:00")

    answer = put(client, visit, there(house, 13))

    assert answer.status_code == 422
    assert "Ben" in answer.get_data(as_text=True)
    assert now_at(visit)[0].starts_at == visit.starts_at


@pytest.mark.parametrize("sent", [{}, {"place": "somewhere", "version": "1"}, {"place": "x~y", "version": "one"}])
def test_what_is_no_place_moves_nothing(client, visit, sent):
    answer = client.post(f"/visits/{visit.id}/place?day={TOMORROW}", data=sent, headers=PARTIAL)

    assert answer.status_code == 422
    assert now_at(visit)[0].starts_at == visit.starts_at


def test_what_has_begun_has_no_places(house, client, visit):
    with db.transaction() as session:
        session.get_one(Visit, visit.id).status = VisitStatus.ARRIVED

    assert client.get(f"/visits/{visit.id}/places?day={TOMORROW}").get_json() == {"rooms": {}}
    spot = {"day": TOMORROW.isoformat(), "minute": "540", "room": str(house.resources["Sage"])}
    assert "stays where it is" in client.get(f"/visits/{visit.id}/place", query_string=spot).get_json()["why"]


@pytest.mark.parametrize("query", ["", "day=tomorrow", "day=2026-02-30"])
def test_a_day_that_is_none_has_no_places(client, visit, query):
    assert client.get(f"/visits/{visit.id}/places?{query}").status_code == 422


def test_another_clinics_visit_is_not_there(browser, visit):
    stranger = browser(make_clinic().coordinator)

    assert stranger.get(f"/visits/{visit.id}/places?day={TOMORROW}").status_code == 404
    assert put(stranger, visit, "2026-03-03T18:00Z~00000000-0000-0000-0000-000000000007").status_code == 404
