"""The patient's pages, behind the link in a message. No password: a tap exchanges the link for a short session.

The link's own page shows nothing personal and changes nothing, since mail scanners follow links.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, make_response, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker import text
from tracker.db import read, transaction
from tracker.errors import Invalid, Refused
from tracker.interop import calendar_file
from tracker.rules import scales
from tracker.rules.fields import Command
from tracker.rules.permissions import Actor, Permission
from tracker.services import audit, clinic, closing, consent, links, portal, telling
from tracker.services import calendar as opening
from tracker.web.access import LANGUAGE_COOKIE, access, portal_cookie, speak_to_patient
from tracker.web.forms import Form, attempt, blank, go_to, once, page, parse, see_other

bp = Blueprint("portal", __name__)

YEAR = 365 * 24 * 3600  # seconds


def _key() -> bytes:
    key: str = current_app.config["TRACKER"].secret_key
    return key.encode()


@bp.after_request
def _keep_language(response: Response) -> Response:
    """Remember for this browser which language it was switched to. It is said of nobody."""
    chosen = request.args.get("language")
    if chosen in text.SPOKEN:
        secure = portal_cookie()[1]
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR, secure=secure, httponly=True, samesite="Lax")
    return response


@bp.get("/v/<token>")
@access(Permission.PUBLIC)
def welcome(token: str) -> ResponseReturnValue:
    """Show a button and nothing else."""
    with read() as session:
        g.clinic, language = portal.welcome(session, _key(), token, now=g.now)
    speak_to_patient(language)
    return page("portal/welcome.html", token=token)


@bp.post("/v/<token>")
@access(Permission.PUBLIC)
def enter(token: str) -> ResponseReturnValue:
    """Open the patient's pages for this browser."""
    with transaction() as session:
        link_id, secret = portal.enter(session, _key(), token, now=g.now)
    response = make_response(see_other("portal.home", link_id=link_id))
    return _remember(response, link_id, secret)


def _remember(response: Response, link_id: UUID, secret: str) -> Response:
    name, secure = portal_cookie()
    response.set_cookie(
        name,
        secret,
        max_age=None if secret else 0,
        path=url_for("portal.home", link_id=link_id),
        secure=secure,
        httponly=True,
        samesite="Lax",
    )
    return response


@bp.get("/my/<uuid:link_id>/")
@access(Permission.PATIENT_LINK)
def home(link_id: UUID) -> ResponseReturnValue:
    """What is next, and everything a patient can do about it."""
    _note_reading("patient: read own visits")
    with read() as session:
        mine = portal.home(session, g.guest, now=g.now)
    return page("portal/home.html", link_id=link_id, mine=mine, phq9=scales.PHQ9)


def _note_reading(action: str) -> None:
    with transaction() as session:
        audit.record(session, g.guest.actor, action, patient_id=g.guest.patient_id, now=g.now)


@bp.post("/my/<uuid:link_id>/visits/<uuid:visit_id>/confirm")
@access(Permission.PATIENT_LINK)
def confirm(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """The patient will come."""
    with transaction() as session:
        portal.confirm(session, g.guest, visit_id, now=g.now)
    return see_other("portal.home", link_id=link_id)


@bp.get("/my/<uuid:link_id>/visits/<uuid:visit_id>/driver")
@access(Permission.PATIENT_LINK)
def driver(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Ask who takes the patient home."""
    return _driver_page(link_id, visit_id, None)


def _driver_page(link_id: UUID, visit_id: UUID, form: Form[portal.NameDriver] | None) -> ResponseReturnValue:
    _note_reading("patient: read own driver")
    with read() as session:
        visit = portal.visit_of(session, g.guest, visit_id)
        known = portal.known_driver(session, g.guest)
    phone = visit.driver_phone or known[1]
    said = text.say_phone(phone, g.clinic.country) if phone else ""
    start = form or blank(name=visit.driver_name or known[0], phone=said)
    return page("portal/driver.html", status=422 if form else 200, link_id=link_id, visit=visit, form=start)


@bp.post("/my/<uuid:link_id>/visits/<uuid:visit_id>/driver")
@access(Permission.PATIENT_LINK)
def name_driver(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Keep who takes the patient home."""
    form = parse(portal.NameDriver, request.form, country=g.clinic.country)
    if form.errors:
        return _driver_page(link_id, visit_id, form)
    try:
        with transaction() as session:
            portal.name_driver(session, g.guest, visit_id, form.command, now=g.now)
    except Refused as refusal:
        return _driver_page(link_id, visit_id, form.refused(refusal))
    return see_other("portal.home", link_id=link_id)


@bp.get("/my/<uuid:link_id>/visits/<uuid:visit_id>/other-time")
@access(Permission.PATIENT_LINK)
def other_time(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Ask which days and hours suit better."""
    return _other_time_page(link_id, visit_id, blank(), 200)


def _other_time_page(link_id: UUID, visit_id: UUID, form: Form[Any], status: int) -> Response:
    with read() as session:
        visit = portal.visit_of(session, g.guest, visit_id)
        days = sorted(opening.open_weekdays(session, g.clinic.id))
    monday = telling.SOME_MONDAY
    return page(
        "portal/other_time.html",
        status=status,
        link_id=link_id,
        visit=visit,
        form=form,
        days=[(str(day), text.say_day(monday + timedelta(days=day), form="weekday")) for day in days],
    )


@bp.post("/my/<uuid:link_id>/visits/<uuid:visit_id>/other-time")
@access(Permission.PATIENT_LINK)
def wish_other_time(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Give the wish to the desk; the visit stays where it is."""
    form = parse(telling.OtherTime, request.form)
    return _say_of_visit(link_id, visit_id, form, portal.wish_other_time, _other_time_page)


@bp.get("/my/<uuid:link_id>/visits/<uuid:visit_id>/cant-come")
@access(Permission.PATIENT_LINK)
def cant_come(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Ask whether that is so, and if she likes, why."""
    return _cant_come_page(link_id, visit_id, blank(), 200)


def _cant_come_page(link_id: UUID, visit_id: UUID, form: Form[Any], status: int) -> Response:
    with read() as session:
        visit = portal.visit_of(session, g.guest, visit_id)
    return page("portal/cant_come.html", status=status, link_id=link_id, visit=visit, form=form)


@bp.post("/my/<uuid:link_id>/visits/<uuid:visit_id>/cant-come")
@access(Permission.PATIENT_LINK)
def say_cant_come(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Tell the desk; nothing is cancelled by that."""
    form = parse(telling.CantCome, request.form)
    return _say_of_visit(link_id, visit_id, form, portal.cant_come, _cant_come_page)


def _say_of_visit(
    link_id: UUID,
    visit_id: UUID,
    form: Form[Any],
    tell_desk: Callable[..., None],
    again: Callable[[UUID, UUID, Form[Any], int], Response],
) -> Response:
    def do(session: Session, command: Command) -> str:
        tell_desk(session, g.guest, visit_id, command, now=g.now)
        return url_for("portal.home", link_id=link_id)

    return attempt(form, do, lambda faulty, status: again(link_id, visit_id, faulty, status))


@bp.get("/my/<uuid:link_id>/messages")
@access(Permission.PATIENT_LINK)
def messages(link_id: UUID) -> ResponseReturnValue:
    """Which messages she gets, and how to stop them."""
    return _messages_page(link_id, blank(), 200)


def _messages_page(link_id: UUID, form: Form[Any], status: int) -> Response:
    with read() as session:
        points = consent.written_to(session, g.guest.patient_id)
    return page(
        "portal/messages.html", status=status, link_id=link_id, points=points, form=form, by_text=consent.BY_TEXT
    )


@bp.post("/my/<uuid:link_id>/messages")
@access(Permission.PATIENT_LINK)
def switch_messages(link_id: UUID) -> ResponseReturnValue:
    """Stop messages of a kind, at once, or have them again."""

    def do(session: Session, command: consent.SwitchMessages) -> str:
        consent.switch(session, g.actor, g.guest.patient_id, command, now=g.now)
        return url_for("portal.messages", link_id=link_id)

    form = parse(consent.SwitchMessages, request.form)
    return attempt(form, do, lambda faulty, status: _messages_page(link_id, faulty, status))


@bp.get("/u/<stop_token>")
@access(Permission.PUBLIC)
def unsubscribe(stop_token: str) -> ResponseReturnValue:
    """Show a button, and nothing of whose address it is."""
    with read() as session:
        point = links.open_unsubscribe(session, _key(), stop_token)
        g.clinic = clinic.info(session, point.clinic_id)
    speak_to_patient()
    return page("portal/unsubscribe.html", stopped=False)


@bp.post("/u/<stop_token>")
@access(Permission.PUBLIC, cross_site=True)  # mail programs post here by themselves (RFC 8058); the token is the proof
def stop_messages(stop_token: str) -> ResponseReturnValue:
    """End all messages to an address, at once, whatever else is posted along."""
    with transaction() as session:
        point = links.open_unsubscribe(session, _key(), stop_token)
        g.clinic = clinic.info(session, point.clinic_id)
        actor = Actor(point.clinic_id, None, None, "patient by the link in an e-mail")
        consent.stop(session, actor, point, consent.BY_LINK, now=g.now)
    speak_to_patient()
    return page("portal/unsubscribe.html", stopped=True)


@bp.post("/my/<uuid:link_id>/visits/<uuid:visit_id>/closed")
@access(Permission.PATIENT_LINK)
def closed(link_id: UUID, visit_id: UUID) -> ResponseReturnValue:
    """Keep that the patient has read that we are closed."""
    with transaction() as session:
        visit = portal.visit_of(session, g.guest, visit_id)
        closing.read_by_patient(session, g.guest.actor, visit, now=g.now)
    return see_other("portal.home", link_id=link_id)


@bp.get("/my/<uuid:link_id>/feel")
@access(Permission.PATIENT_LINK)
def feel(link_id: UUID) -> ResponseReturnValue:
    """Ask how the patient feels today."""
    return page("portal/feel.html", link_id=link_id, form=blank(), symptoms=portal.SYMPTOMS)


@bp.post("/my/<uuid:link_id>/feel")
@access(Permission.PATIENT_LINK)
def tell(link_id: UUID) -> ResponseReturnValue:
    """Keep how the patient feels today."""
    form = parse(portal.HowIFeel, request.form)
    if not form.errors:
        try:
            return _thank(link_id, form, portal.feel)
        except Refused as refusal:
            form = form.refused(refusal)
    return page("portal/feel.html", status=422, link_id=link_id, form=form, symptoms=portal.SYMPTOMS)


def _thank(link_id: UUID, form: Form[Any], keep: Callable[..., None]) -> ResponseReturnValue:
    """Keep what the form says, once, and go to the page that says so."""

    def do() -> str:
        keep(session, g.guest, form.command, now=g.now)
        return url_for("portal.thanks", link_id=link_id)

    with transaction() as session:
        address = once(session, form, do)
    return go_to(address)


@bp.get("/my/<uuid:link_id>/thanks")
@access(Permission.PATIENT_LINK)
def thanks(link_id: UUID) -> ResponseReturnValue:
    """Say that it arrived, when it is read, and whom to call before."""
    with read() as session:
        mine = portal.home(session, g.guest, now=g.now)
    return page("portal/thanks.html", link_id=link_id, worry=portal.worrying(mine, now=g.now))


def _phq9() -> scales.Scale:
    return scales.in_language(scales.PHQ9, text.language())


@bp.get("/my/<uuid:link_id>/phq9")
@access(Permission.PATIENT_LINK)
def phq9(link_id: UUID) -> ResponseReturnValue:
    """Ask the questionnaire."""
    return page("portal/phq9.html", link_id=link_id, form=blank(), scale=_phq9())


@bp.post("/my/<uuid:link_id>/phq9")
@access(Permission.PATIENT_LINK)
def answer_phq9(link_id: UUID) -> ResponseReturnValue:
    """Keep the answers; a missing one is asked for again."""
    form = parse(portal.AnswerPhq9, request.form)
    if not form.errors:
        try:
            return _thank(link_id, form, portal.answer)
        except (Invalid, Refused) as refusal:
            form = form.refused(refusal)
    return page("portal/phq9.html", status=422, link_id=link_id, form=form, scale=_phq9())


@bp.get("/my/<uuid:link_id>/visits.ics")
@access(Permission.PATIENT_LINK)
def calendar(link_id: UUID) -> ResponseReturnValue:
    """Give all dates as a calendar file whose titles say nothing of the treatment."""
    _note_reading("patient: read own visits")
    with read() as session:
        mine = portal.home(session, g.guest, now=g.now)
    entries = [
        calendar_file.Entry(visit.id, visit.version, visit.starts_at, mine.leaves(visit)) for visit in mine.visits
    ]
    where = calendar_file.Place(g.clinic.address, current_app.config["TRACKER"].mail_from)
    response = make_response(calendar_file.calendar_file(entries, where, calendar_file.Method.PUBLISH, now=g.now))
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="visits.ics"'
    return response


@bp.post("/my/<uuid:link_id>/leave")
@access(Permission.PATIENT_LINK)
def leave(link_id: UUID) -> ResponseReturnValue:
    """End this browser's session."""
    secret = request.cookies.get(portal_cookie()[0], "")
    with transaction() as session:
        portal.leave(session, secret)
    response = make_response(page("portal/left.html"))
    return _remember(response, link_id, "")
