"""A day as columns of five minutes of the clinic's wall clock: where something stands, and when who is away."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.agenda import Closed
from tracker.rules.availability import FreeTime, mask, runs

STEP = 5  # minutes a column


@dataclass(frozen=True, slots=True)
class Scale:
    """From instants to columns: whole hours of the wall clock, wide enough for hours and visits."""

    midnight: datetime
    first_hour: int
    hours: int

    @classmethod
    def around(
        cls, day: date, zone: ZoneInfo, hours: tuple[int, int], times: Iterable[tuple[datetime, datetime]]
    ) -> "Scale":
        """Return the scale of a day that holds its opening hours (minutes after midnight) and everything in `times`."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        bounds = [*hours] if hours[0] < hours[1] else [8 * 60, 18 * 60]
        for starts_at, ends_at in times:
            bounds += [cls._wall(starts_at, midnight), cls._wall(ends_at, midnight)]
        first = max(0, min(bounds)) // 60
        return cls(midnight, first, min(24, -(-max(bounds) // 60)) - first)

    @staticmethod
    def _wall(instant: datetime, midnight: datetime) -> int:
        local = instant.astimezone(midnight.tzinfo)
        return (local.date() - midnight.date()).days * 1440 + local.hour * 60 + local.minute

    def minute(self, instant: datetime) -> int:
        """Minutes of the wall clock from the board's left edge."""
        return self._wall(instant, self.midnight) - self.first_hour * 60

    def holds(self, instant: datetime) -> bool:
        """Return whether an instant is on the board."""
        return 0 <= self.minute(instant) < self.hours * 60

    def column(self, instant: datetime) -> int:
        """Return the column of an instant, 1 = the board's first; what is outside stands at the edge."""
        return min(max(self.minute(instant), 0), self.hours * 60 - STEP) // STEP + 1

    def span(self, start: datetime, end: datetime) -> int:
        """Return how many columns a time takes, at least one."""
        first = self.column(start)
        last = min(-(-self.minute(end) // STEP), self.hours * 60 // STEP)
        return max(1, last - first + 1)


@dataclass(frozen=True, slots=True)
class Away:
    """A stretch in which somebody or something is not there. `why` is empty outside of shifts and opening hours."""

    starts_at: datetime
    ends_at: datetime
    column: int
    span: int
    why: str = ""


def away(free: FreeTime, who: UUID, scale: Scale, closed: Sequence[Closed]) -> tuple[Away, ...]:
    """Return when a resource is not there on the day of `scale`."""
    number = free.days.index(scale.midnight.date())
    return tuple(
        Away(first, last, scale.column(first), scale.span(first, last), why)
        for starts_at, ends_at in _absent(free, who, number)
        for first, last, why in _told_apart(
            starts_at, ends_at, [one for one in closed if one.resource_id in (None, who)]
        )
        if scale.minute(last) > 0 and scale.minute(first) < scale.hours * 60
    )


def _absent(free: FreeTime, who: UUID, number: int) -> Iterator[tuple[datetime, datetime]]:
    bits = mask(0, free.days.sizes[number]) & ~free.present[who][number]
    for first, last in runs(bits):
        yield free.days.instant(number, first), free.days.instant(number, last)


def _told_apart(
    starts_at: datetime, ends_at: datetime, closed: Sequence[Closed]
) -> Iterator[tuple[datetime, datetime, str]]:
    """Cut an absence where a closure begins or ends, so that each piece has its reason."""
    cuts = {starts_at, ends_at}
    for one in closed:
        cuts |= {at for at in (one.starts_at, one.ends_at) if starts_at < at < ends_at}
    for first, last in pairwise(sorted(cuts)):
        why = next((one.reason for one in closed if one.starts_at <= first and one.ends_at >= last), "")
        yield first, last, why
