"""By which ways the clinic writes, how each stands, a test to oneself, and sending again after a pause."""

from dataclasses import dataclass
from enum import StrEnum

from flask import Blueprint, Response, current_app, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.channels import ways
from tracker.config import Config
from tracker.db import read, transaction
from tracker.models import UserAccount
from tracker.rules.fields import Command, Text
from tracker.rules.permissions import Permission
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import audit, channels, sending
from tracker.services.channels import Choose, TryOut
from tracker.text import gettext as _
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse

bp = Blueprint("channels", __name__, url_prefix="/settings/channels")


class Elsewhere(StrEnum):
    """Whether another installation may have sent what became due meanwhile."""

    YES = "yes"
    NO = "no"


class Resume(Command):
    """An administrator's word that this is the installation that sends."""

    left_already: Elsewhere
    reason: Text


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the settings say of a way: whether it can be used, and by whom messages come."""

    ready: bool
    through: str
    sender: str


@bp.get("")
@access(Permission.MANAGE_CLINIC)
def show() -> ResponseReturnValue:
    """Show the ways and how they stand."""
    with transaction() as session:
        audit.record(session, g.actor, "read channels", now=g.now)
    return _page()


@bp.get("/test")
@access(Permission.MANAGE_CLINIC, background=True)
def test() -> ResponseReturnValue:
    """Show again what became of the test."""
    return _page()


@bp.post("")
@access(Permission.MANAGE_CLINIC)
def choose() -> ResponseReturnValue:
    """Keep by which ways the clinic writes."""
    form = parse(Choose, request.form)
    return attempt(form, _choose, lambda again, status: _page(choosing=again, status=status), done=_("Saved."))


def _choose(session: Session, command: Choose) -> str:
    channels.choose(session, g.actor, command, now=g.now)
    return url_for("channels.show")


@bp.post("/test")
@access(Permission.MANAGE_CLINIC)
def try_out() -> ResponseReturnValue:
    """Send the administrator a message."""
    form = parse(TryOut, request.form, country=g.clinic.country)
    return attempt(form, _try_out, lambda again, status: _page(trying=again, status=status))


def _try_out(session: Session, command: TryOut) -> str:
    here = [way for way, set_up in _set_up().items() if set_up.ready]
    channels.try_out(session, g.actor, command, here, now=g.now)
    return url_for("channels.show", _anchor="test")


@bp.post("/resume")
@access(Permission.MANAGE_CLINIC, fresh=True)
def resume() -> ResponseReturnValue:
    """Let messages leave again."""
    form = parse(Resume, request.form)
    done = _("Messages leave again from the worker's next look on.")
    return attempt(form, _resume, lambda again, status: _page(resuming=again, status=status), done=done)


def _resume(session: Session, command: Resume) -> str:
    left_already = command.left_already is Elsewhere.YES
    sending.resume(session, g.actor, command.reason, left_already=left_already, now=g.now)
    return url_for("channels.show")


def _page(
    *,
    choosing: Form[Choose] | None = None,
    trying: Form[TryOut] | None = None,
    resuming: Form[Resume] | None = None,
    status: int = 200,
) -> Response:
    with read() as session:
        found = channels.ways(session, g.actor)
        account = session.get_one(UserAccount, g.actor.user_id)
        number = channels.address_of(session, account, ReminderChannel.SMS)
        fate = channels.fate(session, g.actor)
    chosen = {way.channel.value: way.used for way in found}
    return page(
        "settings/channels.html",
        block="fate",
        status=status,
        ways=found,
        set_up=_set_up(),
        keeps=not _config().lets_out,
        fate=fate,
        email=account.email,
        choosing=choosing or blank(**chosen),
        trying=trying or blank(number=number),
        resuming=resuming or blank(),
    )


def _set_up() -> dict[ReminderChannel, SetUp]:
    config = _config()
    keeps = not config.lets_out
    return {
        ReminderChannel.EMAIL: SetUp(keeps or ways.has_mail(config), config.mail_host, config.mail_from),
        ReminderChannel.SMS: SetUp(keeps or ways.has_sms(config), _provider(config), config.sms_from),
    }


def _provider(config: Config) -> str:
    return config.sms_api.partition("://")[2] if config.sms_account else ""


def _config() -> Config:
    config: Config = current_app.config["TRACKER"]
    return config
