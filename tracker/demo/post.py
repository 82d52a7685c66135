"""The messages that have gone out by now: the older ones as rows, the last two days' as they were written."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tracker import db
from tracker.channels.message import Message
from tracker.channels.outbox import Outbox
from tracker.compose import Desk
from tracker.demo.days import at
from tracker.demo.house import House
from tracker.dispatch import Worker
from tracker.models import Attempt, ContactPoint, Reminder, WorkerHeartbeat
from tracker.rules.vocabulary import AttemptOutcome, ContactChannel, ReminderChannel, ReminderStatus
from tracker.services import outbox


def letters_begin(house: House) -> datetime:
    """Return from when on every message is written in full."""
    return at(house.today - timedelta(days=1), "0:00")


def mark_old(session: Session, house: House) -> None:
    """Let everything that was due earlier have arrived."""
    query = select(ContactPoint).where(ContactPoint.channel == ContactChannel.EMAIL)
    point_of: dict[UUID | None, ContactPoint] = {point.patient_id: point for point in session.scalars(query)}
    for row in session.scalars(select(Reminder).where(Reminder.send_at < letters_begin(house))):
        point = point_of[row.patient_id]
        row.status, row.attempts, row.lease_epoch = ReminderStatus.ACCEPTED, 1, 1
        row.channel, row.contact_point_id = ReminderChannel.EMAIL, point.id
        row.changed_at = row.sent_at = row.send_at
        session.add(
            Attempt(
                clinic_id=row.clinic_id,
                reminder_id=row.id,
                lease_epoch=1,
                address=point.address,
                started_at=row.send_at,
                ended_at=row.send_at + timedelta(seconds=1),
                outcome=AttemptOutcome.ACCEPTED,
            )
        )


def send_recent(house: House, now: datetime, *, key: bytes, base_url: str) -> None:
    """Let the worker send what was due since, each message at its time, into the outbox."""
    with db.read() as session:
        due = select(Reminder.send_at).where(Reminder.send_at <= now, Reminder.status == ReminderStatus.SCHEDULED)
        moments = sorted(set(session.scalars(due)))
    for moment in moments:
        keep = partial(_keep, moment)
        channels = {ReminderChannel.EMAIL: Outbox(keep), ReminderChannel.SMS: Outbox(keep, texts=True)}
        Worker(channels, Desk(key, base_url, "appointments@example.org"), "demo").tick(moment)
    with db.transaction() as session:
        session.execute(delete(WorkerHeartbeat).where(WorkerHeartbeat.name == "demo"))


def _keep(moment: datetime, message: Message, whole: str) -> None:
    with db.transaction() as session:
        outbox.keep(session, message.id, message.recipient, message.subject, whole, now=moment)
