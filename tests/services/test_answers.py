"""A text comes in: understood it is done once, not understood it is a person's to read, and STOP counts at once."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.faults.killed_worker import DESK
from tracker import db
from tracker.dispatch import Worker
from tracker.models import (
    AuditEntry,
    AuditHead,
    ContactPoint,
    Patient,
    ProviderEvent,
    Reminder,
    Task,
    Visit,
    VisitEvent,
)
from tracker.rules.cadence import Purpose
from tracker.rules.gsm import cut
from tracker.rules.vocabulary import ContactChannel, ReminderChannel, ReminderStatus, TaskStatus
from tracker.services import answers, moving, telling

DAY = timedelta(days=1)
VISIT, SECOND = NOW + 2 * DAY, NOW + 5 * DAY
NUMBER, OTHERS = "+15055550142", "+15055550199"


def _written(model) -> list:
    names = ("seq", "entered_at", "created_at", "received_at", "kind", "detail")
    return [model.__table__.c[name] for name in names if name in model.__table__.c]


class Desk:
    """A clinic with Ada, who is booked twice and has agreed to texts, and who writes to it."""

    def __init__(self) -> None:
        self.house = make_clinic()
        self.ada = mailroom.patient(self.house, "Ada")
        self.point = self.texts(self.ada)
        mailroom.series(self.house, self.ada, VISIT, SECOND)
        self.count = 0

    def texts(self, patient_id, number: str = NUMBER, *, channel=ContactChannel.SMS, consent: bool = True):
        """Give a patient a number, with consent to texts."""
        with db.transaction() as session:
            point = mailroom.address(self.house, patient_id, number, consent)
            point.channel = channel
            session.add(point)
            session.flush()
            return point.id

    def texted(self, purpose: Purpose = Purpose.VISIT, *, at=NOW) -> None:
        """Let a text have left to Ada."""
        with db.transaction() as session:
            row = session.scalars(
                select(Reminder).where(Reminder.purpose == purpose).order_by(Reminder.subject_at)
            ).first()
            row.status, row.channel, row.sent_at = ReminderStatus.DELIVERED, ReminderChannel.SMS, at
            row.contact_point_id = self.point

    def write(self, body: str, *, sender: str = NUMBER, now=NOW + timedelta(hours=1)) -> str | None:
        """Let a text come in; return what is answered."""
        self.count += 1
        now += timedelta(seconds=self.count)
        raw = urlencode({"From": sender, "To": "+15055550100", "Body": body, "MessageSid": f"SM{self.count}"})
        with db.transaction() as session:
            event = ProviderEvent(
                provider="sms", external_id=f"SM{self.count}", kind=answers.KIND, raw=raw, received_at=now
            )
            session.add(event)
        return self.apply(event, now=now)

    def apply(self, event: ProviderEvent, *, now=NOW + timedelta(hours=1)) -> str | None:
        """Make of a text what is to be made."""
        with db.transaction() as session:
            return answers.text(session, session.get_one(ProviderEvent, event.id), now=now)

    def all(self, model, *where):
        """Return rows in the order they were written."""
        with db.read() as session:
            return list(session.scalars(select(model).where(*where).order_by(*_written(model))))

    def visits(self) -> list[Visit]:
        """Return Ada's visits."""
        return sorted(self.all(Visit), key=lambda visit: visit.starts_at)

    def said(self) -> list[str]:
        """Return what stands in the visits' histories."""
        return [event.kind for event in self.all(VisitEvent)]

    def tasks(self) -> list[tuple[str, str]]:
        """Return what is to do, with its words."""
        return [(task.kind, task.detail) for task in self.all(Task, Task.status == TaskStatus.OPEN)]

    def contact(self, point=None) -> ContactPoint:
        """Return Ada's number."""
        with db.read() as session:
            return session.get_one(ContactPoint, point or self.point)


@pytest.fixture
def desk(database) -> Desk:
    """Return a clinic that texts come to."""
    return Desk()


def test_yes_confirms_the_visit_that_the_last_text_was_about(desk):
    desk.texted()
    reply = desk.write("Sí, gracias")
    first, second = desk.visits()
    assert (first.confirmed_at is not None, second.confirmed_at) == (True, None)
    assert "Wed, Mar 4, 9:00 AM" in reply
    assert desk.said() == ["confirmed"]
    assert desk.tasks() == []


def test_yes_to_all_dates_confirms_the_next(desk):
    desk.texted(Purpose.ITINERARY)
    desk.write("C")
    assert desk.visits()[0].confirmed_at is not None


@pytest.mark.parametrize("purpose", [None, Purpose.NEXT_DAY])
def test_yes_to_nothing_that_asked_is_for_a_person(desk, purpose):
    """She may be answering how she is; nobody takes that for "I will come"."""
    if purpose:
        desk.texted(purpose)
    desk.write("Yes")
    assert desk.visits()[0].confirmed_at is None
    assert desk.tasks() == [("patient_text", "“Yes”")]


@pytest.mark.parametrize("purpose", [Purpose.VISIT, Purpose.ITINERARY])
def test_yes_to_nine_oclock_is_none_to_ten(desk, purpose):
    """The visit moved after the text had left."""
    desk.texted(purpose)
    with db.transaction() as session:
        visit = session.get_one(Visit, desk.visits()[0].id)
        visit.starts_at += timedelta(hours=1)
        moving.note(session, desk.house.coordinator, visit, "9 → 10", None, now=NOW + timedelta(minutes=30))
    desk.write("C")
    assert desk.visits()[0].confirmed_at is None
    assert desk.tasks() == [("patient_text", "“C”")]


def test_the_same_text_again_changes_nothing(desk):
    desk.texted()
    desk.write("What about parking?")
    [event] = desk.all(ProviderEvent)
    before = (desk.said(), desk.tasks(), len(desk.all(AuditEntry)))
    assert desk.apply(event) is None
    assert (desk.said(), desk.tasks(), len(desk.all(AuditEntry))) == before
    with db.read() as session:
        assert answers.left(session, now=NOW + DAY) == []


@pytest.mark.parametrize("word", ["STOP", "cancel", "Alto.", "Opt-out please"])
def test_stop_counts_at_once_and_says_nothing_back(desk, word):
    """The provider confirms by itself; the visit stays as it is."""
    desk.texted()
    version = desk.all(Patient)[0].version
    assert desk.write(word) is None
    point = desk.contact()
    assert (point.opted_out_at, point.opted_out_how) == (NOW + timedelta(hours=1, seconds=1), "text: STOP")
    assert desk.visits()[0].status == "booked"
    assert desk.said() == ["stopped"]
    assert desk.tasks() == []
    assert desk.all(Patient)[0].version > version  # a form that staff has open can't undo it unseen


def test_stop_with_more_to_say_is_read_by_a_person_too(desk):
    assert desk.write("Stop, I moved to Texas") is None
    assert desk.contact().opted_out_at is not None
    assert desk.tasks() == [("patient_text", "“Stop, I moved to Texas”")]


def test_stop_leaves_the_other_ways_alone(desk):
    desk.write("STOP")
    others = desk.all(ContactPoint, ContactPoint.channel != ContactChannel.SMS)
    assert [point.opted_out_at for point in others] == [None]


def test_start_gives_back_what_was_agreed_to(desk):
    desk.write("STOP")
    assert desk.write("START") is None
    assert (desk.contact().opted_out_at, desk.contact().opted_out_how) == (None, None)
    assert desk.tasks() == []


def test_start_is_no_consent_where_there_never_was_one(desk):
    with db.transaction() as session:
        point = session.get_one(ContactPoint, desk.point)
        point.consent_at = point.consent_wording = None
        point.opted_out_at, point.opted_out_how = NOW, "told us"
    desk.write("START")
    assert (desk.contact().consent_at, desk.contact().opted_out_how) == (None, "told us")
    assert desk.tasks() == [("patient_text", "“START”")]


@pytest.mark.parametrize("calls", [False, True])
def test_start_after_stop_gives_no_consent_that_never_was_there(desk, calls):
    """Not even where she may be called at the same number: that is another consent. Somebody asks her."""
    with db.transaction() as session:
        point = session.get_one(ContactPoint, desk.point)
        point.consent_at = point.consent_wording = None
    if calls:
        desk.texts(desk.ada, channel=ContactChannel.PHONE)
    assert desk.write("STOP") is None
    assert desk.write("START") is None
    point = desk.contact()
    assert (point.consent_at, point.consent_wording, point.opted_out_how) == (None, None, "text: STOP")
    assert desk.said() == ["stopped", "text"]
    assert desk.tasks() == [("patient_text", "“START”")]


def test_whoever_stopped_is_not_answered(desk):
    desk.write("STOP")
    assert desk.write("Where do I park?") is None
    assert desk.tasks() == [("patient_text", "“Where do I park?”")]


def test_another_time_is_asked_for_and_the_visit_stays(desk):
    desk.texted()
    reply = desk.write("otra hora")
    assert "stays booked" in reply
    visit = desk.visits()[0]
    assert (visit.status, visit.starts_at) == ("booked", VISIT)
    [task] = desk.all(Task)
    assert (task.kind, task.visit_id, task.urgent) == ("other_time", visit.id, True)
    assert desk.said() == ["other_time"]


def test_cant_come_takes_the_yes_back_and_yes_takes_it_back_again(desk):
    desk.texted()
    desk.write("C")
    desk.write("I can't come")
    assert desk.visits()[0].confirmed_at is None
    assert desk.visits()[0].status == "booked"
    assert desk.tasks() == [("cant_come", "“I can't come”")]
    desk.write("C")
    assert desk.visits()[0].confirmed_at is not None
    assert desk.tasks() == []


def test_asking_twice_is_one_task_with_the_last_words(desk):
    desk.write("R")
    desk.write("another day please")
    assert desk.tasks() == [("other_time", "“another day please”")]


def test_a_move_settles_what_was_asked_for(desk):
    desk.write("R")
    with db.transaction() as session:
        visit = session.get_one(Visit, desk.visits()[0].id)
        telling.settle(session, desk.house.coordinator, visit, "Moved", now=NOW)
    [task] = desk.all(Task)
    assert (task.status, task.outcome) == (TaskStatus.DONE, "Moved")


def test_what_is_not_understood_is_quoted_and_answered_once_in_a_while(desk):
    first = desk.write("Can my sister come with me?")
    assert "opening hours" in first
    assert desk.write("Hello?") is None
    assert desk.tasks() == [("patient_text", "“Can my sister come with me?”"), ("patient_text", "“Hello?”")]
    assert desk.said() == ["text", "text"]


def test_danger_is_a_nurses_and_answered_each_time(desk):
    for _again in range(2):
        assert "988" in desk.write("I want to die")
    tasks = desk.all(Task)
    assert {(task.owner_role, task.urgent) for task in tasks} == {("nurse", True)}
    assert all(task.due_at <= NOW + timedelta(hours=2, minutes=1) for task in tasks)


def test_a_patient_without_a_visit_is_heard(desk):
    ben = mailroom.patient(desk.house, "Ben")
    desk.texts(ben, OTHERS, channel=ContactChannel.PHONE)
    desk.write("I can't come", sender=OTHERS)
    [task] = desk.all(Task)
    assert (task.patient_id, task.visit_id, task.detail) == (ben, None, "“I can't come”")


def test_an_unknown_number_is_kept_raw_and_somebody_looks(desk):
    assert desk.write("Is this the dentist?", sender="+15055550177") is None
    desk.write("Hello??", sender="+15055550177")
    [task] = desk.all(Task)
    assert (task.kind, task.patient_id) == ("unknown_text", None)
    assert task.detail == "(505) 555-0177: “Hello??”"
    assert [event.patient_id for event in desk.all(ProviderEvent)] == [None, None]
    assert desk.write("STOP", sender="+15055550177") is None
    assert len(desk.all(Task)) == 1


def test_a_number_that_a_patient_had_is_known_where_she_is(desk):
    """Whoever has her old number now says that it is wrong: her clinic hears of it, and no other."""
    second = Desk()
    points = [one.texts(one.ada, OTHERS) for one in (second, desk)]
    with db.transaction() as session:
        for ago, point in enumerate(points):
            session.get_one(ContactPoint, point).ended_at = NOW - ago * DAY
    desk.write("Wrong number", sender=OTHERS)
    assert [task.clinic_id for task in desk.all(Task)] == [second.house.clinic.id]


def test_two_with_one_number_are_told_apart_by_a_person(desk):
    ben = mailroom.patient(desk.house, "Ben")
    bens = desk.texts(ben)
    desk.texted()
    assert desk.write("C") is None
    assert desk.visits()[0].confirmed_at is None
    [task] = desk.all(Task)
    assert (task.kind, task.patient_id) == ("patient_text", None)
    assert "Ada Test or Ben Test" in task.detail
    desk.write("STOP")
    assert desk.contact().opted_out_at is not None
    assert desk.contact(bens).opted_out_at is not None


def test_start_on_a_shared_number_leaves_alone_what_one_of_them_told_the_staff(desk):
    bens = desk.texts(mailroom.patient(desk.house, "Ben"))
    with db.transaction() as session:
        point = session.get_one(ContactPoint, bens)
        point.opted_out_at, point.opted_out_how = NOW, "told us"
    desk.write("START")
    assert desk.contact(bens).opted_out_at is not None


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_answer_is_one_text(desk, language):
    """A segment each, whatever the language."""
    with db.transaction() as session:
        session.get_one(Patient, desk.ada).language = language
    desk.texted()
    replies = [desk.write(body) for body in ("HELP", "C", "R", "no voy", "hm", "I want to die")]
    assert all(replies)
    assert [(reply, cut(reply).segments) for reply in replies] == [(reply, 1) for reply in replies]


@pytest.mark.parametrize(
    "raw", ["", "{", "[]", "From=%00&Body=%FF%FE", '{"From": null, "Body": 7}', '{"Body": "\\ud800"}']
)
def test_whatever_comes_is_kept_and_no_error(desk, raw):
    with db.transaction() as session:
        event = ProviderEvent(provider="sms", external_id="SMx", kind=answers.KIND, raw=raw, received_at=NOW)
        session.add(event)
    assert desk.apply(event) is None
    assert desk.all(ProviderEvent)[0].applied_at is not None


def caught_up() -> int:
    """Let a worker do what was left over; return how many texts it made something of."""
    return Worker({}, DESK, name="test").tick(NOW + timedelta(hours=1))["answers"]


def test_a_text_that_nothing_can_be_made_of_keeps_no_other_from_being_heard(desk):
    """Whatever fails in the middle of one text: a person gets it as it came, the next one is done."""
    desk.texted()
    with db.transaction() as session:
        session.merge(desk.house.clinic).zone_name = "Nowhere"  # where no time can be said
        for number, body in enumerate(("C", "STOP")):
            answers.keep(session, "twilio", f"SM{number}", {"From": NUMBER, "Body": body}, now=NOW)
    assert caught_up() == 2
    assert desk.visits()[0].confirmed_at is None
    assert desk.contact().opted_out_at is not None
    assert [(kind, detail[-3:]) for kind, detail in desk.tasks()] == [("unknown_text", "“C”")]


def test_what_nothing_can_be_made_of_is_read_in_the_patients_own_clinic(desk):
    second = Desk()
    with db.transaction() as session:
        session.merge(second.house.clinic).zone_name = "Nowhere"
        session.get_one(ContactPoint, second.point).address = OTHERS
        answers.keep(session, "twilio", "SM1", {"From": OTHERS, "Body": "Can't come"}, now=NOW)
    assert caught_up() == 1
    assert [task.clinic_id for task in desk.all(Task)] == [second.house.clinic.id]


def test_a_text_that_the_database_refuses_keeps_no_other_from_being_heard(desk):
    """Its task is there already, by whatever accident."""
    with db.transaction() as session:
        [refused, _] = [
            answers.keep(session, "twilio", f"SM{number}", {"From": NUMBER, "Body": body}, now=NOW)
            for number, body in enumerate(("Hello?", "STOP"))
        ]
        session.add(
            Task(
                clinic_id=desk.house.clinic.id,
                kind="patient_text",
                key=f"patient_text:{refused.id}",
                owner_role="coordinator",
                opens_at=NOW,
                due_at=NOW,
                created_at=NOW,
            )
        )
    assert caught_up() == 2
    assert desk.contact().opted_out_at is not None
    assert [task for task in desk.tasks() if "Hello?" in task[1]], "a person gets it as it came"


def test_a_text_that_not_even_a_person_can_be_given_keeps_no_other_from_being_heard(desk, caplog):
    """The clinic of the first has lost the end of its audit's chain, so nothing of it can be written down."""
    other = make_clinic(now=NOW + DAY)
    ben = mailroom.patient(other, "Ben")
    with db.transaction() as session:
        bens = mailroom.number(other, ben, OTHERS)
        session.add(bens)
        session.delete(session.get_one(AuditHead, desk.house.clinic.id))
        for number, sender in enumerate((NUMBER, OTHERS)):
            answers.keep(session, "twilio", f"SM{number}", {"From": sender, "Body": "STOP"}, now=NOW)
    assert caught_up() == 1
    assert desk.contact(bens.id).opted_out_at is not None
    assert desk.contact().opted_out_at is None
    assert [event.applied_at is None for event in desk.all(ProviderEvent)] == [True, False], "it is tried again"
    assert "STOP" not in caplog.text
