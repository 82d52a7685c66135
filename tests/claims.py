"""What is held, against what the visits say: the books are balanced when `imbalances()` is empty."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import joinedload

from tracker import db
from tracker.models import Claim, Course, Resource, Visit
from tracker.rules.availability import STARTS_LANE
from tracker.rules.block import held_spans
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol
from tracker.rules.spacing import spacing_faults
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import VisitStatus

Held = tuple[UUID, bool, datetime, datetime]  # resource, whether it is the lane of the starts, from, until


def overlaps(clinic_id: UUID | None = None) -> int:
    """Count pairs of claims that share a lane and time."""
    with db.read() as session:
        columns = (Claim.resource_id, Claim.lane, Claim.starts_at, Claim.ends_at)
        claims = session.execute(select(*columns).where(_of(Claim, clinic_id)).order_by(*columns)).all()
    return sum(one[:2] == two[:2] and two[2] < one[3] for one, two in pairwise(claims))


def _of(model: Any, clinic_id: UUID | None) -> ColumnElement[bool]:
    return model.clinic_id == clinic_id if clinic_id else true()


def imbalances(clinic_id: UUID | None = None) -> list[str]:
    """List visits that don't hold exactly what their block needs where they stand."""
    with db.read() as session:
        query = select(Visit).options(joinedload(Visit.course).joinedload(Course.protocol))
        visits = list(session.scalars(query.where(_of(Visit, clinic_id))))
        lanes = dict(session.execute(select(Resource.id, Resource.lanes)).all())
        claims = list(session.scalars(select(Claim).where(_of(Claim, clinic_id))))
    held: dict[UUID, Counter[Held]] = {visit.id: Counter() for visit in visits}
    for claim in claims:
        starts = claim.lane == STARTS_LANE
        held[claim.visit_id][claim.resource_id, starts, claim.starts_at, claim.ends_at] += 1
    found = [f"{claim.visit_id}: lane {claim.lane}" for claim in claims if not _is_lane(claim, lanes)]
    for visit in visits:
        wanted = Counter() if visit.status in NOT_COUNTED else needs(visit, visit.course.protocol.protocol)
        if held[visit.id] != wanted:
            found.append(f"{visit.id} ({visit.status}): holds {held[visit.id]}, not {wanted}")
    return found


def _is_lane(claim: Claim, lanes: dict[UUID, int]) -> bool:
    return claim.lane == STARTS_LANE or 1 <= claim.lane <= lanes[claim.resource_id]


def needs(visit: Visit, protocol: Protocol) -> Counter[Held]:
    """Return everything that a visit needs where it stands."""
    who = {PATIENT: visit.patient_id, ROOM: visit.room_id, NURSE: visit.nurse_id, PHYSICIAN: visit.physician_id}
    spans = [(who[what], False, span) for what, all_of in held_spans(protocol).items() for span in all_of]
    infusion = int(protocol.offset("infusion").total_seconds()) // 60
    spans.append((visit.nurse_id, True, (infusion, infusion + protocol.starts_apart)))
    at = visit.starts_at
    return Counter((of, starts, at + timedelta(minutes=a), at + timedelta(minutes=z)) for of, starts, (a, z) in spans)


def half_courses(clinic_id: UUID | None = None) -> list[str]:
    """List series that lost a visit, have a number twice, or whose visits are too near or too far from one another."""
    with db.read() as session:
        query = select(Visit).options(joinedload(Visit.course).joinedload(Course.protocol)).order_by(Visit.ordinal)
        courses = session.scalars(select(Course.id).where(_of(Course, clinic_id)))
        series: dict[UUID, list[Visit]] = {course: [] for course in courses}
        for visit in session.scalars(query.where(_of(Visit, clinic_id))):
            series[visit.course_id].append(visit)
    return [f"{course}: {fault}" for course, visits in series.items() if (fault := fault_of(visits))]


def fault_of(visits: list[Visit]) -> str:
    """Say what is wrong with the visits of one series, those that don't count among them; "" if nothing is."""
    if not visits:
        return "no visits"
    protocol = visits[0].course.protocol.protocol
    counted = [visit for visit in visits if visit.status not in NOT_COUNTED]
    numbers = [visit.ordinal for visit in counted]
    if len(visits) < protocol.visits or {visit.ordinal for visit in visits} != {*range(1, protocol.visits + 1)}:
        return f"visits {[visit.ordinal for visit in visits]} of {protocol.visits}"
    if len({*numbers}) != len(numbers):
        return f"two visits with one number: {numbers}"
    for one, two in pairwise(counted):
        # What is between is to be made up for; and what was given was given, however late.
        far = two.ordinal > one.ordinal + 1 or two.status is not VisitStatus.BOOKED
        faults = spacing_faults([one.starts_at, two.starts_at], protocol)
        if [fault for fault in faults if not far or fault.gap < protocol.min_gap]:
            return f"visit {two.ordinal} at {two.starts_at}, {one.ordinal} at {one.starts_at}"
    return ""
