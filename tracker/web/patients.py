"""Patients: the list that is searched as you type, the form, the page."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, flash, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.errors import Refused, Stale
from tracker.models import Patient, PatientLink
from tracker.rules.fields import Command, Number
from tracker.rules.followup import say as followup_words
from tracker.rules.intake import age, languages, zones
from tracker.rules.permissions import Permission
from tracker.rules.visit import NOT_COUNTED
from tracker.rules.visit import say as visit_words
from tracker.rules.vocabulary import CareRole, ContactChannel, IntakeStatus, VisitStatus
from tracker.services import audit, clinic, links, patient_page, patients
from tracker.services.consent import say_how
from tracker.services.patient_details import Record, consent_wording, details_of, record_of, texts_a_week
from tracker.services.patients import AddPatient, EditPatient
from tracker.text import gettext as _
from tracker.web import charts
from tracker.web.access import access
from tracker.web.forms import Form, blank, go_to, once, page, parse, see_other, spell

bp = Blueprint("patients", __name__, url_prefix="/patients")

LAST_PAGE = 10_000


class Search(Command):
    """What the list is asked for. `q` stays as typed: whatever in it fits nobody finds nobody."""

    q: str = ""
    status: IntakeStatus | None = None
    page: Number = 1


@bp.get("")
@access(Permission.VIEW_PATIENT)
def index() -> ResponseReturnValue:
    """The list, or what fits the search."""
    form = parse(Search, request.args)
    asked = Search() if form.errors else form.command
    number = min(max(asked.page, 1), LAST_PAGE)
    with transaction() as session:
        audit.record(session, g.actor, "search patients" if asked.q else "list patients", now=g.now)
    with read() as session:
        found, more = patients.find(session, g.actor, asked.q[:200], status=asked.status, page=number)
        lines = patients.lines_of(session, found, now=g.now)
    shown = {"asked": asked, "number": number, "lines": lines, "more": more, "form": form, **_words()}
    return page("patients/index.html", block="found", status=422 if form.errors else 200, **shown)


@bp.get("/new")
@access(Permission.EDIT_PATIENT)
def new() -> ResponseReturnValue:
    """The form for a new patient."""
    return _form_page(blank(language="en", intake_status=IntakeStatus.ENQUIRY))


@bp.post("")
@access(Permission.EDIT_PATIENT)
def create() -> ResponseReturnValue:
    """Add a patient; who is alike is shown first."""
    form = parse(AddPatient, request.form, country=g.clinic.country, today=g.today)
    if form.errors:
        return _form_page(form)
    try:
        with transaction() as session:
            address = once(session, form, lambda: _add(session, form.command))
    except Refused as refusal:
        return _form_page(form.refused(refusal))
    flash(_("The patient is added."))
    return go_to(address)


def _add(session: Session, command: AddPatient) -> str:
    return url_for("patients.show", patient_id=patients.add(session, g.actor, command, now=g.now))


@bp.get("/<uuid:patient_id>")
@access(Permission.VIEW_PATIENT)
def show(patient_id: UUID) -> ResponseReturnValue:
    """The patient's page."""
    with transaction() as session:
        clinic.get(session, g.actor, Patient, patient_id)
        audit.record(session, g.actor, "read patient", patient_id=patient_id, now=g.now)
    with read() as session:
        shown = patient_page.load(session, g.actor, patient_id, now=g.now)
    patient = shown.record.patient
    return page(
        "patients/show.html",
        shown=shown,
        age=age(patient.birth_date, g.today),
        language=languages()[patient.language],
        chart=_chart(shown),
        kind_words=followup_words,
        say_how=say_how,
        visit_words=visit_words,
        address=_link_address,
        **_words(),
    )


def _link_address(link: PatientLink) -> str:
    config = current_app.config["TRACKER"]
    return links.address(config.base_url, config.key(), link)


def _chart(shown: patient_page.PatientPage) -> charts.CourseChart | None:
    one = shown.drawn
    if one is None:
        return None
    visits = [
        charts.VisitPoint(
            line.visit.ordinal,
            line.visit.starts_at.astimezone(g.clinic.zone).date(),
            line.visit.status is VisitStatus.DISCHARGED,
            mg=line.mg,
            peak=line.peak_systolic,
            score=line.score,
        )
        for line in one.lines
        if line.visit.status not in NOT_COUNTED
    ]
    if not visits:
        return None
    return charts.course_chart(one.curve.scale, one.curve.scores, visits, one.curve.baseline, shown.hold_systolic)


@bp.post("/<uuid:patient_id>/courses/<uuid:course_id>/link")
@access(Permission.SEND_MESSAGE)
def make_link(patient_id: UUID, course_id: UUID) -> ResponseReturnValue:
    """Make the link by which the patient sees a series."""
    with transaction() as session:
        links.give(session, g.actor, patient_id, course_id, now=g.now)
    return see_other("patients.show", patient_id=patient_id)


@bp.post("/<uuid:patient_id>/links/<uuid:link_id>/revoke")
@access(Permission.SEND_MESSAGE)
def revoke_link(patient_id: UUID, link_id: UUID) -> ResponseReturnValue:
    """Take a link back: it stops working at once."""
    with transaction() as session:
        links.revoke(session, g.actor, patient_id, link_id, now=g.now)
    return see_other("patients.show", patient_id=patient_id)


@bp.get("/<uuid:patient_id>/edit")
@access(Permission.EDIT_PATIENT)
def edit(patient_id: UUID) -> ResponseReturnValue:
    """The form of a patient as it is now."""
    with transaction() as session:
        record = record_of(session, g.actor, patient_id)
        audit.record(session, g.actor, "read patient", patient_id=patient_id, now=g.now)
    return _form_page(blank(**details_of(record), version=record.patient.version), record)


@bp.post("/<uuid:patient_id>/edit")
@access(Permission.EDIT_PATIENT)
def save(patient_id: UUID) -> ResponseReturnValue:
    """Save a patient. What somebody else saved meanwhile is shown beside what was typed."""
    with read() as session:
        record = record_of(session, g.actor, patient_id)
    form = parse(EditPatient, request.form, country=g.clinic.country, today=g.today)
    if form.errors:
        return _form_page(form, record)
    try:
        with transaction() as session:
            patients.edit(session, g.actor, patient_id, form.command, now=g.now)
    except Refused as refusal:
        return _form_page(form.refused(refusal), record)
    except Stale:
        return _stale_page(form, patient_id)
    flash(_("The changes are saved."))
    return see_other("patients.show", patient_id=patient_id)


def _stale_page(form: Form[EditPatient], patient_id: UUID) -> Response:
    """What was typed stays; the next save overwrites what is shown beside it, and knows that it does."""
    with read() as session:
        record = record_of(session, g.actor, patient_id)
    now_kept = {name: spell(value) for name, value in details_of(record).items()}
    typed = {name: spell(value or "") for name, value in form.command.model_dump().items()}
    changed = {name: value for name, value in now_kept.items() if typed[name] != value}
    form.values["version"] = str(record.patient.version)
    return _form_page(form, record, changed=changed, status=409)


def _form_page(
    form: Form[Any], record: Record | None = None, *, changed: dict[str, str] | None = None, status: int | None = None
) -> Response:
    with read() as session:
        a_week = texts_a_week(session, g.clinic.id)
    if record and (form.errors or changed is not None):  # a refused save shows the record all the same
        with transaction() as session:
            audit.record(session, g.actor, "read patient", patient_id=record.patient.id, now=g.now)
    return page(
        "patients/form.html",
        form=form,
        patient=record.patient if record else None,
        changed=changed,
        languages=[(code, name) for code, name in sorted(languages().items(), key=_common_first)],
        zones=[("", _("no, as the clinic")), *zones(g.clinic.country)],
        consents={channel.value: consent_wording(channel, a_week) for channel in ContactChannel},
        a_week=a_week,
        stopped={row.channel.value: row for row in record.contacts if row.opted_out_at} if record else {},
        say_how=say_how,
        status=status or (422 if form.errors else 200),
        **_words(),
    )


def _common_first(language: tuple[str, str]) -> tuple[bool, str]:
    code, name = language
    return code not in ("en", "es"), name


def _words() -> dict[str, Any]:
    """The screen's words for what is stored as a code."""
    return {
        "statuses": {
            IntakeStatus.ENQUIRY: _("Enquiry"),
            IntakeStatus.FORMS: _("Filling in forms"),
            IntakeStatus.CONSULT: _("Consult"),
            IntakeStatus.CLEARED: _("Cleared"),
            IntakeStatus.NOT_NOW: _("Not now"),
        },
        "roles": {
            CareRole.DRIVER: _("Driver"),
            CareRole.EMERGENCY: _("Emergency contact"),
            CareRole.REFERRER: _("Referrer"),
            CareRole.THERAPIST: _("Therapist"),
            CareRole.PRESCRIBER: _("Prescriber"),
        },
    }
