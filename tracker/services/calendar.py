"""The calendar: what it can be narrowed to, the visits of some days, a week; each in a fixed number of SELECTs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.orm import Session

from tracker.models import (
    Closure,
    Course,
    OpeningHours,
    Patient,
    ProtocolVersion,
    Resource,
    StaffMember,
    Visit,
    WeeklyClosure,
)
from tracker.rules import agenda, planner
from tracker.rules.agenda import Closed, Entry, Filters
from tracker.rules.availability import Days, FreeTime
from tracker.rules.permissions import Actor
from tracker.rules.protocol import Protocol
from tracker.rules.vocabulary import ResourceKind, Role
from tracker.services import capacity
from tracker.services.clinic import ClinicInfo

Place = tuple[datetime, datetime]  # a block that could still be booked


@dataclass(frozen=True, slots=True)
class Choice:
    """A room, somebody of the staff, or a piece of equipment. Only staff have a role and initials."""

    id: UUID
    kind: ResourceKind
    name: str
    detail: str
    lanes: int
    role: Role | None
    initials: str | None


@dataclass(frozen=True)
class Choices:
    """What a calendar can be narrowed to, in the board's order, and the names of all of it."""

    resources: Sequence[Choice]
    protocols: Mapping[str, str]  # title by code

    def _of(self, kind: ResourceKind) -> list[Choice]:
        return [one for one in self.resources if one.kind is kind]

    @cached_property
    def rooms(self) -> list[Choice]:
        """The rooms."""
        return self._of(ResourceKind.ROOM)

    @cached_property
    def staff(self) -> list[Choice]:
        """Whoever can be claimed."""
        return self._of(ResourceKind.STAFF)

    @cached_property
    def equipment(self) -> list[Choice]:
        """Pumps and the like."""
        return self._of(ResourceKind.EQUIPMENT)

    @cached_property
    def names(self) -> dict[UUID, str]:
        """The names of rooms, staff and equipment."""
        return {one.id: one.name for one in self.resources}

    @property
    def initials(self) -> dict[UUID, str]:
        """The initials of the staff."""
        return {one.id: one.initials or "" for one in self.staff}

    def has(self, filters: Filters) -> bool:
        """Return whether everything a calendar is narrowed to is there."""
        return (
            filters.room in {None, *(one.id for one in self.rooms)}
            and filters.clinician in {None, *(one.id for one in self.staff)}
            and filters.protocol in {None, *self.protocols}
        )


_RESOURCES = (
    select(
        *(Resource.id, Resource.kind, Resource.name, Resource.detail, Resource.lanes),
        *(StaffMember.role, StaffMember.initials),
    )
    .outerjoin(StaffMember, StaffMember.id == Resource.id)
    .where(
        Resource.clinic_id == bindparam("clinic_id"),
        Resource.kind != ResourceKind.PATIENT,
        Resource.retired_at.is_(None),
    )
    .order_by(Resource.position, Resource.name)
)
_TITLES = (
    select(ProtocolVersion.code, ProtocolVersion.title)
    .where(ProtocolVersion.clinic_id == bindparam("clinic_id"), ProtocolVersion.retired_at.is_(None))
    .order_by(ProtocolVersion.code, ProtocolVersion.version)
)


def choices(session: Session, actor: Actor) -> Choices:
    """Return the rooms, staff and protocols of the actor's clinic that are in use."""
    rows, here = session.connection(), {"clinic_id": actor.clinic_id}
    return Choices([Choice(*row) for row in rows.execute(_RESOURCES, here)], dict(rows.execute(_TITLES, here).all()))


def narrowed(filters: Filters) -> list[ColumnElement[bool]]:
    """Return the conditions on visit and protocol that keep what a calendar is narrowed to."""
    kept: list[ColumnElement[bool]] = []
    if filters.room:
        kept.append(Visit.room_id == filters.room)
    if filters.clinician:
        kept.append(or_(Visit.nurse_id == filters.clinician, Visit.physician_id == filters.clinician))
    if filters.protocol:
        kept.append(ProtocolVersion.code == filters.protocol)
    return kept


def bounds(place: ClinicInfo, first: date, last: date) -> tuple[datetime, datetime]:
    """Return when the days from `first` to `last`, both included, begin and end in the clinic's zone."""
    begins, ends = (datetime.combine(day, time(), place.zone) for day in (first, last + timedelta(days=1)))
    return begins.astimezone(UTC), ends.astimezone(UTC)


def usual_protocol(session: Session, clinic_id: UUID, code: str | None = None) -> Protocol | None:
    """Return the protocol whose block free places are measured by: the one with this code, else the first in use."""
    query = select(ProtocolVersion.definition).where(
        ProtocolVersion.clinic_id == clinic_id, ProtocolVersion.retired_at.is_(None)
    )
    if code:
        query = query.where(ProtocolVersion.code == code)
    found = session.scalars(query.order_by(ProtocolVersion.code, ProtocolVersion.version.desc()).limit(1)).first()
    return Protocol.from_data(found) if found else None


def entries(
    session: Session, actor: Actor, place: ClinicInfo, first: date, last: date, filters: Filters
) -> list[Entry]:
    """Return the visits from `first` to `last`, called-off ones too, in order of time."""
    begins, ends = bounds(place, first, last)
    of = {row.id: row.definition["visits"] for row in session.scalars(_versions(actor))}
    query = (
        select(
            Visit,
            Course.sequence,
            Course.protocol_id,
            ProtocolVersion.title,
            Patient.family_name,
            Patient.given_name,
            Patient.preferred_name,
        )
        .join(Course, Course.id == Visit.course_id)
        .join(ProtocolVersion, ProtocolVersion.id == Course.protocol_id)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(
            Visit.clinic_id == actor.clinic_id, Visit.starts_at >= begins, Visit.starts_at < ends, *narrowed(filters)
        )
        .order_by(Visit.starts_at, Visit.id)
    )
    return [_entry(row, of[row.protocol_id]) for row in session.execute(query)]


def _versions(actor: Actor) -> Any:
    return select(ProtocolVersion).where(ProtocolVersion.clinic_id == actor.clinic_id)


def _entry(row: Any, of: int) -> Entry:
    visit: Visit = row.Visit
    return Entry(
        id=visit.id,
        patient_id=visit.patient_id,
        patient=say_name(row),
        ordinal=visit.ordinal,
        of=of,
        sequence=row.sequence,
        protocol_id=row.protocol_id,
        title=row.title,
        room_id=visit.room_id,
        nurse_id=visit.nurse_id,
        physician_id=visit.physician_id,
        status=visit.status,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        driver_confirmed=visit.driver_confirmed_at is not None,
        lost=visit.lost_at is not None,
    )


def say_name(row: Any) -> str:
    """Return a patient's name as lists sort it: "Tran, Linh"; the preferred given name where there is one."""
    return f"{row.family_name}, {row.preferred_name or row.given_name}"


_ONCE = select(Closure.resource_id, Closure.starts_at, Closure.ends_at, Closure.reason).where(
    Closure.clinic_id == bindparam("clinic_id"),
    Closure.ends_at > bindparam("since"),
    Closure.starts_at < bindparam("until"),
)
_WEEKLY = select(
    *(WeeklyClosure.resource_id, WeeklyClosure.weekday, WeeklyClosure.starts_minute, WeeklyClosure.ends_minute),
    *(WeeklyClosure.first_day, WeeklyClosure.last_day, WeeklyClosure.reason),
).where(WeeklyClosure.clinic_id == bindparam("clinic_id"))


def closed_times(session: Session, place: ClinicInfo, first: date, last: date) -> list[Closed]:
    """Return when the clinic or something of it is not there from `first` to `last`, and why; weekly ones laid out."""
    since, until = bounds(place, first, last)
    rows, here = session.connection(), {"clinic_id": place.id}
    days = Days(place.zone, first, last)
    again = [
        Closed(row.resource_id, days.at(day, row.starts_minute), days.at(day, row.ends_minute), row.reason)
        for row in rows.execute(_WEEKLY, here)
        for day in days.on_weekday(row.weekday, row.first_day, row.last_day)
    ]
    once = rows.execute(_ONCE, here | {"since": since, "until": until})
    found = [*(Closed(*row) for row in once), *again]
    return sorted(found, key=lambda one: (one.starts_at, str(one.resource_id)))


def open_weekdays(session: Session, clinic_id: UUID) -> list[int]:
    """Return the weekdays on which the clinic opens, 0 = Monday."""
    return list(session.scalars(select(OpeningHours.weekday).where(OpeningHours.clinic_id == clinic_id)))


def free_by_room(protocol: Protocol, free: FreeTime, day: date, now: datetime) -> dict[UUID, list[Place]]:
    """Return the blocks that could still be booked on a day, room by room."""
    found: dict[UUID, list[Place]] = defaultdict(list)
    for one in planner.free_places(protocol, free, day, not_before=now):
        taken = found[one.room_id]
        start = max(one.starts_at, taken[-1][1]) if taken else one.starts_at
        while start <= one.latest_start:  # a long gap has room for more than one
            taken.append((start, start + one.block))
            start += one.block
    return found


@dataclass(frozen=True)
class Week:
    """A week by room. `cells` are its visits by day and room, `free` the places that could be booked."""

    days: Sequence[date]
    cells: Mapping[tuple[date, UUID], Sequence[Entry]]
    free: Mapping[tuple[date, UUID], Sequence[Place]]
    closed: Mapping[tuple[date, UUID | None], Sequence[Closed]]
    lost: Sequence[Entry] = ()

    def count(self, day: date) -> int:
        """Return how many visits a day has."""
        return sum(len(found) for (on, _room), found in self.cells.items() if on == day)


def week(session: Session, actor: Actor, place: ClinicInfo, day: date, filters: Filters, *, now: datetime) -> Week:
    """Return the week that `day` lies in."""
    days = agenda.week_of(day)
    found = entries(session, actor, place, days[0], days[-1], filters)
    live = [one for one in found if one.live]
    shown = agenda.shown_weekdays(
        open_weekdays(session, place.id), (agenda.local_day(one.starts_at, place.zone) for one in live)
    )
    cells: dict[tuple[date, UUID], list[Entry]] = defaultdict(list)
    for one in live:
        cells[agenda.local_day(one.starts_at, place.zone), one.room_id].append(one)
    closed: dict[tuple[date, UUID | None], list[Closed]] = defaultdict(list)
    for time_off in closed_times(session, place, days[0], days[-1]):
        for on in _days_of(time_off, days, place):
            closed[on, time_off.resource_id].append(time_off)
    free = {} if filters.clinician else _free_of_days(session, place, days, filters, now)
    return Week([days[n] for n in shown], cells, free, closed, [one for one in live if one.lost])


def _days_of(time_off: Closed, days: Iterable[date], place: ClinicInfo) -> list[date]:
    return [
        day
        for day in days
        for begins, ends in [bounds(place, day, day)]
        if time_off.starts_at < ends and time_off.ends_at > begins
    ]


def _free_of_days(
    session: Session, place: ClinicInfo, days: Sequence[date], filters: Filters, now: datetime
) -> dict[tuple[date, UUID], list[Place]]:
    coming = [day for day in days if day >= agenda.local_day(now, place.zone)]
    protocol = usual_protocol(session, place.id, filters.protocol) if coming else None
    if protocol is None:
        return {}
    free = capacity.load(session, place, coming[0], coming[-1])
    return {
        (day, room_id): places for day in coming for room_id, places in free_by_room(protocol, free, day, now).items()
    }
