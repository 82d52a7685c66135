"""Closed, tell them now: two taps on a telephone, then who is still to be called."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, g, request, url_for
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.errors import Refused
from tracker.rules.fields import ComingDay, Command
from tracker.rules.permissions import Permission
from tracker.services import audit, closing
from tracker.services.closing import CloseDay
from tracker.web.access import access
from tracker.web.days import the_day
from tracker.web.forms import Form, blank, go_to, once, page, parse, see_other

bp = Blueprint("closing", __name__)


class WhichDay(Command):
    """The day that falls out."""

    day: ComingDay | None = None


@bp.get("/closing")
@access(Permission.MOVE_VISIT)
def new() -> ResponseReturnValue:
    """Ask whether everybody of a day is to be told."""
    form = parse(WhichDay, request.args, today=g.today)
    return _page(form, None if form.errors else form.command.day, status=422 if form.errors else 200)


def _page(form: Form[Any], day: date | None, *, status: int = 200) -> ResponseReturnValue:
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
    form = parse(CloseDay, request.form, today=g.today)
    if form.errors:
        return _page(form, None, status=422)
    day = form.command.day

    def do() -> str:
        closing.close(session, g.actor, form.command, now=g.now)
        return url_for("closing.calls", day=day.isoformat())

    try:
        with transaction() as session:
            address = once(session, form, do)
    except Refused as refusal:  # rolled back already, so safe to render
        return _page(form.refused(refusal), day, status=422)
    return go_to(address)


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
