"""The staff's list of the day by e-mail: counts and initials, to whoever has something to do, once on each open day."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from tracker.interop.mail import Due
from tracker.models import Clinic, Patient, Reminder, Task, UserAccount
from tracker.rules.cadence import Purpose, at_clock
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderStatus, TaskStatus
from tracker.services import followup, settings

USEFUL_FOR = timedelta(hours=6)  # in the afternoon the list itself says more


def hour(session: Session, clinic: Clinic, *, now: datetime) -> datetime | None:
    """Return since when today's lists are to go out; None if they aren't (yet, any more, or not on this day)."""
    day = now.astimezone(clinic.zone).date()
    send_at = at_clock(day, settings.of_clinic(session, clinic.id).clock("digest.at"), clinic.zone)
    if not send_at <= now < send_at + USEFUL_FOR:
        return None
    actor = Actor(clinic.id, None, None, "digest")
    return send_at if followup.open_hours(session, actor, now - timedelta(days=1))(day) else None


def plan(session: Session, clinic: Clinic, send_at: datetime, *, now: datetime) -> int:
    """Write the lists of a clinic for everybody who has something to do today; return how many. Call it once a day."""
    wants = UserAccount.disabled_at.is_(None), UserAccount.no_digest_at.is_(None)
    users = session.scalars(select(UserAccount).where(UserAccount.clinic_id == clinic.id, *wants)).all()
    found = due_of(session, users, clinic.zone, now=now)
    session.add_all(_row(clinic, user_id, send_at, now) for user_id in found)
    session.flush()
    return len(found)


def _row(clinic: Clinic, user_id: UUID, send_at: datetime, now: datetime) -> Reminder:
    return Reminder(
        clinic_id=clinic.id,
        user_id=user_id,
        subject_id=user_id,
        subject_at=send_at,
        purpose=Purpose.DIGEST,
        send_at=send_at,
        expires_at=send_at + USEFUL_FOR,
        status=ReminderStatus.SCHEDULED,
        created_at=now,
        changed_at=now,
    )


def due_of(session: Session, users: Collection[UserAccount], zone: ZoneInfo, *, now: datetime) -> dict[UUID, Due]:
    """Return what each of these has to do today; whoever has nothing isn't in it."""
    midnight = at_clock(now.astimezone(zone).date() + timedelta(days=1), datetime.min.time(), zone)
    found = {user.id: _due(_tasks(session, user, midnight), user, now) for user in users}
    return {user_id: due for user_id, due in found.items() if due.mine or due.others}


def _tasks(session: Session, user: UserAccount, until: datetime) -> Iterable[tuple[Task, str | None, str | None]]:
    anybodys = and_(Task.owner_id.is_(None), Task.owner_role == user.role)
    query = (
        select(Task, Patient.given_name, Patient.family_name)
        .outerjoin(Patient, Patient.id == Task.patient_id)
        .where(
            Task.clinic_id == user.clinic_id,
            Task.status == TaskStatus.OPEN,
            Task.opens_at < until,
            or_(Task.owner_id == user.id, anybodys),
        )
        .order_by(Task.urgent.desc(), Task.due_at, Task.id)
    )
    return [(task, given, family) for task, given, family in session.execute(query)]


def _due(rows: Iterable[tuple[Task, str | None, str | None]], user: UserAccount, now: datetime) -> Due:
    tasks = [task for task, _given, _family in rows]
    names = [f"{given[0]}.{family[0]}." for _task, given, family in rows if given and family]
    return Due(
        mine=sum(task.owner_id == user.id for task in tasks),
        others=sum(task.owner_id is None for task in tasks),
        overdue=sum(task.due_at < now for task in tasks),
        urgent=sum(task.urgent for task in tasks),
        initials=tuple(dict.fromkeys(names)),
    )
