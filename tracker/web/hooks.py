"""What the texts' provider tells us: what became of a text, and what patients answer.

It signs what it sends; the guard has looked at that. It is kept as it came before anything is made of it, so that
nothing is lost if the rest fails: the worker makes up for it, and told twice it counts once.
"""

import logging
from collections.abc import Callable
from uuid import UUID
from xml.sax.saxutils import escape

from flask import Blueprint, Response, abort, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import transaction
from tracker.rules.permissions import Permission
from tracker.services import answers, receipts
from tracker.services.receipts import Told
from tracker.web.access import access

bp = Blueprint("hooks", __name__, url_prefix="/hooks")

PROVIDER = "twilio"
_log = logging.getLogger(__name__)


@bp.post("/sms/<uuid:reminder_id>/<int:epoch>")
@access(Permission.PROVIDER, cross_site=True)
def receipt(reminder_id: UUID, epoch: int) -> ResponseReturnValue:
    """Keep what became of a text; the address says of which try."""
    said = dict(request.form.items())
    told = Told(PROVIDER, _word(said, "MessageSid"), _word(said, "MessageStatus"), said, reminder_id, epoch)
    with transaction() as session:
        receipts.keep(session, told, now=g.now)
    _make_of_it(lambda session: receipts.apply(session, now=g.now))
    return _twiml()


@bp.post("/sms")
@access(Permission.PROVIDER, cross_site=True)
def answer() -> ResponseReturnValue:
    """Keep what a patient wrote, do what it asks for, and say what there is to say to it."""
    said = dict(request.form.items())
    with transaction() as session:
        event = answers.keep(session, PROVIDER, _word(said, "MessageSid"), said, now=g.now)
    return _twiml(_make_of_it(lambda session: answers.text(session, event, now=g.now)))


def _word(said: dict[str, str], name: str) -> str:
    """Return a field that has to be there, and fits."""
    found = said.get(name, "")
    if not 0 < len(found) <= 64 or not found.isprintable():
        abort(400)
    return found


def _make_of_it(do: Callable[[Session], object]) -> object:
    try:
        with transaction() as session:
            return do(session)
    except Exception as error:  # noqa: BLE001 - whatever it was: it is kept, and the worker tries again
        # Its text may quote the patient; the type is enough to look for it.
        _log.error("what the provider told is kept and waits: %s", type(error).__name__)
        return None


def _twiml(reply: object = None) -> Response:
    message = f"<Message>{escape(reply)}</Message>" if isinstance(reply, str) and reply else ""
    said = f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'
    return Response(said, mimetype="text/xml")
