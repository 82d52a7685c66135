"""The demonstration clinic's house: place, people, accounts, patients. All with ids that depend on the day alone."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.demo.days import at, thanksgiving
from tracker.demo.people import ACCOUNTS, CLINIC, PASSWORD, PEOPLE, Person
from tracker.models import Closure, Patient, ProtocolVersion, Resource
from tracker.rules.permissions import Actor
from tracker.services import accounts, patients, setup
from tracker.services.patient_details import PatientDetails

_NAMESPACE = UUID("6c1d0f7e-3c0a-4a51-9d2b-0c0770e7d001")


@dataclass(frozen=True)
class House:
    """The clinic on one day; everything by its name."""

    today: date
    clinic_id: UUID
    resources: dict[str, UUID]
    actors: dict[str, Actor]
    protocols: dict[str, UUID]
    patients: dict[str, UUID] = field(default_factory=dict)

    @property
    def desk(self) -> Actor:
        """The coordinator."""
        return self.actors["M. Reyes"]

    @property
    def physician(self) -> Actor:
        """The physician."""
        return self.actors["Dr A. Hale"]

    def user(self, name: str) -> UUID:
        """Return the account of somebody who signs in."""
        found = self.actors[name].user_id
        assert found
        return found

    def id_of(self, *what: object) -> UUID:
        """Return the id of something, the same for the same day."""
        return make_id(self.today, *what)


def make_id(today: date, *what: object) -> UUID:
    """Return an id that depends on the day and on what it is for, and on nothing else."""
    return uuid5(_NAMESPACE, "/".join(map(str, (today, *what))))


def build(session: Session, today: date) -> House:
    """Found the clinic with its accounts, its closed days and its patients; return it."""
    long_ago = at(today - timedelta(days=400), "9:00")
    clinic = setup.found(session, CLINIC, now=long_ago, clinic_id=make_id(today, "clinic"))
    for year in (today.year, today.year + 1):
        day = thanksgiving(year)
        times = {"starts_at": at(day, "0:00"), "ends_at": at(day + timedelta(days=1), "0:00")}
        session.add(Closure(clinic_id=clinic.id, reason="Thanksgiving", **times))
    session.flush()
    resources = select(Resource.name, Resource.id).where(Resource.clinic_id == clinic.id)
    protocols = select(ProtocolVersion.code, ProtocolVersion.id).where(ProtocolVersion.clinic_id == clinic.id)
    ids = dict(session.execute(resources).all())
    return House(today, clinic.id, ids, _actors(session, clinic.id, ids, today), dict(session.execute(protocols).all()))


def _actors(session: Session, clinic_id: UUID, ids: dict[str, UUID], today: date) -> dict[str, Actor]:
    founder = Actor(clinic_id, None, None, "tracker demo")
    found = {}
    for account in ACCOUNTS:
        new = accounts.AddUser(
            email=account.email, name=account.name, role=account.role, staff_id=ids.get(account.staff)
        )
        user = accounts.add(session, founder, new, PASSWORD, now=at(today - timedelta(days=399), "9:00"))
        found[account.name] = Actor(clinic_id, user.id, account.role, account.name)
    return found


def admit(session: Session, house: House, person: Person, number: int) -> None:
    """Add one of the patients, as the desk would have."""
    mail = f"{person.given}.{person.family}@example.org".lower()
    details = PatientDetails.model_validate(
        {
            "given_name": person.given,
            "family_name": person.family,
            "birth_date": person.born(house.today),
            "language": person.language,
            "diagnosis": person.diagnosis,
            "phone": f"+1505555{200 + number:04}",
            "email": mail,
            "phone_consent": True,
            "email_consent": True,
            "sms_consent": person.texts,
            "allergies": person.allergies,
            "medicines": person.medicines,
            "no_allergies": person.asked and not person.allergies,
            "intake_status": person.status,
            "driver_name": person.driver or None,
            "driver_phone": f"+1505555{300 + number:04}" if person.driver else None,
            **person.more,
        },
        context={"country": "US", "today": house.today},
    )
    when = at(house.today - timedelta(days=210 if person.family in _OLD else 30 + number % 9), "10:00")
    patient_id = house.id_of("patient", person.family)
    patients.insert(session, house.desk, details, str(1001 + number), now=when, patient_id=patient_id)
    if person.kg:
        session.get_one(Patient, patient_id).weight_kg = Decimal(person.kg)
    house.patients[person.family] = patient_id


_OLD = ("Fraser", "Nguyen", "Adams")


def admit_all(session: Session, house: House) -> None:
    """Add every patient."""
    for number, person in enumerate(PEOPLE.values()):
        admit(session, house, person, number)
