"""One page for each way a request can fail: what happened, what was kept, what to do next."""

import logging
from traceback import format_tb

from flask import Flask, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from tracker.errors import Invalid, NotFound, Refused, TrackerError
from tracker.text import gettext as _
from tracker.web.forms import wants_part

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Answer every error with a page of ours."""
    app.register_error_handler(TrackerError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def _ours(error: Exception) -> Response:
    assert isinstance(error, TrackerError)
    said = ""
    if isinstance(error, Refused):
        said = " ".join((error.message, *error.helps))
    if isinstance(error, NotFound):
        said = str(error)
    if isinstance(error, Invalid):
        said = " ".join(error.fields.values())
    return error_page(error.status, said)


def _http(error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.response is not None or error.code is None or error.code < 400:
        return make_response(error.get_response())
    answer = error_page(error.code)
    if error.code == 405:
        answer.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
    return answer


def _bug(error: Exception) -> Response:
    log.error("%s %s failed\n%s", request.method, request.url_rule, _where(error))
    log.debug("in its own words", exc_info=error)
    return error_page(500)


def _where(error: BaseException) -> str:
    """Say what kind of error it is and where it happened. Its own words stay out: they may be a patient's."""
    before = error.__cause__ or error.__context__
    here = "".join((*format_tb(error.__traceback__), type(error).__name__))
    return f"{_where(before)}\nwhile this was handled:\n{here}" if before else here


def error_page(status: int, said: str = "") -> Response:
    """Return the page for `status`, or only its message where htmx asked for a part."""
    happened, next_step = _words(status)
    # A page after a failure of the database or of our own must need neither.
    template = "errors/part.html" if wants_part() else "errors/bare.html" if status >= 500 else "errors/page.html"
    if not hasattr(g, "now"):
        template = "errors/bare.html"
    answer = make_response(render_template(template, status=status, happened=happened, next_step=said or next_step))
    answer.status_code = status
    if status == 503:
        answer.headers["Retry-After"] = "5"
    return answer


def _words(status: int) -> tuple[str, str]:
    match status:
        case 401:
            return _("You are signed out"), _(
                "Nothing was saved. Sign in again in another tab, come back here and send the form again."
            )
        case 403:
            return _("This is not yours to do"), _("Nothing was changed. Ask an administrator if you need it.")
        case 404:
            return _("There is no such page"), _("It may have been removed, or the address has a slip in it.")
        case 405:
            return _("This can't be done here"), _("Nothing was changed. Go back and open the page again.")
        case 409:
            return _("Somebody else saved this first"), _(
                "Nothing of yours was saved. Go back, copy what you typed, and open the page again."
            )
        case 413:
            return _("That is too much at once"), _("Nothing was saved. Go back and send less.")
        case 422:
            return _("Nothing was saved"), _("Go back and look at what was entered.")
        case 503:
            return _("The tracker can't reach its database just now"), _(
                "Nothing was changed. Try again in a minute. The printed day sheet has today's plan."
            )
        case 500:
            return _("Something went wrong on our side"), _(
                "Nothing was changed. Try again, or tell the administrator."
            )
        case _:
            return _("That request can't be used"), _("Nothing was changed. Go back and open the page again.")
