"""The settings of messages as pages: look, preview, save, limits."""

import re

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_user
from tests.services.test_cadences import DAY
from tests.web.test_today import audited
from tracker import db
from tracker.models import Course, Job, Setting
from tracker.rules.permissions import Role


@pytest.fixture
def course(house):
    """Book Ada a visit in a week."""
    return mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + 7 * DAY)


@pytest.fixture
def address(course):
    """Return the page of the series' protocol."""
    with db.read() as session:
        return f"/settings/messages/{session.get_one(Course, course).protocol_id}"


@pytest.fixture
def admin(house, browser):
    """Return an administrator's browser."""
    with db.transaction() as session:
        account = make_user(session, house.clinic.id, "A. Dmin", Role.ADMIN)
    return browser(account)


def fields(text):
    """Return what the form would send."""
    found = dict(re.findall(r'<input[^>]*name="([a-z_]+)"[^>]*value="([^"]*)"[^>]* checked', text))
    for tag in re.findall(r"<input[^>]*>", text):
        name, value = re.search(r'name="([a-z_]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and 'type="checkbox"' not in tag and 'type="search"' not in tag:
            found[name[1]] = value[1] if value else ""
    for name, options in re.findall(r'<select[^>]*name="([a-z_]+)"[^>]*>(.*?)</select>', text, re.DOTALL):
        found[name] = re.search(r'value="([^"]*)" selected', options)[1]
    return found


def test_a_coordinator_looks_and_an_administrator_changes(house, browser, address, admin):
    desk = browser(house.coordinator)
    assert "An administrator changes this." in desk.get(address).get_data(as_text=True)
    sent = fields(admin.get(address).get_data(as_text=True))
    assert desk.post(address, data=sent).status_code == 403
    assert admin.post(address, data=sent).status_code == 303
    assert browser(house.nurse).get(address).status_code == 403


def test_the_page_shows_what_a_patient_gets_and_that_it_was_looked_at(admin, address):
    text = admin.get(address).get_data(as_text=True)
    assert "What Lovelace, Ada gets" in text
    assert "No number for texts." in text
    assert "as saved" in text
    assert audited("read messages") == 1


def test_a_preview_of_typed_values_saves_nothing(admin, address):
    sent = fields(admin.get(address).get_data(as_text=True))
    sent["visit_amount"] = "48"
    text = admin.get(address, query_string=sent).get_data(as_text=True)
    assert "as typed above, not saved yet" in text
    assert "at another time" in text
    part = admin.get(address, query_string=sent, headers={"HX-Request-Type": "partial", "HX-Request": "true"})
    assert part.get_data(as_text=True).strip().startswith('<section id="preview"')
    with db.read() as session:
        assert session.scalars(select(Setting)).all() == []


def test_saving_is_one_act_that_plans_anew(admin, address, course):
    sent = fields(admin.get(address).get_data(as_text=True))
    sent["visit_amount"] = "48"
    for _twice in range(2):
        answer = admin.post(address, data=sent)
        assert answer.status_code == 303
        assert answer.location.endswith(f"?course={course}")
    with db.read() as session:
        [job] = session.scalars(select(Job)).all()
        assert (job.kind, job.total) == ("replan", 1)
    text = admin.get(answer.location).get_data(as_text=True)
    assert "Planning anew: 0 of 1 series." in text
    assert 'value="48"' in text


def test_a_mistake_is_said_beside_its_field_and_what_was_typed_stays(admin, address):
    sent = fields(admin.get(address).get_data(as_text=True))
    answer = admin.post(address, data=sent | {"visit_amount": "1"})
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'id="visit_amount-error"' in text
    assert "Visit reminder: Enter a whole number from 2 to 336." in text
    assert re.search(r'name="visit_amount"[^>]*value="1"', text)


def test_whoever_was_slower_is_told(admin, address):
    sent = fields(admin.get(address).get_data(as_text=True))
    del sent["request_key"]
    assert admin.post(address, data=sent).status_code == 303
    answer = admin.post(address, data=sent)
    assert answer.status_code == 409
    assert "Somebody changed these messages" in answer.get_data(as_text=True)


def test_limits_are_saved_and_quiet_hours_plan_anew(admin, course):
    text = admin.get("/settings/messages").get_data(as_text=True)
    sent = fields(text)
    assert (sent["quiet_from"], sent["quiet_until"], sent["texts_a_week"]) == ("21:00", "08:00", "3")
    assert admin.post("/settings/messages/limits", data=sent | {"texts_a_week": "2"}).status_code == 303
    with db.read() as session:
        assert {row.key: row.value for row in session.scalars(select(Setting))} == {"texts.a_week": "2"}
        assert session.scalars(select(Job)).all() == []
    sent = fields(admin.get("/settings/messages").get_data(as_text=True)) | {"quiet_until": "09:20"}
    assert admin.post("/settings/messages/limits", data=sent).status_code == 303
    assert fields(admin.get("/settings/messages").get_data(as_text=True))["quiet_until"] == "09:20"
    with db.read() as session:
        assert {job.kind for job in session.scalars(select(Job))} == {"replan"}


def test_a_limit_out_of_bounds_is_refused_beside_its_field(admin, course):
    sent = fields(admin.get("/settings/messages").get_data(as_text=True))
    answer = admin.post("/settings/messages/limits", data=sent | {"texts_a_week": "99"})
    assert answer.status_code == 422
    assert 'id="texts_a_week-error"' in answer.get_data(as_text=True)


def test_what_the_shipped_protocol_sends_and_this_one_does_not_is_said(admin, address):
    sent = fields(admin.get(address).get_data(as_text=True))
    assert "As shipped" not in admin.get(address).get_data(as_text=True)
    fewer = {name: value for name, value in sent.items() if name not in ("same_day_on", "questionnaire_on")}
    assert admin.post(address, data=fewer).status_code == 303
    text = admin.get(address).get_data(as_text=True)
    assert "also sends: Same-day reminder, Questionnaire." in text
    assert "same_day_on" not in fields(text)  # said, and not changed behind anybody's back
