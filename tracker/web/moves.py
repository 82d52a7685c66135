"""Move one visit, replace one that was missed, cancel one: each form says what it changes, and a stale one moves
nothing."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session, joinedload

from tracker.db import read, transaction
from tracker.errors import Refused
from tracker.models import Course, Visit
from tracker.rules.fields import Command, Line
from tracker.rules.permissions import Permission
from tracker.rules.visit import Move
from tracker.rules.visit import say as say_status
from tracker.rules.vocabulary import ResourceKind, VisitStatus
from tracker.services import audit, bedside, clinic, followup, moving, places, replacing
from tracker.text import gettext as _
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse

bp = Blueprint("moves", __name__)


class CancelVisit(Command):
    """Why a visit is cancelled: somebody will ask."""

    why: Line


@bp.get("/visits/<uuid:visit_id>/move")
@access(Permission.MOVE_VISIT)
def show(visit_id: UUID) -> ResponseReturnValue:
    """Show where else the visit could be."""
    return _move_page(visit_id, blank())


@bp.post("/visits/<uuid:visit_id>/move")
@access(Permission.MOVE_VISIT)
def move(visit_id: UUID) -> ResponseReturnValue:
    """Put the visit there; a refusal shows what is free now."""

    def do(session: Session, wanted: moving.MoveVisit) -> str:
        visit = moving.move_visit(session, g.actor, visit_id, wanted, now=g.now)
        return url_for("today.day", day=visit.starts_at.astimezone(g.clinic.zone).date())

    form = parse(moving.MoveVisit, request.form)
    return attempt(form, do, lambda form, status: _move_page(visit_id, form, status), beside="place")


@bp.post("/visits/<uuid:visit_id>/cancel")
@access(Permission.RUN_VISIT)
def cancel(visit_id: UUID) -> ResponseReturnValue:
    """Cancel the visit with a reason; then a place for the one that is missing now is looked for."""

    def do(session: Session, wanted: CancelVisit) -> str:
        asked = bedside.MakeMove(move=Move.CANCEL, reason=wanted.why)
        bedside.make_move(session, g.actor, visit_id, asked, now=g.now)
        return url_for("moves.missing", visit_id=visit_id)

    said = _("The visit is cancelled, its place is free. The patient is told by e-mail where that is allowed.")
    form = parse(CancelVisit, request.form)
    return attempt(form, do, lambda form, status: _move_page(visit_id, form, status), done=said)


@bp.get("/visits/<uuid:visit_id>/replace")
@access(Permission.MOVE_VISIT)
def missing(visit_id: UUID) -> ResponseReturnValue:
    """Show where a visit that was missed, not treated or cancelled can be made up for."""
    return _missing_page(visit_id, blank())


@bp.post("/visits/<uuid:visit_id>/replace")
@access(Permission.MOVE_VISIT)
def replace(visit_id: UUID) -> ResponseReturnValue:
    """Book the missing visit there; a refusal shows what is free now."""

    def do(session: Session, wanted: replacing.ReplaceVisit) -> str:
        visit = replacing.replace_visit(session, g.actor, visit_id, wanted, now=g.now)
        return url_for("patients.show", patient_id=visit.patient_id)

    said = _("The visit is booked. The patient is told by e-mail where that is allowed.")
    form = parse(replacing.ReplaceVisit, request.form)
    return attempt(form, do, lambda form, status: _missing_page(visit_id, form, status), done=said, beside="place")


def _noted(visit_id: UUID) -> None:
    with transaction() as session:
        patient_id = clinic.get(session, g.actor, Visit, visit_id).patient_id
        audit.record(session, g.actor, "read visit", patient_id=patient_id, subject=f"visit {visit_id}", now=g.now)


def _shown(session: Session, visit_id: UUID) -> dict[str, Any]:
    """Return what every page about one visit shows."""
    of_course = joinedload(Visit.course).joinedload(Course.protocol)
    visit = clinic.get(session, g.actor, Visit, visit_id, of_course, joinedload(Visit.patient))
    names = {
        one.id: one.name
        for kind in (ResourceKind.ROOM, ResourceKind.STAFF)
        for one in clinic.resources(session, g.actor, kind)
    }
    moves = moving.history(session, [visit_id]).get(visit_id, [])
    staff = followup.people(session, g.actor) if moves else {}
    return {"visit": visit, "names": names, "moves": moves, "staff": staff}


def _move_page(visit_id: UUID, form: Form[Any], status: int = 200) -> Response:
    _noted(visit_id)
    with read() as session:
        shown = _shown(session, visit_id)
        can_move = shown["visit"].status is VisitStatus.BOOKED
        found = moving.move_options(session, g.actor, visit_id, now=g.now) if can_move else []
    return page(
        "today/move.html", status=status, can_move=can_move, places=found, form=form, spell=places.spell, **shown
    )


def _missing_page(visit_id: UUID, form: Form[Any], status: int = 200) -> Response:
    _noted(visit_id)
    found = None
    with read() as session:
        shown = _shown(session, visit_id)
        try:
            found = replacing.replacement_options(session, g.actor, visit_id, now=g.now)
        except Refused as refusal:
            form = form.refused(refusal)
    words = say_status(shown["visit"].status)
    return page("courses/replace.html", status=status, found=found, form=form, spell=places.spell, words=words, **shown)
