"""The note on a visit, its addenda, and the next-day check-in."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused, Stale
from tracker.models import Note, Visit
from tracker.rules.adverse_events import TERMS
from tracker.rules.fields import Secret
from tracker.rules.permissions import Permission
from tracker.services import audit, clinic, notes, recovery, visit_record
from tracker.web.access import access
from tracker.web.forms import Form, blank, go_to, once, page, parse, see_other
from tracker.web.signing import proven

bp = Blueprint("notes", __name__)


class SignNote(notes.WriteNote):
    """A note with the password that signs it."""

    password: Secret


class SignAddendum(notes.WriteAddendum):
    """An addendum with the password that signs it."""

    password: Secret


@bp.get("/visits/<uuid:visit_id>/note")
@access(Permission.VIEW_PATIENT)
def show(visit_id: UUID) -> ResponseReturnValue:
    """Show the note of a visit, or the one the tracker would write."""
    _note_read(visit_id)
    return _note_page(visit_id)


@bp.post("/visits/<uuid:visit_id>/note")
@access(Permission.SIGN_NOTE)
def save(visit_id: UUID) -> ResponseReturnValue:
    """Keep the draft."""
    form = parse(notes.WriteNote, request.form)
    if form.errors:
        return _note_page(visit_id, form)
    try:
        with transaction() as session:
            notes.save(session, g.actor, visit_id, form.command, now=g.now)
    except Refused as refusal:
        return _note_page(visit_id, form.refused(refusal))
    except Stale as stale:
        return _note_page(visit_id, form.refused(Refused(str(stale))), status=409)
    return see_other("notes.show", visit_id=visit_id)


@bp.post("/visits/<uuid:visit_id>/note/sign")
@access(Permission.SIGN_NOTE)
def sign(visit_id: UUID) -> ResponseReturnValue:
    """Keep the text as it is now, and sign it: the password again."""
    form = parse(SignNote, request.form)
    if form.errors:
        return _note_page(visit_id, form)
    try:
        signer = proven(form.command.password)
        written = notes.WriteNote(body=form.command.body, version=form.command.version)
        with transaction() as session:
            notes.sign(session, signer, visit_id, written, now=g.now)
    except (Refused, Invalid) as error:
        return _note_page(visit_id, form.refused(error))
    except Stale as stale:
        return _note_page(visit_id, form.refused(Refused(str(stale))), status=409)
    return see_other("notes.show", visit_id=visit_id)


@bp.post("/notes/<uuid:note_id>/addenda")
@access(Permission.SIGN_NOTE)
def add(note_id: UUID) -> ResponseReturnValue:
    """Sign an addendum: the password again."""
    with read() as session:
        visit_id = clinic.get(session, g.actor, Note, note_id).visit_id
    form = parse(SignAddendum, request.form)
    if form.errors:
        return _note_page(visit_id, addendum=form)

    def do() -> str:
        notes.add(session, signer, note_id, notes.WriteAddendum(body=form.command.body), now=g.now)
        return url_for("notes.show", visit_id=visit_id)

    try:
        signer = proven(form.command.password)
        with transaction() as session:
            address = once(session, form, do)
    except (Refused, Invalid) as error:
        return _note_page(visit_id, addendum=form.refused(error))
    return go_to(address)


def _note_page(
    visit_id: UUID, form: Form[Any] | None = None, *, addendum: Form[Any] | None = None, status: int = 422
) -> Response:
    if form or addendum:
        _note_read(visit_id)
    with read() as session:
        record = visit_record.load(session, g.actor, visit_id, now=g.now)
        note = record.notes[-1] if record.notes else None
        more = notes.addenda(session, note.id) if note else []
    body = note.body if note else notes.written(record, g.now)
    return page(
        "bedside/note.html",
        status=status if form or addendum else 200,
        record=record,
        note=note,
        addenda=more,
        form=form or blank(body=body, version=note.version if note else 0),
        addendum=addendum or blank(),
        written=notes.written(record, g.now),
    )


def _note_read(visit_id: UUID) -> None:
    with transaction() as session:
        visit = clinic.get(session, g.actor, Visit, visit_id)
        subject = f"visit {visit_id}"
        audit.record(session, g.actor, "read note", patient_id=visit.patient_id, subject=subject, now=g.now)


@bp.get("/visits/<uuid:visit_id>/check-in")
@access(Permission.VIEW_PATIENT)
def ask(visit_id: UUID) -> ResponseReturnValue:
    """Show what to ask on the telephone the day after, and what was said before."""
    _note_read(visit_id)
    return _check_in_page(visit_id, blank())


@bp.post("/visits/<uuid:visit_id>/check-in")
@access(Permission.DO_TASK)
def check_in(visit_id: UUID) -> ResponseReturnValue:
    """Keep what was said."""
    form = parse(recovery.CheckIn, request.form)
    if form.errors:
        return _check_in_page(visit_id, form)

    def do() -> str:
        recovery.check_in(session, g.actor, visit_id, form.command, now=g.now)
        return "/to-do"

    try:
        with transaction() as session:
            address = once(session, form, do)
    except (Refused, Invalid) as error:
        return _check_in_page(visit_id, form.refused(error))
    return go_to(address)


def _check_in_page(visit_id: UUID, form: Form[Any]) -> Response:
    if form.errors:
        _note_read(visit_id)
    with read() as session:
        record = visit_record.load(session, g.actor, visit_id, now=g.now)
        phones = recovery.telephones(session, record.patient.id)
    return page(
        "bedside/check_in_call.html",
        status=422 if form.errors else 200,
        record=record,
        phones=phones,
        form=form,
        asked=[TERMS[key] for key in recovery.ASKED],
    )
