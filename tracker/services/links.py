"""Links that let a patient in without a password.

A token is made from the link's id and generation with the server's key and stored nowhere, so that a worker can write
the same link again, and raising the generation makes every older one worthless.
"""

import base64
import binascii
import hmac
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from tracker.errors import NotFound
from tracker.models import ContactPoint, Course, PatientLink, Visit
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import LinkPurpose
from tracker.services import audit, clinic
from tracker.text import gettext as _

LIFETIME = timedelta(days=30)  # after the last visit of the course
PATH, STOP_PATH = "/v/", "/u/"
_SEAL = 16  # bytes; 128 bits can't be guessed, so tries aren't counted: docs/security.md
_NEW = insert(PatientLink)  # every booking runs it, so it is put together once


def make_token(key: bytes, link_id: UUID, generation: int) -> str:
    """Return the token (43 characters that need no quoting in an address) of a link.

    Raises:
        ValueError: The key is too short to keep anybody out.
    """
    return _sealed(key, b"patient-link", link_id, b"|%d" % generation)


def _sealed(key: bytes, purpose: bytes, row_id: UUID, more: bytes = b"") -> str:
    """Return an id with a seal. The purpose keeps it from being of use for anything else made with the same key."""
    if len(key) < 32:
        raise ValueError("the key for links needs 32 bytes or more")
    seal = hmac.digest(key, purpose + b"|" + row_id.bytes + more, "sha256")[:_SEAL]
    return base64.urlsafe_b64encode(row_id.bytes + seal).decode().rstrip("=")


def address(base_url: str, key: bytes, link: PatientLink) -> str:
    """Return the address that a message gives for `link`; the patient's pages answer under `PATH`."""
    return f"{base_url}{PATH}{make_token(key, link.id, link.generation)}"


def unsubscribe_address(base_url: str, key: bytes, contact_point_id: UUID) -> str:
    """Return the address whose POST ends all messages to a contact point: for `List-Unsubscribe` (RFC 8058).

    It works without a sign-in as long as the address is a patient's, opens nothing else, and GET changes nothing.
    """
    return f"{base_url}{STOP_PATH}{_sealed(key, b'stop-messages', contact_point_id)}"


def open_unsubscribe(session: Session, key: bytes, token: str) -> ContactPoint:
    """Return the contact point that `token` was made for. NotFound: nobody made it."""
    point_id = _link_id(token)
    if not hmac.compare_digest(_sealed(key, b"stop-messages", point_id).encode(), token.encode()):
        raise _gone()
    point = session.get(ContactPoint, point_id)
    if point is None:
        raise _gone()
    return point


def open_link(session: Session, key: bytes, token: str, *, now: datetime) -> PatientLink:
    """Return the link that `token` was made for.

    Raises:
        NotFound: Nobody made this token, or the link has expired or was revoked. All look the same.
    """
    link = session.get(PatientLink, _link_id(token))
    if link is None or link.revoked_at is not None or link.expires_at <= now:
        raise _gone()
    if not hmac.compare_digest(make_token(key, link.id, link.generation).encode(), token.encode()):
        raise _gone()
    return link


def _gone() -> NotFound:
    """Say what to do, and never why: a stranger learns nothing of what was there."""
    return NotFound(_("This link is no longer good. Use the newest message from us. Call us if there is none."))


def _link_id(token: str) -> UUID:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=", altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _gone() from error
    if len(raw) != 16 + _SEAL:
        raise _gone()
    return UUID(bytes=raw[:16])


def first_link(session: Session, course: Course, *, last_visit: datetime, now: datetime) -> None:
    """Make the link of a course that was booked in this transaction; see `course_link`."""
    session.connection().execute(_NEW, _row(course, last_visit, now))


def _row(course: Course, last_visit: datetime, now: datetime) -> dict[str, Any]:
    return {
        "clinic_id": course.clinic_id,
        "patient_id": course.patient_id,
        "course_id": course.id,
        "purpose": LinkPurpose.COURSE,
        "generation": 1,
        "created_at": now,
        "expires_at": last_visit + LIFETIME,
    }


def course_link(session: Session, course: Course, *, last_visit: datetime, now: datetime) -> PatientLink:
    """Return the course's link; make it if there is none, let it live longer if the last visit moved away.

    Args:
        last_visit: Start of the last visit; the link lives `LIFETIME` longer.
    """
    link = find_course_link(session, course.id)
    if link is None:
        link = PatientLink(**_row(course, last_visit, now))
        session.add(link)
    link.expires_at = max(link.expires_at, last_visit + LIFETIME)
    return link


_OF_COURSE = (
    select(PatientLink)
    .where(
        PatientLink.course_id == bindparam("course"),
        PatientLink.purpose == LinkPurpose.COURSE,
        PatientLink.revoked_at.is_(None),
    )
    .order_by(PatientLink.created_at, PatientLink.id)
    .limit(1)
)


def find_course_link(session: Session, course_id: UUID) -> PatientLink | None:
    """Return the course's link unless it was revoked."""
    return session.scalars(_OF_COURSE, {"course": course_id}).first()


def of_courses(session: Session, course_ids: Collection[UUID]) -> dict[UUID, PatientLink]:
    """Return the links of these courses, but those that were revoked; see `find_course_link`."""
    query = select(PatientLink).where(
        PatientLink.course_id.in_(course_ids),
        PatientLink.purpose == LinkPurpose.COURSE,
        PatientLink.revoked_at.is_(None),
    )
    rows = session.scalars(query.order_by(PatientLink.created_at.desc(), PatientLink.id.desc()))
    return {row.course_id: row for row in rows if row.course_id}  # of several the oldest, as one is found alone


def renew(session: Session, course_ids: Collection[UUID], *, now: datetime) -> None:
    """Give every one of these courses that has no link (it was taken back) a new one, for a message that is to go."""
    have = select(PatientLink.course_id).where(PatientLink.revoked_at.is_(None), PatientLink.course_id.in_(course_ids))
    missing = set(course_ids) - set(session.scalars(have))
    for course in session.scalars(select(Course).where(Course.id.in_(missing))).all() if missing else ():
        last = session.scalar(select(func.max(Visit.starts_at)).where(Visit.course_id == course.id))
        course_link(session, course, last_visit=last or now, now=now)


def give(session: Session, actor: Actor, patient_id: UUID, course_id: UUID, *, now: datetime) -> PatientLink:
    """Make the link to a patient's series, or return the one that is there.

    Raises:
        NotFound: There is no such series of this patient in this clinic.
    """
    course = clinic.get(session, actor, Course, course_id)
    if course.patient_id != patient_id:
        raise _gone()
    last = session.scalar(select(func.max(Visit.starts_at)).where(Visit.course_id == course_id)) or now
    link = course_link(session, course, last_visit=last, now=now)
    session.flush()
    audit.record(session, actor, "make link", patient_id=patient_id, subject=f"link {link.id}", now=now)
    return link


def revoke(session: Session, actor: Actor, patient_id: UUID, link_id: UUID, *, now: datetime) -> None:
    """Take a link back, and any other to the same series: they, and the pages opened by them, stop working at once.

    The next message brings a new one (`renew`).

    Raises:
        NotFound: There is no such link of this patient in this clinic.
    """
    link = clinic.get(session, actor, PatientLink, link_id)
    if link.patient_id != patient_id:
        raise _gone()
    same = (PatientLink.course_id == link.course_id) if link.course_id else (PatientLink.id == link.id)
    for other in session.scalars(select(PatientLink).where(same, PatientLink.revoked_at.is_(None))):
        other.revoked_at = now
    audit.record(session, actor, "revoke link", patient_id=patient_id, subject=f"link {link.id}", now=now)
