"""Settings of messages: what is sent when, for each protocol, with a preview of a real patient's series; and limits."""

from collections.abc import Collection, Set
from datetime import time
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.channels.ways import has_mail, has_sms
from tracker.db import read, transaction
from tracker.errors import Invalid
from tracker.models import Course, ProtocolVersion
from tracker.rules.cadence import Cadence
from tracker.rules.fields import ClockTime, Command, Number
from tracker.rules.permissions import Permission
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import (
    audit,
    booking,
    cadences,
    channels,
    clinic,
    replanning,
    series_preview,
    settings,
    undelivered,
)
from tracker.services.cadences import EditCadence
from tracker.services.series_preview import Choice, Row
from tracker.text import gettext as _
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse

bp = Blueprint("cadences", __name__, url_prefix="/settings/messages")


class Limits(Command):
    """When no message goes out by itself, how many texts a patient gets, and when staff get their list."""

    quiet_from: ClockTime
    quiet_until: ClockTime
    texts_a_day: Number
    texts_a_week: Number
    digest_at: ClockTime


@bp.get("")
@access(Permission.VIEW_SETTINGS)
def index() -> ResponseReturnValue:
    """Show limits, and the protocols that send messages."""
    with read() as session:
        numbers = settings.of_clinic(session, g.actor.clinic_id)
    now = {name: numbers.clock(key) if key in _CLOCKS else numbers[key] for name, key in _KEYS.items()}
    return _index(blank(**now))


def _index(form: Form[Any], status: int = 200) -> Response:
    with read() as session:
        rows = booking.protocols(session, g.actor)
        own = cadences.of_clinic(session, g.actor.clinic_id).own
    return page("settings/messages.html", status=status, form=form, protocols=rows, own=own)


_KEYS = {
    "quiet_from": "quiet.from",
    "quiet_until": "quiet.until",
    "texts_a_day": "texts.a_day",
    "texts_a_week": "texts.a_week",
    "digest_at": "digest.at",
}
_CLOCKS = frozenset({"quiet.from", "quiet.until", "digest.at"})


@bp.post("/limits")
@access(Permission.MANAGE_CLINIC)
def change_limits() -> ResponseReturnValue:
    """Change the limits; series are planned anew where quiet hours are others now."""

    def do(session: Session, wanted: Limits) -> str:
        if _change_numbers(session, wanted):
            for row in booking.protocols(session, g.actor):
                replanning.start(session, g.actor, row.code, now=g.now)
        return url_for("cadences.index")

    return attempt(parse(Limits, request.form), do, _index, done=_("The limits are saved."))


def _change_numbers(session: Session, wanted: Limits) -> bool:
    """Change what is another number now; return whether quiet hours were among it. Invalid: beside each field."""
    there, faults, changed = settings.of_clinic(session, g.actor.clinic_id), {}, set()
    for name, key in _KEYS.items():
        value = getattr(wanted, name)
        number = _hours(value, late=key == "quiet.from") if isinstance(value, time) else Decimal(value)
        if number == there[key]:
            continue
        changed.add(key)
        try:
            settings.change(session, g.actor, key, str(number), now=g.now)
        except Invalid as error:
            faults[name] = next(iter(error.fields.values()))
    if faults:
        raise Invalid(faults)
    return bool(changed & {"quiet.from", "quiet.until"})


def _hours(clock: time, *, late: bool) -> Decimal:
    hours = (Decimal(clock.hour * 60 + clock.minute) / 60).quantize(Decimal("0.0001")).normalize()
    return Decimal(24) if late and not hours else Decimal(f"{hours:f}")


@bp.get("/<uuid:protocol_id>")
@access(Permission.VIEW_SETTINGS)
def show(protocol_id: UUID) -> ResponseReturnValue:
    """Show what a protocol sends, and what one patient of it gets; typed values are looked at, and not saved."""
    typed = any(name.endswith("_unit") for name in request.args)
    source = request.args.copy()
    source.pop("course", None)
    return _page(protocol_id, parse(EditCadence, source) if typed else None)


@bp.post("/<uuid:protocol_id>")
@access(Permission.MANAGE_CLINIC)
def change(protocol_id: UUID) -> ResponseReturnValue:
    """Save what a protocol sends, and have its series planned anew."""
    form = parse(EditCadence, request.form)
    with read() as session:
        clinic.get(session, g.actor, ProtocolVersion, protocol_id)

    def do(session: Session, wanted: Any) -> str:
        row = clinic.get(session, g.actor, ProtocolVersion, protocol_id)
        if wanted.course:
            clinic.get(session, g.actor, Course, wanted.course)
        cadences.change(session, g.actor, row, cadences.as_steps(wanted), was=wanted.seen, now=g.now)
        replanning.start(session, g.actor, row.code, now=g.now)
        return url_for("cadences.show", protocol_id=protocol_id, course=wanted.course)

    def again(form: Form[Any], status: int) -> Response:
        return _page(protocol_id, form, status)

    return attempt(form, do, again, done=_("It is saved. The series of this protocol are being planned anew."))


@bp.get("/<uuid:protocol_id>/progress")
@access(Permission.VIEW_SETTINGS, background=True)
def progress(protocol_id: UUID) -> ResponseReturnValue:
    """Show how far planning anew is."""
    with read() as session:
        row = clinic.get(session, g.actor, ProtocolVersion, protocol_id)
        job = replanning.last(session, g.actor, row.code)
    return page("settings/progress.html", block="progress", protocol=row, job=job)


def _page(protocol_id: UUID, form: Form[Any] | None, status: int = 200) -> Response:
    with read() as session:
        row = clinic.get(session, g.actor, ProtocolVersion, protocol_id)
        own = cadences.of_clinic(session, g.actor.clinic_id).of(row.protocol)
        seen = cadences.seen(session, g.actor.clinic_id, row.code)
        job = replanning.last(session, g.actor, row.code)
        people = series_preview.choices(session, g.actor, row.code, now=g.now)
    steps, form = _steps(form, own, seen)
    chosen = _chosen(people)
    return page(
        "settings/cadence.html",
        block="preview",
        status=status,
        form=form,
        protocol=row,
        purposes=cadences.STEPS,
        words={purpose.value: undelivered.say(purpose) for purpose in cadences.STEPS},
        lacks=[undelivered.say(purpose) for purpose in cadences.lacks(row.protocol, own)],
        job=job,
        people=people,
        chosen=chosen,
        rows=_preview(chosen, steps) if chosen else [],
        changed=steps != own,
    )


def _steps(form: Form[Any] | None, own: Cadence, seen: str) -> tuple[Cadence, Form[Any]]:
    """Return the cadence to look at, and the form: what was typed, if it is right, else what counts."""
    if form is None:
        return own, blank(seen=seen or None, **cadences.as_form(own))
    if not form.has_command:
        return own, form
    try:
        return cadences.as_steps(form.command), form
    except Invalid as error:
        return own, form if form.errors else form.refused(error)


def _chosen(people: list[Choice]) -> Choice | None:
    asked = request.values.get("course", "")
    return next((one for one in people if str(one.course_id) == asked), people[0] if people else None)


def _preview(chosen: Choice, steps: Cadence) -> list[Row]:
    with transaction() as session:
        subject = f"course {chosen.course_id}"
        audit.record(session, g.actor, "read messages", patient_id=chosen.patient_id, subject=subject, now=g.now)
    with read() as session:
        clinic.get(session, g.actor, Course, chosen.course_id)
        ways = _ways(channels.used(settings.of_clinic(session, g.actor.clinic_id)))
        return series_preview.preview(session, g.actor, chosen.course_id, steps, now=g.now, ways=ways)


def _ways(used: Set[ReminderChannel]) -> Collection[ReminderChannel]:
    """Return by which of the ways that the clinic uses messages can leave here."""
    config = current_app.config["TRACKER"]
    if not config.lets_out:
        return used
    there = {ReminderChannel.EMAIL: has_mail(config), ReminderChannel.SMS: has_sms(config)}
    return used & {way for way, is_there in there.items() if is_there}
