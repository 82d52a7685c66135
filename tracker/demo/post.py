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
from tracker.interop import mail
from tracker.models import Attempt, ContactPoint, Reminder, WorkerHeartbeat
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import Event
from tracker.rules.routing import Limits, Used, route
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus
from tracker.services import addresses, delivery, followup, letters, outbox, resending, undelivered
from tracker.services.letters import Letter
from tracker.services.resending import Resend


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


def fates(house: House, now: datetime) -> None:
    """Let every text have arrived but one, and one e-mail have met a server that fell silent."""
    with db.transaction() as session:
        by_text = (Reminder.channel == ReminderChannel.SMS, Reminder.status == ReminderStatus.ACCEPTED)
        rows = session.scalars(select(Reminder).where(*by_text).order_by(Reminder.send_at)).all()
        brooks = [row for row in rows if row.patient_id == house.patients["Brooks"] and row.purpose is Purpose.VISIT]
        for row in rows:
            if row is brooks[-1]:
                _bounce(session, house, row)
            else:
                arrived = row.changed_at + timedelta(seconds=6)
                delivery.change(session, Event.DELIVER, Reminder.id == row.id, now=arrived, detail="delivered")
        found = at(house.today, "10:20")
        if found < now:
            _lose(session, house, found)


def _bounce(session: Session, house: House, row: Reminder) -> None:
    """Brooks, who then did not come: the desk called, and nobody answered."""
    bounced, reason = row.changed_at + timedelta(minutes=4), "The provider could not deliver it."
    delivery.change(session, Event.BOUNCE, Reminder.id == row.id, now=bounced, reason=reason, detail=f"{reason} 30003")
    undelivered.ask(session, row, now=bounced)
    task = undelivered.open_task(session, row)
    assert task
    said = "Called instead. No answer; left a message with the time."
    followup.done_by_itself(session, house.desk, task, said, now=bounced + timedelta(minutes=40))


def _lose(session: Session, house: House, when: datetime) -> None:
    """Moreau asked for her dates again; nobody knows whether they left."""
    mine = (Reminder.patient_id == house.patients["Moreau"], Reminder.purpose == Purpose.ITINERARY)
    row = session.scalars(select(Reminder).where(*mine)).one()
    asked = Resend(epoch=row.lease_epoch, reason="Can't find the list of dates")
    resending.resend(session, house.desk, row.id, asked, frozenset({ReminderChannel.EMAIL}), now=when)
    [lease] = delivery.lease(session, limit=1, now=when)
    letter = letters.look(session, [lease], now=when)[lease]
    assert isinstance(letter, Letter)
    delivery.mark(session, letter, now=when, words=mail.VERSIONS[Purpose.ITINERARY])
    silent = delivery.Result(AttemptOutcome.UNCERTAIN, "dot: timed out")
    delivery.record(session, lease, silent, now=when + timedelta(seconds=30), chance=0.5)


def _keep(moment: datetime, message: Message, whole: str) -> None:
    with db.transaction() as session:
        outbox.keep(session, message.id, message.recipient, message.subject, whole, now=moment)
