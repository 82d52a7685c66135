"""Totals only when complete, and an outcome that always says on what."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import Invalid
from tracker.rules import outcomes, scales
from tracker.rules.outcomes import Outcome, SafetyAnswer, Taken
from tracker.rules.scales import PHQ9

FIRST = datetime(2026, 11, 24, 15, tzinfo=UTC)
values = st.integers(0, 3)


@given(st.lists(values, min_size=9, max_size=9))
def test_a_total_is_the_sum_of_nine(answers):
    scored = scales.score(PHQ9, dict(enumerate(answers, start=1)))
    assert scored.total == sum(answers)
    assert scored.safety == answers[8]
    assert scored.band == scales.band_of(PHQ9, sum(answers))


@given(st.dictionaries(st.integers(1, 9), values, max_size=8))
def test_a_missing_answer_refuses_the_total_and_says_which(answers):
    with pytest.raises(Invalid) as refusal:
        scales.score(PHQ9, answers)
    assert set(refusal.value.fields) == {f"item{n}" for n in range(1, 10) if n not in answers}


def test_no_value_and_no_item_that_the_scale_lacks():
    full = dict.fromkeys(range(1, 10), 1)
    with pytest.raises(Invalid, match="item4"):
        scales.score(PHQ9, {**full, 4: 4})
    with pytest.raises(Invalid, match="9 questions"):
        scales.score(PHQ9, {**full, 10: 1})


@pytest.mark.parametrize(
    ("total", "band"),
    [
        (0, "minimal"),
        (4, "minimal"),
        (5, "mild"),
        (10, "moderate"),
        (19, "moderately severe"),
        (20, "severe"),
        (27, "severe"),
    ],
)
def test_bands(total, band):
    assert scales.band_of(PHQ9, total) == band


def test_a_scale_hangs_together():
    for scale in scales.SCALES.values():
        assert scale.bands[0].low == 0
        assert [b.low for b in scale.bands] == sorted({b.low for b in scale.bands})
        assert scale.bands[-1].low <= scale.highest
        assert scale.safety_item is None or 1 <= scale.safety_item <= len(scale.items)
    assert PHQ9.highest == 27


@pytest.mark.parametrize(
    ("base", "now", "outcome"),
    [
        (19, 8, Outcome.RESPONSE),
        (20, 10, Outcome.RESPONSE),
        (20, 11, Outcome.PARTIAL),
        (20, 15, Outcome.PARTIAL),
        (20, 16, Outcome.NONE),
        (20, 24, Outcome.NONE),
        (20, 25, Outcome.WORSE),
        (20, 4, Outcome.REMISSION),
        (4, 3, Outcome.PARTIAL),
        (0, 0, Outcome.NONE),
        (0, 5, Outcome.WORSE),
    ],
)
def test_what_a_score_means(base, now, outcome):
    assert outcomes.judge(PHQ9, base, now) is outcome


@given(st.integers(1, 27), st.integers(0, 27), st.integers(0, 27))
def test_a_lower_score_is_never_judged_worse(base, one, other):
    ranks = [outcomes._BETTER.index(outcomes.judge(PHQ9, base, score)) for score in sorted((one, other))]
    assert ranks[0] >= ranks[1]


def taken(total, days, after_visit=0):
    return Taken(total, FIRST + timedelta(days=days), after_visit)


def test_the_baseline_is_the_first_in_the_week_before():
    scores = [taken(17, -2), taken(19, -6), taken(25, -8), taken(10, 3)]
    assert outcomes.baseline(scores, FIRST, 7) == scores[1]
    assert outcomes.baseline(scores[2:], FIRST, 7) is None
    assert outcomes.baseline([taken(20, 0)], FIRST, 7) is not None


def test_it_says_on_what():
    scores = [taken(18, 3, 1), taken(12, 6, 2), taken(9, 8, 3), taken(8, 10, 4)]
    judged = outcomes.course_of(PHQ9, taken(19, -1), scores)
    assert outcomes.say(judged) == "PHQ-9 19 → 8, −58 %, response since visit 3"
    assert judged.rule_version == outcomes.RULE_VERSION


def test_little_change_yet_has_no_since():
    judged = outcomes.course_of(PHQ9, taken(20, -1), [taken(20, 3, 1)])
    assert outcomes.say(judged) == "PHQ-9 20 → 20, ±0 %, little change yet"
    assert outcomes.course_of(PHQ9, taken(20, -1), []) is None


def test_a_response_that_was_lost_begins_again():
    scores = [taken(8, 3, 1), taken(15, 6, 2), taken(9, 8, 3)]
    assert outcomes.course_of(PHQ9, taken(20, -1), scores).since_visit == 3


@pytest.mark.parametrize(
    ("answer", "reviewed", "asks"),
    [
        (0, None, SafetyAnswer.NOTHING),
        (None, 2, SafetyAnswer.NOTHING),
        (0, 2, SafetyAnswer.NOTHING),
        (1, None, SafetyAnswer.FIRST),
        (2, 2, SafetyAnswer.UNCHANGED),
        (1, 2, SafetyAnswer.UNCHANGED),
        (2, 1, SafetyAnswer.ALERT),
        (3, None, SafetyAnswer.ALERT),
        (3, 3, SafetyAnswer.ALERT),
        (1, 0, SafetyAnswer.ALERT),
    ],
)
def test_a_suicide_answer_is_never_just_a_number(answer, reviewed, asks):
    assert outcomes.safety(answer, reviewed) is asks
