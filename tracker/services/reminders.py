"""Plan what a course's patient is to be told: the difference between what there should be and what there is.

Called in the transaction that books, moves, cancels or finishes, so that a message and its reason are one commit.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from tracker.errors import NotFound
from tracker.models import Course, Patient, ProtocolVersion, Reminder, Task, Visit, VisitEvent, new_id
from tracker.rules import cadence
from tracker.rules.cadence import Asked, LeftOut, PlannedVisit, Purpose, QuietHours, Wanted
from tracker.rules.delivery import LIVE, UNSENT, UNTOLD, Event
from tracker.rules.followup import CANT_COME
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderStatus, TaskStatus, VisitStatus
from tracker.services import cadences, clinic, delivery, links
from tracker.services.letters import ASKED_WITHIN
from tracker.text import gettext as _

Key = tuple[str, UUID, datetime]

# A check-in in one of these states was asked, or may have been.
ASKED = frozenset({ReminderStatus.SENDING, ReminderStatus.ACCEPTED, ReminderStatus.DELIVERED, ReminderStatus.UNCERTAIN})

# Every booking and every move runs these, so they are put together once.
_NEW = insert(Reminder)
_MOVED = (
    select(VisitEvent.visit_id, func.max(VisitEvent.entered_at))
    .where(VisitEvent.visit_id.in_(bindparam("visits", expanding=True)), VisitEvent.kind == "moved")
    .group_by(VisitEvent.visit_id)
)
_ZONE = select(Patient.zone_name).where(Patient.id == bindparam("patient"))
_OPEN = select(Task.kind, Task.id, Task.visit_id, Task.opens_at, Task.due_at).where(
    Task.course_id == bindparam("course"), Task.status == TaskStatus.OPEN
)
_KEPT = select(Reminder).where(
    Reminder.course_id == bindparam("course"),
    Reminder.purpose.not_in(cadence.TOLD_ONCE),
    Reminder.withdrawn.is_(False),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """How many messages a plan wrote, gave another time, and called back.

    `alone` are check-ins beside those: the reminder that would have asked reached nobody, and no change led here.
    """

    added: int = 0
    retimed: int = 0
    called_back: int = 0
    alone: int = 0

    def __add__(self, other: "Planned") -> "Planned":
        """Return both together."""
        called_back, alone = self.called_back + other.called_back, self.alone + other.alone
        return Planned(self.added + other.added, self.retimed + other.retimed, called_back, alone)


def plan_for_course(
    session: Session,
    actor: Actor,
    course: Course,
    visits: Sequence[Visit],
    *,
    now: datetime,
    changed: bool = False,
    begins: bool = False,
) -> Planned:
    """Write, retime and call back messages until they are what the course's visits ask for.

    Doing it twice changes nothing. A message that left, or is leaving, is never written again for the same thing.

    Args:
        visits: All visits of the course as they stand in this transaction, cancelled ones too.
        changed: Dates were changed after they were told: one message says all that are to come, as they are when it
            leaves. None is written while one that says them (or the itinerary) still waits.
        begins: The course was booked in this transaction, so there is nothing yet to compare with.

    Raises:
        NotFound: The course belongs to another clinic.
    """
    if course.clinic_id != actor.clinic_id:
        raise NotFound(_("There is no such course."))
    session.flush()  # new visits get their ids
    there_is = {} if begins else _kept(session, course)
    basis = basis_of(session, course, visits, there_is, begins=begins)
    considered = basis.considered()
    should_be = {key_of(message, course): message for message in considered if message.left_out is None}
    if visits:
        link = links.first_link if begins else links.course_link
        link(session, course, last_visit=max(visit.starts_at for visit in visits), now=now)
    missing = [message for key, message in should_be.items() if key not in there_is and message.expires_at > now]
    if missing:
        # A score of rows a course: as plain rows they take a third of the time.
        session.connection().execute(_NEW, [_row(course, message, now) for message in missing])
    if changed and (message := _change(session, basis, course, visits, now)):
        session.add(Reminder(**_row(course, message, now)))
    unwanted = [row for key, row in there_is.items() if key not in should_be and row.status in UNSENT]
    _call_back(session, unwanted, basis, considered, now)
    retimed = [_retime(there_is[key], message, now) for key, message in should_be.items() if key in there_is]
    alone = sum(message.alone for message in missing)
    return Planned(len(missing) - alone, sum(retimed), len(unwanted), alone)


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a course's messages are planned from. `zone` is where the patient lives."""

    visits: Sequence[PlannedVisit]
    asked: Sequence[Asked]
    cadence: cadence.Cadence
    quiet: QuietHours
    zone: ZoneInfo
    booked_at: datetime

    def considered(self) -> list[Wanted]:
        """Return every message that the cadence names, those left out with the reason."""
        return cadence.considered(
            self.visits, self.cadence, zone=self.zone, quiet=self.quiet, booked_at=self.booked_at, asked=self.asked
        )


def basis_of(
    session: Session, course: Course, visits: Iterable[Visit], there_is: Mapping[Key, Reminder], *, begins: bool = False
) -> Basis:
    """Return what a course's messages are planned from, as it stands in this transaction.

    Args:
        there_is: Its messages by what they say.
    """
    moved = {} if begins else _moved(session, visits)
    protocol = session.get_one(ProtocolVersion, course.protocol_id).protocol
    codes = {step.code for step in protocol.programme if step.owner is None}
    # Of a series that begins nobody has said anything yet.
    tasks = session.connection().execute(_OPEN, {"course": course.id}).all() if codes or not begins else ()
    off = {task.visit_id for task in tasks if task.kind == CANT_COME}
    inside = [row.sent_at for row in there_is.values() if row.asks_how and row.status in ASKED and row.sent_at]
    planned = [
        PlannedVisit(
            visit.id,
            visit.starts_at,
            visit.status,
            told_at=moved.get(visit.id, visit.created_at),
            confirmed=visit.confirmed_at is not None,
            cant_come=visit.id in off,
            untold=_status(there_is, Purpose.VISIT, visit) in UNTOLD,
            asked_how=_status(there_is, Purpose.NEXT_DAY, visit) in ASKED,
            asked_inside=any(visit.starts_at < at < visit.starts_at + ASKED_WITHIN for at in inside),
        )
        for visit in visits
        if visit.lost_at is None
    ]
    own = cadences.of_clinic(session, course.clinic_id)
    asked = [Asked(task.id, task.opens_at, task.due_at) for task in tasks if task.kind in codes]
    return Basis(planned, asked, own.of(protocol), own.quiet, zone_of(session, course), course.created_at)


def _status(there_is: Mapping[Key, Reminder], purpose: Purpose, visit: Visit) -> ReminderStatus | None:
    row = there_is.get((purpose, visit.id, visit.starts_at))
    return row.status if row else None


def zone_of(session: Session, course: Course) -> ZoneInfo:
    """Return where the patient of a course lives, which is where the clinic is unless she said otherwise."""
    name = session.connection().execute(_ZONE, {"patient": course.patient_id}).scalar_one()
    return ZoneInfo(name) if name else clinic.info(session, course.clinic_id).zone


def _moved(session: Session, visits: Iterable[Visit]) -> dict[UUID, datetime]:
    return dict(session.connection().execute(_MOVED, {"visits": [visit.id for visit in visits]}).all())


def _change(session: Session, basis: Basis, course: Course, visits: Sequence[Visit], now: datetime) -> Wanted | None:
    """Return the message that says which dates are to come now, or that none is left; None if none is needed."""
    ahead = [visit.starts_at for visit in visits if visit.status in cadence.AHEAD and visit.lost_at is None]
    off = [visit.starts_at for visit in visits if visit.status is VisitStatus.CANCELLED and visit.starts_at > now]
    about = ahead or off
    if not about or _dates_wait(session, course, now):
        return None
    until = max(min(about) - cadence.LAST_CALL, now + cadence.LAST_CALL)
    settled = now + cadence.SETTLES
    due_at = max(now, cadence.outside_quiet(settled, zone=basis.zone, quiet=basis.quiet, until=until))
    return Wanted(Purpose.CHANGED, None, now, due_at, max(until, due_at + cadence.LAST_CALL))


def _dates_wait(session: Session, course: Course, now: datetime) -> bool:
    """Return whether a message that says all dates waits; nobody sends it before this transaction is over.

    One that a worker holds was looked at as it was before: it goes back, and is looked at again. Unlocked, it could be
    marked between our asking and our commit, say what was so, and nothing would follow.
    """
    dates = (Reminder.course_id == course.id, Reminder.purpose.in_((Purpose.ITINERARY, Purpose.CHANGED)))
    delivery.change(session, Event.RELEASE, *dates, now=now)
    waiting = select(Reminder.id).where(*dates, Reminder.status == ReminderStatus.SCHEDULED)
    return bool(session.scalars(waiting.with_for_update()).all())


def tell_closed(session: Session, visit: Visit, *, now: datetime) -> None:
    """Write, once, that a visit's day fell out: it goes out at once, at any hour, or not at all."""
    said = select(Reminder.id).where(
        Reminder.subject_id == visit.id, Reminder.purpose == Purpose.CLOSED, Reminder.subject_at == visit.starts_at
    )
    if session.scalar(said) is None:
        message = Wanted(Purpose.CLOSED, visit.id, visit.starts_at, now, now + cadence.CLOSED_WITHIN)
        session.add(Reminder(**_row(session.get_one(Course, visit.course_id), message, now)))
        session.flush()


def key_of(message: Wanted, course: Course) -> Key:
    """Return what a message says, whatever becomes of it: about what, why, and of which time."""
    return (message.purpose, message.visit_id or message.task_id or course.id, message.about)


def _kept(session: Session, course: Course) -> dict[Key, Reminder]:
    """Return the course's messages by what they say. One called back says nothing, and may be written again."""
    rows = session.scalars(_KEPT, {"course": course.id})
    return {(row.purpose, row.subject_id, row.subject_at): row for row in rows}


def _row(course: Course, message: Wanted, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "clinic_id": course.clinic_id,
        "patient_id": course.patient_id,
        "course_id": course.id,
        "visit_id": message.visit_id,
        "task_id": message.task_id,
        "subject_id": message.visit_id or message.task_id or course.id,
        "subject_at": message.about,
        "purpose": message.purpose,
        "asks_how": message.asks_how,
        "send_at": message.due_at,
        "expires_at": message.expires_at,
        "status": ReminderStatus.SCHEDULED,
        "created_at": now,
        "changed_at": now,
    }


def plan_again(session: Session, actor: Actor, course_id: UUID, *, now: datetime) -> None:
    """Plan a course's messages anew after its patient said whether she comes.

    Args:
        course_id: Of the course, locked by the caller (`clinic.lock_course`).
    """
    visits = session.scalars(select(Visit).where(Visit.course_id == course_id).order_by(Visit.starts_at)).all()
    plan_for_course(session, actor, session.get_one(Course, course_id), visits, now=now)


def _call_back(
    session: Session, rows: Iterable[Reminder], basis: Basis, considered: Iterable[Wanted], now: datetime
) -> None:
    """Call back each row: superseded where the same is now said of another time, else cancelled."""
    instead = {(message.purpose, message.visit_id or message.task_id): message.left_out for message in considered}
    live = {visit.id for visit in basis.visits if visit.status in cadence.AHEAD}
    for row in rows:
        key = (row.purpose, row.visit_id or row.task_id)
        if key in instead and instead[key] is None:
            event, reason = Event.SUPERSEDE, _("The visit moved; another message takes its place.")
        else:
            event, reason = Event.CANCEL, _why_not(row, instead.get(key), live)
        delivery.change(session, event, Reminder.id == row.id, reason=reason, now=now)


def _why_not(row: Reminder, left_out: LeftOut | None, live: Container[UUID]) -> str:
    if left_out:
        return say_left_out(left_out)
    if row.purpose is Purpose.QUESTIONNAIRE:
        return _("It is answered, or not asked any more.")
    return _("The clinic's messages are others now.") if row.visit_id in live else _("The visit is off.")


def say_left_out(left_out: LeftOut) -> str:
    """Say why a message isn't planned, to the staff."""
    return {
        LeftOut.BEFORE_BOOKING: _("Its time was before the booking; the list of dates says it."),
        LeftOut.TOLD: _("The message about the change says it."),
        LeftOut.TOO_LATE: _("It would come too late to be of use."),
        LeftOut.INSIDE: _("Asked in the reminder of the same day."),
        LeftOut.CONFIRMED: _("The patient has confirmed."),
        LeftOut.CANT_COME: _("The patient can't come; somebody is to call."),
    }[left_out]


def _retime(row: Reminder, message: Wanted, now: datetime) -> bool:
    """Give a waiting message its new times.

    One that was tried already keeps the time of its next try, and so does what waits for a reason: it was put off, or
    somebody wants it sent again.
    """
    if row.status in UNTOLD and not message.asks_how:
        row.asks_how = False  # asked by itself now; sent again by hand, it doesn't ask a second time
    if row.status not in LIVE:
        return False
    asks = row.asks_how != message.asks_how and row.status in UNSENT
    if asks:
        row.asks_how = message.asks_how
    moves = (row.send_at, row.expires_at) != (message.due_at, message.expires_at)
    if row.status != ReminderStatus.SCHEDULED or row.attempts or row.reason or row.send_at <= now:
        moves = False
    if moves:
        row.send_at, row.expires_at = message.due_at, message.expires_at
    if asks or moves:
        row.changed_at = now
    return asks or moves
