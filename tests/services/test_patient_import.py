"""A practice's list comes in whole or not at all."""

import pytest
from click import ClickException
from sqlalchemy import func, select

from tests.factories import make_clinic
from tracker import db
from tracker.cli import importing
from tracker.models import AuditEntry, Patient
from tracker.rules.vocabulary import ContactChannel, IntakeStatus
from tracker.services import patients
from tracker.services.patient_details import record_of

HEAD = "MRN,Last Name,First Name,DOB,Cell,Home Phone,Allergies,Dx\n"
GOOD = HEAD + "7,Tran,Linh,1985-03-09,505-555-0182,505-555-0183,latex; sulfa,TRD\n8,Novák,Petra,1979-02-03,,,NKDA,\n"


@pytest.fixture
def house(database):
    return make_clinic()


def count() -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Patient))


def test_all_rows_come_in_with_all_that_they_say(house):
    assert importing.patients(GOOD.encode())[0] == 2

    with db.read() as session:
        (tran,), _ = patients.find(session, house.coordinator, "tran 5550183")
        record = record_of(session, house.coordinator, tran.id)
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc())).first()
    assert (tran.chart_number, tran.diagnosis, tran.intake_status) == ("7", "TRD", IntakeStatus.CONSULT)
    assert [row.substance for row in record.allergies] == ["latex", "sulfa"]
    assert record.contact(ContactChannel.PHONE).consent_at is None
    assert (last.action, last.detail) == ("import patients", {"patients": 2})


def test_one_bad_line_keeps_all_out(house):
    with pytest.raises(importing.NotImported, match="Line 4: DOB") as refusal:
        importing.patients((GOOD + "9,Late,Born,13/45/1980\n").encode())
    assert "Nothing was imported" in str(refusal.value)
    assert count() == 0


def test_a_dry_run_changes_nothing(house):
    assert importing.patients(GOOD.encode(), dry_run=True)[0] == 2
    assert count() == 0


def test_the_same_file_twice_is_refused_line_by_line(house):
    importing.patients(GOOD.encode())

    with pytest.raises(importing.NotImported) as refusal:
        importing.patients(GOOD.encode())
    assert [fault.line for fault in refusal.value.faults] == [2, 3]
    assert "Chart number 7 is Tran, Linh’s here" in str(refusal.value)


def test_somebody_who_is_here_under_another_number_is_named(house):
    importing.patients(GOOD.encode())

    with pytest.raises(importing.NotImported, match="TRAN, Linh with this birth date is here already, chart number 7"):
        importing.patients((HEAD + "70,TRAN,Linh,03/09/1985\n").encode())


def test_one_person_twice_in_the_file_is_named(house):
    with pytest.raises(importing.NotImported, match="Line 4: Novak, Petra with this birth date is in line 3"):
        importing.patients((GOOD + "9,Novak,Petra,02/03/1979\n").encode())


def test_without_numbers_of_its_own_a_file_gets_ours(house):
    importing.patients(b"Surname,Given name,DOB\nTran,Linh,1985-03-09\nNovak,Petra,1979-02-03\n")

    with db.read() as session:
        assert sorted(session.scalars(select(Patient.chart_number))) == ["C00001", "C00002"]


def test_with_two_clinics_one_must_be_named(house):
    make_clinic()

    with pytest.raises(ClickException, match="--clinic"):
        importing.patients(GOOD.encode())
