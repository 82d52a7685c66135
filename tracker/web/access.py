"""Who gets to a view. Every view says by `@access` what it takes; `install` refuses to start when one doesn't.

The order of the checks is part of the design: a cross-site request learns nothing, an unknown address says so, and
only then does anybody's session count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request, url_for

from tracker import clock, text
from tracker.channels.sms import is_signed
from tracker.db import read, transaction
from tracker.errors import NotFound
from tracker.rules.permissions import Permission, allows
from tracker.services import accounts, audit, portal, sending
from tracker.text import gettext as _
from tracker.web.forms import go_to, wants_part

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FRESH = timedelta(minutes=5)
TOUCH_EVERY = timedelta(seconds=30)
COOKIE = "tracker"
LANGUAGE_COOKIE = "language"  # of a patient's browser, if she switched
MOST_OF_PROVIDER = 32 * 1024  # bytes: a text of ten parts, with all that is said of it, has 6,000

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """What a view takes.

    `fresh`: the password was given in the last five minutes. `background`: a poll, which doesn't keep a session alive.
    `cross_site`: other sites may post here; the view proves the sender by itself.
    """

    permission: Permission
    fresh: bool = False
    background: bool = False
    cross_site: bool = False


def access(
    permission: Permission, *, fresh: bool = False, background: bool = False, cross_site: bool = False
) -> Callable[[View], View]:
    """Mark a view with what it takes."""

    def marked(view: View) -> View:
        view.access = Access(permission, fresh, background, cross_site)  # type: ignore[attr-defined] # a function's own attribute
        return view

    return marked


def install(app: Flask) -> None:
    """Guard every view. Runs last.

    Raises:
        RuntimeError: A view is not marked, or somebody else checks before us.
    """
    unmarked = sorted(name for name, view in app.view_functions.items() if not hasattr(view, "access"))
    if unmarked:
        raise RuntimeError(f"these views don't say who may use them: {', '.join(unmarked)}")
    if app.before_request_funcs:
        raise RuntimeError("a check that runs before the guard could let somebody past it")
    app.before_request(_guard)


def _guard() -> Response | None:
    g.now, g.today, g.actor, g.clinic, g.signed_in, g.pause = clock.now(), None, None, None, None, None
    text.speak(text.STAFF)
    asked = _asked()
    if request.method not in SAFE_METHODS and not (asked and asked.cross_site) and not same_origin():
        abort(403)
    if request.routing_exception is not None:
        raise request.routing_exception
    if asked is None:
        abort(403)
    if request.endpoint == "static":
        return None
    if asked.permission is Permission.PROVIDER:
        _prove_provider()
        return None
    if asked.permission is Permission.PATIENT_LINK:
        _resume_guest()
        return None
    _resume()
    refusal = _refusal(asked)
    if refusal is None and g.signed_in and not asked.background:
        _touch()
    return refusal


def _asked() -> Access | None:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "access", None)


def same_origin() -> bool:
    """Return whether a page of ours sent this. A request that doesn't say where it comes from is refused."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("Origin", ""))
    return bool(origin.netloc) and (origin.scheme, origin.netloc) == (request.scheme, request.host)


def _resume() -> None:
    token = request.cookies.get(cookie_name())
    if not token:
        return
    with read() as session:
        g.signed_in = accounts.resume(session, token, now=g.now)
        if g.signed_in:
            g.actor, g.clinic = g.signed_in.actor, g.signed_in.clinic
            g.today = g.now.astimezone(g.clinic.zone).date()
            g.pause = sending.pause(session)


def _resume_guest() -> None:
    """Let a patient on, who came by the link that the address names and holds this browser's cookie for it.

    Raises:
        NotFound: Nobody holds it any more, or it is another link's.
    """
    speak_to_patient()
    secret = request.cookies.get(portal_cookie()[0], "")
    with read() as session:
        g.guest = portal.resume(session, (request.view_args or {})["link_id"], secret, now=g.now)
    if g.guest is None:
        raise NotFound(_("Your page was closed. Open the link in our message again, or call us."))
    speak_to_patient(g.guest.language)
    g.actor, g.clinic = g.guest.actor, g.guest.clinic
    g.today = g.now.astimezone(g.clinic.zone).date()
    if g.now - g.guest.last_used_at >= TOUCH_EVERY:
        with transaction() as session:
            portal.touch(session, secret, now=g.now)


def speak_to_patient(language: str = text.STAFF) -> None:
    """Speak the language that this browser was switched to, else the patient's, if we can."""
    chosen = request.args.get("language") or request.cookies.get(LANGUAGE_COOKIE, "")
    text.speak(next((one for one in (chosen, language) if one in text.SPOKEN), text.STAFF))


def _prove_provider() -> None:
    """Turn away whoever doesn't sign as the texts' provider does: over our public address and every field."""
    request.max_content_length = MOST_OF_PROVIDER
    config = current_app.config["TRACKER"]
    address = config.base_url + request.full_path.removesuffix("?")
    signature = request.headers.get("X-Twilio-Signature", "")
    if not is_signed(config.sms_token, address, request.form.items(multi=True), signature):
        abort(403)


def _refusal(asked: Access) -> Response | None:
    role = g.actor.role if g.actor else None
    if not allows(role, asked.permission):
        if g.actor is None:
            return _sign_in_first()
        _note_denial(asked.permission)
        abort(403)
    if asked.fresh and g.now - g.signed_in.fresh_at > FRESH:
        return go_to(url_for("accounts.confirm", next=_here()))
    return None


def _sign_in_first() -> Response:
    """A page asked for is kept for after the sign-in; what was sent in a form can't be, so the browser keeps it."""
    if request.method not in SAFE_METHODS:
        abort(401)
    return go_to(url_for("accounts.sign_in", next=_here()))


def _here() -> str:
    """The page to come back to: the one asked for, or for a form and a part the one it stands on."""
    if request.method in SAFE_METHODS and not wants_part():
        return request.full_path.rstrip("?")
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    return came_from.path or "/"


def _note_denial(permission: Permission) -> None:
    with transaction() as session:
        audit.record(session, g.actor, "denied", subject=f"{permission}: {request.method} {request.path}", now=g.now)


def _touch() -> None:
    if g.now - g.signed_in.last_used_at >= TOUCH_EVERY:
        with transaction() as session:
            accounts.touch(session, g.signed_in.token_hash, now=g.now)


def cookie_name() -> str:
    """Return the cookie's name: `__Host-` binds it to this host and to https, which plain-http loopback can't have."""
    return COOKIE if _plain_loopback() else f"__Host-{COOKIE}"


def portal_cookie() -> tuple[str, bool]:
    """Return the name of a patient's cookie, and whether it is for https only. Its path is the patient's own pages."""
    return ("tracker-visits", False) if _plain_loopback() else ("__Secure-tracker-visits", True)


def set_cookie(response: Response, token: str) -> Response:
    """Give the browser its session; an empty `token` takes it away."""
    response.set_cookie(
        cookie_name(),
        token,
        max_age=None if token else 0,
        path="/",
        secure=not _plain_loopback(),
        httponly=True,
        samesite="Lax",
    )
    return response


def _plain_loopback() -> bool:
    host = urlsplit(f"//{request.host}").hostname
    return not request.is_secure and host in {"127.0.0.1", "::1", "localhost"}
