"""By which ways a clinic writes, how each of them stands, and a test message to oneself by one of them.

A test is a reminder like any other: what became of it says whether patients' messages get out.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.errors import Invalid
from tracker.models import Attempt, ProviderState, Reminder, Setting, UserAccount
from tracker.rules.cadence import Purpose
from tracker.rules.fields import Command, Phone, Tick
from tracker.rules.permissions import Actor
from tracker.rules.settings import Settings
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import audit
from tracker.services import settings as numbers
from tracker.text import gettext as _

OF_USE = timedelta(minutes=15)  # a test that left later proves nothing to whoever waits for it
_UNDER_WAY = frozenset({ReminderStatus.SCHEDULED, ReminderStatus.LEASED, ReminderStatus.SENDING})


class Choose(Command):
    """By which ways the clinic writes."""

    email: Tick = False
    sms: Tick = False


class TryOut(Command):
    """A test message by one way; a text needs a number to go to."""

    way: ReminderChannel
    number: Phone | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How one way out of the house stands."""

    channel: ReminderChannel
    used: bool
    down_since: datetime | None
    retry_at: datetime | None
    reason: str
    last_at: datetime | None  # when one was last taken


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a test."""

    channel: ReminderChannel
    status: ReminderStatus
    address: str
    asked_at: datetime
    changed_at: datetime
    reason: str
    said: str  # by the other side
    segments: int | None
    over: bool


def used(known: Settings) -> frozenset[ReminderChannel]:
    """Return the ways by which a clinic with these settings writes."""
    return frozenset(way for way in ReminderChannel if known[_key(way)])


def ways(session: Session, actor: Actor) -> list[Way]:
    """Return how each way stands."""
    chosen = used(numbers.of_clinic(session, actor.clinic_id))
    states = {row.name: row for row in session.scalars(select(ProviderState))}
    return [_way(session, actor, way, way in chosen, states.get(way.value)) for way in ReminderChannel]


def _way(session: Session, actor: Actor, way: ReminderChannel, chosen: bool, state: ProviderState | None) -> Way:
    last = select(func.max(Reminder.sent_at)).where(
        Reminder.clinic_id == actor.clinic_id,
        Reminder.channel == way,
        Reminder.status.in_((ReminderStatus.ACCEPTED, ReminderStatus.DELIVERED)),
    )
    return Way(
        channel=way,
        used=chosen,
        down_since=state.down_since if state else None,
        retry_at=state.retry_at if state else None,
        reason=state.reason if state else "",
        last_at=session.scalar(last),
    )


def choose(session: Session, actor: Actor, command: Choose, *, now: datetime) -> None:
    """Let the clinic write by these ways, and by no other."""
    before = used(numbers.of_clinic(session, actor.clinic_id))
    for way, wanted in ((ReminderChannel.EMAIL, command.email), (ReminderChannel.SMS, command.sms)):
        if wanted != (way in before):
            numbers.change(session, actor, _key(way), str(int(wanted)), now=now)


def try_out(
    session: Session, actor: Actor, command: TryOut, here: Collection[ReminderChannel], *, now: datetime
) -> UUID:
    """Plan a test message to the actor; return its id. It leaves with the worker's next look.

    Args:
        here: The ways that this installation has.

    Raises:
        Invalid: This way isn't set up, or a text has no number to go to.
    """
    if command.way not in here:
        raise Invalid({"way": _("This way isn't set up here.")})
    if command.way is ReminderChannel.SMS:
        if command.number is None:
            raise Invalid({"number": _("Enter the number of your mobile phone.")})
        _keep_number(session, actor, command.number, now)
    assert actor.user_id
    row = Reminder(
        clinic_id=actor.clinic_id,
        user_id=actor.user_id,
        subject_id=actor.user_id,
        subject_at=now,
        purpose=Purpose.TEST,
        channel=command.way,
        send_at=now,
        expires_at=now + OF_USE,
        created_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "test message", subject=f"message {row.id}", detail={"by": command.way}, now=now)
    return row.id


def fate(session: Session, actor: Actor) -> Fate | None:
    """Return what became of the actor's latest test; None if there was none."""
    mine = (Reminder.user_id == actor.user_id, Reminder.purpose == Purpose.TEST)
    row = session.scalars(select(Reminder).where(*mine).order_by(Reminder.created_at.desc()).limit(1)).first()
    if row is None:
        return None
    assert row.channel
    tries = select(Attempt).where(Attempt.reminder_id == row.id).order_by(Attempt.lease_epoch.desc()).limit(1)
    last = session.scalars(tries).first()
    return Fate(
        channel=row.channel,
        status=row.status,
        address=last.address if last else "",
        asked_at=row.created_at,
        changed_at=row.changed_at,
        reason=row.reason,
        said=last.detail if last else "",
        segments=last.segments if last else None,
        over=row.status not in _UNDER_WAY,
    )


def address_of(session: Session, account: UserAccount, way: ReminderChannel) -> str:
    """Return where messages to somebody of the staff go by a way, "" if that isn't known."""
    if way is ReminderChannel.EMAIL:
        return account.email
    row = session.get(Setting, (account.clinic_id, _number_key(account.id)))
    return str(row.value) if row else ""


def _keep_number(session: Session, actor: Actor, number: str, now: datetime) -> None:
    assert actor.user_id
    row = Setting(clinic_id=actor.clinic_id, key=_number_key(actor.user_id), value=number)
    row.changed_by, row.changed_at = actor.user_id, now
    session.merge(row)


def _number_key(user_id: UUID) -> str:
    return f"test_number.{user_id}"


def _key(way: ReminderChannel) -> str:
    return f"channels.{way.value}"
