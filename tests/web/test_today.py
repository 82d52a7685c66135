"""The board as a page: whole, as a part for the poll, and its one-tap actions."""

from datetime import timedelta

import pytest

from tests.conftest import NOW
from tests.services.test_diary import a_visit
from tracker import db
from tracker.models import AuditEntry, Visit
from tracker.rules.vocabulary import VisitStatus

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def audited(action):
    """Return how often `action` stands in the audit."""
    with db.read() as session:
        return session.query(AuditEntry).filter_by(action=action).count()


def test_the_board_of_an_empty_clinic_says_what_to_do_first(house, browser):
    """No visits: the rooms, what is free in them, and the way to book."""
    text = browser(house.coordinator).get("/").get_data(as_text=True)

    assert "Today, Monday, March 2" in text
    assert "free" in text
    assert "Book a series" in text


def test_a_visit_stands_on_the_board_with_one_chip(house, browser):
    """Name, number, time, dose and state; overdue vitals replace the state."""
    reached = [(VisitStatus.ARRIVED, -45), (VisitStatus.TIME_OUT, -40), (VisitStatus.INFUSING, -24)]
    a_visit(house, "Linh Tran", starts=-45, status=VisitStatus.INFUSING, reached=reached)

    text = browser(house.nurse).get("/").get_data(as_text=True)

    assert "Tran, Linh" in text
    assert "2 of 6" in text
    assert "8:15–10:45 AM" in text
    assert "Infusing" not in text
    assert "min overdue" in text


def test_the_poll_gets_the_part_and_leaves_no_trace(house, browser):
    """The same block as on the page, and no entry in the audit for each look of a clock."""
    client = browser(house.coordinator)
    visit = a_visit(house, "Ada Byron", starts=60)

    whole = client.get("/").get_data(as_text=True)
    before = audited("read day")
    part = client.get("/board", headers=PARTIAL).get_data(as_text=True)

    assert "<html" not in part
    assert f'id="visit-{visit.id}"' in part
    assert part.split(">")[0] in whole
    assert audited("read day") == before == 1


@pytest.mark.parametrize("path", ["/day/2026-13-01", "/day/tomorrow", "/day/20260302", "/day/0001-01-01"])
def test_a_day_that_is_none(house, browser, path):
    """Only a real day, spelled one way."""
    assert browser(house.coordinator).get(path).status_code == 404


def test_another_day(house, browser):
    """Tomorrow's board has no clock and a way back."""
    text = browser(house.coordinator).get("/day/2026-03-03").get_data(as_text=True)

    assert "Tue, Mar 3" in text
    assert "hx-trigger" not in text


def test_one_tap_confirms_a_driver_once(house, browser):
    """Tapped twice, it keeps the first time."""
    visit = a_visit(house, "Petra Novak", starts=120)
    with db.transaction() as session:
        session.get_one(Visit, visit.id).driver_confirmed_at = None
    client = browser(house.coordinator)
    assert "Driver not confirmed" in client.get("/").get_data(as_text=True)

    for _tap in range(2):
        assert client.post(f"/visits/{visit.id}/driver").status_code == 303

    assert "Driver not confirmed" not in client.get("/").get_data(as_text=True)
    assert audited("confirm driver") == 1
    with db.read() as session:
        confirmed = session.get_one(Visit, visit.id).driver_confirmed_at
    assert NOW <= confirmed <= NOW + timedelta(minutes=5)
