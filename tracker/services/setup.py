"""A new clinic with its hours, rooms, staff and protocols: what `tracker init` and the demonstration begin with."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tracker.models import Clinic, OpeningHours, ProtocolVersion, Resource, Shift, StaffMember, new_id
from tracker.rules.protocols import SHIPPED
from tracker.rules.vocabulary import ResourceKind, Role
from tracker.services import audit

Span = tuple[int, int]  # minutes after local midnight, from and to
WORKING_WEEK = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class NewRoom:
    """A room to treat in; `detail` says what stands in it, "recliner" or "bed"."""

    name: str
    detail: str = ""


@dataclass(frozen=True)
class NewStaff:
    """A staff member; `lanes` is how many patients at once, `hours` the working time of every day in `weekdays`."""

    name: str
    initials: str
    role: Role
    hours: Span
    credential: str = ""
    lanes: int = 1
    weekdays: tuple[int, ...] = WORKING_WEEK


@dataclass(frozen=True)
class NewClinic:
    """A clinic as it opens its doors; `hours` are its own on every day in `weekdays`."""

    name: str
    discreet_name: str
    zone_name: str
    phone: str
    address: str
    hours: Span
    rooms: tuple[NewRoom, ...]
    staff: tuple[NewStaff, ...]
    country: str = "US"
    weekdays: tuple[int, ...] = WORKING_WEEK


def found(session: Session, new: NewClinic, *, now: datetime, clinic_id: UUID | None = None) -> Clinic:
    """Make a clinic with everything a first booking needs; `clinic_id` where the id is to be known beforehand."""
    clinic = Clinic(
        id=clinic_id or new_id(),
        name=new.name,
        discreet_name=new.discreet_name,
        zone_name=new.zone_name,
        country=new.country,
        phone=new.phone,
        address=new.address,
        created_at=now,
    )
    session.add(clinic)
    session.flush()
    audit.begin(session, clinic.id)
    start, end = new.hours
    for weekday in new.weekdays:
        session.add(OpeningHours(clinic_id=clinic.id, weekday=weekday, starts_minute=start, ends_minute=end))
    for position, room in enumerate(new.rooms):
        _resource(session, clinic, ResourceKind.ROOM, room.name, room.detail, 1, position)
    for position, person in enumerate(new.staff):
        _staff(session, clinic, person, position)
    for protocol in SHIPPED:
        session.add(
            ProtocolVersion(
                clinic_id=clinic.id,
                code=protocol.code,
                version=protocol.version,
                title=protocol.title,
                definition=protocol.to_data(),
                created_at=now,
            )
        )
    session.flush()
    return clinic


def _staff(session: Session, clinic: Clinic, person: NewStaff, position: int) -> None:
    resource = _resource(session, clinic, ResourceKind.STAFF, person.name, person.credential, person.lanes, position)
    session.add(StaffMember(id=resource.id, clinic_id=clinic.id, role=person.role, initials=person.initials))
    session.flush()
    start, end = person.hours
    for weekday in person.weekdays:
        session.add(
            Shift(clinic_id=clinic.id, resource_id=resource.id, weekday=weekday, starts_minute=start, ends_minute=end)
        )


def _resource(
    session: Session, clinic: Clinic, kind: ResourceKind, name: str, detail: str, lanes: int, position: int
) -> Resource:
    resource = Resource(clinic_id=clinic.id, kind=kind, name=name, detail=detail, lanes=lanes, position=position)
    session.add(resource)
    session.flush()
    return resource
