"""What is done once a period, by whichever of many workers comes first."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tracker.models import Clinic, JobRun, PortalSession, RequestKey, WorkerHeartbeat
from tracker.models.base import insert_unless
from tracker.services import digest, portal

FORMS = timedelta(days=7)  # nobody sends the same form again after that
RUNS = timedelta(days=60)
GONE = timedelta(days=1)  # a worker that says nothing for so long has ended


def begin(session: Session, name: str, period: str, *, now: datetime) -> bool:
    """Return whether this is the first to do the job `name` in `period`; if so, do it in the same transaction.

    Others wait for that transaction's end. If it fails, the job isn't done, and the next one to ask does it.
    """
    row = {"name": name, "period": period, "started_at": now}
    return (
        session.scalar(insert_unless(session, JobRun).values(row).on_conflict_do_nothing().returning(JobRun.name))
        is not None
    )


def clinics(session: Session) -> list[UUID]:
    """Return each clinic of the installation."""
    return list(session.scalars(select(Clinic.id).order_by(Clinic.id)))


def digests(session: Session, clinic_id: UUID, *, now: datetime) -> int:
    """Write the staff's lists of the day of a clinic, once its hour has come; return how many."""
    clinic = session.get_one(Clinic, clinic_id)
    send_at = digest.hour(session, clinic, now=now)
    if send_at and begin(session, f"digest {clinic.id}", f"{send_at.astimezone(clinic.zone):%Y-%m-%d}", now=now):
        return digest.plan(session, clinic, send_at, now=now)
    return 0


def clear(session: Session, *, now: datetime) -> None:
    """Take away what nobody can need any more: keys of old forms, patients' old sessions, workers that have ended."""
    old_sessions = PortalSession.created_at < now - portal.LONGEST
    for old in (
        delete(RequestKey).where(RequestKey.created_at < now - FORMS),
        delete(PortalSession).where(old_sessions),
        delete(JobRun).where(JobRun.started_at < now - RUNS),
        delete(WorkerHeartbeat).where(WorkerHeartbeat.beat_at < now - GONE),
    ):
        session.execute(old)
