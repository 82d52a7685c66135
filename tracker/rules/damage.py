"""What a day that falls out leaves behind: the visits as they stand, what is free, and what a repair of it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tracker.rules.availability import FreeTime
from tracker.rules.plan import PlannedClaim, PlannedVisit, Wishes
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
    version: int = 0  # of the visit as it was seen here


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


@dataclass(frozen=True)
class Change:
    """One visit that goes elsewhere; `visit.lost` says whether it had to, or makes room."""

    visit: Standing
    to: PlannedVisit


@dataclass(frozen=True)
class Repair:
    """What was found: the changes, the lost visits that stay without a place, and how far from proven it stopped.

    `least_unplaced` and `least_touched` are proven: no repair leaves fewer visits without a place; and none that leaves
    as few touches fewer others.
    """

    changes: tuple[Change, ...] = ()
    unplaced: tuple[Standing, ...] = ()
    least_unplaced: int = 0
    least_touched: int = 0

    @property
    def touched(self) -> int:
        """How many visits move that hadn't lost their place."""
        return sum(not change.visit.lost for change in self.changes)


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
