"""The visits that lost their place, as the repair wants them, and what it found as a job keeps it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from tracker.models import Claim, Course, Visit
from tracker.rules.damage import Damage, Repair, Standing, Standings
from tracker.rules.permissions import Actor
from tracker.rules.plan import PlannedClaim, PlannedVisit, Wishes
from tracker.rules.protocol import Protocol
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import VisitStatus
from tracker.services import capacity, clinic
from tracker.services.affected import Affected, affected

KIND = "repair"
AHEAD = timedelta(weeks=5)  # how far beyond the last lost visit places are looked for
NEAR = timedelta(days=8)  # whose visits are that near to a lost one may be asked to move
# Who comes within a day is fasting soon and has a driver: nobody else's visit is moved so late, and none to so soon.
NOTICE = timedelta(hours=24)
PLANNED = TypeAdapter(PlannedVisit)


@dataclass(frozen=True)
class Was:
    """Where a visit stood when the search began."""

    starts_at: datetime
    room_id: UUID
    physician_id: UUID


WAS = TypeAdapter(Was)


def load(session: Session, actor: Actor, args: Mapping[str, Any], *, now: datetime) -> Damage:
    """Return the damage as it is now. `args["kept"]` are visits that somebody wants left where they are."""
    place = clinic.info(session, actor.clinic_id)
    lost = affected(session, actor, place, now=now)
    kept = {UUID(one) for one in args["kept"]}
    visits = _visits_near(session, actor, lost)
    courses = _courses(session, [visit.course_id for visit in visits])
    first, last = (
        one.astimezone(place.zone).date() for one in (now, max((one.starts_at for one in lost), default=now) + AHEAD)
    )
    free = capacity.load(
        session,
        place,
        first,
        last,
        patients=[course.patient_id for course in courses],
        without=[visit.id for visit in visits],
    )
    claims = _claims(session, [visit.id for visit in visits])
    gone = {one.visit_id for one in lost}
    standings = [
        _standings(course, [_standing(v, claims[v.id], gone, kept) for v in visits if v.course_id == course.id], first)
        for course in courses
    ]
    return Damage(free, tuple(standings), now + NOTICE)


def _visits_near(session: Session, actor: Actor, lost: Sequence[Affected]) -> list[Visit]:
    """Return all visits that count of the courses that lost one, or have one booked near to a lost one."""
    moments = [one.starts_at for one in lost]
    if not moments:
        return []
    near = select(Visit.course_id).where(
        Visit.clinic_id == actor.clinic_id,
        Visit.status == VisitStatus.BOOKED,
        Visit.starts_at.between(min(moments) - NEAR, max(moments) + NEAR),
    )
    query = select(Visit).where(Visit.course_id.in_(near), Visit.status.not_in(NOT_COUNTED))
    return list(session.scalars(query.order_by(Visit.ordinal)))


def _courses(session: Session, course_ids: Iterable[UUID]) -> list[Course]:
    query = select(Course).where(Course.id.in_(set(course_ids))).options(joinedload(Course.protocol))
    return list(session.scalars(query.order_by(Course.id)))


def _standings(course: Course, visits: Sequence[Standing], today: date) -> Standings:
    wishes = Wishes.from_data(course.wishes) if course.wishes else Wishes(today)
    protocol = Protocol.from_data(course.protocol.definition).with_longer_gap(wishes.longest_gap)
    return Standings(course.id, course.patient_id, protocol, wishes, tuple(visits))


def _standing(visit: Visit, claims: tuple[PlannedClaim, ...], gone: set[UUID], kept: set[UUID]) -> Standing:
    return Standing(
        id=visit.id,
        ordinal=visit.ordinal,
        starts_at=visit.starts_at,
        room_id=visit.room_id,
        physician_id=visit.physician_id,
        claims=claims,
        lost=visit.id in gone,
        fixed=visit.status is not VisitStatus.BOOKED or visit.id in kept,
        version=visit.version,
    )


def _claims(session: Session, visit_ids: Iterable[UUID]) -> Mapping[UUID, tuple[PlannedClaim, ...]]:
    rows = session.execute(
        select(Claim.visit_id, Claim.resource_id, Claim.lane, Claim.starts_at, Claim.ends_at).where(
            Claim.visit_id.in_(list(visit_ids))
        )
    )
    found: dict[UUID, tuple[PlannedClaim, ...]] = defaultdict(tuple)
    for visit_id, resource_id, lane, starts_at, ends_at in rows:
        found[visit_id] += (PlannedClaim(resource_id, lane, starts_at, ends_at),)
    return found


def _was(visit: Standing) -> Was:
    return Was(visit.starts_at, visit.room_id, visit.physician_id)


def as_data(session: Session, actor: Actor, args: Mapping[str, Any], found: Repair, *, now: datetime) -> dict[str, Any]:
    """Return a repair as plain data for a job's result, with the version that each visit was seen in.

    Who changes one while the search is under way makes what it finds stale.
    """
    lost = affected(session, actor, clinic.info(session, actor.clinic_id), now=now)
    missing = {one.visit_id: ", ".join(one.missing) for one in lost}
    return {
        "changes": [
            {
                "visit": str(change.visit.id),
                "version": change.visit.version,
                "lost": change.visit.lost,
                "missing": missing.get(change.visit.id, ""),
                "was": WAS.dump_python(_was(change.visit), mode="json"),
                "planned": PLANNED.dump_python(change.to, mode="json"),
            }
            for change in found.changes
        ],
        "unplaced": [str(visit.id) for visit in found.unplaced],
        "left": sorted({str(one.visit_id) for one in lost} & set(args["kept"])),
        "least_unplaced": found.least_unplaced,
        "least_touched": found.least_touched,
    }
