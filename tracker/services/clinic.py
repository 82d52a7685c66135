"""The clinic at hand, and the one way to load a row by an id from outside: scoped to it."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from tracker.errors import NotFound
from tracker.models import Clinic, Course, Resource, Visit
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ResourceKind
from tracker.text import gettext as _


class _Scoped(Protocol):
    id: UUID
    clinic_id: UUID


Row = TypeVar("Row", bound=_Scoped)


@dataclass(frozen=True)
class ClinicInfo:
    """What pages and messages say about the clinic, and the zone its times are in."""

    id: UUID
    name: str
    discreet_name: str
    zone: ZoneInfo
    country: str
    phone: str
    address: str


_INFO = select(
    *(Clinic.id, Clinic.name, Clinic.discreet_name, Clinic.zone_name),
    *(Clinic.country, Clinic.phone, Clinic.address),
).where(Clinic.id == bindparam("of"))


def info(session: Session, clinic_id: UUID) -> ClinicInfo:
    """Return what is to be known of a clinic. NotFound: there is none with this id."""
    known = session.info.get(clinic_id)  # many ask in one transaction
    if isinstance(known, ClinicInfo):
        return known
    row = session.connection().execute(_INFO, {"of": clinic_id}).one_or_none()
    if row is None:
        raise NotFound(_("There is no such clinic."))
    found = ClinicInfo(row.id, row.name, row.discreet_name, ZoneInfo(row.zone_name), *row[4:])
    session.info[clinic_id] = found
    return found


@cache
def _scoped(model: type[Row]) -> Select[Row]:
    columns: Any = model  # seen from the class they are columns, not values
    return select(model).where(columns.id == bindparam("row_id"), columns.clinic_id == bindparam("in_clinic"))


def get(session: Session, actor: Actor, model: type[Row], row_id: UUID, *options: Any, lock: bool = False) -> Row:
    """Return a row of the actor's clinic, with loader `options`; `lock` keeps others from changing it meanwhile.

    Raises:
        NotFound: There is none, or it is another clinic's: the caller can't tell which.
    """
    query = _scoped(model).options(*options) if options else _scoped(model)
    # Not the key: whoever adds a row that points here needn't wait, and so can't be waited for in a circle.
    query = query.with_for_update(of=model, key_share=True) if lock else query
    row: Row | None = session.scalar(query, {"row_id": row_id, "in_clinic": actor.clinic_id})
    if row is None:
        raise NotFound(_("There is nothing here, or it isn't yours to see."))
    return row


def lock_course(session: Session, actor: Actor, visit_id: UUID) -> None:
    """Keep others from changing any visit of this one's series until the transaction ends, before one is loaded.

    What follows from a visit (status of the course, tasks, messages) is planned from all visits of its series.
    """
    of_visit = select(Visit.course_id).where(Visit.id == visit_id, Visit.clinic_id == actor.clinic_id)
    query = select(Course.id).where(Course.id == of_visit.scalar_subquery())
    session.execute(query.with_for_update(key_share=True))


def resources(session: Session, actor: Actor, kind: ResourceKind) -> list[Resource]:
    """Return the clinic's resources of a kind that are in use, in the board's order."""
    query = select(Resource).where(
        Resource.clinic_id == actor.clinic_id, Resource.kind == kind, Resource.retired_at.is_(None)
    )
    return list(session.scalars(query.order_by(Resource.position, Resource.name)))
