"""Every number a clinic may change: its default, unit, bounds and where the default comes from.

A clinic's own value lives in the table `setting` under the same key and wins over the default. Defaults are starting
points for the clinic's physician to confirm, not medical advice; `docs/clinical-rules.md` lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal, InvalidOperation

from tracker.errors import Invalid
from tracker.text import gettext as _


@dataclass(frozen=True)
class Setting:
    """One number a clinic may change."""

    key: str
    label: str
    default: Decimal
    unit: str
    low: Decimal
    high: Decimal
    source: str


_FASTING = "Clinics range from a light snack to 8 h; 6 h solids and 2 h clear drinks is the commonest"
_OURS = "Our default; confirm with your physician"
_LABEL = "Esketamine label: weigh benefit and risk above 140/90"
_REVIEW = "Review of published practice and clinic protocols; Yip 2022"
_QUIET = "47 CFR 64.1200(c)(1): 9 p.m. to 8 a.m. for calls, where the patient lives; kept for every message"
_TEXTS = "47 CFR 64.1200(a)(9)(iv): one a day and three a week without consent to more"
_MONITORING = "Riva-Posse 2018: every 10 min during, every 15 min after (684 infusions)"


def _s(key: str, label: str, default: str, unit: str, low: str, high: str, source: str) -> Setting:
    return Setting(key, label, Decimal(default), unit, Decimal(low), Decimal(high), source)


_ALL = (
    _s("vitals.before.systolic_amber", "Before: systolic, caution from", "140", "mmHg", "110", "200", _LABEL),
    _s("vitals.before.diastolic_amber", "Before: diastolic, caution from", "90", "mmHg", "60", "130", _LABEL),
    _s("vitals.before.systolic_red", "Before: systolic, hold from", "160", "mmHg", "120", "220", _OURS),
    _s("vitals.before.diastolic_red", "Before: diastolic, hold from", "100", "mmHg", "70", "140", _OURS),
    _s("vitals.systolic_amber", "During: systolic, caution from", "160", "mmHg", "120", "220", _REVIEW),
    _s("vitals.diastolic_amber", "During: diastolic, caution from", "100", "mmHg", "70", "140", _REVIEW),
    _s("vitals.systolic_red", "During: systolic, repeat from", "180", "mmHg", "140", "240", _REVIEW),
    _s("vitals.diastolic_red", "During: diastolic, repeat from", "110", "mmHg", "80", "150", _REVIEW),
    _s("vitals.systolic_stop", "During: systolic, stop and assess from", "200", "mmHg", "150", "260", _REVIEW),
    _s("vitals.diastolic_stop", "During: diastolic, stop and assess from", "120", "mmHg", "90", "160", _REVIEW),
    _s("vitals.systolic_low", "Systolic, caution below", "90", "mmHg", "60", "110", _OURS),
    _s(
        "vitals.rise_amber",
        "Systolic rise over baseline, caution from",
        "30",
        "%",
        "10",
        "100",
        "Yale 2024 (2,342 infusions): mean peak +16 mmHg, SD 11.2; +20 % would fire in about a quarter",
    ),
    _s("vitals.spo2_amber", "Oxygen saturation, caution below", "92", "%", "80", "98", _OURS + "; lower at altitude"),
    _s("vitals.spo2_red", "Oxygen saturation, act below", "90", "%", "75", "97", _OURS + "; lower at altitude"),
    _s("vitals.spo2_fall", "Oxygen saturation, caution when below baseline by", "3", "%", "1", "10", _OURS),
    _s("vitals.heart_rate_high", "Heart rate, caution above", "120", "/min", "90", "200", _OURS),
    _s("vitals.heart_rate_low", "Heart rate, caution below", "50", "/min", "30", "70", _OURS),
    _s("vitals.respiratory_rate_amber", "Breaths, caution below", "10", "/min", "6", "16", _OURS),
    _s("vitals.respiratory_rate_red", "Breaths, act below", "8", "/min", "4", "14", _OURS),
    _s("vitals.moaas_red", "Sedation (MOAA/S), act at or below", "3", "of 5", "0", "5", _OURS),
    _s("vitals.every_during", "Vital signs during the infusion, every", "10", "min", "5", "30", _MONITORING),
    _s("vitals.every_after", "Vital signs after the infusion, every", "15", "min", "5", "60", _MONITORING),
    _s("vitals.overdue_after", "A set is overdue after", "3", "min", "1", "15", _OURS),
    _s("dosing.weight_change", "Weight change since last time that asks", "5", "%", "1", "20", _OURS),
    _s(
        "dosing.mg_per_kg_max",
        "Highest dose that may be ordered",
        "1.0",
        "mg/kg",
        "0.1",
        "3",
        "Fava dose-finding 2018 and Andrade 2017: tested from 0.1 to 1.0 mg/kg",
    ),
    _s("dosing.dilute_from", "Dilute before infusing, from", "100", "mg/mL", "10", "200", "100 mg/mL must be diluted"),
    _s("discharge.minutes", "Least time in recovery", "60", "min", "15", "180", "Clinics quote 20 to 60 min"),
    _s("discharge.rise", "Blood pressure and pulse within, of baseline", "20", "%", "5", "50", "PADSS: within 20 %"),
    _s("discharge.systolic_max", "At discharge: systolic below", "160", "mmHg", "120", "200", _OURS),
    _s("discharge.diastolic_max", "At discharge: diastolic below", "100", "mmHg", "70", "130", _OURS),
    _s("discharge.systolic_min", "At discharge: systolic at least", "90", "mmHg", "70", "110", _OURS),
    _s("outcomes.baseline_days", "Baseline may be taken before visit 1, at most", "7", "days", "1", "60", _OURS),
    _s("prepare.food_hours", "No solid food before a visit for", "6", "hours", "2", "12", _FASTING),
    _s("prepare.drink_hours", "No drink before a visit for", "2", "hours", "1", "12", _FASTING),
    _s("safety.clock_clinic", "A suicide answer is seen to within, in the clinic", "15", "min", "5", "240", _OURS),
    _s("channels.email", "Patients are written to by e-mail (0: no)", "1", "(yes)", "0", "1", _OURS),
    _s("channels.sms", "Patients are written to by text (0: no)", "1", "(yes)", "0", "1", _OURS),
    _s("texts.a_day", "Texts to one patient in a day, at most", "1", "texts", "0", "10", _TEXTS),
    _s("texts.a_week", "Texts to one patient in seven days, at most", "3", "texts", "0", "30", _TEXTS),
    _s("digest.at", "Staff get their list of the day by e-mail at", "7.5", "o'clock", "5", "12", _OURS),
    _s("quiet.from", "No message goes out by itself from", "21", "o'clock", "17", "24", _QUIET),
    _s("quiet.until", "No message goes out by itself until", "8", "o'clock", "5", "12", _QUIET),
    _s("safety.clock_remote", "A suicide answer is seen to within, from home", "30", "min", "5", "1440", _OURS),
)
REGISTRY: dict[str, Setting] = {setting.key: setting for setting in _ALL}


@dataclass(frozen=True)
class Settings:
    """A clinic's numbers: its own values over the defaults."""

    own: Mapping[str, Decimal] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Decimal:
        """Return the number under `key`; an unknown key is a caller's bug (`KeyError`)."""
        setting = REGISTRY[key]
        return self.own.get(key, setting.default)

    def clock(self, key: str) -> time:
        """Return an hour of the day ("21", "7.5") as clocks show it; 24 is midnight."""
        minutes = round(self[key] * 60) % (24 * 60)
        return time(minutes // 60, minutes % 60)


def accept(key: str, value: str) -> Decimal:
    """Return `value` as the clinic's own number for `key`.

    Raises:
        Invalid: No such setting, not a plain number, or out of its bounds.
    """
    setting = REGISTRY.get(key)
    if setting is None:
        raise Invalid({"key": _("There is no such setting.")})
    try:
        number = Decimal(value) if value.isascii() and "_" not in value else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not setting.low <= number <= setting.high:
        bounds = {"low": setting.low, "high": setting.high, "unit": setting.unit}
        raise Invalid({"value": _("Enter a number from %(low)s to %(high)s %(unit)s.", **bounds)})
    return number
