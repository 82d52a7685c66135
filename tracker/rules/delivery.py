"""The way of one message: its states, the moves between them, and when to try again.

Sending exactly once is impossible. So a message is marked as being sent before the network is touched, and one whose
end nobody saw is *uncertain*: a person looks after it, and it is never sent again by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from tracker.rules.cadence import LAST_CALL, Purpose
from tracker.rules.vocabulary import ReminderStatus as S


class Event(StrEnum):
    """What can happen to a message."""

    LEASE = "lease"  # a worker takes it
    RELEASE = "release"  # the worker gave it back, or died before the mark
    MARK = "mark"  # about to touch the network
    ACCEPT = "accept"  # the receiving server took it
    FIND = "find"  # a receipt says that the provider has what we weren't sure of
    DELIVER = "deliver"  # a receipt, or a person, says that it arrived
    BOUNCE = "bounce"  # a receipt says that it can't
    DEFER = "defer"  # refused before it was handed over: try again later
    REFUSE = "refuse"  # refused for good, or it couldn't be written at all
    LOSE = "lose"  # handed over or not: nobody knows
    EXPIRE = "expire"  # of no use any more
    OVERTAKE = "overtake"  # late, and a newer one of its kind says what counts now
    CANCEL = "cancel"  # its visit is off
    SUPERSEDE = "supersede"  # its visit moved; another message takes its place
    SUPPRESS = "suppress"  # not to be sent: no consent, no address
    RESEND = "resend"  # a person wants it sent again, and says why


@dataclass(frozen=True, slots=True)
class Move:
    """From any of `sources` to `target`."""

    sources: frozenset[S]
    target: S


# What is marked can't be called back: the network may have it already.
UNSENT = frozenset({S.SCHEDULED, S.LEASED})
LIVE = UNSENT | {S.SENDING}
WITHDRAWN = frozenset({S.CANCELLED, S.SUPERSEDED})  # the same may be said by another one
UNTOLD = frozenset({S.FAILED, S.BOUNCED, S.EXPIRED, S.SUPPRESSED})  # it ended, and reached nobody

MOVES: Mapping[Event, Move] = MappingProxyType(
    {
        Event.LEASE: Move(frozenset({S.SCHEDULED}), S.LEASED),
        Event.RELEASE: Move(frozenset({S.LEASED}), S.SCHEDULED),
        Event.MARK: Move(frozenset({S.LEASED}), S.SENDING),
        Event.ACCEPT: Move(frozenset({S.SENDING}), S.ACCEPTED),
        Event.FIND: Move(frozenset({S.UNCERTAIN}), S.ACCEPTED),
        # A receipt may come before the sender has written down what it was told, or after it died.
        Event.DELIVER: Move(frozenset({S.SENDING, S.ACCEPTED, S.UNCERTAIN}), S.DELIVERED),
        Event.BOUNCE: Move(frozenset({S.SENDING, S.ACCEPTED, S.UNCERTAIN}), S.BOUNCED),
        Event.DEFER: Move(frozenset({S.SENDING}), S.SCHEDULED),
        Event.REFUSE: Move(frozenset({S.LEASED, S.SENDING}), S.FAILED),
        Event.LOSE: Move(frozenset({S.SENDING}), S.UNCERTAIN),
        Event.EXPIRE: Move(UNSENT, S.EXPIRED),
        Event.OVERTAKE: Move(UNSENT, S.EXPIRED),
        Event.CANCEL: Move(UNSENT, S.CANCELLED),
        Event.SUPERSEDE: Move(UNSENT, S.SUPERSEDED),
        Event.SUPPRESS: Move(UNSENT, S.SUPPRESSED),
        Event.RESEND: Move(
            frozenset({S.ACCEPTED, S.BOUNCED, S.FAILED, S.UNCERTAIN, S.EXPIRED, S.SUPPRESSED}), S.SCHEDULED
        ),
    }
)

# A worker has this long for one message, and again for each that still waits; a send's own deadline is far below.
LEASE = timedelta(seconds=120)
LATE = timedelta(hours=1)  # nothing was sent for a while: of several messages of a kind only the newest still counts
PAUSES = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=8),
    timedelta(minutes=30),
    timedelta(hours=2),
)
SPREAD = 0.2  # pauses vary by this share, so that what failed together doesn't come back together


def after(status: S, event: Event) -> S:
    """Return the state that `event` leads to from `status`.

    Raises:
        ValueError: A message in `status` can't meet `event`. That is a caller's bug, or a worker that came too late.
    """
    move = MOVES[event]
    if status not in move.sources:
        raise ValueError(f"a message that is {status} can't {event}")
    return move.target


def next_try(tries: int, now: datetime, expires_at: datetime, *, chance: float) -> datetime | None:
    """Return when to try again after `tries` failed ones, or None if that would be too late to be of use.

    Args:
        tries: How many tries there were, from 1.
        expires_at: Of no use from then on.
        chance: Where in the spread the pause falls, 0 <= chance < 1; the caller draws it.

    Raises:
        ValueError: `tries` or `chance` is out of range.
    """
    if tries < 1 or not 0 <= chance < 1:
        raise ValueError("tries are counted from 1, chance is in [0, 1)")
    pause = PAUSES[min(tries, len(PAUSES)) - 1]
    again = now + pause * (1 - SPREAD + 2 * SPREAD * chance)
    return again if again < expires_at else None


_DATES = frozenset({Purpose.ITINERARY, Purpose.CHANGED})
_BEFORE = frozenset({Purpose.FIRST_VISIT, Purpose.VISIT, Purpose.SAME_DAY})
_OWN = frozenset({Purpose.DIGEST, Purpose.QUESTIONNAIRE})
_EACH = frozenset({Purpose.CLOSED, Purpose.TEST})


def thread(purpose: Purpose, visit_id: UUID | None) -> tuple[str, UUID | None] | None:
    """Return what a message is one of several about, for one person; None for one that stands alone.

    All dates of a series; what to do before one visit; how it has been since; a questionnaire; a digest. After a stop
    only the newest of each goes, so that nobody is asked on one morning how four days were.
    """
    if purpose in _EACH:
        return None
    if purpose in _DATES:
        return ("dates", None)
    if purpose in _BEFORE:
        return ("before", visit_id)
    return (purpose if purpose in _OWN else "since", None)


# A way out of the house is left alone after so many failures in a row, and tried with one message at a time.
OPENS_AFTER = 5
_FIRST_REST, _LONGEST_REST = timedelta(seconds=30), timedelta(minutes=5)


def rest(failures: int) -> timedelta:
    """Return how long a way that failed so often in a row, `OPENS_AFTER` times or more, is left alone."""
    doubled: int = 2 ** min(failures - OPENS_AFTER, 10)
    return min(_FIRST_REST * doubled, _LONGEST_REST)


AGAIN = timedelta(days=1)  # what was sent again by hand and couldn't go for a day isn't what somebody wanted sent now


def useful_again(purpose: Purpose, about: datetime, now: datetime) -> datetime | None:
    """Return until when a message that somebody sends again now is of use; None if it is too late, or never was.

    Args:
        about: The time it speaks of: its visit's start.
    """
    if purpose in (Purpose.DIGEST, Purpose.TEST):  # what they say stands on the pages
        return None
    until = now + AGAIN
    if purpose in _BEFORE:
        until = min(until, about - LAST_CALL)
    elif purpose is Purpose.CLOSED:
        until = min(until, about)
    return until if until > now else None
