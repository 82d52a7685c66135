"""What every page of the calendar reads from its address: the day, and what it is narrowed to."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import abort, request, url_for
from werkzeug.datastructures import MultiDict

from tracker.rules.agenda import Filters, Order
from tracker.services.calendar import Choices

_ENDPOINTS = {
    "day": "today.day",
    "week": "calendar.week",
    "month": "calendar.month_of",
    "staff": "calendar.staff",
    "list": "calendar.listing",
}


@dataclass(frozen=True)
class Shown:
    """Which view of the calendar is shown, of when, narrowed to what; `more` goes along to its other days."""

    view: str
    day: date
    before: date
    after: date
    choices: Choices
    filters: Filters
    more: dict[str, str] = field(default_factory=dict)

    def to(self, view: str, day: date) -> str:
        """Return the address of a view of a day, narrowed like this one."""
        asked: dict[str, Any] = {**self.filters.args, **(self.more if view == self.view else {})}
        return url_for(_ENDPOINTS[view], day=day, **asked)

    @property
    def bare(self) -> str:
        """The address of this page with nothing left out."""
        return url_for(_ENDPOINTS[self.view], day=self.day)

    @property
    def query(self) -> str:
        """The day and what the page is narrowed to, as the end of an address carries them."""
        return urlencode({"day": self.day.isoformat(), **self.filters.args})

    @property
    def only(self) -> str:
        """What the calendar is narrowed to, in words."""
        names = self.choices.names
        chosen = self.filters
        parts = (names.get(one, "") for one in (chosen.room, chosen.clinician) if one)
        return " · ".join([*parts, *([self.choices.protocols[chosen.protocol]] if chosen.protocol else [])])


def the_day(text: str) -> date:
    """Return the day of an address; only a real one, spelled one way, is there."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        abort(404)
    # Strict: "20261124" is another spelling of the same page.
    if found.isoformat() != text or not 1900 <= found.year <= 2100:
        abort(404)
    return found


def filters(source: MultiDict[str, str] | None = None) -> Filters:
    """Return what the page is narrowed to; an empty field narrows nothing."""
    asked = request.args if source is None else source
    return Filters(_id(asked.get("room")), _id(asked.get("clinician")), asked.get("protocol", "")[:40] or None)


def _id(text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        abort(404)


def check(chosen: Filters, choices: Choices) -> None:
    """Answer 404 for a room, a clinician or a protocol that isn't there."""
    if not choices.has(chosen):
        abort(404)


def order() -> Order:
    """Return what a list is sorted by."""
    asked = request.args.get("sort", Order.WHEN)
    if asked not in [*Order]:
        abort(404)
    return Order(asked)
