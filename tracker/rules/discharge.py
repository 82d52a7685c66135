"""May the patient go home? The criteria, those that numbers answer and those that somebody asks.

Source: domain reference 2.7 (PADSS; esketamine label; clinics' own sets); thresholds in `settings.py`.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tracker.rules.settings import Settings
from tracker.rules.vitals import Reading
from tracker.text import gettext as _


@dataclass(frozen=True)
class Criterion:
    """One criterion. `asked` ones are ticked by whoever discharges; the others follow from what was recorded."""

    key: str
    text: str
    asked: bool = True


CRITERIA: tuple[Criterion, ...] = (
    Criterion("observed", "Least time is over", asked=False),
    Criterion("vitals", "Vital signs back", asked=False),
    Criterion("effects", "Side effects are over", asked=False),
    Criterion("steady", "Stands and walks steadily"),
    Criterion("clear", "Feels present: both agree"),
    Criterion("nausea", "Nausea under control"),
    Criterion("safe", "Asked: no thoughts of suicide"),
    Criterion("line_out", "Line out"),
    Criterion("instructions", "Told: no driving until tomorrow"),
    Criterion("driver_here", "Driver is here, by name"),
)
ASKED: tuple[Criterion, ...] = tuple(criterion for criterion in CRITERIA if criterion.asked)


@dataclass(frozen=True)
class Met:
    """Whether a criterion is met, and why not."""

    criterion: Criterion
    ok: bool
    why: str = ""


def standing(
    minutes_observed: int,
    last: Reading | None,
    baseline: Reading | None,
    going_on: int,
    ticked: AbstractSet[str],
    settings: Settings,
) -> list[Met]:
    """Return every criterion with whether it is met.

    Args:
        minutes_observed: Since the infusion ended.
        last: The latest vital signs since the infusion ended, if any.
        baseline: Those before it.
        going_on: Side effects without a resolution.
        ticked: Keys of the asked criteria that were ticked.
        settings: The clinic's.
    """
    least = int(settings["discharge.minutes"])
    computed = {
        "observed": "" if minutes_observed >= least else _("%(n)s min to go", n=least - minutes_observed),
        "vitals": _vitals(last, baseline, settings),
        "effects": "" if going_on == 0 else _("%(n)s not resolved", n=going_on),
    }
    return [Met(c, c.key in ticked) if c.asked else Met(c, not computed[c.key], computed[c.key]) for c in CRITERIA]


def _vitals(last: Reading | None, baseline: Reading | None, settings: Settings) -> str:
    if last is None or last.systolic is None or last.diastolic is None:
        return _("no blood pressure since the infusion ended")
    systolic, diastolic = settings["discharge.systolic_max"], settings["discharge.diastolic_max"]
    if last.systolic >= systolic or last.diastolic >= diastolic:
        return _("%(s)s/%(d)s, not under %(ms)s/%(md)s", s=last.systolic, d=last.diastolic, ms=systolic, md=diastolic)
    if last.systolic < settings["discharge.systolic_min"]:
        return _("systolic %(s)s, under %(low)s", s=last.systolic, low=settings["discharge.systolic_min"])
    rise = settings["discharge.rise"]
    for name, value, base in _pairs(last, baseline):
        if value * 100 > base * (100 + rise):
            return _(
                "%(name)s %(value)s, more than %(rise)s %% over %(base)s", name=name, value=value, rise=rise, base=base
            )
    return ""


def _pairs(last: Reading, baseline: Reading | None) -> list[tuple[str, int, int]]:
    if baseline is None:
        return []
    both = ((_("systolic"), last.systolic, baseline.systolic), (_("pulse"), last.heart_rate, baseline.heart_rate))
    return [(name, value, base) for name, value, base in both if value is not None and base is not None]
