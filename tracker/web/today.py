"""The board of a day: who is where, what needs somebody, and the taps that need no page of their own."""

from datetime import date, timedelta
from uuid import UUID

from flask import Blueprint, Response, g
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.rules.permissions import Permission
from tracker.services import audit, calendar, diary, drivers, health
from tracker.web import days
from tracker.web.access import access
from tracker.web.calendar import hour
from tracker.web.forms import page, see_other

bp = Blueprint("today", __name__)

_DAY = timedelta(days=1)
_READS = Permission.VIEW_MESSAGES


@bp.get("/")
@access(Permission.VIEW_DAY)
def show() -> ResponseReturnValue:
    """Today's board."""
    return _day_page(g.today)


@bp.get("/day/<string:day>")
@access(Permission.VIEW_DAY)
def day(day: str) -> ResponseReturnValue:
    """Another day's board; `day` is like 2026-11-24."""
    return _day_page(days.the_day(day))


@bp.get("/board")
@access(Permission.VIEW_DAY, background=True)
def refresh() -> ResponseReturnValue:
    """Today's board again, for the page that shows it already: no entry in the audit, no longer session."""
    return board_page(g.today)


@bp.post("/visits/<uuid:visit_id>/driver")
@access(Permission.RUN_VISIT)
def driver(visit_id: UUID) -> ResponseReturnValue:
    """Note that a visit's driver is known to come."""
    with transaction() as session:
        drivers.confirm(session, g.actor, visit_id, now=g.now)
    return see_other("today.show")


def _day_page(day: date) -> Response:
    with transaction() as session:
        audit.record(session, g.actor, "read day", subject=day.isoformat(), now=g.now)
    return board_page(day)


def board_page(day: date, *, said: str = "", moved: bool = False, status: int = 200) -> Response:
    """Render the board of a day, or the part of it that htmx asks for; `said` is what came of a move."""
    filters = days.filters()
    with read() as session:
        chosen = calendar.choices(session, g.actor)
        days.check(filters, chosen)
        board = diary.day_board(session, g.actor, g.clinic, day, filters, now=g.now)
        wrong = health.health(session, g.actor, now=g.now) if day == g.today and g.actor.may(_READS) else None
    return page(
        "today/today.html",
        block="day",
        status=status,
        said=said,
        moved=moved,
        board=board,
        wrong=wrong,
        cal=days.Shown("day", day, day - _DAY, day + _DAY, chosen, filters),
        hour=hour,
    )
