"""Booking a series in the browser: wishes, options, one tap."""

import re
from datetime import datetime, timedelta
from html import unescape
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.conftest import NOW
from tracker import clock, db
from tracker.models import Closure, Course, Patient, ProtocolVersion, Visit
from tracker.rules.vocabulary import IntakeStatus


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
    """Return the fields of each option on the page, one put together by hand first."""
    return [hidden(form) for form in re.findall(r'<form class="card option(?: chosen)?".*?</form>', page, re.S)]


def links(page: str, words: str) -> list[str]:
    """Return where the links with a label or text lead."""
    found = re.findall(
        rf'<a [^>]*?href="([^"]*)"[^>]*?(?:aria-label="{words}[^"]*"[^>]*>|>(?:<svg.*?</svg>)?{words})', page
    )
    return [unescape(address) for address in found]


def wished(client, patient, protocol, **more):
    """Return the page for a series from Monday on."""
    query = {"protocol_id": protocol, "first_day": "2026-03-09", "must": "days_off", **more}
    return client.get(f"/patients/{patient}/courses/new", query_string=query)


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


def test_wishes_go_with_the_option_and_stand_in_the_course(desk, house):
    """Never Thursdays, rather Mesa: the options keep them, the booked course remembers them."""
    client, ada, protocol = desk
    mesa = house.resources["Mesa"]
    page = wished(client, ada, protocol, weekdays=["0", "1", "2", "4"], must=["days_off", "weekdays"], room_id=mesa)
    option = options(page.text)[0]
    assert sorted(option["weekdays"]) == ["0", "1", "2", "4"]
    assert "Mesa every visit" in page.text
    assert client.post(f"/patients/{ada}/courses", data=option).status_code == 303
    with db.read() as session:
        kept = session.scalars(select(Course)).one().wishes
    assert (kept["weekdays"], kept["hard"], kept["room_id"]) == ([0, 1, 2, 4], ["days_off", "weekdays"], str(mesa))


def test_one_visit_gets_another_place_without_a_script(desk):
    """Other places for visit 3 are links within the option; the one taken replaces it, and all six are booked."""
    client, ada, protocol = desk
    page = wished(client, ada, protocol).text
    before = options(page)[0]["visit"]
    page = client.get(links(page, "Other places for visit 3")[0]).text
    assert "Your choice" in page
    assert "Option 1" not in page  # it is the choice now, with its reasons
    assert "Option 2" in page
    assert 'class="why' in page.split("Option 2")[0]
    place = re.search(r'class="choice place" href="([^"]*)"', page)[1]
    page = client.get(unescape(place)).text
    mine = options(page)[0]
    assert [one == two for one, two in zip(before, mine["visit"], strict=True)] == [True, True, False, True, True, True]
    assert client.post(f"/patients/{ada}/courses", data=mine).status_code == 303
    with db.read() as session:
        starts = session.scalars(select(Visit.starts_at).order_by(Visit.ordinal)).all()
    assert [f"{one:%Y-%m-%dT%H:%MZ}" for one in starts] == [one.partition("~")[0] for one in mine["visit"]]


def test_when_nothing_fits_each_help_is_a_link_that_plans_with_it(desk):
    """Mondays only: what is in the way stands beside what would help."""
    client, ada, protocol = desk
    page = wished(client, ada, protocol, weekdays="0", must=["days_off", "weekdays"]).text
    assert "One change is enough" in page
    helps = links(page, "Fits")
    assert helps
    for address in helps:
        assert options(client.get(address).text)


def test_what_a_wish_costs_is_a_link_to_the_plan_without_it(desk):
    """Only from one o'clock on: earlier it would begin sooner, or keep one hour."""
    client, ada, protocol = desk
    page = wished(client, ada, protocol, arrive_from="15:00", leave_by="17:15", must=["days_off", "hours"]).text
    for address in links(page, "Plan so"):
        assert "arrive_from" not in address
        assert options(client.get(address).text)


def test_a_retired_series_is_refused_also_from_an_open_form(desk):
    """The page comes back and says so, with the list of those that are booked now."""
    client, ada, protocol = desk
    option = options(wished(client, ada, protocol).text)[0]
    with db.transaction() as session:
        session.get_one(ProtocolVersion, protocol).retired_at = NOW
    answer = client.post(f"/patients/{ada}/courses", data=option)
    assert answer.status_code == 422
    assert "no longer booked in this version" in answer.text
    assert wished(client, ada, protocol).status_code == 422
    with db.read() as session:
        assert session.scalars(select(Course)).all() == []


def test_a_plan_from_yesterday_comes_back_planned_from_today_on(desk, house, browser):
    """The form stood open over night: its first day is past. Nothing is booked, the wishes are kept."""
    client, ada, protocol = desk
    option = options(wished(client, ada, protocol, preferred_time="09:00").text)[0]
    clock.shift(timedelta())
    clock.shift(NOW + timedelta(days=8) - clock.now())
    client = browser(house.coordinator)  # nobody stays signed in for a week
    answer = client.post(f"/patients/{ada}/courses", data=option)
    assert answer.status_code == 422
    assert "its first day is past" in answer.text
    again = options(answer.text)
    assert again
    assert again[0]["first_day"] == ["2026-03-10"]
    assert again[0]["preferred_time"] == ["09:00"]
    assert client.post(f"/patients/{ada}/courses", data=again[0]).status_code == 303


def test_a_room_closed_under_an_open_form_leaves_the_other_five_where_they_are(desk, house):
    """What is no longer free is named, and the option comes back with another place for that visit alone."""
    client, ada, protocol = desk
    option = options(wished(client, ada, protocol).text)[0]
    at, _tilde, room = option["visit"][2].partition("~")
    start = datetime.fromisoformat(at)
    with db.transaction() as session:
        times = {"starts_at": start, "ends_at": start + timedelta(minutes=15)}
        session.add(Closure(clinic_id=house.clinic.id, resource_id=UUID(room), reason="leak", **times))
    answer = client.post(f"/patients/{ada}/courses", data=option)
    assert answer.status_code == 422
    assert re.search(r"Visit 3, Mon, Mar 16, .*: \w+ is closed", answer.text)
    mended = options(answer.text)[0]
    assert mended["visit"][:2] + mended["visit"][3:] == option["visit"][:2] + option["visit"][3:]
    assert mended["visit"][2] != option["visit"][2]
    assert client.post(f"/patients/{ada}/courses", data=mended).status_code == 303


def test_what_was_granted_stays_in_the_form_and_can_be_taken_back(desk):
    """An hour on which the patient comes all the same, and a longer gap: boxes that are ticked, and kept at booking."""
    client, ada, protocol = desk
    granted = {"arrive_from": "13:00", "must": ["days_off", "hours"], "also": "2026-03-09T15:00Z", "longest_gap": "9"}
    page = wished(client, ada, protocol, **granted).text
    assert "Can come on Mon, Mar 9, 9:00 AM all the same" in page
    assert re.search(r'name="also" value="2026-03-09T15:00Z" checked', page)
    assert "a gap of up to 9 days" in page
    assert client.post(f"/patients/{ada}/courses", data=options(page)[0]).status_code == 303
    with db.read() as session:
        kept = session.scalars(select(Course)).one().wishes
    assert (kept["also"], kept["longest_gap"]) == (["2026-03-09T15:00:00Z"], 9)
    assert wished(client, ada, protocol, also="yesterday").status_code == 422


def test_a_public_holiday_and_a_missing_clearance_are_said_before_it_is_booked(desk):
    """Memorial Day is a Monday on which this clinic is open; nobody has cleared Ada yet."""
    client, ada, protocol = desk
    assert "Not cleared by a physician yet" not in wished(client, ada, protocol).text
    with db.transaction() as session:
        session.get_one(Patient, ada).intake_status = IntakeStatus.ENQUIRY
    page = wished(client, ada, protocol, first_day="2026-05-25").text
    assert "Not cleared by a physician yet" in page
    assert "Memorial Day" in page
