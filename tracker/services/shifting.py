"""Shift the rest of a series: from one visit on, whatever remains is planned anew as one course."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Course, Visit
from tracker.rules import planner
from tracker.rules.fields import Line, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import Plan, PlannedVisit, PlanRequest, Relaxation, Wishes
from tracker.rules.spacing import span_days
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import CourseStatus, VisitStatus
from tracker.services import moving
from tracker.services.moving import AHEAD, Seen, Standing
from tracker.services.places import ChosenPlace
from tracker.services.wishing import WishFields
from tracker.text import gettext as _


class AskShift(WishFields):
    """From which visit on the rest goes elsewhere, and what the patient wishes now."""

    first: Annotated[Number, Field(ge=1)]


class ShiftRest(AskShift):
    """The places that were chosen, and the series as it was shown (`seen`)."""

    visit: tuple[ChosenPlace, ...]
    seen: Seen
    reason: Line | None = None


@dataclass(frozen=True)
class Shift:
    """What a coordinator chooses from: where the rest of a series could go, or what would help."""

    series: Standing
    first: int  # the number of the first visit that may move
    rest: Sequence[Visit]  # as they stand
    plans: Sequence[Plan]
    names: Mapping[UUID, str]  # of rooms and staff
    helps: Sequence[Relaxation]
    scarce: str  # what the clinic has too little of, when no single change would help

    def nurses(self, visits: Sequence[PlannedVisit]) -> list[str]:
        """Return the names of the nurses of a plan, in the order of their first visit."""
        return list(dict.fromkeys(self.names[visit.nurse_id] for visit in visits))


def usual_wishes(session: Session, actor: Actor, course_id: UUID, first: int, *, now: datetime) -> Wishes:
    """Return what the patient asked for, from the day after visit `first` is now; if it is missing, from tomorrow.

    Raises:
        NotFound: The series is not this clinic's.
        Refused: It is over, or one of its visits has begun.
    """
    series = moving.standing(session, actor, course_id)
    first, rest = _rest(series, first)
    booked = [series.day(one.starts_at) for one in rest if one.ordinal == first]
    return series.wishes(max([series.day(now), *booked]) + timedelta(days=1))


def shift_options(session: Session, actor: Actor, course_id: UUID, asked: AskShift, *, now: datetime) -> Shift:
    """Return plans for the rest of a series that are not what is booked already.

    Raises:
        NotFound: The series is not this clinic's.
        Refused: It is over, or one of its visits has begun.
    """
    series = moving.standing(session, actor, course_id)
    first, rest = _rest(series, asked.first)
    days = (asked.first_day, asked.first_day + AHEAD)
    request = _request(session, series, first, days, asked, now)
    booked = [(one.starts_at, one.room_id) for one in rest]
    found = planner.plan(request, 4)
    plans = [one for one in found if [(v.starts_at, v.room_id) for v in one.visits] != booked][:3]
    names = {resource.id: resource.name for resource in request.free.resources}
    helps = [] if found else planner.relaxations(request)
    scarce = "" if found or helps else planner.scarcity(request)
    return Shift(series, first, rest, plans, names, helps, scarce)


def _rest(series: Standing, first: int) -> tuple[int, list[Visit]]:
    """Return the first number to plan and the visits that hold one from there on; a missing number is planned, too."""
    if series.course.status is not CourseStatus.ACTIVE:
        raise Refused(_("This series is over, so no visit of it is booked any more."))
    first = min([first, series.protocol.visits, *series.missing])
    rest = [one for one in series.counted if one.ordinal >= first]
    begun = next((one for one in rest if one.status is not VisitStatus.BOOKED), None)
    if begun:
        raise Refused(_("Visit %(n)s has begun or is over, so it stays where it is.", n=begun.ordinal))
    return first, rest


def _request(
    session: Session, series: Standing, first: int, days: tuple[date, date], asked: AskShift, now: datetime
) -> PlanRequest:
    given = [one for one in series.counted if one.ordinal < first]
    rest = [one for one in series.counted if one.ordinal >= first]
    return moving.request_for(session, series, days, moved=rest, given=given, now=now, wishes=asked.wishes)


def shift_rest(session: Session, actor: Actor, course_id: UUID, wanted: ShiftRest, *, now: datetime) -> Course:
    """Put every remaining visit of a series where it was chosen, missed ones replaced; or nothing.

    Raises:
        NotFound: The series is not this clinic's.
        Stale: Somebody changed the series since the form was opened.
        Refused: It is over, a visit has begun, a place was taken meanwhile, or the places break the protocol.
    """
    series = moving.locked(session, actor, course_id)
    moving.check_seen(series, wanted.seen)
    first, rest = _rest(series, wanted.first)
    chosen = sorted(wanted.visit, key=lambda one: one.starts_at)
    if len(chosen) != series.protocol.visits - first + 1:
        raise Refused(_("Choose one of the options."), field="visit")
    day = series.day(chosen[0].starts_at)
    days = (day, min(day + AHEAD, series.day(chosen[-1].starts_at)))
    request = _request(session, series, first, days, wanted, now)
    zone = series.clinic.zone
    if span_days([*request.given, *(one.starts_at for one in chosen)], zone) > request.limits.max_span_days:
        raise Refused(_("This series would take too long. Choose one of the options."), field="visit")
    planned = planner.place_series(request, [(one.starts_at, one.room_id) for one in chosen])
    held = {one.ordinal: one for one in rest}
    missed = {one.ordinal: one for one in series.visits if one.status in NOT_COUNTED}
    moves = [(held[one.ordinal], one) for one in planned if one.ordinal in held]
    new = [one for one in planned if one.ordinal not in held]
    series.course.wishes = wanted.wishes.to_data()
    told = moving.put(session, actor, series, moves, wanted.reason, now=now)
    for one in new:
        moving.add(session, actor, series, one, missed.get(one.ordinal), wanted.reason, now=now)
    moving.follow(session, actor, series, "shift series", f"course {course_id}", told=told or bool(new), now=now)
    return series.course
