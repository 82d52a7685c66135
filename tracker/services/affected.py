"""Booked visits that stand where something is missing: a closed room, a nurse who is away, a clinic that is shut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.models import Claim, Patient, Resource, Visit
from tracker.rules.availability import STARTS_LANE, FreeTime
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ResourceKind, VisitStatus
from tracker.services import calendar, capacity
from tracker.services.clinic import ClinicInfo


@dataclass(frozen=True)
class Affected:
    """A booked visit, and the names of what it needs and won't have."""

    visit_id: UUID
    patient: str
    starts_at: datetime
    missing: tuple[str, ...]


def affected(session: Session, actor: Actor, place: ClinicInfo, *, now: datetime) -> list[Affected]:
    """Return the booked visits to come whose room, people or equipment won't be there, in order of time."""
    rows = session.execute(_held(actor, now)).all()
    if not rows:
        return []
    first, last = (one.astimezone(place.zone).date() for one in (now, max(row.ends_at for row in rows)))
    free = capacity.load(session, place, first, last)
    missing: dict[UUID, list[Any]] = {}
    for row in rows:
        if row.resource_id not in free.present or not _there(free, row):
            missing.setdefault(row.id, []).append(row)
    return [_affected(found) for found in missing.values()]


def _held(actor: Actor, now: datetime) -> Any:
    """From when until when each booked visit needs each resource; a patient has no hours."""
    query = (
        select(
            Visit.id,
            Visit.starts_at.label("visit_at"),
            Patient.family_name,
            Patient.given_name,
            Patient.preferred_name,
            Resource.name,
            Claim.resource_id,
            func.min(Claim.starts_at).label("starts_at"),
            func.max(Claim.ends_at).label("ends_at"),
        )
        .join(Claim, Claim.visit_id == Visit.id)
        .join(Resource, Resource.id == Claim.resource_id)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(
            Visit.clinic_id == actor.clinic_id,
            Visit.status == VisitStatus.BOOKED,
            Visit.starts_at >= now,
            Resource.kind != ResourceKind.PATIENT,
            Claim.lane != STARTS_LANE,
        )
    )
    names = (Patient.family_name, Patient.given_name, Patient.preferred_name, Resource.name)
    query = query.group_by(Visit.id, Visit.starts_at, *names, Claim.resource_id)
    return query.order_by(Visit.starts_at, Visit.id, Resource.name)


def _there(free: FreeTime, row: Any) -> bool:
    present = free.present[row.resource_id]
    return all(present[day] & bits == bits for day, bits in free.days.spread(row.starts_at, row.ends_at))


def _affected(rows: Sequence[Any]) -> Affected:
    first = rows[0]
    return Affected(first.id, calendar.say_name(first), first.visit_at, tuple(row.name for row in rows))
