"""Work that a worker takes up: started by a page, done once, with progress, stopped when asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from tracker.models import Job
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import JobStatus
from tracker.services import audit, clinic

LEASE = timedelta(seconds=60)  # whose worker is silent for that long is taken up again


@dataclass
class Held:
    """A job in the hands of one worker. Who comes back after its lease finds another `until` and changes nothing."""

    id: UUID
    clinic_id: UUID
    kind: str
    args: dict[str, Any]
    until: datetime


def start(session: Session, actor: Actor, kind: str, args: dict[str, Any], *, total: int, now: datetime) -> Job:
    """Ask for a piece of work; `total` is how many steps it has."""
    job = Job(
        clinic_id=actor.clinic_id,
        kind=kind,
        args=args,
        status=JobStatus.WAITING,
        total=total,
        created_at=now,
        created_by=actor.user_id,
    )
    session.add(job)
    session.flush()
    audit.record(session, actor, f"start {kind}", subject=f"job {job.id}", now=now)
    return job


def ask_to_stop(session: Session, actor: Actor, job_id: UUID, *, now: datetime) -> None:
    """Ask for a job to end with what it has found so far; one that nobody took up yet ends at once."""
    job = clinic.get(session, actor, Job, job_id, lock=True)
    if job.ended_at is None:
        job.cancel_asked = True
        if job.status is JobStatus.WAITING:
            job.status, job.ended_at = JobStatus.STOPPED, now
        session.flush()
        audit.record(session, actor, f"stop {job.kind}", subject=f"job {job.id}", now=now)


def waiting(session: Session, *, now: datetime) -> bool:
    """Return whether there is something to take up."""
    return session.scalar(select(Job.id).where(_free(now)).limit(1)) is not None


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Job.status == JobStatus.WAITING, and_(Job.status == JobStatus.RUNNING, Job.lease_until <= now))


def take(session: Session, *, now: datetime) -> Held | None:
    """Take up the oldest job that waits, or whose worker fell silent; None: there is nothing to do."""
    oldest = select(Job.id).where(_free(now)).order_by(Job.created_at).limit(1).with_for_update(skip_locked=True)
    job_id = session.scalar(oldest)
    if job_id is None:
        return None
    until = now + LEASE
    row = _change(session, Job.id == job_id, _free(now), status=JobStatus.RUNNING, lease_until=until)
    return Held(row.id, row.clinic_id, row.kind, row.args, until) if row else None


def go_on(session: Session, held: Held, done: int, doing: str, *, now: datetime) -> bool:
    """Note how far a job is; return whether it is to go on."""
    row = _change(session, *_mine(held), done=done, doing=doing)
    return row is not None and not row.cancel_asked


def wanted(session: Session, held: Held) -> bool:
    """Return whether a job is to go on, without a word of how far it is."""
    return session.scalar(select(Job.id).where(*_mine(held), Job.cancel_asked.is_(False))) is not None


def renew(session: Session, held: Held, done: int, *, now: datetime) -> bool:
    """Note how far a job is and keep it for longer; return whether it is to go on, and still ours."""
    until = now + LEASE
    row = _change(session, *_mine(held), done=done, lease_until=until)
    if row is not None:
        held.until = until
    return row is not None and not row.cancel_asked


def finish(session: Session, held: Held, result: dict[str, Any] | None, *, now: datetime, failed: bool = False) -> None:
    """Keep what a job found. One that was asked to stop keeps what it had by then."""
    row = session.get(Job, held.id)
    stopped = row is not None and row.cancel_asked
    status = JobStatus.FAILED if failed else JobStatus.STOPPED if stopped else JobStatus.DONE
    done = {} if failed or row is None else {"done": row.total}
    _change(session, *_mine(held), status=status, lease_until=None, result=result, ended_at=now, **done)


def _mine(held: Held) -> tuple[ColumnElement[bool], ...]:
    return Job.id == held.id, Job.status == JobStatus.RUNNING, Job.lease_until == held.until


def _change(session: Session, *which: ColumnElement[bool], **values: object) -> Job | None:
    statement = update(Job).where(*which).values(version=Job.version + 1, **values).returning(Job)
    return session.scalars(statement, execution_options={"populate_existing": True}).first()
