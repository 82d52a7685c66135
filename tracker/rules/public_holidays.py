"""The public holidays of a clinic's country: proposed as closed days, never closed by themselves.

Only those of the whole country: a state's or a region's own are for the clinic to know.
"""

from collections.abc import Iterable
from datetime import date, timedelta


def coming(country: str, today: date, days: int = 365) -> list[tuple[date, str]]:
    """Return the public holidays of the next `days` days with their names; of an unknown country none.

    Args:
        country: ISO 3166, "US".
        today: The first day that counts.
        days: How many days, `today` included.

    Source:
        The `holidays` library, which follows each country's laws.
    """
    import holidays  # takes 90 ms to load, and few pages ask

    last = today + timedelta(days=days - 1)
    try:
        found = holidays.country_holidays(country, years=range(today.year, last.year + 1), language="en_US")
    except NotImplementedError:
        return []
    return sorted((day, name) for day, name in found.items() if today <= day <= last)


def open_on(found: Iterable[tuple[date, str]], weekdays: Iterable[int]) -> list[tuple[date, str]]:
    """Leave out the holidays on which the clinic doesn't open anyway; `weekdays` counts from 0 = Monday."""
    opens = {*weekdays}
    return [(day, name) for day, name in found if day.weekday() in opens]
