"""Signing in and out, and one's own password."""

from urllib.parse import urlsplit

from flask import Blueprint, Response, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused
from tracker.models import UserAccount
from tracker.rules.fields import Command, Line, Secret
from tracker.rules.permissions import Permission
from tracker.services import accounts, guessing
from tracker.text import gettext as _
from tracker.web.access import access, set_cookie
from tracker.web.forms import Form, blank, go_to, page, parse

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
        token = _begin(form.command.email.lower(), form.command.password)
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
        _check(g.signed_in.email, form.command.current, field="current")
        with transaction() as session:
            accounts.set_password(session, g.actor, g.actor.user_id, form.command.password, now=g.now)
        token = _begin(g.signed_in.email, form.command.password)
    except (Refused, Invalid) as error:
        return _account_page(form.refused(error))
    return set_cookie(go_to(url_for("accounts.show", changed="yes")), token)


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
        token = _begin(g.signed_in.email, form.command.password)
    except (Refused, Invalid) as error:
        return _confirm_page(form.refused(error))
    with transaction() as session:
        accounts.end_session(session, g.signed_in, now=g.now)
    return set_cookie(go_to(_next()), token)


def _begin(email: str, password: str) -> str:
    account = _check(email, password, field="password")
    with transaction() as session:
        return accounts.open_session(session, account, request.remote_addr or "", now=g.now)


def _check(email: str, password: str, *, field: str) -> UserAccount:
    """Return the account that this password opens. The guess is counted first and for good, then looked at."""
    with transaction() as session:
        guessing.count(session, email, request.remote_addr or "", now=g.now)
    with read() as session:
        account = accounts.account(session, email)
    fits = accounts.password_fits(account, password)  # asked without an account too: it takes as long
    if account and fits:
        return account
    if account:
        with transaction() as session:
            accounts.note_failure(session, account, request.remote_addr or "", now=g.now)
    raise Invalid({field: _("E-mail address and password don't fit together. Check both and try again.")})


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


def _account_page(form: Form[ChangePassword]) -> Response:
    return page(
        "accounts/account.html",
        status=422 if form.errors else 200,
        form=form,
        email=g.signed_in.email,
        changed="changed" in request.args,
    )
