"""One stage of a repair as a model for CP-SAT.

Every visit has exactly one of its spots, and a spot taken takes one lane of each kind and span. Gaps are clauses over
spots, by days where all spots of two days agree. First the fewest unplaced and the fewest touched are looked for, then
the least cost with as few of both.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import pairwise, takewhile
from math import ceil
from typing import Any
from uuid import UUID

from ortools.sat.python import cp_model

from tracker.rules.availability import STARTS_LANE
from tracker.rules.block import Span
from tracker.rules.costs import AWAY
from tracker.rules.damage import Standings
from tracker.rules.protocol import PHYSICIAN, ROOM
from tracker.rules.repair_places import Choice, Choices, gap_bounds, limits
from tracker.rules.repair_spots import Key, Lane, Spot, Spots

WORKERS = 2
ASK_EVERY = 0.1  # seconds
MISSING = 1000  # unplaced count for so many touched

Literal = Any  # cp_model.IntVar or its negation


class Model:
    """The model of one stage, and what was found of it. Once it is `stopped`, nothing more is added, or found."""

    def __init__(self, spots: Spots, stopped: Callable[[], bool]) -> None:
        self.spots, self.movable, self.stopped = spots, spots.places.movable, stopped
        self.model: Any = cp_model.CpModel()  # typed by halves
        self.literals: dict[Spot, Literal] = {}
        self.lanes: dict[tuple[Spot, Key], list[tuple[Lane, Literal]]] = {}
        self._days: dict[UUID, list[tuple[Literal, list[Spot]]]] = {}
        # Who is where and when: of those that overlap, one.
        self._held: dict[tuple[UUID, int, int], list[tuple[int, Literal]]] = defaultdict(list)
        for course in takewhile(self._wanted, spots.places.courses):
            for visit in course.visits:
                self._add(course, spots.of[visit.id], movable=visit.id in spots.places.movable)
            self._space(course)
        for held in takewhile(self._wanted, self._held.values()):
            for literals in _overlapping(held):
                self.model.add_at_most_one(literals)
        self.solver = cp_model.CpSolver()
        parameters = self.solver.parameters
        parameters.num_workers = WORKERS
        # Its presolve would take longer than the search it is to help.
        parameters.cp_model_probing_level = 0
        parameters.max_presolve_iterations = 1
        parameters.symmetry_level = 0

    def _wanted(self, _part: object) -> bool:
        return not self.stopped()

    def _new(self) -> Literal:
        return self.model.new_bool_var("")

    def _add(self, course: Standings, spots: Sequence[Spot], *, movable: bool) -> None:
        if not movable:
            self.literals[spots[0]] = self.model.new_constant(1)
            return
        for spot in spots:
            self.literals[spot] = self._new()
            self._hold(course, spot)
        self.model.add_exactly_one(self.literals[spot] for spot in spots)

    def _hold(self, course: Standings, spot: Spot) -> None:
        literal = self.literals[spot]
        for key, lanes in spot.lanes.items():
            chosen = [(lane, literal if len(lanes) == 1 else self._new()) for lane in lanes]
            self.lanes[spot, key] = chosen
            if len(lanes) > 1:
                self.model.add_exactly_one([~literal, *(one for _lane, one in chosen)])
        # What is held whatever the lanes are, and what hangs on each lane.
        always = self.spots.held(course, spot, {})
        for who, lane, day, bits in always:
            self._held[who, lane, day].append((bits, literal))
        for key, chosen in self._chosen(spot):
            first = self._first(spot, key)
            for taken, one in chosen:
                for who, lane, day, bits in set(self.spots.held(course, spot, {key: taken})) - set(always):
                    if lane != STARTS_LANE or key == first:
                        self._held[who, lane, day].append((bits, one))
            if key != first:
                self._same_throughout(spot, first, key)

    def _chosen(self, spot: Spot) -> Iterator[tuple[Key, list[tuple[Lane, Literal]]]]:
        return ((key, self.lanes[spot, key]) for key in spot.lanes)

    @staticmethod
    def _first(spot: Spot, key: Key) -> Key:
        """Return the first span of a key's kind."""
        return next(other for other in spot.lanes if other[0] == key[0])

    def _same_throughout(self, spot: Spot, first: Key, key: Key) -> None:
        """Let whoever is held in one span be held in the kind's first span, too."""
        for resource in {lane[0].id for which in (first, key) for lane, _literal in self.lanes[spot, which]}:
            one, two = (
                [literal for lane, literal in self.lanes[spot, which] if lane[0].id == resource]
                for which in (first, key)
            )
            self.model.add(sum(one) == sum(two))

    # Gaps

    def _space(self, course: Standings) -> None:
        """Let every visit keep its gap to the one before, and the course its span."""
        least, most = gap_bounds(course)
        movable = [visit.id in self.movable for visit in course.visits]
        for (one, one_moves), (two, two_moves) in pairwise(zip(course.visits, movable, strict=True)):
            if one_moves or two_moves:
                self._follow(one.id, two.id, least, most)
                self._follow(two.id, one.id, -most, -least)
        first, last = course.visits[0], course.visits[-1]
        if first.id != last.id and (movable[0] or movable[-1]):
            for start in self._by_day(first.id):
                latest = start[1][0].day + limits(course).max_span_days
                ends = [end for end, spots in self._by_day(last.id) if spots[0].day <= latest]
                both_stay = [end for end, spots in self._by_day(last.id) if spots[0].stays and start[1][0].stays]
                self.model.add_bool_or([~start[0], *ends, *both_stay])

    def _follow(self, before: UUID, after: UUID, least: int, most: int) -> None:
        """Say for each spot of one visit at which spots the other may be."""
        for day, spots in self._by_day(before):
            agreed, mixed = [], []
            for other, others in self._by_day(after):
                lowest, highest = others[0].second - spots[-1].second, others[-1].second - spots[0].second
                if (least <= lowest and highest <= most) or (spots[0].stays and others[0].stays):
                    agreed.append(other)
                elif least <= highest and lowest <= most:
                    mixed.extend(others)
            if not mixed:
                self.model.add_bool_or([~day, *agreed])
                continue
            for spot in spots:
                near = [self.literals[other] for other in mixed if least <= other.second - spot.second <= most]
                self.model.add_bool_or([~self.literals[spot], *agreed, *near])

    def _by_day(self, visit_id: UUID) -> list[tuple[Literal, list[Spot]]]:
        """Return a visit's spots by day, each day with a literal that says it is there; where it stays is apart."""
        if visit_id not in self._days:
            days: dict[int | None, list[Spot]] = defaultdict(list)
            for spot in self.spots.of[visit_id]:
                days[None if spot.stays else spot.day].append(spot)
            self._days[visit_id] = [(self._any_of(spots), spots) for spots in days.values()]
        return self._days[visit_id]

    def _any_of(self, spots: Sequence[Spot]) -> Literal:
        if len(spots) == 1:
            return self.literals[spots[0]]
        literal = self._new()
        self.model.add_exactly_one([~literal, *(self.literals[spot] for spot in spots)])
        return literal

    # Solving

    def missing(self) -> Any:
        """Return the unplaced, `MISSING` each, and the touched, one each."""
        return sum(
            literal * (MISSING if spot.unplaced else 1)
            for spot, literal in self.literals.items()
            if spot.visit.id in self.movable and (spot.unplaced or spot.touched)
        )

    def cost(self) -> Any:
        """Return what all choices cost together."""
        costs = [(spot.place.cost, literal) for spot, literal in self.literals.items() if spot.place]
        for (spot, key), chosen in self.lanes.items():
            usual = {ROOM: spot.visit.room_id, PHYSICIAN: spot.visit.physician_id}.get(key[0])
            if usual and key == self._first(spot, key):
                costs += [(AWAY, literal) for lane, literal in chosen if lane[0].id != usual]
        return sum(cost * literal for cost, literal in costs)

    def begin_with(self, choices: Mapping[UUID, Choice]) -> None:
        """Let the search begin with these choices."""
        self.model.clear_hints()
        chosen = {spot for spot in self.literals if _is_at(spot, choices.get(spot.visit.id))}
        for spot, literal in self.literals.items():
            if spot.visit.id in self.movable:
                self.model.add_hint(literal, spot in chosen)
        for (spot, (_kind, span)), lanes in self.lanes.items():
            if len(lanes) > 1:
                held = self._lanes_held(choices[spot.visit.id], span) if spot in chosen else set()
                for (one, lane), literal in lanes:
                    self.model.add_hint(literal, (one.id, lane) in held)
        for days in self._days.values():
            for literal, spots in days:
                if len(spots) > 1:
                    self.model.add_hint(literal, any(spot in chosen for spot in spots))

    @staticmethod
    def _lanes_held(choice: Choice, span: Span) -> set[tuple[UUID, int]]:
        begins = choice.to.starts_at + timedelta(minutes=span[0])
        return {(claim.resource_id, claim.lane) for claim in choice.to.claims if claim.starts_at == begins}

    def least(self, what: Any, seconds: float) -> tuple[int, int] | None:
        """Make something as small as can be; return it and its proven bound. None: nothing was found in time."""
        if self.stopped():
            return None
        self.model.minimize(what)
        self.solver.parameters.max_time_in_seconds = max(0.1, seconds)
        if self._solve() not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return round(self.solver.objective_value), max(0, ceil(self.solver.best_objective_bound - 1e-6))

    def _solve(self) -> Any:
        with ThreadPoolExecutor(1) as solving:  # the solver itself asks only when it has found something
            status = solving.submit(self.solver.solve, self.model)
            while not wait([status], ASK_EVERY).done:
                if self.stopped():
                    self.solver.stop_search()
            return status.result()

    def choices(self) -> Choices:
        """Return what the solver found last."""
        found = {}
        for course in self.spots.places.courses:
            for visit in course.visits:
                spot = next(one for one in self.spots.of[visit.id] if self.solver.value(self.literals[one]))
                if not spot.stays:
                    lanes = {
                        key: next(lane for lane, one in chosen if self.solver.value(one))
                        for key, chosen in self._chosen(spot)
                    }
                    found[visit.id] = self.spots.choice(course, spot, lanes)
        return found


def _is_at(spot: Spot, choice: Choice | None) -> bool:
    return spot.stays if choice is None else spot.second == int(choice.to.starts_at.timestamp()) and not spot.stays


def _overlapping(held: Sequence[tuple[int, Literal]]) -> Iterator[list[Literal]]:
    """Yield the groups of which at most one may be: all that hold one moment, the largest groups only."""
    largest: frozenset[int] = frozenset()
    for moment in sorted({(bits & -bits).bit_length() - 1 for bits, _literal in held}):
        group = frozenset(n for n, (bits, _literal) in enumerate(held) if bits >> moment & 1)
        if largest and not largest <= group:
            yield [held[n][1] for n in largest]
        largest = group
    if len(largest) > 1:
        yield [held[n][1] for n in largest]
