"""Visits as an iCalendar file (RFC 5545, RFC 5546) that a patient may show to anybody: it never says what for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from icalendar import Calendar, Event, vCalAddress, vText

from tracker.text import gettext as _


class Method(StrEnum):
    """What the receiving calendar shall do."""

    PUBLISH = "PUBLISH"  # a file to add, from a page
    REQUEST = "REQUEST"  # by e-mail: add, or change what is there
    CANCEL = "CANCEL"  # by e-mail: take out


@dataclass(frozen=True, slots=True)
class Entry:
    """One visit. `version` must rise with every change, or calendars keep the old time."""

    visit_id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go, and the address that answers: both are read by whoever sees the calendar."""

    address: str
    organizer_email: str


def calendar_file(
    entries: Iterable[Entry], place: Place, method: Method, *, now: datetime, attendee: str | None = None
) -> bytes:
    """Return the file. Times are UTC, so no receiver needs to know our zone.

    Args:
        entries: Visits with aware instants.
        place: Street address and organizer.
        method: REQUEST and CANCEL name the `attendee`; PUBLISH must not (RFC 5546 §3.2.1).
        now: When the file was made.
        attendee: The patient's e-mail address.

    Raises:
        ValueError: The method needs an attendee, or must not have one. That is a caller's bug.
    """
    if (attendee is None) != (method is Method.PUBLISH):
        raise ValueError(f"{method}: attendee {'missing' if attendee is None else 'not allowed'}")
    calendar = Calendar()
    calendar.add("prodid", "-//Appointments//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method.value)
    for entry in entries:
        calendar.add_component(_event(entry, place, method, now, attendee))
    return bytes(calendar.to_ical())


def _event(entry: Entry, place: Place, method: Method, now: datetime, attendee: str | None) -> Event:
    event = Event()
    event.add("uid", str(entry.visit_id))
    event.add("sequence", entry.version)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("summary", _("Appointment"))
    event.add("location", place.address)
    event.add("class", "PRIVATE")
    event.add("status", "CANCELLED" if entry.cancelled or method is Method.CANCEL else "CONFIRMED")
    if place.organizer_email:  # a clinic that sends no e-mail has none, and PUBLISH can do without
        event.add("organizer", vCalAddress(f"mailto:{place.organizer_email}"))
    if attendee is not None:
        patient = vCalAddress(f"mailto:{attendee}")
        patient.params["RSVP"] = vText("FALSE")
        event.add("attendee", patient)
    return event
