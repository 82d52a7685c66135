"""Where on a day a protocol's block can start, and what a visit holds once it is placed there."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import and_, or_
from uuid import UUID

from tracker.rules.availability import SLOT, STARTS_LANE, FreeTime, Resource, mask, runs, starts_of_runs, tightest
from tracker.rules.plan import PlannedClaim, PlannedVisit
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol

Span = tuple[int, int]  # minutes from the block's start: from, until


def held_spans(protocol: Protocol) -> dict[str, list[Span]]:
    """Return what a block holds and when: for each kind the spans, those that touch joined."""
    spans: dict[str, list[Span]] = defaultdict(list)
    begins = 0
    for phase in protocol.phases:
        ends = begins + phase.minutes
        if phase.patient:
            spans[PATIENT].append((begins, ends))
        for hold in phase.holds:
            start = (begins if hold.start >= 0 else ends) + hold.start
            spans[hold.what].append((start, ends if hold.minutes is None else start + hold.minutes))
        begins = ends
    return {kind: _joined(found) for kind, found in spans.items()}


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, until in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((start, until))
    return joined


def _slots(span: Span) -> Span:
    return span[0] // SLOT, -(-span[1] // SLOT)


def _instants(starts_at: datetime, span: Span) -> tuple[datetime, datetime]:
    return starts_at + timedelta(minutes=span[0]), starts_at + timedelta(minutes=span[1])


def fitting(bits: int, span: Span) -> int:
    """Return the starts of a block for which the minutes of `span` lie in set bits."""
    return starts_of_runs(bits, *_slots(span))


class Block:
    """A protocol's block over a clinic's free time; a day's bitmap is worked out once, when first asked for.

    Every bitmap that this returns has a bit set where the block may *start*.
    """

    def __init__(self, protocol: Protocol, free: FreeTime) -> None:
        self.protocol = protocol
        self.free = free
        self.spans = held_spans(protocol)
        self.kinds = [kind for kind in self.spans if kind != PATIENT]
        self.length = -(-int(protocol.block.total_seconds()) // (SLOT * 60))  # slots
        self._starts: dict[tuple[UUID, int], int] = {}
        self._holes: dict[tuple[UUID, int], tuple[int, int]] = {}

    def apart(self) -> Span:
        """Return the span of the nurse's starts lane: no other infusion of hers may start in it."""
        start = int(self.protocol.offset("infusion").total_seconds()) // 60
        return start, start + self.protocol.starts_apart

    def starts(self, resource: Resource, day: int) -> int:
        """Return where the block can start on a day as far as this resource is concerned."""
        key = resource.id, day
        found = self._starts.get(key)
        if found is None:
            found = self._starts[key] = self._starts_on(resource, self.spans.get(resource.kind, []), day)
        return found

    def forget(self, resource_id: UUID, day: int) -> None:
        """Let a day of a resource be worked out again: the free time under it has changed."""
        self._starts.pop((resource_id, day), None)

    def _starts_on(self, resource: Resource, spans: Sequence[Span], day: int) -> int:
        if not spans:
            return 0
        # Who is held at both ends (a physician) is on site all the time between, and may be busy elsewhere then.
        bits = fitting(self.free.present[resource.id][day], (spans[0][0], spans[-1][1]))
        for span in spans:
            bits &= reduce(or_, (self._lane(resource, lane, span, day) for lane in range(1, resource.lanes + 1)))
        return bits & self._lane(resource, STARTS_LANE, self.apart(), day) if resource.kind == NURSE else bits

    def _lane(self, resource: Resource, lane: int, span: Span, day: int) -> int:
        return fitting(self.free.free[resource.id, lane][day], span)

    def there(self, resource: Resource, day: int, slot: int) -> bool:
        """Return whether a resource is there for a block that starts at a bit, busy or not."""
        spans = self.spans[resource.kind]
        return bool(fitting(self.free.present[resource.id][day], (spans[0][0], spans[-1][1])) >> slot & 1)

    def any_of(self, kind: str, day: int) -> int:
        """Return where the block can start on a day as far as all resources of a kind are concerned."""
        return reduce(or_, (self.starts(resource, day) for resource in self.free.of_kind(kind)), 0)

    def feasible(self, day: int) -> int:
        """Return where the block can start on a day, for a patient who is free all day."""
        return reduce(and_, (self.any_of(kind, day) for kind in self.kinds))

    def holes(self, room: Resource, day: int) -> tuple[int, int]:
        """Return the starts that leave a hole before the block, and those that leave one after it.

        A hole is free time of the room in which no block fits.
        """
        if (room.id, day) not in self._holes:
            self._holes[room.id, day] = self._find_holes(room, day)
        return self._holes[room.id, day]

    def _find_holes(self, room: Resource, day: int) -> tuple[int, int]:
        before = after = 0
        for first, last in runs(self.free.free[room.id, 1][day]):
            if last - first >= self.length:
                before |= mask(first + 1, first + self.length)
                after |= mask(max(first, last - 2 * self.length + 1), last - self.length)
        return before, after

    def place(
        self, ordinal: int, day: int, slot: int, room: Resource, nurse: Resource, physician: Resource, patient_id: UUID
    ) -> PlannedVisit:
        """Return the visit that starts there, with all it has to hold. Each resource must be free for it."""
        starts_at = self.free.days.instant(day, slot)
        claims = [PlannedClaim(patient_id, 1, *_instants(starts_at, span)) for span in self.spans[PATIENT]]
        for resource in (room, nurse, physician, *self._equipment(day, slot)):
            for span in self.spans.get(resource.kind, []):
                lane = self.pick_lane(resource, span, day, slot)
                claims.append(PlannedClaim(resource.id, lane, *_instants(starts_at, span)))
        if NURSE in self.spans:
            claims.append(PlannedClaim(nurse.id, STARTS_LANE, *_instants(starts_at, self.apart())))
        ends_at = starts_at + self.protocol.block
        return PlannedVisit(ordinal, starts_at, ends_at, room.id, nurse.id, physician.id, tuple(claims))

    def _equipment(self, day: int, slot: int) -> list[Resource]:
        kinds = [kind for kind in self.kinds if kind not in (ROOM, NURSE, PHYSICIAN)]
        return [self.free_at(kind, day, slot)[0] for kind in kinds]

    def free_at(self, kind: str, day: int, slot: int) -> list[Resource]:
        """List the resources of a kind that are free for a block that starts there."""
        return [resource for resource in self.free.of_kind(kind) if self.starts(resource, day) >> slot & 1]

    def pick_lane(self, resource: Resource, span: Span, day: int, slot: int) -> int:
        """Return the lane to take. The resource must be free for the span."""
        first, last = _slots(span)
        lanes = ((lane, self.free.free[resource.id, lane][day]) for lane in range(1, resource.lanes + 1))
        return tightest(lanes, slot + first, slot + last)
