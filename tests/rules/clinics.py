"""Small clinics for the planner's tests, told in a coordinator's words."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.availability import ClosureRow, FreeTime, Resource, free_time
from tracker.rules.plan import PlannedVisit, PlanRequest, Wishes
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol
from tracker.rules.protocols import THREE_A_WEEK

DENVER = ZoneInfo("America/Denver")
MONDAY = date(2026, 3, 2)

ADA = Resource(UUID(int=1), PATIENT, "Ada")
SAGE = Resource(UUID(int=11), ROOM, "Sage")
JUNIPER = Resource(UUID(int=12), ROOM, "Juniper")
KIM = Resource(UUID(int=21), NURSE, "Kim", 2)
LEE = Resource(UUID(int=22), NURSE, "Lee", 2)
HALE = Resource(UUID(int=31), PHYSICIAN, "Dr Hale", 2)
WONG = Resource(UUID(int=32), PHYSICIAN, "Dr Wong")


@dataclass
class ClinicWeek:
    """A clinic that is open on weekdays from 8:00 to 17:45; everybody works then."""

    resources: tuple[Resource, ...] = (SAGE, KIM, HALE)
    zone: ZoneInfo = DENVER
    first: date = MONDAY
    days: int = 28
    opening: tuple[tuple[int, int, int], ...] = tuple((weekday, 480, 1065) for weekday in range(5))
    shifts: tuple[tuple[UUID, int, int, int], ...] | None = None
    closures: list[ClosureRow] = field(default_factory=list)
    claims: list[tuple[UUID, int, datetime, datetime]] = field(default_factory=list)

    def at(self, text: str) -> datetime:
        """Return the instant of a local time such as "2026-03-06 09:00"."""
        return datetime.fromisoformat(text).replace(tzinfo=self.zone)

    def take(self, resource: Resource, start: str, end: str, lane: int = 1) -> None:
        """Somebody else has this."""
        self.claims.append((resource.id, lane, self.at(start), self.at(end)))

    def close(self, resource: Resource | None, start: str, end: str) -> None:
        """This, or the whole clinic, isn't there."""
        self.closures.append((resource.id if resource else None, self.at(start), self.at(end)))

    def book(self, *visits: PlannedVisit) -> None:
        """Hold everything that these visits hold."""
        self.claims += [(c.resource_id, c.lane, c.starts_at, c.ends_at) for visit in visits for c in visit.claims]

    def free(self) -> FreeTime:
        staff = [resource.id for resource in self.resources if resource.kind in (NURSE, PHYSICIAN)]
        everybody = tuple((one, *hours) for one in staff for hours in self.opening)
        return free_time(
            self.zone,
            self.first,
            self.first + timedelta(days=self.days - 1),
            resources=(*self.resources, ADA),
            opening=self.opening,
            shifts=everybody if self.shifts is None else self.shifts,
            closures=self.closures,
            claims=self.claims,
        )

    def request(self, protocol: Protocol = THREE_A_WEEK, **wishes: object) -> PlanRequest:
        """Return what Ada asks for."""
        asked = replace(Wishes(earliest=self.first), **wishes)
        now = datetime.combine(self.first, datetime.min.time(), self.zone)
        return PlanRequest(protocol, self.free(), ADA.id, asked, not_before=now)

    def say(self, start: datetime) -> str:
        """Say a start as its clinic does: "Mon 02 09:00"."""
        return start.astimezone(self.zone).strftime("%a %d %H:%M")
