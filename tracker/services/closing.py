"""A day is lost in the night: whoever is booked is told at once, and whoever isn't known to be reached is called.

Planning comes later, when somebody is at a desk: until then the visits keep their place, marked as lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from tracker.errors import NotFound, Refused
from tracker.models import Closure, ContactPoint, Course, Patient, Reminder, Task, Visit
from tracker.rules.cadence import CLOSED_WITHIN, Purpose
from tracker.rules.fields import ComingDay, Command, Line
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ContactChannel, ReminderStatus, Role, TaskStatus, VisitStatus
from tracker.services import addresses, audit, capacity, clinic, followup, reminders
from tracker.services.clinic import ClinicInfo
from tracker.text import STAFF, speaking
from tracker.text import gettext as _

KIND = "closed_call"


class CloseDay(Command):
    """Which day falls out, for everybody; today means from now on."""

    day: ComingDay
    reason: Line | None = None


@dataclass(frozen=True)
class Called:
    """Somebody who is booked on a day that fell out: how to reach her, and whether she is known to be reached."""

    visit: Visit
    patient: Patient
    phones: Sequence[str]
    told: ReminderStatus | None  # of the message; None: none was written
    task: Task | None

    @property
    def reached(self) -> bool:
        """Whether she is known to have heard of it."""
        return self.task is not None and self.task.status is not TaskStatus.OPEN


def booked_on(session: Session, actor: Actor, day: date, *, now: datetime) -> list[Visit]:
    """Return the visits of a day that haven't begun, with their patients."""
    first, last = _bounds(clinic.info(session, actor.clinic_id), day)
    query = (
        select(Visit)
        .where(
            Visit.clinic_id == actor.clinic_id,
            Visit.status == VisitStatus.BOOKED,
            Visit.starts_at >= first,
            Visit.starts_at < last,
            Visit.ends_at > now,
        )
        .options(joinedload(Visit.patient))
        .order_by(Visit.starts_at, Visit.id)
    )
    return list(session.scalars(query))


def _bounds(place: ClinicInfo, day: date) -> tuple[datetime, datetime]:
    return datetime.combine(day, time(), place.zone), datetime.combine(day + timedelta(days=1), time(), place.zone)


def close(session: Session, actor: Actor, wanted: CloseDay, *, now: datetime) -> int:
    """Close a day and tell everybody who is booked; return how many. Told once, however often it is asked.

    Raises:
        Refused: Nobody is booked any more on that day, or everybody was told.
    """
    place = clinic.info(session, actor.clinic_id)
    capacity.lock(session, place)  # whoever books or moves now does so before us, or finds the day closed
    courses = {visit.course_id for visit in booked_on(session, actor, wanted.day, now=now)}
    session.execute(select(Course.id).where(Course.id.in_(courses)).order_by(Course.id).with_for_update(key_share=True))
    session.expire_all()  # others may have cancelled while we waited
    visits = [visit for visit in booked_on(session, actor, wanted.day, now=now) if visit.lost_at is None]
    if not visits:
        raise Refused(_("Nobody is booked on that day who was not told already."))
    _shut(session, place, wanted, now)
    for visit in visits:
        visit.lost_at, visit.confirmed_at = now, None
    session.flush()
    for visit in visits:
        _tell(session, actor, visit, now)
    subject = f"{wanted.day.isoformat()}: {len(visits)}"
    audit.record(session, actor, "close day", subject=subject, now=now)
    return len(visits)


def _shut(session: Session, place: ClinicInfo, wanted: CloseDay, now: datetime) -> None:
    first, last = _bounds(place, wanted.day)
    known = select(Closure.id).where(
        Closure.clinic_id == place.id,
        Closure.resource_id.is_(None),
        Closure.starts_at <= max(first, now),
        Closure.ends_at >= last,
    )
    if session.scalar(known.limit(1)) is None:
        reason = wanted.reason or _("Closed")
        session.add(Closure(clinic_id=place.id, starts_at=max(first, now), ends_at=last, reason=reason))


def _tell(session: Session, actor: Actor, visit: Visit, now: datetime) -> None:
    """Write the message, call back what would say "come tomorrow", and ask for a call should it not be read."""
    course = session.get_one(Course, visit.course_id)
    visits = session.scalars(select(Visit).where(Visit.course_id == course.id).order_by(Visit.starts_at)).all()
    reminders.plan_for_course(session, actor, course, visits, now=now)
    reminders.tell_closed(session, visit, now=now)
    reached = addresses.reach(addresses.of_patient(session, visit.patient_id))
    task = followup.ask(
        session,
        visit,
        followup.Ask(
            kind=KIND,
            key=_key(visit),
            owner_role=Role.COORDINATOR,
            due_at=min(visit.starts_at, now + 2 * CLOSED_WITHIN),
            detail=_("Closed: do not come"),
            urgent=True,
        ),
        now=now,
    )
    # Nobody is called while the message may still be read; who has no address is called at once.
    task.opens_at = now + CLOSED_WITHIN if reached.email or reached.sms else now
    session.flush()


def _key(visit: Visit) -> str:
    return f"{KIND}:{visit.id}:{visit.starts_at.isoformat()}"


def call_list(session: Session, actor: Actor, day: date) -> list[Called]:
    """Return everybody who was told of a closed day, those not known to be reached first."""
    first, last = _bounds(clinic.info(session, actor.clinic_id), day)
    query = (
        select(Task, Visit)
        .join(Visit, Visit.id == Task.visit_id)
        .where(Task.clinic_id == actor.clinic_id, Task.kind == KIND, Task.status != TaskStatus.CANCELLED)
        .options(joinedload(Visit.patient))
    )
    rows = [(task, visit) for task, visit in session.execute(query) if first <= _of_task(task) < last]
    phones = _phones(session, [visit.patient_id for _task, visit in rows])
    told = _told(session, [visit.id for _task, visit in rows])
    found = [
        Called(visit, visit.patient, phones.get(visit.patient_id, []), told.get((visit.id, _of_task(task))), task)
        for task, visit in rows
    ]
    return sorted(found, key=lambda one: (one.reached, one.visit.starts_at, one.patient.family_name))


def _of_task(task: Task) -> datetime:
    """Return the start that a call speaks of; the visit may stand elsewhere by now."""
    return datetime.fromisoformat(task.key.split(":", 2)[2])


def _phones(session: Session, patient_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    query = select(ContactPoint).where(
        ContactPoint.patient_id.in_(patient_ids),
        ContactPoint.channel == ContactChannel.PHONE,
        ContactPoint.ended_at.is_(None),
    )
    found: dict[UUID, list[str]] = {}
    for point in session.scalars(query.order_by(ContactPoint.position)):
        found.setdefault(point.patient_id, []).append(point.address)
    return found


def _told(session: Session, visit_ids: Sequence[UUID]) -> dict[tuple[UUID, datetime], ReminderStatus]:
    query = select(Reminder).where(Reminder.visit_id.in_(visit_ids), Reminder.purpose == Purpose.CLOSED)
    return {(row.subject_id, row.subject_at): row.status for row in session.scalars(query)}


def reached(session: Session, actor: Actor, task_id: UUID, *, now: datetime) -> date:
    """Note that somebody on the call list was reached by telephone; return the closed day. Twice is as good as once.

    Raises:
        NotFound: There is no such call in this clinic.
    """
    task = clinic.get(session, actor, Task, task_id, lock=True)
    if task.kind != KIND:
        raise NotFound(_("There is nothing here, or it isn't yours to see."))
    if task.status is TaskStatus.OPEN:
        followup.done_by_itself(session, actor, task, _("Reached by telephone"), now=now)
        session.flush()
        audit.record(session, actor, "task done", patient_id=task.patient_id, subject=f"task {task.id}", now=now)
    return _of_task(task).astimezone(clinic.info(session, actor.clinic_id).zone).date()


def unread(session: Session, course_id: UUID) -> set[UUID]:
    """Return the visits of a course whose patient isn't known to have heard that they fell out."""
    query = select(Task.visit_id).where(
        Task.course_id == course_id, Task.kind == KIND, Task.status == TaskStatus.OPEN, Task.visit_id.is_not(None)
    )
    return set(session.scalars(query))


def read_by_patient(session: Session, actor: Actor, visit: Visit, *, now: datetime) -> None:
    """Note that a patient has read that the day fell out: nobody needs to call."""
    query = select(Task).where(Task.visit_id == visit.id, Task.kind == KIND, Task.status == TaskStatus.OPEN)
    with speaking(STAFF):
        read = _("The patient has read the message")
    for task in session.scalars(query.with_for_update()):
        followup.done_by_itself(session, actor, task, read, now=now)
    session.flush()
    audit.record(
        session,
        actor,
        "patient: read that we are closed",
        patient_id=visit.patient_id,
        subject=f"visit {visit.id}",
        now=now,
    )
