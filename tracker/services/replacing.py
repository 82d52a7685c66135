"""Replace a visit that was missed, not treated or cancelled: it does not count, so the series gets another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Visit
from tracker.rules import planner
from tracker.rules.explain import gap_obstacle
from tracker.rules.fields import Command, Line
from tracker.rules.permissions import Actor
from tracker.rules.plan import Alternative, PlanRequest
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import CourseStatus, VisitStatus
from tracker.services import clinic, moving
from tracker.services.moving import AHEAD, Seen, Standing
from tracker.services.places import ChosenPlace
from tracker.text import gettext as _


class ReplaceVisit(Command):
    """Where the visit goes that takes a missed one's place; `seen` is the series as it was shown."""

    place: ChosenPlace
    seen: Seen
    reason: Line | None = None


@dataclass(frozen=True)
class Replacement:
    """Where a missed visit could be made up for: at its place in the series, or after the last visit."""

    series: Standing
    visit: Visit
    between: Sequence[Alternative]
    at_end: Sequence[Alternative]


def replacement_options(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> Replacement:
    """Return where a visit that was missed, not treated or cancelled can be replaced.

    Raises:
        NotFound: The visit is not this clinic's.
        Refused: There is nothing to replace.
    """
    visit = clinic.get(session, actor, Visit, visit_id)
    series = moving.standing(session, actor, visit.course_id)
    _check_missing(series, visit)
    # A second later, so that a place given up by mistake is offered again.
    between = moving.alternatives(
        moving.move_request(session, series, visit, now), series, visit, visit.starts_at + timedelta(seconds=1)
    )
    return Replacement(series, visit, between, _at_end(session, series, visit, now))


def _at_end(session: Session, series: Standing, visit: Visit, now: datetime) -> list[Alternative]:
    """Return places after the last visit, if those that stay may follow one another without the missed one."""
    if not _can_close_up(series, visit):
        return []
    last = series.counted[-1].starts_at
    request = _end_request(session, series, now)
    found = planner.alternatives(
        request,
        series.protocol.visits,
        instead_of=last + timedelta(days=max(series.protocol.rhythm, default=0)),
        room_id=visit.room_id,
        physician_id=visit.physician_id,
        before=last,
    )
    return [one for one in found if not moving.too_long(request, one.visit.starts_at)]


def _can_close_up(series: Standing, missed: Visit) -> bool:
    """Return whether the visits after a missed one, if there are any, may take the numbers from its own on."""
    following = next((one for one in series.counted if one.ordinal > missed.ordinal), None)
    if following is None:
        return False
    before, _after = series.around(missed.ordinal)
    # What was given was given, however long the gap before it.
    return following.status is not VisitStatus.BOOKED or not gap_obstacle(
        series.limits, before, following.starts_at, None
    )


def _end_request(session: Session, series: Standing, now: datetime) -> PlanRequest:
    last = series.day(series.counted[-1].starts_at)
    first = max(series.day(now), last)
    return moving.request_for(session, series, (first, first + AHEAD), moved=(), given=series.counted, now=now)


def replace_visit(session: Session, actor: Actor, visit_id: UUID, wanted: ReplaceVisit, *, now: datetime) -> Visit:
    """Book a visit for one that was missed: with its number, or after the last one, and those after it move up.

    Raises:
        NotFound: The visit is not this clinic's.
        Stale: Somebody changed the series since the form was opened.
        Refused: There is nothing to replace, or the place doesn't do.
    """
    series = moving.locked(session, actor, clinic.get(session, actor, Visit, visit_id).course_id)
    missed = next(one for one in series.visits if one.id == visit_id)
    _check_missing(series, missed)
    moving.check_seen(series, wanted.seen)
    if _can_close_up(series, missed) and wanted.place.starts_at > series.counted[-1].starts_at:
        request, ordinal = _end_request(session, series, now), series.protocol.visits
        _close_up(session, series, missed.ordinal)
    else:
        request, ordinal = moving.move_request(session, series, missed, now), missed.ordinal
    near = dict(zip(("before", "after"), series.around(ordinal), strict=True))
    planned = planner.place(request, ordinal, wanted.place.starts_at, room_id=wanted.place.room_id, **near)
    moving.check_span(request, planned.starts_at)
    visit = moving.add(session, actor, series, planned, missed, wanted.reason, now=now)
    moving.follow(session, actor, series, "replace visit", f"visit {visit.id}", told=True, now=now)
    return visit


def _check_missing(series: Standing, visit: Visit) -> None:
    if series.course.status is not CourseStatus.ACTIVE:
        raise Refused(_("This series is over, so no visit of it is booked any more."))
    if visit.status not in NOT_COUNTED or visit.ordinal not in series.missing:
        raise Refused(_("This visit needs no replacement: the series has its visit %(n)s.", n=visit.ordinal))


def _close_up(session: Session, series: Standing, number: int) -> None:
    """Number the visits after a missed one from its number on: whoever comes next gets that infusion.

    Those that are still to be made up for move up as well, or nobody could tell any more which numbers are theirs.
    """
    for visit in sorted(series.visits, key=lambda one: one.ordinal):
        if visit.ordinal > number:
            visit.ordinal -= 1
            session.flush()  # one by one, lowest first: no two visits hold a number even for a moment
