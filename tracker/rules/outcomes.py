"""Is it working? Baseline, response, partial, none, worse, remission: computed, and always said on what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from tracker.rules.scales import Scale
from tracker.text import gettext as _

RULE_VERSION = "2026-1"


class Outcome(StrEnum):
    """What a score means against the baseline."""

    REMISSION = "remission"
    RESPONSE = "response"
    PARTIAL = "partial"
    NONE = "none"
    WORSE = "worse"


@dataclass(frozen=True)
class Taken:
    """A total with the instant it was taken; `after_visit` counts the infusions given before it."""

    total: int
    at: datetime
    after_visit: int = 0


@dataclass(frozen=True)
class Judgement:
    """An outcome with what it was computed from, so that it can be said in full."""

    outcome: Outcome
    scale: str
    baseline: int
    now: int
    change_percent: int | None  # None when the baseline is 0
    since_visit: int | None  # the visit after which this outcome, or a better one, has held
    rule_version: str = RULE_VERSION


def baseline(scores: Sequence[Taken], first_visit: datetime, days: int) -> Taken | None:
    """Return the first score in the `days` before the first infusion (inclusive); None without one.

    Once chosen it is locked by whoever stores it: an earlier score entered later changes nothing.
    """
    window = (first_visit - timedelta(days=days), first_visit)
    return min((s for s in scores if window[0] <= s.at <= window[1]), key=lambda s: s.at, default=None)


def judge(scale: Scale, base: int, now: int) -> Outcome:
    """Judge one score against the baseline.

    Remission needs a baseline that was not in remission already, or everybody well would be "in remission".
    """
    if now < scale.remission_below <= base:
        return Outcome.REMISSION
    if now - base >= scale.worse_by:
        return Outcome.WORSE
    drop = Fraction((base - now) * 100, base) if base else Fraction(0)
    if drop >= scale.response_drop:
        return Outcome.RESPONSE
    return Outcome.PARTIAL if drop >= scale.partial_drop else Outcome.NONE


_BETTER = (Outcome.WORSE, Outcome.NONE, Outcome.PARTIAL, Outcome.RESPONSE, Outcome.REMISSION)


def course_of(scale: Scale, base: Taken, scores: Sequence[Taken]) -> Judgement | None:
    """Judge the latest score after the baseline, and since which visit it has been at least this good.

    Returns None while there is no score after the baseline.
    """
    later = sorted((s for s in scores if s.at > base.at), key=lambda s: s.at)
    if not later:
        return None
    last = later[-1]
    outcome = judge(scale, base.total, last.total)
    since = last.after_visit
    for score in reversed(later):
        if _BETTER.index(judge(scale, base.total, score.total)) < _BETTER.index(outcome):
            break
        since = score.after_visit
    percent = round(Fraction((last.total - base.total) * 100, base.total)) if base.total else None
    good = outcome not in {Outcome.NONE, Outcome.WORSE} and since > 0
    return Judgement(outcome, scale.name, base.total, last.total, percent, since if good else None)


def say(judgement: Judgement) -> str:
    """Say an outcome in full: "PHQ-9 19 → 8, −58 %, response since visit 3"."""
    parts = [f"{judgement.scale} {judgement.baseline} → {judgement.now}"]
    if judgement.change_percent is not None:
        sign = "−" if judgement.change_percent < 0 else "+" if judgement.change_percent else "±"
        parts.append(f"{sign}{abs(judgement.change_percent)} %")
    parts.append(_words(judgement))
    return ", ".join(parts)


def _words(judgement: Judgement) -> str:
    words = {
        Outcome.REMISSION: _("remission"),
        Outcome.RESPONSE: _("response"),
        Outcome.PARTIAL: _("partial response"),
        Outcome.NONE: _("little change yet"),
        Outcome.WORSE: _("worse"),
    }[judgement.outcome]
    if judgement.since_visit is None:
        return words
    return _("%(outcome)s since visit %(n)s", outcome=words, n=judgement.since_visit)


class SafetyAnswer(StrEnum):
    """What a suicide answer asks of whom. A siren at every endorsed item would teach everybody to ignore it."""

    NOTHING = "nothing"
    FIRST = "first"  # assessment and safety plan
    UNCHANGED = "unchanged"  # the physician acknowledges before Start
    ALERT = "alert"  # risen, or 3: a named person and a clock


def safety(answer: int | None, reviewed: int | None, highest: int = 3) -> SafetyAnswer:
    """Judge the answer to an item about suicide.

    Args:
        answer: This time; None when the scale doesn't ask.
        reviewed: The latest answer a clinician has reviewed; None if never.
        highest: The item's highest value.

    Source:
        Bauer 2012: 45 % endorse the item at baseline in one programme; Simon 2013 for the risk it carries.
    """
    if not answer:
        return SafetyAnswer.NOTHING
    if answer >= highest or (reviewed is not None and answer > reviewed):
        return SafetyAnswer.ALERT
    return SafetyAnswer.FIRST if reviewed is None else SafetyAnswer.UNCHANGED
