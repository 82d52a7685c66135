"""The search for whole series: which days and hours, for each hour of day, room and physician a series may be built on.

Hour, room and physician of the series (its *anchor* and *home*) and where it begins in the protocol's rhythm are held
fixed; what remains is a cheapest chain through days, which `search` solves. It bounds all combinations at once, each in
a lane of its own; the combinations are then solved exactly in the order of their bounds, until none can be better.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property, reduce
from heapq import heapify, heappop, heappush
from itertools import pairwise

from tracker.rules.candidates import Candidate, Candidates, Home, minutes_of
from tracker.rules.costs import MOST_A_VISIT, OFF_RHYTHM, WAIT, gap_cost, hour_cost
from tracker.rules.lanes import Lanes, width_for
from tracker.rules.search import INFINITE, Chains, Lane, Need, Table, cheapest, to_go


@dataclass(frozen=True)
class Series:
    """One chosen series: its starts, what it is built on, and its cost."""

    starts: tuple[Candidate, ...]
    anchor: int  # local minute
    home: Home
    offset: int  # where in the rhythm's round it begins
    cost: int
    ordinal: int  # of the first of them


@dataclass(frozen=True, order=True)
class _Begun:
    """Bounds of all lanes for series that begin on one day; `spanned`: only days within the span went into them."""

    bound: int  # the least
    node: int
    lanes: list[int] = field(compare=False)
    bounds: Table = field(compare=False)
    spanned: bool = field(compare=False)


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
        self._prices_of: dict[int, list[tuple[int, ...]]] = {}
        self._begin = [self._first(offset) for offset in self.offsets]
        # Lane by lane: offset, then home, then anchor.
        width = width_for(self._most())
        self._by_anchor = Lanes(len(self.anchors), width)
        self._by_home = Lanes(len(self.anchors) * len(self.homes), width)
        self._lanes = Lanes(len(self.anchors) * len(self.homes) * len(self.offsets), width)
        self._costs = [self._by_home.again(self._node_costs(n), len(self.offsets)) for n in range(len(self.nodes))]

    # Nodes and edges

    def _nodes(self) -> list[list[Candidate]]:
        """Group the starts by day."""
        return [found for day in range(self.days.count) if (found := self.candidates.on(day))]

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
        edges: list[list[tuple[int, int, bool]]] = [[] for _ in self.nodes]
        for n, node in enumerate(self.nodes):
            for later in range(n + 1, len(self.nodes)):
                follows = self._follows(node, self.nodes[later])
                if follows is not False:
                    edges[n].append((later, days[later] - days[n], bool(follows)))
        begun = self._day_of(self.given[0]) if self.given else None
        latest = [(day if begun is None else begun) + self.protocol.max_span_days for day in days]
        times = [[int(self.candidates.instant(start).timestamp()) for start in node] for node in self.nodes]
        least, most = (int(gap.total_seconds()) for gap in (self.protocol.min_gap, self.protocol.max_gap))
        last = int(self.given[-1].timestamp()) if self.given else 0
        begin = (last + least, last + most) if self.given else (0, 1 << 40)
        return Chains(self.length, days, edges, latest, times, (least, most), begin)

    @cached_property
    def _loose(self) -> bool:
        """Whether it never matters at which start of its day a visit is, so that the cheapest one will do."""
        whole = all(whole for edges in self.chains.edges for _later, _days, whole in edges)
        return whole and all(self._after_given(node) is not None for node in self.nodes)

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
            if self._after_given(node) is not False and days[-1] < node[0].day <= self.chains.latest[0]
            else INFINITE
            for node in self.nodes
        ]

    def _gap_costs(self, offset: int) -> list[list[int]]:
        """Return, for each gap still to come, the cost of each number of days."""
        rhythm, numbers = self.protocol.rhythm, range(len(self.given), self.protocol.visits - 1)
        return [[gap_cost(rhythm, number, days, offset) for days in range(self.days.count)] for number in numbers]

    def _most(self) -> int:
        """Return a number that no series' cost is above."""
        gaps = [days for edges in self.chains.edges for _, days, _ in edges]
        longest = max((*gaps, *self.protocol.rhythm), default=0)
        first = [cost for begin in self._begin for cost in begin if cost < INFINITE]
        return self.length * (MOST_A_VISIT + OFF_RHYTHM * longest) + max(first, default=0)

    # Costs, for all combinations at once

    def _node_costs(self, node: int) -> int:
        """Return what a visit costs at a node, for every home and anchor."""
        minutes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for start, prices in zip(self.nodes[node], self._priced(node), strict=True):
            minutes[prices].append(start.minute)
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
        """Bound all lanes at each first day, then solve them in the order of their bounds while one may be better.

        Where a bound isn't met the span is in the way, as a rule: the lanes of that day are bounded again within it.
        """
        whole, best = self._bounds(chains, 0, len(self.nodes)), None
        queue = [one for node in range(len(self.nodes)) if (one := self._begun(chains, whole, node, spanned=False))]
        heapify(queue)
        while queue and queue[0].bound < (best.cost if best else self._lanes.infinite):
            begun = heappop(queue)
            number = begun.lanes.index(begun.bound)
            found = self._exact(chains, begun, number, best.cost if best else self._lanes.infinite)
            if found is None and best is None:
                continue  # lanes differ in their costs only: where one has no series, none has
            best = found or best
            if begun.spanned:
                begun.lanes[number] = self._lanes.infinite
                heappush(queue, replace(begun, bound=min(begun.lanes)))
            elif found is None or found.cost > begun.bound:
                stop = bisect_right(chains.days, chains.latest[begun.node])
                bounds = self._bounds(chains, begun.node, stop)
                queue += [one] if (one := self._begun(chains, bounds, begun.node, spanned=True)) else []
                heapify(queue)
        return best

    def _bounds(self, chains: Chains, first: int, stop: int) -> Table:
        gaps = [
            [self._of_offsets(costs) for costs in zip(*number, strict=True)]
            for number in zip(*map(self._gap_costs, self.offsets), strict=True)
        ]
        nodes, lanes = range(first, stop), self._lanes
        return to_go(chains, self._costs, gaps, nodes, lanes.least, lanes.infinite * lanes.ones)

    def _begun(self, chains: Chains, bounds: Table, node: int, *, spanned: bool) -> _Begun | None:
        """Return the bounds of all lanes for series that begin on a day."""
        begin = [first[node] for first in self._begin]
        if chains.need not in bounds[0] or max(begin) >= INFINITE:
            return None
        lanes = self._lanes.unpack(self._of_offsets(begin) + bounds[0][chains.need][node])
        return _Begun(min(lanes), node, lanes, bounds, spanned)

    def _exact(self, chains: Chains, begun: _Begun, number: int, below: int) -> Series | None:
        """Return the cheapest series of one lane and first day; None: there is none that costs less."""
        others, anchor = divmod(number, len(self.anchors))
        offset, home = divmod(others, len(self.homes))

        def rest(visit: int, need: Need, node: int) -> int:
            row = begun.bounds[visit].get(need)
            return self._lanes.one(row[node], number) if row else self._lanes.infinite

        @cache
        def prices(node: int) -> list[tuple[int, int]]:
            if self._loose:
                return [(self._lanes.one(self._costs[node], number), 0)]
            return self._prices(node, self.anchors[anchor], home)

        lane = Lane(
            begun.node, self._begin[offset][begun.node], prices, rest, self._gap_costs(offset), self._lanes.infinite
        )
        found = cheapest(chains, lane, below)
        if found is None:
            return None
        starts = tuple(
            self.nodes[node][min(self._prices(node, self.anchors[anchor], home))[1] if self._loose else start]
            for node, start in found[1]
        )
        return Series(starts, self.anchors[anchor], self.homes[home], offset, found[0], len(self.given) + 1)

    def _prices(self, node: int, anchor: int, home: int) -> list[tuple[int, int]]:
        """Return what the starts of a day cost, with their numbers."""
        return [
            (prices[home] + hour_cost(abs(start.minute - anchor)), number)
            for number, (start, prices) in enumerate(zip(self.nodes[node], self._priced(node), strict=True))
        ]

    def _priced(self, node: int) -> list[tuple[int, ...]]:
        """Return what each start of a day costs by itself, for every home."""
        if node not in self._prices_of:
            self._prices_of[node] = [self.candidates.prices(start) for start in self.nodes[node]]
        return self._prices_of[node]
