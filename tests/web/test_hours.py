"""Hours as a page: entering, what is refused beside its field, ending, holidays, and whom it hits."""

import re
from datetime import date

import pytest
from sqlalchemy import func, select

from tests.web.test_moves import book
from tests.web.test_today import audited
from tracker import db
from tracker.models import Closure, Shift, WeeklyClosure

DAY = "2026-03-03"


@pytest.fixture
def client(house, browser):
    """Return the coordinator's browser."""
    return browser(house.coordinator)


def count(model):
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_the_page_shows_what_is_entered_and_what_is_proposed(client):
    text = client.get("/hours").get_data(as_text=True)

    assert "Nothing is closed" in text
    assert "Monday – Friday, 9:00 AM–5:45 PM" in text
    assert "Memorial Day" in text
    assert audited("read hours") == 1


def test_a_closure_is_entered_shown_and_taken_out(house, client):
    sent = {"who": str(house.resources["Sage"]), "first_day": DAY, "reason": "Paint"}
    assert client.post("/hours", data=sent).location == "/hours"

    text = client.get("/hours").get_data(as_text=True)
    assert "Tue, Mar 3, all day" in text
    assert "Paint" in text
    action = re.search(r'action="(/hours/closures/[^"]+)"', text)[1]
    assert client.post(action).status_code == 303
    assert count(Closure) == 0


def test_an_hours_closure_is_said_with_its_hours_and_leaves_the_week_open(house, client):
    """A free day further on goes along to the form; from one o'clock on is said as that, not as until midnight."""
    assert f'value="{DAY}"' in client.get(f"/hours?first_day={DAY}").get_data(as_text=True)
    sage = str(house.resources["Sage"])
    noon = {"who": sage, "first_day": DAY, "from_time": "12:00", "until_time": "13:00", "reason": "Cleaning"}
    assert client.post("/hours", data=noon).status_code == 303
    week = client.get(f"/calendar/week/{DAY}").get_data(as_text=True)
    assert "Closed: Cleaning, 12:00–1:00\u202fPM" in week or "Closed: Cleaning, 12:00–1:00 PM" in week
    assert "cell shut" not in week

    later = {"who": sage, "first_day": DAY, "from_time": "13:00", "reason": "Paint"}
    assert client.post("/hours", data=later).status_code == 303
    assert "Tue, Mar 3, from 1:00 PM on" in client.get("/hours").get_data(as_text=True).replace("\u202f", " ")


def test_a_form_sent_twice_enters_once(client):
    key = re.search(r'name="request_key" value="([^"]+)"', client.get("/hours").get_data(as_text=True))[1]
    sent = {"who": "clinic", "first_day": DAY, "reason": "Snow", "request_key": key}

    assert [client.post("/hours", data=sent).status_code for _time in range(2)] == [303, 303]
    assert count(Closure) == 1


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"first_day": "2026-03-01", "reason": "Snow"}, "This day is past"),
        ({"first_day": DAY}, "Say why"),
        ({"first_day": DAY, "reason": "Snow", "when": "weekly"}, "at least one weekday"),
        ({"first_day": DAY, "reason": "Snow", "when": "sometimes"}, ""),
        ({"first_day": DAY, "reason": "Snow", "from_time": "9"}, "Enter a time such as"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(client, sent, said):
    answer = client.post("/hours", data={"who": "clinic", **sent})

    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert said in text
    assert sent.get("reason", "") in text
    assert count(Closure) == count(WeeklyClosure) == 0


def test_after_a_closure_the_page_says_whom_it_hits(house, client):
    visit = book(house, "Linh Tran")
    client.post("/hours", data={"who": str(house.resources["Sage"]), "first_day": DAY, "reason": "Paint"})

    text = client.get("/hours").get_data(as_text=True)

    assert "1 booked visit can&#39;t be where it is" in text
    assert "Tran, Linh" in text
    assert f"/visits/{visit.id}/move" in text
    assert "Sage not there" in text


def test_a_shift_ends_from_a_day_on(house, client):
    text = client.get("/hours").get_data(as_text=True)
    action = re.search(r'href="(/hours/shifts/[^"]+)"', text)[1]

    assert "No more from" in client.get(action).get_data(as_text=True)
    assert client.post(action, data={"from_day": "2026-03-01"}).status_code == 422
    assert client.post(action, data={"from_day": "2026-03-09"}).status_code == 303
    with db.read() as session:
        ended = session.scalars(select(Shift.last_day).where(Shift.last_day.is_not(None))).all()
    assert ended == [date(2026, 3, 8)] * 5


def test_a_holiday_closes_by_its_button_only(client):
    assert client.post("/hours/holidays", data={"day": "2026-05-25"}).status_code == 303
    assert client.post("/hours/holidays", data={"day": "2026-05-26"}).status_code == 422

    text = client.get("/calendar/month/2026-05-01").get_data(as_text=True)
    assert text.count("Memorial Day") == 1


def test_a_nurse_enters_no_hours(house, browser):
    assert browser(house.nurse).get("/hours").status_code == 403
    assert "/hours" not in browser(house.nurse).get("/calendar/week/2026-03-02").get_data(as_text=True)


def test_the_day_after_is_shaded_with_its_reason(house, client):
    client.post("/hours", data={"who": "clinic", "first_day": DAY, "reason": "Inspection"})

    for path in (f"/day/{DAY}", f"/calendar/staff/{DAY}", f"/calendar/week/{DAY}", f"/calendar/month/{DAY}"):
        assert "Inspection" in client.get(path).get_data(as_text=True)


def test_a_closed_room_says_so_beside_the_visits_that_are_still_in_it(house, client):
    book(house, "Linh Tran")
    client.post("/hours", data={"who": str(house.resources["Sage"]), "first_day": DAY, "reason": "Paint"})

    assert "Closed: Paint" in client.get(f"/day/{DAY}").get_data(as_text=True)
