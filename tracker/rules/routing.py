"""By which way a message leaves: what suits it best, what the patient agreed to, and how many texts are enough.

Settled when it leaves, not when it is planned, so that a consent given or taken back meanwhile counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tracker.rules.cadence import Purpose
from tracker.rules.settings import Settings
from tracker.rules.vocabulary import ReminderChannel
from tracker.text import gettext as _

EMAIL, SMS = ReminderChannel.EMAIL, ReminderChannel.SMS

# A text is read within minutes, so what is of use for hours goes that way; what is long, carries a calendar file or may
# wait for the evening is a letter.
PREFERRED: Mapping[Purpose, ReminderChannel] = MappingProxyType(
    {
        Purpose.ITINERARY: EMAIL,
        Purpose.FIRST_VISIT: EMAIL,
        Purpose.VISIT: SMS,
        Purpose.SAME_DAY: SMS,
        Purpose.NEXT_DAY: SMS,
        Purpose.THERAPY: EMAIL,
        Purpose.CHECK_IN: EMAIL,
        Purpose.LATE_CHECK_IN: EMAIL,
        Purpose.QUESTIONNAIRE: EMAIL,
        Purpose.CHANGED: EMAIL,
        Purpose.CLOSED: SMS,
        Purpose.DIGEST: EMAIL,
        Purpose.TEST: EMAIL,  # whoever tests a channel says which; this is for the one that doesn't
    }
)
# Whoever would come to a closed door, or at a time that counts no more, is told, however many texts there were.
PRESSING = frozenset({Purpose.CLOSED, Purpose.CHANGED})


@dataclass(frozen=True, slots=True)
class Reach:
    """By what a patient may be written to: an address, consent, no opt-out, and the clinic uses that way.

    Where it is no, `no_email` and `no_sms` say why, each a sentence for the staff.
    """

    email: bool
    sms: bool
    more_texts: bool = False  # agreed to more texts a week than the limit
    no_email: str = ""
    no_sms: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """Texts that left to a patient, in calendar days where the patient lives."""

    today: int = 0
    week: int = 0  # today and the six days before


@dataclass(frozen=True, slots=True)
class Limits:
    """How many texts a patient gets at most.

    Source:
        47 CFR 64.1200(a)(9)(iv): one a day and three a week are what a health care provider may send to somebody who
        gave the number and nothing more. With express consent to more, the week's limit falls; the day's stays.
    """

    a_day: int = 1
    a_week: int = 3

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return a clinic's own limits."""
        return cls(int(settings["texts.a_day"]), int(settings["texts.a_week"]))


@dataclass(frozen=True, slots=True)
class Route:
    """The way a message takes, if any; `why` it is none, or not the one that suits best.

    `capped`: it is none, and only because of the limit on texts. Another day may do.
    """

    channel: ReminderChannel | None
    why: str = ""
    capped: bool = False


def route(purpose: Purpose, reach: Reach, used: Used, limits: Limits) -> Route:
    """Return by which way a message of `purpose` goes to somebody who can be reached so, after so many texts."""
    best = PREFERRED[purpose]
    other = SMS if best is EMAIL else EMAIL
    against = {EMAIL: "" if reach.email else reach.no_email or _("No e-mail address.")}
    full = "" if purpose in PRESSING else limit_reached(reach, used, limits)
    against[SMS] = full if reach.sms else reach.no_sms or _("No number for texts.")
    if not against[best]:
        return Route(best)
    if not against[other]:
        return Route(other, against[best])
    reasons = dict.fromkeys((against[best], against[other]))  # the same reason for both is said once
    return Route(None, " ".join(reasons), capped=reach.sms)


def limit_reached(reach: Reach, used: Used, limits: Limits) -> str:
    """Return why no further text goes to this patient today, or nothing if one may."""
    return next(_limits_reached(reach, used, limits), "")


def _limits_reached(reach: Reach, used: Used, limits: Limits) -> Iterator[str]:
    if used.today >= limits.a_day:
        yield _("No more texts today: %(used)s of %(limit)s sent.", used=used.today, limit=limits.a_day)
    if used.week >= limits.a_week and not reach.more_texts:
        yield _("No more texts this week: %(used)s of %(limit)s sent.", used=used.week, limit=limits.a_week)
