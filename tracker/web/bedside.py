"""The bedside page of a visit, and everything that is done on it."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused, Stale
from tracker.models import SideEffect, Visit
from tracker.rules.fields import Command, Line, Secret
from tracker.rules.permissions import Permission
from tracker.services import (
    audit,
    bedside,
    clinic,
    message_history,
    messages,
    observations,
    orders,
    outcomes,
    visit_record,
)
from tracker.web.access import access
from tracker.web.bedside_page import BedsidePage, Phase
from tracker.web.forms import Form, go_to, once, page, parse, wants_part
from tracker.web.signing import proven

bp = Blueprint("bedside", __name__)

C = TypeVar("C", bound=Command)


class SignedOrder(orders.SignOrder):
    """An order with the password that signs it."""

    password: Secret


class WitnessedCheck(orders.CheckDose):
    """The second person's check; on the same tablet with that person's own e-mail address and password."""

    email: Line | None = None
    password: Secret | None = None


@bp.get("/visits/<uuid:visit_id>")
@access(Permission.VIEW_PATIENT)
def show(visit_id: UUID) -> ResponseReturnValue:
    """Show a visit where it is; `phase` opens another tab."""
    _note_read(visit_id)
    return _page(visit_id)


def _note_read(visit_id: UUID) -> None:
    with transaction() as session:
        visit = clinic.get(session, g.actor, Visit, visit_id)
        audit.record(
            session, g.actor, "read visit", patient_id=visit.patient_id, subject=f"visit {visit_id}", now=g.now
        )


@bp.get("/visits/<uuid:visit_id>/live")
@access(Permission.VIEW_PATIENT, background=True)
def live(visit_id: UUID) -> ResponseReturnValue:
    """The grid and the chart again, for the page that shows them already."""
    return page("bedside/visit.html", block="watch", bedside=_bedside(visit_id, {}))


@bp.post("/visits/<uuid:visit_id>/moves")
@access(Permission.RUN_VISIT)
def move(visit_id: UUID) -> ResponseReturnValue:
    """Move the visit through its story."""
    return _do(visit_id, "move", bedside.MakeMove, bedside.make_move)


@bp.post("/visits/<uuid:visit_id>/orders")
@access(Permission.ORDER)
def order(visit_id: UUID) -> ResponseReturnValue:
    """Sign an order: the password again."""

    def sign(session: Session, actor: Any, visit_id: UUID, command: SignedOrder, *, now: Any) -> object:
        plain = orders.SignOrder(**command.model_dump(exclude={"password"}))
        return orders.sign_order(session, signer, visit_id, plain, now=now)

    form = parse(SignedOrder, request.form)
    if form.errors:
        return _page(visit_id, "order", form)
    try:
        signer = proven(form.command.password)
    except (Refused, Invalid) as error:
        return _page(visit_id, "order", form.refused(error))
    return _run(visit_id, "order", form, sign)


@bp.post("/visits/<uuid:visit_id>/overrides")
@access(Permission.OVERRIDE)
def override(visit_id: UUID) -> ResponseReturnValue:
    """Let something pass that stands before Start."""
    return _do(visit_id, "override", bedside.Override, bedside.override)


@bp.post("/visits/<uuid:visit_id>/dose")
@access(Permission.TREAT)
def dose(visit_id: UUID) -> ResponseReturnValue:
    """Enter today's weight and the vial."""
    return _do(visit_id, "dose", orders.DrawUp, orders.draw_up)


@bp.post("/visits/<uuid:visit_id>/dose/check")
@access(Permission.TREAT)
def check(visit_id: UUID) -> ResponseReturnValue:
    """Keep the second person's check: of whoever is signed in, or of somebody else at the same tablet."""
    form = parse(WitnessedCheck, request.form)
    if form.errors:
        return _page(visit_id, "check", form)
    command = form.command
    try:
        second = proven(command.password or "", email=command.email) if command.email else g.actor
    except (Refused, Invalid) as error:
        return _page(visit_id, "check", form.refused(error))

    def keep(session: Session, actor: Any, visit_id: UUID, command: WitnessedCheck, *, now: Any) -> object:
        plain = orders.CheckDose(mg=command.mg, ml=command.ml)
        return orders.check_dose(session, second, visit_id, plain, now=now)

    return _run(visit_id, "check", form, keep)


@bp.post("/visits/<uuid:visit_id>/checklist")
@access(Permission.TREAT)
def checklist(visit_id: UUID) -> ResponseReturnValue:
    """Answer one item of the pre-infusion checklist."""
    return _do(visit_id, "checklist", observations.AnswerItem, observations.answer_item)


@bp.post("/visits/<uuid:visit_id>/vitals")
@access(Permission.TREAT)
def vitals(visit_id: UUID) -> ResponseReturnValue:
    """Keep a set of vital signs."""
    return _do(visit_id, "vitals", observations.TakeVitals, observations.take_vitals)


@bp.post("/visits/<uuid:visit_id>/side-effects")
@access(Permission.TREAT)
def report(visit_id: UUID) -> ResponseReturnValue:
    """Note a side effect."""
    return _do(visit_id, "effect", observations.ReportEffect, observations.report_effect)


@bp.post("/side-effects/<uuid:side_effect_id>")
@access(Permission.TREAT)
def update(side_effect_id: UUID) -> ResponseReturnValue:
    """Note how a side effect went on."""
    with read() as session:
        visit_id = clinic.get(session, g.actor, SideEffect, side_effect_id).visit_id
    form = parse(observations.UpdateEffect, request.form)
    if form.errors:
        return _page(visit_id, "effect", form)

    def keep(session: Session, actor: Any, _visit: UUID, command: observations.UpdateEffect, *, now: Any) -> object:
        return observations.update_effect(session, actor, side_effect_id, command, now=now)

    return _run(visit_id, "effect", form, keep)


def _do(visit_id: UUID, name: str, command: type[C], service: Callable[..., object]) -> ResponseReturnValue:
    form = parse(command, request.form)
    return _page(visit_id, name, form) if form.errors else _run(visit_id, name, form, service)


def _run(visit_id: UUID, name: str, form: Form[Any], service: Callable[..., object]) -> ResponseReturnValue:
    """Run a service once for this form; answer with the page, or the part of it that htmx swaps."""

    def do() -> str:
        service(session, g.actor, visit_id, form.command, now=g.now)
        return _address(visit_id)

    try:
        with transaction() as session:
            address = once(session, form, do)
    except (Refused, Invalid) as error:
        return _page(visit_id, name, form.refused(error))
    except Stale as stale:
        return _page(visit_id, name, form.refused(Refused(str(stale))), status=409)
    return _page(visit_id) if wants_part() else go_to(address)


def _address(visit_id: UUID) -> str:
    """Where to go on: today's board for a tap made there, else the visit."""
    return "/" if request.args.get("back") == "today" else f"/visits/{visit_id}"


def _page(visit_id: UUID, name: str = "", form: Form[Any] | None = None, *, status: int = 422) -> Response:
    forms = {name: form} if form is not None else {}
    if forms:  # what was done is in the audit; what was refused shows the record all the same
        _note_read(visit_id)
    answer = _bedside(visit_id, forms)
    return page("bedside/visit.html", block="bedside", status=status if forms else 200, bedside=answer)


def _bedside(visit_id: UUID, forms: dict[str, Form[Any]]) -> BedsidePage:
    with read() as session:
        record = visit_record.load(session, g.actor, visit_id, now=g.now)
        curve = outcomes.curve(session, record.course)
        told = messages.of_visit(session, g.actor, visit_id, now=g.now)
        happened = message_history.of_visit(session, g.actor, visit_id)
    asked = request.args.get("phase", "")
    phase = Phase(asked) if asked in list(Phase) else None
    return BedsidePage(
        record, g.actor, g.now, curve.words, told, happened, phase, request.args.get("correct", ""), forms
    )
