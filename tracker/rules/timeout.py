"""The pre-infusion checklist (the field's "time-out") as data, and what it still lacks before Start.

Source: domain reference 2.2, from published clinic protocols and the esketamine label; an item is a question a nurse
answers yes, no or not applicable. A "no" on a stop item blocks Start until a physician overrides it with a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """An answer to one item."""

    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "not_applicable"


class Weight(StrEnum):
    """What a "no" does: it blocks Start, or it is noted."""

    STOP = "stop"
    NOTE = "note"


@dataclass(frozen=True)
class Item:
    """One question. `asks` is what a nurse looks at to answer it."""

    key: str
    text: str
    weight: Weight
    asks: str = ""
    may_not_apply: bool = False


CHECKLIST: tuple[Item, ...] = (
    Item("identity", "Identity: name and birth date", Weight.STOP, "Asked, not read out"),
    Item("consent", "Consents signed and in date", Weight.STOP, "Treatment, off-label use"),
    Item("allergies", "Allergies reviewed", Weight.STOP),
    Item("fasting", "Fasting as instructed", Weight.STOP, "6 h solid food, 2 h clear fluids"),
    Item("driver", "Driver named, telephone known", Weight.STOP, "Or a taxi with somebody responsible"),
    Item("medicines", "Medicines since last time reviewed", Weight.STOP, "Benzodiazepine, stimulant, MAOI, opioid"),
    Item("symptoms", "No new symptoms, urinary included", Weight.NOTE, "Frequency, urgency, pain, blood"),
    Item("mood_answer", "Questionnaire done, suicide answer seen", Weight.STOP),
    Item("pregnancy", "Pregnancy ruled out", Weight.STOP, "Where it applies", may_not_apply=True),
    Item("monitor", "Pulse oximetry on, alarms set", Weight.STOP),
    Item("emergency", "Emergency equipment checked", Weight.STOP, "Oxygen, suction, airway"),
    Item("line", "Line in and running", Weight.STOP),
)


@dataclass(frozen=True)
class Standing:
    """How far the checklist is: what is unanswered, what blocks, what was noted."""

    unanswered: tuple[Item, ...]
    blocking: tuple[Item, ...]
    noted: tuple[Item, ...]

    @property
    def left(self) -> int:
        """How many items stand between here and Start."""
        return len(self.unanswered) + len(self.blocking)


def standing(
    answers: Mapping[str, Answer], overridden: frozenset[str] = frozenset(), items: Sequence[Item] = CHECKLIST
) -> Standing:
    """Say how far the checklist is.

    Args:
        answers: Item key to answer; a key that isn't on the list is ignored, so an older list's rows do no harm.
        overridden: Keys of stop items a physician lets pass, each with a reason kept elsewhere.
        items: The clinic's list.
    """
    no = [item for item in items if answers.get(item.key) is Answer.NO]
    # "Not applicable" to an item that always applies is no answer.
    unanswered = [
        item
        for item in items
        if item.key not in answers or (answers[item.key] is Answer.NOT_APPLICABLE and not item.may_not_apply)
    ]
    return Standing(
        unanswered=tuple(unanswered),
        blocking=tuple(item for item in no if item.weight is Weight.STOP and item.key not in overridden),
        noted=tuple(item for item in no if item.weight is Weight.NOTE or item.key in overridden),
    )
