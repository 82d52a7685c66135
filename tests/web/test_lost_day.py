"""A lost day through its pages: the search, the proposal, making it so; closing a day and calling who isn't reached."""

import re
from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import func, select

from tests.conftest import NOW
from tests.web.test_moves import DENVER, TOMORROW, book
from tests.web.test_portal import Guest
from tracker import clock, db, jobs
from tracker.models import Closure, Reminder, Task, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import ReminderStatus, TaskStatus
from tracker.services import closing


@pytest.fixture
def client(house, browser):
    """Return the coordinator's browser."""
    return browser(house.coordinator)


@pytest.fixture
def visits(house):
    """Return two visits tomorrow, whose patients know of them."""
    found = [book(house, "Linh Tran"), book(house, "Ada Lovelace", at="10:00", room="Juniper")]
    with db.transaction() as session:
        for row in session.scalars(select(Reminder).where(Reminder.purpose == Purpose.ITINERARY)):
            row.status = ReminderStatus.ACCEPTED
    return found


def close(house, day=TOMORROW):
    """Let the clinic be closed."""
    first = datetime.combine(day, time(), DENVER)
    with db.transaction() as session:
        session.add(
            Closure(clinic_id=house.clinic.id, starts_at=first, ends_at=first + timedelta(days=1), reason="snow")
        )


def key_of(page):
    """Return the request key of the first form."""
    return re.search(r'name="request_key" value="([^"]+)"', page)[1]


def search(client):
    """Let the worker look for places; return the address of the proposal."""
    page = client.get("/repairs/new").text
    answer = client.post("/repairs", data={"request_key": key_of(page)})
    assert answer.status_code == 303
    waiting = client.get(answer.location).text
    assert "Waiting for the search to begin" in waiting
    assert jobs.do_one(clock.now)
    return answer.location


def starts(visits):
    """Return where the visits are now."""
    with db.read() as session:
        return [session.get_one(Visit, visit.id).starts_at for visit in visits]


def test_nothing_is_lost_on_an_ordinary_day(client, visits):
    assert "Every booked visit can take place" in client.get("/repairs/new").text


def test_a_lost_day_is_searched_shown_and_made(client, house, visits):
    close(house)
    page = client.get("/repairs/new").text
    assert "2 visits" in page
    assert "Tran, Linh" in page
    address = search(client)
    page = client.get(address).text
    assert "2 lost visits have a new place." in page
    assert "Nobody else moves." in page
    before = starts(visits)
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    form = {"version": version, "request_key": key_of(page[page.index("/apply") :])}
    made = client.post(f"{address}/apply", data=form)
    assert made.status_code == 303
    assert all(was != now for was, now in zip(before, starts(visits), strict=True))
    again = client.post(f"{address}/apply", data=form)
    assert (again.status_code, again.location) == (303, made.location)
    page = client.get(address).text
    assert "2 visits are moved. 2 patients are told." in page
    assert "Make these" not in page


def test_a_row_that_is_unticked_is_left_out_of_the_next_search(client, house, visits):
    close(house)
    address = search(client)
    ticked = re.findall(r'name="ticked" value="([^"]+)"', client.get(address).text)
    assert len(ticked) == 2
    wanted = [one for one in ticked if one != str(visits[0].id)]
    answer = client.post(f"{address}/again", data={"ticked": wanted})
    jobs.do_one(clock.now)
    page = client.get(answer.location).text
    assert re.findall(r'name="ticked" value="([^"]+)"', page) == wanted
    assert "left as it is" in page
    again = client.post(f"{answer.location}/again", data={"ticked": ticked})  # what was left out before
    assert again.status_code == 422
    assert "not one of the changes shown" in again.text


def test_an_old_proposal_changes_nothing_and_says_so(client, house, visits):
    close(house)
    address = search(client)
    old = re.search(r'name="version" value="(\d+)"', client.get(address).text)[1]
    close(house, TOMORROW + timedelta(days=1))
    before = starts(visits)
    answer = client.post(f"{address}/apply", data={"version": old})
    assert answer.status_code == 422
    assert "is not free for" in answer.text
    assert client.post(f"{address}/apply", data={"version": "99"}).status_code == 409
    assert starts(visits) == before


def test_a_search_is_stopped_by_a_tap(client, house, visits):
    close(house)
    page = client.get("/repairs/new").text
    address = client.post("/repairs", data={"request_key": key_of(page)}).location
    assert client.post(f"{address}/stop").status_code == 303
    assert not jobs.do_one(clock.now)
    page = client.get(f"{address}/progress").text
    assert "Nothing to move" in page
    assert 'href="/repairs/new"' in page  # they are still lost


def test_closed_is_two_taps_and_a_call_list(client, house, visits):
    """The patients have no address, so both are called."""
    page = client.get(f"/closing?day={TOMORROW}").text
    assert "2 patients are booked" in page
    form = {"day": str(TOMORROW), "request_key": key_of(page)}
    answer = client.post("/closing", data=form)
    assert answer.location == f"/closing/{TOMORROW}"
    assert client.post("/closing", data=form).location == answer.location
    calls = client.get(answer.location).text
    assert "Not known to be reached: 2 of 2" in calls
    reached = re.search(r'action="(/closing/calls/[^"]+)"', calls)[1]
    assert client.post(reached).location == answer.location
    assert "Not known to be reached: 1 of 2" in client.get(answer.location).text
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Reminder).where(Reminder.purpose == Purpose.CLOSED)) == 2
    again = client.post("/closing", data={"day": str(TOMORROW)})
    assert again.status_code == 422
    assert "who was not told already" in again.text


def test_the_patient_sees_that_we_are_closed_and_says_she_knows(app, house, browser):
    guest = Guest(house, browser())
    guest.enter()
    visit = guest.visits()[0]
    day = visit.starts_at.astimezone(DENVER).date()
    wanted = closing.CloseDay.model_validate({"day": day}, context={"today": NOW.date()})
    with db.transaction() as session:
        closing.close(session, house.coordinator, wanted, now=NOW)
    page = guest.client.get(guest.home).text
    assert "Please do not come on" in page
    assert guest.post(f"visits/{visit.id}/closed").status_code == 303
    assert "We know that you have read this" in guest.client.get(guest.home).text
    with db.read() as session:
        task = session.scalars(select(Task).where(Task.kind == closing.KIND)).one()
        assert task.status is TaskStatus.DONE
    assert guest.post(f"visits/{visit.id}/confirm").status_code != 303


def test_what_is_to_do_says_that_visits_lost_their_place(client, house, visits):
    """Entering a closure and forgetting it would leave two people at a closed door."""
    assert "Find other places" not in client.get("/to-do").text
    close(house)
    page = client.get("/to-do").text
    assert "2 booked visits can&#39;t take place where they stand." in page or "2 booked visits can't" in page
