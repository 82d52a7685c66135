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
from tracker.rules import explain, planner
from tracker.rules.fields import ComingDay, Command, Line, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import Plan, PlanRequest
from tracker.rules.spacing import span_days
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.vocabulary import CourseStatus, VisitStatus
from tracker.services import moving
from tracker.services.moving import AHEAD, Standing
from tracker.services.places import ChosenPlace
from tracker.text import gettext as _


class AskShift(Command):
    """From which visit on the rest goes elsewhere, and from which day; none: the day after that visit's."""

    first: Annotated[Number, Field(ge=1)]
    earliest: ComingDay | None = None


class ShiftRest(AskShift):
    """The places that were chosen, and the series as it was shown (`seen`)."""

    visit: tuple[ChosenPlace, ...]
    seen: Line
    reason: Line | None = None


@dataclass(frozen=True)
class Shift:
    """What a coordinator chooses from: where the rest of a series could go."""

    series: Standing
    first: int  # the number of the first visit that may move
    rest: Sequence[Visit]  # as they stand
    earliest: date
    plans: Sequence[Plan]
    names: Mapping[UUID, str]  # of rooms and staff
    why_not: Sequence[str]


def shift_options(session: Session, actor: Actor, course_id: UUID, asked: AskShift, *, now: datetime) -> Shift:
    """Return plans for the rest of a series that are not what is booked already.

    Raises:
        NotFound: The series is not this clinic's.
        Refused: It is over, or one of its visits has begun.
    """
    series = moving.standing(session, actor, course_id)
    first, rest = _rest(series, asked.first)
    earliest = asked.earliest or _day_after(series, rest, now)
    request = _request(session, series, first, (earliest, earliest + AHEAD), now)
    booked = [one.starts_at for one in rest]
    plans = [one for one in planner.plan(request, 4) if one.starts != booked][:3]
    names = {resource.id: resource.name for resource in request.free.resources}
    why_not = [] if plans else explain.why_nothing_fits(request)
    return Shift(series, first, rest, earliest, plans, names, why_not)


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


def _day_after(series: Standing, rest: Sequence[Visit], now: datetime) -> date:
    today = series.day(now)
    return max(today, series.day(rest[0].starts_at)) + timedelta(days=1) if rest else today + timedelta(days=1)


def _request(session: Session, series: Standing, first: int, days: tuple[date, date], now: datetime) -> PlanRequest:
    given = [one for one in series.counted if one.ordinal < first]
    rest = [one for one in series.counted if one.ordinal >= first]
    return moving.request_for(session, series, days, moved=rest, given=given, now=now)


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
    days = (series.day(chosen[0].starts_at), series.day(chosen[-1].starts_at))
    request = _request(session, series, first, days, now)
    zone = series.clinic.zone
    if span_days([*request.given, *(one.starts_at for one in chosen)], zone) > request.limits.max_span_days:
        raise Refused(_("This series would take too long. Choose one of the options."), field="visit")
    planned = planner.place_series(request, [(one.starts_at, one.room_id) for one in chosen])
    held = {one.ordinal: one for one in rest}
    missed = {one.ordinal: one for one in series.visits if one.status in NOT_COUNTED}
    moves = [(held[one.ordinal], one) for one in planned if one.ordinal in held]
    new = [one for one in planned if one.ordinal not in held]
    told = moving.put(session, actor, series, moves, wanted.reason, now=now)
    for one in new:
        moving.add(session, actor, series, one, missed.get(one.ordinal), wanted.reason, now=now)
    moving.follow(session, actor, series, "shift series", f"course {course_id}", told=told or bool(new), now=now)
    return series.course
