"""Booking a series in the browser: wishes, options, one tap."""

import re

import pytest
from sqlalchemy import select

from tracker import db
from tracker.models import Course, ProtocolVersion, Visit


@pytest.fixture
def desk(house, browser):
    """Return a coordinator's browser, the patient Ada, and the protocol B."""
    ada = house.patient("Ada Lovelace")
    with db.read() as session:
        query = select(ProtocolVersion.id).where(
            ProtocolVersion.code == "B", ProtocolVersion.clinic_id == house.clinic.id
        )
        protocol = session.scalars(query).one()
    return browser(house.coordinator), ada, protocol


def hidden(form: str) -> dict[str, list[str]]:
    """Return the hidden fields of a form."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="([a-z_]+)" value="([^"]*)"', form):
        fields.setdefault(name, []).append(value)
    return fields


def options(page: str) -> list[dict[str, list[str]]]:
    """Return the fields of each option on the page."""
    return [hidden(form) for form in re.findall(r'<form class="card option".*?</form>', page, re.S)]


def test_from_wishes_to_six_visits(desk):
    """The form shows up to three options; one tap books all six."""
    client, ada, protocol = desk
    page = client.get(f"/patients/{ada}/courses/new?protocol_id={protocol}&first_day=2026-03-09&preferred_time=09:00")
    assert page.status_code == 200
    found = options(page.text)
    assert 1 <= len(found) <= 3
    assert len(found[0]["visit"]) == 6

    answer = client.post(f"/patients/{ada}/courses", data=found[0])
    assert (answer.status_code, answer.location) == (303, f"/patients/{ada}")
    with db.read() as session:
        assert len(session.scalars(select(Visit)).all()) == 6


def test_the_form_sent_twice_books_once(desk):
    """A double click leads to the same page."""
    client, ada, protocol = desk
    page = client.get(f"/patients/{ada}/courses/new?protocol_id={protocol}&first_day=2026-03-09")
    first, second = (client.post(f"/patients/{ada}/courses", data=options(page.text)[0]) for _ in range(2))
    assert first.location == second.location
    with db.read() as session:
        assert len(session.scalars(select(Course)).all()) == 1


def test_taken_meanwhile_shows_what_and_the_next_best(desk, house):
    """Ben's page is older than Ada's booking: he is told what was taken and offered what is free now."""
    client, ada, protocol = desk
    ben = house.patient("Ben Birch")
    query = f"protocol_id={protocol}&first_day=2026-03-09"
    for_ada = options(client.get(f"/patients/{ada}/courses/new?{query}").text)[0]
    for_ben = options(client.get(f"/patients/{ben}/courses/new?{query}").text)[0]
    client.post(f"/patients/{ada}/courses", data=for_ada)

    answer = client.post(f"/patients/{ben}/courses", data=for_ben)
    assert answer.status_code == 422
    assert re.search(r"Visit 1, Mon, Mar 9, .*: \w+ is taken", answer.text)
    again = options(answer.text)
    assert again
    assert again[0]["visit"] != for_ben["visit"]
    assert client.post(f"/patients/{ben}/courses", data=again[0]).status_code == 303


def test_a_day_past_is_refused_beside_its_field(desk):
    """What was typed stays."""
    client, ada, protocol = desk
    page = client.get(f"/patients/{ada}/courses/new?protocol_id={protocol}&first_day=2026-02-01")
    assert page.status_code == 422
    assert "This day is past" in page.text
    assert 'value="2026-02-01"' in page.text


def test_a_nurse_may_book_and_an_auditor_may_not(desk, house, browser):
    """Deny by default."""
    _client, ada, _protocol = desk
    assert browser(house.nurse).get(f"/patients/{ada}/courses/new").status_code == 200
    assert browser().get(f"/patients/{ada}/courses/new").status_code == 303


def test_a_free_place_on_the_board_goes_along_to_the_form(desk):
    """For whom, then the form with that day and hour in it."""
    client, ada, _protocol = desk
    page = client.get("/courses/new?first_day=2026-03-10&preferred_time=13:30&q=love")
    address = f"/patients/{ada}/courses/new?first_day=2026-03-10&amp;preferred_time=13:30"
    assert address in page.text
    form = client.get(address.replace("&amp;", "&"))
    assert form.status_code == 200
    assert 'value="2026-03-10"' in form.text
    assert 'value="13:30"' in form.text
    assert client.get("/courses/new?first_day=2026-99-10").status_code == 422
