"""What a provider says afterwards about a message that it took: that it arrived, or that it can't.

It may come before we have written down that the provider has it, after the sender died, twice, or in the wrong order.
So it is kept as it came, and applied when it can be; a message only ever moves forward.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from tracker.channels.sms import BAD_NUMBER, STOPPED
from tracker.models import Attempt, ContactPoint, ProviderEvent, Reminder, Task, new_id
from tracker.models.base import insert_unless
from tracker.rules.delivery import Event
from tracker.rules.vocabulary import TaskStatus
from tracker.services import delivery, undelivered
from tracker.text import gettext as _

_log = logging.getLogger(__name__)

KIND = "receipt"
AT_ONCE = 200
PATIENCE = timedelta(hours=1)  # for our own commit of the message that a receipt speaks of


class Says(Enum):
    """What a receipt comes to."""

    HAS_IT = "has it"
    ARRIVED = "arrived"
    CAN_NOT = "can not"
    NOTHING = "nothing"


# https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
_WORDS = {
    "accepted": Says.HAS_IT,
    "scheduled": Says.HAS_IT,
    "queued": Says.HAS_IT,
    "sending": Says.HAS_IT,
    "sent": Says.HAS_IT,
    "delivered": Says.ARRIVED,
    "read": Says.ARRIVED,
    "undelivered": Says.CAN_NOT,
    "failed": Says.CAN_NOT,
}
# Twilio's numbers of errors that say: nobody can ever be written to there. Others (a telephone that is off, a carrier
# that filters) say nothing about the number.
_NO_SUCH_NUMBER = frozenset(map(str, BAD_NUMBER))
_STOPPED = str(STOPPED)  # the provider had a STOP from there


@dataclass(frozen=True, slots=True)
class Told:
    """One thing a provider told us, its signature verified. `reminder_id` and `epoch` are from the address it used."""

    provider: str
    external_id: str
    status: str
    raw: Mapping[str, str]
    reminder_id: UUID | None = None
    epoch: int | None = None


def keep(session: Session, told: Told, *, now: datetime) -> bool:
    """Keep it as it came; return whether it is new. Nothing is made of it yet: `apply` does."""
    known = told.reminder_id if told.reminder_id and session.get(Reminder, told.reminder_id) else None
    row = {
        "id": new_id(),
        "provider": told.provider,
        "external_id": told.external_id,
        "kind": KIND,
        "status": told.status,
        "raw": json.dumps({"epoch": told.epoch, "form": dict(told.raw)}, sort_keys=True),
        "received_at": now,
        "reminder_id": known,
    }
    kept = insert_unless(session, ProviderEvent).values(row).on_conflict_do_nothing().returning(ProviderEvent.id)
    return session.scalar(kept) is not None


def apply(session: Session, *, now: datetime) -> int:
    """Apply what waits; return how many receipts are done with.

    Of one message in the order in which they came; message by message, so that two who do this at once can't come to
    the same two messages from two sides.
    """
    query = (
        select(ProviderEvent)
        .where(ProviderEvent.applied_at.is_(None), ProviderEvent.kind == KIND)
        .order_by(ProviderEvent.received_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    untold: list[Reminder] = []
    waiting = sorted(session.scalars(query).all(), key=lambda event: (event.external_id, event.received_at))
    done = [event for event in waiting if _try(session, event, untold, now)]
    for event in done:
        event.applied_at = now
    undelivered.ask_each(session, untold, now=now)
    return len(done)


def _try(session: Session, event: ProviderEvent, untold: list[Reminder], now: datetime) -> bool:
    event_id, too_old = event.id, event.received_at < now - PATIENCE
    try:
        with session.begin_nested():
            return _apply(session, event, untold, now)
    except (OperationalError, InterfaceError):  # the database can't answer: nobody's fault
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was: one receipt must not keep others from being applied
        _log.error("receipt %s can't be applied: %s", event_id, type(error).__name__)
        return too_old


def _apply(session: Session, event: ProviderEvent, untold: list[Reminder], now: datetime) -> bool:
    """Return whether a receipt is done with: applied, or of a message that we'll never know.

    Args:
        untold: Gets the messages that reached nobody.
    """
    said = json.loads(event.raw)
    attempt = _attempt(session, event, said["epoch"])
    if attempt is None:
        return event.received_at < now - PATIENCE
    attempt.external_id = attempt.external_id or event.external_id
    event.reminder_id = attempt.reminder_id
    session.flush()
    # A message that was sent again by hand is not what a receipt of the first time speaks of.
    this = (Reminder.id == attempt.reminder_id, Reminder.lease_epoch == attempt.lease_epoch)
    match _WORDS.get(event.status, Says.NOTHING):
        case Says.HAS_IT:
            # Also while its sender waits for an answer, or died waiting.
            for known in (Event.ACCEPT, Event.FIND):
                delivery.change(session, known, *this, now=now, detail=event.status)
            _close_question(session, attempt, _("The provider has it."), now)
        case Says.ARRIVED:
            delivery.change(session, Event.DELIVER, *this, now=now, detail=event.status)
            _close_question(session, attempt, _("The provider says that it arrived."), now)
        case Says.CAN_NOT:
            untold += _bounce(session, this, said["form"].get("ErrorCode", ""), now)
    return True


def _attempt(session: Session, event: ProviderEvent, epoch: int | None) -> Attempt | None:
    """Return the try that a receipt speaks of: by the provider's name for it, or by the address we gave it."""
    by_name = session.scalars(select(Attempt).where(Attempt.external_id == event.external_id)).first()
    if by_name or event.reminder_id is None:
        return by_name
    of_this = select(Attempt).where(Attempt.reminder_id == event.reminder_id, Attempt.lease_epoch == epoch)
    return session.scalars(of_this).first()


def _bounce(session: Session, this: tuple[ColumnElement[bool], ...], code: str, now: datetime) -> Sequence[Reminder]:
    reason = _("The provider could not deliver it.")
    detail = _("The provider could not deliver it (its code: %(code)s).", code=code) if code else reason
    bounced = delivery.change(session, Event.BOUNCE, *this, now=now, reason=reason, detail=detail)
    for row in bounced:
        point = session.get(ContactPoint, row.contact_point_id) if row.contact_point_id else None
        if point and code in _NO_SUCH_NUMBER:
            point.invalid_at = now
        if point and code == _STOPPED and point.opted_out_at is None:
            point.opted_out_at, point.opted_out_how = now, "text: STOP"
    return bounced


def _close_question(session: Session, attempt: Attempt, outcome: str, now: datetime) -> None:
    """Nobody has to find out any more whether it arrived."""
    key = undelivered.key(attempt.reminder_id, attempt.lease_epoch)
    asked = (Task.clinic_id == attempt.clinic_id, Task.key == key, Task.kind == undelivered.UNCERTAIN)
    closed = {"status": TaskStatus.DONE, "outcome": outcome, "closed_at": now, "version": Task.version + 1}
    session.execute(update(Task).where(*asked, Task.status == TaskStatus.OPEN).values(**closed))
