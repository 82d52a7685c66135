"""Take what is due, mark it, send it, write down what became of it. The network is never touched in here.

The order is the promise: `lease` (nobody else takes it) → `look` (what to say, or why not) → `mark` (from now on it may
have left) → the caller sends → `record`. Whoever dies before the mark has sent nothing; what was marked and never
recorded is uncertain, a task for a person, and never sent again by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from tracker.models import Attempt, Clinic, ContactPoint, Patient, PatientLink, Reminder, Visit, WorkerHeartbeat
from tracker.rules import cadence
from tracker.rules.cadence import Fit, Purpose, QuietHours
from tracker.rules.delivery import LEASE, MOVES, Event, next_try
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import AttemptOutcome, ContactChannel, ReminderChannel, ReminderStatus, VisitStatus
from tracker.services import audit, links, undelivered
from tracker.text import gettext as _

LOOK_AGAIN = timedelta(minutes=30)  # at a visit that should be over and isn't recorded as such


@dataclass(frozen=True, slots=True)
class Lease:
    """One message in the hands of one worker. The epoch tells this worker from one that had it before."""

    reminder_id: UUID
    epoch: int


@dataclass(frozen=True, slots=True)
class VisitTime:
    """A visit as a message speaks of it."""

    id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """All that a message says and depends on, as it was when looked at."""

    lease: Lease
    purpose: Purpose
    clinic: Clinic
    patient_id: UUID
    first_name: str
    language: str
    contact_id: UUID
    address: str
    about: datetime
    visits: tuple[VisitTime, ...]  # those to come (itinerary; none if all are off), else the one it is about
    link: PatientLink | None
    course_id: UUID
    versions: int  # of all visits of the course: any change makes it another number


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a message isn't sent now: what happens to it instead, and until when it waits."""

    event: Event
    reason: str
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a try to send came to, and what the mail server said."""

    outcome: AttemptOutcome
    detail: str = ""
    bad_address: bool = False  # the server knows nobody there


@dataclass(frozen=True, slots=True)
class Swept:
    """How many messages went back to be sent, are uncertain, are too late; the last two are tasks now."""

    back: int
    uncertain: int
    late: int


def change(
    session: Session, event: Event, *which: ColumnElement[bool], now: datetime, reason: str = "", **values: object
) -> Sequence[Reminder]:
    """Move messages along `event`; those in a state it doesn't lead from stay as they are. The only place that does.

    Returns:
        The messages that moved.
    """
    move = MOVES[event]
    held = {} if move.target in (ReminderStatus.LEASED, ReminderStatus.SENDING) else {"lease_until": None}
    statement = (
        update(Reminder)
        .where(Reminder.status.in_(move.sources), *which)
        .values(status=move.target, changed_at=now, reason=reason, **held, **values)
        .returning(Reminder)
    )
    return session.scalars(statement, execution_options={"populate_existing": True}).all()


def lease(session: Session, *, limit: int, now: datetime) -> list[Lease]:
    """Take up to `limit` messages that are due, of two at one time the one that is of use for less long first.

    No two workers get the same one.
    """
    due = (
        select(Reminder.id)
        .where(Reminder.status == ReminderStatus.SCHEDULED, Reminder.send_at <= now, Reminder.expires_at > now)
        .order_by(Reminder.send_at, Reminder.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time and needs none of this
        .cte("due")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    taken = change(
        session,
        Event.LEASE,
        Reminder.id.in_(select(due.c.id)),
        now=now,
        lease_epoch=Reminder.lease_epoch + 1,
        lease_until=now + LEASE,
    )
    links.renew(session, {row.course_id for row in taken if row.course_id}, now=now)
    return [Lease(row.id, row.lease_epoch) for row in sorted(taken, key=lambda row: (row.send_at, row.expires_at))]


def give_back(session: Session, lease: Lease, *, now: datetime) -> None:
    """Let another worker, or a later tick, take a message that this one can't send in time."""
    change(session, Event.RELEASE, *_mine(lease), now=now)


def _mine(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (Reminder.id == lease.reminder_id, Reminder.lease_epoch == lease.epoch)


def sweep(session: Session, *, now: datetime) -> Swept:
    """Look after messages whose worker is gone, and those that came too late to be of use."""
    over = Reminder.lease_until <= now
    back = change(session, Event.RELEASE, over, now=now)
    lost = change(session, Event.LOSE, over, now=now, reason=_("The sender stopped in the middle of it."))
    late = change(
        session,
        Event.EXPIRE,
        Reminder.status == ReminderStatus.SCHEDULED,
        Reminder.expires_at <= now,
        now=now,
        reason=_("It could not go out while it was of use."),
    )
    for row in lost:
        _close_attempt(session, row.id, row.lease_epoch, Result(AttemptOutcome.UNCERTAIN, row.reason), now)
    # In the order of clinics, so that two sweeps never wait for each other's end of an audit chain.
    for row in sorted((*lost, *late), key=lambda row: (row.clinic_id, row.id)):
        undelivered.ask(session, row, now=now)
    return Swept(len(back), len(lost), len(late))


def look(session: Session, lease: Lease, *, now: datetime) -> Letter | Verdict | None:
    """Return what to say, or what is to become of the message instead; None if it isn't this worker's any more."""
    row = session.scalars(select(Reminder).where(*_mine(lease), Reminder.status == ReminderStatus.LEASED)).first()
    if row is None or row.course_id is None or row.patient_id is None:
        return None
    visits = session.scalars(select(Visit).where(Visit.course_id == row.course_id).order_by(Visit.starts_at)).all()
    clinic = session.get_one(Clinic, row.clinic_id)
    told = [v for v in visits if v.id == row.visit_id or (row.visit_id is None and _to_come(v))]
    verdict = _untimely(row, told, now) if told else _about_none(row, visits)
    verdict = verdict or _quiet(row, clinic, now)
    if verdict:
        return verdict
    point, why_not = reach(session, row.patient_id)
    if point is None:
        return Verdict(Event.SUPPRESS, why_not)
    patient = session.get_one(Patient, row.patient_id)
    return Letter(
        lease=lease,
        purpose=row.purpose,
        clinic=clinic,
        patient_id=row.patient_id,
        first_name=patient.preferred_name or patient.given_name,
        language=patient.language,
        contact_id=point.id,
        address=point.address,
        about=row.subject_at,
        visits=tuple(VisitTime(v.id, v.version, v.starts_at, v.ends_at) for v in told),
        link=links.find_course_link(session, row.course_id),
        course_id=row.course_id,
        versions=sum(visit.version for visit in visits),
    )


def _to_come(visit: Visit) -> bool:
    return visit.status in cadence.AHEAD and visit.lost_at is None


def _about_none(row: Reminder, visits: Sequence[Visit]) -> Verdict | None:
    """Nothing is said where no visit is to come, but that it is so, if what was to come was cancelled."""
    off = any(visit.status is VisitStatus.CANCELLED and visit.starts_at > row.subject_at for visit in visits)
    return None if off and row.purpose is Purpose.CHANGED else Verdict(Event.CANCEL, _("No visit is to come."))


def _untimely(row: Reminder, told: Sequence[Visit], now: datetime) -> Verdict | None:
    if row.visit_id is not None and told[0].starts_at != row.subject_at:
        return Verdict(Event.SUPERSEDE, _("The visit moved; another message takes its place."))
    fits = cadence.fit(row.purpose, told[0].status)
    if row.purpose is not Purpose.CLOSED and told[0].lost_at:
        return Verdict(Event.CANCEL, _("Its day fell out."))
    if fits is Fit.NEVER:
        return Verdict(Event.CANCEL, _("The visit is off, or has begun."))
    if fits is Fit.NOT_YET:
        return _wait(row, now + LOOK_AGAIN, _("The visit isn't recorded as finished."))
    return None


def _quiet(row: Reminder, clinic: Clinic, now: datetime) -> Verdict | None:
    quiet = QuietHours()
    # Somebody who would come to a closed door is told at any hour: what she agreed to says so.
    if row.purpose is Purpose.CLOSED or not quiet.cover(now.astimezone(clinic.zone).time()):
        return None
    morning = cadence.outside_quiet(now, zone=clinic.zone, quiet=quiet, until=row.expires_at)
    return _wait(row, max(morning, now), _("Nothing goes out at night.")) if morning > now else _too_late()


def _wait(row: Reminder, until: datetime, reason: str) -> Verdict:
    return Verdict(Event.RELEASE, reason, until) if until < row.expires_at else _too_late(reason)


def _too_late(reason: str = "") -> Verdict:
    return Verdict(Event.EXPIRE, reason or _("It could not go out while it was of use."))


def reach(session: Session, patient_id: UUID) -> tuple[ContactPoint | None, str]:
    """Return the e-mail address that a patient may be written to, or None and why there is none."""
    points = session.scalars(
        select(ContactPoint)
        .where(
            ContactPoint.patient_id == patient_id,
            ContactPoint.channel == ContactChannel.EMAIL,
            ContactPoint.ended_at.is_(None),
        )
        .order_by(ContactPoint.consent_at.desc(), ContactPoint.id)
    ).all()
    if not points:
        return None, _("No e-mail address.")
    for point in points:
        if point.consent_at and not point.opted_out_at and not point.invalid_at:
            return point, ""
    if points[0].opted_out_at:
        return None, _("The patient wants no messages.")
    return None, _("The mail server refused this address.") if points[0].invalid_at else _("No consent to e-mail.")


def settle(session: Session, lease: Lease, verdict: Verdict, *, now: datetime) -> None:
    """Let happen to a leased message what `look` found."""
    when = {} if verdict.send_at is None else {"send_at": verdict.send_at}
    for row in change(session, verdict.event, *_mine(lease), now=now, reason=verdict.reason, **when):
        if verdict.event in undelivered.ASKING:
            undelivered.ask(session, row, now=now)


def mark(session: Session, letter: Letter, *, now: datetime, seconds: float) -> bool:
    """Write down that the message is about to leave; only then may the caller touch the network.

    One conditional UPDATE asks again for everything the message rests on: the lease with `seconds` to send in, the
    course's visits unchanged since `look`, the address still to be written to.

    Returns:
        Whether it is marked. If not, nothing was changed and nothing may be sent.
    """
    versions = select(func.sum(Visit.version)).where(Visit.course_id == letter.course_id).scalar_subquery()
    may_be_written_to = exists().where(
        ContactPoint.id == letter.contact_id,
        ContactPoint.consent_at.is_not(None),
        ContactPoint.opted_out_at.is_(None),
        ContactPoint.invalid_at.is_(None),
        ContactPoint.ended_at.is_(None),
    )
    marked = change(
        session,
        Event.MARK,
        *_mine(letter.lease),
        Reminder.lease_until >= now + timedelta(seconds=seconds),
        versions == letter.versions,
        may_be_written_to,
        now=now,
        attempts=Reminder.attempts + 1,
        channel=ReminderChannel.EMAIL,
        sent_at=now,
        contact_point_id=letter.contact_id,
    )
    for row in marked:
        session.add(
            Attempt(
                clinic_id=row.clinic_id,
                reminder_id=row.id,
                lease_epoch=row.lease_epoch,
                address=letter.address,
                started_at=now,
                outcome=AttemptOutcome.SENDING,
            )
        )
        _note(session, row, "send message", now)
    return bool(marked)


def record(session: Session, lease: Lease, result: Result, *, now: datetime, chance: float) -> None:
    """Write down what became of a marked message: taken, to be tried again, refused, or nobody knows.

    A worker that comes back after its lease changes nothing but its own attempt.

    Args:
        chance: Where in its spread the pause before the next try falls, 0 <= chance < 1.
    """
    _close_attempt(session, lease.reminder_id, lease.epoch, result, now)
    row = session.scalars(select(Reminder).where(*_mine(lease))).first()
    if row is None:
        return
    event, reason, send_at = _consequence(row, result, now, chance)
    when = {} if send_at is None else {"send_at": send_at}
    for moved in change(session, event, *_mine(lease), now=now, reason=reason, **when):
        if result.bad_address:
            session.get_one(ContactPoint, moved.contact_point_id).invalid_at = now
        if event in undelivered.ASKING:
            undelivered.ask(session, moved, now=now)


def _consequence(row: Reminder, result: Result, now: datetime, chance: float) -> tuple[Event, str, datetime | None]:
    match result.outcome:
        case AttemptOutcome.ACCEPTED:
            return Event.ACCEPT, "", None
        case AttemptOutcome.DEFERRED:
            again = next_try(row.attempts, now, row.expires_at, chance=chance)
            if again is not None:
                return Event.DEFER, _("The mail server could not take it; being tried again."), again
            return Event.REFUSE, _("The mail server could not take it in time."), None
        case AttemptOutcome.REFUSED:
            return Event.REFUSE, _("The mail server refused it."), None
        case _:
            return Event.LOSE, _("The mail server fell silent after it had the message."), None


def _close_attempt(session: Session, reminder_id: UUID, epoch: int, result: Result, now: datetime) -> None:
    session.execute(
        update(Attempt)
        .where(Attempt.reminder_id == reminder_id, Attempt.lease_epoch == epoch)
        .values(outcome=result.outcome, detail=result.detail, ended_at=now)
    )


def _note(session: Session, row: Reminder, action: str, now: datetime) -> None:
    actor = Actor(row.clinic_id, None, None, "reminders")
    audit.record(session, actor, action, patient_id=row.patient_id, subject=f"message {row.id}", now=now)


def beat(session: Session, name: str, *, now: datetime) -> None:
    """Say that the worker `name` is alive."""
    session.merge(WorkerHeartbeat(name=name, beat_at=now))
