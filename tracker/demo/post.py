"""The messages that have gone out by now: the older ones as rows, the last two days' as they were written."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tracker import db
from tracker.channels.message import Message
from tracker.channels.outbox import Outbox
from tracker.compose import Desk
from tracker.demo.days import at
from tracker.demo.house import House
from tracker.demo.people import ZONE
from tracker.dispatch import Worker
from tracker.models import Attempt, ContactPoint, Reminder, WorkerHeartbeat
from tracker.rules.routing import Limits, Used, route
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus
from tracker.services import addresses, outbox


def letters_begin(house: House) -> datetime:
    """Return from when on every message is written in full."""
    return at(house.today - timedelta(days=1), "0:00")


def mark_old(session: Session, house: House) -> None:
    """Let everything that was due earlier have arrived, by the way that it would have taken."""
    points: dict[UUID | None, list[ContactPoint]] = defaultdict(list)
    for point in session.scalars(select(ContactPoint).where(ContactPoint.channel.in_(addresses.CHANNELS))):
        points[point.patient_id].append(point)
    texts: dict[UUID | None, list[date]] = defaultdict(list)
    old = select(Reminder).where(Reminder.send_at < letters_begin(house)).order_by(Reminder.send_at, Reminder.id)
    for row in session.scalars(old):
        day = row.send_at.astimezone(ZoneInfo(ZONE)).date()
        ago = [(day - earlier).days for earlier in texts[row.patient_id]]
        used = Used(today=ago.count(0), week=sum(days < 7 for days in ago))
        way = route(row.purpose, addresses.reach(points[row.patient_id]), used, Limits()).channel
        point = next(one for one in points[row.patient_id] if addresses.CHANNELS[one.channel] is way)
        if way is ReminderChannel.SMS:
            texts[row.patient_id].append(day)
        _arrived(session, row, point)


def _arrived(session: Session, row: Reminder, point: ContactPoint) -> None:
    row.status, row.attempts, row.lease_epoch = ReminderStatus.ACCEPTED, 1, 1
    row.channel, row.contact_point_id = addresses.CHANNELS[point.channel], point.id
    row.changed_at = row.sent_at = row.send_at
    session.add(
        Attempt(
            clinic_id=row.clinic_id,
            reminder_id=row.id,
            lease_epoch=1,
            address=point.address,
            segments=1 if row.channel is ReminderChannel.SMS else None,
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
