"""Move one visit: other places that fit between its neighbours, the best first, each with what changes."""

from typing import Any
from uuid import UUID

from flask import Blueprint, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import joinedload

from tracker.db import read, transaction
from tracker.errors import Refused, Stale
from tracker.models import Course, Visit
from tracker.rules.permissions import Permission
from tracker.rules.vocabulary import ResourceKind, VisitStatus
from tracker.services import audit, clinic, moving, places
from tracker.web.access import access
from tracker.web.forms import Form, blank, go_to, once, page, parse

bp = Blueprint("moves", __name__)


@bp.get("/visits/<uuid:visit_id>/move")
@access(Permission.MOVE_VISIT)
def show(visit_id: UUID) -> ResponseReturnValue:
    """Show where else the visit could be."""
    return _page(visit_id, blank())


@bp.post("/visits/<uuid:visit_id>/move")
@access(Permission.MOVE_VISIT)
def move(visit_id: UUID) -> ResponseReturnValue:
    """Put the visit there; a refusal shows what is free now."""
    form = parse(moving.MoveVisit, request.form)
    if form.errors:
        return _page(visit_id, form, status=422)

    def do() -> str:
        visit = moving.move_visit(session, g.actor, visit_id, form.command, now=g.now)
        return url_for("today.day", day=visit.starts_at.astimezone(g.clinic.zone).date())

    try:
        with transaction() as session:
            address = once(session, form, do)
    except Refused as refusal:  # rolled back already, so safe to render
        refusal.field = "place"
        return _page(visit_id, form.refused(refusal), status=422)
    except Stale as stale:
        form.errors[""] = str(stale)
        return _page(visit_id, form, status=409)
    return go_to(address)


def _page(visit_id: UUID, form: Form[Any], *, status: int = 200) -> ResponseReturnValue:
    with transaction() as session:
        patient_id = clinic.get(session, g.actor, Visit, visit_id).patient_id
        audit.record(session, g.actor, "read visit", patient_id=patient_id, subject=f"visit {visit_id}", now=g.now)
    with read() as session:
        course = joinedload(Visit.course).joinedload(Course.protocol)
        visit = clinic.get(session, g.actor, Visit, visit_id, course, joinedload(Visit.patient))
        can_move = visit.status is VisitStatus.BOOKED
        found = moving.move_options(session, g.actor, visit_id, now=g.now) if can_move else []
        names = {
            one.id: one.name
            for kind in (ResourceKind.ROOM, ResourceKind.STAFF)
            for one in clinic.resources(session, g.actor, kind)
        }
    return page(
        "today/move.html",
        status=status,
        visit=visit,
        can_move=can_move,
        places=found,
        names=names,
        form=form,
        spell=places.spell,
    )
