"""Side effects as data: chairside severity in plain lines, and what each means in CTCAE 5.0.

Three traps, all in the data below. CTCAE 5.0 has no term for dissociation, so it is stored under "Psychiatric
disorders - Other, specify" with the local scale. Some grades don't exist (nausea ends at 3). CTCAE grades some terms by
what the next day is like (nausea by eating and drinking), so at the chair they have a severity and no grade yet.

Source: NCI CTCAE 5.0 (2017), paraphrased; the grading system's name is stored with every event, so that a later
version comes as data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.rules.vocabulary import Severity

GRADING_SYSTEM = "CTCAE 5.0"

_MILD, _MODERATE, _SEVERE = Severity.MILD, Severity.MODERATE, Severity.SEVERE
_BY_FUNCTION = {_MILD: 1, _MODERATE: 2, _SEVERE: 3}


@dataclass(frozen=True)
class Term:
    """One side effect that can be tapped.

    Attributes:
        lines: What mild, moderate and severe look like at the chair, one plain line each.
        ctcae: The CTCAE term; None where there is none ("other").
        specify: What is written after "Other, specify".
        grades: Severity to CTCAE grade; a severity that is missing has no grade at the chair.
        button: Whether it has a button of its own on the bedside page.
    """

    key: str
    label: str
    lines: Mapping[Severity, str]
    ctcae: str | None
    grades: Mapping[Severity, int] = field(default_factory=dict)
    specify: str = ""
    button: bool = True


def _lines(mild: str, moderate: str, severe: str) -> dict[Severity, str]:
    return {_MILD: mild, _MODERATE: moderate, _SEVERE: severe}


_ALL = (
    Term("nausea", "Nausea", _lines("Queasy, sips water", "Wants medicine", "Can't bear it"), "Nausea"),
    Term(
        "dizziness",
        "Dizzy",
        _lines("A little unsteady", "Needs help to sit up", "Can't lift the head"),
        "Dizziness",
        _BY_FUNCTION,
    ),
    Term(
        "dissociation",
        "Dissociation",
        _lines("Aware, at ease", "Hard to bring back", "Unresponsive or distressed"),
        "Psychiatric disorders - Other, specify",
        _BY_FUNCTION,
        specify="dissociation",
    ),
    Term("headache", "Headache", _lines("Noticed", "Wants medicine", "Can't do anything"), "Headache", _BY_FUNCTION),
    Term(
        "anxiety",
        "Anxiety",
        _lines("Uneasy, talks it through", "Needs someone beside", "Panic, wants it stopped"),
        "Anxiety",
        _BY_FUNCTION,
    ),
    # Grade 3 is a marked loss of sight, which nobody measures at the chair.
    Term(
        "blurred_vision",
        "Blurred vision",
        _lines("Noticed", "Can't read", "Can't make out a face"),
        "Blurred vision",
        {_MILD: 1, _MODERATE: 2},
    ),
    Term(
        "drowsiness",
        "Drowsy",
        _lines("Sleepy, answers at once", "Answers slowly", "Hard to rouse"),
        "Somnolence",
        _BY_FUNCTION,
    ),
    Term("vomiting", "Vomiting", _lines("Once", "Needs medicine", "Can't keep water down"), "Vomiting", button=False),
    Term(
        "hallucinations",
        "Hallucinations",
        _lines("Shapes, colours", "Sees or hears what isn't there", "Acts on it"),
        "Hallucinations",
        _BY_FUNCTION,
        button=False,
    ),
    Term(
        "agitation",
        "Agitation",
        _lines("Restless", "Pulls at the line", "A danger to self or others"),
        "Agitation",
        {_MILD: 1, _MODERATE: 2, _SEVERE: 4},
        button=False,
    ),
    Term(
        "palpitations",
        "Palpitations",
        _lines("Noticed", "Troubled by it", "Faint with it"),
        "Palpitations",
        {_MILD: 1},
        button=False,
    ),
    Term(
        "sleep",
        "Poor sleep",
        _lines("A little", "Tired by day", "Hardly slept"),
        "Insomnia",
        _BY_FUNCTION,
        button=False,
    ),
    Term(
        "bladder",
        "Bladder trouble",
        _lines("More often", "Pain or urgency", "Blood"),
        "Cystitis noninfective",
        _BY_FUNCTION,
        button=False,
    ),
    Term("other", "Other", _lines("Noticed", "Troublesome", "Overwhelming"), None, button=True),
)
TERMS: dict[str, Term] = {term.key: term for term in _ALL}
BUTTONS: tuple[Term, ...] = tuple(term for term in _ALL if term.button)

# The grades that CTCAE 5.0 has for these terms; a grade outside does not exist.
HIGHEST_GRADE: dict[str, int] = {
    "Nausea": 3,
    "Vomiting": 5,
    "Dizziness": 3,
    "Headache": 3,
    "Blurred vision": 4,
    "Somnolence": 5,
    "Hallucinations": 5,
    "Anxiety": 4,
    "Agitation": 4,
    "Palpitations": 3,
    "Insomnia": 3,
    "Cystitis noninfective": 5,
    "Psychiatric disorders - Other, specify": 5,
}


@dataclass(frozen=True)
class Coding:
    """What is stored beside a side effect: the system, its term, the grade where one makes sense now."""

    system: str
    term: str
    grade: int | None


def coding(key: str, severity: Severity) -> Coding | None:
    """Return the CTCAE coding of a tapped side effect; None where CTCAE has no term.

    Raises:
        KeyError: `key` is no term of this list.
    """
    term = TERMS[key]
    if term.ctcae is None:
        return None
    name = f"{term.ctcae}: {term.specify}" if term.specify else term.ctcae
    return Coding(GRADING_SYSTEM, name, term.grades.get(severity))


def needs_clinician(key: str, severity: Severity, *, serious: bool = False) -> bool:
    """Say whether a clinician has to look the same day: severe, grade 3 or more, or serious."""
    coded = coding(key, severity)
    return serious or severity is Severity.SEVERE or (coded is not None and (coded.grade or 0) >= 3)
