"""The board of a day: who is where, what needs somebody, and the taps that need no page of their own."""

from datetime import date, datetime, timedelta
from uuid import UUID

from flask import Blueprint, Response, abort, g
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.rules.board import Board
from tracker.rules.permissions import Permission
from tracker.services import audit, diary, drivers
from tracker.text import say_time
from tracker.web.access import access
from tracker.web.forms import page, see_other

bp = Blueprint("today", __name__)


@bp.get("/")
@access(Permission.VIEW_DAY)
def show() -> ResponseReturnValue:
    """Today's board."""
    return _day_page(g.today)


@bp.get("/day/<string:day>")
@access(Permission.VIEW_DAY)
def day(day: str) -> ResponseReturnValue:
    """Another day's board; `day` is like 2026-11-24."""
    return _day_page(_the_day(day))


@bp.get("/board")
@access(Permission.VIEW_DAY, background=True)
def refresh() -> ResponseReturnValue:
    """Today's board again, for the page that shows it already: no entry in the audit, no longer session."""
    return _render(_draw(g.today))


@bp.post("/visits/<uuid:visit_id>/driver")
@access(Permission.RUN_VISIT)
def driver(visit_id: UUID) -> ResponseReturnValue:
    """Note that a visit's driver is known to come."""
    with transaction() as session:
        drivers.confirm(session, g.actor, visit_id, now=g.now)
    return see_other("today.show")


def _the_day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        abort(404)
    # Strict: "20261124" is another spelling of the same page.
    if found.isoformat() != text or not 1900 <= found.year <= 2100:
        abort(404)
    return found


def _day_page(day: date) -> Response:
    with transaction() as session:
        audit.record(session, g.actor, "read day", subject=day.isoformat(), now=g.now)
    return _render(_draw(day))


def _draw(day: date) -> Board:
    with read() as session:
        return diary.day_board(session, g.actor, g.clinic, day, now=g.now)


def _render(board: Board) -> Response:
    return page(
        "today/today.html",
        block="day",
        board=board,
        hours=[_hour(board.first_hour + n) for n in range(board.hours)],
        before=board.day - timedelta(days=1),
        after=board.day + timedelta(days=1),
    )


def _hour(hour: int) -> str:
    """Say a full hour, the short way: "8 AM"."""
    said = say_time(datetime(2000, 1, 1, hour, tzinfo=g.clinic.zone), g.clinic.zone, g.clinic.country)
    return said.replace(":00 ", " ")
