"""A letter's words: what the templates make of it, with link and calendar, as a message that a channel can send."""

from dataclasses import dataclass
from datetime import datetime
from html import escape

from tracker.channels.message import Message, plain_address
from tracker.interop import mail
from tracker.interop.calendar_file import Entry, Place, calendar_files
from tracker.interop.mail import Written
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import links
from tracker.services.letter_facts import facts
from tracker.services.letters import Letter, VisitTime
from tracker.text import gettext as _
from tracker.text import speaking

TELLS_DATES = (Purpose.ITINERARY, Purpose.CHANGED)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every message is written with."""

    key: bytes
    base_url: str
    sender: str


def compose(desk: Desk, letter: Letter, now: datetime) -> Message:
    """Return the message. Whatever it raises, nothing was sent."""
    written = _test(letter.clinic.discreet_name) if letter.purpose is Purpose.TEST else _written(desk, letter)
    return Message(
        id=letter.lease.reminder_id,
        epoch=letter.lease.epoch,
        recipient=plain_address(letter.address) if letter.channel is ReminderChannel.EMAIL else letter.address,
        sender=desk.sender,
        sender_name=letter.clinic.discreet_name,
        subject=written.subject,
        text=written.text,
        html=written.html,
        short=written.short,
        written_at=now,
        useful_until=letter.expires_at,
        unsubscribe=_unsubscribe(desk, letter),
        calendars=_calendars(desk, letter, now) if letter.channel is ReminderChannel.EMAIL else (),
    )


def _written(desk: Desk, letter: Letter) -> Written:
    return mail.write(
        facts(letter, _link(desk, letter)),
        letter=letter.channel is ReminderChannel.EMAIL,
        short=letter.channel is ReminderChannel.SMS,
    )


def _test(name: str) -> Written:
    """Return the words of a test: to whoever wants to see whether messages get out."""
    subject = _("Test message")
    said = _("%(name)s: this is a test message. If you can read it, messages arrive.", name=name)
    page = (
        f'<!doctype html><html lang="en"><head><title>{subject}</title></head><body><p>{escape(said)}</p></body></html>'
    )
    return Written(subject, f"{said}\n", page, said)


def _link(desk: Desk, letter: Letter) -> str | None:
    if letter.purpose is Purpose.DIGEST:
        return f"{desk.base_url}/to-do"
    return links.address(desk.base_url, desk.key, letter.link) if letter.link else None


def _unsubscribe(desk: Desk, letter: Letter) -> str | None:
    if letter.contact_id is None or letter.channel is not ReminderChannel.EMAIL:
        return None
    return links.unsubscribe_address(desk.base_url, desk.key, letter.contact_id)


def _calendars(desk: Desk, letter: Letter, now: datetime) -> tuple[bytes, ...]:
    """Return what puts the visits told of into the patient's calendar, and what takes out those that are off."""
    on = letter.visits if letter.purpose in TELLS_DATES else ()
    place = Place(letter.clinic.address, desk.sender, letter.clinic.discreet_name)
    with speaking(letter.language):
        return calendar_files(map(_entry, on), map(_entry, letter.off), place, now=now, attendee=letter.address)


def _entry(visit: VisitTime) -> Entry:
    return Entry(visit.id, visit.version, visit.starts_at, visit.ends_at)
