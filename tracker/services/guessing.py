"""How often a password may be guessed: ten times an account, then with growing pauses; by address too, more loosely."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import case, delete, update
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import GuessCount
from tracker.models.base import insert_unless
from tracker.text import gettext as _

ACCOUNT_LIMIT, ADDRESS_LIMIT = 10, 50  # a clinic shares one address
PAUSES = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30))
FORGET = timedelta(hours=12)


def count(session: Session, email: str, address: str, *, now: datetime) -> None:
    """Count one guess before the password is looked at, in a transaction of its own.

    Raises:
        Refused: Too many already; nothing was counted.
    """
    spent = [_spend(session, key, limit, now) for key, limit in _keys(email, address)]
    if not all(spent):
        raise Refused(_("There were too many tries. Wait a few minutes, then sign in again."))


def refund(session: Session, email: str, address: str) -> None:
    """Forgive after a successful sign-in: all of the account's guesses; of the address's this one and one slip before,
    so that a clinic where more sign-ins succeed than fail is never shut out."""
    (account, _limit), (place, limit) = _keys(email, address)
    session.execute(delete(GuessCount).where(GuessCount.key == account))
    left = case((GuessCount.failures > 2, GuessCount.failures - 2), else_=0)
    unblocked = case((left < limit, GuessCount.last_at), else_=GuessCount.blocked_until)
    session.execute(update(GuessCount).where(GuessCount.key == place).values(failures=left, blocked_until=unblocked))


def _keys(email: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    # A digest: what was typed may be a password in the wrong field.
    account = hashlib.sha256(email.encode()).hexdigest()
    return (f"account {account}", ACCOUNT_LIMIT), (f"address {address}"[:200], ADDRESS_LIMIT)


def _spend(session: Session, key: str, limit: int, now: datetime) -> bool:
    """Count in one statement: with read-then-write, 38 of 40 parallel guesses got through."""
    failures = case((GuessCount.last_at < now - FORGET, 1), else_=GuessCount.failures + 1)
    pause = case(
        (failures < limit, now),
        *((failures == limit + n, now + pause) for n, pause in enumerate(PAUSES[:-1])),
        else_=now + PAUSES[-1],
    )
    counted = session.scalar(
        insert_unless(session, GuessCount)
        .values(key=key, failures=1, last_at=now, blocked_until=now)
        .on_conflict_do_update(
            index_elements=[GuessCount.key],
            set_={"failures": failures, "last_at": now, "blocked_until": pause},
            where=GuessCount.blocked_until <= now,
        )
        .returning(GuessCount.failures)
    )
    return counted is not None
