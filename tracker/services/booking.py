"""Book a series: all of it in one transaction, or nothing.

A plan that was shown is not held. Whoever books sends the chosen places back; here they are looked at once more, with
everything locked, and the database has the last word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from tracker.errors import NotFound, Refused
from tracker.models import Course, Patient, ProtocolVersion, Visit, new_id
from tracker.rules import planner
from tracker.rules.fields import Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import Alternative, Plan, PlannedVisit, PlanRequest, Relaxation, WishPrice
from tracker.rules.protocol import PATIENT
from tracker.rules.spacing import span_days
from tracker.rules.vocabulary import CourseStatus, Indication
from tracker.services import audit, capacity, clinic, followup, reminders
from tracker.services.clinic import ClinicInfo
from tracker.services.places import ChosenPlace, Place, as_place, hold, visit_at
from tracker.services.wishing import MOST, WishFields
from tracker.text import gettext as _

AHEAD = timedelta(weeks=6)  # how far a plan looks beyond the first day
WIDER = timedelta(weeks=3)  # how much further, before and after, when nothing fits
_ANYBODY = UUID(int=0)  # a place that was chosen names no physician
# Every booking runs these, so they are put together once.
_COURSE, _VISITS = insert(Course), insert(Visit)


class PlanCourse(WishFields):
    """What a coordinator asks for: which series, and what the patient wishes."""

    protocol_id: UUID


class ChoosePlaces(PlanCourse):
    """A plan that was shown; `change` is the number of the visit for which other places are asked."""

    visit: Annotated[tuple[ChosenPlace, ...], Field(max_length=MOST)] = ()
    change: Number | None = None


class BookCourse(PlanCourse):
    """The plan that was chosen from those shown."""

    indication: Indication
    visit: tuple[ChosenPlace, ...]


@dataclass(frozen=True)
class Choice:
    """A plan that was chosen place by place.

    `taken` says what is no longer free and has another place now. `others` are other places for the visit `change`.
    """

    visits: Sequence[PlannedVisit]
    taken: Sequence[str] = ()
    change: int | None = None
    others: Sequence[Alternative] = ()


@dataclass(frozen=True)
class Options:
    """What a coordinator chooses from: plans, or why there is none and what would help."""

    title: str
    plans: Sequence[Plan]
    names: Mapping[UUID, str]  # of rooms and staff
    choice: Choice | None = None
    prices: Sequence[WishPrice] = ()
    helps: Sequence[Relaxation] = ()
    scarce: str = ""  # what the clinic has too little of, when no single change would help

    def nurses(self, visits: Sequence[PlannedVisit]) -> list[str]:
        """Return the names of the nurses of a plan, in the order of their first visit."""
        return list(dict.fromkeys(self.names[visit.nurse_id] for visit in visits))


def options(session: Session, actor: Actor, patient_id: UUID, asked: PlanCourse, *, now: datetime) -> Options:
    """Return the best plans for what is asked; beside them the plan that was chosen already, if one was.

    Raises:
        NotFound: The patient or the protocol is not this clinic's.
        Refused: The protocol is no longer given.
    """
    place = clinic.info(session, actor.clinic_id)
    clinic.get(session, actor, Patient, patient_id)
    row = _version(session, actor, asked.protocol_id)
    request = _request(session, place, patient_id, row, asked, now)
    plans = planner.plan(request)
    names = {resource.id: resource.name for resource in request.free.resources}
    if plans:
        prices = planner.wish_prices(request, plans[0])
        return Options(row.title, plans, names, _choice(request, asked), prices)
    first = max(asked.first_day - WIDER, now.astimezone(place.zone).date())
    wider = capacity.load(
        session,
        place,
        first,
        asked.first_day + AHEAD + WIDER,
        patients=[patient_id],
        apart=request.protocol.min_gap,
    )
    helps = planner.relaxations(request, wider)
    return Options(row.title, (), names, scarce="" if helps else planner.scarcity(request), helps=helps)


def _choice(request: PlanRequest, asked: PlanCourse) -> Choice | None:
    """Return the chosen plan, with another place for each visit whose own was taken; None: there is none, or no way."""
    if not isinstance(asked, ChoosePlaces) or len(asked.visit) != request.protocol.visits:
        return None
    chosen = sorted(asked.visit, key=lambda one: one.starts_at)
    try:
        places, taken = _mended(request, chosen)
        visits = _placed(request, places)
    except Refused:
        return None
    if asked.change is None or not 1 <= asked.change <= len(visits):
        return Choice(visits, taken)
    return Choice(visits, taken, asked.change, _others(request, visits, asked.change))


def _mended(request: PlanRequest, chosen: Sequence[Place]) -> tuple[list[Place], list[str]]:
    """Return the places, those that are taken replaced by the next best, and what was taken.

    Raises:
        Refused: There is no other place for one of them between its neighbours.
    """
    places, taken = list(chosen), []
    for n, one in enumerate(chosen):
        before, after = _around(places, n)
        try:
            planner.place(request, n + 1, one.starts_at, room_id=one.room_id, before=before, after=after)
        except Refused as refusal:
            found = _elsewhere(request, places, n)
            if not found:
                raise
            taken.append(refusal.message)
            places[n] = as_place(found[0].visit)
    return places, taken


def _around(places: Sequence[Place], n: int) -> tuple[datetime | None, datetime | None]:
    before = places[n - 1].starts_at if n else None
    return before, places[n + 1].starts_at if n + 1 < len(places) else None


def _elsewhere(
    request: PlanRequest, places: Sequence[Place], n: int, physician_id: UUID = _ANYBODY
) -> list[Alternative]:
    """Return other places for visit number `n` (from 0) between those beside it, the best first."""
    before, after = _around(places, n)
    found = planner.alternatives(
        request,
        n + 1,
        instead_of=places[n].starts_at,
        room_id=places[n].room_id,
        physician_id=physician_id,
        before=before,
        after=after,
    )
    starts = [one.starts_at for one in places]
    return [one for one in found if not _too_long(request, [*starts[:n], one.visit.starts_at, *starts[n + 1 :]])]


def _others(request: PlanRequest, visits: Sequence[PlannedVisit], number: int) -> list[Alternative]:
    places = [as_place(visit) for visit in visits]
    return _elsewhere(request, places, number - 1, visits[number - 1].physician_id)


def _version(session: Session, actor: Actor, protocol_id: UUID) -> ProtocolVersion:
    row = clinic.get(session, actor, ProtocolVersion, protocol_id)
    if row.retired_at is not None:
        said = _("%(title)s is no longer booked in this version. Choose a series from the list.", title=row.title)
        raise Refused(said, field="protocol_id")
    return row


def _request(
    session: Session, place: ClinicInfo, patient_id: UUID, row: ProtocolVersion, asked: PlanCourse, now: datetime
) -> PlanRequest:
    first, last = asked.first_day, asked.first_day + AHEAD
    if isinstance(asked, BookCourse) and asked.visit:  # nothing beyond the chosen days matters any more
        days = [one.starts_at.astimezone(place.zone).date() for one in asked.visit]
        first, last = max(first, min(days)), min(last, max(days))
    protocol = row.protocol
    free = capacity.load(session, place, first, last, patients=[patient_id], apart=protocol.min_gap)
    return PlanRequest(protocol, free, patient_id, asked.wishes, now, country=place.country)


def protocols(session: Session, actor: Actor) -> list[ProtocolVersion]:
    """Return the clinic's protocols that can be booked."""
    query = select(ProtocolVersion).where(
        ProtocolVersion.clinic_id == actor.clinic_id, ProtocolVersion.retired_at.is_(None)
    )
    return list(session.scalars(query.order_by(ProtocolVersion.code)))


def book_course(session: Session, actor: Actor, patient_id: UUID, wanted: BookCourse, *, now: datetime) -> Course:
    """Book every visit of the chosen plan, with claims, messages and follow-up tasks; or nothing.

    The course that is returned says what was written; it isn't attached, so a change to it is not saved.

    Raises:
        NotFound: The patient or the protocol is not this clinic's.
        Refused: A place was taken meanwhile, the places break the protocol, or it is no longer given.
    """
    place = clinic.info(session, actor.clinic_id)
    capacity.lock(session, place, patient_id)
    row = _version(session, actor, wanted.protocol_id)
    request = _request(session, place, patient_id, row, wanted, now)
    if not any(one.id == patient_id and one.kind == PATIENT for one in request.free.resources):
        raise NotFound(_("There is nothing here, or it isn't yours to see."))
    planned = _placed(request, sorted(wanted.visit, key=lambda one: one.starts_at))
    course_row = {
        "id": new_id(),
        "clinic_id": place.id,
        "patient_id": patient_id,
        "protocol_id": row.id,
        "indication": wanted.indication,
        "status": CourseStatus.ACTIVE,
        "sequence": 1 + _courses_before(session, patient_id, row),
        "wishes": wanted.wishes.to_data(),
        "created_at": now,
        "created_by": actor.user_id,
        "version": 1,
    }
    # As rows: attached objects would take twice as long.
    session.connection().execute(_COURSE, course_row)
    course = Course(**course_row)
    rows = [visit_at(course, one, now) for one in planned]
    session.connection().execute(_VISITS, rows)
    visits = [Visit(**row) for row in rows]
    hold(session, list(zip(visits, planned, strict=True)))
    followup.plan_for_course(session, actor, course, visits, now=now, begins=True)
    reminders.plan_for_course(session, actor, course, visits, now=now, begins=True)
    granted = {"longest_gap": wanted.longest_gap} if wanted.longest_gap else None
    subject = f"course {course.id}"
    audit.record(session, actor, "book course", patient_id=patient_id, subject=subject, detail=granted, now=now)
    return course


def _placed(request: PlanRequest, chosen: Sequence[Place]) -> list[PlannedVisit]:
    """Return the chosen places as visits with their claims, if each is still free and the protocol allows them."""
    if len(chosen) != request.protocol.visits:
        n = request.protocol.visits
        raise Refused(_("This series has %(n)s visits. Choose one of the options.", n=n), field="visit")
    if _too_long(request, [one.starts_at for one in chosen]):
        raise Refused(_("This series would take too long. Choose one of the options."), field="visit")
    return planner.place_series(request, [(one.starts_at, one.room_id) for one in chosen])


def _too_long(request: PlanRequest, starts: Sequence[datetime]) -> bool:
    return span_days(starts, request.free.days.zone) > request.limits.max_span_days


_BEFORE = (
    select(func.count())
    .select_from(Course)
    .join(ProtocolVersion)
    .where(Course.patient_id == bindparam("patient_id"), ProtocolVersion.code == bindparam("code"))
)


def _courses_before(session: Session, patient_id: UUID, protocol: ProtocolVersion) -> int:
    return session.connection().execute(_BEFORE, {"patient_id": patient_id, "code": protocol.code}).scalar_one()
