"""What may be typed into a field, and the base of every command.

Pydantic alone takes an epoch for a date, `1_000`, Arabic digits and `1E+400`. The types here take one sane spelling,
or the Python value itself, so that the form, the import and a later API share their bounds. A message always says
what would be right.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationInfo
from pydantic_core import ErrorDetails

from tracker.text import gettext as _

FIRST_YEAR, LAST_YEAR = 1900, 2100
LINE, TEXT, SECRET = 200, 4000, 256  # characters

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_TICKED, _UNTICKED = {"on", "yes", "true", "1"}, {"off", "no", "false", "0"}


class Command(BaseModel):
    """What somebody asks for: frozen, strict, and nothing in it that it doesn't name. It lives beside its service."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def check_characters(value: str, *, lines: bool) -> str:
    """Return `value` in NFC without blanks around it; `lines` allows line breaks and tabs.

    Raises:
        ValueError: It holds control characters, or characters that were lost on the way here.
    """
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    allowed = "\n\t" if lines else ""
    for character in text:
        if character == "\N{REPLACEMENT CHARACTER}":
            raise ValueError(_("Some characters were lost on the way here. Type this again."))
        # Cc control, Cs half a pair, Cn not a character; Cf would hide the joiners that some scripts need.
        if unicodedata.category(character) in {"Cc", "Cs", "Cn"} and character not in allowed:
            raise ValueError(_("This has a character that can't be kept, such as a line break. Type it again."))
    return text


def _one_line(value: str) -> str:
    return check_characters(value, lines=False)


def _lines(value: str) -> str:
    return check_characters(value, lines=True)


def _untouched(value: str) -> str:
    check_characters(value, lines=False)
    return value


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) of a clinic's local time; of two in the autumn overlap, the first.

    Raises:
        ValueError: The clocks go forward over that time, so it doesn't exist.
    """
    instant = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != datetime.combine(day, at):
        raise ValueError(_("The clocks go forward then, so this time doesn't exist. Choose an hour later."))
    return instant


def _day(value: object) -> object:
    return _read_day(value) if isinstance(value, str) else value


def _read_day(text: str) -> date:
    said = _("Enter a day such as 2026-03-06, between 1900 and 2100.")
    match = _DAY.fullmatch(text.strip())
    if not match:
        raise ValueError(said)
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        raise ValueError(said) from None


def _sane_year(value: date) -> date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(_("Enter a day such as 2026-03-06, between 1900 and 2100."))
    return value


def _not_past(value: date, info: ValidationInfo) -> date:
    if value < _context(info, "today"):
        raise ValueError(_("This day is past. Choose today or a later day."))
    return value


def _not_coming(value: date, info: ValidationInfo) -> date:
    if value > _context(info, "today"):
        raise ValueError(_("This day is still to come. Choose today or an earlier day."))
    return value


def _context(info: ValidationInfo, name: str) -> Any:
    if not info.context or name not in info.context:
        raise TypeError(f"a command with this field is parsed with {name}=…")
    return info.context[name]


def _clock(value: object) -> object:
    return _read_clock(value) if isinstance(value, str) else value


def _read_clock(text: str) -> time:
    match = _CLOCK.fullmatch(text.strip())
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(_("Enter a time such as 09:30 or 14:05."))
    return time(int(match[1]), int(match[2]))


def _moment(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    day, _letter, at = value.strip().partition("T")
    try:
        local_day, local_time = _read_day(day), _read_clock(at)
    except ValueError:
        raise ValueError(_("Enter day and time such as 2026-03-06T09:30.")) from None
    return local_instant(_sane_year(local_day), local_time, _context(info, "zone"))


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise TypeError("an instant needs its zone")
    return value


def _whole(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _WHOLE.fullmatch(value.strip()):
        raise ValueError(_("Enter a whole number such as 12."))
    return int(value)


def _amount(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _AMOUNT.fullmatch(value.strip()):
        raise ValueError(_("Enter a number such as 72 or 72.5, with a point and at most three decimals."))
    return Decimal(value.strip())


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError(_("Enter a number such as 72 or 72.5."))
    return value


def _tick(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in _TICKED | _UNTICKED:
        raise ValueError(_("Tick the box, or leave it empty."))
    return value in _TICKED


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError(_("Enter an e-mail address such as maria@example.org.")) from None


def _phone(value: str, info: ValidationInfo) -> str:
    country = (info.context or {}).get("country", "US")
    said = _("Enter a phone number such as (303) 555-0142, or with its country such as +44 20 7946 0958.")
    if not value.isascii():
        raise ValueError(said)
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        raise ValueError(said) from None
    if not phonenumbers.is_possible_number(number) or number.extension:
        raise ValueError(said)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


Line = Annotated[str, AfterValidator(_one_line), StringConstraints(min_length=1, max_length=LINE)]
"""One line of text, up to 200 characters."""
Text = Annotated[str, AfterValidator(_lines), StringConstraints(min_length=1, max_length=TEXT)]
"""Several lines of text, up to 4,000 characters."""
Day = Annotated[date, BeforeValidator(_day), AfterValidator(_sane_year)]
"""A calendar day, `2026-03-06`, years 1900 to 2100."""
ComingDay = Annotated[Day, AfterValidator(_not_past)]
"""Today or later; parse with `today=`."""
PastDay = Annotated[Day, AfterValidator(_not_coming)]
"""Today or earlier; parse with `today=`."""
ClockTime = Annotated[time, BeforeValidator(_clock)]
"""A local time of day in whole minutes, `09:30`."""
Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_aware)]
"""An instant, typed as local time `2026-03-06T09:30`; parse with `zone=`."""
Number = Annotated[int, BeforeValidator(_whole)]
"""A whole number of at most nine digits; give bounds with `Field(ge=…, le=…)`."""
Amount = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_finite)]
"""An exact amount from 0 with at most three decimals (kg, mg, mL); give bounds with `Field(ge=…, le=…)`."""
Tick = Annotated[bool, BeforeValidator(_tick)]
"""A box to tick; give it the default False, because an empty box isn't sent."""
Email = Annotated[str, AfterValidator(_one_line), StringConstraints(max_length=254), AfterValidator(_email)]
"""An e-mail address, its domain in lower case."""
Phone = Annotated[str, AfterValidator(_one_line), StringConstraints(max_length=40), AfterValidator(_phone)]
"""A phone number, kept as E.164; parse with `country=` (ISO 3166)."""


Secret = Annotated[str, AfterValidator(_untouched), StringConstraints(max_length=SECRET)]
"""A password as typed: not trimmed, not cut, not normalised; up to 256 characters."""


def explain(error: ErrorDetails) -> str:
    """Return what would be right, in words for the person who typed it."""
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing" | "string_too_short" | "too_short":
            return _("Fill this in.")
        case "string_too_long" | "too_long" if isinstance(error["input"], str):
            return _("Shorten this to %(most)s characters.", most=context["max_length"])
        case "too_long":
            return _("Choose at most %(most)s.", most=context["max_length"])
        case "greater_than_equal":
            return _("Enter %(least)s or more.", least=context["ge"])
        case "greater_than":
            return _("Enter more than %(least)s.", least=context["gt"])
        case "less_than_equal":
            return _("Enter %(most)s or less.", most=context["le"])
        case "less_than":
            return _("Enter less than %(most)s.", most=context["lt"])
        case "extra_forbidden":
            return _("This form has no such field. Open the page again.")
        case _:
            return _("Choose one of the listed values.")
