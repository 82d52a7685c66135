"""The search for whole series: which days and hours, for each hour of day, room and physician a series may be built on.

Hour, room and physician of the series (its *anchor* and *home*) and where it begins in the protocol's rhythm are held
fixed; what remains is a cheapest chain through days, which `search` solves exactly. It does so for all combinations at
once, each in a lane of its own. Only the span is left out then; the combinations are taken in the order of their costs
until one's cheapest chain keeps it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise

from tracker.rules.candidates import Candidate, Candidates, Home, minutes_of
from tracker.rules.costs import MOST_A_VISIT, OFF_RHYTHM, WAIT, gap_cost, hour_cost
from tracker.rules.lanes import Lanes, width_for
from tracker.rules.search import INFINITE, Chains, cheapest, to_go


@dataclass(frozen=True)
class Series:
    """One chosen series: its starts, what it is built on, and its cost."""

    starts: tuple[Candidate, ...]
    anchor: int  # local minute
    home: Home
    offset: int  # where in the rhythm's round it begins
    cost: int
    ordinal: int  # of the first of them


class SeriesSearch:
    """Finds the cheapest series of a request, one after the other."""

    def __init__(self, candidates: Candidates) -> None:
        self.candidates = candidates
        self.request = candidates.request
        self.days = candidates.days
        self.protocol = self.request.limits
        self.given = [start.astimezone(UTC) for start in self.request.given]
        self.length = self.protocol.visits - len(self.given)
        self.nodes = self._nodes()
        self.chains = self._chains()
        self.homes = candidates.homes
        self.anchors = self._anchors()
        self.offsets = range(max(1, len(self.protocol.rhythm)))
        self._hour_costs: dict[int, int] = {}
        # Lane by lane: offset, then home, then anchor.
        width = width_for(self._most())
        self._by_anchor = Lanes(len(self.anchors), width)
        self._by_home = Lanes(len(self.anchors) * len(self.homes), width)
        self._lanes = Lanes(len(self.anchors) * len(self.homes) * len(self.offsets), width)
        self._costs = [self._by_home.again(self._node_costs(node), len(self.offsets)) for node in self.nodes]

    # Nodes and edges

    def _nodes(self) -> list[list[Candidate]]:
        """Group the starts by day, if each start of a day may follow each start of another; else leave them single."""
        days = [found for day in range(self.days.count) if (found := self.candidates.on(day))]
        if all(self._follows(one, two) is not None for n, one in enumerate(days) for two in days[n + 1 :]) and all(
            self._after_given(day) is not None for day in days
        ):
            return days
        return [[candidate] for found in days for candidate in found]

    def _follows(self, one: Sequence[Candidate], two: Sequence[Candidate]) -> bool | None:
        """Return whether each start of a later day may follow each of an earlier one; None: only some may."""
        return self._keeps_gap(self.candidates.instant(one[0]), self.candidates.instant(one[-1]), two)

    def _after_given(self, node: Sequence[Candidate]) -> bool | None:
        return self._keeps_gap(self.given[-1], self.given[-1], node) if self.given else True

    def _keeps_gap(self, first: datetime, last: datetime, node: Sequence[Candidate]) -> bool | None:
        least_gap, most_gap = self.candidates.instant(node[0]) - last, self.candidates.instant(node[-1]) - first
        if self.protocol.min_gap <= least_gap and most_gap <= self.protocol.max_gap:
            return True
        return False if most_gap < self.protocol.min_gap or least_gap > self.protocol.max_gap else None

    def _chains(self) -> Chains:
        days = [node[0].day for node in self.nodes]
        edges: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for n, node in enumerate(self.nodes):
            for later in range(n + 1, len(self.nodes)):
                if days[later] > days[n] and self._follows(node, self.nodes[later]):
                    edges[n].append((later, days[later] - days[n]))
        begun = self._day_of(self.given[0]) if self.given else None
        latest = [(day if begun is None else begun) + self.protocol.max_span_days for day in days]
        return Chains(self.length, days, edges, latest)

    def _day_of(self, instant: datetime) -> int:
        return self.days.index(instant.astimezone(self.days.zone).date())

    def _anchors(self) -> list[int]:
        if self.request.wishes.preferred_time:
            return [minutes_of(self.request.wishes.preferred_time)]
        return sorted({start.minute for node in self.nodes for start in node})

    # Costs, for one offset in the rhythm

    def _first(self, offset: int) -> list[int]:
        """Return what it costs to begin at each node: waiting, or the gap from the last visit that is given."""
        if not self.given:
            earliest = self.days.index(self.request.wishes.earliest)
            return [WAIT * (day - earliest) for day in self.chains.days]
        days = [self._day_of(start) for start in self.given]
        gaps = [later - one for one, later in pairwise(days)]
        before = sum(gap_cost(self.protocol.rhythm, n, gap, offset) for n, gap in enumerate(gaps))
        return [
            before + gap_cost(self.protocol.rhythm, len(gaps), node[0].day - days[-1], offset)
            if self._after_given(node) and days[-1] < node[0].day <= self.chains.latest[0]
            else INFINITE
            for node in self.nodes
        ]

    def _gap_costs(self, offset: int) -> list[list[int]]:
        """Return, for each gap still to come, the cost of each number of days."""
        rhythm, numbers = self.protocol.rhythm, range(len(self.given), self.protocol.visits - 1)
        return [[gap_cost(rhythm, number, days, offset) for days in range(self.days.count)] for number in numbers]

    def _most(self) -> int:
        """Return a number that no series' cost is above."""
        gaps = [days for edges in self.chains.edges for _, days in edges]
        longest = max((*gaps, *self.protocol.rhythm), default=0)
        first = [cost for offset in self.offsets for cost in self._first(offset) if cost < INFINITE]
        return self.length * (MOST_A_VISIT + OFF_RHYTHM * longest) + max(first, default=0)

    # Costs, for all combinations at once

    def _node_costs(self, node: Sequence[Candidate]) -> int:
        """Return what a visit costs at a node, for every home and anchor."""
        minutes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for start in node:
            minutes[self.candidates.prices(start)].append(start.minute)
        found = [
            self._by_anchor.again(reduce(self._by_anchor.least, map(self._hours, starts)), len(self.homes))
            + self._by_anchor.one_by_one(price * self._by_anchor.ones for price in prices)
            for prices, starts in minutes.items()
        ]
        return reduce(self._by_home.least, found)

    def _hours(self, minute: int) -> int:
        """Return what a start at a clock time costs, for every anchor."""
        if minute not in self._hour_costs:
            costs = [hour_cost(abs(minute - anchor)) for anchor in self.anchors]
            self._hour_costs[minute] = self._by_anchor.pack(costs)
        return self._hour_costs[minute]

    def _of_offsets(self, costs: Sequence[int]) -> int:
        """Return lanes in which every combination has the cost of its offset."""
        return self._by_home.one_by_one(cost * self._by_home.ones for cost in costs)

    # The search

    def series(self, k: int) -> Iterator[Series]:
        """Yield the cheapest series, then the cheapest unlike those before on at least two days; at most `k`."""
        taken: list[frozenset[int]] = []
        while self.nodes and self.homes and len(taken) < k:
            found = self._cheapest(replace(self.chains, unlike=taken, differ=min(2, self.length)))
            if found is None:
                return
            yield found
            taken = [*taken, frozenset(start.day for start in found.starts)]

    def _cheapest(self, chains: Chains) -> Series | None:
        """Solve all lanes but for the span, then take them in order while one may still be better than the best."""
        promised, best = self._least_costs(chains), None
        while (cost := min(promised)) < (best.cost if best else self._lanes.infinite):
            number = promised.index(cost)
            promised[number] = self._lanes.infinite
            found = self._exact(chains, number)
            if found and (best is None or found.cost < best.cost):
                best = found
        return best

    def _least_costs(self, chains: Chains) -> list[int]:
        lanes = self._lanes
        gaps = [
            [self._of_offsets(costs) for costs in zip(*number, strict=True)]
            for number in zip(*map(self._gap_costs, self.offsets), strict=True)
        ]
        infinite = lanes.infinite * lanes.ones
        rest = to_go(chains, self._costs, gaps, lanes.least, infinite)[0][chains.need]
        first = zip(*map(self._first, self.offsets), strict=True)
        totals = [self._of_offsets(begin) + rest[n] for n, begin in enumerate(first) if max(begin) < INFINITE]
        return lanes.unpack(reduce(lanes.least, totals, infinite))

    def _exact(self, chains: Chains, number: int) -> Series | None:
        """Return the cheapest series of one lane that keeps the span."""
        others, anchor = divmod(number, len(self.anchors))
        offset, home = divmod(others, len(self.homes))
        costs = [self._lanes.one(packed, number) for packed in self._costs]
        found = cheapest(chains, self._first(offset), costs, self._gap_costs(offset))
        if found is None:
            return None
        starts = tuple(self._best_start(self.nodes[node], self.anchors[anchor], home) for node in found[1])
        return Series(starts, self.anchors[anchor], self.homes[home], offset, found[0], len(self.given) + 1)

    def _best_start(self, node: Sequence[Candidate], anchor: int, home: int) -> Candidate:
        prices = [self.candidates.prices(start)[home] + hour_cost(abs(start.minute - anchor)) for start in node]
        return node[prices.index(min(prices))]
