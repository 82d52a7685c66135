"""Words for people: translation, and dates and times as the clinic's country says them.

`gettext` marks and translates a message in the language of the current context. Numbers of more than one kind go in by
name: `gettext("Visit %(n)s: %(room)s is taken", n=3, room="Sage")`, the same call that templates make.
"""

import re
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tracker.paths import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

STAFF = "en"  # the language of those who work here: what a patient's page writes down for them is said in it
SPOKEN = {"en": "English", "es": "Español"}  # what patients are written to in, each in its own name

_language: ContextVar[str] = ContextVar("language", default=STAFF)


def _written(language: str) -> Path:
    return shipped("templates") / "locale" / language / "LC_MESSAGES" / "tracker.po"


@cache
def spoken(language: str) -> str:
    """Return the language to use for somebody who speaks `language` (ISO 639-1): English where there is no other."""
    return language if language.isalpha() and _written(language).is_file() else "en"


@cache
def _catalogue(language: str) -> GNUTranslations | NullTranslations:
    """Return a language's words, read from the file that translators write: nothing to build, nothing to grow stale."""
    path = _written(language)
    if not path.is_file():
        return NullTranslations()
    from babel.messages.mofile import write_mo  # babel takes 60 ms to load; English needs none of it
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with path.open("rb") as written:
        write_mo(compiled, read_po(written, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


@contextmanager
def speaking(language: str) -> "Iterator[None]":
    """Translate into `language` (ISO 639-1) inside the block, or into English if we don't speak it."""
    token = _language.set(spoken(language))
    try:
        yield
    finally:
        _language.reset(token)


def speak(language: str) -> None:
    """Translate into `language` from here on: what begins a request."""
    _language.set(language)


def language() -> str:
    """Return the language of the current context (ISO 639-1)."""
    return _language.get()


def gettext(message: str, /, **values: object) -> str:
    """Return `message` in the current language, with `%(name)s` filled in from `values`."""
    said = _catalogue(_language.get()).gettext(message)
    return said % values if values else said


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """Return the form of the message that suits `n`, with `%(n)s` and `values` filled in."""
    return _catalogue(_language.get()).ngettext(one, many, n) % {"n": n, **values}


def _locale(country: str) -> str:
    return f"{_language.get()}_{country}"


def say_time(instant: datetime, zone: ZoneInfo, country: str = "US") -> str:
    """Say the time of day in `zone`: "1:30 PM"."""
    local = instant.astimezone(zone)
    return _time(local.hour, local.minute, _locale(country))


def say_span(start: datetime, end: datetime, zone: ZoneInfo, country: str = "US") -> str:
    """Say from when until when: "1:30–4:00 PM"; the half of the day once where it is the same."""
    first, last = (instant.astimezone(zone) for instant in (start, end))
    return _span(first.hour, first.minute, last.hour, last.minute, _locale(country))


def say_day(day: date | datetime, zone: ZoneInfo | None = None, country: str = "US", form: str = "MMMEd") -> str:
    """Say a day: "Tue, Nov 24". An instant needs the `zone` to see it in.

    `form` is a CLDR skeleton ("yMMMd": "Nov 24, 2026"), "full" for "Tuesday, November 24", or "weekday" for "Tuesday".
    """
    if isinstance(day, datetime):
        if zone is None:
            raise ValueError("an instant needs a zone to be a day")
        day = day.astimezone(zone).date()
    return _day(day, _locale(country), form)


# Babel reads its pattern anew each time, 0.3 ms; a page says the same days and hours again and again.
@lru_cache(maxsize=2000)
def _time(hour: int, minute: int, locale: str) -> str:
    from babel.dates import format_time  # babel takes 60 ms to load; not every command says a time

    return format_time(time(hour, minute), "short", locale=locale).replace("\u202f", " ")


@lru_cache(maxsize=4000)
def _span(hour: int, minute: int, last_hour: int, last_minute: int, locale: str) -> str:
    first, last = _time(hour, minute, locale), _time(last_hour, last_minute, locale)
    half = first[-3:]
    return f"{first[:-3] if half == last[-3:] and half in (' AM', ' PM') else first}–{last}"


@lru_cache(maxsize=4000)
def _day(day: date, locale: str, form: str) -> str:
    from babel import Locale
    from babel.dates import format_date, format_skeleton

    if form == "weekday":
        return format_date(day, "EEEE", locale=locale)
    if form != "full":
        return format_skeleton(form, datetime.combine(day, time()), locale=locale)
    # No skeleton has the weekday in full, so take the country's full date and leave out the year.
    pattern = str(Locale.parse(locale).date_formats["full"])
    return format_date(day, re.sub(r"(,| 'de')? y", "", pattern), locale=locale)


def say_instant(instant: datetime, zone: ZoneInfo, country: str = "US") -> str:
    """Say day and time: "Tue, Nov 24, 1:30 PM"."""
    return f"{say_day(instant, zone, country)}, {say_time(instant, zone, country)}"


def say_zone(zone: ZoneInfo, country: str = "US") -> str:
    """Say a time zone: "Mountain Time", and which city's where a country's people have no name for it."""
    return _zone(str(zone), _locale(country))


@lru_cache(maxsize=200)
def _zone(name: str, locale: str) -> str:
    from babel.dates import get_timezone_name

    return get_timezone_name(ZoneInfo(name), width="long", zone_variant="generic", locale=locale)


@lru_cache(maxsize=2000)
def say_phone(number: str, country: str = "US") -> str:
    """Say a telephone number as people in `country` do: "(505) 555-0182"; one from abroad with its country."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return number
    here = phonenumbers.country_code_for_region(country) == parsed.country_code
    form = phonenumbers.PhoneNumberFormat.NATIONAL if here else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, form)
