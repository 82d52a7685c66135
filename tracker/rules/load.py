"""How full a day is: the blocks that would still fit beside what is booked, placed one after the other as early as
they go. Every room, nurse, physician and pump counts, so twenty rooms with one nurse hold what one nurse can watch.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from tracker.rules.availability import SLOT, STARTS_LANE, FreeTime, Resource, mask, ones, tightest
from tracker.rules.block import Block, Span, fitting
from tracker.rules.protocol import NURSE, Protocol

GRID = 15 // SLOT  # visits start on the quarter of an hour
NEARLY = 0.85  # from this share on a day is nearly full


def nearly_full(booked: int, of: int) -> bool:
    """Return whether a day with `booked` of `of` blocks has next to nothing left."""
    return of > 0 and booked >= NEARLY * of


def blocks_left(protocol: Protocol, free: FreeTime, day: int) -> int:
    """Return how many blocks of a protocol still fit on day number `day` of `free`, whatever the time is now."""
    return _Filling(protocol, free, day).count()


def blocks_left_by_day(protocol: Protocol, free: FreeTime) -> list[int]:
    """Return `blocks_left` of every day of `free`; days that look alike are worked out once."""
    known: dict[tuple[int, ...], int] = {}
    found = []
    for day in range(free.days.count):
        looks = tuple(bitmaps[day] for bitmaps in (*free.free.values(), *free.present.values()))
        if looks not in known:
            known[looks] = blocks_left(protocol, free, day)
        found.append(known[looks])
    return found


class _Filling:
    """One day that is filled from its beginning to its end."""

    def __init__(self, protocol: Protocol, free: FreeTime, day: int) -> None:
        block = Block(protocol, free)
        self.spans, self.apart = block.spans, block.apart()
        self.present = {one.id: free.present[one.id][day] for one in free.resources}
        self.lanes = {key: bitmaps[day] for key, bitmaps in free.free.items()}
        self.kinds = {kind: [one for one in free.of_kind(kind) if self.present[one.id]] for kind in block.kinds}
        size = free.days.sizes[day]
        self.grid = reduce(or_, (1 << slot for slot in range(0, size, GRID)), 0)
        self.starts = {one.id: self._starts(one) for of_kind in self.kinds.values() for one in of_kind}

    def count(self) -> int:
        taken, after = 0, ~0
        while all(self.kinds.values()):
            bits = self.grid & after
            for of_kind in self.kinds.values():
                bits &= reduce(or_, (self.starts[one.id] for one in of_kind))
            slot = next(iter(ones(bits)), None)
            if slot is None:
                break
            for of_kind in self.kinds.values():
                self._take(self._best(of_kind, slot), slot)
            taken, after = taken + 1, ~mask(0, slot)
        return taken

    def _best(self, of_kind: Sequence[Resource], slot: int) -> Resource:
        """Return who can take it and is of least use later."""
        able = [one for one in of_kind if self.starts[one.id] >> slot & 1]
        return min(able, key=lambda one: (self.starts[one.id] >> slot).bit_count())

    def _starts(self, one: Resource) -> int:
        spans = self.spans[one.kind]
        bits = fitting(self.present[one.id], (spans[0][0], spans[-1][1]))
        for span in spans:
            bits &= reduce(or_, (fitting(self.lanes[one.id, lane], span) for lane in range(1, one.lanes + 1)))
        return bits & fitting(self.lanes[one.id, STARTS_LANE], self.apart) if one.kind == NURSE else bits

    def _take(self, one: Resource, slot: int) -> None:
        for span in self.spans[one.kind]:
            first, last = _slots(span, slot)
            lane = tightest(((n, self.lanes[one.id, n]) for n in range(1, one.lanes + 1)), first, last)
            self.lanes[one.id, lane] &= ~mask(first, last)
        if one.kind == NURSE:
            self.lanes[one.id, STARTS_LANE] &= ~mask(*_slots(self.apart, slot))
        self.starts[one.id] = self._starts(one)


def _slots(span: Span, slot: int) -> tuple[int, int]:
    return slot + span[0] // SLOT, slot - (-span[1] // SLOT)
