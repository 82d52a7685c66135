"""Plan what a course's patient is to be told: the difference between what there should be and what there is.

Called in the transaction that books, moves, cancels or finishes, so that a message and its reason are one commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from tracker.errors import NotFound
from tracker.models import Course, ProtocolVersion, Reminder, Visit, VisitEvent, new_id
from tracker.rules import cadence
from tracker.rules.cadence import Purpose, QuietHours, Wanted
from tracker.rules.delivery import LIVE, UNSENT, Event
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderStatus, VisitStatus
from tracker.services import clinic, delivery, links
from tracker.services.clinic import ClinicInfo
from tracker.text import gettext as _

Key = tuple[str, UUID, datetime]

# Every booking and every move runs these, so they are put together once.
_NEW = insert(Reminder)
_MOVED = (
    select(VisitEvent.visit_id, func.max(VisitEvent.entered_at))
    .where(VisitEvent.visit_id.in_(bindparam("visits", expanding=True)), VisitEvent.kind == "moved")
    .group_by(VisitEvent.visit_id)
)
_KEPT = select(Reminder).where(
    Reminder.course_id == bindparam("course"),
    Reminder.purpose.not_in(cadence.TOLD_ONCE),
    Reminder.status.not_in((ReminderStatus.CANCELLED, ReminderStatus.SUPERSEDED)),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """How many messages a plan wrote, gave another time, and called back."""

    added: int = 0
    retimed: int = 0
    called_back: int = 0


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
    place = clinic.info(session, course.clinic_id)
    session.flush()  # new visits get their ids
    moved = {} if begins else _moved(session, visits)
    should_be = {_key(message, course): message for message in _wanted(session, place, course, visits, moved)}
    there_is = {} if begins else _kept(session, course)
    if visits:
        link = links.first_link if begins else links.course_link
        link(session, course, last_visit=max(visit.starts_at for visit in visits), now=now)
    missing = [message for key, message in should_be.items() if key not in there_is and message.expires_at > now]
    if missing:
        # A score of rows a course: as plain rows they take a third of the time.
        session.connection().execute(_NEW, [_row(course, message, now) for message in missing])
    if changed and (message := _change(session, place, course, visits, now)):
        session.add(Reminder(**_row(course, message, now)))
    unwanted = [row for key, row in there_is.items() if key not in should_be and row.status in UNSENT]
    _call_back(session, unwanted, should_be.values(), now)
    retimed = [_retime(there_is[key], message, now) for key, message in should_be.items() if key in there_is]
    return Planned(len(missing), sum(retimed), len(unwanted))


def _moved(session: Session, visits: Iterable[Visit]) -> dict[UUID, datetime]:
    return dict(session.connection().execute(_MOVED, {"visits": [visit.id for visit in visits]}).all())


def _wanted(
    session: Session, place: ClinicInfo, course: Course, visits: Iterable[Visit], moved: Mapping[UUID, datetime]
) -> list[Wanted]:
    planned = [
        cadence.PlannedVisit(visit.id, visit.starts_at, visit.status, moved.get(visit.id, visit.created_at))
        for visit in visits
        if visit.lost_at is None
    ]
    steps = session.get_one(ProtocolVersion, course.protocol_id).protocol.cadence
    return cadence.wanted(planned, steps, zone=place.zone, quiet=QuietHours(), booked_at=course.created_at)


def _change(
    session: Session, place: ClinicInfo, course: Course, visits: Sequence[Visit], now: datetime
) -> Wanted | None:
    """Return the message that says which dates are to come now, or that none is left; None if none is needed."""
    ahead = [visit.starts_at for visit in visits if visit.status in cadence.AHEAD and visit.lost_at is None]
    off = [visit.starts_at for visit in visits if visit.status is VisitStatus.CANCELLED and visit.starts_at > now]
    about = ahead or off
    waiting = select(Reminder.id).where(
        Reminder.course_id == course.id,
        Reminder.purpose.in_((Purpose.ITINERARY, Purpose.CHANGED)),
        Reminder.status.in_(UNSENT),
    )
    if not about or session.scalar(waiting.limit(1)):
        return None
    until = max(min(about) - cadence.LAST_CALL, now + cadence.LAST_CALL)
    settled = now + cadence.SETTLES
    due_at = max(now, cadence.outside_quiet(settled, zone=place.zone, quiet=QuietHours(), until=until))
    return Wanted(Purpose.CHANGED, None, now, due_at, max(until, due_at + cadence.LAST_CALL))


def tell_closed(session: Session, visit: Visit, *, now: datetime) -> None:
    """Write, once, that a visit's day fell out: it goes out at once, at any hour, or not at all."""
    said = select(Reminder.id).where(
        Reminder.subject_id == visit.id, Reminder.purpose == Purpose.CLOSED, Reminder.subject_at == visit.starts_at
    )
    if session.scalar(said) is None:
        message = Wanted(Purpose.CLOSED, visit.id, visit.starts_at, now, now + cadence.CLOSED_WITHIN)
        session.add(Reminder(**_row(session.get_one(Course, visit.course_id), message, now)))
        session.flush()


def _key(message: Wanted, course: Course) -> Key:
    return (message.purpose, message.visit_id or course.id, message.about)


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
        "subject_id": message.visit_id or course.id,
        "subject_at": message.about,
        "purpose": message.purpose,
        "send_at": message.due_at,
        "expires_at": message.expires_at,
        "status": ReminderStatus.SCHEDULED,
        "created_at": now,
        "changed_at": now,
    }


def _call_back(session: Session, rows: Iterable[Reminder], instead: Iterable[Wanted], now: datetime) -> None:
    """Call back each row: superseded where the same is now said of another time, else cancelled."""
    replaced = {(message.purpose, message.visit_id) for message in instead}
    for row in rows:
        if (row.purpose, row.visit_id) in replaced:
            event, reason = Event.SUPERSEDE, _("The visit moved; another message takes its place.")
        else:
            event, reason = Event.CANCEL, _("The visit is off.")
        delivery.change(session, event, Reminder.id == row.id, reason=reason, now=now)


def _retime(row: Reminder, message: Wanted, now: datetime) -> bool:
    """Give a waiting message its new times; one that was tried already keeps the time of its next try."""
    if row.status not in LIVE or (row.send_at, row.expires_at) == (message.due_at, message.expires_at):
        return False
    if row.status != ReminderStatus.SCHEDULED or row.attempts or row.send_at <= now:
        return False
    row.send_at, row.expires_at, row.changed_at = message.due_at, message.expires_at, now
    return True
