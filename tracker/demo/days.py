"""The days of the demonstration: it falls on D, everything else lies before or after it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tracker.demo.people import ZONE
from tracker.rules.fields import local_instant

_THURSDAY = 3


def thanksgiving(year: int) -> date:
    """Return the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(_THURSDAY - first.weekday()) % 7 + 21)


def is_open(day: date) -> bool:
    """Return whether the clinic works on `day`."""
    return day.weekday() < 5 and day != thanksgiving(day.year)


def working(day: date, step: int = 1) -> date:
    """Return `day`, or the nearest working day after it (before it, with a `step` of -1)."""
    while not is_open(day):
        day += timedelta(days=step)
    return day


def away(day: date, days: int) -> date:
    """Return the working day that lies `days` from `day`; if that one is none, the next one farther off."""
    return working(day + timedelta(days=days), 1 if days > 0 else -1)


def at(day: date, clock: str) -> datetime:
    """Return the instant (UTC) at which clocks in the clinic show `clock` ("9:05") on `day`."""
    hour, minute = map(int, clock.split(":"))
    return local_instant(day, time(hour, minute), ZoneInfo(ZONE)).astimezone(UTC)
