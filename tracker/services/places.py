"""The place of a visit: chosen from a plan, carried by a form, and held by claims that the database guards."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator
from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Claim, Course, Visit, new_id
from tracker.rules.plan import PlannedVisit
from tracker.rules.vocabulary import VisitStatus
from tracker.text import gettext as _


@dataclass(frozen=True)
class Place:
    """One visit as chosen from a plan: when, and in which room. Whoever is free then treats."""

    starts_at: datetime
    room_id: UUID


def as_place(visit: PlannedVisit) -> Place:
    """Return the place of a visit that was shown."""
    return Place(visit.starts_at, visit.room_id)


def spell(visit: PlannedVisit) -> str:
    """Return the place of a visit as a form carries it."""
    return f"{spell_instant(visit.starts_at)}~{visit.room_id}"


def spell_instant(instant: datetime) -> str:
    """Return an instant as a form carries it: "2026-03-09T15:00Z"."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _place(value: object) -> object:
    if not isinstance(value, str):
        return value
    at, _tilde, room = value.partition("~")
    return Place(_read(at), UUID(room)) if _ROOM.fullmatch(room) else None


def _instant(value: object) -> object:
    return _read(value) if isinstance(value, str) else value


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text if _INSTANT.fullmatch(text) else "")
    except ValueError:
        raise ValueError(_("This is not one of the places shown. Choose one again.")) from None


# As `spell` writes it, and nothing else that Python would read.
_INSTANT = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]Z")
_ROOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ChosenPlace = Annotated[Place, BeforeValidator(_place)]
ChosenInstant = Annotated[datetime, BeforeValidator(_instant)]
_CLAIMS = insert(Claim)  # every booking and every move runs it, so it is put together once


def visit_at(course: Course, planned: PlannedVisit, now: datetime) -> dict[str, Any]:
    """Return the row of a new visit of a course at a planned place; it still has to be held."""
    return {
        "id": new_id(),
        "clinic_id": course.clinic_id,
        "course_id": course.id,
        "patient_id": course.patient_id,
        "ordinal": planned.ordinal,
        "starts_at": planned.starts_at,
        "ends_at": planned.ends_at,
        "room_id": planned.room_id,
        "nurse_id": planned.nurse_id,
        "physician_id": planned.physician_id,
        "status": VisitStatus.BOOKED,
        "created_at": now,
        "version": 1,
    }


def hold(session: Session, held: Sequence[tuple[Visit, PlannedVisit]]) -> None:
    """Claim everything that the visits need.

    Raises:
        Refused: The database found one of them taken.
    """
    rows = [
        {
            "id": new_id(),
            "clinic_id": visit.clinic_id,
            "visit_id": visit.id,
            "resource_id": claim.resource_id,
            "lane": claim.lane,
            "starts_at": claim.starts_at,
            "ends_at": claim.ends_at,
        }
        for visit, planned in held
        for claim in planned.claims
    ]
    if not rows:
        return
    try:
        session.connection().execute(_CLAIMS, rows)
    except IntegrityError as error:  # the guard of last resort: another process, or a bug of ours
        said = _("A place was taken this very moment. Nothing was booked. Look again.")
        raise Refused(said, field="visit") from error


def release(session: Session, visit: Visit) -> None:
    """Give back everything a visit holds: it is cancelled, missed, not treated, or about to be placed elsewhere."""
    session.execute(delete(Claim).where(Claim.visit_id == visit.id))
