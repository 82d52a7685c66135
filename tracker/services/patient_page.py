"""Everything the patient's page shows, loaded in a handful of queries whatever the history."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager

from tracker.models import (
    Course,
    Dose,
    Note,
    PatientLink,
    ProtocolVersion,
    Resource,
    ScaleResponse,
    Task,
    UserAccount,
    Visit,
    VisitEvent,
    VitalReading,
)
from tracker.rules.delivery import UNSENT
from tracker.rules.permissions import Actor
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import CourseStatus, TaskStatus, VisitStatus
from tracker.services import messages, moving, outcomes, settings
from tracker.services.patient_details import Record, record_of
from tracker.services.visit_record import BASE

# What is shown at once; the lists have their own pages for the rest.
COMING, SENT, CLOSED_TASKS = 3, 6, 4
SOON = timedelta(days=8)  # tasks that open later are only counted


@dataclass(frozen=True)
class VisitLine:
    """One visit as a line of its series; numbers only where they were taken."""

    visit: Visit
    room: str
    mg: Decimal | None  # given, or drawn up
    peak_systolic: int | None
    score: int | None  # PHQ-9 taken for it
    notes: tuple[Note, ...]
    moves: Sequence[VisitEvent]  # how it came to its place


@dataclass(frozen=True)
class Series:
    """One course with its visits in order of time, what its scores come to, and the patient's link to it."""

    course: Course
    lines: list[VisitLine]
    curve: outcomes.Curve
    link: PatientLink | None

    @property
    def planned(self) -> int:
        """How many visits the series is to have: one that was missed is replaced, not counted."""
        visits: int = self.course.protocol.definition["visits"]
        return visits

    @property
    def to_replace(self) -> set[UUID]:
        """The visits that were missed, not treated or cancelled, and have no other one for them yet."""
        held = {line.visit.ordinal for line in self.lines if line.visit.status not in NOT_COUNTED}
        last = {line.visit.ordinal: line.visit.id for line in self.lines}  # the lines are in order of time
        return {visit_id for ordinal, visit_id in last.items() if ordinal not in held}

    @property
    def done(self) -> int:
        """How many were given."""
        return sum(line.visit.status is VisitStatus.DISCHARGED for line in self.lines)


@dataclass(frozen=True)
class PatientPage:
    """A patient, every series (the running one first), and what is going on around them."""

    record: Record
    series: list[Series]
    open_tasks: list[Task]
    closed_tasks: list[Task]
    later: int  # tasks that open after `SOON`
    coming: list[messages.Line]  # the next ones first
    sent: list[messages.Line]  # or not sent, with the reason; the last ones first
    hold_systolic: int  # mmHg from which an infusion is held, for the chart
    names: dict[UUID, str] = field(default_factory=dict)  # of accounts

    @property
    def drawn(self) -> Series | None:
        """The series worth a chart: the first with a curve, else the first with anything to draw."""
        scored = sorted(self.series, key=lambda one: len(one.curve.scores) < 2)
        return next((one for one in scored if one.curve.scores or any(line.mg for line in one.lines)), None)


def load(session: Session, actor: Actor, patient_id: UUID, *, now: datetime) -> PatientPage:
    """Return the page of a patient. NotFound: there is no such patient in this clinic."""
    record = record_of(session, actor, patient_id)
    tasks = select(Task).where(Task.patient_id == patient_id)
    still_open = tasks.where(Task.status == TaskStatus.OPEN).order_by(Task.urgent.desc(), Task.due_at)
    closed = tasks.where(Task.status.in_((TaskStatus.DONE, TaskStatus.SKIPPED))).order_by(Task.closed_at.desc())
    told = sorted(messages.of_patient(session, actor, patient_id, now=now), key=lambda line: line.at)
    coming = [line for line in told if line.status in UNSENT]
    sent = [line for line in reversed(told) if line.status not in UNSENT]
    tasks_open = list(session.scalars(still_open))
    return PatientPage(
        record,
        _series(session, patient_id),
        [task for task in tasks_open if task.opens_at <= now + SOON],
        list(session.scalars(closed.limit(CLOSED_TASKS))),
        sum(task.opens_at > now + SOON for task in tasks_open),
        coming[:COMING],
        sent[:SENT],
        int(settings.of_clinic(session, actor.clinic_id)["vitals.before.systolic_red"]),
        _names(session, actor),
    )


def _names(session: Session, actor: Actor) -> dict[UUID, str]:
    query = select(UserAccount.id, UserAccount.name).where(UserAccount.clinic_id == actor.clinic_id)
    return dict(session.execute(query).all())


def _series(session: Session, patient_id: UUID) -> list[Series]:
    query = select(Course).join(ProtocolVersion).where(Course.patient_id == patient_id)
    query = query.options(contains_eager(Course.protocol)).order_by(Course.created_at.desc())
    courses = list(session.scalars(query))
    lines = _lines(session, patient_id)
    links = _links(session, patient_id)
    found = [
        Series(course, lines[course.id], outcomes.curve(session, course), links.get(course.id)) for course in courses
    ]
    return sorted(found, key=lambda one: one.course.status is not CourseStatus.ACTIVE)


def _lines(session: Session, patient_id: UUID) -> dict[UUID, list[VisitLine]]:
    query = (
        select(Visit, Resource.name, func.coalesce(Dose.given_mg, Dose.mg))
        .join(Resource, Resource.id == Visit.room_id)
        .outerjoin(Dose, Dose.visit_id == Visit.id)
        .where(Visit.patient_id == patient_id)
        .order_by(Visit.starts_at)
    )
    rows = session.execute(query).all()
    ids = [visit.id for visit, _room, _mg in rows]
    peaks, scores, notes = _peaks(session, ids), _scores(session, ids), _notes(session, ids)
    moves = moving.history(session, ids)
    lines = defaultdict(list)
    for visit, room, mg in rows:
        more = (peaks.get(visit.id), scores.get(visit.id), tuple(notes[visit.id]), moves.get(visit.id, ()))
        lines[visit.course_id].append(VisitLine(visit, room, mg, *more))
    return lines


def _peaks(session: Session, visit_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return each infusion's highest systolic pressure since its start, corrected readings left out."""
    corrected = select(VitalReading.corrects_id).where(
        VitalReading.visit_id.in_(visit_ids), VitalReading.corrects_id.is_not(None)
    )
    query = select(VitalReading.visit_id, VitalReading.systolic).where(
        VitalReading.visit_id.in_(visit_ids), VitalReading.due != BASE, VitalReading.id.not_in(corrected)
    )
    peaks: dict[UUID, int] = {}
    for visit_id, systolic in session.execute(query):
        peaks[visit_id] = max(peaks.get(visit_id, 0), systolic or 0)
    return {visit_id: peak for visit_id, peak in peaks.items() if peak}


def _scores(session: Session, visit_ids: Sequence[UUID]) -> dict[UUID | None, int]:
    query = select(ScaleResponse.visit_id, ScaleResponse.total)
    query = query.where(ScaleResponse.visit_id.in_(visit_ids), ScaleResponse.scale == "phq9")
    return dict(session.execute(query.order_by(ScaleResponse.answered_at)).all())


def _notes(session: Session, visit_ids: Sequence[UUID]) -> dict[UUID, list[Note]]:
    notes = defaultdict(list)
    for note in session.scalars(select(Note).where(Note.visit_id.in_(visit_ids)).order_by(Note.created_at)):
        notes[note.visit_id].append(note)
    return notes


def _links(session: Session, patient_id: UUID) -> dict[UUID | None, PatientLink]:
    query = select(PatientLink).where(PatientLink.patient_id == patient_id, PatientLink.revoked_at.is_(None))
    return {link.course_id: link for link in session.scalars(query.order_by(PatientLink.created_at.desc()))}
