"""Questionnaires as data. A scale is a row here, not a class: text, range, bands, recall, licence and missing rule.

Only texts that may be reproduced are here; the others will be totals. A missing answer refuses the total and says
which one is missing: no pro-rating.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tracker.errors import Invalid
from tracker.text import gettext as _


@dataclass(frozen=True)
class Band:
    """A named part of the range, from `low` up to the next band."""

    low: int
    name: str


@dataclass(frozen=True)
class Scale:
    """One questionnaire.

    Attributes:
        items: Texts in order; item 1 is the first.
        options: Values with their words, the same for every item.
        bands: From low to high.
        safety_item: Number of the item that asks about suicide, if any.
        response_drop: Percent below baseline that counts as response.
        remission_below: A total below this is remission.
        partial_drop: Percent below baseline that counts as partial response.
        worse_by: Points above baseline that count as worse.
        loinc_total: LOINC code of the total.
    """

    key: str
    name: str
    version: int
    stem: str
    items: tuple[str, ...]
    options: tuple[tuple[int, str], ...]
    bands: tuple[Band, ...]
    safety_item: int | None
    response_drop: int
    partial_drop: int
    remission_below: int
    worse_by: int
    loinc_total: str
    credit: str

    @property
    def highest(self) -> int:
        """The highest total."""
        return max(value for value, _words in self.options) * len(self.items)


# Text: "No permission required to reproduce, translate, display or distribute." Bands: Kroenke 2001. Response
# and remission: 50 % and < 5, the field's convention; 5 points is the least change that matters.
PHQ9 = Scale(
    key="phq9",
    name="PHQ-9",
    version=1,
    stem="Over the last 2 weeks, how often have you been bothered by any of the following problems?",
    items=(
        "Little interest or pleasure in doing things",
        "Feeling down, depressed, or hopeless",
        "Trouble falling or staying asleep, or sleeping too much",
        "Feeling tired or having little energy",
        "Poor appetite or overeating",
        "Feeling bad about yourself - or that you are a failure or have let yourself or your family down",
        "Trouble concentrating on things, such as reading the newspaper or watching television",
        "Moving or speaking so slowly that other people could have noticed? Or the opposite - being so fidgety or "
        "restless that you have been moving around a lot more than usual",
        "Thoughts that you would be better off dead or of hurting yourself in some way",
    ),
    options=((0, "Not at all"), (1, "Several days"), (2, "More than half the days"), (3, "Nearly every day")),
    bands=(
        Band(0, "minimal"),
        Band(5, "mild"),
        Band(10, "moderate"),
        Band(15, "moderately severe"),
        Band(20, "severe"),
    ),
    safety_item=9,
    response_drop=50,
    partial_drop=25,
    remission_below=5,
    worse_by=5,
    loinc_total="44261-6",
    credit="Developed by Drs. Robert L. Spitzer, Janet B.W. Williams, Kurt Kroenke and colleagues, with an educational "
    "grant from Pfizer Inc. No permission required to reproduce, translate, display or distribute.",
)
# The US Spanish version that the authors give out (phqscreeners.com), word for word: a questionnaire is validated in
# its words, so it isn't for a catalogue of ours.
_PHQ9_ES = replace(
    PHQ9,
    stem="Durante las últimas 2 semanas, ¿qué tan seguido ha tenido molestias debido a los siguientes problemas?",
    items=(
        "Poco interés o placer en hacer cosas",
        "Se ha sentido decaído(a), deprimido(a) o sin esperanzas",
        "Ha tenido dificultad para quedarse o permanecer dormido(a), o ha dormido demasiado",
        "Se ha sentido cansado(a) o con poca energía",
        "Sin apetito o ha comido en exceso",
        "Se ha sentido mal con usted mismo(a) - o que es un fracaso o que ha quedado mal con usted mismo(a) o con su "
        "familia",
        "Ha tenido dificultad para concentrarse en ciertas actividades, tales como leer el periódico o ver la "
        "televisión",
        "¿Se ha movido o hablado tan lento que otras personas podrían haberlo notado? o lo contrario - muy inquieto(a) "
        "o agitado(a) que ha estado moviéndose mucho más de lo normal",
        "Pensamientos de que estaría mejor muerto(a) o de lastimarse de alguna manera",
    ),
    options=((0, "Ningún día"), (1, "Varios días"), (2, "Más de la mitad de los días"), (3, "Casi todos los días")),
    credit="Elaborado por los doctores Robert L. Spitzer, Janet B.W. Williams, Kurt Kroenke y colegas, mediante una "
    "subvención educativa otorgada por Pfizer Inc. No se requiere permiso para reproducir, traducir, presentar o "
    "distribuir.",
)
SCALES: dict[str, Scale] = {PHQ9.key: PHQ9}
_IN_OTHER_WORDS = {(PHQ9.key, "es"): _PHQ9_ES}


def in_language(scale: Scale, language: str) -> Scale:
    """Return a scale in the words of a language (ISO 639-1), where there are validated ones; its numbers stay."""
    return _IN_OTHER_WORDS.get((scale.key, language), scale)


@dataclass(frozen=True)
class Score:
    """A complete questionnaire's total and band; `safety` is the answer to the item about suicide."""

    total: int
    band: str
    safety: int | None


def score(scale: Scale, answers: Mapping[int, int]) -> Score:
    """Add up a complete questionnaire.

    Args:
        scale: Which.
        answers: Item number (from 1) to value.

    Raises:
        Invalid: An answer is missing or no value of the scale; one message for each such item (`item1` …).
    """
    values = {value for value, _words in scale.options}
    wrong = {}
    for number in range(1, len(scale.items) + 1):
        if number not in answers:
            wrong[f"item{number}"] = _("Question %(n)s has no answer yet.", n=number)
        elif answers[number] not in values:
            wrong[f"item{number}"] = _("Choose one of the answers to question %(n)s.", n=number)
    if wrong:
        raise Invalid(wrong)
    if len(answers) != len(scale.items):
        raise Invalid({"answers": _("%(name)s has %(n)s questions.", name=scale.name, n=len(scale.items))})
    total = sum(answers.values())
    return Score(total, band_of(scale, total), answers[scale.safety_item] if scale.safety_item else None)


def band_of(scale: Scale, total: int) -> str:
    """Return the name of the band a total lies in.

    Raises:
        ValueError: The total is out of the scale's range. That is a caller's bug.
    """
    if not 0 <= total <= scale.highest:
        raise ValueError(f"{scale.name} {total} is out of range")
    return max((band for band in scale.bands if band.low <= total), key=lambda band: band.low).name
