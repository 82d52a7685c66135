"""What a day that falls out leaves behind: the visits as they stand, those that lost their place, and what is free."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tracker.rules.availability import FreeTime
from tracker.rules.plan import PlannedClaim, Wishes
from tracker.rules.protocol import Protocol


@dataclass(frozen=True)
class Standing:
    """A visit of a course as it stands. `fixed`: it has begun, is over, or somebody wants it left where it is."""

    id: UUID
    ordinal: int
    starts_at: datetime
    room_id: UUID
    physician_id: UUID
    claims: tuple[PlannedClaim, ...] = field(repr=False)
    lost: bool = False
    fixed: bool = False


@dataclass(frozen=True)
class Standings:
    """What counts of one course, in the order of its visits, and what its patient asked for."""

    course_id: UUID
    patient_id: UUID
    protocol: Protocol
    wishes: Wishes
    visits: tuple[Standing, ...]


@dataclass(frozen=True)
class Damage:
    """What is to be repaired.

    `free` has every claim taken but those of the visits in `courses`. Those are the courses that lost a visit, and
    those of others whose visits may be asked to move. Nothing is placed before `not_before`.
    """

    free: FreeTime = field(repr=False)
    courses: tuple[Standings, ...]
    not_before: datetime


def absent(free: FreeTime, claims: Sequence[PlannedClaim]) -> list[UUID]:
    """List what a visit holds that isn't there at its time: closed, absent, out of order. Any of it, and it is lost.

    Claims outside the days of `free` don't count.
    """
    spans: dict[UUID, tuple[datetime, datetime]] = {}
    for claim in claims:
        start, end = spans.get(claim.resource_id, (claim.starts_at, claim.ends_at))
        spans[claim.resource_id] = min(start, claim.starts_at), max(end, claim.ends_at)
    # Who is held at both ends (a physician) is on site between them, too.
    return [
        resource_id
        for resource_id, (start, end) in spans.items()
        if resource_id in free.present
        and any(bits & ~free.present[resource_id][day] for day, bits in free.days.spread(start, end))
    ]


def taken(free: FreeTime, claims: Sequence[PlannedClaim]) -> FreeTime:
    """Return free time with more claims in it."""
    lanes = dict(free.free)
    for claim in claims:
        if (bitmaps := lanes.get((claim.resource_id, claim.lane))) is not None:
            bitmaps = list(bitmaps)
            for day, bits in free.days.spread(claim.starts_at, claim.ends_at):
                bitmaps[day] &= ~bits
            lanes[claim.resource_id, claim.lane] = bitmaps
    return replace(free, free=lanes)
