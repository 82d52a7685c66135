"""Whether a patient may be written to at an address: given by her, taken back at once, given back by her."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from tracker.errors import Refused
from tracker.models import ContactPoint, Patient
from tracker.rules.fields import Command, Tick
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ContactChannel
from tracker.services import audit, clinic
from tracker.text import gettext as _

BY_TEXT, BY_LINK, ON_PAGE, TO_STAFF = "text: STOP", "link", "page", "told us"  # ContactPoint.opted_out_how


def may_use(point: ContactPoint) -> bool:
    """Return whether the patient agreed to be reached there, and still does."""
    return point.consent_at is not None and point.opted_out_at is None and point.invalid_at is None


def stop(session: Session, actor: Actor, point: ContactPoint, how: str, *, now: datetime) -> None:
    """Note that a patient wants no more messages at an address. It counts at once; said again, it changes nothing.

    What waits to be sent finds another way, or a person, when it is looked at.
    """
    point = _locked(session, actor, point)
    if point.opted_out_at is None:
        point.opted_out_at, point.opted_out_how = now, how
        _note(session, actor, "patient: no more messages", point, now)


def give_back(session: Session, actor: Actor, point: ContactPoint, *, now: datetime) -> bool:
    """Let messages go to an address again that a patient had stopped; return whether they may.

    It gives back what she had agreed to, and nothing that she never did.
    """
    point = _locked(session, actor, point)
    if point.consent_at is None:
        return False
    if point.opted_out_at is not None:
        point.opted_out_at = point.opted_out_how = None
        _note(session, actor, "patient: messages again", point, now)
    return True


def written_to(session: Session, patient_id: UUID) -> list[ContactPoint]:
    """Return the addresses that a patient agreed to be written to at, those she stopped among them."""
    query = select(ContactPoint).where(
        ContactPoint.patient_id == patient_id,
        ContactPoint.channel.in_((ContactChannel.EMAIL, ContactChannel.SMS)),
        ContactPoint.consent_at.is_not(None),
        ContactPoint.ended_at.is_(None),
    )
    return list(session.scalars(query.order_by(ContactPoint.channel, ContactPoint.position)))


class SwitchMessages(Command):
    """Which messages a patient stops or has again."""

    channel: ContactChannel
    again: Tick = False


def switch(session: Session, actor: Actor, patient_id: UUID, wanted: SwitchMessages, *, now: datetime) -> None:
    """Stop messages of a kind at once, or give them back.

    Raises:
        Refused: Texts were stopped by a text. The carrier holds them back then, whatever we think.
    """
    for point in [one for one in written_to(session, patient_id) if one.channel is wanted.channel]:
        if not wanted.again:
            stop(session, actor, point, ON_PAGE, now=now)
        elif point.opted_out_how == BY_TEXT:
            raise Refused(_("You stopped our texts by a text. Send START to the same number to get them again."))
        else:
            give_back(session, actor, point, now=now)


def _locked(session: Session, actor: Actor, point: ContactPoint) -> ContactPoint:
    """Return the row as it is now: whoever sends to this address now does so before us, or finds what we write.

    A form that staff has open on this patient is stale from here on: saved, it would undo what is said now.
    """
    flag_modified(clinic.get(session, actor, Patient, point.patient_id, lock=True), "search_text")
    query = select(ContactPoint).where(ContactPoint.id == point.id).with_for_update()
    return session.scalars(query, execution_options={"populate_existing": True}).one()


def _note(session: Session, actor: Actor, done: str, point: ContactPoint, now: datetime) -> None:
    session.flush()
    subject = f"contact point {point.id}"
    detail = {"channel": point.channel.value, "how": point.opted_out_how or ""}
    audit.record(session, actor, done, patient_id=point.patient_id, subject=subject, detail=detail, now=now)


def say_how(how: str | None) -> str:
    """Return the staff's words for how a patient said that she wants no more messages."""
    return {
        BY_TEXT: _("by a text"),
        BY_LINK: _("by the link in an e-mail"),
        ON_PAGE: _("on the patient's page"),
        TO_STAFF: _("told the staff"),
    }.get(how or "", how or _("told the staff"))
