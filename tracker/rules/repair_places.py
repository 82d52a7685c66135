"""Where each visit of a repair could go if those that may move weren't in its way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from uuid import UUID

from tracker.rules.availability import SLOT, FreeTime, Resource, mask
from tracker.rules.block import Block, Span
from tracker.rules.candidates import Candidates
from tracker.rules.costs import AWAY, WAIT, hour_cost, wish_cost
from tracker.rules.damage import Damage, Standing, Standings, taken
from tracker.rules.plan import PlannedClaim, PlannedVisit, PlanRequest
from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM, Phase, Protocol
from tracker.rules.repair_chain import Place

UNPLACED, TOUCHED = 1_000_000_000, 1_000_000  # more than all days, hours and rooms of a repair can cost together

Held = tuple[UUID, int, int, int]  # resource, lane, day, bits of the day


@dataclass(frozen=True)
class Choice:
    """Where a visit goes, with all that it holds, and what its day, hour, room and physician cost."""

    to: PlannedVisit
    cost: int


Choices = dict[UUID, Choice]  # by the visit's id; who has none stays where it is


@dataclass(frozen=True)
class Group:
    """Courses of one block whose patients accept the same rooms and people."""

    number: int
    usable: dict[str, tuple[Resource, ...]]


class Places:
    """The places of the visits in `movable`. All others stay, and what they hold is taken."""

    def __init__(self, damage: Damage, movable: frozenset[UUID]) -> None:
        self.damage, self.movable = damage, movable
        self.courses = [course for course in damage.courses if any(visit.id in movable for visit in course.visits)]
        staying = [visit for course in damage.courses for visit in course.visits if visit.id not in movable]
        self.free: FreeTime = taken(damage.free, [claim for visit in staying for claim in visit.claims])
        self.days = self.free.days
        self._phases: dict[int, tuple[Phase, ...]] = {}
        self._blocks: dict[tuple[int, int], Block] = {}
        self._candidates: dict[UUID, Candidates] = {}
        self._groups: dict[tuple[object, ...], Group] = {}
        self._group_of: dict[UUID, Group] = {}
        self._of: dict[UUID, dict[int, list[Place]]] = {}

    def phases(self, course: Standings) -> tuple[Phase, ...]:
        """Return the phases of a course's block: one and the same object for all that are equal."""
        mine = course.protocol.phases
        if id(mine) not in self._phases:  # hashing phases takes longer than all else here
            equal = (known for known in self._phases.values() if known == mine)
            self._phases[id(mine)] = next(equal, mine)
        return self._phases[id(mine)]

    def block(self, course: Standings) -> Block:
        """Return a course's block over what is free."""
        key = id(self.phases(course)), course.protocol.starts_apart
        if key not in self._blocks:
            self._blocks[key] = Block(course.protocol, self.free)
        return self._blocks[key]

    def candidates(self, course: Standings) -> Candidates:
        """Return the starts that a course's patient may be offered."""
        if course.course_id not in self._candidates:
            asked = PlanRequest(
                course.protocol, self.free, course.patient_id, course.wishes, not_before=self.damage.not_before
            )
            self._candidates[course.course_id] = Candidates(asked, self.block(course))
        return self._candidates[course.course_id]

    def group(self, course: Standings) -> Group:
        """Return the group of a course."""
        if course.course_id not in self._group_of:
            candidates = self.candidates(course)
            own = {ROOM: candidates.rooms, NURSE: candidates.nurses, PHYSICIAN: candidates.physicians}
            usable = {kind: tuple(own.get(kind, self.free.of_kind(kind))) for kind in candidates.block.kinds}
            key = (id(candidates.block), *(one.id for found in usable.values() for one in found))
            self._group_of[course.course_id] = self._groups.setdefault(key, Group(len(self._groups), usable))
        return self._group_of[course.course_id]

    def of(self, course: Standings, visit: Standing) -> dict[int, list[Place]]:
        """Return the places of a visit, day by day."""
        if visit.id not in self._of:
            self._of[visit.id] = dict(self._find(course, visit)) if visit.id in self.movable else {}
        return self._of[visit.id]

    def _find(self, course: Standings, visit: Standing) -> Iterator[tuple[int, list[Place]]]:
        candidates, (first, last) = self.candidates(course), self._window(course, visit)
        local = visit.starts_at.astimezone(self.days.zone)
        here, minute = self.days.index(local.date()), local.hour * 60 + local.minute
        for day, (begins, ends) in enumerate(pairwise(self.days.begins)):
            found = []
            for start in candidates.on(day) if first < ends and begins <= last else ():
                second = begins + start.slot * SLOT * 60
                if first <= second <= last:
                    cost = WAIT * abs(day - here) + hour_cost(abs(start.minute - minute))
                    found.append(Place(second, day, start.slot, cost + sum(map(wish_cost, start.broken))))
            if found:
                yield day, found

    def _window(self, course: Standings, visit: Standing) -> tuple[int, int]:
        """Return between which seconds a visit has to start, as far as the nearest that stay say."""
        first, last, number = 0, self.days.begins[-1], course.visits.index(visit)
        if before := self._reach(course, course.visits[number::-1]):
            first, last = max(first, before[0] + before[1]), min(last, before[0] + before[2])
        if after := self._reach(course, course.visits[number:]):
            first, last = max(first, after[0] - after[2]), min(last, after[0] - after[1])
        return first, last

    def _reach(self, course: Standings, visits: Sequence[Standing]) -> tuple[int, int, int] | None:
        """Return when the first that can't move starts, and how near and how far from it the first may be."""
        least, most = gap_bounds(course)
        nearest = farthest = 0
        for one, two in pairwise(visits):
            # Two that both stay are as far apart as they are.
            gap = least if one is visits[0] else abs(second_of(two) - second_of(one))
            nearest, farthest = nearest + min(least, gap), farthest + max(most, gap)
            if two.id not in self.movable:
                return second_of(two), nearest, farthest
        return None

    def day_of(self, visit: Standing) -> int:
        """Return the number of the day on which a visit stands; it may lie outside."""
        return self.days.index(visit.starts_at.astimezone(self.days.zone).date())

    def held(self, claims: Sequence[PlannedClaim]) -> list[Held]:
        """Return what claims hold, day by day."""
        return [
            (claim.resource_id, claim.lane, day, bits)
            for claim in claims
            for day, bits in self.days.spread(claim.starts_at, claim.ends_at)
        ]


@cache
def bits_of(span: Span) -> int:
    """Return the bits of a block's span, for a block that starts at bit 0."""
    return mask(span[0] // SLOT, -(span[1] // -SLOT))


def second_of(visit: Standing) -> int:
    """Return when a visit starts, in seconds since 1970."""
    return int(visit.starts_at.timestamp())


def limits(course: Standings) -> Protocol:
    """Return the protocol with the longest gap that was granted: what visits are held against."""
    return course.protocol.with_longer_gap(course.wishes.longest_gap)


def gap_bounds(course: Standings) -> tuple[int, int]:
    """Return the least and the most seconds from one visit's start to the next one's."""
    protocol = limits(course)
    return int(max(protocol.min_gap, protocol.block).total_seconds()), int(protocol.max_gap.total_seconds())


def price(visit: Standing, choice: Choice | None) -> int:
    """Return what a choice costs with all that counts more than its day and hour."""
    if choice is None:
        return UNPLACED if visit.lost else 0
    return choice.cost if visit.lost else choice.cost + TOUCHED


def away(visit: Standing, room_id: UUID, physician_id: UUID) -> int:
    """Return what another room and another physician cost."""
    return AWAY * ((room_id != visit.room_id) + (physician_id != visit.physician_id))
