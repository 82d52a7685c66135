"""Weeks, months and lists of visits: which days they show, and what stands in each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.attention import BEFORE_START, DRIVER_WANTED, OFF_THE_BOARD
from tracker.rules.load import nearly_full
from tracker.rules.vocabulary import VisitStatus


@dataclass(frozen=True, slots=True)
class Filters:
    """What a calendar is narrowed to; nothing is everything. `protocol` is a code."""

    room: UUID | None = None
    clinician: UUID | None = None
    protocol: str | None = None

    @property
    def args(self) -> dict[str, str]:
        """Return the filters as an address carries them."""
        chosen = {"room": self.room, "clinician": self.clinician, "protocol": self.protocol}
        return {name: str(value) for name, value in chosen.items() if value}

    def __bool__(self) -> bool:
        return bool(self.args)


ALL = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One visit as a week or a list shows it."""

    id: UUID
    patient_id: UUID
    patient: str  # as lists sort it: "Tran, Linh"
    ordinal: int
    of: int
    sequence: int
    protocol_id: UUID
    title: str  # of the protocol
    room_id: UUID
    nurse_id: UUID
    physician_id: UUID
    status: VisitStatus
    starts_at: datetime
    ends_at: datetime
    driver_confirmed: bool
    lost: bool = False  # its day fell out, and it waits for another place

    @property
    def live(self) -> bool:
        """Whether it takes place, or took place."""
        return self.status not in OFF_THE_BOARD


@dataclass(frozen=True, slots=True)
class Closed:
    """A time in which a resource (none: the whole clinic) is not there."""

    resource_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    reason: str

    @property
    def hours(self) -> float:
        """How long it lasts, elapsed."""
        return (self.ends_at.astimezone(UTC) - self.starts_at.astimezone(UTC)) / timedelta(hours=1)


class Sign(StrEnum):
    """What a day of the month warns of, the gravest first."""

    LOST = "lost"  # visits without a place
    NO_NURSE = "no_nurse"
    NO_PHYSICIAN = "no_physician"
    CLOSED = "closed"  # a part of the day
    ROOM = "room"
    STAFF = "staff"
    EQUIPMENT = "equipment"
    DRIVERS = "drivers"


@dataclass(frozen=True, slots=True)
class Hint:
    """One warning of a day: how many, or who or what."""

    sign: Sign
    n: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class DayLoad:
    """A day of the month: `booked` of the `of` blocks that it holds. `closed` is why nobody comes, where that is so."""

    day: date
    booked: int
    of: int
    closed: str | None = None
    hints: tuple[Hint, ...] = ()

    @property
    def full(self) -> bool:
        """Whether next to nothing is left."""
        return nearly_full(self.booked, self.of)

    @property
    def share(self) -> int:
        """How full it is, in percent."""
        return min(100, round(100 * self.booked / self.of)) if self.of else 0


def week_of(day: date) -> list[date]:
    """Return the days of a day's week, Monday to Sunday."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=n) for n in range(7)]


def weeks_of_month(day: date) -> list[list[date]]:
    """Return the weeks that a day's month touches, whole, Monday to Sunday."""
    first = day.replace(day=1)
    monday = week_of(first)[0]
    following = next_month(first)
    weeks = -(-(following - monday).days // 7)
    return [week_of(monday + timedelta(weeks=n)) for n in range(weeks)]


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def month_before(day: date) -> date:
    """Return the first day of the month before a day's."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def shown_weekdays(open_on: Iterable[int], days: Iterable[date]) -> list[int]:
    """Return the weekdays a calendar shows: those on which the clinic opens or somebody comes; never none."""
    return sorted({*open_on} | {day.weekday() for day in days}) or [0, 1, 2, 3, 4]


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the day of an instant in `zone`."""
    return instant.astimezone(zone).date()


_WANT_DRIVER = BEFORE_START | {VisitStatus.READY}


def unconfirmed_drivers(visits: Iterable[tuple[VisitStatus, datetime, bool]], now: datetime) -> int:
    """Count the visits (status, start, driver confirmed) of the next day that nobody is known to take home from."""
    return sum(
        status in _WANT_DRIVER and not confirmed and now >= starts_at - DRIVER_WANTED
        for status, starts_at, confirmed in visits
    )


def by_day(entries: Iterable[Entry], zone: ZoneInfo) -> dict[date, list[Entry]]:
    """Sort visits into their days, in order of time."""
    found: dict[date, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: (entry.starts_at, entry.patient)):
        found[local_day(entry.starts_at, zone)].append(entry)
    return found


class Order(StrEnum):
    """What a list is sorted by."""

    WHEN = "when"
    PATIENT = "patient"
    SERIES = "series"
    ROOM = "room"
    NURSE = "nurse"
    STATE = "state"


def in_order(
    entries: Sequence[Entry], order: Order, names: Mapping[UUID, str], *, descending: bool = False
) -> list[Entry]:
    """Sort a list; what is equal stays in order of time."""
    ranks = list(VisitStatus)
    keys = {
        Order.WHEN: lambda one: one.starts_at,
        Order.PATIENT: lambda one: one.patient.casefold(),
        Order.SERIES: lambda one: (one.title, one.ordinal),
        Order.ROOM: lambda one: names.get(one.room_id, ""),
        Order.NURSE: lambda one: names.get(one.nurse_id, ""),
        Order.STATE: lambda one: ranks.index(one.status),
    }
    timely = sorted(entries, key=lambda one: (one.starts_at, one.patient))
    return sorted(timely, key=keys[order], reverse=descending)
