"""Checklist, side effects, discharge, settings: data that must hang together."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import Invalid
from tracker.rules import adverse_events, discharge, settings, timeout
from tracker.rules.adverse_events import HIGHEST_GRADE, TERMS
from tracker.rules.settings import REGISTRY, Settings
from tracker.rules.timeout import CHECKLIST, Answer, Weight
from tracker.rules.vitals import Reading
from tracker.rules.vocabulary import Severity

ALL_YES = {item.key: Answer.YES for item in CHECKLIST}


def test_the_checklist_counts_what_is_left():
    assert timeout.standing({}).left == len(CHECKLIST)
    assert timeout.standing(ALL_YES).left == 0


def test_a_no_blocks_or_is_noted():
    answers = {**ALL_YES, "fasting": Answer.NO, "symptoms": Answer.NO}
    standing = timeout.standing(answers)
    assert [item.key for item in standing.blocking] == ["fasting"]
    assert [item.key for item in standing.noted] == ["symptoms"]
    assert standing.left == 1
    passed = timeout.standing(answers, frozenset({"fasting"}))
    assert passed.left == 0
    assert {item.key for item in passed.noted} == {"fasting", "symptoms"}


def test_not_applicable_is_an_answer_only_where_it_may_be():
    assert timeout.standing({**ALL_YES, "pregnancy": Answer.NOT_APPLICABLE}).left == 0
    assert timeout.standing({**ALL_YES, "identity": Answer.NOT_APPLICABLE}).left == 1


@given(st.dictionaries(st.sampled_from([item.key for item in CHECKLIST]), st.sampled_from(Answer)))
def test_nothing_is_left_only_when_every_stop_item_is_settled(answers):
    if timeout.standing(answers).left == 0:
        for item in CHECKLIST:
            if item.weight is Weight.STOP:
                assert answers[item.key] is Answer.YES or item.may_not_apply


def test_ctcae_has_no_dissociation():
    coded = adverse_events.coding("dissociation", Severity.MODERATE)
    assert coded == adverse_events.Coding("CTCAE 5.0", "Psychiatric disorders - Other, specify: dissociation", 2)


def test_nausea_has_no_grade_at_the_chair():
    assert adverse_events.coding("nausea", Severity.SEVERE).grade is None


def test_every_grade_exists_and_every_severity_has_its_line():
    for term in TERMS.values():
        assert set(term.lines) == set(Severity)
        if term.ctcae is not None:
            assert all(1 <= grade <= HIGHEST_GRADE[term.ctcae] for grade in term.grades.values())
    assert adverse_events.coding("other", Severity.MILD) is None


@pytest.mark.parametrize(
    ("key", "severity", "serious", "looks"),
    [
        ("nausea", Severity.MODERATE, False, False),
        ("nausea", Severity.SEVERE, False, True),
        ("other", Severity.MILD, True, True),
        ("headache", Severity.MILD, False, False),
    ],
)
def test_who_looks_the_same_day(key, severity, serious, looks):
    assert adverse_events.needs_clinician(key, severity, serious=serious) is looks


BASE = Reading(128, 78, 72, 98, 14, 5)
TICKED = {criterion.key for criterion in discharge.ASKED}


def unmet(minutes=60, last=BASE, going_on=0, ticked=TICKED):
    return {
        m.criterion.key: m.why
        for m in discharge.standing(minutes, last, BASE, going_on, ticked, Settings())
        if not m.ok
    }


def test_everything_back_goes_home():
    assert unmet() == {}


@pytest.mark.parametrize(
    ("changed", "key", "why"),
    [
        ({"minutes": 45}, "observed", "15 min to go"),
        ({"last": None}, "vitals", "no blood pressure since the infusion ended"),
        ({"last": replace(BASE, systolic=160)}, "vitals", "160/78, not under 160/100"),
        ({"last": replace(BASE, systolic=155)}, "vitals", "systolic 155, more than 20 % over 128"),
        ({"last": replace(BASE, systolic=85)}, "vitals", "systolic 85, under 90"),
        ({"last": replace(BASE, heart_rate=90)}, "vitals", "pulse 90, more than 20 % over 72"),
        ({"going_on": 2}, "effects", "2 not resolved"),
        ({"ticked": TICKED - {"driver_here"}}, "driver_here", ""),
    ],
)
def test_what_keeps_a_patient(changed, key, why):
    assert unmet(**changed) == {key: why}


def test_defaults_lie_in_their_bounds_and_name_their_source():
    for setting in REGISTRY.values():
        assert setting.low <= setting.default <= setting.high, setting.key
        assert setting.unit
        assert setting.source


def test_a_clinics_own_number_wins():
    assert Settings()["discharge.minutes"] == 60
    assert Settings({"discharge.minutes": Decimal(45)})["discharge.minutes"] == 45


@pytest.mark.parametrize("typed", ["", "NaN", "Infinity", "1_00", "٥٥", "5", "1e9", "-60", "sixty"])
def test_a_setting_takes_a_plain_number_in_bounds(typed):
    with pytest.raises(Invalid):
        settings.accept("discharge.minutes", typed)


def test_a_setting_that_does_not_exist():
    with pytest.raises(Invalid):
        settings.accept("discharge.hours", "1")
    assert settings.accept("discharge.minutes", "45") == 45
