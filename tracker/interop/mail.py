"""Writes a patient's message from the templates in `templates/mail`, in their language, outside the web.

Discreet by construction: a template is given a first name, the clinic's neutral name, dates and a link, and nothing
about the treatment; subjects are constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracker import text
from tracker.paths import shipped
from tracker.rules.cadence import Purpose
from tracker.text import gettext as _


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a message may say."""

    purpose: Purpose
    first_name: str
    sender_name: str  # the clinic's neutral name
    phone: str
    zone: ZoneInfo
    country: str
    starts: Sequence[datetime]  # of the visits it speaks of; none where it says that none is left
    link: str | None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Written:
    """A message in words."""

    subject: str
    text: str
    html: str


def write(facts: Facts) -> Written:
    """Return the message in the patient's language. jinja2.TemplateError: a template is broken."""
    with text.speaking(facts.language):
        name = f"mail/{facts.purpose}.txt"
        said = {
            "facts": facts,
            "instant": lambda moment: text.say_instant(moment, facts.zone, facts.country),
            "day": lambda moment: text.say_day(moment, facts.zone, facts.country),
            "phone": text.say_phone(facts.phone, facts.country),
            "language": facts.language,
        }
        plain = _environment(html=False).get_template(name).render(said, layout="mail/layout.txt")
        html = (
            _environment(html=True).get_template(name).render(said, layout="mail/layout.html", subject=subject(facts))
        )
        return Written(subject(facts), plain.strip() + "\n", html)


def subject(facts: Facts) -> str:
    """Return the subject: one constant a purpose. Nothing typed by anybody gets into a header."""
    return {
        Purpose.ITINERARY: _("Your appointments"),
        Purpose.FIRST_VISIT: _("Your first appointment"),
        Purpose.VISIT: _("Your next appointment"),
        Purpose.NEXT_DAY: _("How are you today?"),
        Purpose.THERAPY: _("How are you this week?"),
        Purpose.CHECK_IN: _("How have you been?"),
        Purpose.LATE_CHECK_IN: _("How have you been?"),
        Purpose.CHANGED: _("Your appointments have changed"),
        Purpose.CLOSED: _("We are closed: please do not come"),
    }[facts.purpose]


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(shipped("templates")),
        autoescape=html,  # noqa: S701 - plain text has nothing to escape
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(text.gettext, text.ngettext, newstyle=True)  # type: ignore[attr-defined] # the extension's
    return environment
