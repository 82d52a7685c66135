"""Take what is due, mark it, send it, write down what became of it. The network is never touched in here.

The order is the promise: `lease` (nobody else takes it) → `letters.look` (what to say, or why not) → `mark` (from now
on it may have left) → the caller sends → `record`. Whoever dies before the mark has sent nothing; what was marked and
never recorded is uncertain, a task for a person, and never sent again by itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from tracker.models import Attempt, ContactPoint, Reminder, ReminderEvent, UserAccount, Visit, new_id
from tracker.models.base import UtcInstant
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LEASE, MOVES, PAUSES, WITHDRAWN, Event, next_try
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus
from tracker.services import consent, links, undelivered
from tracker.services.letters import LEFT, WEEK, Lease, Letter, Verdict
from tracker.text import gettext as _

# Of those that are due the ones that are of use for less long go first; looked for among so many, in order of time.
WINDOW = 200
_SILENT = frozenset({Event.LEASE, Event.RELEASE})  # no news to anybody
# Written out: a partial index is used where the condition stands there as it does in the index.
SCHEDULED: ColumnElement[bool] = literal_column("reminder.status = 'scheduled'")
HELD: ColumnElement[bool] = literal_column("reminder.status IN ('leased', 'sending')")


@dataclass(frozen=True, slots=True)
class Result:
    """What a try to send came to, and what the other side said."""

    outcome: AttemptOutcome
    detail: str = ""
    reason: str = ""  # in staff's words, where it wasn't the other side that said no
    bad_address: bool = False  # the server knows nobody there
    opted_out: bool = False  # the person told the provider to stop
    external_id: str | None = None
    segments: int | None = None
    spent: bool = True  # whether it counts as a try
    wait: timedelta | None = None  # how long the other side asked for


def change(
    session: Session,
    event: Event,
    *which: ColumnElement[bool],
    now: datetime,
    reason: str = "",
    detail: str = "",
    by: UUID | None = None,
    **values: object,
) -> Sequence[Reminder]:
    """Move messages along `event`; those in a state it doesn't lead from stay as they are. The only place that does.

    What moved is in the history, which nobody can change, with `detail` (or the reason) and who did it; that a
    message was about to leave, and was taken, is what its attempt says.

    Returns:
        The messages that moved.
    """
    statement = _moving(event, *which).values(changed_at=now, reason=reason, **values).returning(Reminder)
    moved = session.scalars(statement, execution_options={"populate_existing": True}).all()
    if event not in _SILENT:
        _tell(session, ((row.clinic_id, row.id) for row in moved), event, detail or reason, now=now, by=by)
    return moved


def _moving(event: Event, *which: ColumnElement[bool]) -> Update:
    move = MOVES[event]
    also: dict[str, Any] = (
        {} if move.target in (ReminderStatus.LEASED, ReminderStatus.SENDING) else {"lease_until": None}
    )
    also |= {"withdrawn": True} if move.target in WITHDRAWN else {}
    [*sources] = move.sources
    fits = Reminder.status == sources[0] if len(sources) == 1 else Reminder.status.in_(sources)
    return update(Reminder).where(fits, *which).values(status=move.target, **also)


def _tell(
    session: Session,
    rows: Iterable[tuple[UUID, UUID]],
    event: Event,
    detail: str,
    *,
    now: datetime,
    by: UUID | None = None,
) -> None:
    """Write the history of these messages (clinic's id, message's id): one statement for all."""
    told = {"at": now, "event": event.value, "status": MOVES[event].target, "detail": detail, "entered_by": by}
    events = [{"id": new_id(), "clinic_id": clinic_id, "reminder_id": id_, **told} for clinic_id, id_ in rows]
    if events:
        session.connection().execute(_EVENT, events)


_EVENT = insert(ReminderEvent)


def lease(session: Session, *, limit: int, now: datetime) -> list[Lease]:
    """Take up to `limit` messages that are due, the one that is of use for less long first.

    No two workers get the same one.
    """
    rows = session.connection().execute(_LEASE, {"now": now, "until": now + LEASE, "most": limit}).all()
    links.renew(session, {row.course_id for row in rows if row.course_id}, now=now)
    return [Lease(row.id, row.lease_epoch) for row in sorted(rows, key=lambda row: (row.expires_at, row.send_at))]


_NOW = bindparam("now", type_=UtcInstant())


def _leasing() -> Any:
    open_ = (SCHEDULED, Reminder.send_at <= _NOW, Reminder.expires_at > _NOW)
    window = select(Reminder.id).where(*open_).order_by(Reminder.send_at).limit(WINDOW)
    due = (
        select(Reminder.id)
        .where(Reminder.id.in_(window), SCHEDULED)
        .order_by(Reminder.expires_at, Reminder.send_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time and needs none of this
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    taken = {"lease_epoch": Reminder.lease_epoch + 1, "lease_until": bindparam("until"), "changed_at": _NOW}
    columns = (Reminder.id, Reminder.lease_epoch, Reminder.course_id, Reminder.expires_at, Reminder.send_at)
    return _moving(Event.LEASE, Reminder.id.in_(select(due.c.id))).values(taken).returning(*columns)


_LEASE = _leasing()


def renew(session: Session, leases: Collection[Lease], *, now: datetime) -> None:
    """Keep what waits for its turn. One that was taken for given up, and is another worker's now, stays there."""
    held = update(Reminder).where(_any_of(leases), Reminder.status == ReminderStatus.LEASED)
    session.connection().execute(held.values(lease_until=now + LEASE))


def give_back(session: Session, leases: Collection[Lease], *, now: datetime) -> None:
    """Let another worker, or a later tick, take messages that this one can't send."""
    change(session, Event.RELEASE, _any_of(leases), now=now)


def put_off(session: Session, leases: Collection[Lease], reason: str, until: datetime, *, now: datetime) -> None:
    """Let messages wait for the way that they go by; no try is spent. What is too late by then is swept."""
    when = case((Reminder.expires_at < until, Reminder.expires_at), else_=until)
    change(session, Event.RELEASE, _any_of(leases), now=now, reason=reason, send_at=when)


def _any_of(leases: Collection[Lease]) -> ColumnElement[bool]:
    return tuple_(Reminder.id, Reminder.lease_epoch).in_([(lease.reminder_id, lease.epoch) for lease in leases])


def _mine(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (Reminder.id == lease.reminder_id, Reminder.lease_epoch == lease.epoch)


def settle(session: Session, verdicts: Mapping[Lease, Verdict], *, now: datetime) -> None:
    """Let happen to leased messages what `look` found."""
    untold: list[Reminder] = []
    for lease, verdict in verdicts.items():
        when: dict[str, Any] = {} if verdict.send_at is None else {"send_at": verdict.send_at}
        moved = change(session, verdict.event, *_mine(lease), now=now, reason=verdict.reason, **when)
        untold += moved if verdict.event in undelivered.ASKING else ()
    undelivered.ask_each(session, untold, now=now)


def mark(session: Session, letter: Letter, *, now: datetime, words: int = 1) -> bool:
    """Write down that the message is about to leave; only then may the caller touch the network.

    One conditional UPDATE asks again for everything the message rests on: the lease, the course's visits unchanged
    since `look`, the address still to be written to, and, for a text, no other text left meanwhile. The lease begins
    anew, so that there is time to send in.

    Args:
        words: The version of its words.

    Returns:
        Whether it is marked. If not, nothing was changed and nothing may be sent.
    """
    values = {
        "of": letter.lease.reminder_id,
        "epoch": letter.lease.epoch,
        "now": now,
        "until": now + LEASE,
        "way": letter.channel,
        "contact": letter.contact_id,
        "course": letter.course_id,
        "versions": letter.versions,
        "user": letter.user_id,
        "patient": letter.patient_id,
        "since": now - WEEK,
        "texts": letter.texts,
        "words": words,
    }
    text = letter.channel is ReminderChannel.SMS
    if text:
        # Two texts to one patient wait for each other here, so that both can't be the last that is allowed.
        session.execute(_locking(), {"contact": letter.contact_id})
    query = _marking(letter.course_id is not None, letter.user_id is not None, text, letter.purpose is Purpose.DIGEST)
    row = session.connection().execute(query, values).one_or_none()
    if row is None:
        return False
    # Who was written to, when, and why so: kept as written. It takes the place of an entry in the audit's chain, whose
    # end every page locks: a thousand messages at once would make everybody wait.
    attempt = {"id": new_id(), "clinic_id": row.clinic_id, "address": letter.address, "why": letter.why}
    attempt |= {"reminder_id": letter.lease.reminder_id, "lease_epoch": letter.lease.epoch, "started_at": now}
    session.connection().execute(_ATTEMPT, attempt)
    return True


_ATTEMPT = insert(Attempt)


@cache
def _locking() -> Select[UUID]:
    return select(ContactPoint.id).where(ContactPoint.id == bindparam("contact")).with_for_update()


@cache
def _marking(course: bool, staff: bool, text: bool, digest: bool) -> Any:
    mine = (Reminder.id == bindparam("of"), Reminder.lease_epoch == bindparam("epoch"), Reminder.lease_until > _NOW)
    rests_on = [*mine, _staff_reached(digest) if staff else _may_be_written_to()]
    if course:
        versions = select(func.sum(Visit.version)).where(Visit.course_id == bindparam("course")).scalar_subquery()
        rests_on.append(func.coalesce(versions, 0) == bindparam("versions"))
    if text:
        rests_on.append(_texts_that_left() == bindparam("texts"))
    leaves = {
        "attempts": Reminder.attempts + 1,
        "channel": bindparam("way", type_=Reminder.channel.type),
        "contact_point_id": bindparam("contact"),
        "template_version": bindparam("words"),
        "lease_until": bindparam("until"),
        "sent_at": _NOW,
        "changed_at": _NOW,
        "reason": "",
    }
    return _moving(Event.MARK, *rests_on).values(leaves).returning(Reminder.clinic_id)


def _may_be_written_to() -> ColumnElement[bool]:
    return exists().where(
        ContactPoint.id == bindparam("contact"),
        ContactPoint.consent_at.is_not(None),
        ContactPoint.opted_out_at.is_(None),
        ContactPoint.invalid_at.is_(None),
        ContactPoint.ended_at.is_(None),
    )


def _staff_reached(digest: bool) -> ColumnElement[bool]:
    wants = (UserAccount.no_digest_at.is_(None),) if digest else ()
    return exists().where(UserAccount.id == bindparam("user"), UserAccount.disabled_at.is_(None), *wants)


def _texts_that_left() -> ColumnElement[int]:
    other = Reminder.__table__.alias("other")
    counted = select(func.count()).where(
        other.c.patient_id == bindparam("patient"),
        other.c.channel == ReminderChannel.SMS,
        other.c.sent_at >= bindparam("since"),
        other.c.status.in_(LEFT),
        other.c.id != bindparam("of"),
    )
    return counted.scalar_subquery()


def record(session: Session, lease: Lease, result: Result, *, now: datetime, chance: float) -> None:
    """Write down what became of a marked message: taken, to be tried again, refused, or nobody knows.

    A worker that comes back after its lease changes nothing but its own attempt.

    Args:
        chance: Where in its spread the pause before the next try falls, 0 <= chance < 1.
    """
    ids = {"of": lease.reminder_id, "epoch": lease.epoch}
    said = {"came_to": result.outcome, "said": result.detail, "now": now}
    session.connection().execute(_END, ids | said | {"name": result.external_id, "parts": result.segments})
    if result.outcome is AttemptOutcome.ACCEPTED:
        session.connection().execute(_ACCEPT, ids | {"now": now})
        return
    marked = select(Reminder).where(*_mine(lease), Reminder.status == ReminderStatus.SENDING)
    for short in session.scalars(marked).all():
        _fall_short(session, short, lease, result, now, chance)


_THIS = (Attempt.reminder_id == bindparam("of"), Attempt.lease_epoch == bindparam("epoch"))
_END = (
    update(Attempt)
    .where(*_THIS, Attempt.outcome != AttemptOutcome.ACCEPTED)  # written down, and the answer of the database was lost
    .values(
        outcome=bindparam("came_to", type_=Attempt.outcome.type),
        detail=bindparam("said"),
        ended_at=_NOW,
        # A receipt that came before may have told us already.
        external_id=func.coalesce(bindparam("name"), Attempt.external_id),
        segments=func.coalesce(bindparam("parts"), Attempt.segments),
    )
)
_ACCEPT = _moving(Event.ACCEPT, Reminder.id == bindparam("of"), Reminder.lease_epoch == bindparam("epoch")).values(
    changed_at=_NOW, reason=""
)


def _fall_short(session: Session, row: Reminder, lease: Lease, result: Result, now: datetime, chance: float) -> None:
    event, reason, send_at = _consequence(row, result, now, chance)
    more: dict[str, Any] = {} if send_at is None else {"send_at": send_at}
    if not result.spent:
        more["attempts"] = Reminder.attempts - 1
    detail = f"{reason} {result.detail}".strip()
    for moved in change(session, event, *_mine(lease), now=now, reason=reason, detail=detail, **more):
        if result.bad_address and moved.contact_point_id:
            session.get_one(ContactPoint, moved.contact_point_id).invalid_at = now
        if result.opted_out and moved.contact_point_id:
            _stop(session, moved, now)
        if event in undelivered.ASKING:
            undelivered.ask(session, moved, now=now)


def _stop(session: Session, row: Reminder, now: datetime) -> None:
    actor = Actor(row.clinic_id, None, None, "reminders")
    consent.stop(session, actor, session.get_one(ContactPoint, row.contact_point_id), consent.BY_TEXT, now=now)


def _consequence(row: Reminder, result: Result, now: datetime, chance: float) -> tuple[Event, str, datetime | None]:
    who = _("The text service") if row.channel is ReminderChannel.SMS else _("The mail server")
    match result.outcome:
        case AttemptOutcome.DEFERRED:
            again = _again(row, result, now, chance)
            if again is not None:
                return Event.DEFER, _("%(who)s could not take it; being tried again.", who=who), again
            return Event.REFUSE, _("%(who)s could not take it in time.", who=who), None
        case AttemptOutcome.REFUSED:
            return Event.REFUSE, result.reason or _("%(who)s refused it.", who=who), None
        case _:
            return Event.LOSE, _("%(who)s fell silent after it had the message.", who=who), None


def _again(row: Reminder, result: Result, now: datetime, chance: float) -> datetime | None:
    if result.wait is None:
        return next_try(row.attempts, now, row.expires_at, chance=chance)
    again = now + max(result.wait, PAUSES[0])
    return again if again < row.expires_at else None
