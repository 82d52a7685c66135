"""Shift the rest of a series: before and after, three options, one tap."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session, joinedload
from werkzeug.datastructures import MultiDict

from tracker.db import read, transaction
from tracker.errors import Refused
from tracker.models import Course
from tracker.rules.fields import Command, Number
from tracker.rules.permissions import Permission
from tracker.rules.plan import PlannedVisit, Wishes
from tracker.services import audit, clinic, places, shifting
from tracker.text import gettext as _
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse, wants_part
from tracker.web.weeks import Cell, weeks
from tracker.web.wishes import known, wish_values

bp = Blueprint("shifts", __name__)


class First(Command):
    """From which visit on."""

    first: Number = 1


@bp.get("/courses/<uuid:course_id>/shift")
@access(Permission.MOVE_VISIT)
def show(course_id: UUID) -> ResponseReturnValue:
    """Show where the rest of a series could go, for the wishes it was booked with or those asked for now."""
    if "first_day" in request.args:
        form = _asked(request.args)
        return _page(course_id, form, status=422 if form.errors else 200)
    asked = parse(First, request.args)
    first = 1 if asked.errors else asked.command.first
    try:
        with read() as session:
            wishes = shifting.usual_wishes(session, g.actor, course_id, first, now=g.now)
    except Refused as refusal:
        return _page(course_id, blank(first=first).refused(refusal))
    source = MultiDict({"first": str(first), **wish_values(wishes)})
    return _page(course_id, _asked(source))


def _asked(source: MultiDict[str, str]) -> Form[shifting.AskShift]:
    """Read what is asked out of a form that may hold more than that."""
    names = shifting.AskShift.model_fields
    asked = MultiDict((name, value) for name, value in source.items(multi=True) if name in names)
    return parse(shifting.AskShift, asked, today=g.today, zone=g.clinic.zone)


@bp.post("/courses/<uuid:course_id>/shift")
@access(Permission.MOVE_VISIT)
def shift(course_id: UUID) -> ResponseReturnValue:
    """Put the rest there; a refusal shows what is free now."""

    def do(session: Session, wanted: shifting.ShiftRest) -> str:
        course = shifting.shift_rest(session, g.actor, course_id, wanted, now=g.now)
        return url_for("patients.show", patient_id=course.patient_id)

    def again(form: Form[Any], status: int) -> Response:
        asked = _asked(request.form)
        asked.errors |= {"" if name == "visit" else name: said for name, said in form.errors.items()}
        return _page(course_id, asked, status)

    form = parse(shifting.ShiftRest, request.form, today=g.today, zone=g.clinic.zone)
    return attempt(
        form, do, again, done=_("The visits are moved. The patient is told by e-mail where that is allowed.")
    )


def _page(course_id: UUID, form: Form[Any], status: int = 200) -> Response:
    if not wants_part():
        with transaction() as session:
            patient_id = clinic.get(session, g.actor, Course, course_id).patient_id
            audit.record(session, g.actor, "read patient", patient_id=patient_id, now=g.now)
    found, wishes = None, None
    with read() as session:
        course = clinic.get(
            session, g.actor, Course, course_id, joinedload(Course.patient), joinedload(Course.protocol)
        )
        choices = known(session)
        if form.has_command:
            wishes = form.command.wishes
            try:
                found = shifting.shift_options(session, g.actor, course_id, form.command, now=g.now)
            except Refused as refusal:
                form, status = form.refused(refusal), 422

    def before_and_after(visits: Sequence[PlannedVisit]) -> Sequence[Sequence[Cell]]:
        were = [(one.ordinal, one.starts_at) for one in found.rest] if found else []
        return weeks([(one.ordinal, one.starts_at) for one in visits], g.clinic.zone, were)

    def wishing(other: Wishes) -> str:
        asked: dict[str, Any] = {"first": form.value("first"), **wish_values(other)}
        return url_for("shifts.show", course_id=course_id, **asked)

    return page(
        "courses/shift.html",
        block="options",
        status=status,
        course=course,
        form=form,
        known=choices,
        wishes=wishes,
        found=found,
        weeks=before_and_after,
        wishing=wishing,
        spell=places.spell,
        reason=request.form.get("reason", ""),
    )
