"""A questionnaire filled in with the patient, by staff."""

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import Field

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused
from tracker.models import Course, Patient
from tracker.rules.fields import Command, Number
from tracker.rules.permissions import Permission
from tracker.rules.scales import PHQ9
from tracker.services import audit, clinic, outcomes
from tracker.services.outcomes import Answered
from tracker.web.access import access
from tracker.web.forms import Form, blank, go_to, once, page, parse

bp = Blueprint("outcomes", __name__)

Value = Annotated[Number, Field(ge=0, le=3)]


class Phq9(Command):
    """Nine answers, as they were given; a missing one is asked for."""

    item1: Value | None = None
    item2: Value | None = None
    item3: Value | None = None
    item4: Value | None = None
    item5: Value | None = None
    item6: Value | None = None
    item7: Value | None = None
    item8: Value | None = None
    item9: Value | None = None
    visit: UUID | None = None

    @property
    def answers(self) -> tuple[int | None, ...]:
        """The answers in the scale's order."""
        return tuple(getattr(self, f"item{number}") for number in range(1, 10))


@bp.get("/courses/<uuid:course_id>/scores/new")
@access(Permission.ENTER_SCORE)
def ask(course_id: UUID) -> ResponseReturnValue:
    """Show the questionnaire."""
    return _page(course_id, blank(visit=request.args.get("visit")))


@bp.post("/courses/<uuid:course_id>/scores")
@access(Permission.ENTER_SCORE)
def record(course_id: UUID) -> ResponseReturnValue:
    """Keep the questionnaire; with an answer missing nothing is kept."""
    form = parse(Phq9, request.form)
    if form.errors:
        return _page(course_id, form)

    def do() -> str:
        answered = Answered(course_id, PHQ9.key, form.command.answers, form.command.visit)
        response = outcomes.record_score(session, g.actor, answered, now=g.now)
        visit = form.command.visit
        if visit:
            return url_for("bedside.show", visit_id=visit)
        return f"/patients/{response.patient_id}"

    try:
        with transaction() as session:
            address = once(session, form, do)
    except (Refused, Invalid) as error:
        return _page(course_id, form.refused(error))
    return go_to(address)


def _page(course_id: UUID, form: Form[Any]) -> Response:
    with transaction() as session:
        course = clinic.get(session, g.actor, Course, course_id)
        subject = f"course {course_id}"
        audit.record(session, g.actor, "read scores", patient_id=course.patient_id, subject=subject, now=g.now)
    with read() as session:
        course = clinic.get(session, g.actor, Course, course_id)
        patient = session.get_one(Patient, course.patient_id)
        curve = outcomes.curve(session, course)
    return page(
        "outcomes/phq9.html",
        status=422 if form.errors else 200,
        form=form,
        course=course,
        patient=patient,
        scale=PHQ9,
        curve=curve,
    )
