"""Where each visit of a repair may go: its spots, with the lanes that each may take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from tracker.rules.availability import SLOT, STARTS_LANE, FreeTime, Resource, mask
from tracker.rules.block import Block, Span
from tracker.rules.candidates import Candidate, Candidates
from tracker.rules.costs import AWAY, WAIT, hour_cost, wish_cost
from tracker.rules.damage import Damage, Standing, Standings, taken
from tracker.rules.plan import PlannedClaim, PlannedVisit, PlanRequest
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol

# Beyond the lost visits alone, looking at everything takes too long. So of a day only so many starts are looked at, and
# of a start so many lanes of each kind: the bounds that are proven are those of the spots looked at.
STARTS = 6
LANES = 4

Key = tuple[str, Span]  # a kind of resource, and one span of the block that holds it
Lane = tuple[Resource, int]
Held = tuple[UUID, int, int, int]  # resource, lane, day, bits of the day


@dataclass(eq=False)
class Spot:
    """A start for a visit, or (`slot` None) where it stands now: for a lost visit that is no place at all.

    `lanes`: for each kind and span, the lanes that it may take. `cost` is that of its day and hour.
    """

    visit: Standing
    starts_at: datetime
    second: int
    day: int  # of the free time's days; it may lie outside
    slot: int | None = None
    cost: int = 0
    lanes: dict[Key, list[Lane]] = field(default_factory=dict)

    @property
    def stays(self) -> bool:
        """Whether the visit is left where it is."""
        return self.slot is None

    @property
    def unplaced(self) -> bool:
        """Whether it leaves a lost visit without a place."""
        return self.slot is None and self.visit.lost

    @property
    def touched(self) -> bool:
        """Whether a visit moves that had not lost its place."""
        return self.slot is not None and not self.visit.lost


@dataclass(frozen=True)
class Choice:
    """One spot taken, with its lanes."""

    spot: Spot
    lanes: dict[Key, Lane] = field(default_factory=dict)

    @property
    def cost(self) -> int:
        """What it costs: its day and hour, another room, another physician."""
        visit = self.spot.visit
        usual = {ROOM: visit.room_id, PHYSICIAN: visit.physician_id}
        who = {kind: one.id for (kind, _span), (one, _lane) in self.lanes.items()}
        return self.spot.cost + sum(AWAY for kind, own in usual.items() if who.get(kind, own) != own)


class Spots:
    """All spots of the visits of one stage: those in `movable` may move, all others stay."""

    def __init__(self, damage: Damage, movable: frozenset[UUID]) -> None:
        self.damage, self.movable = damage, movable
        self.courses = [course for course in damage.courses if any(visit.id in movable for visit in course.visits)]
        frozen = [
            claim
            for course in damage.courses
            for visit in course.visits
            if visit.id not in movable
            for claim in visit.claims
        ]
        self.free: FreeTime = taken(damage.free, frozen)
        self.days = self.free.days
        self.whole = all(visit.lost for course in self.courses for visit in course.visits if visit.id in movable)
        self._blocks: dict[int, Block] = {}
        self.of: dict[UUID, list[Spot]] = {}
        for course in self.courses:
            self._add(course)

    @property
    def size(self) -> int:
        """How many literals a model of all this has, about."""
        spots = [spot for visit_id in self.movable for spot in self.of[visit_id]]
        return sum(1 + sum(map(len, spot.lanes.values())) for spot in spots)

    def block(self, course: Standings) -> Block:
        """Return the block of a course's protocol over what is free."""
        key = id(course.protocol)  # hashing a protocol takes longer than all else here
        if key not in self._blocks:
            self._blocks[key] = Block(course.protocol, self.free)
        return self._blocks[key]

    def _add(self, course: Standings) -> None:
        block = self.block(course)
        request = PlanRequest(
            course.protocol, self.free, course.patient_id, course.wishes, not_before=self.damage.not_before
        )
        candidates = Candidates(request, block)
        for number, visit in enumerate(course.visits):
            self.of[visit.id] = [self._stay(visit)]
            if visit.id in self.movable:
                self.of[visit.id] += self._starts(candidates, visit, self._window(course, number))

    def _stay(self, visit: Standing) -> Spot:
        local = visit.starts_at.astimezone(self.days.zone).date()
        return Spot(visit, visit.starts_at, int(visit.starts_at.timestamp()), self.days.index(local))

    def _window(self, course: Standings, number: int) -> tuple[datetime, datetime]:
        """Return between which starts a visit has to lie, as far as its neighbours that stay say."""
        protocol, visits = course.protocol, course.visits
        first, last = self.damage.not_before, self.days.instant(self.days.count - 1, 0) + timedelta(days=1)
        for steps, before in enumerate(reversed(visits[:number]), start=1):
            if before.id not in self.movable:
                first = max(first, before.starts_at + steps * protocol.min_gap)
                last = min(last, before.starts_at + steps * protocol.max_gap)
                break
        for steps, after in enumerate(visits[number + 1 :], start=1):
            if after.id not in self.movable:
                first = max(first, after.starts_at - steps * protocol.max_gap)
                last = min(last, after.starts_at - steps * protocol.min_gap)
                break
        return first, last

    def _starts(self, candidates: Candidates, visit: Standing, window: tuple[datetime, datetime]) -> Iterator[Spot]:
        local = visit.starts_at.astimezone(self.days.zone)
        here, minute = self.days.index(local.date()), local.hour * 60 + local.minute
        for day in range(self.days.count):
            if self.days.instant(day, 0) > window[1]:
                return
            within = [one for one in candidates.on(day) if window[0] <= candidates.instant(one) <= window[1]]
            for start in within if self.whole else _some(within, minute):
                cost = WAIT * abs(day - here) + hour_cost(abs(start.minute - minute))
                cost += sum(map(wish_cost, start.broken))
                starts_at = candidates.instant(start)
                lanes = self._lanes(candidates, visit, start)
                if all(lanes.values()):
                    yield Spot(visit, starts_at, int(starts_at.timestamp()), day, start.slot, cost, lanes)

    def _lanes(self, candidates: Candidates, visit: Standing, start: Candidate) -> dict[Key, list[Lane]]:
        block, found = candidates.block, {}
        usable = {ROOM: candidates.rooms, NURSE: candidates.nurses, PHYSICIAN: candidates.physicians}
        for kind in block.kinds:
            resources = [
                one
                for one in usable.get(kind, self.free.of_kind(kind))
                if block.starts(one, start.day) >> start.slot & 1
            ]
            for span in block.spans[kind]:
                lanes = [(one, lane) for one in resources for lane in self._free_lanes(one, span, start)]
                found[kind, span] = lanes if self.whole else _some_lanes(lanes, visit)
        return found

    def _free_lanes(self, resource: Resource, span: Span, start: Candidate) -> list[int]:
        wanted, free, lanes = bits_of(span) << start.slot, self.free.free, range(1, resource.lanes + 1)
        return [n for n in lanes if free[resource.id, n][start.day] & wanted == wanted]

    def held(self, course: Standings, spot: Spot, lanes: dict[Key, Lane]) -> list[Held]:
        """Return what a spot holds with these lanes, day by day."""
        if spot.slot is None:
            return [
                (claim.resource_id, claim.lane, day, bits)
                for claim in spot.visit.claims
                for day, bits in self.days.spread(claim.starts_at, claim.ends_at)
            ]
        return [
            (resource_id, lane, spot.day, bits_of(span) << spot.slot)
            for resource_id, lane, span in self._spans(course, lanes)
        ]

    def _spans(self, course: Standings, lanes: dict[Key, Lane]) -> list[tuple[UUID, int, Span]]:
        block = self.block(course)
        spans = [(one.id, lane, span) for (_kind, span), (one, lane) in lanes.items()]
        spans += [(course.patient_id, 1, span) for span in block.spans[PATIENT]]
        nurses = {one.id for (kind, _span), (one, _lane) in lanes.items() if kind == NURSE}
        return spans + [(nurse, STARTS_LANE, block.apart()) for nurse in nurses]

    def visit(self, course: Standings, choice: Choice) -> PlannedVisit:
        """Return a choice as the visit it makes, with all that it has to hold."""
        spot, minute = choice.spot, timedelta(minutes=1)
        who = {kind: one.id for (kind, _span), (one, _lane) in choice.lanes.items()}
        claims = tuple(
            PlannedClaim(resource_id, lane, spot.starts_at + span[0] * minute, spot.starts_at + span[1] * minute)
            for resource_id, lane, span in self._spans(course, choice.lanes)
        )
        ends_at = spot.starts_at + course.protocol.block
        return PlannedVisit(spot.visit.ordinal, spot.starts_at, ends_at, who[ROOM], who[NURSE], who[PHYSICIAN], claims)


@cache
def bits_of(span: Span) -> int:
    """Return the bits of a block's span, for a block that starts at bit 0."""
    return mask(span[0] // SLOT, -(span[1] // -SLOT))


def fits(one: Spot, other: Spot, least: int, most: int) -> bool:
    """Return whether one visit's spot may precede another's: seconds between them, or both stay as they are."""
    return least <= other.second - one.second <= most or (one.slot is None and other.slot is None)


def gap_bounds(protocol: Protocol) -> tuple[int, int]:
    """Return the least and the most seconds from one visit's start to the next one's."""
    return int(protocol.min_gap.total_seconds()), int(protocol.max_gap.total_seconds())


def _some(starts: Sequence[Candidate], minute: int) -> list[Candidate]:
    """Return the start nearest to the visit's hour, the first and last of each stretch (what packs a day), and others.

    At most `STARTS`.
    """
    if len(starts) <= STARTS:
        return list(starts)
    gaps = [n for n in range(1, len(starts)) if (starts[n].slot - starts[n - 1].slot) * SLOT > 15]
    edges = sorted([0, *gaps, *(n - 1 for n in gaps), len(starts) - 1])
    near = sorted(range(len(starts)), key=lambda n: abs(starts[n].minute - minute))
    return [starts[n] for n in sorted(list(dict.fromkeys([near[0], *edges, *near]))[:STARTS])]


def _some_lanes(lanes: list[Lane], visit: Standing) -> list[Lane]:
    """Return those of the visit's own room or physician, and others: not the same ones for every visit."""
    own = [one for one in lanes if one[0].id in (visit.room_id, visit.physician_id)]
    others = [one for one in lanes if one not in own]
    turn = visit.id.int % len(others) if others else 0
    return [*own, *others[turn:], *others[:turn]][:LANES]
