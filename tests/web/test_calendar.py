"""The calendar as pages: what they show, where their links lead, and what they refuse."""

import re

import pytest

from tests.factories import make_clinic
from tests.services.test_diary import a_visit
from tests.web.test_today import audited

VIEWS = ("week", "month", "staff", "list")


@pytest.fixture
def client(house, browser):
    """Return the coordinator's browser."""
    return browser(house.coordinator)


def test_the_calendar_begins_with_this_week(client):
    assert client.get("/calendar").location == "/calendar/week/2026-03-02"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("day", ["2026-13-01", "today", "20260302", "2026-3-2", "0001-01-01", "2026-02-30"])
def test_a_day_that_is_none_is_not_there(client, view, day):
    assert client.get(f"/calendar/{view}/{day}").status_code == 404


@pytest.mark.parametrize(
    ("view", "before", "after"),
    [
        ("week", "2026-02-23", "2026-03-09"),
        ("list", "2026-02-23", "2026-03-09"),
        ("month", "2026-02-01", "2026-04-01"),
        ("staff", "2026-03-01", "2026-03-03"),
    ],
)
def test_every_view_leads_on_back_and_to_the_others(house, client, view, before, after):
    """With what it is narrowed to; and every look is in the audit."""
    room = house.resources["Sage"]
    text = client.get(f"/calendar/{view}/2026-03-02?room={room}").get_data(as_text=True)

    links = set(re.findall(r'href="([^"]*)"', text))
    assert {f"/calendar/{view}/{day}?room={room}" for day in (before, after)} <= links
    assert {f"/calendar/{other}/2026-03-02?room={room}" for other in VIEWS} <= links
    assert f"/day/2026-03-02?room={room}" in links
    assert "Only Sage" in text
    assert audited(f"read {view}") == 1


@pytest.mark.parametrize("view", ["week", "staff", "list"])
def test_a_visit_is_found_in_every_view_that_names_people(house, client, view):
    visit = a_visit(house, "Linh Tran", starts=60)

    text = client.get(f"/calendar/{view}/2026-03-02").get_data(as_text=True)

    assert "Tran, Linh" in text
    assert f"/visits/{visit.id}" in text


def test_the_day_narrows_too_and_its_poll_with_it(house, client):
    a_visit(house, "Ada Sage", starts=60)
    a_visit(house, "Ben Mesa", starts=60, room="Mesa")
    room = house.resources["Mesa"]

    text = client.get(f"/?room={room}").get_data(as_text=True)

    assert "Mesa, Ben" in text
    assert "Sage, Ada" not in text
    assert f'hx-get="/board?room={room}"' in text


@pytest.mark.parametrize(
    "query", ["room=1", "room=00000000-0000-0000-0000-000000000007", "protocol=none", "clinician=x"]
)
@pytest.mark.parametrize("path", ["/", "/calendar/week/2026-03-02"])
def test_nothing_is_narrowed_to_what_is_not_there(client, path, query):
    assert client.get(f"{path}?{query}").status_code == 404


def test_another_clinics_room_is_not_there(house, client):
    other = make_clinic().resources["Sage"]

    assert client.get(f"/calendar/week/2026-03-02?room={other}").status_code == 404


def test_a_free_place_of_the_week_begins_a_booking(client):
    text = client.get("/calendar/week/2026-03-02").get_data(as_text=True)

    assert "/courses/new?first_day=2026-03-03&amp;preferred_time=08:00" in text


def test_a_list_is_sorted_by_its_heads(house, client):
    """By patient up, and down when asked again; an order that is none is not there."""
    a_visit(house, "Ada Zeta", starts=60)
    a_visit(house, "Ben Alpha", starts=120, room="Mesa")
    path = "/calendar/list/2026-03-02"

    up, down = (client.get(f"{path}?sort=patient{more}").get_data(as_text=True) for more in ("", "&down=yes"))

    assert up.index("Alpha, Ben") < up.index("Zeta, Ada")
    assert down.index("Alpha, Ben") > down.index("Zeta, Ada")
    assert 'aria-sort="ascending"' in up
    assert "sort=patient&amp;down=yes" in up
    assert client.get(f"{path}?sort=weight").status_code == 404
