"""By which addresses a patient may be written to, and why not by others."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tracker.models import ContactPoint
from tracker.rules.routing import Reach
from tracker.rules.vocabulary import ContactChannel, ReminderChannel
from tracker.services.consent import may_use
from tracker.text import gettext as _

CHANNELS = {ContactChannel.EMAIL: ReminderChannel.EMAIL, ContactChannel.SMS: ReminderChannel.SMS}
BY_ANY = frozenset(ReminderChannel)


def in_use(patients: Collection[UUID]) -> Select[ContactPoint]:
    """Select the addresses to write to that these patients have now, in the order in which they are used."""
    return (
        select(ContactPoint)
        .where(
            ContactPoint.patient_id.in_(patients),
            ContactPoint.channel.in_(CHANNELS),
            ContactPoint.ended_at.is_(None),
        )
        .order_by(ContactPoint.position, ContactPoint.consent_at.desc(), ContactPoint.id)
    )


def of_patient(session: Session, patient_id: UUID) -> Sequence[ContactPoint]:
    """Return the addresses to write to that a patient has now."""
    return session.scalars(in_use([patient_id])).all()


def reach(points: Sequence[ContactPoint], ways: Collection[ReminderChannel] = BY_ANY) -> Reach:
    """Return by which of `ways` these addresses can be used, and why not."""
    of = partial(_why_not, points, ways)
    no_email = of(ContactChannel.EMAIL, _("No e-mail address."), _("No consent to e-mail."))
    no_sms = of(ContactChannel.SMS, _("No number for texts."), _("No consent to texts."))
    return Reach(
        email=not no_email,
        sms=not no_sms,
        more_texts=any(p.more_texts_at for p in points if p.channel is ContactChannel.SMS and may_use(p)),
        no_email=no_email,
        no_sms=no_sms,
    )


def _why_not(
    points: Iterable[ContactPoint],
    ways: Collection[ReminderChannel],
    channel: ContactChannel,
    no_address: str,
    no_consent: str,
) -> str:
    these = [point for point in points if point.channel is channel]
    if not these:
        return no_address
    if CHANNELS[channel] not in ways:
        return _("The clinic doesn't write this way.")
    if any(may_use(point) for point in these):
        return ""
    if these[0].opted_out_at:
        return _("The patient wants no messages.")
    return _("The mail server refused this address.") if these[0].invalid_at else no_consent
