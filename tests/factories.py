"""A clinic to test in, made the way a clinic is made; people in it as short as a test wants them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from tests.conftest import NOW
from tracker import db
from tracker.models import Clinic, Patient, Resource, UserAccount
from tracker.rules import lookup
from tracker.rules.permissions import Actor, Role
from tracker.rules.vocabulary import IntakeStatus, ResourceKind
from tracker.services.setup import NewClinic, NewRoom, NewStaff, found

HOURS = (8 * 60, 17 * 60 + 45)
COTTONWOOD = NewClinic(
    name="Cottonwood Clinic",
    discreet_name="Cottonwood",
    zone_name="America/Denver",
    phone="+15055550100",
    address="14 Mill Lane",
    hours=HOURS,
    rooms=(NewRoom("Sage", "recliner"), NewRoom("Juniper", "recliner"), NewRoom("Mesa", "bed")),
    staff=(
        NewStaff("Dr A. Hale", "AH", Role.PHYSICIAN, (7 * 60 + 45, 17 * 60 + 45), "MD", lanes=3),
        NewStaff("J. Adeyemi", "JA", Role.NURSE, (7 * 60 + 45, 16 * 60 + 15), "RN", lanes=2),
        NewStaff("K. Mori", "KM", Role.NURSE, (9 * 60, 17 * 60 + 45), "RN", lanes=2),
    ),
)


@dataclass
class House:
    """One clinic, its actors by role, its rooms and staff by name."""

    clinic: Clinic
    coordinator: Actor
    nurse: Actor
    second_nurse: Actor
    physician: Actor
    admin: Actor
    resources: dict[str, UUID] = field(default_factory=dict)

    def patient(self, name: str, **more) -> UUID:
        """Add a cleared patient called `name`; return the id."""
        return make_patient(self.clinic.id, name, **more)


def make_clinic(new: NewClinic = COTTONWOOD, *, now: datetime = NOW) -> House:
    """Make a clinic with an account for each role."""
    with db.transaction() as session:
        clinic = found(session, new, now=now)
        resources = {
            resource.name: resource.id
            for resource in session.scalars(select(Resource).where(Resource.clinic_id == clinic.id))
        }
        users = [_user(clinic.id, name, role, now) for name, role in _ACCOUNTS]
        session.add_all(users)
        session.flush()
    return House(clinic, *map(_actor, users), resources)


_ACCOUNTS = (
    ("M. Reyes", Role.COORDINATOR),
    ("J. Adeyemi", Role.NURSE),
    ("K. Mori", Role.NURSE),
    ("A. Hale", Role.PHYSICIAN),
    ("P. Stone", Role.ADMIN),
)


def make_user(session, clinic_id: UUID, name: str, role: Role, *, now: datetime = NOW) -> Actor:
    """Add an account without a usable password; return it as an actor."""
    user = _user(clinic_id, name, role, now)
    session.add(user)
    session.flush()
    return _actor(user)


def _user(clinic_id: UUID, name: str, role: Role, now: datetime) -> UserAccount:
    email = f"{name.split()[-1].lower()}.{str(clinic_id)[-6:]}@example.org"
    return UserAccount(clinic_id=clinic_id, email=email, name=name, role=role, password_hash="unusable", created_at=now)


def _actor(user: UserAccount) -> Actor:
    return Actor(user.clinic_id, user.id, user.role, user.name)


def make_patient(
    clinic_id: UUID, name: str, *, birth_date: date = date(1985, 3, 14), status=IntakeStatus.CLEARED, now=NOW
) -> UUID:
    """Add a patient called `name` ("Ada" or "Ada Lovelace"); return the id."""
    given, _, family = name.partition(" ")
    family = family or "Test"
    with db.transaction() as session:
        resource = Resource(clinic_id=clinic_id, kind=ResourceKind.PATIENT, name=name)
        session.add(resource)
        session.flush()
        number = str(resource.id)[:4] + str(resource.id)[-10:]  # six digits came twice among five hundred
        session.add(
            Patient(
                id=resource.id,
                clinic_id=clinic_id,
                chart_number=number,
                given_name=given,
                family_name=family,
                search_text=lookup.search_text([family, given], number, birth_date, []),
                birth_date=birth_date,
                intake_status=status,
                created_at=now,
            )
        )
        return resource.id
