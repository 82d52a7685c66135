"""The list, the form and the page of patients, as a browser meets them."""

import html
import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.conftest import NOW
from tests.factories import make_patient
from tests.web.world import _fill
from tracker import db
from tracker.models import AuditEntry, CareContact, Course, Patient, Visit, VitalReading
from tracker.rules.vocabulary import CareRole, VisitStatus

GOOD = {"family_name": "Tran", "given_name": "Linh", "birth_date": "1985-03-09", "language": "en"}


def patient_of(house, name="Zoë O’Neill", **more):
    return make_patient(house.clinic.id, name, **more)


def fields(text: str) -> dict[str, str]:
    """Return what a browser would send of the form on the page."""
    found = dict.fromkeys(re.findall(r'<input[^>]* name="([^"]+)"', text), "")
    for tag in re.findall(r"<input[^>]*>", text):
        name, value = re.search(r' name="([^"]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and 'type="checkbox"' in tag and " checked" not in tag:
            found.pop(name[1], None)
            continue
        if name:
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, inside in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', text, re.S):
        found[name] = html.unescape(inside)
    for name, inside in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        found[name] = chosen[1] if chosen else ""
    found.pop("q", None)
    found.pop("status", None)
    return found


def test_a_patient_is_added_found_and_shown(house, browser):
    client = browser(house.coordinator)
    form = fields(client.get("/patients/new").text)
    answer = client.post("/patients", data=form | GOOD | {"phone": "(505) 555-0182", "allergies": "latex\r\nsulfa"})
    assert answer.status_code == 303

    shown = client.get(answer.location).text
    assert all(words in shown for words in ("Tran, Linh", "Allergy: latex", "Allergy: sulfa", "(505) 555-0182"))
    assert "Tran, Linh" in client.get("/patients?q=555-0182").text
    assert "Tran, Linh" not in client.get("/patients?q=555-0183").text


def test_the_same_form_sent_twice_adds_one(house, browser):
    client = browser(house.coordinator)
    form = fields(client.get("/patients/new").text) | GOOD
    answers = [client.post("/patients", data=form) for _twice in range(2)]

    assert answers[0].location == answers[1].location
    with db.read() as session:
        assert session.query(Patient).count() == 1


def test_somebody_alike_is_asked_about_and_added_knowingly(house, browser):
    client = browser(house.coordinator)
    client.post("/patients", data=GOOD)
    again = client.post("/patients", data=GOOD | {"given_name": "Linn"})

    assert again.status_code == 422
    assert "Tran, Linh" in again.text
    form = fields(again.text)
    assert form["given_name"] == "Linn"
    assert client.post("/patients", data=form | {"add_anyway": "yes"}).status_code == 303


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("birth_date", "1985-02-30", "Enter a day"),
        ("birth_date", "2090-01-01", "still to come"),
        ("family_name", "", "Fill this in"),
        ("family_name", "=A1", "formula"),
        ("phone", "call mother", "Enter a phone number"),
        ("email", "nowhere", "Enter an e-mail address"),
        ("language", "Klingon", "Enter a language"),
        ("intake_status", "gone", "listed values"),
        ("allergies", "x" * 201, "200 characters"),
        ("allergies", "a\x00b", "can&#39;t be kept"),
        ("driver_phone", "505-555-0182", "whose number"),
        ("email_consent", "yes", "consent is for"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_all_typed_is_kept(house, browser, field, typed, says):
    client = browser(house.coordinator)
    answer = client.post("/patients", data=GOOD | {"medicines": "lithium", field: typed})

    assert answer.status_code == 422
    assert says in answer.text
    kept = fields(answer.text)
    assert kept["medicines"] == "lithium"
    if "\x00" not in typed and field not in ("language", "intake_status"):
        assert kept.get(field, "") == typed
    with db.read() as session:
        assert session.query(Patient).count() == 0


def test_a_stale_form_keeps_what_was_typed_and_shows_what_changed(house, browser):
    zoe = patient_of(house)
    mine, hers = browser(house.coordinator), browser(house.nurse)
    form = fields(mine.get(f"/patients/{zoe}/edit").text)
    theirs = fields(hers.get(f"/patients/{zoe}/edit").text)
    assert hers.post(f"/patients/{zoe}/edit", data=theirs | {"diagnosis": "PTSD"}).status_code == 303

    stale = mine.post(f"/patients/{zoe}/edit", data=form | {"preferred_name": "Zo"})
    assert stale.status_code == 409
    kept = fields(stale.text)
    assert (kept["preferred_name"], kept["diagnosis"]) == ("Zo", "")
    assert re.search(r"Saved meanwhile:</strong> PTSD", stale.text)
    assert mine.post(f"/patients/{zoe}/edit", data=kept).status_code == 303
    with db.read() as session:
        saved = session.get(Patient, zoe)
    assert (saved.preferred_name, saved.diagnosis) == ("Zo", "")


def test_an_edit_that_changes_nothing_leaves_everything(house, browser):
    client = browser(house.coordinator)
    where = client.post(
        "/patients", data=GOOD | {"email": "a@example.org", "email_consent": "yes", "allergies": "latex"}
    )
    before = client.get(where.location).text
    client.post(f"{where.location}/edit", data=fields(client.get(f"{where.location}/edit").text))

    strip = re.compile(r"<p class=\"notice ok.*?</p>", re.S)
    assert strip.sub("", client.get(where.location).text).replace("\n", "") == strip.sub("", before).replace("\n", "")


def test_a_part_of_the_list_is_the_list_alone(house, browser):
    patient_of(house)
    part = browser(house.nurse).get("/patients?q=zoe", headers={"HX-Request-Type": "partial"})

    assert "O’Neill, Zoë" in part.text
    assert "<html" not in part.text


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ff%fe", "q=" + "x" * 5000, "q=%25", "page=0", "page=999999999", "q=a&q=b"]
)
def test_no_search_breaks_the_list(house, browser, query):
    assert browser(house.nurse).get(f"/patients?{query}").status_code in (200, 422)


def test_a_patient_who_is_not_asked_about_allergies_says_so(house, browser):
    shown = browser(house.nurse).get(f"/patients/{patient_of(house)}").text

    assert "Allergies not asked yet" in shown
    assert "No series yet" in shown


def test_people_around_a_patient_are_shown(house, browser):
    zoe = patient_of(house)
    with db.transaction() as session:
        ids = {"clinic_id": house.clinic.id, "patient_id": zoe}
        session.add(CareContact(**ids, role=CareRole.DRIVER, name="Ben <b>", phone="+15055550199"))

    shown = browser(house.nurse).get(f"/patients/{zoe}").text
    assert "Ben &lt;b&gt;" in shown
    assert "(505) 555-0199" in shown


def test_every_look_at_a_patient_is_on_record(house, browser):
    zoe = patient_of(house)
    client = browser(house.nurse)
    client.get(f"/patients/{zoe}")
    client.get("/patients?q=zoe")
    with db.read() as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.seq).all()
    assert [(entry.action, entry.patient_id) for entry in entries[-2:]] == [
        ("read patient", zoe),
        ("search patients", None),
    ]
    assert entries[-1].at - NOW < timedelta(minutes=1)


def link_on(text: str) -> str | None:
    """Return the patient's link that stands on the page."""
    found = re.search(r'readonly value="([^"]+)"', text)
    return found and html.unescape(found[1])


def test_a_link_is_given_and_taken_back(house, browser):
    _fill(house)
    client, patient = browser(house.coordinator), browser()
    with db.read() as session:
        ada = session.query(Patient.id).filter_by(given_name="Ada").scalar()
        course = session.query(Course.id).filter_by(patient_id=ada).scalar()
    first = link_on(client.get(f"/patients/{ada}").text)
    assert patient.get(urlsplit(first).path).status_code == 200

    revoke = re.search(r'action="(/patients/[^"]+/revoke)"', client.get(f"/patients/{ada}").text)[1]
    assert client.post(revoke).status_code == 303
    assert "no link that works" in client.get(f"/patients/{ada}").text
    assert patient.post(urlsplit(first).path).status_code == 404

    assert client.post(f"/patients/{ada}/courses/{course}/link").status_code == 303
    second = link_on(client.get(f"/patients/{ada}").text)
    assert second != first
    assert patient.post(urlsplit(second).path).status_code == 303


def test_the_page_has_the_series_with_its_numbers(house, browser):
    """The peak is the highest since the start: not the set before it, and not a slip that was corrected."""
    _fill(house)
    with db.transaction() as session:
        ada = session.query(Patient.id).filter_by(given_name="Ada").scalar()
        visit = session.query(Visit.id).filter_by(patient_id=ada, status=VisitStatus.DISCHARGED).scalar()
        row = {"clinic_id": house.clinic.id, "visit_id": visit, "entered_at": NOW, "entered_by": house.nurse.user_id}
        row |= {"occurred_at": NOW, "due": "10", "diastolic": 80}
        slip = VitalReading(**row, systolic=251)
        session.add(slip)
        session.flush()
        session.add(VitalReading(**row, systolic=151, corrects_id=slip.id))

    shown = browser(house.physician).get(f"/patients/{ada}").text
    assert all(
        words in shown for words in ("Allergy: Latex", "Lithium", "1 of 6 given", "no-show", "Charles", "signed")
    )
    assert re.search(r'data-label="Peak systolic">151<', shown)
    assert re.search(r'data-label="Dose, mg">40<', shown)
    assert "<svg" in shown
