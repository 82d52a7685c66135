"""Follow-up: the tasks a course asks for, and what becomes of each.

Planning is a diff between what there should be (`rules.followup.wanted`) and what there is; doing it twice changes
nothing. It is called in the transaction that books, moves, discharges or ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, or_, select
from sqlalchemy.orm import Session

from tracker.models import (
    Closure,
    Course,
    OpeningHours,
    Patient,
    ProtocolVersion,
    Task,
    UserAccount,
    Visit,
    VisitEvent,
    WeeklyClosure,
)
from tracker.rules import followup
from tracker.rules.followup import Happening, Hours, Wanted
from tracker.rules.permissions import Actor
from tracker.rules.protocol import Protocol
from tracker.rules.vocabulary import CourseStatus, Role, TaskStatus, VisitStatus
from tracker.services import clinic, undelivered

# Kinds that are not a programme's: somebody has to look at an answer, and only a physician settles it.
SAFETY = "safety_answer"
REVIEW = "review"  # a review gate; its visit is the one it comes after

# Every booking and every move runs these, so they are put together once.
_NEW = insert(Task)
_TASKS = select(Task).where(
    Task.course_id == bindparam("course"),
    Task.status != TaskStatus.CANCELLED,
    Task.kind.in_(bindparam("codes", expanding=True)),
)


def plan_for_course(
    session: Session, actor: Actor, course: Course, visits: Sequence[Visit], *, now: datetime, begins: bool = False
) -> list[Wanted]:
    """Write, retime and call off tasks until they are what the course asks for; return what is new.

    Args:
        visits: All visits of the course as they stand in this transaction, cancelled ones too.
        begins: The course was booked in this transaction, so there is nothing yet to compare with.
    """
    session.flush()
    protocol = _protocol(session, course)
    should_be = {task.key: task for task in _wanted(session, actor, course, visits, protocol)}
    there_is = {} if begins else {task.key: task for task in _programme_tasks(session, course, protocol)}
    added = [wanted for key, wanted in should_be.items() if key not in there_is]
    if added:
        session.connection().execute(_NEW, [_row(course, wanted, now) for wanted in added])
    for key, task in there_is.items():
        if task.status is not TaskStatus.OPEN:
            continue
        if key in should_be:
            task.opens_at, task.due_at = should_be[key].opens_at, should_be[key].due_at
        else:
            task.status, task.closed_at = TaskStatus.CANCELLED, now
    session.flush()
    return added


def _protocol(session: Session, course: Course) -> Protocol:
    return session.get_one(ProtocolVersion, course.protocol_id).protocol


def _wanted(
    session: Session, actor: Actor, course: Course, visits: Sequence[Visit], protocol: Protocol
) -> Iterable[Wanted]:
    if course.status is CourseStatus.ENDED:
        return []
    left = _left_at(session, visits)
    since = min((one.starts_at for one in visits), default=course.created_at)
    # Looked up when a day is first asked for: what a patient does by herself needs none.
    known = cache(lambda: open_hours(session, actor, since))
    happenings = [Happening(one.id, one.starts_at, one.status, left.get(one.id)) for one in visits]
    return followup.wanted(
        course.id,
        happenings,
        protocol,
        zone=clinic.info(session, actor.clinic_id).zone,
        hours=lambda day: known()(day),
    )


def _left_at(session: Session, visits: Sequence[Visit]) -> dict[UUID, datetime]:
    given = [visit.id for visit in visits if visit.status is VisitStatus.DISCHARGED]
    if not given:
        return {}
    query = select(VisitEvent.visit_id, func.max(VisitEvent.occurred_at)).where(
        VisitEvent.visit_id.in_(given), VisitEvent.to_status == VisitStatus.DISCHARGED
    )
    return dict(session.execute(query.group_by(VisitEvent.visit_id)).all())


def open_hours(session: Session, actor: Actor, since: datetime) -> Hours:
    """Return the clinic's opening hours by day, from `since` on.

    A closure of the whole clinic that leaves no opening closes the day, whether it is entered once or every week.
    """
    zone = clinic.info(session, actor.clinic_id).zone
    rows = session.scalars(select(OpeningHours).where(OpeningHours.clinic_id == actor.clinic_id))
    week = {row.weekday: (row.starts_minute, row.ends_minute) for row in rows}
    closures = session.execute(
        select(Closure.starts_at, Closure.ends_at).where(
            Closure.clinic_id == actor.clinic_id, Closure.resource_id.is_(None), Closure.ends_at > since
        )
    ).all()
    weekly = session.scalars(
        select(WeeklyClosure).where(WeeklyClosure.clinic_id == actor.clinic_id, WeeklyClosure.resource_id.is_(None))
    ).all()

    def hours(day: date) -> tuple[time, time] | None:
        if day.weekday() not in week:
            return None
        opens, closes = (_clock(minute) for minute in week[day.weekday()])
        first, last = (datetime.combine(day, at, zone) for at in (opens, closes))
        closed = any(starts_at <= first and ends_at >= last for starts_at, ends_at in closures)
        closed = closed or any(_closes(row, day, week[day.weekday()]) for row in weekly)
        return None if closed else (opens, closes)

    return hours


def _closes(row: WeeklyClosure, day: date, hours: tuple[int, int]) -> bool:
    """Return whether a weekly closure leaves nothing of a day's opening."""
    counts = row.first_day <= day and (row.last_day is None or day <= row.last_day)
    return counts and row.weekday == day.weekday() and row.starts_minute <= hours[0] and row.ends_minute >= hours[1]


def _clock(minute: int) -> time:
    return time(23, 59) if minute >= 24 * 60 else time(minute // 60, minute % 60)


def _programme_tasks(session: Session, course: Course, protocol: Protocol) -> list[Task]:
    codes = [step.code for step in protocol.programme]
    return list(session.scalars(_TASKS, {"course": course.id, "codes": codes}))


def _row(course: Course, wanted: Wanted, now: datetime) -> dict[str, Any]:
    return {
        "clinic_id": course.clinic_id,
        "patient_id": course.patient_id,
        "course_id": course.id,
        "visit_id": wanted.visit_id,
        "kind": wanted.code,
        "key": wanted.key,
        "owner_role": wanted.owner,
        "opens_at": wanted.opens_at,
        "due_at": wanted.due_at,
        "created_at": now,
        "version": 1,
    }


@dataclass(frozen=True)
class Ask:
    """A task outside the programme. `key` says what asks for it: asked twice, it is one task."""

    kind: str
    key: str
    owner_role: Role
    due_at: datetime
    detail: str = ""
    urgent: bool = False
    owner_id: UUID | None = None


def ask(session: Session, visit: Visit, wanted: Ask, *, now: datetime) -> Task:
    """Give somebody a task about a visit's patient, unless the same was asked before and not called off."""
    query = select(Task).where(
        Task.clinic_id == visit.clinic_id, Task.key == wanted.key, Task.status != TaskStatus.CANCELLED
    )
    task = session.scalar(query)
    if task is None:
        task = Task(
            clinic_id=visit.clinic_id,
            patient_id=visit.patient_id,
            course_id=visit.course_id,
            visit_id=visit.id,
            kind=wanted.kind,
            key=wanted.key,
            detail=wanted.detail[:200],
            owner_role=wanted.owner_role,
            owner_id=wanted.owner_id,
            urgent=wanted.urgent,
            opens_at=now,
            due_at=wanted.due_at,
            created_at=now,
        )
        session.add(task)
        session.flush()
    return task


def to_replace(visit_id: UUID) -> str:
    """Return the key of the task that says a series lacks a visit: it was cancelled, or the patient wasn't treated."""
    return f"to_replace:{visit_id}"


def call_off(session: Session, key: str, clinic_id: UUID, *, now: datetime) -> None:
    """Call off the open task under `key`, if there is one."""
    query = select(Task).where(Task.clinic_id == clinic_id, Task.key == key, Task.status == TaskStatus.OPEN)
    for task in session.scalars(query):
        task.status, task.closed_at = TaskStatus.CANCELLED, now


@dataclass(frozen=True)
class Entry:
    """One line of the list of what is to do."""

    task: Task
    patient: Patient | None
    visit: Visit | None

    def overdue(self, now: datetime) -> bool:
        """Whether its time is over."""
        return now > self.task.due_at

    @property
    def message_id(self) -> UUID | None:
        """The message that it is about, if it is about one."""
        return undelivered.message_of(self.task)

    def title(self, place: clinic.ClinicInfo, now: datetime) -> str:
        """What is to be done, in a few words."""
        if self.task.kind not in undelivered.KINDS or self.patient is None:
            return followup.say(self.task.kind)
        name = self.patient.preferred_name or self.patient.given_name
        visit_at = self.visit.starts_at if self.visit and self.visit.status is VisitStatus.BOOKED else None
        return undelivered.call(self.task.kind, name, visit_at, place, now=now)


def to_do(
    session: Session, actor: Actor, *, now: datetime, mine: bool = False, ahead: timedelta = timedelta()
) -> list[Entry]:
    """Return what is to do, urgent first, then by when it is due.

    Args:
        mine: Only what I took, and what nobody took and my role owns.
        ahead: Also what opens within this time.
    """
    query = (
        select(Task, Patient, Visit)
        .outerjoin(Patient, Patient.id == Task.patient_id)
        .outerjoin(Visit, Visit.id == Task.visit_id)
        .where(Task.clinic_id == actor.clinic_id, Task.status == TaskStatus.OPEN, Task.opens_at <= now + ahead)
        .order_by(Task.urgent.desc(), Task.due_at, Task.id)
    )
    if mine:
        query = query.where(
            or_(Task.owner_id == actor.user_id, Task.owner_id.is_(None) & (Task.owner_role == actor.role))
        )
    return [Entry(task, patient, visit) for task, patient, visit in session.execute(query)]


def people(session: Session, actor: Actor) -> dict[UUID, str]:
    """Return the names of the clinic's staff by account."""
    rows = session.execute(select(UserAccount.id, UserAccount.name).where(UserAccount.clinic_id == actor.clinic_id))
    return dict(rows.all())


def done_by_itself(session: Session, actor: Actor, task: Task, outcome: str, *, now: datetime) -> None:
    """Close a task because what it asked for was done elsewhere (a questionnaire, a check-in)."""
    task.status, task.outcome, task.closed_at, task.closed_by = TaskStatus.DONE, outcome, now, actor.user_id


def open_tasks(session: Session, course_id: UUID, kind: str, *, opened_by: datetime) -> list[Task]:
    """Return a course's open tasks of a kind that are open at `opened_by`, the oldest first."""
    query = select(Task).where(
        Task.course_id == course_id,
        Task.kind == kind,
        Task.status == TaskStatus.OPEN,
        Task.opens_at <= opened_by,
    )
    return list(session.scalars(query.order_by(Task.due_at)))
