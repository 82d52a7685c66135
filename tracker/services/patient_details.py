"""What is kept about a patient outside a series, as one form has it, and how it lies in the tables."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Allergy, CareContact, ContactPoint, Medicine, Patient
from tracker.rules import lookup
from tracker.rules.fields import Email, Line, Phone, Tick
from tracker.rules.intake import Person, Zone
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import CareRole, ContactChannel, IntakeStatus
from tracker.services import clinic, settings
from tracker.services.consent import may_use, say_how
from tracker.text import gettext as _

LONG_AGO = datetime.min.replace(tzinfo=UTC)
MOST_WORDS = 60  # characters: they stand with the wording in one line
Words = Annotated[Line, StringConstraints(max_length=MOST_WORDS)]


class PatientDetails(Person):
    """All that is kept about a patient outside a series. Parse with `country=` and `today=`."""

    intake_status: IntakeStatus = IntakeStatus.ENQUIRY
    zone_name: Zone | None = None  # none: she lives where the clinic is
    sms: Phone | None = None  # to text; none: the first phone, if texts are agreed to
    phone_consent: Tick = False
    email_consent: Tick = False
    sms_consent: Tick = False
    more_texts: Tick = False
    phone_again: Words | None = None  # what she said who had stopped it, and now wants it again
    email_again: Words | None = None
    sms_again: Words | None = None
    driver_name: Line | None = None
    driver_phone: Phone | None = None
    driver_email: Email | None = None
    emergency_name: Line | None = None
    emergency_phone: Phone | None = None
    emergency_email: Email | None = None
    referrer_name: Line | None = None
    referrer_phone: Phone | None = None
    referrer_email: Email | None = None
    therapist_name: Line | None = None
    therapist_phone: Phone | None = None
    therapist_email: Email | None = None
    prescriber_name: Line | None = None
    prescriber_phone: Phone | None = None
    prescriber_email: Email | None = None


@dataclass(frozen=True)
class Record:
    """One patient's own rows; of lists only what counts today."""

    patient: Patient
    allergies: list[Allergy]
    medicines: list[Medicine]
    contacts: list[ContactPoint]
    care: dict[CareRole, CareContact]
    stopped: dict[tuple[ContactChannel, str], ContactPoint] = field(default_factory=dict)  # what she last said: no more

    def contact(self, channel: ContactChannel, position: int = 0) -> ContactPoint | None:
        """Return the address of a kind that is used first (0), or the other one (1)."""
        found = (contact for contact in self.contacts if contact.channel is channel and contact.position == position)
        return next(found, None)


Listed = TypeVar("Listed", Allergy, Medicine, ContactPoint)
OWN = (
    *("chart_number", "given_name", "family_name", "preferred_name", "birth_date", "language", "intake_status"),
    "diagnosis",
)
ADDRESSES = (
    ("phone", ContactChannel.PHONE, 0),
    ("other_phone", ContactChannel.PHONE, 1),
    ("email", ContactChannel.EMAIL, 0),
    ("sms", ContactChannel.SMS, 0),
)
ASKED = ("phone", "email", "sms")  # those with a consent of their own


def consent_wording(channel: ContactChannel, texts_a_week: int) -> str:
    """Return the words that a patient agrees to, as they stand beside the box."""
    return {
        ContactChannel.EMAIL: _(
            "The clinic may write to me at this address about my appointments and how I am, "
            "and at any hour if it must close on a day I am booked."
        ),
        ContactChannel.PHONE: _("The clinic may call me at this number about my appointments, and leave a message."),
        ContactChannel.SMS: _(
            "The clinic may text me about my appointments, up to %(n)s times a week. "
            "Texts are not encrypted. Replying STOP ends them at once.",
            n=texts_a_week,
        ),
    }[channel]


def texts_a_week(session: Session, clinic_id: UUID) -> int:
    """Return how many texts a week a patient gets at most who agreed to no more."""
    return int(settings.of_clinic(session, clinic_id)["texts.a_week"])


def record_of(session: Session, actor: Actor, patient_id: UUID, *, lock: bool = False) -> Record:
    """Return a patient with allergies, medicines, addresses and the other people in her care.

    Raises:
        NotFound: There is no such patient in this clinic.
    """
    patient = clinic.get(session, actor, Patient, patient_id, lock=lock)
    return Record(
        patient,
        list(session.scalars(_live(Allergy, patient_id).order_by(Allergy.substance))),
        list(session.scalars(_live(Medicine, patient_id).order_by(Medicine.name))),
        list(session.scalars(_live(ContactPoint, patient_id).order_by(ContactPoint.channel, ContactPoint.position))),
        {row.role: row for row in session.scalars(select(CareContact).where(CareContact.patient_id == patient_id))},
        _stopped(session, patient_id),
    )


def _stopped(session: Session, patient_id: UUID) -> dict[tuple[ContactChannel, str], ContactPoint]:
    """Return by address what the patient last stopped and never agreed to again: taking an address off the form and
    typing it anew doesn't undo what she said."""
    query = select(ContactPoint).where(
        ContactPoint.patient_id == patient_id,
        or_(ContactPoint.opted_out_at.is_not(None), ContactPoint.consent_at.is_not(None)),
    )
    last = {
        (row.channel, row.address): row
        for row in sorted(session.scalars(query), key=lambda row: row.opted_out_at or row.consent_at or LONG_AGO)
    }
    return {key: row for key, row in last.items() if row.opted_out_at}


def _live(table: type[Listed], patient_id: UUID) -> Select[Listed]:
    return select(table).where(table.patient_id == patient_id, table.ended_at.is_(None))


def details_of(record: Record) -> dict[str, object]:
    """Return a patient's details by the names of `PatientDetails`, as they are now; "" where there is nothing."""
    patient = record.patient
    details: dict[str, object] = {name: getattr(patient, name) for name in OWN}
    details["allergies"] = "\n".join(row.substance for row in record.allergies)
    details["medicines"] = "\n".join(row.name for row in record.medicines)
    details["zone_name"] = patient.zone_name or ""
    details["no_allergies"] = patient.allergies_asked_at is not None and not record.allergies
    for name, channel, position in ADDRESSES:
        contact = record.contact(channel, position)
        details[name] = contact.address if contact else ""
        if position == 0:
            details[f"{name}_consent"] = contact is not None and may_use(contact)
    texts = record.contact(ContactChannel.SMS)
    details["more_texts"] = texts is not None and texts.more_texts_at is not None
    if texts and texts.address == details["phone"]:
        details["sms"] = ""  # the first phone's own
    for role in CareRole:
        other = record.care.get(role)
        for part in ("name", "phone", "email"):
            details[f"{role}_{part}"] = getattr(other, part) if other else ""
    return details


def check(details: PatientDetails) -> None:
    """Refuse details that contradict one another."""
    if details.no_allergies and details.allergies:
        raise Refused(_("Take the allergies off the list, or take away this tick."), field="no_allergies")
    if details.phone and details.phone == details.other_phone:
        raise Refused(_("This is the same number again. Leave it empty."), field="other_phone")
    for name in ASKED:
        if getattr(details, f"{name}_consent") and not _address(details, name):
            raise Refused(_("Fill in what the consent is for, or take away the tick."), field=name)
    for role in CareRole:
        phone, email = getattr(details, f"{role}_phone"), getattr(details, f"{role}_email")
        if (phone or email) and not getattr(details, f"{role}_name"):
            raise Refused(_("Say whose number or address this is."), field=f"{role}_name")


def _address(details: PatientDetails, name: str) -> str | None:
    """Return an address as the form means it: texts go to the first phone where no other number is given."""
    address: str | None = getattr(details, name)
    return details.phone if name == "sms" and address is None else address


def check_stopped(record: Record, details: PatientDetails) -> None:
    """Refuse a consent to what the patient has stopped, unless it says how she asked for it again."""
    for name, channel, position in ADDRESSES:
        wanted = position == 0 and getattr(details, f"{name}_consent")
        row = record.stopped.get((channel, _address(details, name) or ""))
        if wanted and row and not getattr(details, f"{name}_again"):
            raise Refused(
                _(
                    "She stopped this herself, %(how)s. Write how she asked for it again.",
                    how=say_how(row.opted_out_how),
                ),
                field=f"{name}_again",
            )


def fill(patient: Patient, details: PatientDetails, chart_number: str, now: datetime) -> None:
    """Write onto the patient's row what lies there."""
    for name in OWN:
        setattr(patient, name, getattr(details, name) or "")
    patient.chart_number, patient.zone_name = chart_number, details.zone_name
    names = (details.family_name, details.given_name, details.preferred_name or "")
    phones = filter(None, dict.fromkeys((details.phone, details.other_phone, details.sms)))
    patient.search_text = lookup.search_text(names, chart_number, details.birth_date, phones)
    if not (details.allergies or details.no_allergies):
        patient.allergies_asked_at = None
    elif patient.allergies_asked_at is None:
        patient.allergies_asked_at = now


def follow(session: Session, actor: Actor, record: Record, details: PatientDetails, now: datetime) -> None:
    """Make lists, addresses and other people what the details say; what leaves them is ended, not erased."""
    whose = {"clinic_id": actor.clinic_id, "patient_id": record.patient.id}
    by = {"entered_at": now, "entered_by": actor.user_id}
    for substance in _changes({row.substance: row for row in record.allergies}, details.allergies.splitlines(), now):
        session.add(Allergy(substance=substance, **whose, **by))
    for name in _changes({row.name: row for row in record.medicines}, details.medicines.splitlines(), now):
        session.add(Medicine(name=name, **whose, **by))
    _follow_addresses(session, actor, record, details, now)
    for role in CareRole:
        _follow_care(session, actor, record, role, details)
    session.flush()


Key = TypeVar("Key")


def _changes(rows: dict[Key, Listed], wanted: Iterable[Key], now: datetime) -> list[Key]:
    """End the rows that are not wanted any more; return what has no row yet."""
    wanted = list(wanted)
    for key, row in rows.items():
        if key not in wanted:
            row.ended_at = now
    return [key for key in wanted if key not in rows]


def _follow_addresses(session: Session, actor: Actor, record: Record, details: PatientDetails, now: datetime) -> None:
    """An address keeps its row as long as address, use and consent stay the same: the row is the consent's record."""
    rows = {(row.channel, row.position, row.address, may_use(row)): row for row in record.contacts}
    wanted = [
        (channel, position, address, position == 0 and bool(getattr(details, f"{name}_consent")))
        for name, channel, position in ADDRESSES
        if (address := _kept_address(record, details, name))
    ]
    new = _changes(rows, wanted, now)
    session.flush()  # of one address only one row is live
    a_week = texts_a_week(session, actor.clinic_id)
    for channel, position, address, consent in new:
        contact = ContactPoint(
            clinic_id=actor.clinic_id,
            patient_id=record.patient.id,
            channel=channel,
            position=position,
            address=address,
        )
        if consent:
            contact.consent_at, contact.consent_by = now, actor.user_id
            words = getattr(details, f"{channel.value}_again")
            contact.consent_wording = consent_wording(channel, a_week) + (f" ({words})" if words else "")
        session.add(contact)
        record.contacts.append(contact)
    _follow_more_texts(record, details, now)


def _kept_address(record: Record, details: PatientDetails, name: str) -> str | None:
    """Return the address that a form leaves or makes: a number for texts that is the first phone's stays on record
    after the consent to it ends."""
    address = _address(details, name)
    if name != "sms" or details.sms or details.sms_consent:
        return address
    texts = record.contact(ContactChannel.SMS)
    return address if texts and texts.address == address else None


def _follow_more_texts(record: Record, details: PatientDetails, now: datetime) -> None:
    for row in record.contacts:
        if row.channel is ContactChannel.SMS and row.ended_at is None:
            row.more_texts_at = (row.more_texts_at or now) if details.more_texts and details.sms_consent else None


def _follow_care(session: Session, actor: Actor, record: Record, role: CareRole, details: PatientDetails) -> None:
    said = {part: getattr(details, f"{role}_{part}") or "" for part in ("name", "phone", "email")}
    row = record.care.get(role)
    if not said["name"]:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(CareContact(patient_id=record.patient.id, role=role, clinic_id=actor.clinic_id, **said))
    else:
        for part, value in said.items():
            setattr(row, part, value)
