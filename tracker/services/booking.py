"""Book a series, and move a visit of it: all of it in one transaction, or nothing.

A plan that was shown is not held. Whoever books sends the chosen places back; here they are looked at once more, with
everything locked, and the database has the last word.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from tracker.errors import Refused, Stale
from tracker.models import Claim, Course, Patient, ProtocolVersion, Visit, VisitEvent
from tracker.rules import explain, planner
from tracker.rules.fields import ClockTime, ComingDay, Command, Line, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import Alternative, Plan, PlannedVisit, PlanRequest, Wishes
from tracker.rules.protocol import Protocol
from tracker.rules.spacing import span_days
from tracker.rules.vocabulary import Indication, VisitStatus
from tracker.services import audit, capacity, clinic, followup, reminders
from tracker.services.clinic import ClinicInfo
from tracker.text import gettext as _
from tracker.text import say_instant

AHEAD = timedelta(weeks=6)  # how far a plan looks beyond the first day
OFF = frozenset({VisitStatus.CANCELLED, VisitStatus.NO_SHOW, VisitStatus.HELD})


@dataclass(frozen=True)
class Place:
    """One visit as chosen from a plan: when, and in which room. Whoever is free then treats."""

    starts_at: datetime
    room_id: UUID


def as_place(visit: PlannedVisit) -> Place:
    """Return the place of a visit that was shown."""
    return Place(visit.starts_at, visit.room_id)


def spell(visit: PlannedVisit) -> str:
    """Return the place of a visit as a form carries it."""
    return f"{visit.starts_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}~{visit.room_id}"


def _place(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _SPELLED.fullmatch(value)
    try:
        return Place(datetime.fromisoformat(found[1]), UUID(found[2])) if found else None
    except ValueError:
        raise ValueError(_("This is not one of the places shown. Choose one again.")) from None


# As `spell` writes it, and nothing else that Python would read.
_SPELLED = re.compile(
    r"(20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]Z)~([0-9a-f-]{36})"
)
ChosenPlace = Annotated[Place, BeforeValidator(_place)]


class PlanCourse(Command):
    """What a coordinator asks for: which series, from which day, at which hour if it can be."""

    protocol_id: UUID
    first_day: ComingDay
    preferred_time: ClockTime | None = None


class BookCourse(PlanCourse):
    """The plan that was chosen from those shown."""

    indication: Indication
    visit: tuple[ChosenPlace, ...]


@dataclass(frozen=True)
class Options:
    """What a coordinator chooses from: plans, or why there is none."""

    protocol: Protocol
    plans: Sequence[Plan]
    names: Mapping[UUID, str]  # of rooms and staff
    why_not: Sequence[str] = ()

    def nurses(self, plan: Plan) -> list[str]:
        """Return the names of the nurses of a plan, in the order of their first visit."""
        return list(dict.fromkeys(self.names[visit.nurse_id] for visit in plan.visits))


def options(session: Session, actor: Actor, patient_id: UUID, asked: PlanCourse, *, now: datetime) -> Options:
    """Return the best plans for what is asked.

    Raises:
        NotFound: The patient or the protocol is not this clinic's.
    """
    place = clinic.info(session, actor.clinic_id)
    clinic.get(session, actor, Patient, patient_id)
    request = _request(session, actor, place, patient_id, asked, now)
    plans = planner.plan(request)
    names = {resource.id: resource.name for resource in request.free.resources}
    return Options(request.protocol, plans, names, () if plans else tuple(explain.why_nothing_fits(request)))


def _request(
    session: Session, actor: Actor, place: ClinicInfo, patient_id: UUID, asked: PlanCourse, now: datetime
) -> PlanRequest:
    row = clinic.get(session, actor, ProtocolVersion, asked.protocol_id)
    last = asked.first_day + AHEAD
    if isinstance(asked, BookCourse) and asked.visit:  # nothing beyond the chosen days matters any more
        last = min(last, max(one.starts_at for one in asked.visit).astimezone(place.zone).date())
    protocol = Protocol.from_data(row.definition)
    free = capacity.load(session, place, asked.first_day, last, patient_id=patient_id, apart=protocol.min_gap)
    wishes = Wishes(earliest=asked.first_day, preferred_time=asked.preferred_time)
    return PlanRequest(protocol, free, patient_id, wishes, now, country=place.country)


def protocols(session: Session, actor: Actor) -> list[ProtocolVersion]:
    """Return the clinic's protocols that can be booked."""
    query = select(ProtocolVersion).where(
        ProtocolVersion.clinic_id == actor.clinic_id, ProtocolVersion.retired_at.is_(None)
    )
    return list(session.scalars(query.order_by(ProtocolVersion.code)))


def book_course(session: Session, actor: Actor, patient_id: UUID, wanted: BookCourse, *, now: datetime) -> Course:
    """Book every visit of the chosen plan, with claims, messages and follow-up tasks; or nothing.

    Raises:
        NotFound: The patient or the protocol is not this clinic's.
        Refused: A place was taken meanwhile, or the places break the protocol.
    """
    place = clinic.info(session, actor.clinic_id)
    capacity.lock(session, place, patient_id)
    patient = clinic.get(session, actor, Patient, patient_id)
    row = clinic.get(session, actor, ProtocolVersion, wanted.protocol_id)
    planned = _hold(_request(session, actor, place, patient_id, wanted, now), wanted.visit)
    course = Course(
        clinic_id=place.id,
        patient_id=patient.id,
        protocol_id=row.id,
        indication=wanted.indication,
        sequence=1 + _courses_before(session, patient.id, row),
        created_at=now,
        created_by=actor.user_id,
    )
    session.add(course)
    session.flush()
    visits = [_visit(course, planned_visit, now) for planned_visit in planned]
    session.add_all(visits)
    session.flush()
    _claim(session, list(zip(visits, planned, strict=True)))
    reminders.plan_for_course(session, actor, course, visits, now=now)
    followup.plan_for_course(session, actor, course, visits, now=now)
    audit.record(session, actor, "book course", patient_id=patient.id, subject=f"course {course.id}", now=now)
    return course


def _hold(request: PlanRequest, chosen: Sequence[Place]) -> list[PlannedVisit]:
    """Return the chosen places as visits with their claims, if each is still free and the protocol allows them."""
    protocol, zone = request.protocol, request.free.days.zone
    chosen = sorted(chosen, key=lambda one: one.starts_at)
    if len(chosen) != protocol.visits:
        raise Refused(_("This series has %(n)s visits. Choose one of the options.", n=protocol.visits), field="visit")
    if span_days([one.starts_at for one in chosen], zone) > protocol.max_span_days:
        raise Refused(_("This series would take too long. Choose one of the options."), field="visit")
    return planner.place_series(request, [(one.starts_at, one.room_id) for one in chosen])


def _courses_before(session: Session, patient_id: UUID, protocol: ProtocolVersion) -> int:
    same = (
        select(Course.id)
        .join(ProtocolVersion)
        .where(Course.patient_id == patient_id, ProtocolVersion.code == protocol.code)
    )
    return len(session.scalars(same).all())


def _visit(course: Course, planned: PlannedVisit, now: datetime) -> Visit:
    return Visit(
        clinic_id=course.clinic_id,
        course_id=course.id,
        patient_id=course.patient_id,
        ordinal=planned.ordinal,
        starts_at=planned.starts_at,
        ends_at=planned.ends_at,
        room_id=planned.room_id,
        nurse_id=planned.nurse_id,
        physician_id=planned.physician_id,
        status=VisitStatus.BOOKED,
        created_at=now,
    )


def _claim(session: Session, held: Sequence[tuple[Visit, PlannedVisit]]) -> None:
    rows = [
        {
            "clinic_id": visit.clinic_id,
            "visit_id": visit.id,
            "resource_id": claim.resource_id,
            "lane": claim.lane,
            "starts_at": claim.starts_at,
            "ends_at": claim.ends_at,
        }
        for visit, planned in held
        for claim in planned.claims
    ]
    try:
        session.execute(insert(Claim), rows)
    except IntegrityError as error:  # the guard of last resort: another process, or a bug of ours
        said = _("A place was taken this very moment. Nothing was booked. Look again.")
        raise Refused(said, field="visit") from error


def release(session: Session, visit: Visit) -> None:
    """Give back everything a visit holds: it is cancelled, missed, not treated, or about to be placed elsewhere."""
    session.execute(delete(Claim).where(Claim.visit_id == visit.id))


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
    _claim(session, [(visit, planned)])
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
    given = tuple(one.starts_at for one in siblings if one.status not in OFF and one.id != visit.id)
    return PlanRequest(protocol, free, visit.patient_id, Wishes(earliest=today), now, given, country=place.country)


def _too_long(request: PlanRequest, starts_at: datetime) -> bool:
    """Return whether the series would take too many days with the moved visit there."""
    return span_days([*request.given, starts_at], request.free.days.zone) > request.protocol.max_span_days


def _neighbours(visit: Visit, siblings: Sequence[Visit]) -> tuple[datetime | None, datetime | None]:
    """Return the starts of the visits before and after this one that count."""
    others = [one for one in siblings if one.status not in OFF and one.id != visit.id]
    before = max((one.starts_at for one in others if one.ordinal < visit.ordinal), default=None)
    after = min((one.starts_at for one in others if one.ordinal > visit.ordinal), default=None)
    return before, after
