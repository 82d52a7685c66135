"""What is left over: messages whose worker is gone, those that came too late, those that should be there and aren't."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from tracker.models import Attempt, Course, ProviderEvent, Reminder, Visit, WorkerHeartbeat
from tracker.rules.delivery import Event
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import AttemptOutcome, CourseStatus
from tracker.services import delivery, reminders, undelivered
from tracker.services.delivery import HELD, SCHEDULED
from tracker.text import gettext as _

AT_ONCE = 500  # of what is too late; the rest next time
COURSES = 20  # planned again in one transaction
AFTER = timedelta(days=40)  # how long after a visit a message may still be about it


@dataclass(frozen=True, slots=True)
class Swept:
    """How many messages went back to be sent, are uncertain, are too late; the last two are tasks now."""

    back: int
    uncertain: int
    late: int


def waits(session: Session, *, now: datetime) -> bool:
    """Return whether there is anything to do: something due, a worker that is gone, a receipt. Changes nothing."""
    due = select(Reminder.id).where(SCHEDULED, Reminder.send_at <= now).limit(1)
    gone = select(Reminder.id).where(HELD, Reminder.lease_until <= now).limit(1)
    told = select(ProviderEvent.id).where(ProviderEvent.applied_at.is_(None)).limit(1)
    return bool(session.scalar(select(exists(due) | exists(gone) | exists(told))))


def sweep(session: Session, *, now: datetime) -> Swept:
    """Look after messages whose worker is gone, and those that came too late to be of use."""
    over = (HELD, Reminder.lease_until <= now)
    back = delivery.change(session, Event.RELEASE, *over, now=now)
    lost = delivery.change(session, Event.LOSE, *over, now=now, reason=_("The sender stopped in the middle of it."))
    useless = select(Reminder.id).where(SCHEDULED, Reminder.send_at <= now, Reminder.expires_at <= now).limit(AT_ONCE)
    reason = _("It could not go out in time.")
    late = delivery.change(session, Event.EXPIRE, Reminder.id.in_(useless), now=now, reason=reason)
    for row in lost:
        session.execute(
            update(Attempt)
            .where(Attempt.reminder_id == row.id, Attempt.lease_epoch == row.lease_epoch)
            .values(outcome=AttemptOutcome.UNCERTAIN, detail=row.reason, ended_at=now)
        )
    undelivered.ask_each(session, (*lost, *late), now=now)
    return Swept(len(back), len(lost), len(late))


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Say that the worker `name` is alive."""
    session.merge(WorkerHeartbeat(name=name, beat_at=now))


@dataclass(frozen=True, slots=True)
class Proven:
    """What planning some courses again came to. `last` is where to go on; None when all were seen."""

    courses: int
    mended: int  # messages that were missing, at a wrong time, or not called back
    broken: tuple[UUID, ...]  # courses that can't be planned
    last: UUID | None


def prove(session: Session, after: UUID | None, *, now: datetime) -> Proven:
    """Plan the next `COURSES` courses again: whatever a change forgot to plan is made good here.

    Args:
        after: The last course that was seen; None to begin.
    """
    recent = exists().where(Visit.course_id == Course.id, Visit.starts_at > now - AFTER)
    query = select(Course).where((Course.status == CourseStatus.ACTIVE) | recent).order_by(Course.id).limit(COURSES)
    # What somebody is changing just now is planned by whoever changes it.
    query = query.with_for_update(of=Course, key_share=True, skip_locked=True)
    courses = session.scalars(query if after is None else query.where(Course.id > after)).all()
    mended, broken = 0, []
    for course in courses:
        try:
            with session.begin_nested():
                mended += _plan(session, course, now)
        except (OperationalError, InterfaceError):  # the database can't answer: nobody's fault
            raise
        except Exception:  # noqa: BLE001 - whatever it was: a broken course must not keep others from being looked at
            broken.append(course.id)
    return Proven(len(courses), mended, tuple(broken), courses[-1].id if len(courses) == COURSES else None)


def _plan(session: Session, course: Course, now: datetime) -> int:
    visits = session.scalars(select(Visit).where(Visit.course_id == course.id).order_by(Visit.starts_at)).all()
    actor = Actor(course.clinic_id, None, None, "reminders")
    planned = reminders.plan_for_course(session, actor, course, visits, now=now)
    return planned.added + planned.retimed + planned.called_back
