"""A way out of the house that fails again and again is left alone for a while, then tried with one message.

Its state stands in the database, so that all workers leave it alone and one of them tries.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tracker.models import ProviderState
from tracker.models.base import insert_unless
from tracker.rules.delivery import OPENS_AFTER, rest
from tracker.rules.vocabulary import ReminderChannel

PROBE = timedelta(minutes=1)  # whoever tries has so long; then somebody else may


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether messages may go one way. `retry_at` is set while they may not: when the next one is tried."""

    failures: int = 0
    retry_at: datetime | None = None


OPEN = Gate()


def gates(session: Session) -> dict[ReminderChannel, Gate]:
    """Return how each way stands; one that isn't there never failed."""
    rows = session.execute(select(ProviderState.name, ProviderState.failures, ProviderState.retry_at))
    return {ReminderChannel(name): Gate(failures, retry_at) for name, failures, retry_at in rows}


def all_shut(known: Mapping[ReminderChannel, Gate], ways: Collection[ReminderChannel], *, now: datetime) -> bool:
    """Return whether of these ways there is none by which a message could be tried now."""
    return not any((retry_at := known.get(way, OPEN).retry_at) is None or retry_at <= now for way in ways)


def claim(session: Session, way: ReminderChannel, gate: Gate, *, now: datetime) -> bool:
    """Return whether this worker is the one that tries a way whose rest, as `gate` says, is over."""
    claimed = (
        update(ProviderState)
        .where(ProviderState.name == way.value, ProviderState.retry_at == gate.retry_at)
        .values(retry_at=now + PROBE, changed_at=now)
        .returning(ProviderState.name)
    )
    return session.scalar(claimed) is not None


def fail(session: Session, way: ReminderChannel, reason: str, *, now: datetime, wait: timedelta | None = None) -> Gate:
    """Count a failure; return how the way stands now.

    Args:
        reason: What was said, for staff to read.
        wait: How long the other side asked to be left alone: that is kept to at once.
    """
    row = {"name": way.value, "failures": 1, "reason": reason[:200], "changed_at": now}
    counted = (
        insert_unless(session, ProviderState)
        .values(row)
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"failures": ProviderState.failures + 1, "reason": row["reason"], "changed_at": now},
        )
    )
    failures = session.scalar(counted.returning(ProviderState.failures)) or 1
    if failures < OPENS_AFTER and wait is None:
        return Gate(failures)
    until = now + (rest(max(failures, OPENS_AFTER)) if wait is None else wait)
    since = func.coalesce(ProviderState.down_since, now)
    shut = update(ProviderState).where(ProviderState.name == way.value).values(down_since=since, retry_at=until)
    session.execute(shut, execution_options={"synchronize_session": False})
    return Gate(failures, until)


def work(session: Session, way: ReminderChannel, *, now: datetime) -> None:
    """Say that a way works."""
    well = {"failures": 0, "down_since": None, "retry_at": None, "reason": "", "changed_at": now}
    session.execute(update(ProviderState).where(ProviderState.name == way.value).values(**well))
