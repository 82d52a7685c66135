"""The visits of a plan as a small calendar: weeks are rows, days are cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Cell:
    """One day: the number of the visit that is on it, if one is, and of the one that was on it and moves away."""

    day: date
    visit: int | None = None
    was: int | None = None


def weeks(
    visits: Iterable[tuple[int, datetime]], zone: ZoneInfo, were: Iterable[tuple[int, datetime]] = ()
) -> Sequence[Sequence[Cell]]:
    """Lay out visits (number, start) from the first week with one to the last: Monday to Friday, longer if need be.

    Args:
        were: Where visits were before, to be shown beside where they go.
    """
    on = {start.astimezone(zone).date(): number for number, start in visits}
    was = {start.astimezone(zone).date(): number for number, start in were}
    days = sorted({*on, *was})
    if not days:
        return []
    length = max(5, *(day.weekday() + 1 for day in days))
    monday = days[0] - timedelta(days=days[0].weekday())
    rows = (days[-1] - monday).days // 7 + 1
    all_days = [[monday + timedelta(days=7 * row + n) for n in range(length)] for row in range(rows)]
    return [[Cell(day, on.get(day), was.get(day)) for day in row] for row in all_days]
