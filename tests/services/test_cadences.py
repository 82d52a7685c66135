"""A clinic's own cadence: typed, kept, laid on a real series before and after it is saved."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from tests import mailroom
from tests.conftest import NOW
from tests.factories import COTTONWOOD, make_clinic
from tracker import db, jobs
from tracker.errors import Invalid, NotFound, Stale
from tracker.models import AuditEntry, Course, Job, ProtocolVersion, Reminder
from tracker.rules.cadence import DEFAULT, Purpose, Step, Which
from tracker.rules.protocols import SHIPPED
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import cadences, replanning, series_preview
from tracker.services.series_preview import News, State
from tracker.web.forms import parse, spell

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
STARTS = [NOW + n * DAY for n in (7, 9)]
ONLY_VISIT = (Step(Purpose.VISIT, hours=-48),)


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def course(house):
    """Book Ada's two visits, at 9:00 and 10:00 in the clinic."""
    return mailroom.series(house, mailroom.patient(house, "Ada"), *STARTS)


@pytest.fixture
def protocol(course):
    """Return the protocol of Ada's series."""
    with db.read() as session:
        return session.get_one(ProtocolVersion, session.get_one(Course, course).protocol_id)


def typed(**values):
    """Return the default cadence as the form sends it, with these fields another."""
    sent = {name: spell(value) for name, value in cadences.as_form(DEFAULT).items() if value is not None}
    form = parse(cadences.EditCadence, MultiDict({**sent, **values}))
    assert form.errors == {}
    return form.command


def save(house, protocol, steps, was="", now=NOW):
    with db.transaction() as session:
        cadences.change(session, house.coordinator, protocol, steps, was=was, now=now)


def test_what_the_form_shows_is_what_it_saves():
    assert set(cadences.as_steps(typed())) == set(DEFAULT)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_two_steps_for_the_ends_are_shown_as_one(house):
    ends = (Step(Purpose.THERAPY, Which.FIRST, days=2), Step(Purpose.THERAPY, Which.LAST, days=2))
    assert cadences.as_form(ends)["therapy_visits"] is Which.FIRST_AND_LAST


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"visit_amount": "1"}, "visit_amount", "Visit reminder: Enter a whole number from 2 to 336."),
        ({"visit_amount": ""}, "visit_amount", "Visit reminder: Enter a whole number from 2 to 336."),
        ({"next_day_amount": "0"}, "next_day_amount", "Next-day check-in: Enter a whole number from 1 to 90."),
        (
            {"visit_at": "09:00"},
            "visit_at",
            "Visit reminder: A clock time goes with days. Choose days, or leave the time empty.",
        ),
        ({"same_day_at": ""}, "same_day_at", "Same-day reminder: Enter a time such as 08:00."),
        ({"check_in_useful": "0"}, "check_in_useful", "Check-in weeks later: Enter a whole number from 1 to 168."),
        ({"questionnaire_amount": "-1"}, "questionnaire_amount", "Questionnaire: Enter a whole number from 0 to 90."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(values, field, said):
    with pytest.raises(Invalid) as refused:
        cadences.as_steps(typed(**values))
    assert refused.value.fields == {field: said}


def test_what_is_not_sent_may_be_half_filled_in():
    steps = cadences.as_steps(typed(therapy_on="no", therapy_amount=""))
    assert Purpose.THERAPY not in {step.purpose for step in steps}


def test_a_cadence_is_kept_and_counts_from_then_on(house, course, protocol):
    save(house, protocol, ONLY_VISIT)
    with db.read() as session:
        assert cadences.of_clinic(session, house.clinic.id).of(protocol.protocol) == ONLY_VISIT
        assert [row.action for row in session.scalars(select(AuditEntry).where(AuditEntry.subject.like("cadence.%")))]
    mailroom.plan(house, course, now=NOW)
    waiting = [row for row in mailroom.messages() if row.status is ReminderStatus.SCHEDULED]
    assert [(row.purpose, row.send_at) for row in waiting if row.purpose != Purpose.ITINERARY] == [
        (Purpose.VISIT, start - 2 * DAY) for start in STARTS
    ]
    off = {row.reason for row in mailroom.messages() if row.status is ReminderStatus.CANCELLED}
    assert off == {"The clinic's messages are others now."}


def test_of_two_who_change_it_the_second_is_told(house, course, protocol):
    save(house, protocol, ONLY_VISIT)
    with pytest.raises(Stale):
        save(house, protocol, DEFAULT)
    with db.read() as session:
        was = cadences.seen(session, house.clinic.id, protocol.code)
    save(house, protocol, DEFAULT, was=was, now=NOW + HOUR)


def test_another_clinic_keeps_its_own(house, course, protocol):
    save(house, protocol, ONLY_VISIT)
    other = make_clinic(COTTONWOOD)
    with db.read() as session:
        assert cadences.of_clinic(session, other.clinic.id).own == {}


def test_saving_plans_every_series_of_the_protocol_anew_and_once(house, course, protocol):
    """More than one batch; and the work done again, as after a kill, changes nothing."""
    mailroom.many(house, replanning.AT_ONCE + 3, STARTS[1] + HOUR)
    with db.transaction() as session:
        cadences.change(session, house.coordinator, protocol, ONLY_VISIT, was="", now=NOW)
        replanning.start(session, house.coordinator, protocol.code, now=NOW)
    assert jobs.do_one(lambda: NOW)
    with db.transaction() as session:
        job = session.scalars(select(Job)).one()
        assert (job.status, job.done, job.total) == ("done", replanning.AT_ONCE + 4, replanning.AT_ONCE + 4)
        assert job.result["courses"] == replanning.AT_ONCE + 4
        waiting = session.scalars(select(Reminder).where(Reminder.status == ReminderStatus.SCHEDULED)).all()
        assert {row.purpose for row in waiting} == {Purpose.ITINERARY, Purpose.VISIT}
        replanning.start(session, house.coordinator, protocol.code, now=NOW)
    assert jobs.do_one(lambda: NOW)
    with db.read() as session:
        again = session.scalars(select(Job).order_by(Job.created_at, Job.id)).all()[-1]
        assert again.result | {"courses": 0} == {"courses": 0, "added": 0, "retimed": 0, "called_back": 0}


def seen(house, course, steps=DEFAULT, now=NOW, **more):
    """Return the preview."""
    with db.read() as session:
        return series_preview.preview(session, house.coordinator, course, steps, now=now, **more)


def of(rows, purpose):
    """Return what becomes of the messages of a purpose."""
    return [(row.state, row.channel, row.why) for row in rows if row.purpose is purpose]


EMAIL, SMS = ReminderChannel.EMAIL, ReminderChannel.SMS


def test_a_preview_says_what_goes_when_by_which_way_and_what_not_and_why(house, course):
    rows = seen(house, course)
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert of(rows, Purpose.ITINERARY) == [(State.PLANNED, EMAIL, "")]
    assert of(rows, Purpose.VISIT) == [(State.PLANNED, EMAIL, "No number for texts.")] * 2
    assert of(rows, Purpose.NEXT_DAY) == [
        (State.NOT, None, "Asked in the reminder of the same day."),
        (State.PLANNED, EMAIL, "No number for texts."),
    ]
    assert of(rows, Purpose.SAME_DAY) == [(State.NOT, None, "It would come too late to be of use.")] * 2


def test_a_preview_changes_nothing_and_says_what_saving_would_change(house, course):
    before = [(row.id, row.status, row.send_at) for row in mailroom.messages()]
    rows = seen(house, course, (Step(Purpose.VISIT, hours=-48), Step(Purpose.CHECK_IN, Which.LAST, days=7)))
    assert [(row.id, row.status, row.send_at) for row in mailroom.messages()] == before
    assert {row.news for row in rows if row.purpose is Purpose.VISIT} == {News.MOVED}
    assert {row.state for row in rows if row.purpose is Purpose.THERAPY} == {State.CALLED_BACK}
    added = seen(house, course, (*DEFAULT, Step(Purpose.QUESTIONNAIRE)))
    assert {row.news for row in added} == {None}


def test_what_has_gone_is_in_it_as_it_went(house, course):
    with db.transaction() as session:
        for row in mailroom.messages():
            if row.purpose == Purpose.ITINERARY:
                row = session.merge(row)
                row.status, row.channel, row.sent_at = ReminderStatus.DELIVERED, EMAIL, NOW + HOUR
            elif row.purpose == Purpose.FIRST_VISIT:
                row = session.merge(row)
                row.status, row.reason = ReminderStatus.EXPIRED, "It could not go out in time."
    rows = seen(house, course, ONLY_VISIT, now=NOW + 5 * DAY)
    [sent] = [row for row in rows if row.purpose is Purpose.ITINERARY]
    assert (sent.at, sent.state, sent.channel) == (NOW + HOUR, State.GONE, EMAIL)
    assert of(rows, Purpose.FIRST_VISIT) == [(State.NOT_SENT, None, "It could not go out in time.")]


def test_texts_beyond_the_limit_go_by_e_mail_in_the_preview_too(house):
    """Four visits in one week: the fourth text in seven days is a letter."""
    person = mailroom.patient(house, "Ada")
    with db.transaction() as session:
        text = mailroom.address(house, person, "+13035550142")
        text.channel = "sms"
        session.add(text)
    course = mailroom.series(house, person, *(NOW + n * DAY for n in (7, 8, 9, 10)))
    rows = seen(house, course, (Step(Purpose.VISIT, hours=-24),))
    assert of(rows, Purpose.VISIT) == [
        *[(State.PLANNED, SMS, "")] * 3,
        (State.PLANNED, EMAIL, "No more texts this week: 3 of 3 sent."),
    ]
    assert {row.channel for row in seen(house, course, ways={EMAIL}) if row.state is State.PLANNED} == {EMAIL}


def test_who_can_not_be_reached_gets_nothing_and_it_is_said(house):
    course = mailroom.series(house, mailroom.patient(house, "Ada", email=None), *STARTS)
    assert of(seen(house, course), Purpose.ITINERARY) == [(State.NOT, None, "No e-mail address. No number for texts.")]


def test_another_clinics_series_is_not_to_be_seen(house, course):
    with db.read() as session, pytest.raises(NotFound):
        series_preview.preview(session, make_clinic(COTTONWOOD).coordinator, course, DEFAULT, now=NOW)


def test_active_series_may_be_chosen_the_soonest_first(house, course, protocol):
    later = mailroom.series(house, mailroom.patient(house, "Grace"), STARTS[1] + DAY)
    with db.read() as session:
        found = series_preview.choices(session, house.coordinator, protocol.code, now=NOW)
    assert [one.course_id for one in found] == [course, later]
    assert found[0].next_at == STARTS[0]


def test_a_protocol_stored_by_an_older_version_lacks_what_came_later():
    old = tuple(step for step in DEFAULT if step.purpose not in (Purpose.QUESTIONNAIRE, Purpose.SAME_DAY))
    stored = replace(SHIPPED[0], cadence=old)
    assert cadences.lacks(stored, stored.cadence) == [Purpose.SAME_DAY, Purpose.QUESTIONNAIRE]
    assert cadences.lacks(stored, DEFAULT) == []
    assert cadences.lacks(replace(stored, code="own"), old) == []
