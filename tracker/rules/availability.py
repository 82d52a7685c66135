"""Free time as bitmaps: one Python int a day and lane, one bit for five minutes.

Bit 0 is the first five minutes after local midnight, counted in elapsed time, so a day on which clocks change has 23 or
25 hours of bits and a block of 150 minutes is always 30 bits. Shifts and opening hours are local clock times, closures
and claims are instants.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN

SLOT = 5  # minutes
_SECONDS = SLOT * 60
# The lane that spaces one nurse's starts, far above the lanes of patients, so that the database keeps this rule too.
STARTS_LANE = 99

# What the rows of a few SELECTs look like; see `free_time`.
HoursRow = tuple[int, int, int]  # weekday (0 = Monday), first and last local minute
# resource, weekday, first and last local minute; from which day to which, both included, if it isn't for good
ShiftRow = tuple[UUID, int, int, int] | tuple[UUID, int, int, int, date | None, date | None]
ClosureRow = tuple[UUID | None, datetime, datetime]  # resource (None: the whole clinic), from, until
ClaimRow = tuple[UUID, int, datetime, datetime]  # resource, lane, from, until


@dataclass(frozen=True)
class Resource:
    """What a visit can hold. `kind` is the word that a protocol's holds use: room, nurse, physician, patient, pump."""

    id: UUID
    kind: str
    name: str
    lanes: int = 1


class Days:
    """The days from `first` to `last` in `zone`, both included, as bits."""

    def __init__(self, zone: ZoneInfo, first: date, last: date) -> None:
        self.zone = zone
        self.first = first
        self.count = max(0, (last - first).days + 1)
        midnights = [datetime.combine(first + timedelta(days=n), time(), zone) for n in range(self.count + 1)]
        self._offsets = [midnight.utcoffset() for midnight in midnights]
        # Seconds since 1970. A midnight that clocks jump over is the moment of the jump.
        self.begins = [int(midnight.timestamp()) for midnight in midnights]
        self.sizes = [(until - start) // _SECONDS for start, until in pairwise(self.begins)]
        self._clock_times: dict[int, list[int]] = {}

    def calendar(self, day: int) -> date:
        """Return the calendar day number `day` (0 = first)."""
        return self.first + timedelta(days=day)

    def index(self, day: date) -> int:
        """Return the number of a calendar day; it may lie outside."""
        return (day - self.first).days

    def instant(self, day: int, slot: int) -> datetime:
        """Return the instant (UTC) at which a bit begins."""
        return datetime.fromtimestamp(self.begins[day] + slot * _SECONDS, UTC)

    def find(self, instant: datetime) -> tuple[int, int]:
        """Return day and bit that hold an instant. IndexError: it lies outside."""
        second = int(instant.timestamp())
        day = bisect_right(self.begins, second) - 1
        if not 0 <= day < self.count:
            raise IndexError(instant)
        return day, (second - self.begins[day]) // _SECONDS

    def minute(self, day: int, slot: int) -> int:
        """Return the local clock time at which a bit begins, in minutes after midnight."""
        return self._changed(day)[slot] if self.changes(day) else slot * SLOT

    def _changed(self, day: int) -> list[int]:
        """Return the clock times of the bits of a day on which clocks change, and of some after it."""
        if day not in self._clock_times:
            times = (self.instant(day, slot).astimezone(self.zone) for slot in range(self.sizes[day] + 24 * 60 // SLOT))
            self._clock_times[day] = [local.hour * 60 + local.minute for local in times]
        return self._clock_times[day]

    def changes(self, day: int) -> bool:
        """Return whether clocks change on this day."""
        return self._offsets[day] != self._offsets[day + 1]

    def local_bits(self, day: int, first: int, last: int) -> int:
        """Return the bits that lie wholly between two local clock times, in minutes after midnight (1440 = its end)."""
        if self.changes(day):
            return self.bits(day, self._second(day, first), self._second(day, last), inner=True)
        return mask(-(-first // SLOT), last // SLOT)

    def at(self, day: int, minute: int) -> datetime:
        """Return the instant (UTC) at which clocks show a time, in minutes after midnight; of two the first."""
        return datetime.fromtimestamp(self._second(day, minute), UTC)

    def slot(self, day: int, minute: int) -> int | None:
        """Return the bit that begins at a local clock time; None: clocks jump over it, or no bit begins there."""
        begins, odd = divmod(self._second(day, minute) - self.begins[day], _SECONDS)
        return begins if not odd and self.minute(day, begins) == minute else None

    def _second(self, day: int, minute: int) -> int:
        if minute >= 24 * 60:
            return self.begins[day + 1]
        clock = time(minute // 60, minute % 60)
        return int(datetime.combine(self.calendar(day), clock, self.zone).timestamp())

    def bits(self, day: int, start: int, until: int, *, inner: bool = False) -> int:
        """Return a day's bits that an interval (seconds since 1970) touches; with `inner`, only those it fills."""
        start, until = start - self.begins[day], until - self.begins[day]
        if inner:
            first, last = -(-start // _SECONDS), until // _SECONDS
        else:
            first, last = start // _SECONDS, -(-until // _SECONDS)
        return mask(max(0, first), min(self.sizes[day], last))

    def on_weekday(self, weekday: int, since: date | None = None, until: date | None = None) -> range:
        """Return the days on a weekday (0 = Monday), from `since` to `until`, both included, if they are given."""
        first = max(0, self.index(since)) if since else 0
        last = min(self.count, self.index(until) + 1) if until else self.count
        return range(first + (weekday - self.calendar(first).weekday()) % 7, last, 7)

    def spread(self, starts_at: datetime, ends_at: datetime) -> Iterable[tuple[int, int]]:
        """Yield each day that an interval touches, with the bits it touches."""
        start, until = int(starts_at.timestamp()), -int(-ends_at.timestamp() // 1)
        day = max(0, bisect_right(self.begins, start) - 1)
        while day < self.count and self.begins[day] < until:
            yield day, self.bits(day, start, until)
            day += 1


def mask(first: int, last: int) -> int:
    """Return the bits from `first` up to, not including, `last`."""
    return (1 << last) - (1 << first) if last > first else 0


def starts_of_runs(bits: int, first: int, last: int) -> int:
    """Return each bit s for which all bits from s + `first` up to, not including, s + `last` are set."""
    bits >>= first
    have, wanted = 1, last - first
    while 2 * have <= wanted:
        bits &= bits >> have
        have *= 2
    return bits & bits >> (wanted - have) if have < wanted else bits


def runs(bits: int) -> Iterable[tuple[int, int]]:
    """Yield each maximal run of set bits, as its first bit and the one after its last."""
    at = 0
    while bits:
        low = (bits & -bits).bit_length() - 1
        bits >>= low
        length = (~bits & (bits + 1)).bit_length() - 1
        yield at + low, at + low + length
        at += low + length
        bits >>= length


def tightest(lanes: Iterable[tuple[int, int]], first: int, last: int) -> int:
    """Return the lane that is free from `first` to before `last` and has the least free time around: long ones stay.

    Args:
        lanes: Number and bitmap of each.
        first: A slot.
        last: A later one.

    Raises:
        ValueError: None is free.
    """
    wanted = mask(first, last)
    return min((_free_around(bits, first, last), lane) for lane, bits in lanes if bits & wanted == wanted)[1]


def _free_around(bits: int, first: int, last: int) -> int:
    before = first - (~bits & mask(0, first)).bit_length()
    taken_after = ~(bits >> last)
    return before + (taken_after & -taken_after).bit_length() - 1


def ones(bits: int) -> Iterable[int]:
    """Yield the number of each set bit, lowest first."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


@dataclass(frozen=True)
class FreeTime:
    """When every resource is there, and when each lane of it is free, day by day."""

    days: Days
    resources: tuple[Resource, ...]
    present: dict[UUID, list[int]]  # hours without closures, whatever is booked
    free: dict[tuple[UUID, int], list[int]]  # the same without what is claimed, by lane

    @cached_property
    def by_id(self) -> dict[UUID, Resource]:
        """Return the resources by id."""
        return {resource.id: resource for resource in self.resources}

    def has(self, resource_id: UUID, lane: int, starts_at: datetime, ends_at: datetime) -> bool:
        """Return whether a lane is there and free from one instant to another."""
        bitmaps = self.free.get((resource_id, lane))
        spread = self.days.spread(starts_at, ends_at)
        return bitmaps is not None and all(bits & ~bitmaps[day] == 0 for day, bits in spread)

    def of_kind(self, kind: str) -> list[Resource]:
        """List the resources of one kind, in the order they were given."""
        return self._by_kind.get(kind, [])

    @cached_property
    def _by_kind(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.kind, []).append(resource)
        return found


def free_time(
    zone: ZoneInfo,
    first: date,
    last: date,
    *,
    resources: Sequence[Resource],
    opening: Iterable[HoursRow],
    shifts: Iterable[ShiftRow],
    closures: Iterable[ClosureRow] = (),
    claims: Iterable[ClaimRow] = (),
) -> FreeTime:
    """Work out free time from `first` to `last`, both included.

    Nurses and physicians are there during their shifts, a patient always, everything else while the clinic is open.
    Rows of resources that aren't in `resources`, and claims outside the days, are passed over.
    """
    days = Days(zone, first, last)
    hours = _weekly(days, ((None, *row) for row in opening))
    worked = _weekly(days, shifts)
    present: dict[UUID, list[int]] = {}
    for resource in resources:
        present[resource.id] = _there(days, resource, hours.get(None), worked.get(resource.id))
    for closed_id, starts_at, ends_at in closures:
        _close(days, present, [closed_id] if closed_id else _closed_with_the_clinic(resources), starts_at, ends_at)
    free = {(resource.id, lane): list(present[resource.id]) for resource in resources for lane in _lanes(resource)}
    for resource_id, lane, starts_at, ends_at in claims:
        if (bitmaps := free.get((resource_id, lane))) is not None:
            for day, bits in days.spread(starts_at, ends_at):
                bitmaps[day] &= ~bits
    return FreeTime(days, tuple(resources), present, free)


def _lanes(resource: Resource) -> list[int]:
    lanes = list(range(1, resource.lanes + 1))
    return [*lanes, STARTS_LANE] if resource.kind == NURSE else lanes


def _weekly(days: Days, rows: Iterable[ShiftRow | tuple[None, int, int, int]]) -> dict[UUID | None, list[int]]:
    """Lay weekly hours out over the days."""
    found: dict[UUID | None, list[int]] = {}
    for row in rows:
        resource_id, on, first, last = row[:4]
        since, until = row[4:] or (None, None)
        bitmaps = found.setdefault(resource_id, [0] * days.count)
        for day in days.on_weekday(on, since, until):
            bitmaps[day] |= days.local_bits(day, first, last)
    return found


def _there(days: Days, resource: Resource, open_: list[int] | None, worked: list[int] | None) -> list[int]:
    if resource.kind == PATIENT:
        return [mask(0, size) for size in days.sizes]
    hours = worked if resource.kind in (NURSE, PHYSICIAN) else open_
    return list(hours) if hours else [0] * days.count


def _closed_with_the_clinic(resources: Sequence[Resource]) -> list[UUID]:
    return [resource.id for resource in resources if resource.kind != PATIENT]


def _close(
    days: Days, present: dict[UUID, list[int]], ids: Sequence[UUID], starts_at: datetime, ends_at: datetime
) -> None:
    for day, bits in days.spread(starts_at, ends_at):
        for resource_id in ids:
            if resource_id in present:
                present[resource_id][day] &= ~bits
