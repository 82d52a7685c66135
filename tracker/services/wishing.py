"""What a patient wishes, as a form asks for it, and what the clinic has to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import OpeningHours, Resource, StaffMember
from tracker.rules.fields import ClockTime, ComingDay, Command, Day, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import HARD_UNLESS_SAID, Wish, Wishes
from tracker.rules.vocabulary import ResourceKind, Role
from tracker.services import clinic
from tracker.services.places import ChosenInstant

MOST = 60  # of anything that a form may repeat

Weekday = Annotated[Number, Field(ge=0, le=6)]
# Wishes that a form calls what the planner calls them.
_SAME = (
    *("weekdays", "days_off", "arrive_from", "leave_by", "preferred_time"),
    *("room_id", "clinician_id", "also", "longest_gap"),
)


class WishFields(Command):
    """What a patient wishes; see `rules.plan.Wishes`. Whatever `must` doesn't name is kept where it can be."""

    first_day: ComingDay
    weekdays: frozenset[Weekday] = frozenset()
    days_off: Annotated[frozenset[Day], Field(max_length=MOST)] = frozenset()
    arrive_from: ClockTime | None = None
    leave_by: ClockTime | None = None
    preferred_time: ClockTime | None = None
    room_id: UUID | None = None
    clinician_id: UUID | None = None
    must: frozenset[Wish] = HARD_UNLESS_SAID
    also: Annotated[frozenset[ChosenInstant], Field(max_length=MOST)] = frozenset()
    longest_gap: Annotated[Number, Field(ge=1, le=60)] | None = None

    @property
    def wishes(self) -> Wishes:
        """What the planner is to keep."""
        return Wishes(
            earliest=self.first_day,
            hard=self.must,
            **{name: getattr(self, name) for name in _SAME},
        )


def fields_of(wishes: Wishes) -> dict[str, Any]:
    """Return wishes by the names of the fields in which a form asks for them."""
    same = {name: getattr(wishes, name) for name in _SAME}
    return {"first_day": wishes.earliest, "must": wishes.hard, **same}


@dataclass(frozen=True)
class Choices:
    """What can be wished for: the clinic's open weekdays (0 = Monday), its rooms and its clinicians."""

    weekdays: Sequence[int]
    rooms: Sequence[Resource]
    clinicians: Sequence[Resource]


def choices(session: Session, actor: Actor) -> Choices:
    """Return what the actor's clinic has to choose from."""
    days = select(OpeningHours.weekday).where(OpeningHours.clinic_id == actor.clinic_id)
    treats = (
        select(Resource)
        .join(StaffMember, StaffMember.id == Resource.id)
        .where(
            Resource.clinic_id == actor.clinic_id,
            Resource.retired_at.is_(None),
            StaffMember.role.in_((Role.NURSE, Role.PHYSICIAN)),
        )
        .order_by(Resource.position, Resource.name)
    )
    rooms = clinic.resources(session, actor, ResourceKind.ROOM)
    return Choices(sorted(set(session.scalars(days))), rooms, list(session.scalars(treats)))
