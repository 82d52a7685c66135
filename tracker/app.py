"""The web process: one Flask application, put together in one place."""

from datetime import date, datetime
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request, url_for
from jinja2 import StrictUndefined
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from tracker import text
from tracker.config import Config
from tracker.models import new_id
from tracker.paths import shipped, static
from tracker.rules.board import Stretch
from tracker.rules.dosing import plain
from tracker.rules.permissions import Permission
from tracker.web import (
    access,
    accounts,
    bedside,
    cadences,
    calendar,
    channels,
    closing,
    courses,
    dragging,
    errors,
    hooks,
    hours,
    incoming,
    messages,
    moves,
    notes,
    outcomes,
    patients,
    portal,
    repair,
    shifts,
    today,
    worklist,
)

PAGES = (
    accounts,
    today,
    calendar,
    dragging,
    hours,
    moves,
    shifts,
    patients,
    courses,
    bedside,
    notes,
    outcomes,
    worklist,
    messages,
    cadences,
    portal,
    repair,
    closing,
    channels,
    hooks,
)

# Everything from here, nothing inline, nobody may frame us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Application(Flask):
    """Flask with bounded forms."""

    request_class = incoming.BoundedRequest


def create_app(config: Config) -> Flask:
    """Return the application. The database is configured by whoever calls this.

    Raises:
        Invalid: There is no secret key.
        RuntimeError: A view doesn't say who may use it.
    """
    app = Application(__name__, template_folder=str(shipped("templates")), static_folder=str(static()))
    secure = config.base_url.startswith("https://")
    app.config.update(
        TRACKER=config,
        DEMONSTRATION=config.demo,
        MAX_CONTENT_LENGTH=incoming.MOST_BYTES,
        MAX_FORM_MEMORY_SIZE=incoming.MOST_BYTES,
        MAX_FORM_PARTS=incoming.MOST_FIELDS,
        SECRET_KEY=config.key(),
        # Only for the line that says what was just done; it must name nobody. Who is signed in is a row of ours.
        SESSION_COOKIE_NAME="__Host-notice" if secure else "notice",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    if config.trusted_proxies:
        count = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign] # as Flask's manual has it
    _prepare_templates(app)
    for pages in PAGES:
        app.register_blueprint(pages.bp)
    errors.install(app)
    app.after_request(_harden)
    app.view_functions["static"] = access.access(Permission.PUBLIC)(app.view_functions["static"])
    access.install(app)
    version = _version(static())
    app.url_defaults(lambda endpoint, values: values.setdefault("v", version) if endpoint == "static" else None)
    return app


@cache
def _version(folder: Path) -> str:
    """Return what tells these files from those of another version: a browser must not pair new pages with old ones."""
    told = sha256()
    for file in sorted(folder.rglob("*.*")):
        told.update(file.read_bytes())
    return told.hexdigest()[:10]


def _prepare_templates(app: Flask) -> None:
    env = app.jinja_env
    env.undefined = StrictUndefined
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    env.install_gettext_callables(text.gettext, text.ngettext, newstyle=True)  # type: ignore[attr-defined] # the extension's
    env.filters.update(
        day=_day,
        clock=_clock,
        until=_until,
        phases=_phases,
        nth=_nth,
        instant=_instant,
        local_day=_local_day,
        local_time=_local_time,
        phone=_phone,
        amount=plain,
    )
    env.globals.update(
        icon=_icon, new_key=lambda: str(new_id()), language_now=text.language, languages_spoken=text.SPOKEN
    )


def _day(value: date | datetime, form: str = "MMMEd") -> str:
    return text.say_day(value, g.clinic.zone, g.clinic.country, form)


def _local_day(value: datetime) -> date:
    return value.astimezone(g.clinic.zone).date()


def _clock(value: datetime) -> str:
    return text.say_time(value, g.clinic.zone, g.clinic.country)


def _until(start: datetime, end: datetime) -> str:
    return text.say_span(start, end, g.clinic.zone, g.clinic.country)


@lru_cache(maxsize=1000)
def _phases(stretches: tuple[Stretch, ...]) -> Markup:
    """Draw the phases of a bar; most of a day's bars have the same."""
    return Markup("").join(Markup('<span class="p-{} for-{}"></span>').format(one.phase, one.span) for one in stretches)


def _nth(visit: Any) -> str:
    """Say which visit of its series it is."""
    return _said_nth(visit.ordinal, visit.of, visit.sequence, text.language())


@lru_cache(maxsize=1000)
def _said_nth(ordinal: int, of: int, sequence: int, _language: str) -> str:
    if of > 1:
        return text.gettext("%(n)s of %(of)s", n=ordinal, of=of)
    return text.gettext("Booster %(n)s", n=sequence) if sequence > 1 else text.gettext("Single")


def _instant(value: datetime) -> str:
    return text.say_instant(value, g.clinic.zone, g.clinic.country)


def _local_time(value: datetime) -> str:
    return value.astimezone(g.clinic.zone).strftime("%H:%M")


def _phone(number: str) -> str:
    return text.say_phone(number, g.clinic.country)


def _icon(name: str, label: str = "") -> Markup:
    """Draw an icon; with a label it is read out, without it is only to be looked at."""
    if "sprite" not in g:  # a board has a hundred icons, and one address
        g.sprite = url_for("static", filename="vendor/icons.svg")
    return _drawn(name, label, g.sprite)


@lru_cache(maxsize=1000)
def _drawn(name: str, label: str, sprite: str) -> Markup:
    says = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {}><use href="{}#{}"></use></svg>').format(says, sprite, name)


def _harden(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["X-Content-Type-Options"] = "nosniff"
    # Not no-referrer: that makes the Origin of our own forms null.
    headers["Referrer-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint != "static" or response.status_code >= 400:
        headers["Cache-Control"] = "no-store"
    return response
