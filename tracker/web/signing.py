"""Passwords given by hand: to sign in, and again to sign or to go on. The guess is counted first and for good."""

from flask import g, request

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused
from tracker.models import UserAccount
from tracker.rules.permissions import Actor
from tracker.services import accounts, guessing
from tracker.text import gettext as _


def proven(password: str, *, email: str | None = None) -> Actor:
    """Return who signs: the person signed in, or with `email` somebody else who stands at the same tablet.

    Raises:
        Invalid: The password doesn't fit, or nobody of this clinic has that address.
        Refused: Too many tries.
    """
    name = (email or g.signed_in.email).lower()
    said = _("This password doesn't fit. Try again.")
    account = opened(name, password, field="password", said=said)
    if account.clinic_id != g.actor.clinic_id:
        raise Invalid({"password": said})
    with transaction() as session:
        guessing.refund(session, name, address())
    return Actor(account.clinic_id, account.id, account.role, account.name)


def opened(email: str, password: str, *, field: str, said: str) -> UserAccount:
    """Return the account that this password opens; `email` is in lower case.

    Raises:
        Invalid: It opens none; `said` stands beside `field` then.
        Refused: Too many tries.
    """
    try:
        with transaction() as session:
            guessing.count(session, email, address(), now=g.now)
    except Refused as refusal:
        raise Refused(refusal.message, field=field) from None
    with read() as session:
        account = accounts.account(session, email)
    fits = accounts.password_fits(account, password)  # asked without an account too: it takes as long
    if account and fits:
        return account
    if account:
        with transaction() as session:
            accounts.note_failure(session, account, address(), now=g.now)
    raise Invalid({field: said})


def address() -> str:
    """Return where the request comes from."""
    return request.remote_addr or ""
