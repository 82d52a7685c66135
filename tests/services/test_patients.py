"""Patients are found by what is at hand, added once, and changed by one at a time."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.errors import NotFound, Refused, Stale
from tracker.models import AuditEntry, ContactPoint
from tracker.rules.vocabulary import CareRole, ContactChannel, IntakeStatus
from tracker.services import consent, patients
from tracker.services.patient_details import MOST_WORDS, consent_wording, details_of, record_of
from tracker.services.patients import AddPatient, EditPatient

TODAY = date(2026, 3, 2)


@pytest.fixture
def house(database):
    return make_clinic()


def command(kind=AddPatient, **said):
    values = {"given_name": "Zoë", "family_name": "O’Neill", "birth_date": "1985-03-09"} | said
    return kind.model_validate(values, context={"country": "US", "today": TODAY})


def add(house, now, **said):
    with db.transaction() as session:
        return patients.add(session, house.coordinator, command(**said), now=now)


def look(house, patient_id):
    with db.read() as session:
        return record_of(session, house.coordinator, patient_id)


def edit(house, now, patient_id, **said):
    with db.transaction() as session:
        patients.edit(session, house.coordinator, patient_id, command(EditPatient, **said), now=now)


@pytest.mark.parametrize(
    "said",
    [
        *(
            "o'neill",
            "ONEILL zoe",
            "zo nei",
            "Zoë",
            "ＺＯＥ",
            "(505) 555-0182",
            "555-0182",
            "505 555 0182",
            "+1 505-555",
        ),
        *("3/9/1985", "03/09/1985", "1985-03-09", "o'ne 1985", "MRN-7", "mrn 7", "neill", "", " ", "%"),
    ],
)
def test_a_patient_is_found_by_whatever_is_at_hand(house, now, said):
    zoe = add(house, now, chart_number="MRN-7", phone="505-555-0182")

    with db.read() as session:
        found, more = patients.find(session, house.coordinator, said)

    assert [patient.id for patient in found] == [zoe]
    assert not more


@pytest.mark.parametrize("said", ["eill", "zoe smith", "5550183", "3/10/1985", "z_e", "zo%ill", "' OR 1=1 --"])
def test_what_does_not_fit_finds_nobody(house, now, said):
    add(house, now, phone="505-555-0182")

    with db.read() as session:
        assert patients.find(session, house.coordinator, said) == ([], False)


def test_another_clinics_patients_are_never_found(house, now):
    other = make_clinic()
    stranger = add(other, now)

    with db.read() as session:
        assert patients.find(session, house.coordinator, "zoe") == ([], False)
        with pytest.raises(NotFound):
            record_of(session, house.coordinator, stranger)


def test_the_list_has_pages_and_a_status(house, now):
    for number in range(patients.PAGE + 1):
        add(house, now, given_name=f"N{number:02d}", birth_date="1990-01-01", add_anyway="yes")
    add(house, now, given_name="Seen", family_name="Aa", intake_status=IntakeStatus.CONSULT)

    with db.read() as session:
        first, more = patients.find(session, house.coordinator)
        second, none = patients.find(session, house.coordinator, page=2)
        seen, _ = patients.find(session, house.coordinator, status=IntakeStatus.CONSULT)

    assert (len(first), more, len(second), none) == (patients.PAGE, True, 2, False)
    assert [patient.given_name for patient in seen] == ["Seen"]


@pytest.mark.parametrize(
    "said",
    [
        {"given_name": "Zoe", "family_name": "ONeil"},
        {"given_name": "O'Neill", "family_name": "Zoë"},
        {"given_name": "Katharine", "family_name": "Smith", "birth_date": "1970-01-01", "phone": "+1 505 555 0182"},
    ],
)
def test_somebody_alike_is_added_only_knowingly(house, now, said):
    add(house, now, phone="5055550182")

    with pytest.raises(Refused, match="O’Neill, Zoë") as refusal:
        add(house, now, **said)
    assert refusal.value.field == "add_anyway"
    add(house, now, **said, add_anyway="yes")


def test_a_twin_in_the_birth_date_alone_is_no_duplicate(house, now):
    add(house, now)
    add(house, now, given_name="Mateo", family_name="Alvarez")


def test_a_chart_number_is_given_out_once(house, now):
    first = add(house, now)
    second = add(house, now, given_name="Mateo", family_name="Alvarez")
    assert [look(house, one).patient.chart_number for one in (first, second)] == ["C00001", "C00002"]

    with pytest.raises(Refused, match="chart number") as refusal:
        add(house, now, given_name="Li", family_name="Tran", chart_number="C00002")
    assert refusal.value.field == "chart_number"


def test_everything_typed_is_kept_and_comes_back(house, now):
    said = {
        "preferred_name": "Zo",
        "language": "es",
        "diagnosis": "TRD",
        "intake_status": IntakeStatus.FORMS,
        "phone": "+15055550182",
        "other_phone": "+15055550183",
        "email": "zoë@example.org",
        "phone_consent": False,
        "email_consent": True,
        "allergies": "latex\nsulfa",
        "medicines": "lithium",
        "driver_name": "Ben",
        "driver_phone": "+15055550199",
        "therapist_name": "Dr Wu",
        "no_allergies": False,
    }
    zoe = add(house, now, **said)

    details = details_of(look(house, zoe))
    assert {name: details[name] for name in said} == said


def test_consent_says_who_when_and_in_which_words(house, now):
    zoe = add(house, now, email="zoe@example.org", email_consent="yes")

    contact = look(house, zoe).contact(ContactChannel.EMAIL)
    assert (contact.consent_at, contact.consent_by) == (now, house.coordinator.user_id)
    assert "write to me" in contact.consent_wording


def test_a_withdrawn_consent_stays_on_record(house, now):
    zoe = add(house, now, email="zoe@example.org", email_consent="yes")
    later = now + timedelta(days=1)
    edit(house, later, zoe, version=1, email="zoe@example.org")

    with db.read() as session:
        kept = session.scalars(select(ContactPoint).order_by(ContactPoint.ended_at.is_(None))).all()
    assert [(row.consent_at, row.ended_at) for row in kept] == [(now, later), (None, None)]


def test_what_leaves_a_list_is_ended_and_the_rest_stays(house, now):
    zoe = add(house, now, allergies="latex\nsulfa", driver_name="Ben")
    before = {row.substance: row.id for row in look(house, zoe).allergies}
    edit(house, now, zoe, version=1, allergies="sulfa\npeanut", driver_name="Cem", therapist_name="Dr Wu")

    record = look(house, zoe)
    assert [row.substance for row in record.allergies] == ["peanut", "sulfa"]
    assert record.allergies[1].id == before["sulfa"]
    assert {role: row.name for role, row in record.care.items()} == {
        CareRole.DRIVER: "Cem",
        CareRole.THERAPIST: "Dr Wu",
    }


def test_asked_and_none_is_not_never_asked(house, now):
    zoe = add(house, now)
    assert look(house, zoe).patient.allergies_asked_at is None
    edit(house, now, zoe, version=1, no_allergies="yes")
    assert details_of(look(house, zoe))["no_allergies"] is True


@pytest.mark.parametrize("change", [{"preferred_name": "Zo"}, {"allergies": "latex"}, {"email": "a@example.org"}])
def test_a_form_opened_before_another_save_is_stale(house, now, change):
    zoe = add(house, now)
    edit(house, now, zoe, version=1, **change)

    with pytest.raises(Stale):
        edit(house, now, zoe, version=1, preferred_name="Zozo")
    assert look(house, zoe).patient.preferred_name == change.get("preferred_name", "")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"allergies": "latex", "no_allergies": "yes"}, "no_allergies"),
        ({"email_consent": "yes"}, "email"),
        ({"phone": "5055550182", "other_phone": "(505) 555-0182"}, "other_phone"),
        ({"driver_phone": "5055550182"}, "driver_name"),
    ],
)
def test_details_that_contradict_one_another_are_refused_beside_their_field(house, now, said, field):
    with pytest.raises(Refused) as refusal:
        add(house, now, **said)
    assert refusal.value.field == field


def test_adding_and_editing_leave_their_trace(house, now):
    zoe = add(house, now)
    edit(house, now, zoe, version=1, preferred_name="Zo", allergies="latex")

    with db.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).all()
    assert [(entry.action, entry.patient_id) for entry in entries][-2:] == [("add patient", zoe), ("edit patient", zoe)]
    assert entries[-1].detail == {"changed": ["allergies", "preferred_name"]}


def test_only_a_physician_clears(house, now):
    """Cleared opens the infusion; whoever keeps the address may still save it afterwards."""
    with pytest.raises(Refused, match="physician") as refusal:
        add(house, now, intake_status=IntakeStatus.CLEARED)
    assert refusal.value.field == "intake_status"
    zoe = add(house, now, intake_status=IntakeStatus.CONSULT)
    version = look(house, zoe).patient.version
    with pytest.raises(Refused, match="physician"):
        edit(house, now, zoe, version=version, intake_status=IntakeStatus.CLEARED)
    with db.transaction() as session:
        cleared = command(EditPatient, version=version, intake_status=IntakeStatus.CLEARED)
        patients.edit(session, house.physician, zoe, cleared, now=now)
    version = look(house, zoe).patient.version
    edit(house, now, zoe, version=version, intake_status=IntakeStatus.CLEARED, diagnosis="TRD")
    assert look(house, zoe).patient.intake_status is IntakeStatus.CLEARED


def texts(house, patient_id) -> ContactPoint | None:
    """Return the number that a patient is texted at."""
    return look(house, patient_id).contact(ContactChannel.SMS)


def test_texts_go_to_the_first_phone_or_to_another_with_a_consent_of_their_own(house, now):
    """The wording says how many a week, that nothing is encrypted, and how to stop; calling is another consent."""
    zoe = add(house, now, phone="+15055550182", sms_consent="yes", more_texts="yes")
    point = texts(house, zoe)
    assert (point.address, point.consent_at, point.more_texts_at) == ("+15055550182", now, now)
    assert "up to 3 times a week" in point.consent_wording
    assert "not encrypted" in point.consent_wording
    assert "STOP" in point.consent_wording
    assert look(house, zoe).contact(ContactChannel.PHONE).consent_at is None
    details = details_of(look(house, zoe))
    assert (details["sms"], details["sms_consent"], details["more_texts"]) == ("", True, True)
    edit(house, now, zoe, version=1, phone="+15055550182", sms="+15055550183", sms_consent="yes")
    assert (texts(house, zoe).address, texts(house, zoe).more_texts_at) == ("+15055550183", None)


def test_consent_to_texts_needs_a_number(house, now):
    with pytest.raises(Refused) as refusal:
        add(house, now, sms_consent="yes")
    assert refusal.value.field == "sms"


def test_what_a_patient_stopped_is_given_back_only_in_her_words(house, now):
    """Ticked again it is refused; so it is after the number was taken off the form and typed anew."""
    zoe = add(house, now, phone="+15055550182", sms_consent="yes")
    with db.transaction() as session:
        consent.stop(session, house.coordinator, texts(house, zoe), consent.BY_TEXT, now=now)
    number, version = {"phone": "+15055550182"}, look(house, zoe).patient.version
    again = number | {"sms_consent": "yes"}
    with pytest.raises(Refused, match="by a text") as refusal:
        edit(house, now, zoe, version=version, **again)
    assert refusal.value.field == "sms_again"

    edit(house, now, zoe, version=version, **number)  # anything else is saved, and the stop stays
    assert texts(house, zoe).opted_out_how == "text: STOP"
    edit(house, now, zoe, version=version + 1)  # the number leaves the form
    assert texts(house, zoe) is None
    with pytest.raises(Refused):
        edit(house, now, zoe, version=version + 2, **again)

    later = now + timedelta(days=1)
    edit(house, later, zoe, version=version + 2, **again, sms_again="asked on the phone, Mar 3")
    point = texts(house, zoe)
    assert (point.consent_at, point.opted_out_at) == (later, None)
    assert point.consent_wording.endswith("(asked on the phone, Mar 3)")
    edit(house, later, zoe, version=version + 3, **again)  # and it stays given


@pytest.mark.parametrize("channel", ContactChannel)
def test_every_wording_with_her_words_fits_its_column(channel):
    assert len(consent_wording(channel, 10)) + MOST_WORDS + 3 <= 200


def test_another_zone_moves_what_waits_out_of_the_patients_night(house):
    """9:00 in Denver is 6:00 in Honolulu: what was to go then waits for 8:00 there."""
    person = add(house, NOW, email="zoe@example.org", email_consent=True)
    course = mailroom.series(house, person, NOW + timedelta(days=3))
    before = {row.purpose: row.send_at for row in mailroom.messages(course)}
    record = look(house, person)
    said = {name: value for name, value in details_of(record).items() if value}
    said |= {"zone_name": "Pacific/Honolulu", "version": record.patient.version}
    with db.transaction() as session:
        patients.edit(session, house.coordinator, person, command(EditPatient, **said), now=NOW)
    after = {row.purpose: row.send_at for row in mailroom.messages(course)}
    assert after["visit"] == before["visit"] + timedelta(hours=2)
    assert look(house, person).patient.zone_name == "Pacific/Honolulu"


@pytest.mark.parametrize("zone", ["Etc/GMT+7", "EST", "America/Nowhere", "../../etc/passwd", ""])
def test_a_zone_is_one_that_people_live_in(zone):
    with pytest.raises(ValueError, match="time zone"):
        command(zone_name=zone)
