"""Staff accounts and their sessions: argon2id passwords, sessions as rows, and a version that ends them all at once."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracker.errors import Invalid, Refused
from tracker.models import LoginSession, UserAccount
from tracker.rules.fields import Command, Email, Line
from tracker.rules.passwords import password_fault
from tracker.rules.permissions import Actor, Role
from tracker.rules.vocabulary import SignInMethod
from tracker.services import audit, clinic, guessing
from tracker.text import gettext as _

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=12)

# OWASP's cheapest recommended memory (19 MiB), one pass more: about 40 ms, and it fits a small machine.
_hasher = PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)


class AddUser(Command):
    """A new staff account."""

    email: Email
    name: Line
    role: Role
    staff_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that is good at this moment."""

    token_hash: str
    actor: Actor
    clinic: clinic.ClinicInfo
    email: str
    last_used_at: datetime
    fresh_at: datetime


def account(session: Session, email: str) -> UserAccount | None:
    """Return the account with this e-mail address, enabled or not."""
    return session.scalar(select(UserAccount).where(UserAccount.email == email.strip().lower()))


def password_fits(account: UserAccount | None, password: str) -> bool:
    """Return whether `password` opens this account. It takes as long when there is none."""
    try:
        _hasher.verify(account.password_hash if account else _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False
    return account is not None and account.disabled_at is None


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_hex())


def open_session(session: Session, account: UserAccount, address: str, *, now: datetime) -> str:
    """Begin a session for somebody whose password fitted a moment ago; return the token for the cookie.

    Raises:
        Refused: The account was changed or disabled in that moment.
    """
    current = session.scalar(
        select(UserAccount.auth_version).where(UserAccount.id == account.id, UserAccount.disabled_at.is_(None))
    )
    if current != account.auth_version:
        raise Refused(_("This account was changed just now. Sign in again."))
    session.execute(delete(LoginSession).where(LoginSession.created_at < now - LONGEST))
    guessing.refund(session, account.email, address)
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            token_hash=_digest(token),
            user_id=account.id,
            auth_version=account.auth_version,
            method=SignInMethod.PASSWORD,
            created_at=now,
            last_used_at=now,
            fresh_at=now,
            address=address,
        )
    )
    session.flush()
    audit.record(session, _actor(account), "signed in", subject=f"user {account.id}", now=now)
    return token


def note_failure(session: Session, account: UserAccount, address: str, *, now: datetime) -> None:
    """Keep that somebody, not necessarily its owner, gave a wrong password for this account."""
    stranger = Actor(account.clinic_id, None, None, "somebody")
    subject = f"user {account.id} from {address}"
    audit.record(session, stranger, "sign-in failed", subject=subject, now=now)


def resume(session: Session, token: str, *, now: datetime) -> SignedIn | None:
    """Return who a cookie's token stands for, if its session is still good."""
    row = session.execute(
        select(LoginSession, UserAccount)
        .join(UserAccount, UserAccount.id == LoginSession.user_id)
        .where(
            LoginSession.token_hash == _digest(token),
            LoginSession.auth_version == UserAccount.auth_version,
            UserAccount.disabled_at.is_(None),
            LoginSession.last_used_at > now - IDLE,
            LoginSession.created_at > now - LONGEST,
        )
    ).one_or_none()
    if row is None:
        return None
    opened, account = row
    place = clinic.info(session, account.clinic_id)
    return SignedIn(opened.token_hash, _actor(account), place, account.email, opened.last_used_at, opened.fresh_at)


def touch(session: Session, token_hash: str, *, now: datetime) -> None:
    """Note that somebody works with this sign-in. One that was ended meanwhile stays ended."""
    session.execute(update(LoginSession).where(LoginSession.token_hash == token_hash).values(last_used_at=now))


def end_session(session: Session, signed_in: SignedIn, *, now: datetime) -> None:
    """Sign out. A copy of the cookie is worth nothing from here on."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == signed_in.token_hash))
    audit.record(session, signed_in.actor, "signed out", subject=f"user {signed_in.actor.user_id}", now=now)


def add(session: Session, actor: Actor, new: AddUser, password: str, *, now: datetime) -> UserAccount:
    """Add an account to the actor's clinic.

    Raises:
        Invalid: The address is taken, or the password is too easy.
    """
    email = new.email.lower()
    if account(session, email):
        raise _taken()
    _check_password(session, password, actor.clinic_id, new.name, email)
    added = UserAccount(
        clinic_id=actor.clinic_id,
        staff_id=new.staff_id,
        email=email,
        name=new.name,
        role=new.role,
        password_hash=_hasher.hash(password),
        created_at=now,
    )
    session.add(added)
    try:
        session.flush()
    except IntegrityError as error:  # somebody else added it this very moment
        raise (_taken() if "email" in str(error.orig) else error) from None
    audit.record(session, actor, "user added", subject=f"user {added.id} as {new.role}", now=now)
    return added


def _taken() -> Invalid:
    return Invalid({"email": _("Somebody signs in with this address already. Enter another.")})


def set_digest(session: Session, actor: Actor, *, wanted: bool, now: datetime) -> None:
    """Let somebody get the list of the day by e-mail, or no more."""
    account = clinic.get(session, actor, UserAccount, _own(actor), lock=True)
    if (account.no_digest_at is None) != wanted:
        account.no_digest_at = None if wanted else now
        session.flush()
        done = f"list by e-mail {'on' if wanted else 'off'}"
        audit.record(session, actor, done, subject=f"user {account.id}", now=now)


def gets_digest(session: Session, actor: Actor) -> bool:
    """Return whether somebody gets the list of the day by e-mail."""
    return clinic.get(session, actor, UserAccount, _own(actor)).no_digest_at is None


def _own(actor: Actor) -> UUID:
    assert actor.user_id  # only staff has a page of its own
    return actor.user_id


def set_password(session: Session, actor: Actor, user_id: UUID, password: str, *, now: datetime) -> UserAccount:
    """Give an account a new password; every session of it ends.

    Raises:
        Invalid: The password is too easy.
        NotFound: No such account in this clinic.
    """
    user = get(session, actor, user_id)
    _check_password(session, password, user.clinic_id, user.name, user.email)
    user.password_hash = _hasher.hash(password)
    user.auth_version += 1
    audit.record(session, actor, "password changed", subject=f"user {user.id}", now=now)
    return user


def set_role(session: Session, actor: Actor, user_id: UUID, role: Role, *, now: datetime) -> None:
    """Change what somebody may do; every session of theirs ends.

    Raises:
        NotFound: No such account in this clinic.
        Refused: The clinic would be left without an administrator.
    """
    user = get(session, actor, user_id)
    if role is not Role.ADMIN:
        _keep_an_admin(session, user)
    user.role = role
    user.auth_version += 1
    audit.record(session, actor, "role changed", subject=f"user {user.id} to {role}", now=now)


def disable(session: Session, actor: Actor, user_id: UUID, *, now: datetime) -> None:
    """Close an account; every session of it ends.

    Raises:
        NotFound: No such account in this clinic.
        Refused: The clinic would be left without an administrator.
    """
    user = get(session, actor, user_id)
    _keep_an_admin(session, user)
    user.disabled_at = user.disabled_at or now
    user.auth_version += 1
    audit.record(session, actor, "user disabled", subject=f"user {user.id}", now=now)


def enable(session: Session, actor: Actor, user_id: UUID, *, now: datetime) -> None:
    """Open a closed account again.

    Raises:
        NotFound: No such account in this clinic.
    """
    user = get(session, actor, user_id)
    user.disabled_at = None
    audit.record(session, actor, "user enabled", subject=f"user {user.id}", now=now)


def everybody(session: Session, actor: Actor) -> Sequence[UserAccount]:
    """Return the clinic's accounts by name."""
    mine = select(UserAccount).where(UserAccount.clinic_id == actor.clinic_id)
    return session.scalars(mine.order_by(UserAccount.name, UserAccount.id)).all()


def get(session: Session, actor: Actor, user_id: UUID) -> UserAccount:
    """Return an account of the actor's clinic, locked until the transaction ends.

    Raises:
        NotFound: No such account in this clinic.
    """
    return clinic.get(session, actor, UserAccount, user_id, lock=True)


def _actor(account: UserAccount) -> Actor:
    return Actor(account.clinic_id, account.id, account.role, account.name)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check_password(session: Session, password: str, clinic_id: UUID, name: str, email: str) -> None:
    place = clinic.info(session, clinic_id)
    fault = password_fault(password, about=(name, email, place.name))
    if fault:
        raise Invalid({"password": fault})


def _keep_an_admin(session: Session, user: UserAccount) -> None:
    others = select(UserAccount.id).where(
        UserAccount.clinic_id == user.clinic_id,
        UserAccount.role == Role.ADMIN,
        UserAccount.disabled_at.is_(None),
        UserAccount.id != user.id,
    )
    if user.role is Role.ADMIN and session.scalar(others.limit(1)) is None:
        raise Refused(_("This is the clinic's only administrator. Make somebody else one first."))
