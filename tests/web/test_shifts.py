"""The rest of a series is shifted by a form: before and after, one tap, and what happens to a page that is old."""

import re
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.conftest import NOW
from tests.factories import make_clinic
from tests.web.test_courses import options
from tracker import db
from tracker.models import Closure, ProtocolVersion, Visit, VisitEvent
from tracker.rules.plan import Wish
from tracker.rules.vocabulary import Indication, VisitStatus
from tracker.services import booking, places

MONDAY = date(2026, 3, 9)


@pytest.fixture
def course(house):
    """Return a series of six from Monday on, which is booked for Ada, who never comes on Thursdays."""
    ada = house.patient("Ada Lovelace")
    values = {"first_day": MONDAY, "weekdays": frozenset({0, 1, 2, 4}), "must": frozenset({Wish.WEEKDAYS})}
    with db.transaction() as session:
        protocol = session.scalars(
            select(ProtocolVersion).where(ProtocolVersion.clinic_id == house.clinic.id, ProtocolVersion.code == "B")
        ).one()
        context = {"today": NOW.date(), "zone": house.clinic.zone}
        asked = booking.PlanCourse.model_validate({"protocol_id": protocol.id, **values}, context=context)
        plan = booking.options(session, house.coordinator, ada, asked, now=NOW).plans[0]
        wanted = booking.BookCourse.model_construct(
            **dict(asked), indication=Indication.TRD, visit=tuple(places.as_place(one) for one in plan.visits)
        )
        return booking.book_course(session, house.coordinator, ada, wanted, now=NOW)


def starts():
    """Return the starts of all visits that are booked or were given, in order."""
    with db.read() as session:
        return session.scalars(select(Visit.starts_at).order_by(Visit.starts_at)).all()


def test_the_rest_is_shown_before_and_after_and_shifted(house, browser, course):
    """From the third visit on, from the day after it, with the wishes of the booking."""
    client = browser(house.coordinator)
    before = starts()
    page = client.get(f"/courses/{course.id}/shift?first=3").text
    found = options(page)
    assert 1 <= len(found) <= 3
    assert len(found[0]["visit"]) == 4
    assert found[0]["weekdays"] == ["0", "1", "2", "4"]
    assert page.count("was ") >= 4

    answer = client.post(f"/courses/{course.id}/shift", data={**found[0], "reason": "a cold"})
    assert (answer.status_code, answer.location) == (303, f"/patients/{course.patient_id}")
    after = starts()
    assert after[:2] == before[:2]
    assert [f"{one:%Y-%m-%dT%H:%MZ}" for one in after[2:]] == [one.partition("~")[0] for one in found[0]["visit"]]
    assert all(one.astimezone(house.clinic.zone).weekday() != 3 for one in after)
    assert "a cold" in client.get(answer.location).text


def test_sent_twice_it_shifts_once(house, browser, course):
    """A double tap keeps one line of history for each visit."""
    client = browser(house.coordinator)
    option = options(client.get(f"/courses/{course.id}/shift?first=3").text)[0]
    locations = {client.post(f"/courses/{course.id}/shift", data=option).location for _time in range(2)}
    assert locations == {f"/patients/{course.patient_id}"}
    with db.read() as session:
        moved = session.scalars(select(VisitEvent.visit_id).where(VisitEvent.kind == "moved")).all()
    assert len(moved) == len(set(moved))


def test_a_page_older_than_somebody_elses_move_shifts_nothing(house, browser, course):
    """409: it says so, and shows the options for the series as it is now."""
    client = browser(house.coordinator)
    option = options(client.get(f"/courses/{course.id}/shift?first=3").text)[0]
    with db.transaction() as session:
        fifth = session.scalars(select(Visit).where(Visit.ordinal == 5)).one()
        fifth.confirmed_at = NOW
    before = starts()
    answer = client.post(f"/courses/{course.id}/shift", data={**option, "reason": "a cold"})
    assert answer.status_code == 409
    assert "Somebody changed this series" in answer.text
    assert 'value="a cold"' in answer.text
    assert starts() == before
    assert client.post(f"/courses/{course.id}/shift", data=options(answer.text)[0]).status_code == 303


def test_a_room_closed_under_the_open_form_shifts_nothing(house, browser, course):
    """422 with the visit that has no place any more, and what fits now."""
    client = browser(house.coordinator)
    option = options(client.get(f"/courses/{course.id}/shift?first=3").text)[0]
    at, _tilde, room = option["visit"][-1].partition("~")
    start = datetime.fromisoformat(at)
    with db.transaction() as session:
        times = {"starts_at": start, "ends_at": start + timedelta(hours=1)}
        session.add(Closure(clinic_id=house.clinic.id, resource_id=UUID(room), reason="leak", **times))
    before = starts()
    answer = client.post(f"/courses/{course.id}/shift", data=option)
    assert answer.status_code == 422
    assert re.search(r"Visit 6, .*: \w+ is closed", answer.text)
    assert starts() == before
    assert client.post(f"/courses/{course.id}/shift", data=options(answer.text)[0]).status_code == 303


def test_when_nothing_fits_it_says_what_would(house, browser, course):
    """Two weeks away: the gap would be longer than the protocol lets it be; the clinic may grant it."""
    client = browser(house.coordinator)
    page = client.get(f"/courses/{course.id}/shift?first=3&first_day=2026-03-30&must=days_off").text
    assert "for the clinic to grant" in page
    help_ = re.search(r'<a class="button" href="([^"]*)"', page)[1].replace("&amp;", "&")
    assert "longest_gap=" in help_
    option = options(client.get(help_).text)[0]
    assert client.post(f"/courses/{course.id}/shift", data=option).status_code == 303


def test_what_has_begun_stays(house, browser, course):
    """The third visit is here: the page says so, and offers nothing."""
    with db.transaction() as session:
        session.scalars(select(Visit).where(Visit.ordinal == 3)).one().status = VisitStatus.ARRIVED
    page = browser(house.coordinator).get(f"/courses/{course.id}/shift?first=3").text
    assert "Visit 3 has begun" in page
    assert options(page) == []


def test_a_missing_visit_is_made_up_for_with_the_rest(house, browser, course):
    """The third was a no-show: four places again, and a new third visit."""
    with db.transaction() as session:
        third = session.scalars(select(Visit).where(Visit.ordinal == 3)).one()
        third.status = VisitStatus.NO_SHOW
        places.release(session, third)
    client = browser(house.coordinator)
    option = options(client.get(f"/courses/{course.id}/shift?first=3").text)[0]
    assert client.post(f"/courses/{course.id}/shift", data=option).status_code == 303
    with db.read() as session:
        live = session.scalars(
            select(Visit.ordinal).where(Visit.status == VisitStatus.BOOKED).order_by(Visit.starts_at)
        ).all()
    assert live == [1, 2, 3, 4, 5, 6]


def test_another_clinics_series_is_not_there(house, browser, course):
    """404, like one that doesn't exist."""
    stranger = browser(make_clinic().coordinator)
    assert stranger.get(f"/courses/{course.id}/shift").status_code == 404
    assert stranger.post(f"/courses/{course.id}/shift", data={}).status_code in (404, 422)


@pytest.mark.parametrize(("field", "typed"), [("reason", "a\0b"), ("reason", "x" * 300), ("seen", "no such answer")])
def test_what_is_no_answer_is_said_beside_its_field(house, browser, course, field, typed):
    """422, the options again, what was typed kept, and nothing moved."""
    client, before = browser(house.coordinator), starts()
    option = options(client.get(f"/courses/{course.id}/shift?first=3").text)[0]
    answer = client.post(f"/courses/{course.id}/shift", data={**option, field: typed})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert (f'id="{field}-error"' in answer.text) is (field == "reason")
    assert options(answer.text)
    assert starts() == before
