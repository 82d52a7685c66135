"""What a nurse notes at the chair: checklist, vital signs, side effects; when it was, and when it was entered."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from tracker.errors import Invalid, Refused, Stale
from tracker.models import ChecklistAnswer, SideEffect, VitalReading, new_id
from tracker.rules import adverse_events, timeout, vitals
from tracker.rules.fields import ClockTime, Command, Line, Number, Tick
from tracker.rules.permissions import Actor
from tracker.rules.vitals import POSSIBLE, Finding, Sign
from tracker.rules.vocabulary import Role, Severity, SideEffectAction, VisitStatus
from tracker.services import bedside, clinic, followup, visit_record
from tracker.services.followup import Ask
from tracker.services.visit_record import BASE, EXTRA, VisitRecord, note_down, person
from tracker.text import gettext as _

SAME_DAY = timedelta(hours=4)
HERE = frozenset(VisitStatus) - {
    VisitStatus.BOOKED,
    VisitStatus.NO_SHOW,
    VisitStatus.CANCELLED,
}


class AnswerItem(Command):
    """One answer on the pre-infusion checklist."""

    item: Line
    answer: timeout.Answer
    note: Line | None = None


class AnswerItems(Command):
    """The items ticked on the whole list, sent at once; those not ticked are left as they were."""

    ticked: frozenset[str] = frozenset()


def answer_item(session: Session, actor: Actor, visit_id: UUID, command: AnswerItem, *, now: datetime) -> None:
    """Keep one answer; an earlier one to the same item is replaced (the audit has both)."""
    record = _here(session, actor, visit_id, now)
    _answer(session, actor, record, command, now)
    note_down(session, actor, record, f"checklist {command.item} {command.answer}", now=now)


def answer_items(session: Session, actor: Actor, visit_id: UUID, command: AnswerItems, *, now: datetime) -> None:
    """Keep a "yes" for each item that was ticked."""
    record = _here(session, actor, visit_id, now)
    for key in sorted(command.ticked):
        _answer(session, actor, record, AnswerItem(item=key, answer=timeout.Answer.YES), now)
    note_down(session, actor, record, f"checklist {', '.join(sorted(command.ticked))}"[:200], now=now)


def _answer(session: Session, actor: Actor, record: VisitRecord, command: AnswerItem, now: datetime) -> None:
    if record.visit.status not in {VisitStatus.ARRIVED, VisitStatus.TIME_OUT}:
        raise Refused(_("The checklist is answered between arrival and start."))
    item = next((item for item in timeout.CHECKLIST if item.key == command.item), None)
    if item is None:
        raise Invalid({"item": _("There is no such item.")})
    if command.answer is timeout.Answer.NOT_APPLICABLE and not item.may_not_apply:
        raise Invalid({"answer": _("This always applies: answer yes or no.")})
    row = record.answers.get(item.key) or ChecklistAnswer(
        id=new_id(), clinic_id=record.visit.clinic_id, visit_id=record.visit.id, item=item.key
    )
    row.answer, row.note = command.answer.value, command.note or ""
    row.entered_at, row.entered_by = now, person(actor)
    session.add(row)


def _in(sign: Sign) -> object:
    low, high = POSSIBLE[sign]
    return Field(ge=low, le=high)


class TakeVitals(Command):
    """One set of vital signs, or a part of one. `due` names the planned set; `corrects` the reading it replaces."""

    systolic: Annotated[Number, _in(Sign.SYSTOLIC)] | None = None
    diastolic: Annotated[Number, _in(Sign.DIASTOLIC)] | None = None
    heart_rate: Annotated[Number, _in(Sign.HEART_RATE)] | None = None
    spo2: Annotated[Number, _in(Sign.SPO2)] | None = None
    respiratory_rate: Annotated[Number, _in(Sign.RESPIRATORY_RATE)] | None = None
    moaas: Annotated[Number, _in(Sign.MOAAS)] | None = None
    due: Line = EXTRA
    taken_at: ClockTime | None = None
    corrects: UUID | None = None


def take_vitals(
    session: Session, actor: Actor, visit_id: UUID, command: TakeVitals, *, now: datetime
) -> tuple[VitalReading, list[Finding]]:
    """Keep a set of vital signs; return it with the rules it meets.

    Raises:
        Invalid: Nothing was measured, or a pressure is not one.
        Refused: The patient isn't here, or the planned set does not exist.
    """
    _plausible(command)
    record = _here(session, actor, visit_id, now)
    old = next((reading for reading in record.readings if reading.id == command.corrects), None)
    if command.corrects and old is None:
        raise Refused(_("That reading was corrected already."), field="corrects")
    values = {sign.value: getattr(command, sign) for sign in Sign}
    row = VitalReading(
        id=new_id(),
        clinic_id=record.visit.clinic_id,
        visit_id=visit_id,
        due=old.due if old else _due(record, command, now),
        occurred_at=_taken_at(record, command, old, now),
        entered_at=now,
        entered_by=person(actor),
        corrects_id=command.corrects,
        **values,
    )
    session.add(row)
    note_down(session, actor, record, "vital signs", now=now)
    baseline = None if row.due == BASE else record.baseline
    return row, vitals.findings(visit_record.reading(row), baseline, record.settings)


def _plausible(command: TakeVitals) -> None:
    if all(getattr(command, sign) is None for sign in Sign):
        raise Invalid({"systolic": _("Enter at least one number.")})
    if (command.systolic is None) != (command.diastolic is None):
        missing = Sign.SYSTOLIC if command.systolic is None else Sign.DIASTOLIC
        raise Invalid({missing.value: _("A blood pressure has two numbers.")})
    if command.systolic is not None and command.diastolic is not None and command.systolic <= command.diastolic:
        raise Invalid({"diastolic": _("Diastolic is the lower number.")})


def _due(record: VisitRecord, command: TakeVitals, now: datetime) -> str:
    """Before the start there is one set; after it, whichever the nurse had before her, if it exists."""
    if record.started_at is None:
        return BASE
    planned = {str(column.minute) for column in record.columns(now) if column.minute is not None}
    if command.due not in planned | {EXTRA}:
        raise Refused(_("There is no such set."), field="due")
    return command.due


def _taken_at(record: VisitRecord, command: TakeVitals, old: VitalReading | None, now: datetime) -> datetime:
    """A correction was taken when what it corrects was, unless it says otherwise."""
    if old and command.taken_at is None:
        return old.occurred_at
    arrived = record.reached(VisitStatus.ARRIVED)
    return bedside.when(record, command.taken_at, now=now, first=arrived, field="taken_at")


class ReportEffect(Command):
    """One side effect: what, how strong, since when, what was done, and until when."""

    term: Line
    severity: Severity
    onset: ClockTime | None = None
    action: SideEffectAction = SideEffectAction.NONE
    action_detail: Line | None = None


def report_effect(
    session: Session, actor: Actor, visit_id: UUID, command: ReportEffect, *, now: datetime
) -> SideEffect:
    """Keep a side effect; a severe one becomes a physician's task for the same day.

    Raises:
        Invalid: No such term.
        Refused: The patient isn't here, or the time can't be.
    """
    if command.term not in adverse_events.TERMS:
        raise Invalid({"term": _("There is no such side effect.")})
    record = _here(session, actor, visit_id, now)
    effect = SideEffect(
        id=new_id(),
        clinic_id=record.visit.clinic_id,
        visit_id=visit_id,
        term=command.term,
        severity=command.severity,
        onset_at=bedside.when(record, command.onset, now=now, first=record.reached(VisitStatus.ARRIVED), field="onset"),
        action=command.action,
        action_detail=command.action_detail or "",
        entered_at=now,
        entered_by=person(actor),
    )
    session.add(effect)
    session.flush()
    _call_clinician(session, record, effect, now)
    note_down(session, actor, record, "side effect", now=now)
    return effect


class UpdateEffect(Command):
    """What became of a side effect."""

    version: Number
    severity: Severity
    action: SideEffectAction
    action_detail: Line | None = None
    resolved: ClockTime | None = None
    resolved_now: Tick = False


def update_effect(
    session: Session, actor: Actor, effect_id: UUID, command: UpdateEffect, *, now: datetime
) -> SideEffect:
    """Note how a side effect went on.

    Raises:
        Stale: Somebody changed it since the form was opened.
        Refused: It can't have ended before it began.
    """
    effect = clinic.get(session, actor, SideEffect, effect_id, lock=True)
    if effect.version != command.version:
        raise Stale(_("Somebody changed this side effect meanwhile."))
    record = visit_record.load(session, actor, effect.visit_id, now=now)
    effect.severity, effect.action = command.severity, command.action
    effect.action_detail = command.action_detail or effect.action_detail
    if command.resolved or command.resolved_now:
        effect.resolved_at = bedside.when(record, command.resolved, now=now, first=effect.onset_at, field="resolved")
    session.flush()
    _call_clinician(session, record, effect, now)
    note_down(session, actor, record, "side effect changed", now=now)
    return effect


def _call_clinician(session: Session, record: VisitRecord, effect: SideEffect, now: datetime) -> None:
    if not adverse_events.needs_clinician(effect.term, effect.severity):
        return
    label = adverse_events.TERMS[effect.term].label
    wanted = Ask("severe_effect", f"severe_effect:{effect.id}", Role.PHYSICIAN, now + SAME_DAY, label, urgent=True)
    followup.ask(session, record.visit, wanted, now=now)


def _here(session: Session, actor: Actor, visit_id: UUID, now: datetime) -> VisitRecord:
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    if record.visit.status not in HERE:
        raise Refused(_("The patient isn't here: note the arrival first."))
    return record
