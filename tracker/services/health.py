"""Whether messages get out, for a line on Today: nothing where all is well."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from tracker.models import ProviderState, Reminder, Sending, Task, WorkerHeartbeat
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import undelivered
from tracker.services.delivery import SCHEDULED
from tracker.services.sending import DEMONSTRATION

SILENT = timedelta(minutes=2)  # a worker looks every second


@dataclass(frozen=True, slots=True)
class Down:
    """A way out of the house that doesn't work, and how many messages wait because nothing goes by it."""

    channel: ReminderChannel
    since: datetime | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong with the way out of the house, and what nobody has seen to in time."""

    paused_since: datetime | None
    held_up: str  # why nothing leaves until somebody sets it right; then it goes on by itself
    silent_since: datetime | None
    down: tuple[Down, ...]
    waiting: int  # messages that are due, or put off until the next try
    overdue: int  # may not have arrived, or didn't, and nobody has seen to it in time

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.paused_since or self.held_up or self.silent_since or self.down or self.overdue)


# A list with an end is made as it stands: by the index of what is due, and not by a clinic's whole past.
_DUE = (
    select(Reminder.clinic_id, Reminder.send_at)
    .where(SCHEDULED, Reminder.send_at <= bindparam("until", type_=Reminder.send_at.type))
    .order_by(Reminder.send_at)
    .limit(10_000)
    .subquery("due")
)
_MINE = _DUE.c.clinic_id == bindparam("clinic")
# Written out: a partial index is used where the condition stands there as it does in the index.
_OPEN: ColumnElement[bool] = literal_column("task.status = 'open'")
_OVERDUE = select(func.count()).where(
    Task.clinic_id == bindparam("clinic"),
    _OPEN,
    Task.due_at < bindparam("now", type_=Task.due_at.type),
    Task.kind.in_(undelivered.KINDS),
)
_ASKED = select(
    select(func.count()).select_from(_DUE).where(_MINE).scalar_subquery().label("waiting"),
    select(func.min(_DUE.c.send_at))
    .where(_MINE, _DUE.c.send_at <= bindparam("late", type_=Reminder.send_at.type))
    .scalar_subquery()
    .label("waits"),
    select(func.max(WorkerHeartbeat.beat_at)).scalar_subquery().label("seen"),
    select(Sending.paused_at).where(Sending.witness != DEMONSTRATION).scalar_subquery().label("paused"),
    select(Sending.paused_why).where(Sending.paused_at.is_(None)).scalar_subquery().label("held_up"),
    _OVERDUE.scalar_subquery().label("overdue"),
)
_DOWN = select(ProviderState.name, ProviderState.down_since, ProviderState.retry_at).where(
    ProviderState.down_since.is_not(None)
)


def health(session: Session, actor: Actor, *, now: datetime) -> Health:
    """Return what is wrong: two statements, whatever the past holds."""
    rows = session.connection()
    down = tuple(Down(ReminderChannel(name), since, again) for name, since, again in rows.execute(_DOWN))
    until = max([now, *(one.retry_at for one in down if one.retry_at)])
    asked = rows.execute(_ASKED, {"clinic": actor.clinic_id, "now": now, "until": until, "late": now - SILENT}).one()
    return Health(
        paused_since=asked.paused,
        held_up=asked.held_up or "",
        # While a way rests what is due waits for it.
        silent_since=None if asked.paused or down else _silent(asked.waits, asked.seen, now),
        down=down,
        waiting=asked.waiting,
        overdue=asked.overdue,
    )


def _silent(waits: datetime | None, seen: datetime | None, now: datetime) -> datetime | None:
    """Return since when messages that are due wait for a worker; None if all is well."""
    if waits is None or (seen is not None and seen > now - SILENT):
        return None
    return max(waits, seen or waits)
