"""What a patient can do behind the link, and what nobody else can."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from tests.conftest import NOW
from tests.services.test_booking import MONDAY, command
from tests.web.conftest import KEY
from tracker import clock, db
from tracker.models import (
    ContactPoint,
    Patient,
    PatientLink,
    ProtocolVersion,
    RecoveryNote,
    ScaleResponse,
    Task,
    Visit,
    VisitEvent,
)
from tracker.rules.vocabulary import ContactChannel, Indication, VisitStatus
from tracker.services import booking, links, places


class Guest:
    """A patient with a booked series and a browser."""

    def __init__(self, house, client, name: str = "Maria Garcia") -> None:
        self.client = client
        patient_id = house.patient(name)
        with db.transaction() as session:
            protocol = session.scalars(
                select(ProtocolVersion).where(ProtocolVersion.code == "B", ProtocolVersion.clinic_id == house.clinic.id)
            ).one()
            asked = command(booking.PlanCourse, protocol_id=protocol.id, first_day=MONDAY)
            plan = booking.options(session, house.coordinator, patient_id, asked, now=NOW).plans[0]
            wanted = command(
                booking.BookCourse,
                protocol_id=protocol.id,
                first_day=MONDAY,
                indication=Indication.TRD,
                visit=tuple(places.as_place(visit) for visit in plan.visits),
            )
            self.course = booking.book_course(session, house.coordinator, patient_id, wanted, now=NOW)
            link = session.scalars(select(PatientLink).where(PatientLink.course_id == self.course.id)).one()
            self.token = links.make_token(KEY.encode(), link.id, link.generation)
            self.home = f"/my/{link.id}/"

    def enter(self) -> "Guest":
        """Tap the button behind the link."""
        answer = self.client.post(f"/v/{self.token}")
        assert (answer.status_code, answer.location) == (303, self.home)
        return self

    def visits(self) -> list[Visit]:
        """Return the patient's visits."""
        with db.read() as session:
            query = select(Visit).where(Visit.course_id == self.course.id).order_by(Visit.ordinal)
            return list(session.scalars(query))

    def post(self, path: str, **fields):
        """Send a form."""
        return self.client.post(self.home + path, data=fields)


@pytest.fixture
def guest(app, house, browser) -> Guest:
    """Return a patient who has just been booked."""
    return Guest(house, browser())


def first_visit_given(guest: Guest) -> None:
    """Let the first visit be over."""
    with db.transaction() as session:
        visit = session.get(Visit, guest.visits()[0].id)
        visit.status = VisitStatus.DISCHARGED


def test_the_links_own_page_says_nothing_and_changes_nothing(guest):
    """A mail scanner that follows the link learns no name and leaves no trace."""
    answer = guest.client.get(f"/v/{guest.token}")
    assert answer.status_code == 200
    assert "Maria" not in answer.text
    assert "infusion" not in answer.text.lower()
    assert guest.client.get(guest.home).status_code == 404


def test_the_page_shows_what_is_next_and_all_dates(guest):
    """Six dates, the next one first, and how to prepare."""
    page = guest.enter().client.get(guest.home)
    assert page.status_code == 200
    assert "Hello, Maria" in page.text
    assert page.text.count('class="step') >= 6
    assert "No solid food for 6 hours" in page.text
    assert "988" in page.text
    assert not re.search("ketamine|infusion|depress", page.text, re.I)


def test_confirming_is_a_tap_and_once(guest):
    """The visit says so, the history says so once."""
    visit = guest.enter().visits()[0]
    for _again in range(2):
        assert guest.post(f"visits/{visit.id}/confirm").status_code == 303
    assert guest.visits()[0].confirmed_at is not None
    with db.read() as session:
        events = session.scalars(select(VisitEvent).where(VisitEvent.visit_id == visit.id)).all()
    assert [event.kind for event in events] == ["confirmed"]
    assert "You have confirmed this visit" in guest.client.get(guest.home).text


def test_the_driver_is_kept_for_this_visit_and_offered_for_the_next(guest):
    """Name and number stand on the visit; the next form begins with them."""
    first, second = guest.enter().visits()[:2]
    answer = guest.post(f"visits/{first.id}/driver", name="Rosa Garcia", phone="505 555 0142")
    assert answer.status_code == 303, answer.text
    assert guest.visits()[0].driver_name == "Rosa Garcia"
    asked = guest.client.get(f"{guest.home}visits/{second.id}/driver").text
    assert "Rosa Garcia" in asked
    assert "(505) 555-0142" in asked


def test_a_wrong_number_comes_back_as_typed(guest):
    """Nothing is saved, and the message stands beside the field."""
    visit = guest.enter().visits()[0]
    answer = guest.post(f"visits/{visit.id}/driver", name="Rosa", phone="call me")
    assert answer.status_code == 422
    assert 'value="call me"' in answer.text
    assert guest.visits()[0].driver_name == ""


def test_how_i_feel_is_kept_once_and_a_bad_day_asks_somebody_to_call(guest):
    """The same form sent twice is one note; a mood of 1 is an urgent task."""
    first_visit_given(guest)
    guest.enter()
    fields = {"mood": "1", "nausea": "severe", "request_key": "0195a0b4-0000-7000-8000-000000000001"}
    for _again in range(2):
        assert guest.post("feel", **fields).location == guest.home + "thanks"
    with db.read() as session:
        assert len(session.scalars(select(RecoveryNote)).all()) == 1
        calls = session.scalars(select(Task).where(Task.kind == "call_after_answer")).all()
    assert [call.urgent for call in calls] == [True]
    assert "call or text 988 now" in guest.client.get(guest.home + "thanks").text


def test_a_driver_named_while_the_patients_form_is_open_is_not_undone(guest, house, browser):
    """The coordinator is told that something changed meanwhile."""
    desk, patient_id = browser(house.coordinator), guest.course.patient_id
    form = desk.get(f"/patients/{patient_id}/edit").text
    visit = guest.enter().visits()[0]
    assert guest.post(f"visits/{visit.id}/driver", name="Sam Garcia", phone="(720) 555-0147").status_code == 303
    version = re.search(r'name="version"[^>]*value="([0-9]+)"', form)[1]
    said = {"given_name": "Maria", "family_name": "Garcia", "birth_date": "1980-02-03", "language": "en"}
    answer = desk.post(f"/patients/{patient_id}/edit", data={**said, "intake_status": "cleared", "version": version})
    assert answer.status_code == 409
    assert "Sam Garcia" in answer.text


def test_before_the_first_visit_there_is_nothing_to_tell(guest):
    """The page says whom to call instead."""
    answer = guest.enter().post("feel", mood="5")
    assert answer.status_code == 422
    assert "after your first visit" in answer.text


def test_a_missing_answer_is_asked_for_by_its_number(guest):
    """What was answered stays ticked."""
    answers = {f"item{n}": "1" for n in range(1, 9)}
    answer = guest.enter().post("phq9", **answers)
    assert answer.status_code == 422
    assert "Question 9 has no answer yet" in answer.text
    assert answer.text.count(" checked") == 8
    with db.read() as session:
        assert session.scalars(select(ScaleResponse)).first() is None


def test_the_questionnaire_is_scored_and_a_worrying_answer_shows_the_crisis_line(guest):
    """Eight ones and a two: 10, and 988 at once."""
    answers = {f"item{n}": "1" for n in range(1, 9)} | {"item9": "2"}
    assert guest.enter().post("phq9", **answers).status_code == 303
    with db.read() as session:
        assert session.scalars(select(ScaleResponse)).one().total == 10
    assert "call or text 988 now" in guest.client.get(guest.home + "thanks").text


def test_the_calendar_file_has_six_neutral_dates(guest):
    """Whoever looks over the shoulder sees appointments."""
    answer = guest.enter().client.get(guest.home + "visits.ics")
    assert answer.mimetype == "text/calendar"
    assert answer.text.count("BEGIN:VEVENT") == 6
    name = answer.headers["Content-Disposition"]  # it stays in the telephone's list of downloads
    assert re.fullmatch(r'attachment; filename="[a-z-]+\.ics"', name)
    assert not re.search("ketamine|infusion|cottonwood", answer.text + name, re.I)


def test_another_patients_pages_look_like_no_pages(app, house, browser):
    """Ada's cookie opens nothing of Ben's, and Ben's visit is not hers."""
    ada, ben = Guest(house, browser(), "Ada Ash").enter(), Guest(house, browser(), "Ben Birch")
    assert ada.client.get(ben.home).status_code == 404
    assert ada.post(f"visits/{ben.visits()[0].id}/confirm").status_code == 404
    assert ben.visits()[0].confirmed_at is None


def test_a_link_revoked_or_a_page_left_lying_closes(guest):
    """Half an hour idle, or a revoked link: the page is gone."""
    guest.enter()
    clock.shift(clock._offset + timedelta(minutes=31))
    assert guest.client.get(guest.home).status_code == 404
    guest.enter()
    assert guest.client.get(guest.home).status_code == 200
    with db.transaction() as session:
        session.scalars(select(PatientLink)).one().revoked_at = NOW
    assert guest.client.get(guest.home).status_code == 404
    assert guest.client.get(f"/v/{guest.token}").status_code == 404


def test_leaving_ends_it(guest):
    """The cookie is worthless afterwards."""
    guest.enter()
    assert "You have left" in guest.post("leave").text
    assert guest.client.get(guest.home).status_code == 404


def test_a_page_kept_in_use_all_day_closes_too(guest):
    """Twelve hours are the longest, however often somebody looks."""
    guest.enter()
    for _step in range(25):
        clock.shift(clock._offset + timedelta(minutes=29))
        last = guest.client.get(guest.home).status_code
    assert last == 404


def test_a_closed_page_says_whom_to_call_and_leads_nobody_to_the_staffs_sign_in(house, browser):
    answer = browser().get(f"/my/{uuid4()}/")
    assert answer.status_code == 404
    assert 'href="tel:988"' in answer.text
    assert "/start" not in answer.text


def test_a_link_that_was_taken_back_says_what_to_do(house, browser):
    assert "Call us" in browser().get("/v/" + "x" * 43).text


def the_task(kind: str) -> Task:
    """Return the one open task of a kind."""
    with db.read() as session:
        return session.scalars(select(Task).where(Task.kind == kind, Task.status == "open")).one()


def test_another_time_is_asked_for_once_and_the_visit_stays(guest, house, browser):
    """The desk reads which days suit, and opens the page that moves this visit; the patient reads that it stays."""
    visit = guest.enter().visits()[0]
    path = f"visits/{visit.id}/other-time"
    page = guest.client.get(guest.home + path).text
    assert page.count('name="days"') >= 5
    fields = {"days": ["0", "2"], "parts": "morning", "words": "not before 10", "request_key": KEY_1}
    for _again in range(2):
        assert guest.post(path, **fields).location == guest.home
    assert guest.visits()[0].starts_at == visit.starts_at
    task = the_task("other_time")
    assert task.detail == "Mon, Wed in the morning · “not before 10”"
    assert "this visit stays booked for you" in guest.client.get(guest.home).text
    desk = browser(house.coordinator)
    to_do = desk.get("/to-do?show=week").text
    assert "Wants another time" in to_do
    assert f'href="/visits/{visit.id}/move"' in to_do
    assert "“not before 10”" in desk.get(f"/visits/{visit.id}").text


KEY_1 = "0195a0b4-0000-7000-8000-000000000001"


@pytest.mark.parametrize("fields", [{}, {"days": "7"}, {"days": "x"}, {"parts": "night"}, {"words": "a\nb"}])
def test_a_wish_that_says_nothing_is_asked_again(guest, fields):
    visit = guest.enter().visits()[0]
    assert guest.post(f"visits/{visit.id}/other-time", **fields).status_code == 422
    with db.read() as session:
        assert session.scalars(select(Task).where(Task.kind == "other_time")).all() == []


def test_cant_come_cancels_nothing_and_can_be_taken_back(guest, house, browser):
    """A person calls; who comes after all says so, and nobody calls."""
    visit = guest.enter().visits()[0]
    guest.post(f"visits/{visit.id}/confirm")
    assert guest.post(f"visits/{visit.id}/cant-come", reason="I have a cold").location == guest.home
    first = guest.visits()[0]
    assert (first.status, first.confirmed_at) == (VisitStatus.BOOKED, None)
    assert the_task("cant_come").detail == "“I have a cold”"
    assert "the visit isn't cancelled" in guest.client.get(guest.home).text
    assert "Can&#39;t come" in browser(house.coordinator).get(f"/visits/{visit.id}").text
    guest.post(f"visits/{visit.id}/confirm")
    assert guest.visits()[0].confirmed_at is not None
    with db.read() as session:
        [task] = session.scalars(select(Task).where(Task.kind == "cant_come")).all()
    assert (task.status, task.outcome) == ("done", "The patient will come after all")


def test_whoever_cant_come_tomorrow_is_somebodys_business_now(guest, house, browser):
    """It stands on Today, not only on the list."""
    visit = guest.enter().visits()[0]
    clock.shift(clock._offset + (visit.starts_at - NOW - timedelta(hours=20)))
    guest.enter().post(f"visits/{visit.id}/cant-come")
    assert the_task("cant_come").urgent
    assert "Call: can&#39;t come" in browser(house.coordinator).get("/").text


def test_a_visit_that_has_begun_can_be_neither_moved_nor_missed(guest):
    visit = guest.enter().visits()[0]
    with db.transaction() as session:
        session.get(Visit, visit.id).status = VisitStatus.ARRIVED
    for path, fields in (("other-time", {"days": "0"}), ("cant-come", {})):
        assert guest.post(f"visits/{visit.id}/{path}", **fields).status_code == 422


def address(guest: Guest, channel: ContactChannel, where: str) -> None:
    """Give a patient an address that she may be written to at."""
    with db.transaction() as session:
        ids = {"clinic_id": guest.course.clinic_id, "patient_id": guest.course.patient_id}
        consent = {"consent_at": NOW, "consent_wording": "You may."}
        session.add(ContactPoint(**ids, channel=channel, address=where, **consent))


def stopped() -> dict[str, str | None]:
    """Return how each address was stopped."""
    with db.read() as session:
        return {point.channel.value: point.opted_out_how for point in session.scalars(select(ContactPoint))}


def test_messages_of_a_kind_are_stopped_at_once_and_given_back(guest):
    """Texts stop, e-mail goes on; a GET changes nothing."""
    address(guest, ContactChannel.EMAIL, "maria@example.org")
    address(guest, ContactChannel.SMS, "+15055550142")
    page = guest.enter().client.get(guest.home + "messages").text
    assert "maria@example.org" in page
    assert "(505) 555-0142" in page
    assert stopped() == {"email": None, "sms": None}
    guest.post("messages", channel="sms")
    assert stopped() == {"email": None, "sms": "page"}
    guest.post("messages", channel="sms", again="yes")
    assert stopped() == {"email": None, "sms": None}


def test_what_a_text_stopped_only_a_text_gives_back(guest):
    """The carrier holds our texts back until she sends START; a page that said otherwise would lie."""
    address(guest, ContactChannel.SMS, "+15055550142")
    with db.transaction() as session:
        point = session.scalars(select(ContactPoint)).one()
        point.opted_out_at, point.opted_out_how = NOW, "text: STOP"
    assert "send START" in guest.enter().client.get(guest.home + "messages").text
    answer = guest.post("messages", channel="sms", again="yes")
    assert answer.status_code == 422
    assert stopped() == {"sms": "text: STOP"}


def one_click(guest: Guest) -> str:
    """Return the path that an e-mail's header gives."""
    with db.read() as session:
        point = session.scalars(select(ContactPoint)).one()
    return links.unsubscribe_address("", KEY.encode(), point.id)


def test_one_click_in_a_mail_program_stops_the_mails(app, guest):
    """As RFC 8058 has it: a POST without cookies, from elsewhere; the GET that scanners make changes nothing."""
    address(guest, ContactChannel.EMAIL, "maria@example.org")
    path, program = one_click(guest), app.test_client()
    page = program.get(path)
    assert (page.status_code, stopped()) == (200, {"email": None})
    assert not re.search("maria|ketamine|infusion", page.text, re.I)
    for _again in range(2):
        answer = program.post(path, data={"List-Unsubscribe": "One-Click"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 200
    assert stopped() == {"email": "link"}


def test_a_token_nobody_made_stops_nothing(app, guest):
    """Neither a changed one, nor one made for something else with the same key."""
    address(guest, ContactChannel.EMAIL, "maria@example.org")
    path = one_click(guest)
    wrong = ["/u/" + guest.token, path[:-2] + ("AA" if path[-2:] != "AA" else "BB"), "/u/x", "/v/" + path[3:]]
    browser = {"Sec-Fetch-Site": "same-origin"}
    assert [app.test_client().post(one, headers=browser).status_code for one in wrong] == [404, 404, 404, 404]
    assert stopped() == {"email": None}


def speaks(guest: Guest, language: str) -> None:
    """Let the patient's language be another."""
    with db.transaction() as session:
        session.get(Patient, guest.course.patient_id).language = language


ENGLISH = re.compile(r"\b(the|your|you|visit|please|call us|with|and|stop)\b", re.I)


def visible(page: str) -> str:
    """Return what is read of a page, but for the patient's own name and the switch of languages."""
    bare = re.sub(r"<(script|style|title)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.S)
    return re.sub(r"English|Demonstration.*", "", bare)


def test_every_page_opens_in_spanish_for_whoever_speaks_it(guest):
    """Not one of them has an English word left, form errors and questionnaire included."""
    speaks(guest, "es")
    address(guest, ContactChannel.EMAIL, "maria@example.org")
    visit = guest.visits()[0]
    pages = [guest.client.get(f"/v/{guest.token}").text]
    guest.enter()
    first_visit_given(guest)
    names = ("", "feel", "phq9", "thanks", "messages")
    paths = [*names, *(f"visits/{guest.visits()[1].id}/{name}" for name in ("driver", "other-time", "cant-come"))]
    pages += [guest.client.get(guest.home + path).text for path in paths]
    pages += [
        guest.post("feel").text,
        guest.post("phq9", item1="1").text,
        guest.post(f"visits/{visit.id}/confirm").text,
    ]
    pages.append(guest.post(f"visits/{visit.id}/other-time").text)
    for page in pages:
        assert 'lang="es"' in page
        assert ENGLISH.findall(visible(page)) == []
    assert "Poco interés o placer" in pages[3]
    assert "Su próxima cita" in pages[1]


def test_a_browser_can_be_switched_and_remembers_it(guest):
    """A link, no script; what staff read of it stays in their language."""
    assert 'href="?language=es"' in guest.enter().client.get(guest.home).text
    assert "Su próxima cita" in guest.client.get(guest.home + "?language=es").text
    assert "Su próxima cita" in guest.client.get(guest.home).text
    visit = guest.visits()[0]
    guest.post(f"visits/{visit.id}/other-time", days="0", parts="morning")
    assert the_task("other_time").detail == "Mon in the morning"
    assert "Your next visit" in guest.client.get(guest.home + "?language=en").text
    assert "Your next visit" in guest.client.get(guest.home + "?language=xx").text


def test_staffs_pages_stay_english_after_a_spanish_one(guest, house, browser):
    """The language is a request's, not a thread's."""
    speaks(guest, "es")
    guest.enter().client.get(guest.home)
    assert "To do" in browser(house.coordinator).get("/to-do").text
    assert 'lang="en"' in browser().get("/sign-in").text
