"""Moving a visit on the board with pointer or keyboard. The form of `moves` does the same without a script."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, g, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from tracker.db import read, transaction
from tracker.errors import Refused, Stale
from tracker.models import Visit
from tracker.rules.fields import Command, Day, Number
from tracker.rules.permissions import Permission
from tracker.services import clinic, dragging, moving
from tracker.services.places import Place, spell_instant
from tracker.text import gettext as _
from tracker.text import say_instant, say_time
from tracker.web import today
from tracker.web.access import access
from tracker.web.forms import Form, once, parse

bp = Blueprint("dragging", __name__)


class OnDay(Command):
    """Which day's board it is."""

    day: Day


class Spot(OnDay):
    """Where on the board: minutes of the clock after midnight, and the room."""

    minute: Number = Field(ge=0, lt=24 * 60)
    room: UUID


@bp.get("/visits/<uuid:visit_id>/places")
@access(Permission.MOVE_VISIT, background=True)
def places(visit_id: UUID) -> ResponseReturnValue:
    """Return where on a day the visit may go: for each room the minutes after midnight, and how a form spells each."""
    form = parse(OnDay, request.args)
    if form.errors:
        return _faulty(visit_id, form)
    with read() as session:
        found = dragging.allowed(session, g.actor, visit_id, form.command.day, now=g.now)
    return jsonify(
        rooms={str(room): {_minute(start): spell_instant(start) for start in starts} for room, starts in found.items()}
    )


def _faulty(visit_id: UUID, form: Form[Any]) -> ResponseReturnValue:
    _there(visit_id)
    return jsonify(error=next(iter(form.errors.values()))), 422


def _there(visit_id: UUID) -> None:
    """Raise NotFound for a visit that is not this clinic's, whatever else was sent."""
    with read() as session:
        clinic.get(session, g.actor, Visit, visit_id)


def _minute(instant: datetime) -> int:
    local = instant.astimezone(g.clinic.zone)
    return local.hour * 60 + local.minute


@bp.get("/visits/<uuid:visit_id>/place")
@access(Permission.MOVE_VISIT, background=True)
def why_not(visit_id: UUID) -> ResponseReturnValue:
    """Say why the visit can't go there."""
    form = parse(Spot, request.args)
    if form.errors:
        return _faulty(visit_id, form)
    spot = form.command
    starts_at = datetime.combine(spot.day, datetime.min.time(), g.clinic.zone) + timedelta(minutes=spot.minute)
    with read() as session:
        why = dragging.why_not(session, g.actor, visit_id, Place(starts_at, spot.room), now=g.now)
    return jsonify(why=why, when=say_time(starts_at, g.clinic.zone, g.clinic.country))


@bp.post("/visits/<uuid:visit_id>/place")
@access(Permission.MOVE_VISIT)
def place(visit_id: UUID) -> ResponseReturnValue:
    """Put the visit there and return the board; where that can't be, the board as it is now, and why."""
    day = _board_day()
    form = parse(moving.MoveVisit, request.form)
    if form.errors:
        _there(visit_id)
        return today.board_page(day, said=" ".join(form.errors.values()), moved=False, status=422)

    def do() -> str:
        visit = moving.move_visit(session, g.actor, visit_id, form.command, now=g.now)
        return say_instant(visit.starts_at, g.clinic.zone, g.clinic.country)

    try:
        with transaction() as session:
            when = once(session, form, do)
    except Refused as refusal:
        return today.board_page(day, said=refusal.message, moved=False, status=422)
    except Stale:
        said = _("Somebody changed this visit since this board was drawn. Here is how it is now.")
        return today.board_page(day, said=said, moved=False, status=409)
    return today.board_page(day, said=_("Moved to %(when)s. The patient is told.", when=when), moved=True)


def _board_day() -> date:
    form = parse(OnDay, request.args)
    return g.today if form.errors else form.command.day
