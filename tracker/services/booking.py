"""Book a series: all of it in one transaction, or nothing.

A plan that was shown is not held. Whoever books sends the chosen places back; here they are looked at once more, with
everything locked, and the database has the last word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Course, Patient, ProtocolVersion
from tracker.rules import explain, planner
from tracker.rules.fields import ClockTime, ComingDay, Command
from tracker.rules.permissions import Actor
from tracker.rules.plan import Plan, PlannedVisit, PlanRequest, Wishes
from tracker.rules.protocol import Protocol
from tracker.rules.spacing import span_days
from tracker.rules.vocabulary import Indication
from tracker.services import audit, capacity, clinic, followup, reminders
from tracker.services.clinic import ClinicInfo
from tracker.services.places import ChosenPlace, Place, hold, visit_at
from tracker.text import gettext as _

AHEAD = timedelta(weeks=6)  # how far a plan looks beyond the first day


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
    planned = _checked(_request(session, actor, place, patient_id, wanted, now), wanted.visit)
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
    visits = [visit_at(course, one, now) for one in planned]
    session.add_all(visits)
    session.flush()
    hold(session, list(zip(visits, planned, strict=True)))
    reminders.plan_for_course(session, actor, course, visits, now=now)
    followup.plan_for_course(session, actor, course, visits, now=now)
    audit.record(session, actor, "book course", patient_id=patient.id, subject=f"course {course.id}", now=now)
    return course


def _checked(request: PlanRequest, chosen: Sequence[Place]) -> list[PlannedVisit]:
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
