"""Planning many series anew after the clinic changed what it sends: in batches, each a transaction of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from tracker.models import Course, Job, ProtocolVersion, Reminder, Visit
from tracker.rules.delivery import UNSENT
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import CourseStatus
from tracker.services import jobs, reminders
from tracker.services.reminders import Planned

KIND = "replan"
AT_ONCE = 50  # series in one transaction: about a second, in which others wait


def start(session: Session, actor: Actor, code: str, *, now: datetime) -> Job:
    """Ask for all series of a protocol to be planned anew. Doing it twice changes nothing."""
    return jobs.start(session, actor, KIND, {"code": code}, total=len(courses(session, actor.clinic_id, code)), now=now)


def last(session: Session, actor: Actor, code: str) -> Job | None:
    """Return the newest job of a protocol."""
    query = select(Job).where(Job.clinic_id == actor.clinic_id, Job.kind == KIND).order_by(Job.created_at.desc())
    return next((job for job in session.scalars(query.limit(50)) if job.args.get("code") == code), None)


def courses(session: Session, clinic_id: UUID, code: str) -> Sequence[UUID]:
    """Return the series of a protocol, any version of it, that may still be told something; in a fixed order."""
    waits = exists().where(Reminder.course_id == Course.id, Reminder.status.in_(UNSENT))
    query = (
        select(Course.id)
        .join(ProtocolVersion, ProtocolVersion.id == Course.protocol_id)
        .where(
            Course.clinic_id == clinic_id,
            ProtocolVersion.code == code,
            or_(Course.status == CourseStatus.ACTIVE, waits),
        )
    )
    return session.scalars(query.order_by(Course.id)).all()


def courses_of(session: Session, patient_id: UUID) -> Sequence[UUID]:
    """Return a patient's series of which something waits to be told; in a fixed order."""
    waits = exists().where(Reminder.course_id == Course.id, Reminder.status.in_(UNSENT))
    return session.scalars(select(Course.id).where(Course.patient_id == patient_id, waits).order_by(Course.id)).all()


def plan(session: Session, actor: Actor, course_ids: Sequence[UUID], *, now: datetime) -> Planned:
    """Plan some series anew; return what became another."""
    return sum((_plan(session, actor, course_id, now) for course_id in course_ids), Planned())


def _plan(session: Session, actor: Actor, course_id: UUID, now: datetime) -> Planned:
    # The lock of whoever moves or cancels a visit of it.
    course = session.scalars(select(Course).where(Course.id == course_id).with_for_update(key_share=True)).one()
    visits = session.scalars(select(Visit).where(Visit.course_id == course_id).order_by(Visit.starts_at)).all()
    return reminders.plan_for_course(session, actor, course, visits, now=now)


def as_data(done: Planned, count: int) -> dict[str, Any]:
    """Return what a job found, for its row."""
    return {"courses": count, "added": done.added, "retimed": done.retimed, "called_back": done.called_back}
