"""The calendar file says when and where, and never what for."""

from datetime import UTC, datetime
from uuid import UUID

import icalendar
import pytest

from tracker.interop.calendar_file import Entry, Method, Place, calendar_file

NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)
PLACE = Place("12 Main St, Denver; CO", "front@cottonwood.example")
VISIT = Entry(UUID(int=7), 3, datetime(2026, 11, 24, 17, 45, tzinfo=UTC), datetime(2026, 11, 24, 20, 15, tzinfo=UTC))


def event(data: bytes) -> icalendar.Event:
    (found,) = icalendar.Calendar.from_ical(data).walk("VEVENT")
    return found


def test_a_moved_visit_keeps_its_uid_and_raises_its_sequence():
    found = event(calendar_file([VISIT], PLACE, Method.PUBLISH, now=NOW))

    assert (str(found["UID"]), found["SEQUENCE"], found["STATUS"]) == (str(UUID(int=7)), 3, "CONFIRMED")
    assert (found.start, found.end) == (VISIT.starts_at, VISIT.ends_at)
    assert (str(found["SUMMARY"]), str(found["LOCATION"])) == ("Appointment", PLACE.address)


def test_a_cancellation_names_the_patient_and_takes_the_visit_out():
    data = calendar_file([VISIT], PLACE, Method.CANCEL, now=NOW, attendee="ana@example.org")

    assert icalendar.Calendar.from_ical(data)["METHOD"] == "CANCEL"
    assert event(data)["STATUS"] == "CANCELLED"
    assert event(data)["ATTENDEE"] == "mailto:ana@example.org"


@pytest.mark.parametrize("word", ["infusion", "ketamine", "visit 3", "treatment", "clinic"])
def test_nothing_in_it_says_what_for(word):
    assert word not in calendar_file([VISIT], PLACE, Method.PUBLISH, now=NOW).decode().casefold()


@pytest.mark.parametrize(("method", "attendee"), [(Method.PUBLISH, "ana@example.org"), (Method.REQUEST, None)])
def test_only_an_invitation_has_an_attendee(method, attendee):
    with pytest.raises(ValueError, match="attendee"):
        calendar_file([VISIT], PLACE, method, now=NOW, attendee=attendee)


def test_a_clinic_without_an_address_names_no_organizer():
    assert "ORGANIZER" not in event(calendar_file([VISIT], Place(PLACE.address, ""), Method.PUBLISH, now=NOW))
