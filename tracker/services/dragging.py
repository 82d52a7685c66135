"""Moving a visit on the board: where it may go on that day, and why it may not go elsewhere."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Visit
from tracker.rules import dragging, planner
from tracker.rules.permissions import Actor
from tracker.rules.plan import PlanRequest
from tracker.rules.vocabulary import VisitStatus
from tracker.services import clinic, moving
from tracker.services.places import Place
from tracker.text import gettext as _


def allowed(session: Session, actor: Actor, visit_id: UUID, day: date, *, now: datetime) -> dict[UUID, list[datetime]]:
    """Return the starts of a visit on `day` by room; none for a visit that has begun or is over.

    Raises:
        NotFound: The visit is not this clinic's.
    """
    visit, series, request = _asked(session, actor, visit_id, day, now)
    if visit.status is not VisitStatus.BOOKED:
        return {}
    before, after = series.around(visit.ordinal)
    found = dragging.starts_by_room(request, day, before=before, after=after)
    return {room: [start for start in starts if not moving.too_long(request, start)] for room, starts in found.items()}


def why_not(session: Session, actor: Actor, visit_id: UUID, place: Place, *, now: datetime) -> str:
    """Say why a visit can't be put there; empty: it can.

    Raises:
        NotFound: The visit is not this clinic's.
    """
    day = place.starts_at.astimezone(clinic.info(session, actor.clinic_id).zone).date()
    visit, series, request = _asked(session, actor, visit_id, day, now)
    if visit.status is not VisitStatus.BOOKED:
        return _("This visit has begun or is over, so it stays where it is.")
    before, after = series.around(visit.ordinal)
    try:
        planner.place(request, visit.ordinal, place.starts_at, room_id=place.room_id, before=before, after=after)
        moving.check_span(request, place.starts_at)
    except Refused as refusal:
        return refusal.message
    return ""


def _asked(
    session: Session, actor: Actor, visit_id: UUID, day: date, now: datetime
) -> tuple[Visit, moving.Standing, PlanRequest]:
    course_id = clinic.get(session, actor, Visit, visit_id).course_id
    series = moving.standing(session, actor, course_id)
    visit = next(one for one in series.visits if one.id == visit_id)
    others = [one for one in series.counted if one.id != visit.id]
    return visit, series, moving.request_for(session, series, (day, day), moved=[visit], given=others, now=now)
