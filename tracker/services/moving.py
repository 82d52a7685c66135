"""Move one visit that is booked. `replacing` makes up for one that was missed, `shifting` moves the rest as one course.

Whoever moves sends along what was shown (`seen`, `version`); it is looked at once more with everything locked, and a
page that is older than somebody else's change moves nothing. What the patient asked for when the series was booked is
kept by every move; a place that somebody chose by hand goes before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from tracker.errors import Refused, Stale
from tracker.models import Claim, Course, Resource, Visit, VisitEvent
from tracker.rules import planner
from tracker.rules.fields import Command, Line, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import Alternative, PlannedVisit, PlanRequest, Wishes
from tracker.rules.protocol import Protocol
from tracker.rules.spacing import span_days
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.visit import say as say_status
from tracker.rules.vocabulary import VisitStatus
from tracker.services import audit, capacity, clinic, followup, reminders, telling
from tracker.services.clinic import ClinicInfo
from tracker.services.places import ChosenPlace, hold, visit_at
from tracker.text import gettext as _
from tracker.text import say_instant

# As `Standing.seen` writes it.
Seen = Annotated[Line, StringConstraints(pattern=r"^[0-9]+(\.[0-9a-f]{6}-[0-9]+)*$")]
AHEAD = timedelta(weeks=6)  # how far a move looks beyond the last visit


@dataclass(frozen=True)
class Standing:
    """A series as it stands: its course, and all its visits in order of time, those that don't count too."""

    clinic: ClinicInfo
    course: Course
    visits: Sequence[Visit]

    @cached_property
    def protocol(self) -> Protocol:
        """The version the series was booked under."""
        return self.course.protocol.protocol

    @cached_property
    def limits(self) -> Protocol:
        """The same with the longest gap that was granted."""
        return self.protocol.with_longer_gap(self.wishes(date.min).longest_gap)

    def wishes(self, earliest: date) -> Wishes:
        """Return what the patient asked for, for places from `earliest` on."""
        kept = self.course.wishes
        return replace(Wishes.from_data(kept), earliest=earliest) if kept else Wishes(earliest)

    @cached_property
    def counted(self) -> list[Visit]:
        """The visits that count, in the order of their numbers."""
        return sorted((one for one in self.visits if one.status not in NOT_COUNTED), key=lambda one: one.ordinal)

    @property
    def missing(self) -> list[int]:
        """The numbers that no visit holds: missed, not treated or cancelled, and not replaced yet."""
        held = {one.ordinal for one in self.counted}
        return [n for n in range(1, self.protocol.visits + 1) if n not in held]

    @property
    def seen(self) -> str:
        """What a form carries, to notice that somebody changed a visit of the series since."""
        return ".".join([str(len(self.counted)), *(f"{str(one.id)[-6:]}-{one.version}" for one in self.counted)])

    def day(self, instant: datetime) -> date:
        """Return the clinic's calendar day of an instant."""
        return instant.astimezone(self.clinic.zone).date()

    def said(self, instant: datetime) -> str:
        """Return an instant in words."""
        return say_instant(instant, self.clinic.zone, self.clinic.country)

    def around(self, ordinal: int) -> tuple[datetime | None, datetime | None]:
        """Return the starts of the visits before and after a number."""
        before = max((one.starts_at for one in self.counted if one.ordinal < ordinal), default=None)
        after = min((one.starts_at for one in self.counted if one.ordinal > ordinal), default=None)
        return before, after


def standing(session: Session, actor: Actor, course_id: UUID) -> Standing:
    """Return a series as it stands. NotFound: it is not this clinic's."""
    course = clinic.get(session, actor, Course, course_id, joinedload(Course.protocol))
    visits = session.scalars(select(Visit).where(Visit.course_id == course_id).order_by(Visit.starts_at))
    return Standing(clinic.info(session, actor.clinic_id), course, list(visits))


def locked(session: Session, actor: Actor, course_id: UUID) -> Standing:
    """Return a series as it stands, when nobody else can change it or claim anything of the clinic any more."""
    course = clinic.get(session, actor, Course, course_id)
    capacity.lock(session, clinic.info(session, actor.clinic_id), course.patient_id)
    clinic.get(session, actor, Course, course_id, lock=True)
    session.expire_all()  # others may have moved it while we waited
    return standing(session, actor, course_id)


def request_for(
    session: Session,
    series: Standing,
    days: tuple[date, date],
    *,
    moved: Iterable[Visit],
    given: Iterable[Visit],
    now: datetime,
    wishes: Wishes | None = None,
) -> PlanRequest:
    """Ask for places on `days`; what the `moved` visits hold is free, the `given` ones stay where they are.

    What the patient wishes is what was asked for at booking, unless `wishes` say otherwise.
    """
    first, last = days
    protocol, course = series.protocol, series.course
    free = capacity.load(
        session,
        series.clinic,
        first,
        max(first, last),
        patients=[course.patient_id],
        without=[one.id for one in moved],
        apart=protocol.min_gap,
    )
    wishes = wishes or series.wishes(first)
    starts = tuple(one.starts_at for one in given)
    return PlanRequest(protocol, free, course.patient_id, wishes, now, starts, country=series.clinic.country)


def put(
    session: Session,
    actor: Actor,
    series: Standing,
    moves: Sequence[tuple[Visit, PlannedVisit]],
    reason: str | None,
    *,
    now: datetime,
) -> bool:
    """Give booked visits their places, and keep the history of those that move; return whether the patient is to know.

    What a patient confirmed of a visit whose time changes is to be confirmed again.
    """
    session.execute(delete(Claim).where(Claim.visit_id.in_([visit.id for visit, _planned in moves])))
    told = False
    for visit, planned in moves:
        if (visit.starts_at, visit.room_id) != (planned.starts_at, planned.room_id):
            note(session, actor, visit, _went(session, series, visit, planned), reason, now=now)
        if visit.starts_at != planned.starts_at or visit.lost_at:
            visit.confirmed_at = visit.driver_confirmed_at = visit.lost_at = None
            followup.call_off(session, no_place(visit), visit.clinic_id, now=now)
            telling.settle(session, actor, visit, _("Moved"), now=now)
            told = True
        visit.starts_at, visit.ends_at = planned.starts_at, planned.ends_at
        visit.room_id, visit.nurse_id, visit.physician_id = planned.room_id, planned.nurse_id, planned.physician_id
    session.flush()
    hold(session, moves)
    return told


def no_place(visit: Visit) -> str:
    """Return the key of the task that says a visit can't take place where it stands, and has no other place."""
    return f"no_place:{visit.id}"


def _went(session: Session, series: Standing, visit: Visit, planned: PlannedVisit) -> str:
    if visit.starts_at != planned.starts_at:
        return f"{series.said(visit.starts_at)} → {series.said(planned.starts_at)}"
    rooms = (session.get_one(Resource, room_id).name for room_id in (visit.room_id, planned.room_id))
    return " → ".join(rooms)


def note(session: Session, actor: Actor, visit: Visit, went: str, reason: str | None, *, now: datetime) -> None:
    """Keep in a visit's history how it came to its place."""
    session.add(
        VisitEvent(
            clinic_id=visit.clinic_id,
            visit_id=visit.id,
            kind="moved",
            occurred_at=now,
            entered_at=now,
            entered_by=actor.user_id,
            detail=" · ".join(filter(None, (went, reason))),
        )
    )


def history(session: Session, visit_ids: Sequence[UUID]) -> dict[UUID, list[VisitEvent]]:
    """Return how visits came to their places, each visit's moves in their order."""
    query = select(VisitEvent).where(VisitEvent.visit_id.in_(visit_ids), VisitEvent.kind == "moved")
    found: dict[UUID, list[VisitEvent]] = defaultdict(list)
    for event in session.scalars(query.order_by(VisitEvent.entered_at, VisitEvent.id)):
        found[event.visit_id].append(event)
    return found


def follow(
    session: Session, actor: Actor, series: Standing, done: str, subject: str, *, told: bool, now: datetime
) -> None:
    """Plan again what follows from the visits, tell the patient once if there is news, and leave the entry."""
    course = series.course
    visits = list(session.scalars(select(Visit).where(Visit.course_id == course.id).order_by(Visit.starts_at)))
    followup.plan_for_course(session, actor, course, visits, now=now)
    reminders.plan_for_course(session, actor, course, visits, now=now, changed=told)
    audit.record(session, actor, done, patient_id=course.patient_id, subject=subject, now=now)


def too_long(request: PlanRequest, starts_at: datetime) -> bool:
    """Return whether the series would take too many days with another visit there."""
    return span_days([*request.given, starts_at], request.free.days.zone) > request.limits.max_span_days


def check_span(request: PlanRequest, starts_at: datetime) -> None:
    if too_long(request, starts_at):
        days = request.limits.max_span_days
        said = _("Then the series would take more than %(n)s days. Choose an earlier day.", n=days)
        raise Refused(said, field="place")


def check_seen(series: Standing, seen: str) -> None:
    """Raise Stale if the series is no longer as a form showed it."""
    if series.seen != seen:
        raise Stale(_("Somebody changed this series since you opened it. Look at it again."))


def add(
    session: Session,
    actor: Actor,
    series: Standing,
    planned: PlannedVisit,
    missed: Visit | None,
    reason: str | None,
    *,
    now: datetime,
) -> Visit:
    """Add a visit to a series and hold its place; its history says instead of which it is."""
    visit = Visit(**visit_at(series.course, planned, now))
    session.add(visit)
    session.flush()
    if missed:
        was = {"when": series.said(missed.starts_at), "state": say_status(missed.status)}
        note(session, actor, visit, _("Instead of %(when)s (%(state)s)", **was), reason, now=now)
        followup.call_off(session, followup.to_replace(missed.id), missed.clinic_id, now=now)
    hold(session, [(visit, planned)])
    return visit


class MoveVisit(Command):
    """Where a visit goes; `version` is the visit's as it was shown."""

    place: ChosenPlace
    version: Number
    reason: Line | None = None


def move_options(session: Session, actor: Actor, visit_id: UUID, *, now: datetime) -> list[Alternative]:
    """Return other places for a visit between its neighbours, the best first."""
    visit = clinic.get(session, actor, Visit, visit_id)
    series = standing(session, actor, visit.course_id)
    return alternatives(move_request(session, series, visit, now), series, visit, visit.starts_at)


def alternatives(request: PlanRequest, series: Standing, visit: Visit, instead_of: datetime) -> list[Alternative]:
    before, after = series.around(visit.ordinal)
    found = planner.alternatives(
        request,
        visit.ordinal,
        instead_of=instead_of,
        room_id=visit.room_id,
        physician_id=visit.physician_id,
        before=before,
        after=after,
    )
    return [one for one in found if not too_long(request, one.visit.starts_at)]


def move_request(session: Session, series: Standing, visit: Visit, now: datetime) -> PlanRequest:
    """Ask for places of one visit; it may go as far as its neighbours let it."""
    before, after = series.around(visit.ordinal)
    last = series.day(after) if after else max(series.day(now), series.day(visit.starts_at)) + AHEAD
    first = max(series.day(now), series.day(before)) if before else series.day(now)
    others = [one for one in series.counted if one.id != visit.id]
    return request_for(session, series, (first, last), moved=[visit], given=others, now=now)


def move_visit(session: Session, actor: Actor, visit_id: UUID, wanted: MoveVisit, *, now: datetime) -> Visit:
    """Put one visit elsewhere between its neighbours. What the patient confirmed is to be confirmed again.

    Raises:
        NotFound: The visit is not this clinic's.
        Stale: Somebody changed the visit since the form was opened.
        Refused: It has begun or is over, the place is taken, too near to a neighbour, or the series grows too long.
    """
    series = locked(session, actor, clinic.get(session, actor, Visit, visit_id).course_id)
    visit = next(one for one in series.visits if one.id == visit_id)
    if visit.version != wanted.version:
        raise Stale(_("Somebody changed this visit since you opened it. Look at it again."))
    if visit.status is not VisitStatus.BOOKED:
        raise Refused(_("This visit has begun or is over, so it stays where it is."))
    request = move_request(session, series, visit, now)
    near = dict(zip(("before", "after"), series.around(visit.ordinal), strict=True))
    planned = planner.place(request, visit.ordinal, wanted.place.starts_at, room_id=wanted.place.room_id, **near)
    check_span(request, planned.starts_at)
    told = put(session, actor, series, [(visit, planned)], wanted.reason, now=now)
    follow(session, actor, series, "move visit", f"visit {visit.id}", told=told, now=now)
    return visit
