"""Who takes a patient home: named, and known to come; else somebody calls."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Task, Visit, VisitEvent
from tracker.rules.attention import DRIVER_WANTED
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import Role, TaskStatus, VisitStatus
from tracker.services import audit, clinic, followup, telling
from tracker.services.telling import DRIVER_CALL
from tracker.text import gettext as _
from tracker.text import say_instant

CALL_WITHIN = timedelta(hours=4)  # the reminder asks at the same time, and most answer it


def confirm(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> Visit:
    """Note that the driver of a visit is known to come (or is here); once is enough.

    Raises:
        NotFound: There is no such visit in the actor's clinic.
    """
    visit = clinic.get(session, actor, Visit, visit_id, lock=True)
    if visit.driver_confirmed_at is None:
        visit.driver_confirmed_at = now
        telling.settle(session, actor, visit, _("The driver is known"), now=now, kinds=(DRIVER_CALL,))
        session.add(
            VisitEvent(
                clinic_id=visit.clinic_id,
                visit_id=visit.id,
                kind="driver",
                occurred_at=now,
                entered_at=now,
                entered_by=actor.user_id,
                detail=visit.driver_name,
            )
        )
        audit.record(
            session, actor, "confirm driver", patient_id=visit.patient_id, subject=f"visit {visit.id}", now=now
        )
    return visit


def ask_to_call(session: Session, clinic_id: UUID, *, now: datetime) -> int:
    """Give a clinic's desk a call for each visit of the next day whose driver isn't known; return how many are new.

    Asked again it is the same task, done or not; a visit at another time is another one.
    """
    query = select(Visit).where(
        Visit.clinic_id == clinic_id,
        Visit.status == VisitStatus.BOOKED,
        Visit.starts_at > now,
        Visit.starts_at <= now + DRIVER_WANTED,
        Visit.driver_confirmed_at.is_(None),
        Visit.lost_at.is_(None),
    )
    visits = {_key(visit): visit for visit in session.scalars(query.order_by(Visit.starts_at))}
    known = select(Task.key).where(Task.key.in_(visits), Task.status != TaskStatus.CANCELLED)
    missing = visits.keys() - set(session.scalars(known)) if visits else set()
    for key, visit in visits.items():
        if key in missing:
            place = clinic.info(session, clinic_id)
            detail = _("Visit %(when)s", when=say_instant(visit.starts_at, place.zone, place.country))
            due_at = min(visit.starts_at, now + CALL_WITHIN)
            wanted = followup.Ask(DRIVER_CALL, key, Role.COORDINATOR, due_at, detail)
            followup.ask(session, visit, wanted, now=now)
    return len(missing)


def _key(visit: Visit) -> str:
    return f"{DRIVER_CALL}:{visit.id}:{visit.starts_at.isoformat()}"
