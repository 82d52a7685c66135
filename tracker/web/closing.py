"""Closed, tell them now: two taps on a telephone, then who is still to be called."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.rules.fields import ComingDay, Command
from tracker.rules.permissions import Permission
from tracker.services import audit, closing
from tracker.services.closing import CloseDay
from tracker.web.access import access
from tracker.web.days import the_day
from tracker.web.forms import Form, attempt, blank, page, parse, see_other

bp = Blueprint("closing", __name__)


class WhichDay(Command):
    """The day that falls out."""

    day: ComingDay | None = None


@bp.get("/closing")
@access(Permission.MOVE_VISIT)
def new() -> ResponseReturnValue:
    """Ask whether everybody of a day is to be told."""
    form = parse(WhichDay, request.args, today=g.today)
    return _page(form, None if form.errors else form.command.day, 422 if form.errors else 200)


def _page(form: Form[Any], day: date | None, status: int = 200) -> Response:
    day = day or g.today
    with transaction() as session:
        audit.record(session, g.actor, "read day", subject=day.isoformat(), now=g.now)
    with read() as session:
        visits = closing.booked_on(session, g.actor, day, now=g.now)
    tomorrow = g.today + timedelta(days=1)
    return page("closing/new.html", status=status, form=form, day=day, tomorrow=tomorrow, visits=visits)


@bp.post("/closing")
@access(Permission.MOVE_VISIT)
def create() -> ResponseReturnValue:
    """Close the day and tell everybody."""
    asked = parse(CloseDay, request.form, today=g.today)

    def do(session: Session, wanted: CloseDay) -> str:
        closing.close(session, g.actor, wanted, now=g.now)
        return url_for("closing.calls", day=wanted.day.isoformat())

    day = None if asked.errors else asked.command.day
    return attempt(asked, do, lambda form, status: _page(form, day, status))


@bp.get("/closing/<string:day>")
@access(Permission.MOVE_VISIT)
def calls(day: str) -> ResponseReturnValue:
    """Show who was told, and who is still to be called."""
    found = the_day(day)
    with transaction() as session:
        audit.record(session, g.actor, "read closed day", subject=day, now=g.now)
    with read() as session:
        called = closing.call_list(session, g.actor, found)
    return page("closing/calls.html", block="calls", day=found, called=called, form=blank())


@bp.post("/closing/calls/<uuid:task_id>")
@access(Permission.DO_TASK)
def reached(task_id: UUID) -> ResponseReturnValue:
    """Note that somebody was reached."""
    with transaction() as session:
        day = closing.reached(session, g.actor, task_id, now=g.now)
    return see_other("closing.calls", day=day.isoformat())
