"""Dose arithmetic, exact: mg/kg by kg to mg, mg to mL of a stated concentration, mL to mL an hour.

Weights and doses are `Decimal`; what comes from a division is a `Fraction`. Nothing is rounded but the label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

from tracker.errors import Refused
from tracker.rules.settings import Settings
from tracker.text import gettext as _

# Outside these a number is a slip of the finger (pounds for kilograms, a missing point), not a patient.
WEIGHT_KG = (Decimal("25"), Decimal("350"))
MINUTES = (2, 600)  # sessions of 2 to 100 min are published; pain infusions run for hours
DECIMALS = {"weight_kg": 1, "mg_per_kg": 2}  # as scales and orders have them: mg then has three, and is kept exactly
CONCENTRATION = (Decimal("0.1"), Decimal("200"))  # mg/mL; vials are 10, 50 and 100


@dataclass(frozen=True)
class Dose:
    """What one infusion is to give.

    Attributes:
        mg: Exact, weight by mg/kg.
        draw_ml: From the vial, at `concentration`.
        rate_ml_h: At the pump, of `volume_ml` over `minutes`.
    """

    weight_kg: Decimal
    mg_per_kg: Decimal
    mg: Decimal
    concentration: Decimal  # mg/mL, of the vial
    minutes: int
    volume_ml: Fraction  # in the pump: the draw, or what it was diluted to

    @property
    def draw_ml(self) -> Fraction:
        """mL to draw from the vial."""
        return Fraction(self.mg) / Fraction(self.concentration)

    @property
    def rate_ml_h(self) -> Fraction:
        """mL an hour at the pump."""
        return self.volume_ml * 60 / self.minutes

    @property
    def arithmetic(self) -> str:
        """The whole calculation on one line, rounded only here."""
        return (
            f"{plain(self.mg_per_kg)} mg/kg × {plain(self.weight_kg)} kg = {plain(self.mg)} mg; "
            f"{plain(self.mg)} mg ÷ {plain(self.concentration)} mg/mL = {label(self.draw_ml)} mL; "
            f"{label(self.volume_ml)} mL in {self.minutes} min = {label(self.rate_ml_h, 1)} mL/h"
        )


def milligrams(weight_kg: Decimal, mg_per_kg: Decimal) -> Decimal:
    """Return the exact dose in mg.

    Raises:
        Refused: The weight is no adult's in kilograms, the dose is not above zero, or one has too many decimals.
    """
    low, high = WEIGHT_KG
    if not low <= weight_kg <= high:
        message = _("%(kg)s kg can't be right: enter %(low)s to %(high)s kg.", kg=plain(weight_kg), low=low, high=high)
        raise Refused(message, field="weight_kg")
    if mg_per_kg <= 0:
        raise Refused(_("The dose must be above 0 mg/kg."), field="mg_per_kg")
    for field, value in (("weight_kg", weight_kg), ("mg_per_kg", mg_per_kg)):
        if value != value.quantize(Decimal(1).scaleb(-DECIMALS[field])):
            raise Refused(_("%(v)s: give at most %(n)s decimals.", v=plain(value), n=DECIMALS[field]), field=field)
    with localcontext() as exact:
        exact.prec = 60
        return weight_kg * mg_per_kg


def plan(
    weight_kg: Decimal,
    mg_per_kg: Decimal,
    minutes: int,
    concentration: Decimal | None,
    *,
    max_mg: Decimal,
    settings: Settings,
    diluted_to_ml: Decimal | None = None,
) -> Dose:
    """Return the dose for today's weight.

    Args:
        weight_kg: Today's, in kilograms.
        mg_per_kg: As ordered.
        minutes: Of the infusion, as ordered.
        concentration: Of the vial, mg/mL. Without it there are no millilitres.
        max_mg: The order's limit.
        settings: The clinic's limits.
        diluted_to_ml: Final volume in the bag or syringe; the draw itself if absent.

    Raises:
        Refused: Impossible or over a limit; the message shows the arithmetic.
    """
    mg = milligrams(weight_kg, mg_per_kg)
    if concentration is None:
        raise Refused(_("Enter the vial's concentration: there is no mL without it."), field="concentration")
    _bounded(minutes, concentration, mg_per_kg, settings)
    if mg > max_mg:
        sum_ = f"{plain(mg_per_kg)} mg/kg × {plain(weight_kg)} kg = {plain(mg)} mg"
        raise Refused(
            _("%(sum)s: over the order's limit of %(max)s mg.", sum=sum_, max=plain(max_mg)), field="mg_per_kg"
        )
    draw = Fraction(mg) / Fraction(concentration)
    return Dose(weight_kg, mg_per_kg, mg, concentration, minutes, _volume(draw, concentration, diluted_to_ml, settings))


def _bounded(minutes: int, concentration: Decimal, mg_per_kg: Decimal, settings: Settings) -> None:
    if not MINUTES[0] <= minutes <= MINUTES[1]:
        raise Refused(
            _("An infusion runs %(low)s to %(high)s minutes.", low=MINUTES[0], high=MINUTES[1]), field="minutes"
        )
    if not CONCENTRATION[0] <= concentration <= CONCENTRATION[1]:
        raise Refused(_("A vial of %(c)s mg/mL can't be right.", c=plain(concentration)), field="concentration")
    highest = settings["dosing.mg_per_kg_max"]
    if mg_per_kg > highest:
        message = _(
            "%(dose)s mg/kg is over this clinic's limit of %(max)s mg/kg.", dose=plain(mg_per_kg), max=plain(highest)
        )
        raise Refused(message, field="mg_per_kg")


def _volume(draw: Fraction, concentration: Decimal, diluted_to_ml: Decimal | None, settings: Settings) -> Fraction:
    if diluted_to_ml is None:
        if concentration >= settings["dosing.dilute_from"]:
            message = _("%(c)s mg/mL must be diluted: enter the final volume.", c=plain(concentration))
            raise Refused(message, field="diluted_to_ml")
        return draw
    if Fraction(diluted_to_ml) < draw or diluted_to_ml > 1000:
        message = _("%(v)s mL can't hold the %(draw)s mL drawn.", v=plain(diluted_to_ml), draw=label(draw))
        raise Refused(message, field="diluted_to_ml")
    return Fraction(diluted_to_ml)


def agrees(dose: Dose, mg: Decimal, draw_ml: Decimal) -> bool:
    """Say whether a second person's own calculation comes to the same label."""
    return label(Fraction(mg), 1) == label(Fraction(dose.mg), 1) and label(Fraction(draw_ml)) == label(dose.draw_ml)


def change(now: Decimal, last: Decimal | None) -> Decimal | None:
    """Return the change since last time in percent, to one decimal; None the first time."""
    if not last:
        return None
    return label((Fraction(now) - Fraction(last)) * 100 / Fraction(last), 1)


def weight_asks(now: Decimal, last: Decimal | None, settings: Settings) -> bool:
    """Say whether the weight changed so much that somebody should look again (a scale in pounds, a typing slip)."""
    if not last:
        return False
    return abs(Fraction(now) - Fraction(last)) * 100 > Fraction(settings["dosing.weight_change"]) * Fraction(last)


@dataclass(frozen=True)
class Run:
    """One stretch in which the pump ran at the planned rate. `end` is None while it runs."""

    start: datetime
    end: datetime | None = None


def elapsed(runs: Sequence[Run], now: datetime) -> timedelta:
    """Return how long the pump has run; pauses don't count."""
    return sum(((run.end or now) - run.start for run in runs), timedelta())


def given_mg(mg: Decimal, minutes: int, runs: Sequence[Run], now: datetime) -> Fraction:
    """Return the mg given so far: the integral of the rate over the stretches, never more than `mg`."""
    share = Fraction(elapsed(runs, now) // timedelta(microseconds=1), minutes * 60_000_000)
    return Fraction(mg) * max(Fraction(0), min(Fraction(1), share))


def label(value: Fraction, places: int = 2) -> Decimal:
    """Round for a label, halves up as people do."""
    with localcontext() as exact:
        exact.prec = 60
        exact.rounding = ROUND_HALF_UP
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return quotient.quantize(Decimal(1).scaleb(-places))


def plain(value: Decimal) -> str:
    """Write a number as a person would: no exponent, no trailing zeros."""
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
