"""What the clinic has free: its resources, hours, shifts, closures and claims as the planner wants them."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tracker.models import Claim, Closure, OpeningHours, Resource, Shift, StaffMember, WeeklyClosure
from tracker.rules.availability import ClosureRow, Days, FreeTime, free_time
from tracker.rules.availability import Resource as Plannable
from tracker.rules.vocabulary import ResourceKind
from tracker.services.clinic import ClinicInfo


def lock(session: Session, clinic: ClinicInfo, *patient_ids: UUID) -> None:
    """Keep others from claiming anything of the clinic, or these patients, until this transaction ends.

    In the order of ids, so that two bookings wait for each other instead of deadlocking. SQLite has one writer anyway.
    """
    query = select(Resource.id).where(
        Resource.clinic_id == clinic.id, or_(Resource.kind != ResourceKind.PATIENT, Resource.id.in_(patient_ids))
    )
    session.execute(query.order_by(Resource.id).with_for_update())


def load(
    session: Session,
    clinic: ClinicInfo,
    first: date,
    last: date,
    *,
    patients: Sequence[UUID] = (),
    without: Sequence[UUID] = (),
    apart: timedelta = timedelta(0),
) -> FreeTime:
    """Return what is free from `first` to `last`, both included, in the clinic's zone.

    Args:
        patients: Whose own claims count, too.
        without: Visits whose claims don't count: those that are to be moved.
        apart: How far from each start of a patient's own visits another of hers may start, at the least.
    """
    begins = datetime.combine(first, time(), clinic.zone)
    ends = datetime.combine(last + timedelta(days=1), time(), clinic.zone)
    claimed = select(Claim.resource_id, Claim.lane, Claim.starts_at, Claim.ends_at).where(
        Claim.clinic_id == clinic.id,
        # No claim is longer than a day, so this bound lets the index do the work.
        Claim.starts_at > begins - timedelta(days=1) - apart,
        Claim.starts_at < ends + apart,
        Claim.visit_id.not_in(without),
    )
    hours = select(OpeningHours.weekday, OpeningHours.starts_minute, OpeningHours.ends_minute).where(
        OpeningHours.clinic_id == clinic.id
    )
    shifts = select(
        Shift.resource_id, Shift.weekday, Shift.starts_minute, Shift.ends_minute, Shift.first_day, Shift.last_day
    ).where(Shift.clinic_id == clinic.id)
    claims = session.execute(claimed).all()
    own = [(who, *_around(starts, stops, apart)) for who, _, starts, stops in claims if who in patients]
    return free_time(
        clinic.zone,
        first,
        last,
        resources=_resources(session, clinic, patients),
        opening=session.execute(hours).all(),
        shifts=session.execute(shifts).all(),
        closures=[*closures(session, clinic, first, last), *own],
        claims=claims,
    )


def closures(session: Session, clinic: ClinicInfo, first: date, last: date) -> list[ClosureRow]:
    """Return when a resource, or (None) the whole clinic, is not there from `first` to `last`; weekly ones laid out."""
    days = Days(clinic.zone, first, last)
    once = select(Closure.resource_id, Closure.starts_at, Closure.ends_at).where(
        Closure.clinic_id == clinic.id,
        Closure.ends_at > datetime.combine(first, time(), clinic.zone),
        Closure.starts_at < datetime.combine(last + timedelta(days=1), time(), clinic.zone),
    )
    weekly = session.scalars(select(WeeklyClosure).where(WeeklyClosure.clinic_id == clinic.id))
    again = [
        (row.resource_id, days.at(day, row.starts_minute), days.at(day, row.ends_minute))
        for row in weekly
        for day in days.on_weekday(row.weekday, row.first_day, row.last_day)
    ]
    return [*session.execute(once).all(), *again]


def _around(starts_at: datetime, ends_at: datetime, apart: timedelta) -> tuple[datetime, datetime]:
    """Return when the patient of a visit can't be at another one that is as long as it."""
    return min(starts_at, ends_at - apart), max(ends_at, starts_at + apart)


def _resources(session: Session, clinic: ClinicInfo, patients: Sequence[UUID]) -> list[Plannable]:
    query = (
        select(Resource, StaffMember.role)
        .outerjoin(StaffMember, StaffMember.id == Resource.id)
        .where(
            Resource.clinic_id == clinic.id,
            Resource.retired_at.is_(None),
            or_(Resource.kind != ResourceKind.PATIENT, Resource.id.in_(patients)),
        )
        .order_by(Resource.position, Resource.name)
    )
    return [Plannable(row.id, role or _word(row), row.name, row.lanes) for row, role in session.execute(query)]


def _word(row: Resource) -> str:
    """Return what a protocol's hold calls it; equipment by what it is: "pump"."""
    return row.detail if row.kind is ResourceKind.EQUIPMENT else row.kind
