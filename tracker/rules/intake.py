"""Who a patient is: what the form, the import and a later API take alike."""

import re
import unicodedata
from datetime import date
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from tracker.rules.fields import LINE, Command, Email, Line, PastDay, Phone, Tick, check_characters
from tracker.text import gettext as _
from tracker.text import say_zone

_OTHER_NAMES = {
    "castilian": "es",
    "mandarin": "zh",
    "cantonese": "zh",
    "farsi": "fa",
    "filipino": "tl",
    "bengali": "bn",
}
# What stands before the place in a zone's name; the others are no places ("Etc/GMT+7", "EST").
_CONTINENTS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
NAME, CHART = 80, 40  # characters
LISTED = 60  # lines
# Where files write that somebody was asked and has none.
_NO_ALLERGIES = frozenset(
    {"none", "none known", "no", "nka", "nkda", "nkfa", "no known allergies", "no known drug allergies"}
)


def _one_line(value: str) -> str:
    return check_characters(value, lines=False)


def _name(value: str) -> str:
    if not any(unicodedata.category(letter).startswith("L") for letter in value):
        raise ValueError(_("Write the name with letters."))
    if value[0] in "=+-@":
        raise ValueError(_("Start the name with a letter; this looks like a formula."))
    return value


def _chart_number(value: str) -> str:
    if value[0] in "=+-@":
        raise ValueError(_("Start the chart number with a letter or digit; this looks like a formula."))
    return value


def _list(value: str) -> str:
    lines = [check_characters(line, lines=False) for line in check_characters(value, lines=True).splitlines()]
    kept = list(dict.fromkeys(line for line in lines if line))
    if len(kept) > LISTED or any(len(line) > LINE for line in kept):
        raise ValueError(_("Write at most %(n)s lines of %(most)s characters.", n=LISTED, most=LINE))
    return "\n".join(kept)


@cache
def languages() -> dict[str, str]:
    """Return the languages of ISO 639-1: code → English name, in order of name."""
    from babel import Locale  # 60 ms to load, for two pages and the import

    named = {code: name for code, name in Locale("en").languages.items() if len(code) == 2}
    return dict(sorted(named.items(), key=lambda item: item[1]))


@cache
def _spellings() -> dict[str, str]:
    from babel import Locale

    known = {spelling: code for code, name in languages().items() for spelling in (code, name.casefold())}
    own = {Locale(code).languages[code].casefold(): code for code in ("es", "fr", "pt", "vi", "de")}
    return known | own | _OTHER_NAMES


def _language(value: object) -> object:
    if not isinstance(value, str):
        return value
    # "es-MX", "English (US)", "Spanish; Castilian": what stands first says it.
    first = re.split(r"[-_(;,/]", unicodedata.normalize("NFC", value).casefold(), maxsplit=1)[0].strip()
    code = _spellings().get(first)
    if code is None:
        raise ValueError(_("Enter a language such as English, Spanish or es."))
    return code


@cache
def zones(country: str) -> list[tuple[str, str]]:
    """Return the time zones people live in, with what each is called: those of `country` first, then all others."""
    from babel.core import get_global  # 60 ms to load, for one page

    own = {name for name, territory in get_global("zone_territories").items() if territory == country}
    named = sorted(name for name in available_timezones() if name.partition("/")[0] in _CONTINENTS)
    return [(name, _say_zone(name)) for name in sorted(named, key=lambda name: (name not in own, name))]


def _say_zone(name: str) -> str:
    where = name.partition("/")[2].replace("_", " ").replace("/", ", ")
    zone = say_zone(ZoneInfo(name))
    return where if "(" in zone else f"{where} ({zone})"  # a zone without a name of its own is said by its place


def _zone(value: str) -> str:
    if value not in available_timezones() or value.partition("/")[0] not in _CONTINENTS:
        raise ValueError(_("Choose a time zone from the list."))
    return value


Name = Annotated[
    str, AfterValidator(_one_line), StringConstraints(min_length=1, max_length=NAME), AfterValidator(_name)
]
"""A name or a part of one, in any script, up to 80 characters."""
ChartNumber = Annotated[
    str, AfterValidator(_one_line), StringConstraints(min_length=1, max_length=CHART), AfterValidator(_chart_number)
]
"""The practice's own number for a patient, up to 40 characters."""
Language = Annotated[str, BeforeValidator(_language)]
"""A language by its English name or its code; kept as the code of ISO 639-1."""


Zone = Annotated[str, AfterValidator(_zone)]
"""A time zone of the IANA list, `America/Denver`."""
Listed = Annotated[str, AfterValidator(_list)]
"""Several things, one a line: at most 60 lines of 200 characters, none twice."""


class Person(Command):
    """A patient as the practice knows her. Parse with `country=` and `today=`."""

    chart_number: ChartNumber | None = None
    given_name: Name
    family_name: Name
    preferred_name: Name | None = None
    birth_date: PastDay
    language: Language = "en"
    phone: Phone | None = None
    other_phone: Phone | None = None
    email: Email | None = None
    diagnosis: Line | None = None
    allergies: Listed = ""
    medicines: Listed = ""
    no_allergies: Tick = False  # asked, and there are none; an empty list says nothing


def says_none(listed: str) -> bool:
    """Return whether a cell of allergies says that there are none: "NKDA", "none known"."""
    return listed.strip(" .").casefold() in _NO_ALLERGIES


def age(born: date, today: date) -> int:
    """Return whole years; who was born on February 29 is older on March 1."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
