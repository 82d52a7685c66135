"""A month: how full each day is, and what it warns of, in a fixed number of SELECTs."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Course, ProtocolVersion, Resource, Visit
from tracker.rules import agenda, load
from tracker.rules.agenda import Closed, DayLoad, Filters, Hint, Sign
from tracker.rules.attention import OFF_THE_BOARD
from tracker.rules.availability import FreeTime
from tracker.rules.permissions import Actor
from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM
from tracker.rules.vocabulary import ResourceKind
from tracker.services import calendar, capacity
from tracker.services.clinic import ClinicInfo

_SIGNS = {ResourceKind.ROOM: Sign.ROOM, ResourceKind.STAFF: Sign.STAFF, ResourceKind.EQUIPMENT: Sign.EQUIPMENT}


@dataclass(frozen=True)
class Month:
    """The days of a month, week by week; None stands where a day is another month's."""

    weekdays: Sequence[int]
    weeks: Sequence[Sequence[DayLoad | None]]


def month(session: Session, actor: Actor, place: ClinicInfo, day: date, filters: Filters, *, now: datetime) -> Month:
    """Return how full each day of `day`'s month is, and what it warns of."""
    first = day.replace(day=1)
    last = agenda.next_month(day) - timedelta(days=1)
    booked = _booked(session, actor, place, first, last, filters)
    free = _only(capacity.load(session, place, first, last), filters)
    protocol = calendar.usual_protocol(session, place.id, filters.protocol)
    left = load.blocks_left_by_day(protocol, free) if protocol else [0] * free.days.count
    signs = _Signs(session, place, free, first, last, now)
    loads = {on: signs.load(on, booked.get(on, []), left[free.days.index(on)]) for on in _days(first, last)}
    shown = agenda.shown_weekdays(signs.open_on, booked)
    weeks = [[loads.get(days[n]) for n in shown] for days in agenda.weeks_of_month(day)]
    return Month(shown, [one for one in weeks if any(one)])


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _only(free: FreeTime, filters: Filters) -> FreeTime:
    """Leave out the rooms and clinicians that the calendar is narrowed away from."""
    chosen = {one.id: one.kind for one in free.resources if one.id in (filters.room, filters.clinician)}
    kept = tuple(one for one in free.resources if one.id in chosen or one.kind not in chosen.values())
    ids = {one.id for one in kept}
    return FreeTime(free.days, kept, free.present, {key: bits for key, bits in free.free.items() if key[0] in ids})


def _booked(
    session: Session, actor: Actor, place: ClinicInfo, first: date, last: date, filters: Filters
) -> dict[date, list[Any]]:
    begins, ends = calendar.bounds(place, first, last)
    query = (
        select(Visit.status, Visit.starts_at, Visit.driver_confirmed_at, Visit.lost_at)
        .where(
            Visit.clinic_id == actor.clinic_id,
            Visit.starts_at >= begins,
            Visit.starts_at < ends,
            Visit.status.not_in(OFF_THE_BOARD),
            *calendar.narrowed(filters),
        )
        .order_by(Visit.starts_at)
    )
    if filters.protocol:
        query = query.join(Course, Course.id == Visit.course_id)
        query = query.join(ProtocolVersion, ProtocolVersion.id == Course.protocol_id)
    found: dict[date, list[Any]] = defaultdict(list)
    for row in session.execute(query):
        found[agenda.local_day(row.starts_at, place.zone)].append(row)
    return found


class _Signs:
    """What the days of a month warn of."""

    def __init__(
        self, session: Session, place: ClinicInfo, free: FreeTime, first: date, last: date, now: datetime
    ) -> None:
        self.place, self.free, self.now = place, free, now
        self.open_on = calendar.open_weekdays(session, place.id)
        self.closed = calendar.closed_times(session, place, first, last)
        query = select(Resource).where(Resource.clinic_id == place.id, Resource.kind != ResourceKind.PATIENT)
        self.resources: Mapping[UUID, Resource] = {
            one.id: one for one in session.scalars(query.where(Resource.retired_at.is_(None)))
        }

    def load(self, on: date, visits: Sequence[Any], left: int) -> DayLoad:
        """Return one day."""
        begins, ends = calendar.bounds(self.place, on, on)
        off = [one for one in self.closed if one.starts_at < ends and one.ends_at > begins]
        number = self.free.days.index(on)
        there = {one.kind for one in self.free.resources if self.free.present[one.id][number]}
        opens = on.weekday() in self.open_on
        why = next((one.reason for one in off if one.resource_id is None), None)
        shut = (why or "") if opens and ROOM not in there else None
        hints = [Hint(Sign.LOST, lost)] if (lost := sum(row.lost_at is not None for row in visits)) else []
        if opens and shut is None:
            hints += self._away(off, there, why)
        facts = [(row.status, row.starts_at, row.driver_confirmed_at is not None) for row in visits]
        if drivers := agenda.unconfirmed_drivers(facts, self.now):
            hints.append(Hint(Sign.DRIVERS, drivers))
        return DayLoad(on, len(visits), len(visits) + left, shut, tuple(hints))

    def _away(self, off: Sequence[Closed], there: set[str], why: str | None) -> Iterator[Hint]:
        if NURSE not in there:
            yield Hint(Sign.NO_NURSE)
        if PHYSICIAN not in there:
            yield Hint(Sign.NO_PHYSICIAN)
        if why is not None:
            yield Hint(Sign.CLOSED, name=why)
        for resource_id in dict.fromkeys(one.resource_id for one in off):
            if resource_id and (found := self.resources.get(resource_id)):
                yield Hint(_SIGNS[found.kind], name=found.name)
