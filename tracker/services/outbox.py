"""The demonstration's outbox: what would have gone out."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import OutboxMessage, Reminder
from tracker.rules.permissions import Actor
from tracker.services import clinic


def keep(session: Session, reminder_id: UUID, recipient: str, subject: str, whole: str, *, now: datetime) -> None:
    """Keep a message, `whole` as it would have gone over the wire, under its reminder's id."""
    session.add(
        OutboxMessage(
            id=reminder_id,
            clinic_id=session.get_one(Reminder, reminder_id).clinic_id,
            sent_at=now,
            recipient=recipient,
            subject=subject,
            body=whole,
        )
    )


def newest(session: Session, actor: Actor, *, limit: int) -> Sequence[OutboxMessage]:
    """Return the newest messages of the actor's clinic."""
    query = select(OutboxMessage).where(OutboxMessage.clinic_id == actor.clinic_id)
    return session.scalars(query.order_by(OutboxMessage.sent_at.desc(), OutboxMessage.id).limit(limit)).all()


def one(session: Session, actor: Actor, message_id: UUID) -> OutboxMessage:
    """Return a message. NotFound: there is none in the actor's clinic."""
    return clinic.get(session, actor, OutboxMessage, message_id)
