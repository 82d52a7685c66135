"""Who takes a patient home: named, and known to come."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tracker.models import Visit, VisitEvent
from tracker.rules.permissions import Actor
from tracker.services import audit, clinic


def confirm(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> Visit:
    """Note that the driver of a visit is known to come (or is here); once is enough.

    Raises:
        NotFound: There is no such visit in the actor's clinic.
    """
    visit = clinic.get(session, actor, Visit, visit_id, lock=True)
    if visit.driver_confirmed_at is None:
        visit.driver_confirmed_at = now
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
