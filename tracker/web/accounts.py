"""Signing in and out, and one's own password."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused
from tracker.models import UserAccount
from tracker.rules.fields import Command, Line, Secret, Tick
from tracker.rules.permissions import Permission
from tracker.services import accounts
from tracker.text import gettext as _
from tracker.web.access import access, set_cookie
from tracker.web.forms import Form, attempt, blank, go_to, page, parse
from tracker.web.signing import address, opened

bp = Blueprint("accounts", __name__)


class SignIn(Command):
    """What a staff member gives to get in."""

    email: Line
    password: Secret


class Confirm(Command):
    """The password once more, before something dangerous."""

    password: Secret


class ChangePassword(Command):
    """A new password, with the old one so that an open screen isn't enough."""

    current: Secret
    password: Secret
    again: Secret


class SetDigest(Command):
    """Whether the list of the day comes by e-mail."""

    wanted: Tick = False


@bp.get("/sign-in")
@access(Permission.PUBLIC)
def sign_in() -> ResponseReturnValue:
    """Show the sign-in page; somebody signed in goes on."""
    if g.actor:
        return go_to(_next())
    return _sign_in_page(blank())


@bp.post("/sign-in")
@access(Permission.PUBLIC)
def enter() -> ResponseReturnValue:
    """Begin a session, if the password fits and there weren't too many guesses."""
    form = parse(SignIn, request.form)
    if form.errors:
        return _sign_in_page(form)
    try:
        said = _("E-mail address and password don't fit together. Check both and try again.")
        token = _begin(opened(form.command.email.lower(), form.command.password, field="password", said=said))
    except (Refused, Invalid) as error:
        return _sign_in_page(form.refused(error))
    return set_cookie(go_to(_next()), token)


@bp.post("/sign-out")
@access(Permission.SIGNED_IN)
def leave() -> ResponseReturnValue:
    """End this session here and on the server."""
    with transaction() as session:
        accounts.end_session(session, g.signed_in, now=g.now)
    return set_cookie(go_to(url_for("accounts.sign_in")), "")


@bp.get("/account")
@access(Permission.SIGNED_IN)
def show() -> ResponseReturnValue:
    """Show one's own account."""
    return _account_page(blank())


@bp.post("/account")
@access(Permission.SIGNED_IN)
def change_password() -> ResponseReturnValue:
    """Change one's own password; every session ends, and this one begins anew."""
    form = parse(ChangePassword, request.form)
    if not form.errors and form.command.password != form.command.again:
        form.errors["again"] = _("Type the same new password twice.")
    if form.errors:
        return _account_page(form)
    try:
        _myself(form.command.current, "current")
        with transaction() as session:
            changed = accounts.set_password(session, g.actor, g.actor.user_id, form.command.password, now=g.now)
        token = _begin(changed)
    except (Refused, Invalid) as error:
        return _account_page(form.refused(error))
    return set_cookie(go_to(url_for("accounts.show", changed="yes")), token)


@bp.post("/account/digest")
@access(Permission.SIGNED_IN)
def set_digest() -> ResponseReturnValue:
    """Get the list of the day by e-mail, or no more."""

    def do(session: Session, asked: SetDigest) -> str:
        accounts.set_digest(session, g.actor, wanted=asked.wanted, now=g.now)
        return url_for("accounts.show")

    form = parse(SetDigest, request.form)
    return attempt(form, do, lambda form, _status: _account_page(blank(), digest=form), done=_("It is saved."))


@bp.get("/confirm")
@access(Permission.SIGNED_IN)
def confirm() -> ResponseReturnValue:
    """Ask for the password once more."""
    return _confirm_page(blank())


@bp.post("/confirm")
@access(Permission.SIGNED_IN)
def confirmed() -> ResponseReturnValue:
    """Begin a fresh session in place of this one."""
    form = parse(Confirm, request.form)
    if form.errors:
        return _confirm_page(form)
    try:
        token = _begin(_myself(form.command.password, "password"))
    except (Refused, Invalid) as error:
        return _confirm_page(form.refused(error))
    with transaction() as session:
        accounts.end_session(session, g.signed_in, now=g.now)
    return set_cookie(go_to(_next()), token)


def _begin(account: UserAccount) -> str:
    with transaction() as session:
        return accounts.open_session(session, account, address(), now=g.now)


def _myself(password: str, field: str) -> UserAccount:
    return opened(g.signed_in.email, password, field=field, said=_("This password doesn't fit. Try again."))


def _next() -> str:
    """The page to go on to: only one of ours, so never an address with a host in it."""
    wanted = request.args.get("next", "")
    parts = urlsplit(wanted)
    ours = wanted.startswith("/") and not wanted.startswith("//") and wanted.isprintable() and "\\" not in wanted
    return wanted if ours and not parts.netloc and not parts.scheme else url_for("accounts.start")


@bp.get("/start")
@access(Permission.SIGNED_IN)
def start() -> ResponseReturnValue:
    """Go to the first page of this person's work."""
    return redirect("/" if g.actor.may(Permission.VIEW_DAY) else url_for("accounts.show"), 303)


def _sign_in_page(form: Form[SignIn]) -> Response:
    return page("accounts/sign_in.html", status=422 if form.errors else 200, form=form)


def _confirm_page(form: Form[Confirm]) -> Response:
    return page("accounts/confirm.html", status=422 if form.errors else 200, form=form)


def _account_page(form: Form[Any], digest: Form[Any] | None = None) -> Response:
    with read() as session:
        gets_digest = accounts.gets_digest(session, g.actor)
    return page(
        "accounts/account.html",
        status=422 if form.errors or (digest and digest.errors) else 200,
        form=form,
        digest=digest or blank(),
        email=g.signed_in.email,
        changed="changed" in request.args,
        gets_digest=gets_digest,
    )
