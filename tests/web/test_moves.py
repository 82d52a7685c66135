"""One visit moved by a form, with the claims that a booking made."""

import re
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.models import Claim, Closure, ProtocolVersion, UserAccount, Visit
from tracker.rules.vocabulary import Indication, VisitStatus
from tracker.services import booking, places

DENVER = ZoneInfo("America/Denver")
TOMORROW = date(2026, 3, 3)


def book(house, name, *, day=TOMORROW, at="09:00", room="Sage", code="S"):
    """Book a single infusion for `name`; return the visit."""
    patient = house.patient(name)
    start = datetime.combine(day, time.fromisoformat(at), DENVER).astimezone(UTC)
    with db.transaction() as session:
        protocol = session.scalars(
            select(ProtocolVersion).where(ProtocolVersion.clinic_id == house.clinic.id, ProtocolVersion.code == code)
        ).one()
        wanted = booking.BookCourse.model_construct(
            protocol_id=protocol.id,
            first_day=day,
            preferred_time=None,
            indication=Indication.TRD,
            visit=(places.Place(start, house.resources[room]),),
        )
        course = booking.book_course(session, house.coordinator, patient, wanted, now=NOW)
        return session.scalars(select(Visit).where(Visit.course_id == course.id)).one()


@pytest.fixture
def visit(house):
    """Return a visit tomorrow at nine in Sage."""
    return book(house, "Linh Tran")


def now_at(visit):
    """Return where the visit is now, with its claims."""
    with db.read() as session:
        row = session.get_one(Visit, visit.id)
        earliest = session.scalar(select(func.min(Claim.starts_at)).where(Claim.visit_id == visit.id))
    return row, earliest


def there(house, hour, day=TOMORROW, room="Sage"):
    """Return a place as the form sends it."""
    start = datetime.combine(day, time(hour), DENVER).astimezone(UTC)
    return f"{start:%Y-%m-%dT%H:%MZ}~{house.resources[room]}"


def test_the_page_offers_places_with_what_they_change(house, browser, visit):
    """Ranked, none of them where it is."""
    text = browser(house.coordinator).get(f"/visits/{visit.id}/move").get_data(as_text=True)

    assert text.count('type="radio"') >= 3
    assert there(house, 9) not in text
    assert "Linh Tran" in text


def test_a_move_moves_visit_and_claims(house, browser, visit):
    """To eleven; the day it went to is shown."""
    sent = {"place": there(house, 11), "version": str(visit.version)}
    answer = browser(house.coordinator).post(f"/visits/{visit.id}/move", data=sent)

    assert (answer.status_code, answer.location) == (303, "/day/2026-03-03")
    row, claimed = now_at(visit)
    assert row.starts_at == claimed == visit.starts_at + timedelta(hours=2)


@pytest.mark.parametrize(
    "sent",
    [
        {"place": "somewhere", "version": "1"},
        {"version": "1"},
        {"place": "2026-03-03T18:00Z~00000000-0000-0000-0000-000000000007", "version": "1"},
    ],
)
def test_what_is_no_place_is_refused(house, browser, visit, sent):
    """422, the form again, and nothing moved."""
    answer = browser(house.coordinator).post(f"/visits/{visit.id}/move", data=sent)

    assert answer.status_code == 422
    assert 'type="radio"' in answer.get_data(as_text=True)
    assert now_at(visit)[0].starts_at == visit.starts_at


def test_a_taken_place_is_refused(house, browser, visit):
    """Ben has it: 422, and what is free now."""
    book(house, "Ben", at="13:00")
    sent = {"place": there(house, 13), "version": str(visit.version)}

    answer = browser(house.coordinator).post(f"/visits/{visit.id}/move", data=sent)

    assert answer.status_code == 422
    assert now_at(visit)[0].starts_at == visit.starts_at


def test_somebody_was_quicker(house, browser, visit):
    """Two open the form; the second is told and keeps what was typed."""
    client = browser(house.coordinator)
    first = {"place": there(house, 11), "version": str(visit.version)}
    assert client.post(f"/visits/{visit.id}/move", data=first).status_code == 303

    second = {"place": there(house, 13), "version": str(visit.version), "reason": "asked by phone"}
    answer = client.post(f"/visits/{visit.id}/move", data=second)

    assert answer.status_code == 409
    assert "asked by phone" in answer.get_data(as_text=True)
    assert now_at(visit)[0].starts_at == visit.starts_at + timedelta(hours=2)


def test_what_has_begun_stays(house, browser, visit):
    """No places, and the reason."""
    with db.transaction() as session:
        session.get_one(Visit, visit.id).status = VisitStatus.ARRIVED

    text = browser(house.coordinator).get(f"/visits/{visit.id}/move").get_data(as_text=True)

    assert "stays where it is" in text
    assert 'type="radio"' not in text


def test_another_clinics_visit_is_not_there(house, browser, visit):
    """404, like one that doesn't exist."""
    stranger = browser(make_clinic().coordinator)
    assert stranger.get(f"/visits/{visit.id}/move").status_code == 404


def missed(visit, status=VisitStatus.NO_SHOW):
    """Let a visit have been missed."""
    with db.transaction() as session:
        session.get_one(Visit, visit.id).status = status
        places.release(session, visit)


def shown(page):
    """Return the places that a page offers, and the series as it showed it."""
    offered = re.findall(r'type="radio" name="place" value="([^"]*)"', page)
    return offered, re.search(r'name="seen" value="([^"]*)"', page)[1]


def test_a_cancelled_visit_leads_to_the_place_for_another_one(house, browser, visit):
    """A reason is asked for; then the page that books the one that is missing now."""
    client = browser(house.coordinator)
    refused = client.post(f"/visits/{visit.id}/cancel", data={"why": ""})
    assert refused.status_code == 422
    answer = client.post(f"/visits/{visit.id}/cancel", data={"why": "has the flu"})
    assert (answer.status_code, answer.location) == (303, f"/visits/{visit.id}/replace")
    assert now_at(visit)[0].cancel_reason == "has the flu"
    page = client.get(answer.location).text
    assert "has the flu" in page
    assert shown(page)[0]


def test_a_missed_visit_is_booked_again_once(house, browser, visit):
    """Sent twice there is one; the patient's page says instead of which it is, and 0 of 1 given."""
    missed(visit)
    client = browser(house.coordinator)
    overview = client.get(f"/patients/{visit.patient_id}").text
    assert f"/visits/{visit.id}/replace" in overview
    offered, seen = shown(client.get(f"/visits/{visit.id}/replace").text)
    sent = {"place": offered[0], "seen": seen, "request_key": str(UUID(int=5)), "reason": "was ill"}
    answers = [client.post(f"/visits/{visit.id}/replace", data=sent) for _time in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Visit)) == 2
    overview = client.get(f"/patients/{visit.patient_id}").text
    assert "0 of 1 given" in overview
    assert "(no-show) · was ill" in overview
    assert f"/visits/{visit.id}/replace" not in overview


def test_somebody_else_booked_the_missing_visit_first(house, browser, visit):
    """The second one is told that nothing is missing any more."""
    missed(visit)
    client = browser(house.coordinator)
    offered, seen = shown(client.get(f"/visits/{visit.id}/replace").text)
    first = {"place": offered[0], "seen": seen}
    assert client.post(f"/visits/{visit.id}/replace", data=first).status_code == 303
    answer = client.post(f"/visits/{visit.id}/replace", data={"place": offered[1], "seen": seen})
    assert answer.status_code == 422
    assert "needs no replacement" in answer.text
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Visit)) == 2


def test_a_room_closed_under_the_open_form_of_a_move(house, browser, visit):
    """It says which place is closed, and offers what is free now."""
    with db.transaction() as session:
        start = datetime.combine(TOMORROW, time(11), DENVER).astimezone(UTC)
        closed = {"starts_at": start, "ends_at": start + timedelta(hours=1), "reason": "leak"}
        session.add(Closure(clinic_id=house.clinic.id, resource_id=house.resources["Sage"], **closed))
    sent = {"place": there(house, 11), "version": str(visit.version), "reason": "asked by phone"}
    answer = browser(house.coordinator).post(f"/visits/{visit.id}/move", data=sent)
    assert answer.status_code == 422
    assert "Visit 1, Tue, Mar 3, 11:00 AM: Sage is closed." in answer.text
    assert "asked by phone" in answer.text
    assert now_at(visit)[0].starts_at == visit.starts_at


def test_where_a_visit_was_is_shown_with_the_patient_and_on_its_own_pages(house, browser, visit):
    """From where to where and why."""
    client = browser(house.nurse)
    sent = {"place": there(house, 11), "version": str(visit.version), "reason": "the bus is late"}
    client.post(f"/visits/{visit.id}/move", data=sent)
    for address in (f"/patients/{visit.patient_id}", f"/visits/{visit.id}/move", f"/visits/{visit.id}"):
        text = client.get(address).text
        assert "Tue, Mar 3, 9:00 AM → Tue, Mar 3, 11:00 AM · the bus is late" in text, address


def test_the_history_of_a_move_says_from_where_to_where_why_when_and_who(house, browser, visit):
    """On the page that moves it on, and in the patient's series."""
    client = browser(house.coordinator)
    sent = {"place": there(house, 11), "version": str(visit.version), "reason": "Her bus"}
    assert client.post(f"/visits/{visit.id}/move", data=sent).status_code == 303

    with db.read() as session:
        name = session.get_one(UserAccount, house.coordinator.user_id).name
        patient_id = session.get_one(Visit, visit.id).patient_id
    for page in (f"/visits/{visit.id}/move", f"/patients/{patient_id}"):
        text = client.get(page).get_data(as_text=True)
        line = re.search(r"<li>([^<]*→[^<]*Her bus) <span>\(([^<]*)\)</span>", text)
        assert line, page
        assert line[2].endswith(f", {name}")
