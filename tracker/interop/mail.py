"""Writes a message from the templates in `templates/mail`, in its reader's language, outside the web.

Discreet by construction: a template is given a first name, the clinic's neutral name, dates and a link, and nothing
about the treatment; subjects are constants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracker import text
from tracker.paths import shipped
from tracker.rules import gsm
from tracker.rules.cadence import Purpose
from tracker.text import gettext as _

# Raised with every change of words, in any language, so that a message says for ever which words it was sent with.
VERSIONS: Mapping[Purpose, int] = MappingProxyType(
    {
        Purpose.ITINERARY: 2,
        Purpose.FIRST_VISIT: 2,
        Purpose.VISIT: 3,
        Purpose.SAME_DAY: 1,
        Purpose.NEXT_DAY: 2,
        Purpose.THERAPY: 2,
        Purpose.CHECK_IN: 3,
        Purpose.LATE_CHECK_IN: 3,
        Purpose.QUESTIONNAIRE: 1,
        Purpose.CHANGED: 2,
        Purpose.CLOSED: 2,
        Purpose.DIGEST: 1,
    }
)


@dataclass(frozen=True, slots=True)
class Due:
    """What somebody of the staff has to do today: how many, and whose, in this order."""

    mine: int = 0
    others: int = 0  # that anybody of the same role may take
    overdue: int = 0
    urgent: int = 0
    initials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a message may say."""

    purpose: Purpose
    first_name: str
    sender_name: str  # the clinic's neutral name
    phone: str
    zone: ZoneInfo  # the clinic's: visits are said in it
    country: str
    starts: Sequence[datetime]  # of the visits it speaks of; none where it says that none is left
    link: str | None
    language: str = "en"
    lives_in: ZoneInfo | None = None  # where that is another zone, each time says which it is in
    asks_how: bool = False  # the check-in of the same day is asked inside it
    due: Due = Due()


@dataclass(frozen=True, slots=True)
class Written:
    """A message in words; `short` is all of a text message."""

    subject: str
    text: str
    html: str
    short: str


def write(facts: Facts, *, letter: bool = True, short: bool = True) -> Written:
    """Return the message in the patient's language; what isn't asked for is empty.

    Args:
        letter: Whether it is wanted as an e-mail.
        short: Whether it is wanted as a text message.

    Raises:
        jinja2.TemplateError: A template is broken.
    """
    with text.speaking(facts.language):
        said = {
            "facts": facts,
            "instant": lambda moment: text.say_instant(moment, facts.zone, facts.country) + _zone(facts, moment),
            "clock": lambda moment: text.say_time(moment, facts.zone, facts.country) + _zone(facts, moment),
            "day": lambda moment: text.say_day(moment, facts.zone, facts.country),
            "phone": text.say_phone(facts.phone, facts.country),
            "language": text.language(),
            "subject": subject(facts),
            "also": "",  # what a template may leave out
            "dates": (),
            "after": "",
            "calls": True,
        }
        plain = _render(facts, "mail/layout.txt", said).strip() + "\n" if letter else ""
        html = _render(facts, "mail/layout.html", said, html=True) if letter else ""
        return Written(subject(facts), plain, html, _short(facts, said) if short else "")


def _render(facts: Facts, layout: str, said: Mapping[str, Any], *, html: bool = False) -> str:
    words = _environment(html=html).get_template(f"mail/{facts.purpose}.txt").render(said, layout=layout)
    return words.replace("..", ".")  # "1:30 p.m." at the end of a sentence has its dot


def _short(facts: Facts, said: Mapping[str, Any]) -> str:
    """Return the text message: with name and the way to end it where there is room for them in one segment."""
    tries = [
        _render(facts, "mail/short.txt", {**said, "named": named, "ends": ends}).strip()
        for named, ends in ((True, True), (True, False), (False, False))
    ]
    return next((one for one in tries if gsm.fit(one).segments == 1), tries[-1])


def _zone(facts: Facts, moment: datetime) -> str:
    """Return which zone a time is in, if clocks show another one where the patient lives: " (Mountain Time)"."""
    here = moment.astimezone(facts.zone).utcoffset()
    if facts.lives_in is None or moment.astimezone(facts.lives_in).utcoffset() == here:
        return ""
    return f" ({text.say_zone(facts.zone, facts.country)})"


def subject(facts: Facts) -> str:
    """Return the subject: one constant a purpose. Nothing typed by anybody gets into a header."""
    return _subjects()[facts.purpose]


def _subjects() -> dict[Purpose, str]:
    return {
        Purpose.ITINERARY: _("Your appointments"),
        Purpose.FIRST_VISIT: _("Your first appointment"),
        Purpose.VISIT: _("Your next appointment"),
        Purpose.SAME_DAY: _("Your appointment today"),
        Purpose.NEXT_DAY: _("How are you today?"),
        Purpose.THERAPY: _("How are you this week?"),
        Purpose.CHECK_IN: _("How have you been?"),
        Purpose.LATE_CHECK_IN: _("How have you been?"),
        Purpose.QUESTIONNAIRE: _("A few questions for you"),
        Purpose.CHANGED: _("Your appointments have changed"),
        Purpose.CLOSED: _("We are closed: please do not come"),
        Purpose.DIGEST: _("What is due today"),
    }


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(shipped("templates")),
        auto_reload=False,  # asking the disk for every message costs as much as writing it
        autoescape=html,  # noqa: S701 - plain text has nothing to escape
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(text.gettext, text.ngettext, newstyle=True)  # type: ignore[attr-defined] # the extension's
    return environment
