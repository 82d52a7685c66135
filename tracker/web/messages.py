"""Messages: what went, what will go, what did not and why; in the demonstration also in which words."""

import re
from dataclasses import dataclass
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

from flask import Blueprint, g, request
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.models import OutboxMessage
from tracker.rules.permissions import Permission
from tracker.services import audit, messages
from tracker.services.messages import Show
from tracker.web.access import access
from tracker.web.forms import page

bp = Blueprint("messages", __name__)

_LINK = re.compile(r"(https?://\S+)")


@dataclass(frozen=True)
class Letter:
    """A kept message as its patient sees it: lines of text, each cut into words and links."""

    sender: str
    recipient: str
    subject: str
    lines: list[list[str]]
    attached: list[str]


@bp.get("/messages")
@access(Permission.VIEW_MESSAGES)
def index() -> ResponseReturnValue:
    """List the clinic's messages, those that will go first."""
    asked = request.args.get("show", "")
    show = Show(asked) if asked in list(Show) else Show.COMING
    with transaction() as session:
        audit.record(session, g.actor, "read messages", now=g.now, detail={"show": show.value})
    with read() as session:
        lines = messages.listed(session, g.actor, show, now=g.now)
        silent = messages.silent_since(session, g.actor, now=g.now)
    return page("messages/index.html", lines=lines, show=show, shows=list(Show), silent=silent, most=messages.MOST)


@bp.get("/messages/<uuid:reminder_id>")
@access(Permission.VIEW_MESSAGES)
def show(reminder_id: UUID) -> ResponseReturnValue:
    """Show one message: every try to send it, and its words where they were kept."""
    with read() as session:
        found = messages.one(session, g.actor, reminder_id, now=g.now)
    with transaction() as session:
        audit.record(
            session,
            g.actor,
            "read message",
            now=g.now,
            patient_id=found.line.patient_id,
            subject=f"message {reminder_id}",
        )
    return page("messages/show.html", found=found, letter=_letter(found.kept) if found.kept else None)


def _letter(kept: OutboxMessage) -> Letter:
    email = message_from_string(kept.body, policy=default)
    assert isinstance(email, EmailMessage)
    body = email.get_body(("plain",))
    text = body.get_content() if body else ""
    return Letter(
        sender=str(email["From"]),
        recipient=kept.recipient,
        subject=kept.subject,
        lines=[_LINK.split(line) for line in text.splitlines()],
        attached=[part.get_filename() or "" for part in email.iter_attachments()],
    )
