"""The demonstration's outbox: what would have gone out."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tracker.models import OutboxMessage, Reminder


def keep(session: Session, reminder_id: UUID, recipient: str, subject: str, whole: str, *, now: datetime) -> None:
    """Keep a message, `whole` as it would have gone over the wire, under its reminder's id."""
    session.merge(  # sent again by hand, it is the last that is looked at
        OutboxMessage(
            id=reminder_id,
            clinic_id=session.get_one(Reminder, reminder_id).clinic_id,
            sent_at=now,
            recipient=recipient,
            subject=subject,
            body=whole,
        )
    )


def find(session: Session, message_id: UUID) -> OutboxMessage | None:
    """Return what was kept under a reminder's id. The caller has made sure that the reminder may be seen."""
    return session.get(OutboxMessage, message_id)
