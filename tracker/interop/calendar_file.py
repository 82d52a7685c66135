"""Visits as iCalendar files (RFC 5545, RFC 5546) that a patient may show to anybody: they never say what for."""

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
    """Where to go, and who answers: all of it is read by whoever sees the calendar."""

    address: str
    organizer_email: str
    organizer: str = ""  # the clinic's neutral name


def calendar_files(
    on: Iterable[Entry], off: Iterable[Entry], place: Place, *, now: datetime, attendee: str
) -> tuple[bytes, ...]:
    """Return what an e-mail carries: a file for each visit that is on (add it, or change it), and each that is off.

    One visit a file: all events of one REQUEST or CANCEL have the same UID (RFC 5546 §3.2.2, §3.2.5), and a client
    finds what it has by UID and takes the higher SEQUENCE. What a calendar never had, a CANCEL leaves alone.
    """
    both = [(Method.REQUEST, entry) for entry in on] + [(Method.CANCEL, entry) for entry in off]
    return tuple(calendar_file([entry], place, method, now=now, attendee=attendee) for method, entry in both)


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
        organizer = vCalAddress(f"mailto:{place.organizer_email}")
        if place.organizer:
            organizer.params["CN"] = vText(place.organizer)
        event.add("organizer", organizer)
    if attendee is not None:
        patient = vCalAddress(f"mailto:{attendee}")
        patient.params["RSVP"] = vText("FALSE")
        event.add("attendee", patient)
    return event
