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
from heapq import heapify, heappop, heappush
from itertools import pairwise

from tracker.rules.candidates import Candidate, Candidates, Home, minutes_of
from tracker.rules.costs import WAIT, gap_cost, hour_cost
from tracker.rules.lanes import WIDTH, Lanes
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
        self.protocol = self.request.protocol
        self.given = [start.astimezone(UTC) for start in self.request.given]
        self.length = self.protocol.visits - len(self.given)
        self.nodes = self._nodes()
        self.chains = self._chains()
        self.homes = candidates.homes
        self.anchors = self._anchors()
        self.offsets = range(max(1, len(self.protocol.rhythm)))
        # Lane by lane: offset, then anchor, then home.
        self.lanes = Lanes(len(self.offsets) * len(self.anchors) * len(self.homes))
        self._all = self._all_costs() if self.homes else []

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

    # Costs, for all combinations at once

    def _by_offset(self, costs: Sequence[int]) -> int:
        """Return lanes in which every combination has the cost of its offset."""
        same = len(self.anchors) * len(self.homes)
        return self.lanes.pack([cost for cost in costs for _ in range(same)])

    def _all_costs(self) -> list[int]:
        """Return what a visit costs at each node."""
        once = Lanes(len(self.anchors) * len(self.homes))
        again = sum(1 << n * once.count * WIDTH for n in self.offsets)
        return [self._node_costs(node, once) * again for node in self.nodes]

    def _node_costs(self, node: Sequence[Candidate], once: Lanes) -> int:
        minutes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for start in node:
            minutes[self.candidates.prices(start)].append(start.minute)
        each_home = sum(1 << n * WIDTH for n in range(len(self.homes)))
        each_anchor = sum(1 << n * len(self.homes) * WIDTH for n in range(len(self.anchors)))
        found = []
        for prices, starts in minutes.items():
            hours = [min(hour_cost(abs(minute - anchor)) for minute in starts) for anchor in self.anchors]
            by_anchor = sum(cost << n * len(self.homes) * WIDTH for n, cost in enumerate(hours))
            found.append(by_anchor * each_home + once.pack(prices) * each_anchor)
        return reduce(once.least, found)

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
        """Solve all lanes but for the span, then take them in order until one keeps it at no more than it promised."""
        queue: list[tuple[int, int, tuple[int, ...]]] = [
            (cost, lane, ()) for lane, cost in enumerate(self._least_costs(chains)) if cost < INFINITE
        ]
        heapify(queue)
        while queue:
            cost, lane, nodes = heappop(queue)
            if nodes:
                return self._chosen(lane, nodes, cost)
            if exact := self._exact(chains, lane):
                heappush(queue, (exact[0], lane, exact[1]))
        return None

    def _least_costs(self, chains: Chains) -> list[int]:
        infinite = INFINITE * self.lanes.ones
        gaps = [
            [self._by_offset(costs) for costs in zip(*number, strict=True)]
            for number in zip(*(self._gap_costs(offset) for offset in self.offsets), strict=True)
        ]
        table = to_go(chains, self._all, gaps, self.lanes.least, infinite)
        first = [self._by_offset(costs) for costs in zip(*map(self._first, self.offsets), strict=True)]
        totals = (begin + rest for begin, rest in zip(first, table[0][chains.need], strict=True))
        return self.lanes.unpack(reduce(self.lanes.least, totals, infinite))

    def _combination(self, lane: int) -> tuple[int, int, int]:
        """Return the numbers of a lane's offset, anchor and home."""
        others, home = divmod(lane, len(self.homes))
        offset, anchor = divmod(others, len(self.anchors))
        return offset, anchor, home

    def _exact(self, chains: Chains, lane: int) -> tuple[int, tuple[int, ...]] | None:
        offset = self._combination(lane)[0]
        costs = [packed >> lane * WIDTH & (1 << WIDTH) - 1 for packed in self._all]
        return cheapest(chains, self._first(offset), costs, self._gap_costs(offset))

    def _chosen(self, lane: int, nodes: Sequence[int], cost: int) -> Series:
        offset, anchor, home = self._combination(lane)
        starts = tuple(self._best_start(self.nodes[node], self.anchors[anchor], home) for node in nodes)
        return Series(starts, self.anchors[anchor], self.homes[home], offset, cost, len(self.given) + 1)

    def _best_start(self, node: Sequence[Candidate], anchor: int, home: int) -> Candidate:
        prices = [self.candidates.prices(start)[home] + hour_cost(abs(start.minute - anchor)) for start in node]
        return node[prices.index(min(prices))]
