"""Exact from milligrams to millilitres an hour; rounded on the label alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracker.errors import Refused
from tracker.rules import dosing
from tracker.rules.dosing import Run
from tracker.rules.settings import Settings

D = Decimal
SETTINGS = Settings()
START = datetime(2026, 11, 24, 18, 18, tzinfo=UTC)

weights = st.decimals("25", "350", places=1)
mg_per_kgs = st.decimals("0.01", "1", places=2)
concentrations = st.decimals("0.1", "99.9", places=1)


def plan(weight="80", mg_per_kg="0.5", minutes=40, concentration="10", max_mg="100", **more):
    concentration = None if concentration is None else D(concentration)
    return dosing.plan(D(weight), D(mg_per_kg), minutes, concentration, max_mg=D(max_mg), settings=SETTINGS, **more)


def test_eighty_kilograms_at_half_a_milligram():
    dose = plan()
    assert dose.mg == 40
    assert dose.draw_ml == 4
    assert dose.rate_ml_h == 6
    assert dose.arithmetic == "0.5 mg/kg × 80 kg = 40 mg; 40 mg ÷ 10 mg/mL = 4.00 mL; 4.00 mL in 40 min = 6.0 mL/h"


def test_the_vial_of_a_hundred_is_diluted():
    with pytest.raises(Refused, match="must be diluted"):
        plan(concentration="100")
    dose = plan(weight="70", concentration="100", diluted_to_ml=D("100"))
    assert dose.draw_ml == Fraction(35, 100)
    assert dose.rate_ml_h == 150


@given(weights, mg_per_kgs, concentrations, st.integers(2, 600))
def test_the_chain_runs_back_to_the_weight(weight, mg_per_kg, concentration, minutes):
    dose = dosing.plan(weight, mg_per_kg, minutes, concentration, max_mg=D(400), settings=SETTINGS)
    assert dose.mg == dose.mg.quantize(D("0.001"))
    assert dose.rate_ml_h * Fraction(minutes, 60) == dose.draw_ml
    assert dose.draw_ml * Fraction(concentration) / Fraction(mg_per_kg) == Fraction(weight)


@given(weights, weights, mg_per_kgs)
def test_more_kilograms_never_give_less(light, heavy, mg_per_kg):
    assume(light <= heavy)
    assert dosing.milligrams(light, mg_per_kg) <= dosing.milligrams(heavy, mg_per_kg)


@pytest.mark.parametrize(
    ("wrong", "message", "field"),
    [
        ({"weight": "8"}, "8 kg can't be right", "weight_kg"),
        ({"weight": "80.25"}, "80.25: give at most 1 decimals", "weight_kg"),
        ({"mg_per_kg": "0.125"}, "0.125: give at most 2 decimals", "mg_per_kg"),
        ({"weight": "400"}, "400 kg can't be right", "weight_kg"),
        ({"mg_per_kg": "0"}, "above 0", "mg_per_kg"),
        ({"mg_per_kg": "5", "max_mg": "1000"}, "over this clinic's limit of 1 mg/kg", "mg_per_kg"),
        ({"weight": "220"}, r"0.5 mg/kg × 220 kg = 110 mg: over the order's limit of 100 mg", "mg_per_kg"),
        ({"concentration": None}, "no mL without it", "concentration"),
        ({"concentration": "0.01"}, "vial", "concentration"),
        ({"concentration": "1000"}, "vial", "concentration"),
        ({"minutes": 0}, "minutes", "minutes"),
        ({"minutes": 5000}, "minutes", "minutes"),
        ({"diluted_to_ml": Decimal(1)}, "can't hold", "diluted_to_ml"),
        ({"diluted_to_ml": Decimal(5000)}, "can't hold", "diluted_to_ml"),
    ],
)
def test_what_is_impossible_is_refused_beside_its_field(wrong, message, field):
    with pytest.raises(Refused, match=message) as refusal:
        plan(**wrong)
    assert refusal.value.field == field


def test_the_second_person_calculates_alone():
    dose = plan(weight="77", concentration="50")
    assert dosing.agrees(dose, D("38.5"), D("0.77"))
    assert not dosing.agrees(dose, D("38.5"), D("7.7"))
    assert not dosing.agrees(dose, D("35.8"), D("0.77"))


def test_pounds_for_kilograms_asks():
    assert dosing.weight_asks(D("176"), D("80"), SETTINGS)
    assert dosing.weight_asks(D("75.9"), D("80"), SETTINGS)
    assert not dosing.weight_asks(D("84"), D("80"), SETTINGS)
    assert not dosing.weight_asks(D("80"), None, SETTINGS)


def test_the_difference_from_last_time():
    assert dosing.change(D("40"), D("35")) == D("14.3")
    assert dosing.change(D("35"), D("40")) == D("-12.5")
    assert dosing.change(D("40"), None) is None


def minutes(n):
    return START + timedelta(minutes=n)


def test_a_pause_gives_nothing():
    runs = [Run(START, minutes(10)), Run(minutes(15))]
    assert dosing.given_mg(D(40), 40, runs, minutes(20)) == 15
    assert dosing.elapsed(runs, minutes(20)) == timedelta(minutes=15)


def test_stopped_after_eighteen_minutes():
    assert dosing.given_mg(D(30), 40, [Run(START, minutes(18))], minutes(60)) == Fraction(27, 2)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6),
    st.integers(0, 500),
    st.decimals("1", "200", places=1),
)
def test_given_never_falls_and_never_passes_the_dose(stretches, later, mg):
    at, runs = START, []
    for wait, length in stretches:
        begin = at + timedelta(minutes=wait)
        at = begin + timedelta(minutes=length)
        runs.append(Run(begin, at))
    now = dosing.given_mg(mg, 40, runs, at)
    assert 0 <= now <= Fraction(mg)
    assert dosing.given_mg(mg, 40, [*runs, Run(at)], at + timedelta(minutes=later)) >= now


@given(st.fractions(0, 10_000), st.integers(0, 3))
def test_a_label_is_within_half_a_step(value, places):
    assert abs(Fraction(dosing.label(value, places)) - value) <= Fraction(1, 2 * 10**places)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**6, places=3))
def test_plain_says_the_same_number(value):
    assert D(dosing.plain(value)) == value
    assert "E" not in dosing.plain(value)
