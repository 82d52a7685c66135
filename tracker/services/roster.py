"""A day by staff: who has whom, from when until when, and who is away."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import ProtocolVersion
from tracker.rules import roster
from tracker.rules.agenda import Filters
from tracker.rules.block import Span, held_spans
from tracker.rules.permissions import Actor
from tracker.rules.protocol import Protocol
from tracker.rules.roster import Person, Roster
from tracker.rules.vocabulary import Role
from tracker.services import calendar, capacity, diary
from tracker.services.calendar import Choices
from tracker.services.clinic import ClinicInfo

TREATING = (Role.NURSE, Role.PHYSICIAN)


def staff_day(
    session: Session, actor: Actor, place: ClinicInfo, day: date, chosen: Choices, filters: Filters, *, now: datetime
) -> Roster:
    """Return a day by staff; `chosen` are the clinic's resources."""
    entries = [one for one in calendar.entries(session, actor, place, day, day, filters) if one.live]
    spans = _spans(session, actor)
    people = [
        Person(one.id, one.name, one.detail, one.role, one.lanes)
        for one in chosen.staff
        if one.role in TREATING and filters.clinician in (None, one.id)
    ]
    return roster.draw(
        day=day,
        zone=place.zone,
        hours=diary.hours_of(session, actor, day),
        people=people,
        entries=entries,
        held={(one.id, role): spans[one.protocol_id][role] for one in entries for role in TREATING},
        free=capacity.load(session, place, day, day),
        closed=calendar.closed_times(session, place, day, day),
        now=now,
    )


def _spans(session: Session, actor: Actor) -> dict[UUID, dict[Role, Span]]:
    """Return from and until which minute of a visit each role is needed, by protocol."""
    query = select(ProtocolVersion.id, ProtocolVersion.definition).where(ProtocolVersion.clinic_id == actor.clinic_id)
    return {version: _needed(Protocol.from_data(definition)) for version, definition in session.execute(query)}


def _needed(protocol: Protocol) -> dict[Role, Span]:
    held, whole = held_spans(protocol), (0, int(protocol.block.total_seconds()) // 60)
    found = {}
    for role in TREATING:
        spans = held.get(role, [whole])
        found[role] = (spans[0][0], spans[-1][1])
    return found
