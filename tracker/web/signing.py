"""A signature asks for the password again: the guess is counted first, then looked at."""

from flask import g, request

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused
from tracker.rules.permissions import Actor
from tracker.services import accounts, guessing
from tracker.text import gettext as _


def proven(password: str, *, email: str | None = None) -> Actor:
    """Return who signs: the person signed in, or with `email` somebody else who stands at the same tablet.

    Raises:
        Invalid: The password doesn't fit.
        Refused: Too many tries.
    """
    address = request.remote_addr or ""
    name = (email or g.signed_in.email).strip().lower()
    try:
        with transaction() as session:
            guessing.count(session, name, address, now=g.now)
    except Refused as refusal:
        raise Refused(refusal.message, field="password") from None
    with read() as session:
        account = accounts.account(session, name)
    fits = accounts.password_fits(account, password)
    if account is None or not fits or account.clinic_id != g.actor.clinic_id:
        raise Invalid({"password": _("This password doesn't fit. Try again.")})
    with transaction() as session:
        guessing.refund(session, name, address)
    return Actor(account.clinic_id, account.id, account.role, account.name)
