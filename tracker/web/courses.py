"""Book a series: say what is wished, see the options, take one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from tracker.db import read, transaction
from tracker.errors import Refused
from tracker.models import Patient
from tracker.rules import public_holidays
from tracker.rules.fields import ClockTime, ComingDay, Command
from tracker.rules.permissions import Permission
from tracker.rules.plan import HARD_UNLESS_SAID, Plan, PlannedVisit, Wishes
from tracker.rules.vocabulary import Indication
from tracker.services import audit, booking, clinic, patients, places
from tracker.text import gettext as _
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse, wants_part
from tracker.web.weeks import Cell, weeks
from tracker.web.wishes import known, wish_values

bp = Blueprint("courses", __name__)


class ChoosePatient(Command):
    """For whom; a place that was tapped on the board goes along. `q` stays as typed: what fits nobody finds nobody."""

    q: str = ""
    first_day: ComingDay | None = None
    preferred_time: ClockTime | None = None


@bp.get("/courses/new")
@access(Permission.BOOK_COURSE)
def choose_patient() -> ResponseReturnValue:
    """A series is somebody's: look for the patient first."""
    form = parse(ChoosePatient, request.args, today=g.today)
    asked = ChoosePatient() if form.errors else form.command
    with transaction() as session:
        audit.record(session, g.actor, "search patients", now=g.now)
    with read() as session:
        found, _rest = patients.find(session, g.actor, asked.q[:200])
    place = {name: form.value(name) for name in ("first_day", "preferred_time") if getattr(asked, name)}
    status = 422 if form.errors else 200
    return page("courses/choose.html", block="found", status=status, q=asked.q, found=found, place=place, form=form)


@bp.get("/patients/<uuid:patient_id>/courses/new")
@access(Permission.BOOK_COURSE)
def new(patient_id: UUID) -> ResponseReturnValue:
    """Ask for the wishes and show the options that keep them, or other places for a visit of the one chosen."""
    if "protocol_id" not in request.args:
        tomorrow = g.today + timedelta(days=1)
        return _page(patient_id, blank(**{"first_day": tomorrow, "must": HARD_UNLESS_SAID, **request.args.to_dict()}))
    form = _wished(request.args)
    return _page(patient_id, form, status=422 if form.errors else 200)


def _wished(source: MultiDict[str, str], **instead: str) -> Form[booking.ChoosePlaces]:
    """Read the wishes, and a plan that was chosen, out of a form that may hold more than them."""
    names = booking.ChoosePlaces.model_fields.keys() - instead.keys()
    wished = MultiDict((name, value) for name, value in source.items(multi=True) if name in names)
    wished.update(instead)
    wished.setlistdefault("must", list(HARD_UNLESS_SAID))  # as the form stands at first
    return parse(booking.ChoosePlaces, wished, today=g.today, zone=g.clinic.zone)


def _page(patient_id: UUID, form: Form[Any], status: int = 200) -> Response:
    """Show the form with the options for what is wished, as far as it can be read."""
    wished = _wished(request.values)
    if request.method == "POST" and wished.errors.keys() == {"first_day"}:
        # A plan from yesterday: what it was made for is planned again, from today on.
        said = _("This option is from an earlier day, and its first day is past. Here is what fits from today on.")
        form.errors["first_day"] = said
        wished = _wished(request.values, first_day=g.today.isoformat())
    if not wants_part():
        with transaction() as session:
            clinic.get(session, g.actor, Patient, patient_id)
            audit.record(session, g.actor, "read patient", patient_id=patient_id, now=g.now)
    found = None
    with read() as session:
        patient = clinic.get(session, g.actor, Patient, patient_id)
        choices = known(session)
        versions = booking.protocols(session, g.actor)
        try:
            found = None if wished.errors else booking.options(session, g.actor, patient_id, wished.command, now=g.now)
        except Refused as refusal:
            form, status = form.refused(refusal), 422
    return page(
        "courses/new.html",
        block="options",
        status=status,
        patient=patient,
        form=form,
        protocols=versions,
        known=choices,
        indications=list(Indication),
        indication=request.values.get("indication", ""),
        found=found,
        same=_same(found),
        holidays=_holidays() if found else {},
        wished=wished,
        spell=places.spell,
        to=Addresses(patient_id, {**wished.values, "indication": request.values.get("indication")}),
        weeks=_weeks,
    )


def _same(found: booking.Options | None) -> Plan | None:
    """Return the option that was chosen as it stood: its reasons are still true, and it needs no second card."""
    if not found or not found.choice:
        return None
    chosen = [places.spell(visit) for visit in found.choice.visits]
    return next((plan for plan in found.plans if [places.spell(visit) for visit in plan.visits] == chosen), None)


def _holidays() -> dict[date, str]:
    """Return the public holidays to come: a clinic that hasn't closed on one may have forgotten it."""
    return dict(public_holidays.coming(g.clinic.country, g.today))


def _weeks(visits: Sequence[PlannedVisit]) -> Sequence[Sequence[Cell]]:
    return weeks([(visit.ordinal, visit.starts_at) for visit in visits], g.clinic.zone)


@dataclass(frozen=True)
class Addresses:
    """Where the links of the page lead: to itself with something else in it. `typed` is what it was asked for."""

    patient_id: UUID
    typed: Mapping[str, Any]

    def wishing(self, wishes: Wishes) -> str:
        """Return the address of the options for other wishes."""
        names = ("protocol_id", "indication")
        return self._address({name: self.typed.get(name) for name in names} | wish_values(wishes))

    def change(self, visits: Sequence[PlannedVisit], visit: PlannedVisit) -> str:
        """Return the address of other places for one visit of a plan."""
        return self._address({**self._plan(visits), "change": visit.ordinal})

    def replaced(self, visits: Sequence[PlannedVisit], place: PlannedVisit) -> str:
        """Return the address of a plan with another place for one of its visits."""
        return self._address(self._plan([place if one.ordinal == place.ordinal else one for one in visits]))

    def _plan(self, visits: Sequence[PlannedVisit]) -> dict[str, Any]:
        kept = {name: typed for name, typed in self.typed.items() if name != "change"}
        return {**kept, "visit": [places.spell(visit) for visit in visits]}

    def _address(self, asked: dict[str, Any]) -> str:
        return url_for("courses.new", patient_id=self.patient_id, **asked)


@bp.post("/patients/<uuid:patient_id>/courses")
@access(Permission.BOOK_COURSE)
def create(patient_id: UUID) -> ResponseReturnValue:
    """Book all visits of a series, or none; a refusal shows what is free now."""

    def book(session: Session, wanted: booking.BookCourse) -> str:
        booking.book_course(session, g.actor, patient_id, wanted, now=g.now)
        return url_for("patients.show", patient_id=patient_id)

    form = parse(booking.BookCourse, request.form, today=g.today, zone=g.clinic.zone)
    said = _("The series is booked. The patient is told by e-mail where that is allowed.")
    return attempt(form, book, lambda form, status: _page(patient_id, form, status), done=said)
