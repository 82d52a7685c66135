"""What is free while the visits of a repair are moved about, and the cheapest places of a course in it."""

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import and_, or_
from uuid import UUID

from tracker.rules.availability import STARTS_LANE, Resource
from tracker.rules.block import Block, fitting
from tracker.rules.costs import AWAY
from tracker.rules.damage import Standing, Standings
from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM
from tracker.rules.repair_chain import Node, Place, cheapest
from tracker.rules.repair_places import (
    TOUCHED,
    UNPLACED,
    Choice,
    Choices,
    Held,
    Places,
    away,
    bits_of,
    gap_bounds,
    limits,
    price,
    second_of,
)

Bumps = Mapping[int, int]  # day: what it costs to go where somebody is in the way


class Board:
    """The free time of a stage, in which visits are put and taken out again; at first none of those that may move."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.base = places.free.free
        self.free = replace(places.free, free={lane: list(days) for lane, days in self.base.items()})
        self.choices: Choices = {}
        self._blocks: dict[Block, Block] = {}
        self._held: dict[UUID, list[Held]] = {}
        self._holders: dict[tuple[UUID, int, int], dict[UUID, int]] = defaultdict(dict)
        self._open: dict[int, dict[int, int]] = defaultdict(dict)
        self._known: dict[int, dict[int, list[Node]]] = defaultdict(dict)  # by day and visit
        self._nodes_of: dict[tuple[int, ...], list[Node]] = {}

    def block(self, course: Standings) -> Block:
        """Return a course's block over what is free now."""
        base = self.places.block(course)
        if base not in self._blocks:
            self._blocks[base] = Block(course.protocol, self.free)
        return self._blocks[base]

    def movable(self, course: Standings) -> list[Standing]:
        """Return the visits of a course that may move."""
        return [visit for visit in course.visits if visit.id in self.places.movable]

    # Putting and taking out

    def put(self, visit: Standing, choice: Choice | None) -> None:
        """Put a visit where it was chosen to go, or (None) where it stands."""
        held = self._held[visit.id] = self.places.held(choice.to.claims if choice else visit.claims)
        for who, lane, day, bits in held:
            holders = self._holders[who, lane, day]
            holders[visit.id] = holders.get(visit.id, 0) | bits
            if (who, lane) in self.base:
                self.free.free[who, lane][day] &= ~bits
                self._changed(who, day)
        if choice:
            self.choices[visit.id] = choice

    def differs(self, visit: Standing, choice: Choice | None) -> bool:
        """Return whether a visit is anywhere else, or taken out."""
        return visit.id not in self._held or self.choices.get(visit.id) is not choice

    def take_out(self, visit: Standing) -> Choice | None:
        """Give back what a visit holds, if anything; return what was chosen for it."""
        for who, lane, day, bits in self._held.pop(visit.id, ()):
            self._holders[who, lane, day].pop(visit.id, None)  # a physician is held twice
            if (who, lane) in self.base:
                self.free.free[who, lane][day] |= bits & self.base[who, lane][day]
                self._changed(who, day)
        return self.choices.pop(visit.id, None)

    def _changed(self, who: UUID, day: int) -> None:
        self._open[day].clear()
        self._known[day].clear()
        for block in self._blocks.values():
            block.forget(who, day)

    def enter(self, course: Standings, chain: Sequence[Node]) -> int:
        """Put a course's visits at these nodes; return what they cost."""
        total = 0
        for visit, node in zip(course.visits, chain, strict=True):
            if visit.id in self.places.movable:
                choice = self._choose(course, visit, node.place) if node.place else None
                self.put(visit, choice)
                total += price(visit, choice)
        return total

    def _choose(self, course: Standings, visit: Standing, place: Place) -> Choice:
        room = self._pick(course, ROOM, place, visit.room_id)
        nurse = self._pick(course, NURSE, place, course.wishes.clinician_id)
        physician = self._pick(course, PHYSICIAN, place, visit.physician_id)
        to = self.block(course).place(visit.ordinal, place.day, place.slot, room, nurse, physician, course.patient_id)
        return Choice(to, place.cost + away(visit, room.id, physician.id))

    def _pick(self, course: Standings, kind: str, place: Place, rather: UUID | None) -> Resource:
        block = self.block(course)
        usable = self.places.group(course).usable[kind]
        free = [one for one in usable if block.starts(one, place.day) >> place.slot & 1]
        return next((one for one in free if one.id == rather), free[0])

    # Finding places

    def cheapest(self, course: Standings, bumps: Bumps | None = None) -> list[Node] | None:
        """Return the cheapest places of a course that is taken out; with `bumps`, also such that aren't free."""
        layers = [self._nodes(course, visit, bumps) for visit in course.visits]
        if not all(layers):
            return None
        return cheapest(layers, *gap_bounds(course), limits(course).max_span_days)

    def _nodes(self, course: Standings, visit: Standing, bumps: Bumps | None) -> list[Node]:
        if visit.id not in self.places.movable:
            return [Node(second_of(visit), self.places.day_of(visit), 0, None)]
        nodes = self._elsewhere(course, visit, bumps)
        free, day = self._may_stay(visit), self.places.day_of(visit)
        if free or bumps is not None:
            extra = 0 if free or bumps is None else bumps.get(day, 0)
            stay = Node(second_of(visit), day, extra + (UNPLACED if visit.lost else 0), None)
            insort(nodes, stay, key=lambda node: node.second)
        return nodes

    def _elsewhere(self, course: Standings, visit: Standing, bumps: Bumps | None) -> list[Node]:
        nodes: list[Node] = []
        for day, places in self.places.of(course, visit).items():
            free = self._known[day].get(id(visit))
            if free is None:
                free = self._known[day][id(visit)] = self._free_nodes(course, visit, day, places)
            bump = bumps.get(day) if bumps else None
            nodes += free if bump is None else self._with_bumps(free, visit, places, bump)
        return nodes

    def _free_nodes(self, course: Standings, visit: Standing, day: int, places: Sequence[Place]) -> list[Node]:
        if not (free := self._open_on(course, day)):
            return []
        room, physician = self._own(course, visit, day)
        # Most that is tried is undone again, and then the day is as it was.
        key = id(visit), day, free, room, physician
        if key not in self._nodes_of:
            least = 0 if visit.lost else TOUCHED
            self._nodes_of[key] = [
                Node(
                    place.second,
                    day,
                    least + place.cost + AWAY * ((~room >> place.slot & 1) + (~physician >> place.slot & 1)),
                    place,
                )
                for place in places
                if free >> place.slot & 1
            ]
        return self._nodes_of[key]

    def _with_bumps(self, free: list[Node], visit: Standing, places: Sequence[Place], extra: int) -> list[Node]:
        """Return the free places of a day together with the others, which cost so much more."""
        seconds = {node.second for node in free}
        extra += 0 if visit.lost else TOUCHED
        taken = [Node(p.second, p.day, extra + p.cost, p) for p in places if p.second not in seconds]
        return sorted([*free, *taken])

    def _own(self, course: Standings, visit: Standing, day: int) -> list[int]:
        """Return where the visit's own room and physician are free."""
        block, usable = self.block(course), self.places.group(course).usable
        own = {ROOM: visit.room_id, PHYSICIAN: visit.physician_id}
        return [next((block.starts(one, day) for one in usable[kind] if one.id == own[kind]), 0) for kind in own]

    def _open_on(self, course: Standings, day: int) -> int:
        """Return where a course's block could start on a day."""
        group, block, known = self.places.group(course), self.block(course), self._open[day]
        if group.number not in known:
            kinds = ((block.starts(one, day) for one in usable) for usable in group.usable.values())
            known[group.number] = reduce(and_, (reduce(or_, starts, 0) for starts in kinds))
        return known[group.number] & block.starts(self.places.candidates(course).patient, day)

    def _may_stay(self, visit: Standing) -> bool:
        return not self._in_the_way_of(self.places.held(visit.claims))

    # Who is in the way

    def _in_the_way_of(self, held: Sequence[Held]) -> set[UUID]:
        return {
            visit_id
            for who, lane, day, bits in held
            for visit_id, taken in self._holders.get((who, lane, day), {}).items()
            if taken & bits
        }

    def in_the_way(self, course: Standings, visit: Standing, node: Node) -> set[UUID]:
        """Return visits to take out so that one can go to a node: as few as can be, kind by kind."""
        if node.place is None:
            return self._in_the_way_of(self.places.held(visit.claims))
        base, day, slot = self.places.block(course), node.place.day, node.place.slot
        found = self._in_its_way(course, self.places.candidates(course).patient, node.place)
        for usable in self.places.group(course).usable.values():
            there = [one for one in usable if base.starts(one, day) >> slot & 1]
            options = [self._in_its_way(course, one, node.place) for one in there]
            found |= min(options, key=lambda option: len(option - found))
        return found

    def _in_its_way(self, course: Standings, one: Resource, place: Place) -> set[UUID]:
        """Return which visits keep a resource from being taken for a place."""
        block, day = self.places.block(course), place.day
        found: set[UUID] = set()
        for span in block.spans[one.kind]:
            lanes = [
                self._in_the_way_of([(one.id, lane, day, bits_of(span) << place.slot)])
                for lane in range(1, one.lanes + 1)
                if fitting(self.base[one.id, lane][day], span) >> place.slot & 1
            ]
            found |= min(lanes, key=lambda ids: len(ids - found))
        if one.kind == NURSE:
            found |= self._in_the_way_of([(one.id, STARTS_LANE, day, bits_of(block.apart()) << place.slot)])
        return found
