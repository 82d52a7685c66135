"""Taking in a practice's own list of patients: all of them, or none."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.interop.patient_file import PatientRow
from tracker.interop.tables import Fault, shown
from tracker.models import Patient
from tracker.rules import lookup
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import IntakeStatus
from tracker.services import audit, patients
from tracker.services.patient_details import PatientDetails
from tracker.text import gettext as _


def faults(session: Session, actor: Actor, rows: Sequence[PatientRow]) -> list[Fault]:
    """Return what speaks against these rows in this clinic: a chart number that is taken, a person who is here."""
    known = select(Patient.chart_number, Patient.family_name, Patient.given_name, Patient.birth_date)
    taken, here = {}, {}
    for number, family, given, born in session.execute(known.where(Patient.clinic_id == actor.clinic_id)):
        taken[number.casefold()] = f"{family}, {given}"
        here[_who(family, given, born)] = _("here already, chart number %(number)s", number=number)
    return list(_against(rows, taken, here))


def _against(rows: Sequence[PatientRow], taken: dict[str, str], here: dict[object, str]) -> Iterator[Fault]:
    for row in rows:
        who = _who(row.family_name, row.given_name, row.birth_date)
        name = shown(f"{row.family_name}, {row.given_name}")
        if row.chart_number and (other := taken.get(row.chart_number.casefold())):
            said = _("Chart number %(number)s is %(other)s’s here. Take the line out, or give another number.")
            yield Fault(row.line, said % {"number": shown(row.chart_number), "other": shown(other)})
        elif who in here:
            said = _("%(name)s with this birth date is %(where)s. Take the line out.", name=name, where=here[who])
            yield Fault(row.line, said)
        here.setdefault(who, _("in line %(line)s", line=row.line))


def _who(family: str, given: str, born: object) -> object:
    return lookup.fold(family), lookup.fold(given), born


def import_patients(session: Session, actor: Actor, rows: Sequence[PatientRow], *, now: datetime) -> int:
    """Add every row as a patient who waits for a consult; return how many. Check `faults` first.

    Raises:
        Refused: A chart number was taken in the meantime.
    """
    number = int(patients.next_chart_number(session, actor)[1:])
    for row in rows:
        # The rows were checked when they were read; nothing of them needs to be parsed again.
        details = PatientDetails.model_construct(**row.model_dump(exclude={"line"}), intake_status=IntakeStatus.CONSULT)
        patients.insert(session, actor, details, row.chart_number or f"C{number:05d}", now=now)
        number += row.chart_number is None
    audit.record(session, actor, "import patients", detail={"patients": len(rows)}, now=now)
    return len(rows)
