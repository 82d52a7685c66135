"""What the clinic has free: its resources, hours, shifts, closures and claims as the planner wants them."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from tracker.models import Claim, Closure, OpeningHours, Resource, Shift, StaffMember, WeeklyClosure
from tracker.rules.availability import ClosureRow, Days, FreeTime, free_time
from tracker.rules.availability import Resource as Plannable
from tracker.rules.vocabulary import ResourceKind
from tracker.services.clinic import ClinicInfo

# Statements are put together once: doing it anew would take three times as long as running them does.
_MINE = or_(Resource.kind != ResourceKind.PATIENT, Resource.id.in_(bindparam("patients", expanding=True)))
_LOCK = select(Resource.id).where(Resource.clinic_id == bindparam("clinic_id"), _MINE)
_LOCK = _LOCK.order_by(Resource.id).with_for_update()
_RESOURCES = (
    select(Resource.id, Resource.kind, Resource.name, Resource.detail, Resource.lanes, StaffMember.role)
    .outerjoin(StaffMember, StaffMember.id == Resource.id)
    .where(Resource.clinic_id == bindparam("clinic_id"), Resource.retired_at.is_(None), _MINE)
    .order_by(Resource.position, Resource.name)
)
_CLAIMS = select(Claim.resource_id, Claim.lane, Claim.starts_at, Claim.ends_at).where(
    Claim.clinic_id == bindparam("clinic_id"),
    Claim.starts_at > bindparam("since"),
    Claim.starts_at < bindparam("until"),
)
_OTHER_CLAIMS = _CLAIMS.where(Claim.visit_id.not_in(bindparam("without", expanding=True)))
_HOURS = select(OpeningHours.weekday, OpeningHours.starts_minute, OpeningHours.ends_minute).where(
    OpeningHours.clinic_id == bindparam("clinic_id")
)
_SHIFTS = select(
    Shift.resource_id, Shift.weekday, Shift.starts_minute, Shift.ends_minute, Shift.first_day, Shift.last_day
).where(Shift.clinic_id == bindparam("clinic_id"))
_CLOSURES = select(Closure.resource_id, Closure.starts_at, Closure.ends_at).where(
    Closure.clinic_id == bindparam("clinic_id"),
    Closure.ends_at > bindparam("since"),
    Closure.starts_at < bindparam("until"),
)
_WEEKLY = select(
    WeeklyClosure.resource_id,
    WeeklyClosure.weekday,
    WeeklyClosure.starts_minute,
    WeeklyClosure.ends_minute,
    WeeklyClosure.first_day,
    WeeklyClosure.last_day,
).where(WeeklyClosure.clinic_id == bindparam("clinic_id"))


def lock(session: Session, clinic: ClinicInfo, *patient_ids: UUID) -> None:
    """Keep others from claiming anything of the clinic, or these patients, until this transaction ends.

    In the order of ids, so that two bookings wait for each other instead of deadlocking. SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    session.connection().execute(_LOCK, {"clinic_id": clinic.id, "patients": list(patient_ids)})


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
    session.flush()
    here, rows = {"clinic_id": clinic.id}, session.connection()
    # No claim is longer than a day, so this bound lets the index do the work.
    since, until = _bounds(clinic, first - timedelta(days=1), last)
    near = here | {"since": since - apart, "until": until + apart, "without": list(without)}
    # A list is spelled out each time a statement runs; a booking needs none here.
    claims = rows.execute(_OTHER_CLAIMS if without else _CLAIMS, near).all()
    own = [(who, *_around(starts, stops, apart)) for who, _, starts, stops in claims if who in patients]
    return free_time(
        clinic.zone,
        first,
        last,
        resources=[
            # Equipment is what it is: "pump".
            Plannable(id_, role or (detail if kind is ResourceKind.EQUIPMENT else kind), name, lanes)
            for id_, kind, name, detail, lanes, role in rows.execute(_RESOURCES, here | {"patients": list(patients)})
        ],
        opening=rows.execute(_HOURS, here).all(),
        shifts=rows.execute(_SHIFTS, here).all(),
        closures=[*closures(session, clinic, first, last), *own],
        claims=claims,
    )


def _bounds(clinic: ClinicInfo, first: date, last: date) -> tuple[datetime, datetime]:
    begins, ends = (datetime.combine(day, time(), clinic.zone) for day in (first, last + timedelta(days=1)))
    return begins, ends


def closures(session: Session, clinic: ClinicInfo, first: date, last: date) -> list[ClosureRow]:
    """Return when a resource, or (None) the whole clinic, is not there from `first` to `last`; weekly ones laid out."""
    here, rows = {"clinic_id": clinic.id}, session.connection()
    since, until = _bounds(clinic, first, last)
    once = rows.execute(_CLOSURES, here | {"since": since, "until": until}).all()
    weekly = rows.execute(_WEEKLY, here).all()
    if not weekly:
        return [*once]
    days = Days(clinic.zone, first, last)
    again = [
        (resource_id, days.at(day, opens), days.at(day, closes))
        for resource_id, weekday, opens, closes, first_day, last_day in weekly
        for day in days.on_weekday(weekday, first_day, last_day)
    ]
    return [*once, *again]


def _around(starts_at: datetime, ends_at: datetime, apart: timedelta) -> tuple[datetime, datetime]:
    """Return when the patient of a visit can't be at another one that is as long as it."""
    return min(starts_at, ends_at - apart), max(ends_at, starts_at + apart)
