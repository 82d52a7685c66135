"""Everything that is known of one visit, loaded at once: what the bedside page shows and what the gates look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from tracker.errors import Refused
from tracker.models import (
    Allergy,
    ChecklistAnswer,
    Course,
    Dose,
    InfusionOrder,
    Note,
    Patient,
    RecoveryNote,
    Resource,
    SideEffect,
    Task,
    Visit,
    VisitEvent,
    VitalReading,
)
from tracker.rules import dosing, timeout, vitals
from tracker.rules import visit as story
from tracker.rules.dosing import Run
from tracker.rules.permissions import Actor
from tracker.rules.protocol import Protocol
from tracker.rules.settings import Settings
from tracker.rules.visit import Step
from tracker.rules.vitals import PlannedSet, Reading
from tracker.rules.vocabulary import VisitStatus
from tracker.services import audit, clinic, followup, outcomes, settings
from tracker.text import gettext as _

BASE = "base"
EXTRA = "extra"
OVERRIDE = "override"
# How far ahead the grid shows planned sets.
AHEAD = timedelta(minutes=15)


@dataclass(frozen=True)
class VisitRecord:
    """One visit with what belongs to it, as it stood when it was loaded."""

    visit: Visit
    course: Course
    patient: Patient
    protocol: Protocol
    clinic: clinic.ClinicInfo
    settings: Settings
    room: str
    nurse: str
    physician: str
    allergies: tuple[str, ...]
    order: InfusionOrder | None
    dose: Dose | None
    last_dose: Dose | None
    answers: Mapping[str, ChecklistAnswer]
    events: tuple[VisitEvent, ...]
    readings: tuple[VitalReading, ...]  # those that count, as they were taken
    effects: tuple[SideEffect, ...]
    notes: tuple[Note, ...]
    recovery_notes: tuple[RecoveryNote, ...]
    alerts: tuple[Task, ...]  # answers about suicide that nobody has settled
    reviews: tuple[Task, ...]  # decisions on how to go on that nobody has made
    people: Mapping[UUID, str]  # account to name

    @cached_property
    def steps(self) -> list[Step]:
        """The statuses this visit went through, corrections taken into account."""
        return story.story((event.kind, event.to_status, event.occurred_at) for event in self.events)

    def reached(self, status: VisitStatus) -> datetime | None:
        """When the visit first reached `status`; None if it didn't."""
        return next((step.at for step in self.steps if step.status is status), None)

    @property
    def started_at(self) -> datetime | None:
        """When the infusion started."""
        return self.reached(VisitStatus.INFUSING)

    @property
    def ended_at(self) -> datetime | None:
        """When the infusion ended, as planned or early."""
        return self.reached(VisitStatus.RECOVERING)

    @property
    def minutes(self) -> int:
        """How long the infusion is to run, in minutes: as drawn up, else as ordered, else as the protocol says."""
        if self.dose:
            return self.dose.minutes
        if self.order:
            return self.order.minutes
        return next((phase.minutes for phase in self.protocol.phases if phase.name == "infusion"), 40)

    @cached_property
    def runs(self) -> list[Run]:
        """The stretches in which the pump ran."""
        # Without steps there is still a None; hence not strict.
        pairs = zip(self.steps, [*(step.at for step in self.steps[1:]), None], strict=False)
        return [Run(step.at, until) for step, until in pairs if step.status is VisitStatus.INFUSING]

    def run_for(self, now: datetime) -> timedelta:
        """How long the pump has run, pauses left out."""
        return dosing.elapsed(self.runs, now)

    def ends_at(self, now: datetime) -> datetime:
        """When the infusion will end if it runs on from `now`."""
        return now + max(timedelta(), timedelta(minutes=self.minutes) - self.run_for(now))

    def given_mg(self, now: datetime) -> Decimal | None:
        """Milligrams given so far, to one decimal; what was written down at the end counts."""
        if self.dose is None:
            return None
        if self.dose.given_mg is not None:
            return self.dose.given_mg
        return dosing.label(dosing.given_mg(self.dose.mg, self.dose.minutes, self.runs, now), 1)

    @property
    def rate_ml_h(self) -> Decimal | None:
        """mL an hour at the pump, to one decimal."""
        if self.dose is None:
            return None
        volume = self.dose.volume_ml or self.dose.ml
        return dosing.label(Fraction(volume) * 60 / self.dose.minutes, 1)

    def minute(self, at: datetime) -> int | None:
        """Whole minutes from the start of the infusion to `at`; None before it started."""
        return None if self.started_at is None else int((at - self.started_at).total_seconds() // 60)

    @cached_property
    def sets(self) -> dict[str, Reading]:
        """What was measured, by planned set: "base", minutes, "extra"."""
        by_set: dict[str, list[Reading]] = {}
        for row in self.readings:
            by_set.setdefault(row.due, []).append(reading(row))
        return {due: vitals.merged(readings) for due, readings in by_set.items()}

    @property
    def baseline(self) -> Reading | None:
        """The set before the infusion."""
        return self.sets.get(BASE)

    @property
    def last_reading(self) -> Reading | None:
        """The latest reading since the infusion ended."""
        since = [row for row in self.readings if self.ended_at and row.occurred_at >= self.ended_at]
        return reading(since[-1]) if since else None

    def columns(self, now: datetime) -> list[PlannedSet]:
        """Return the columns of the grid with where each stands."""
        at = self.minute(self._watched_until(now))
        until = max(self.minutes + 30, (at or 0) + int(AHEAD.total_seconds() // 60))
        planned = vitals.planned_minutes(self.minutes, until, self.settings)
        filled = {int(due) for due, taken in self.sets.items() if due.isdigit() and not vitals.lacks(taken)}
        base = self.baseline
        taken = base is not None and not vitals.lacks(base)
        return vitals.sets(filled, at, planned, self.settings, baseline_taken=taken)

    @property
    def _over(self) -> bool:
        return self.visit.status in story.OVER

    def _watched_until(self, now: datetime) -> datetime:
        """Sets stop being due when the patient leaves."""
        return self.steps[-1].at if self._over and self.steps else now

    @property
    def overridden(self) -> frozenset[str]:
        """Keys of checklist items (and "baseline") that a physician let pass."""
        return frozenset(event.detail.partition(":")[0] for event in self.events if event.kind == OVERRIDE)

    @property
    def checklist(self) -> timeout.Standing:
        """How far the checklist is."""
        answers = {key: timeout.Answer(row.answer) for key, row in self.answers.items()}
        return timeout.standing(answers, self.overridden)


def reading(row: VitalReading) -> Reading:
    """Return a stored row as the rules know it."""
    return Reading(row.systolic, row.diastolic, row.heart_rate, row.spo2, row.respiratory_rate, row.moaas)


def load(session: Session, actor: Actor, visit_id: UUID, *, now: datetime, lock: bool = False) -> VisitRecord:
    """Load everything about a visit; `lock` keeps others from moving it, or any of its series, meanwhile.

    Raises:
        NotFound: No such visit in this clinic.
    """
    options = (joinedload(Visit.course).joinedload(Course.protocol), joinedload(Visit.patient))
    if lock:
        clinic.lock_course(session, actor, visit_id)
    visit = clinic.get(session, actor, Visit, visit_id, *options, lock=lock)
    place = clinic.info(session, actor.clinic_id)
    events = session.scalars(
        select(VisitEvent).where(VisitEvent.visit_id == visit.id).order_by(VisitEvent.entered_at, VisitEvent.id)
    ).all()
    names = _names(session, visit)
    return VisitRecord(
        visit=visit,
        course=visit.course,
        patient=visit.patient,
        protocol=Protocol.from_data(visit.course.protocol.definition),
        clinic=place,
        settings=settings.of_clinic(session, actor.clinic_id),
        room=names[visit.room_id],
        nurse=names[visit.nurse_id],
        physician=names[visit.physician_id],
        allergies=_allergies(session, visit.patient_id),
        order=current_order(session, visit, now.astimezone(place.zone).date()),
        dose=session.get(Dose, visit.id),
        last_dose=_last_dose(session, visit),
        answers={row.item: row for row in _rows(session, ChecklistAnswer, visit, ChecklistAnswer.entered_at)},
        events=tuple(events),
        readings=_counted(_rows(session, VitalReading, visit, VitalReading.occurred_at)),
        effects=tuple(_rows(session, SideEffect, visit, SideEffect.onset_at)),
        notes=tuple(_rows(session, Note, visit, Note.created_at)),
        recovery_notes=tuple(_rows(session, RecoveryNote, visit, RecoveryNote.occurred_at)),
        alerts=tuple(outcomes.open_alerts(session, visit.patient_id)),
        reviews=tuple(followup.open_tasks(session, visit.course_id, followup.REVIEW, opened_by=now)),
        people=followup.people(session, actor),
    )


def _rows(session: Session, model: Any, visit: Visit, order: Any) -> list[Any]:
    return list(session.scalars(select(model).where(model.visit_id == visit.id).order_by(order, model.id)))


def _counted(rows: list[VitalReading]) -> tuple[VitalReading, ...]:
    replaced = {row.corrects_id for row in rows}
    return tuple(row for row in rows if row.id not in replaced)


def _names(session: Session, visit: Visit) -> dict[UUID, str]:
    ids = (visit.room_id, visit.nurse_id, visit.physician_id)
    return {row.id: row.name for row in session.scalars(select(Resource).where(Resource.id.in_(ids)))}


def _allergies(session: Session, patient_id: UUID) -> tuple[str, ...]:
    query = select(Allergy.substance).where(Allergy.patient_id == patient_id, Allergy.ended_at.is_(None))
    return tuple(session.scalars(query.order_by(Allergy.substance)))


def current_order(session: Session, visit: Visit, today: date) -> InfusionOrder | None:
    """Return the latest signed order that covers this visit and hasn't expired on `today`."""
    query = select(InfusionOrder).where(
        InfusionOrder.course_id == visit.course_id,
        or_(InfusionOrder.visit_id == visit.id, InfusionOrder.visit_id.is_(None)),
        InfusionOrder.expires_on >= today,
    )
    return session.scalars(query.order_by(InfusionOrder.signed_at.desc(), InfusionOrder.id).limit(1)).first()


def _last_dose(session: Session, visit: Visit) -> Dose | None:
    query = (
        select(Dose)
        .join(Visit, Visit.id == Dose.visit_id)
        .where(Visit.patient_id == visit.patient_id, Visit.starts_at < visit.starts_at, Dose.given_mg.is_not(None))
    )
    return session.scalars(query.order_by(Visit.starts_at.desc()).limit(1)).first()


def note_down(session: Session, actor: Actor, record: VisitRecord, action: str, *, now: datetime) -> None:
    """Write what was done to a visit into the audit: the last thing a service does."""
    session.flush()
    subject = f"visit {record.visit.id}"
    audit.record(session, actor, action[:200], patient_id=record.patient.id, subject=subject, now=now)


def person(actor: Actor) -> UUID:
    """Return the account of a staff member. Refused: a patient, or the worker."""
    if actor.user_id is None:
        raise Refused(_("This is for staff to do."))
    return actor.user_id
