"""Move a visit that is booked: it gives its place back, and holds another one between its neighbours."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from tracker.errors import Refused, Stale
from tracker.models import Course, Visit, VisitEvent
from tracker.rules import planner
from tracker.rules.fields import Command, Line, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import Alternative, PlanRequest, Wishes
from tracker.rules.protocol import Protocol
from tracker.rules.spacing import span_days
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import VisitStatus
from tracker.services import audit, capacity, clinic, followup, reminders
from tracker.services.clinic import ClinicInfo
from tracker.services.places import ChosenPlace, hold, release
from tracker.text import gettext as _
from tracker.text import say_instant

AHEAD = timedelta(weeks=6)  # how far a move looks beyond the last visit


class MoveVisit(Command):
    """Where a visit goes; `version` is the visit's as it was shown."""

    place: ChosenPlace
    version: Number
    reason: Line | None = None


def move_options(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> list[Alternative]:
    """Return other places for a visit between its neighbours, the best first."""
    place = clinic.info(session, actor.clinic_id)
    visit, siblings = _with_siblings(session, actor, visit_id)
    before, after = _neighbours(visit, siblings)
    request = _move_request(session, place, visit, siblings, now)
    found = planner.alternatives(
        request,
        visit.ordinal,
        instead_of=visit.starts_at,
        room_id=visit.room_id,
        physician_id=visit.physician_id,
        before=before,
        after=after,
    )
    return [one for one in found if not _too_long(request, one.visit.starts_at)]


def move_visit(session: Session, actor: Actor, visit_id: UUID, wanted: MoveVisit, *, now: datetime) -> Visit:
    """Put one visit elsewhere between its neighbours. What the patient confirmed is to be confirmed again.

    Raises:
        NotFound: The visit is not this clinic's.
        Stale: Somebody changed the visit since the form was opened.
        Refused: It has begun or is over, the place is taken, too near to a neighbour, or the series grows too long.
    """
    place = clinic.info(session, actor.clinic_id)
    capacity.lock(session, place, clinic.get(session, actor, Visit, visit_id).patient_id)
    clinic.lock_course(session, actor, visit_id)
    session.expire_all()  # others may have moved it while we waited
    visit, siblings = _with_siblings(session, actor, visit_id)
    if visit.version != wanted.version:
        raise Stale(_("Somebody changed this visit since you opened it. Look at it again."))
    if visit.status is not VisitStatus.BOOKED:
        raise Refused(_("This visit has begun or is over, so it stays where it is."))
    request = _move_request(session, place, visit, siblings, now)
    near = dict(zip(("before", "after"), _neighbours(visit, siblings), strict=True))
    planned = planner.place(request, visit.ordinal, wanted.place.starts_at, room_id=wanted.place.room_id, **near)
    if _too_long(request, planned.starts_at):
        days = request.protocol.max_span_days
        raise Refused(
            _("Then the series would take more than %(n)s days. Choose an earlier day.", n=days), field="place"
        )
    before = say_instant(visit.starts_at, place.zone, place.country)
    release(session, visit)
    session.flush()
    visit.starts_at, visit.ends_at = planned.starts_at, planned.ends_at
    visit.room_id, visit.nurse_id, visit.physician_id = planned.room_id, planned.nurse_id, planned.physician_id
    visit.confirmed_at = visit.driver_confirmed_at = None
    hold(session, [(visit, planned)])
    after = say_instant(visit.starts_at, place.zone, place.country)
    session.add(
        VisitEvent(
            clinic_id=visit.clinic_id,
            visit_id=visit.id,
            kind="moved",
            occurred_at=now,
            entered_at=now,
            entered_by=actor.user_id,
            detail=" · ".join(filter(None, (f"{before} → {after}", wanted.reason))),
        )
    )
    session.flush()
    reminders.plan_for_course(session, actor, visit.course, siblings, now=now)
    followup.plan_for_course(session, actor, visit.course, siblings, now=now)
    audit.record(session, actor, "move visit", patient_id=visit.patient_id, subject=f"visit {visit.id}", now=now)
    return visit


def _with_siblings(session: Session, actor: Actor, visit_id: UUID) -> tuple[Visit, list[Visit]]:
    loaded = joinedload(Visit.course).joinedload(Course.protocol)
    visit = clinic.get(session, actor, Visit, visit_id, loaded)
    siblings = session.scalars(select(Visit).where(Visit.course_id == visit.course_id).order_by(Visit.starts_at))
    return visit, list(siblings)


def _move_request(
    session: Session, place: ClinicInfo, visit: Visit, siblings: Sequence[Visit], now: datetime
) -> PlanRequest:
    today = now.astimezone(place.zone).date()
    last = max(one.starts_at for one in siblings).astimezone(place.zone).date()
    protocol = Protocol.from_data(visit.course.protocol.definition)
    free = capacity.load(
        session,
        place,
        today,
        max(last, today) + AHEAD,
        patient_id=visit.patient_id,
        without=[visit.id],
        apart=protocol.min_gap,
    )
    given = tuple(one.starts_at for one in siblings if one.status not in NOT_COUNTED and one.id != visit.id)
    return PlanRequest(protocol, free, visit.patient_id, Wishes(earliest=today), now, given, country=place.country)


def _too_long(request: PlanRequest, starts_at: datetime) -> bool:
    """Return whether the series would take too many days with the moved visit there."""
    return span_days([*request.given, starts_at], request.free.days.zone) > request.protocol.max_span_days


def _neighbours(visit: Visit, siblings: Sequence[Visit]) -> tuple[datetime | None, datetime | None]:
    """Return the starts of the visits before and after this one that count."""
    others = [one for one in siblings if one.status not in NOT_COUNTED and one.id != visit.id]
    before = max((one.starts_at for one in others if one.ordinal < visit.ordinal), default=None)
    after = min((one.starts_at for one in others if one.ordinal > visit.ordinal), default=None)
    return before, after
