"""The protocols that are shipped, each number with its source. A clinic's physician confirms or changes them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM, Anchor, Hold, Phase, Protocol, Step
from tracker.rules.vocabulary import Role

SOURCES = """\
Sources: Murrough 2013, Singh 2016 and Phillips 2019 (depression: two or three a week are equal, median three infusions
to response); Feder 2021 (PTSD); Rodriguez 2013 (OCD, one infusion); CANMAT (one infusion Level 1 evidence, series and
maintenance Level 3); reviews of ketamine for pain (CRPS: 0.35 mg/kg an hour, four hours daily, ten days; other
neuropathic pain weak or none); ASRA, AAPM and ASA 2018 (outpatients: at least 80 mg over more than two hours, then
reassess; to be checked against the text); a clinic's public price list (60 and 90 minutes, 2, 3 and 4 hours).
Gaps, spans, block and phases, and how long daily series are, are inferences from published schedules and clinics' own
pages. 1.4 mg/kg over four hours is more than the limit for one dose that a clinic begins with."""


def infusion_block(infusion: int = 40, recovery: int = 60) -> tuple[Phase, ...]:
    """Return the phases of an infusion visit; `infusion` and `recovery` in minutes.

    The nurse's lane, and the physician on site, run from set-up to the end of recovery; the physician is held for
    set-up and again for the last ten minutes of recovery. The second person who checks the drug is the physician, who
    is held for set-up anyway.

    Source:
        Inference from clinics' published visits (2.5 h in all, recovery 20-60 min quoted): docs/clinical-rules.md.
    """
    room, nurse = Hold(ROOM), Hold(NURSE)
    return (
        Phase("check_in", 15, (room,)),
        Phase("set_up", 20, (room, nurse, Hold(PHYSICIAN))),
        Phase("infusion", infusion, (room, nurse)),
        Phase("recovery", recovery, (room, nurse, Hold(PHYSICIAN, start=-10))),
        Phase("turnover", 15, (room,), patient=False),
    )


_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)

# Windows are inference; 24 h call: PADSS study convention; 24-72 h therapy window: clinics' claim, evidence limited.
_AFTER_EACH = (
    Step("next_day_check_in", Anchor.EACH_DISCHARGE, 24 * _HOUR, 12 * _HOUR, Role.NURSE),
    Step("therapy_session", Anchor.EACH_DISCHARGE, 24 * _HOUR, 48 * _HOUR, Role.COORDINATOR),
)
_PROGRAMME = (
    *_AFTER_EACH,
    Step("weekly_score", Anchor.FIRST_VISIT, 7 * _DAY, 2 * _DAY, scale="phq9", every=7 * _DAY, times=6),
    Step("response_review", Anchor.LAST_DISCHARGE, 7 * _DAY, 3 * _DAY, Role.PHYSICIAN),
    Step("medication_review", Anchor.LAST_DISCHARGE, 14 * _DAY, 14 * _DAY, Role.COORDINATOR),
    Step("relapse_look", Anchor.LAST_DISCHARGE, 28 * _DAY, 7 * _DAY, Role.COORDINATOR),
)

# 0.5 mg/kg over 40 minutes: Murrough 2013, Singh 2016, Feder 2021. 1 mg/kg is the most that trials tested; 100 mg is
# that for 100 kg (inference).
_MG_PER_KG, _MAX_MG = Decimal("0.5"), Decimal(100)

# Gaps (inference on Singh 2016's schedules): 36 h leaves one free day between any two visits of an open day shorter
# than twelve hours; half a day above the longest gap lets the hour of day move.
THREE_A_WEEK = Protocol(
    code="A",
    version=1,
    title="Three a week for two weeks",
    visits=6,
    min_gap=36 * _HOUR,
    max_gap=5 * _DAY + 12 * _HOUR,
    max_span_days=21,
    rhythm=(2, 2, 3),
    phases=infusion_block(),
    mg_per_kg=_MG_PER_KG,
    max_mg=_MAX_MG,
    programme=_PROGRAMME,
    review_after=(3, 6),
)

TWO_A_WEEK = replace(
    THREE_A_WEEK,
    code="B",
    title="Two a week for three weeks",
    max_gap=7 * _DAY + 12 * _HOUR,
    max_span_days=28,  # 17 in the plain rhythm; from 28 on it counts as a deviation (inference)
    rhythm=(3, 4),
)

# Six, 48 hours apart from first to last (inference: the plain rhythm ends on day 10). A clinic that is closed at
# weekends has a gap of three days there, which counts as one off the rhythm.
ALTERNATE_DAYS = replace(
    THREE_A_WEEK,
    code="C",
    title="Every other day, six in all",
    max_gap=4 * _DAY + 12 * _HOUR,
    rhythm=(2,),
)

# One infusion: OCD (Rodriguez 2013), and every booster.
SINGLE = Protocol(
    code="S",
    version=1,
    title="Single infusion",
    visits=1,
    min_gap=36 * _HOUR,
    max_gap=365 * _DAY,
    max_span_days=0,
    rhythm=(),
    phases=infusion_block(),
    mg_per_kg=_MG_PER_KG,
    max_mg=_MAX_MG,
    programme=(
        *_AFTER_EACH,
        Step("response_review", Anchor.LAST_DISCHARGE, 7 * _DAY, 3 * _DAY, Role.PHYSICIAN),
    ),
    review_after=(1,),
)

# Boosters, one a week for four weeks. Length and limits are inference; maintenance has Level 3 evidence (CANMAT).
WEEKLY = replace(
    SINGLE,
    code="F",
    title="Weekly boosters, four in all",
    visits=4,
    min_gap=4 * _DAY + 12 * _HOUR,
    max_gap=10 * _DAY + 12 * _HOUR,
    max_span_days=35,
    rhythm=(7,),
    review_after=(4,),
)

# Pain: relief counts if it lasts three weeks (ASRA 2018, to be checked), so that is when it is reviewed.
_PAIN_PROGRAMME = (
    *_AFTER_EACH,
    Step("response_review", Anchor.LAST_DISCHARGE, 21 * _DAY, 7 * _DAY, Role.PHYSICIAN),
)

# Consecutive days: 20 h let the hour of day move by four hours, 4 days let a series go on after a long weekend
# (inference). 0.35 mg/kg an hour for four hours. Five days, not ten: one working week (inference).
FIVE_DAYS = replace(
    THREE_A_WEEK,
    code="E",
    title="Pain: five days running, four hours each",
    visits=5,
    min_gap=20 * _HOUR,
    max_gap=4 * _DAY + 12 * _HOUR,
    max_span_days=7,
    rhythm=(1,),
    phases=infusion_block(240),
    mg_per_kg=Decimal("1.4"),  # more than a clinic's limit for one dose, until its physician raises that
    programme=_PAIN_PROGRAMME,
    review_after=(5,),
)

# The same rate for two hours, for an outpatient clinic's day (inference).
FIVE_SHORT_DAYS = replace(
    FIVE_DAYS,
    code="E2",
    title="Pain: five days running, two hours each",
    phases=infusion_block(120),
    mg_per_kg=Decimal("0.7"),
)

# Ten days as in the trial for CRPS, over two working weeks; ten from Monday to Friday end on day 11.
TEN_DAYS = replace(
    FIVE_DAYS,
    code="E10",
    title="Pain: ten working days, four hours each",
    visits=10,
    max_span_days=16,
    rhythm=(1, 1, 1, 1, 3),
    review_after=(5, 10),
)

# 80 mg are 1 mg/kg for 80 kg (inference).
PAIN_SINGLE = replace(
    SINGLE,
    code="P",
    title="Pain: single infusion of two hours",
    phases=infusion_block(120),
    mg_per_kg=Decimal(1),
    programme=_PAIN_PROGRAMME,
)

# The lengths that clinics sell, with the plain dose: whoever orders decides about more (inference).
SINGLE_60 = replace(SINGLE, code="S60", title="Single infusion of 60 minutes", phases=infusion_block(60))
SINGLE_90 = replace(SINGLE, code="S90", title="Single infusion of 90 minutes", phases=infusion_block(90))

SHIPPED = (
    THREE_A_WEEK,
    TWO_A_WEEK,
    ALTERNATE_DAYS,
    SINGLE,
    SINGLE_60,
    SINGLE_90,
    WEEKLY,
    FIVE_DAYS,
    FIVE_SHORT_DAYS,
    TEN_DAYS,
    PAIN_SINGLE,
)
