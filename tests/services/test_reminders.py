"""What a course is planned to say, written with it, called back with it."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests import mailroom
from tests.conftest import NOW
from tests.factories import COTTONWOOD, make_clinic
from tracker import db
from tracker.errors import NotFound
from tracker.models import Course, Patient, ProtocolVersion, Reminder, Task, Visit, VisitEvent
from tracker.rules.cadence import Purpose
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus, VisitStatus
from tracker.services import followup, links, reminders, settings, tasks, telling

DAY = timedelta(days=1)
SIX = [NOW + timedelta(days=n) for n in (7, 9, 11, 14, 16, 18)]


@pytest.fixture
def house(database):
    """Return a clinic."""
    return make_clinic()


@pytest.fixture
def course(house):
    """Book Ada's six visits from next Monday, 9:00."""
    return mailroom.series(house, mailroom.patient(house, "Ada"), *SIX)


def live(course_id):
    """Count the messages that are still to go, by purpose."""
    return Counter(row.purpose for row in mailroom.messages(course_id) if row.status in mailroom.LIVE)


def test_six_visits_ask_for_these_messages(course):
    assert live(course) == {
        Purpose.ITINERARY: 1,
        Purpose.FIRST_VISIT: 1,
        Purpose.VISIT: 6,
        Purpose.NEXT_DAY: 2,  # on the other days it is asked in the reminder of the next visit
        Purpose.THERAPY: 2,
        Purpose.CHECK_IN: 1,
        Purpose.LATE_CHECK_IN: 1,
    }


def test_planning_again_changes_nothing(house, course):
    before = [(row.id, row.status, row.send_at) for row in mailroom.messages()]
    assert mailroom.plan(house, course, now=NOW + DAY) == reminders.Planned()
    assert [(row.id, row.status, row.send_at) for row in mailroom.messages()] == before


def test_a_cancelled_visit_takes_its_messages_with_it(house, course):
    mailroom.cancel(house, course, 3, now=NOW + DAY)
    off = [row for row in mailroom.messages() if row.status is ReminderStatus.CANCELLED]
    assert sorted(row.purpose for row in off) == [Purpose.NEXT_DAY, Purpose.VISIT]
    assert live(course)[Purpose.VISIT] == 5


def test_a_cancelled_last_visit_passes_the_check_ins_to_the_one_before(house, course):
    mailroom.cancel(house, course, 6, now=NOW + DAY)
    [check_in] = [row for row in mailroom.messages() if row.purpose == Purpose.CHECK_IN and row.status in mailroom.LIVE]
    assert check_in.subject_at == SIX[4]


def test_a_moved_visit_replaces_its_messages(house, course):
    later = SIX[1] + timedelta(hours=3)
    mailroom.change_visit(house, course, 2, now=NOW + DAY, starts_at=later, ends_at=later + timedelta(hours=2))
    old = [row for row in mailroom.messages() if row.subject_at == SIX[1]]
    new = [row for row in mailroom.messages() if row.subject_at == later]
    assert {row.status for row in old} == {ReminderStatus.SUPERSEDED}
    assert {(row.purpose, row.status) for row in new} == {
        (Purpose.VISIT, ReminderStatus.SCHEDULED),
        (Purpose.SAME_DAY, ReminderStatus.SCHEDULED),  # at noon there is a morning before it
    }
    assert live(course)[Purpose.VISIT] == 6


def test_a_visit_moved_there_and_back_is_asked_for_once(house, course):
    for start in (SIX[1] + timedelta(hours=3), SIX[1]):
        mailroom.change_visit(house, course, 2, now=NOW + DAY, starts_at=start, ends_at=start + timedelta(hours=2))
    assert live(course)[Purpose.VISIT] == 6


def test_another_room_is_nothing_to_write_about(house, course):
    mailroom.change_visit(house, course, 2, now=NOW + DAY, room_id=house.resources["Mesa"])
    assert {row.status for row in mailroom.messages()} == {ReminderStatus.SCHEDULED}


def test_what_left_is_not_written_again_and_not_called_back(house, course):
    with db.transaction() as session:
        for row in mailroom.messages():
            if row.purpose == Purpose.ITINERARY:
                session.merge(row).status = ReminderStatus.ACCEPTED
    mailroom.cancel(house, course, 1, now=NOW + DAY)
    assert mailroom.plan(house, course, now=NOW + DAY) == reminders.Planned()
    assert [row.status for row in mailroom.messages() if row.purpose == Purpose.ITINERARY] == [ReminderStatus.ACCEPTED]


def test_a_discharge_keeps_what_comes_after(house, course):
    at = SIX[0] + timedelta(hours=2)
    mailroom.change_visit(house, course, 1, now=at, status=VisitStatus.DISCHARGED)
    assert [row.status for row in mailroom.messages() if row.visit_id and row.subject_at == SIX[0]] == [
        ReminderStatus.CANCELLED,  # three days before
        ReminderStatus.CANCELLED,  # 24 hours before
        ReminderStatus.SCHEDULED,  # therapy
    ]


def test_another_clinic_can_not_plan_it(house, course):
    other = make_clinic(COTTONWOOD)
    with db.transaction() as session, pytest.raises(NotFound):
        reminders.plan_for_course(session, other.coordinator, session.get_one(Course, course), [], now=NOW)


def test_the_course_has_one_link_that_outlives_its_last_visit(house, course):
    mailroom.plan(house, course, now=NOW + DAY)
    with db.read() as session:
        link = links.find_course_link(session, course)
        assert link.expires_at == SIX[-1] + links.LIFETIME
    later = SIX[-1] + 7 * DAY
    mailroom.change_visit(house, course, 6, now=NOW + DAY, starts_at=later, ends_at=later + timedelta(hours=2))
    with db.read() as session:
        assert links.find_course_link(session, course).id == link.id
        assert links.find_course_link(session, course).expires_at == later + links.LIFETIME


def moved(house, course, ordinal, start, *, now):
    """Move a visit as booking does: with its history, and with the message about it."""
    with db.transaction() as session:
        visit = session.scalars(select(Visit).where(Visit.course_id == course, Visit.ordinal == ordinal)).one()
        session.add(
            VisitEvent(clinic_id=house.clinic.id, visit_id=visit.id, kind="moved", occurred_at=now, entered_at=now)
        )
    ends_at = start + timedelta(minutes=150)
    mailroom.change_visit(house, course, ordinal, now=now, changed=True, starts_at=start, ends_at=ends_at)


def left(course):
    """Let everything that is due have left."""
    with db.transaction() as session:
        for row in mailroom.messages(course):
            if row.purpose in (Purpose.ITINERARY, Purpose.CHANGED):
                session.merge(row).status = ReminderStatus.ACCEPTED


def test_a_change_is_told_in_one_message_however_many_visits_move(house, course):
    left(course)
    for ordinal in (2, 3, 4):
        moved(house, course, ordinal, SIX[ordinal - 1] + timedelta(hours=1), now=NOW + DAY)
    assert live(course)[Purpose.CHANGED] == 1
    left(course)
    moved(house, course, 2, SIX[1], now=NOW + 2 * DAY)  # back again: that has to be told, too
    assert live(course)[Purpose.CHANGED] == 1


def test_a_change_before_the_dates_were_told_needs_no_message_of_its_own(house, course):
    moved(house, course, 2, SIX[1] + timedelta(hours=1), now=NOW + timedelta(minutes=1))
    assert live(course)[Purpose.CHANGED] == 0
    assert live(course)[Purpose.ITINERARY] == 1


def test_a_visit_brought_to_within_a_day_is_told_once(house):
    """The itinerary said another day, and the reminder for the new one would be due at once, too."""
    course = mailroom.series(house, mailroom.patient(house, "Grace"), NOW + 3 * DAY)
    left(course)
    moved(house, course, 1, NOW + timedelta(hours=25), now=NOW + timedelta(hours=2))
    assert live(course)[Purpose.CHANGED] == 1
    assert live(course)[Purpose.VISIT] == 0


def test_however_many_visits_are_cancelled_the_patient_is_told_once(house, course):
    """The last one leaves none to tell of, and that is told."""
    left(course)
    for ordinal in range(1, 7):
        mailroom.cancel(house, course, ordinal, now=NOW + DAY, changed=True)
        assert live(course)[Purpose.CHANGED] == 1
    assert live(course) == {Purpose.CHANGED: 1}


def test_whoever_was_never_told_of_her_dates_is_not_told_that_none_is_left(house, course):
    for ordinal in range(1, 7):
        mailroom.cancel(house, course, ordinal, now=NOW, changed=True)
    assert live(course) == {}


def test_the_last_date_cancelled_after_the_others_were_told_is_told_too(house, course):
    left(course)
    for ordinal in range(1, 6):
        mailroom.cancel(house, course, ordinal, now=NOW + DAY, changed=True)
    left(course)
    mailroom.cancel(house, course, 6, now=NOW + 2 * DAY, changed=True)
    assert live(course) == {Purpose.CHANGED: 1}


def test_planning_again_leaves_the_message_about_a_change(house, course):
    left(course)
    moved(house, course, 2, SIX[1] + timedelta(hours=1), now=NOW + DAY)
    assert mailroom.plan(house, course, now=NOW + DAY) == reminders.Planned()
    assert live(course)[Purpose.CHANGED] == 1


def test_a_lost_visit_is_not_asked_for_and_told_of_once(house, course):
    """No "come tomorrow" goes out for a day that fell out."""
    with db.transaction() as session:
        visit = session.scalars(select(Visit).where(Visit.course_id == course, Visit.ordinal == 2)).one()
        reminders.tell_closed(session, visit, now=NOW + DAY)
        reminders.tell_closed(session, visit, now=NOW + DAY)
    mailroom.change_visit(house, course, 2, now=NOW + DAY, lost_at=NOW + DAY)
    assert live(course)[Purpose.CLOSED] == 1
    assert live(course)[Purpose.VISIT] == 5


def test_how_are_you_has_a_message_of_its_own_again_when_the_reminder_it_was_asked_in_is_off(house, course):
    """Visit 2's next day is the day before visit 3."""
    [asking] = [r for r in mailroom.messages() if r.subject_at == SIX[2] and r.purpose == Purpose.VISIT]
    assert asking.asks_how
    mailroom.cancel(house, course, 3, now=NOW + DAY)
    [own] = [r for r in mailroom.messages() if r.subject_at == SIX[1] and r.purpose == Purpose.NEXT_DAY]
    assert own.status is ReminderStatus.SCHEDULED


def test_a_reminder_stops_asking_how_a_visit_was_that_did_not_take_place(house, course):
    at = SIX[1] + timedelta(hours=2)
    mailroom.change_visit(house, course, 2, now=at, status=VisitStatus.NO_SHOW)
    [row] = [r for r in mailroom.messages() if r.subject_at == SIX[2] and r.purpose == Purpose.VISIT]
    assert not row.asks_how


def test_quiet_hours_are_counted_where_the_patient_lives(house):
    """A reminder at 9:00 in Denver would be at 5:00 in Honolulu: it waits three hours."""
    person = mailroom.patient(house, "Ada")
    with db.transaction() as session:
        session.get_one(Patient, person).zone_name = "Pacific/Honolulu"
    course = mailroom.series(house, person, *SIX)
    [row] = [r for r in mailroom.messages(course) if r.subject_at == SIX[3] and r.purpose == Purpose.VISIT]
    assert row.send_at == SIX[3] - DAY + timedelta(hours=2)  # clocks in Denver went forward meanwhile


def test_quiet_hours_are_the_clinics_own(house, course):
    with db.transaction() as session:
        settings.change(session, house.coordinator, "quiet.until", "10.5", now=NOW)
    mailroom.plan(house, course, now=NOW)
    [row] = [r for r in mailroom.messages() if r.subject_at == SIX[1] and r.purpose == Purpose.VISIT]
    assert row.send_at == SIX[1] - DAY + timedelta(minutes=30)


def booked(house, *starts):
    """Book a series with its follow-up plan."""
    course = mailroom.series(house, mailroom.patient(house, "Ada"), *starts)
    with db.transaction() as session:
        row = session.get_one(Course, course)
        row.protocol_id = session.scalars(select(ProtocolVersion.id).where(ProtocolVersion.code == "B")).first()
        session.flush()
        visits = session.scalars(select(Visit).where(Visit.course_id == course)).all()
        followup.plan_for_course(session, house.coordinator, row, visits, now=NOW)
    mailroom.plan(house, course, now=NOW)
    return course


def test_each_questionnaire_of_the_plan_is_asked_for_until_it_is_answered(house):
    course = booked(house, *SIX)
    assert live(course)[Purpose.QUESTIONNAIRE] == 6
    with db.transaction() as session:
        task = session.scalars(select(Task).where(Task.kind == "weekly_score").order_by(Task.due_at)).first()
        followup.done_by_itself(session, house.coordinator, task, "answered", now=NOW)
    mailroom.plan(house, course, now=NOW + DAY)
    assert live(course)[Purpose.QUESTIONNAIRE] == 5
    [row] = [r for r in mailroom.messages(course) if r.status is ReminderStatus.CANCELLED]
    assert (row.purpose, row.task_id, row.reason) == (
        Purpose.QUESTIONNAIRE,
        task.id,
        "It is answered, or not asked any more.",
    )


def test_how_are_you_is_not_asked_again_when_the_visit_moves_whose_reminder_asked(house):
    first, second = NOW + 7 * DAY, NOW + 9 * DAY
    course = mailroom.series(house, mailroom.patient(house, "Ada"), first, second)
    mailroom.change_visit(house, course, now=first + timedelta(hours=3), status=VisitStatus.DISCHARGED)
    at = second - DAY
    with db.transaction() as session:
        mine = (Reminder.purpose == Purpose.VISIT, Reminder.subject_at == second)
        left = {"status": ReminderStatus.ACCEPTED, "channel": ReminderChannel.EMAIL, "sent_at": at}
        session.execute(update(Reminder).where(*mine).values(**left))
    later = second + 3 * DAY
    mailroom.change_visit(house, course, 2, now=at, starts_at=later, ends_at=later + timedelta(hours=2))
    assert live(course)[Purpose.VISIT] == 1
    asked = [
        row for row in mailroom.messages(course) if row.purpose == Purpose.NEXT_DAY and row.status in mailroom.LIVE
    ]
    assert {row.subject_at for row in asked} == {later}


def patient_of(house):
    """Return the patient as who says something on her page."""
    return telling.on_page(Actor(house.clinic.id, None, None, "patient by link"))


def the_visit(session, course, ordinal=1):
    """Return a visit of a course."""
    return session.scalars(select(Visit).where(Visit.course_id == course, Visit.ordinal == ordinal)).one()


def cant_come(house, course, *, now):
    """Let the patient of the first visit say that she can't come."""
    with db.transaction() as session:
        telling.cant_come(session, patient_of(house), the_visit(session, course), "ill", now=now)


AT_ONE = NOW + timedelta(days=7, hours=4)  # there is a morning before it


def before(course, start=AT_ONE):
    """Return what is said before a visit, with its state and the reason."""
    wanted = (Purpose.FIRST_VISIT, Purpose.VISIT, Purpose.SAME_DAY)
    rows = [row for row in mailroom.messages(course) if row.subject_at == start and row.purpose in wanted]
    return Counter((row.purpose.value, row.status.value, row.reason) for row in rows)


def test_who_cant_come_is_not_asked_to_come_until_it_is_settled_with_her(house):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), AT_ONE, SIX[2])
    cant_come(house, course, now=NOW + 6 * DAY)
    why = "The patient can't come; somebody is to call."
    off = {(purpose, "cancelled", why) for purpose in ("first_visit", "visit", "same_day")}
    assert before(course).keys() == off
    assert before(course, SIX[2]) == {("visit", "scheduled", ""): 1}  # to the next one she comes
    assert mailroom.plan(house, course, now=NOW + 6 * DAY) == reminders.Planned()
    with db.transaction() as session:
        telling.confirm(session, patient_of(house), the_visit(session, course), now=NOW + 6 * DAY)
    # What is of no use any more stays off, and so does the question in the morning: she has just answered it.
    assert before(course) == {**dict.fromkeys(off, 1), ("visit", "scheduled", ""): 1}
    assert mailroom.plan(house, course, now=NOW + 6 * DAY) == reminders.Planned()


def test_who_cant_come_is_asked_again_once_somebody_has_seen_to_it(house):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), AT_ONE)
    cant_come(house, course, now=NOW + 6 * DAY)
    with db.transaction() as session:
        task = session.scalars(select(Task).where(Task.kind == "cant_come")).one()
        done = tasks.CloseTask(version=task.version, outcome="Called: comes after all")
        tasks.close(session, house.coordinator, task.id, done, now=NOW + 6 * DAY)
    assert live(course)[Purpose.VISIT] == live(course)[Purpose.SAME_DAY] == 1


def test_who_cant_come_is_told_of_a_move_and_asked_as_usual(house):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), AT_ONE)
    cant_come(house, course, now=NOW + DAY)
    with db.transaction() as session:
        telling.settle(session, house.coordinator, the_visit(session, course), "Moved", now=NOW + DAY)
    later = AT_ONE + DAY
    moved = {"starts_at": later, "ends_at": later + timedelta(hours=2)}
    mailroom.change_visit(house, course, now=NOW + DAY, changed=True, **moved)
    assert before(course, later) == {(purpose, "scheduled", ""): 1 for purpose in ("first_visit", "visit", "same_day")}


def test_a_worker_that_looked_before_she_said_that_she_cant_come_sends_nothing(house):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), AT_ONE, booked_at=NOW)
    at = AT_ONE - DAY
    with db.transaction() as session:
        session.execute(update(Reminder).where(Reminder.purpose != Purpose.VISIT).values(status="expired"))
    [held] = mailroom.take(now=at)
    letter = mailroom.look(held, now=at)
    cant_come(house, course, now=at)
    assert letter.purpose is Purpose.VISIT
    assert not mailroom.mark(letter, now=at)


def test_who_confirms_is_not_asked_in_the_morning(house):
    course = mailroom.series(house, mailroom.patient(house, "Ada"), NOW + timedelta(days=7, hours=4))
    assert live(course)[Purpose.SAME_DAY] == 1
    with db.transaction() as session:
        telling.confirm(session, patient_of(house), the_visit(session, course), now=NOW)
    assert live(course)[Purpose.SAME_DAY] == 0
    assert mailroom.plan(house, course, now=NOW + DAY) == reminders.Planned()
    assert live(course)[Purpose.SAME_DAY] == 0
