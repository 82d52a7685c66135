"""Messages: what went, what will go, what did not and why, and what a person does about one of them."""

import re
from dataclasses import dataclass
from datetime import date
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.channels import ways
from tracker.config import Config
from tracker.db import read, transaction
from tracker.interop import mail
from tracker.models import OutboxMessage, Patient
from tracker.rules.cadence import Purpose
from tracker.rules.fields import Command, Day, Line, Number
from tracker.rules.permissions import Permission
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import (
    audit,
    calendar,
    channels,
    clinic,
    health,
    messages,
    patients,
    recovery,
    resending,
    settings,
    undelivered,
)
from tracker.services.letter_facts import facts
from tracker.services.message_history import mask
from tracker.services.messages import Detail, Filter, Show
from tracker.services.resending import Again, Answer, Resend
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse

bp = Blueprint("messages", __name__)

_LINK = re.compile(r"(https?://\S+)")
LAST_PAGE = 10_000


class Asked(Command):
    """What the list is narrowed to. A patient is named by an id: a name has no place in an address."""

    show: Show = Show.COMING
    kind: Purpose | None = None
    way: ReminderChannel | None = None
    day: Day | None = None
    patient: UUID | None = None
    page: Number = 1


class Search(Command):
    """Whose messages are looked for: a part of a name, a telephone number, a birth date, a chart number."""

    whose: Line | None = None


@dataclass(frozen=True)
class Letter:
    """A kept message as its patient sees it: lines of text, each cut into words and links."""

    sender: str
    recipient: str
    subject: str
    lines: list[list[str]]
    attached: list[str]


@bp.get("/messages")
@access(Permission.VIEW_MESSAGES)
def index() -> ResponseReturnValue:
    """List the clinic's messages, those that will go first."""
    form = parse(Asked, request.args)
    asked = Asked() if form.errors else form.command
    wanted = Filter(asked.show, asked.kind, asked.way, asked.day, asked.patient, min(max(asked.page, 1), LAST_PAGE))
    with read() as session:
        patient = clinic.get(session, g.actor, Patient, asked.patient) if asked.patient else None
    with transaction() as session:
        detail = {"show": asked.show.value}
        audit.record(session, g.actor, "read messages", now=g.now, patient_id=asked.patient, detail=detail)
    return _list_page(wanted, form, patient)


@bp.post("/messages/find")
@access(Permission.VIEW_MESSAGES)
def find() -> ResponseReturnValue:
    """Find the patient whose messages are wanted. What is typed goes into the body: an address is kept by many."""
    form = parse(Search, request.form)
    said = form.value("whose")
    if form.errors:
        return page("messages/find.html", status=422, form=form, found=[], said=said)
    with transaction() as session:
        audit.record(session, g.actor, "search patients", now=g.now)
    with read() as session:
        found = patients.find(session, g.actor, said)[0] if said.strip() else []
    return page("messages/find.html", block="found", form=form, found=found, said=said)


def _list_page(wanted: Filter, form: Form[Any], patient: Patient | None) -> Response:
    with read() as session:
        lines, more = messages.listed(session, g.actor, wanted, now=g.now)
        wrong = health.health(session, g.actor, now=g.now)
    return page(
        "messages/index.html",
        status=422 if form.errors else 200,
        lines=lines,
        more=more,
        asked=wanted,
        form=form,
        patient=patient and calendar.say_name(patient),
        shows=list(Show),
        kinds=[(kind.value, undelivered.say(kind)) for kind in Purpose],
        wrong=wrong,
        to=_to(wanted),
    )


def _to(wanted: Filter) -> Any:
    """Return a function that makes the address of this list with something changed."""
    now = {
        "show": wanted.show.value,
        "kind": wanted.kind and wanted.kind.value,
        "way": wanted.way and wanted.way.value,
        "day": _iso(wanted.day),
        "patient": wanted.patient_id,
    }
    return lambda **changed: url_for("messages.index", **{**now, **changed})


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


@bp.get("/messages/<uuid:reminder_id>")
@access(Permission.VIEW_MESSAGES)
def show(reminder_id: UUID) -> ResponseReturnValue:
    """Show one message: what happened to it, every try to send it, and its words where they were kept."""
    with transaction() as session:
        row = messages.one(session, g.actor, reminder_id, now=g.now).row
        audit.record(
            session, g.actor, "read message", now=g.now, patient_id=row.patient_id, subject=f"message {reminder_id}"
        )
    return _message_page(reminder_id, blank())


def _message_page(reminder_id: UUID, form: Form[Any], *, status: int = 200) -> Response:
    with read() as session:
        found = messages.one(session, g.actor, reminder_id, now=g.now)
        phones = _phones(session, found)
    with read() as session:
        may = g.actor.may(Permission.SEND_MESSAGE) and found.row.status in resending.RESENDABLE
        again = resending.preview(session, g.actor, reminder_id, _ways(session), now=g.now) if may else None
    return page(
        "messages/show.html",
        status=status,
        found=found,
        form=form,
        mask=mask,
        letter=_letter(found.kept) if found.kept else None,
        again=again,
        phones=phones,
    )


def _phones(session: Session, found: Detail) -> list[str]:
    """Return by which numbers to tell the patient instead."""
    patient_id = found.row.patient_id
    return recovery.telephones(session, patient_id) if patient_id and g.actor.may(Permission.VIEW_PATIENT) else []


@bp.post("/messages/<uuid:reminder_id>/answer")
@access(Permission.SEND_MESSAGE)
def answer(reminder_id: UUID) -> ResponseReturnValue:
    """Keep that it arrived, or that somebody called instead."""
    form = parse(Answer, request.form)

    def do(session: Session, command: Answer) -> str:
        resending.answer(session, g.actor, reminder_id, command, now=g.now)
        return url_for("messages.show", reminder_id=reminder_id)

    return attempt(form, do, lambda again, status: _message_page(reminder_id, again, status=status))


@bp.get("/messages/<uuid:reminder_id>/again")
@access(Permission.SEND_MESSAGE)
def again(reminder_id: UUID) -> ResponseReturnValue:
    """Show what would be sent if it were sent again, or why it can't be."""
    return _again_page(reminder_id, blank())


@bp.post("/messages/<uuid:reminder_id>/again")
@access(Permission.SEND_MESSAGE)
def send_again(reminder_id: UUID) -> ResponseReturnValue:
    """Send it again."""
    form = parse(Resend, request.form)

    def do(session: Session, command: Resend) -> str:
        resending.resend(session, g.actor, reminder_id, command, _ways(session), now=g.now)
        return url_for("messages.show", reminder_id=reminder_id)

    return attempt(form, do, lambda again, status: _again_page(reminder_id, again, status=status))


def _again_page(reminder_id: UUID, form: Form[Any], *, status: int = 200) -> Response:
    with read() as session:
        found = messages.one(session, g.actor, reminder_id, now=g.now)
        phones = _phones(session, found)
        preview = resending.preview(session, g.actor, reminder_id, _ways(session), now=g.now)
    return page(
        "messages/again.html",
        status=status,
        found=found,
        again=preview,
        phones=phones,
        form=form,
        written=_written(preview),
        mask=mask,
    )


def _written(again: Again) -> mail.Written | None:
    if again.letter is None:
        return None
    # The link opens the patient's page: whoever may read a message here needn't be the one to.
    link = f"{_config().base_url.rstrip('/')}/v/…" if again.letter.link else None
    return mail.write(facts(again.letter, link))


def _ways(session: Session) -> frozenset[ReminderChannel]:
    """Return by which ways messages can leave here: set up, and used by the clinic."""
    config = _config()
    ready = {
        ReminderChannel.EMAIL: ways.has_mail(config) or not config.lets_out,
        ReminderChannel.SMS: ways.has_sms(config) or not config.lets_out,
    }
    used = channels.used(settings.of_clinic(session, g.actor.clinic_id))
    return used & {way for way, is_ready in ready.items() if is_ready}


def _config() -> Config:
    config: Config = current_app.config["TRACKER"]
    return config


def _letter(kept: OutboxMessage) -> Letter:
    email = message_from_string(kept.body, policy=default)
    assert isinstance(email, EmailMessage)
    body = email.get_body(("plain",))
    text = body.get_content() if body else ""
    return Letter(
        sender=str(email["From"]),
        recipient=kept.recipient,
        subject=kept.subject if email["Subject"] else "",  # a text has none
        lines=[_LINK.split(line) for line in text.splitlines()],
        attached=[part.get_filename() or "" for part in email.iter_attachments()],
    )
