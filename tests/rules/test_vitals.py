"""Amber, red and by which rule; which set is due when."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules import vitals
from tracker.rules.settings import Settings
from tracker.rules.vitals import POSSIBLE, Band, Reading, SetState, Sign

SETTINGS = Settings()
BASE = Reading(128, 78, 72, 98, 14, 5)

readings = st.builds(Reading, *(st.none() | st.integers(*POSSIBLE[sign]) for sign in Sign))


@pytest.mark.parametrize(
    ("reading", "band", "rule"),
    [
        (replace(BASE), Band.GREEN, None),
        (replace(BASE, systolic=158, diastolic=96), Band.GREEN, None),
        (replace(BASE, systolic=160), Band.AMBER, "Systolic ≥ 160: watch"),
        (replace(BASE, systolic=167), Band.AMBER, "Systolic ≥ 160: watch"),
        (replace(BASE, diastolic=110), Band.RED, "Diastolic ≥ 110: repeat in 5 min"),
        (replace(BASE, systolic=200), Band.RED, "Systolic ≥ 200: stop and assess"),
        (replace(BASE, systolic=89), Band.AMBER, "Systolic < 90: watch"),
        (replace(BASE, spo2=95), Band.AMBER, "SpO₂ 3 below baseline"),
        (replace(BASE, spo2=91), Band.AMBER, "SpO₂ < 92: watch"),
        (replace(BASE, spo2=90), Band.AMBER, "SpO₂ < 92: watch"),
        (replace(BASE, spo2=89), Band.RED, "SpO₂ < 90: act now"),
        (replace(BASE, heart_rate=121), Band.AMBER, "HR > 120: watch"),
        (replace(BASE, heart_rate=49), Band.AMBER, "HR < 50: watch"),
        (replace(BASE, respiratory_rate=8), Band.AMBER, "RR < 10: watch"),
        (replace(BASE, respiratory_rate=7), Band.RED, "RR < 8: act now"),
        (replace(BASE, moaas=3), Band.RED, "MOAA/S ≤ 3: rouse and assess"),
    ],
)
def test_a_reading_during_the_infusion(reading, band, rule):
    found = vitals.findings(reading, BASE, SETTINGS)
    assert vitals.band(reading, BASE, SETTINGS) is band
    assert (found[0].rule if found else None) == rule


def test_before_the_start_the_limits_are_lower():
    assert vitals.band(Reading(140, 80), None, SETTINGS) is Band.AMBER
    assert vitals.findings(Reading(160, 80), None, SETTINGS)[0].rule == "Systolic ≥ 160: hold"
    assert vitals.band(Reading(139, 89), None, SETTINGS) is Band.GREEN


def test_a_rise_counts_against_the_patients_own_baseline():
    low = Reading(100, 60)
    assert vitals.findings(Reading(130, 80), low, SETTINGS)[0].rule == "Systolic up 30 % or more on baseline"
    assert vitals.band(Reading(129, 80), low, SETTINGS) is Band.GREEN


def test_a_clinic_at_altitude_has_its_own_limit():
    high_up = Settings({"vitals.spo2_amber": Decimal(88), "vitals.spo2_red": Decimal(85)})
    assert vitals.band(Reading(spo2=89), Reading(spo2=90), high_up) is Band.GREEN


@given(readings, readings | st.none())
def test_red_stands_first_and_every_band_names_its_rule(reading, baseline):
    found = vitals.findings(reading, baseline, SETTINGS)
    bands = [finding.band for finding in found]
    assert bands == sorted(bands, key=lambda band: band is not Band.RED)
    assert all(finding.rule for finding in found)
    measured = {sign for sign in Sign if getattr(reading, sign) is not None}
    assert set(vitals.sign_bands(reading, baseline, SETTINGS)) == measured
    assert {finding.sign for finding in found} <= measured
    worst = vitals.sign_bands(reading, baseline, SETTINGS).values()
    assert (Band.RED in worst) == (Band.RED in bands)


@given(readings, st.integers(1, 60))
def test_a_higher_pressure_is_never_a_better_band(reading, more):
    if reading.systolic is None or reading.systolic < 90:
        return
    order = (Band.GREEN, Band.AMBER, Band.RED)
    higher = replace(reading, systolic=reading.systolic + more)
    before, after = (order.index(vitals.band(r, BASE, SETTINGS)) for r in (reading, higher))
    assert after >= before


def test_the_planned_minutes_of_forty():
    assert vitals.planned_minutes(40, 100, SETTINGS) == [0, 10, 20, 30, 40, 55, 70, 85, 100]
    assert vitals.planned_minutes(40, 69, SETTINGS) == [0, 10, 20, 30, 40, 55]


PLANNED = [0, 10, 20, 30, 40, 55, 70]


@pytest.mark.parametrize(("minute", "stands_for"), [(0, 0), (6, 0), (7, 10), (24, 20), (26, 20), (27, 30), (52, 55)])
def test_which_set_a_reading_stands_for(minute, stands_for):
    assert vitals.slot(minute, PLANNED, SETTINGS) == stands_for


def states(filled, now):
    return [s.state for s in vitals.sets(filled, now, PLANNED, SETTINGS, baseline_taken=True)][1:]


def test_a_set_is_due_then_overdue_then_missed():
    later = SetState.LATER
    assert states({0, 10}, 19)[2] is later
    assert states({0, 10}, 20)[2] is SetState.DUE
    assert states({0, 10}, 22)[2] is SetState.DUE
    assert states({0, 10}, 23)[2] is SetState.OVERDUE
    assert states({0, 10}, 24) == [SetState.DONE, SetState.DONE, SetState.OVERDUE, later, later, later, later]
    assert states({0, 10}, 30)[2:4] == [SetState.MISSED, SetState.DUE]


@given(st.sets(st.sampled_from(PLANNED)), st.integers(0, 90))
def test_at_most_one_set_asks_at_a_time(filled, now):
    asking = [s for s in states(filled, now) if s in {SetState.DUE, SetState.OVERDUE}]
    assert len(asking) <= 1


def test_before_start_only_the_baseline_is_due():
    columns = vitals.sets(set(), None, PLANNED, SETTINGS, baseline_taken=False)
    assert [c.state for c in columns] == [SetState.DUE] + [SetState.LATER] * 7


def test_a_set_entered_in_two_goes_is_one():
    first, rest = Reading(158, 96, 86), Reading(heart_rate=88, spo2=97)
    assert vitals.lacks(first) == [Sign.SPO2]
    assert vitals.merged([first, rest]) == Reading(158, 96, 88, 97)
    assert vitals.lacks(vitals.merged([first, rest])) == []
