"""The search for whole series: which days and hours, for each hour of day, room and physician a series may be built on.

Hour, room and physician of the series (its *anchor* and *home*) are held fixed, one combination after the other; what
remains is a cheapest chain through days, which `search` solves exactly. Combinations wait in a queue in order of a
lower bound, from coarse to exact, so that most are never looked at closely.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count, pairwise

from tracker.rules.candidates import Candidate, Candidates, Home, minutes_of
from tracker.rules.costs import WAIT, gap_cost, hour_cost
from tracker.rules.search import INFINITE, Chains, cheapest, least, to_go


@dataclass(frozen=True)
class Series:
    """One chosen series: its starts, what it is built on, and its cost."""

    starts: tuple[Candidate, ...]
    anchor: int  # local minute
    home: Home
    offset: int  # where in the rhythm's round it begins
    cost: int
    ordinal: int  # of the first of them


@dataclass(frozen=True)
class _Task:
    """A part of the search space. The more of it is set, the tighter its bound; `nodes` is its cheapest chain."""

    anchor: int
    home: Home | None = None
    offset: int | None = None
    nodes: tuple[int, ...] = ()
    found: int = 0  # how many series there were when `nodes` was looked for

    @property
    def depth(self) -> int:
        return (self.home is not None) + (self.offset is not None) + bool(self.nodes)


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
        self._priced: dict[Home | None, list[list[tuple[int, int]]]] = {}
        self._taken: list[frozenset[int]] = []

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

    # Costs

    def _first(self, offset: int | None) -> list[int]:
        """Return what it costs to begin at each node: waiting, or the gap from the last visit that is given."""
        if not self.given:
            earliest = self.days.index(self.request.wishes.earliest)
            return [WAIT * (day - earliest) for day in self.chains.days]
        days = [self._day_of(start) for start in self.given]
        gaps = [later - one for one, later in pairwise(days)]
        before = sum(gap_cost(self.protocol.rhythm, n, gap, offset) for n, gap in enumerate(gaps))
        return [
            before + gap_cost(self.protocol.rhythm, len(gaps), node[0].day - days[-1], offset)
            if self._after_given(node) and node[0].day > days[-1] and node[0].day <= self.chains.latest[0]
            else INFINITE
            for node in self.nodes
        ]

    def _gap_costs(self, offset: int | None) -> list[list[int]]:
        """Return, for each gap still to come, the cost of each number of days."""
        rhythm, numbers = self.protocol.rhythm, range(len(self.given), self.protocol.visits - 1)
        return [[gap_cost(rhythm, number, days, offset) for days in range(self.days.count)] for number in numbers]

    def _prices(self, home: Home | None) -> list[list[tuple[int, int]]]:
        """Return, node by node, minute and cost of each start, the hour's cost left out; no home: a lower bound."""
        if home not in self._priced:
            self._priced[home] = [
                [(start.minute, self.candidates.price(start, home)) for start in node] for node in self.nodes
            ]
        return self._priced[home]

    def _costs(self, anchor: int, home: Home | None) -> list[int]:
        return [min([cost + hour_cost(abs(minute - anchor)) for minute, cost in node]) for node in self._prices(home)]

    # The queue

    def series(self, k: int) -> Iterator[Series]:
        """Yield the cheapest series, then the cheapest unlike those before on at least two days; at most `k`."""
        order, queue = count(), list[tuple[int, int, int, _Task]]()

        def push(bound: int, task: _Task) -> None:
            if bound < INFINITE:
                heappush(queue, (bound, -task.depth, next(order), task))

        for anchor in self._anchors():
            push(0, _Task(anchor))
        while queue and len(self._taken) < k:
            bound, _, _, task = heappop(queue)
            if task.nodes and task.found == len(self._taken):
                self._taken.append(frozenset(self.chains.days[node] for node in task.nodes))
                yield self._chosen(task, bound)
                push(bound, replace(task, nodes=()))
            else:
                for tighter, part in self._parts(task):
                    push(max(bound, tighter), part)

    def _anchors(self) -> list[int]:
        if self.request.wishes.preferred_time:
            return [minutes_of(self.request.wishes.preferred_time)]
        return sorted({start.minute for node in self.nodes for start in node})

    def _parts(self, task: _Task) -> Iterator[tuple[int, _Task]]:
        """Split a task, each part with its bound; an exact one gets its cheapest chain."""
        if task.home is None:
            for home in self.candidates.homes():
                part = replace(task, home=home)
                yield self._bound(part), part
        elif task.offset is None:
            for offset in range(max(1, len(self.protocol.rhythm))):
                part = replace(task, offset=offset)
                yield self._bound(part), part
        else:
            yield from self._solved(task)

    def _bound(self, task: _Task) -> int:
        table = to_go(self.chains, self._costs(task.anchor, task.home), self._gap_costs(task.offset))
        return least(self._first(task.offset), table)

    def _solved(self, task: _Task) -> Iterator[tuple[int, _Task]]:
        costs, gaps = self._costs(task.anchor, task.home), self._gap_costs(task.offset)
        table, differ = to_go(self.chains, costs, gaps), min(2, self.length)
        best = cheapest(self.chains, self._first(task.offset), costs, gaps, table, self._taken, differ)
        if best is not None:
            yield best[0], replace(task, nodes=best[1], found=len(self._taken))

    def _chosen(self, task: _Task, cost: int) -> Series:
        assert task.home is not None
        assert task.offset is not None
        starts = tuple(self._best_start(node, task.anchor, task.home) for node in task.nodes)
        return Series(starts, task.anchor, task.home, task.offset, cost, len(self.given) + 1)

    def _best_start(self, node: int, anchor: int, home: Home) -> Candidate:
        prices = self._prices(home)[node]
        costs = [cost + hour_cost(abs(minute - anchor)) for minute, cost in prices]
        return self.nodes[node][costs.index(min(costs))]
