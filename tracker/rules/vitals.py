"""Vital signs: what is amber or red and by which rule, and which set is due when.

A vital sign out of its band is not an adverse event: only a clinician makes it one. Thresholds are the clinic's
settings; sources are in `settings.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tracker.rules.settings import Settings
from tracker.text import gettext as _


class Band(StrEnum):
    """How far a reading is from what is expected."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Sign(StrEnum):
    """One vital sign; a value's name in `Reading` and in forms."""

    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    HEART_RATE = "heart_rate"
    SPO2 = "spo2"
    RESPIRATORY_RATE = "respiratory_rate"
    MOAAS = "moaas"


# Outside these a number is a slip of the finger, not a patient. Inclusive.
POSSIBLE: dict[Sign, tuple[int, int]] = {
    Sign.SYSTOLIC: (40, 300),
    Sign.DIASTOLIC: (20, 200),
    Sign.HEART_RATE: (20, 250),
    Sign.SPO2: (50, 100),
    Sign.RESPIRATORY_RATE: (2, 60),
    Sign.MOAAS: (0, 5),
}


@dataclass(frozen=True)
class Reading:
    """One set of vital signs: mmHg, beats and breaths a minute, percent, MOAA/S 0 (none) to 5 (answers readily)."""

    systolic: int | None = None
    diastolic: int | None = None
    heart_rate: int | None = None
    spo2: int | None = None
    respiratory_rate: int | None = None
    moaas: int | None = None


# A set without these is not done; the others are taken where the clinic takes them.
NEEDED = (Sign.SYSTOLIC, Sign.DIASTOLIC, Sign.HEART_RATE, Sign.SPO2)


def merged(readings: Iterable[Reading]) -> Reading:
    """Return one set from what was entered for it in several goes: of each sign the latest."""
    signs: dict[str, int] = {}
    for reading in readings:
        signs.update({sign.value: value for sign in Sign if (value := getattr(reading, sign)) is not None})
    return Reading(**signs)


def lacks(reading: Reading) -> list[Sign]:
    """Return which needed signs a set still lacks."""
    return [sign for sign in NEEDED if getattr(reading, sign) is None]


@dataclass(frozen=True)
class Finding:
    """A rule that a reading met: which sign, how bad, the rule in words."""

    sign: Sign
    band: Band
    rule: str


def findings(reading: Reading, baseline: Reading | None, settings: Settings) -> list[Finding]:
    """List every rule the reading meets, the worst first.

    Args:
        reading: What was measured; what is missing meets no rule.
        baseline: Measured before the infusion. None means `reading` itself is the baseline, so the limits for
            starting apply: amber is caution, red is hold.
        settings: The clinic's thresholds.
    """
    found = [*_pressure(reading, baseline, settings), *_other(reading, baseline, settings)]
    return sorted(found, key=lambda finding: finding.band is not Band.RED)


def band(reading: Reading, baseline: Reading | None, settings: Settings) -> Band:
    """Return the worst band among the reading's findings."""
    return next((finding.band for finding in findings(reading, baseline, settings)), Band.GREEN)


def sign_bands(reading: Reading, baseline: Reading | None, settings: Settings) -> dict[Sign, Band]:
    """Return the worst band of each sign that was measured."""
    worst: dict[Sign, Band] = {sign: Band.GREEN for sign in Sign if getattr(reading, sign) is not None}
    for finding in reversed(findings(reading, baseline, settings)):
        worst[finding.sign] = finding.band
    return worst


def _pressure(reading: Reading, baseline: Reading | None, settings: Settings) -> Iterator[Finding]:
    before = "before." if baseline is None else ""
    for sign, value in ((Sign.SYSTOLIC, reading.systolic), (Sign.DIASTOLIC, reading.diastolic)):
        if value is None:
            continue
        if not before and value >= settings[f"vitals.{sign}_stop"]:
            yield Finding(sign, Band.RED, _rule(sign, "≥", settings[f"vitals.{sign}_stop"], _("stop and assess")))
        elif value >= settings[f"vitals.{before}{sign}_red"]:
            act = _("hold") if before else _("repeat in 5 min")
            yield Finding(sign, Band.RED, _rule(sign, "≥", settings[f"vitals.{before}{sign}_red"], act))
        elif value >= settings[f"vitals.{before}{sign}_amber"]:
            yield Finding(sign, Band.AMBER, _rule(sign, "≥", settings[f"vitals.{before}{sign}_amber"], _("watch")))
    low = settings["vitals.systolic_low"]
    if reading.systolic is not None and reading.systolic < low:
        yield Finding(Sign.SYSTOLIC, Band.AMBER, _rule(Sign.SYSTOLIC, "<", low, _("watch")))
    rise = settings["vitals.rise_amber"]
    if _rose(reading.systolic, baseline.systolic if baseline else None, rise):
        yield Finding(
            Sign.SYSTOLIC,
            Band.AMBER,
            _("%(sign)s up %(rise)s %% or more on baseline", sign=say(Sign.SYSTOLIC), rise=rise),
        )


def _rose(value: int | None, base: int | None, percent: Decimal) -> bool:
    return value is not None and base is not None and value * 100 >= base * (100 + percent)


def _other(reading: Reading, baseline: Reading | None, settings: Settings) -> Iterator[Finding]:
    yield from _low(Sign.SPO2, reading.spo2, settings["vitals.spo2_red"], settings["vitals.spo2_amber"])
    yield from _low(
        Sign.RESPIRATORY_RATE,
        reading.respiratory_rate,
        settings["vitals.respiratory_rate_red"],
        settings["vitals.respiratory_rate_amber"],
    )
    fall = settings["vitals.spo2_fall"]
    if reading.spo2 is not None and baseline and baseline.spo2 is not None and baseline.spo2 - reading.spo2 >= fall:
        yield Finding(Sign.SPO2, Band.AMBER, _("%(sign)s %(fall)s below baseline", sign=say(Sign.SPO2), fall=fall))
    if reading.heart_rate is not None:
        high, low = settings["vitals.heart_rate_high"], settings["vitals.heart_rate_low"]
        if reading.heart_rate > high:
            yield Finding(Sign.HEART_RATE, Band.AMBER, _rule(Sign.HEART_RATE, ">", high, _("watch")))
        if reading.heart_rate < low:
            yield Finding(Sign.HEART_RATE, Band.AMBER, _rule(Sign.HEART_RATE, "<", low, _("watch")))
    sedated = settings["vitals.moaas_red"]
    if reading.moaas is not None and reading.moaas <= sedated:
        yield Finding(Sign.MOAAS, Band.RED, _rule(Sign.MOAAS, "≤", sedated, _("rouse and assess")))


def _low(sign: Sign, value: int | None, red: Decimal, amber: Decimal) -> Iterator[Finding]:
    if value is not None and value < red:
        yield Finding(sign, Band.RED, _rule(sign, "<", red, _("act now")))
    elif value is not None and value < amber:
        yield Finding(sign, Band.AMBER, _rule(sign, "<", amber, _("watch")))


def _rule(sign: Sign, comparison: str, limit: Decimal, act: str) -> str:
    return f"{say(sign)} {comparison} {limit}: {act}"


def say(sign: Sign) -> str:
    """Return the staff's word for a vital sign."""
    return {
        Sign.SYSTOLIC: _("Systolic"),
        Sign.DIASTOLIC: _("Diastolic"),
        Sign.HEART_RATE: _("HR"),
        Sign.SPO2: _("SpO₂"),
        Sign.RESPIRATORY_RATE: _("RR"),
        Sign.MOAAS: _("MOAA/S"),
    }[sign]


class SetState(StrEnum):
    """Where one planned set of vital signs stands."""

    DONE = "done"
    MISSED = "missed"
    DUE = "due"
    OVERDUE = "overdue"
    LATER = "later"


@dataclass(frozen=True)
class PlannedSet:
    """One column of the grid: `minute` after the start, None for the set before it."""

    minute: int | None
    state: SetState


def planned_minutes(infusion_minutes: int, until: int, settings: Settings) -> list[int]:
    """Return the minutes after Start at which a set is due, up to and including `until`.

    Every ten minutes through the infusion, then every fifteen: 0, 10, 20, 30, 40, 55, 70 … for forty minutes.

    Source:
        Riva-Posse 2018, in `settings.py`.
    """
    during, then = int(settings["vitals.every_during"]), int(settings["vitals.every_after"])
    minutes = list(range(0, infusion_minutes + 1, during))
    while minutes[-1] < until:
        minutes.append(minutes[-1] + then)
    return [minute for minute in minutes if minute <= until]


def slot(minute: int, planned: Sequence[int], settings: Settings) -> int:
    """Return the planned minute that a set taken `minute` minutes after Start stands for.

    A set may be taken as early before its time as it may be late without being overdue; otherwise it stands for the
    last one that came due.
    """
    early = int(settings["vitals.overdue_after"])
    return max((due for due in planned if due <= minute + early), default=planned[0])


def sets(
    filled: AbstractSet[int], now: int | None, planned: Sequence[int], settings: Settings, *, baseline_taken: bool
) -> list[PlannedSet]:
    """Return every column of the grid with its state.

    Args:
        filled: Planned minutes that have a reading.
        now: Whole minutes since Start; None before it, when only the set before it can be due.
        planned: From `planned_minutes`.
        settings: The clinic's.
        baseline_taken: Whether a set was taken before Start.
    """
    not_taken = SetState.DUE if now is None else SetState.MISSED
    columns = [PlannedSet(None, SetState.DONE if baseline_taken else not_taken)]
    for index, due in enumerate(planned):
        following = planned[index + 1] if index + 1 < len(planned) else None
        columns.append(PlannedSet(due, _state(due, following, due in filled, now, settings)))
    return columns


def _state(due: int, following: int | None, filled: bool, now: int | None, settings: Settings) -> SetState:
    if filled:
        return SetState.DONE
    if now is None or now < due:
        return SetState.LATER
    if following is not None and now >= following:
        return SetState.MISSED
    return SetState.OVERDUE if now >= due + settings["vitals.overdue_after"] else SetState.DUE
