"""`tracker init`: a clinic from what was typed at the prompts or given as options."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationError, field_validator

from tracker import clock, db
from tracker.errors import Invalid
from tracker.rules.fields import Command, Email, Line, Phone, explain
from tracker.rules.permissions import Actor, Role
from tracker.services import accounts, setup

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2}) ?[-–] ?(\d{1,2}):(\d{2})", re.ASCII)
_CREDENTIALS = {"MD", "DO", "RN", "NP", "PA", "CRNA"}


class FoundClinic(Command):
    """What `tracker init` is told."""

    name: Line
    message_name: Line
    zone: str
    country: str = Field(pattern="^[A-Z]{2}$")
    phone: Phone
    address: Line
    weekdays: tuple[int, ...]
    hours: setup.Span
    rooms: tuple[setup.NewRoom, ...] = Field(min_length=1)
    staff: tuple[setup.NewStaff, ...] = Field(min_length=1)
    admin_name: Line
    admin_email: Email

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("Give a time zone by its IANA name, such as America/Denver.")
        return str(ZoneInfo(value))


def found(told: FoundClinic, password: str) -> str:
    """Make the clinic and its first administrator; return its name.

    Raises:
        Invalid: The password is too easy, or the address is somebody's already.
    """
    now = clock.now()
    with db.transaction() as session:
        clinic = setup.found(
            session,
            setup.NewClinic(
                name=told.name,
                discreet_name=told.message_name,
                zone_name=told.zone,
                country=told.country,
                phone=told.phone,
                address=told.address,
                hours=told.hours,
                weekdays=told.weekdays,
                rooms=told.rooms,
                staff=told.staff,
            ),
            now=now,
        )
        actor = Actor(clinic.id, None, None, "tracker init")
        admin = accounts.AddUser(email=told.admin_email, name=told.admin_name, role=Role.ADMIN)
        accounts.add(session, actor, admin, password, now=now)
        return clinic.name


def told(**said: object) -> FoundClinic:
    """Return what was said, checked.

    Raises:
        Invalid: Its fields are named as the options are.
    """
    with _named_as_options():
        return FoundClinic.model_validate(said, context={"country": said.get("country", "US")})


def new_user(*, email: str, name: str, role: str) -> accounts.AddUser:
    """Return a new account, checked.

    Raises:
        Invalid: Its fields are named as the options are.
    """
    with _named_as_options():
        return accounts.AddUser(email=email, name=name, role=Role(role))


@contextmanager
def _named_as_options() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        faults = {f"--{str(fault['loc'][0]).replace('_', '-')}": explain(fault) for fault in error.errors()}
        raise Invalid(faults) from None


def hours(text: str) -> setup.Span:
    """Read "8:00-17:45" as minutes after midnight.

    Raises:
        ValueError: It is anything else.
    """
    read = _HOURS.fullmatch(text.strip())
    if read:
        start, end = int(read[1]) * 60 + int(read[2]), int(read[3]) * 60 + int(read[4])
        if 0 <= start < end <= 24 * 60 and int(read[2]) < 60 and int(read[4]) < 60:
            return start, end
    raise ValueError(f"{text!r}: give hours such as 8:00-17:45")


def weekdays(text: str) -> tuple[int, ...]:
    """Read "Mon-Fri" or "Mon,Wed,Fri" as days from 0 = Monday.

    Raises:
        ValueError: It is anything else.
    """
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.strip().partition("-")
        if first not in _DAYS or (last or first) not in _DAYS or _DAYS.index(first) > _DAYS.index(last or first):
            raise ValueError(f"{text!r}: give days such as Mon-Fri or Mon,Wed,Fri")
        days |= set(range(_DAYS.index(first), _DAYS.index(last or first) + 1))
    return tuple(sorted(days))


def room(text: str) -> setup.NewRoom:
    """Read "Sage:recliner"; what stands in the room may be left out.

    Raises:
        ValueError: It has no name.
    """
    name, _, detail = (part.strip() for part in text.partition(":"))
    if not name:
        raise ValueError("give the room a name, such as Sage:recliner")
    return setup.NewRoom(name, detail)


def staff_member(text: str) -> setup.NewStaff:
    """Read "J. Adeyemi RN; nurse; 7:45-16:15; 2": name and credential, role, working hours, patients at once.

    Raises:
        ValueError: It is anything else.
    """
    parts = [part.strip() for part in text.split(";")]
    if len(parts) not in (3, 4) or not parts[0]:
        raise ValueError(f'{text!r}: give four parts such as "J. Adeyemi RN; nurse; 7:45-16:15; 2"')
    if parts[1] not in list(Role):
        raise ValueError(f"{parts[1]!r}: the role is one of {', '.join(Role)}")
    lanes = parts[3] if len(parts) == 4 else "1"
    if not re.fullmatch(r"[1-9]", lanes, re.ASCII):
        raise ValueError(f"{lanes!r}: give patients at once as a number from 1 to 9")
    words = parts[0].split()
    credential = words.pop() if len(words) > 1 and words[-1].upper() in _CREDENTIALS else ""
    name = " ".join(words)
    initials = "".join(word[0] for word in words if word.rstrip(".").lower() != "dr").upper()[:3]
    return setup.NewStaff(name, initials, Role(parts[1]), hours(parts[2]), credential, int(lanes))
