"""The cheapest chain of visits through days, exactly: a dynamic program for a bound, then best-first along it.

Knows nothing of rooms or clocks. A *node* is a day that can hold one visit, with the starts it offers; an *edge* says
that a visit on one may follow a visit on the other, at all starts of both or at some. A chain may be asked to be
*unlike* others: to have so many days that aren't theirs.

The program leaves out the span, and takes an edge for whole that isn't. Its costs may be lanes of many (see `lanes`):
it then runs for all of them at once. The search that follows minds both, for one lane at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

INFINITE = 1 << 28

# edges[node] lists (later node, days between them, whether any start of it may follow any start here)
Edges = Sequence[Sequence[tuple[int, int, bool]]]
Need = tuple[int, ...]  # for each of the others, how many days that aren't its own a chain still needs
Table = list[dict[Need, list[int]]]


@dataclass(frozen=True)
class Chains:
    """All chains of `length` visits over nodes.

    `days[node]` is its calendar day, `latest[node]` the last day of a chain that begins there, `times[node]` are its
    starts in seconds. A start may follow another after `gap` seconds, least and most; the first one lies in `begin`.
    Chains have at most one visit a day, and at least `differ` days that aren't in each set of `unlike`.
    """

    length: int
    days: Sequence[int]
    edges: Edges
    latest: Sequence[int]
    times: Sequence[Sequence[int]]
    gap: tuple[int, int]
    begin: tuple[int, int]
    unlike: Sequence[frozenset[int]] = ()
    differ: int = 0

    @property
    def need(self) -> Need:
        """What a chain needs before its first visit."""
        return (self.differ,) * len(self.unlike)

    def after(self, need: Need, node: int) -> Need:
        """Return what a chain still needs after a visit at a node."""
        return _less(need, [self.days[node] not in days for days in self.unlike])


def to_go(
    chains: Chains,
    costs: Sequence[int],
    gap_costs: Sequence[Sequence[int]],
    among: range,
    least: Callable[[int, int], int] = min,
    infinite: int = INFINITE,
) -> Table:
    """Return, for visit i, what is still needed, and a node: a bound of the cost from there to the end, with its own.

    Args:
        costs: What one visit costs at each node.
        gap_costs: For the gap after visit i, the cost of each number of days.
        among: The nodes that may be used.
        least: The lesser of two costs; `infinite` is a cost for what can't be.
    """
    none = [infinite] * len(costs)
    steps = _steps(chains)
    table: Table = []
    for visit in reversed(range(chains.length)):
        rows: dict[Need, list[int]] = {}
        for need, following in steps[visit].items():
            rows[need] = here = list(none)
            if visit == chains.length - 1:
                for node in among:
                    here[node] = infinite if any(following[node]) else costs[node]
                continue
            gap_cost = gap_costs[visit]
            for node in among:
                after, best = table[0].get(following[node], none), infinite
                for later, days, _whole in chains.edges[node]:
                    if later in among:
                        best = least(best, after[later] + gap_cost[days])
                here[node] = costs[node] + best
        table.insert(0, rows)
    return table


def _steps(chains: Chains) -> list[dict[Need, list[Need]]]:
    """Return, for each visit and each need it may meet that can still be met, the need after it by node."""
    # Few days differ in which of the others they are new to.
    news = [tuple(day not in days for days in chains.unlike) for day in chains.days]
    steps, needs = [], {chains.need}
    for visit in range(chains.length):
        here = {}
        for need in needs:
            if max(need, default=0) <= chains.length - visit:
                after = {new: _less(need, new) for new in set(news)}
                here[need] = [after[new] for new in news]
        steps.append(here)
        needs = {after for following in here.values() for after in following}
    return steps


def _less(need: Need, new: Sequence[bool]) -> Need:
    return tuple(max(0, left - here) for left, here in zip(need, new, strict=True))


Way = tuple[tuple[int, int], ...]  # node and number of the start, visit by visit
Entry = tuple[int, int, Way, int, Need]  # bound, visits still to come, way, spent so far, need after it


@dataclass(frozen=True)
class Lane:
    """One lane of the program: what its visits cost, for chains that begin at `node` (at a cost of `begin`).

    `prices(node)` lists what its starts cost, with their numbers: all of them, or only the cheapest where it doesn't
    matter which. `rest(i, need, node)` is the program's bound. What can't be costs `infinite` or more.
    """

    node: int
    begin: int
    prices: Callable[[int], Sequence[tuple[int, int]]]
    rest: Callable[[int, Need, int], int]
    gap_costs: Sequence[Sequence[int]]
    infinite: int


def cheapest(chains: Chains, lane: Lane, below: int) -> tuple[int, Way] | None:
    """Return cost and starts of the cheapest chain that keeps span and gaps; None: there is none that costs less."""
    below, seen = min(below, lane.infinite), set()
    queue = [
        one for one in _steps_to(chains, lane, (), lane.begin, lane.node, chains.need, chains.begin) if one[0] < below
    ]
    heapify(queue)
    while queue:
        bound, _to_come, way, spent, need = heappop(queue)
        if len(way) == chains.length:
            return bound, way
        # Two chains that stand on one start and need the same have one future; the cheaper comes first.
        if (state := (len(way), way[-1], need)) not in seen:
            seen.add(state)
            for one in _onward(chains, lane, way, spent, need):
                if one[0] < below:
                    heappush(queue, one)
    return None


def _onward(chains: Chains, lane: Lane, way: Way, spent: int, need: Need) -> Iterator[Entry]:
    """Yield each way that is one visit longer."""
    node, start = way[-1]
    now, costs = chains.times[node][start], lane.gap_costs[len(way) - 1]
    for later, days, whole in chains.edges[node]:
        if chains.days[later] <= chains.latest[lane.node]:
            times = _ANY if whole else (now + chains.gap[0], now + chains.gap[1])
            yield from _steps_to(chains, lane, way, spent + costs[days], later, need, times)


def _steps_to(
    chains: Chains, lane: Lane, way: Way, spent: int, node: int, need: Need, times: tuple[int, int]
) -> Iterator[Entry]:
    """Yield a way to each start of a node that lies between two times."""
    rest = lane.rest(len(way), need, node)
    if rest >= lane.infinite:
        return
    prices, after = lane.prices(node), chains.after(need, node)
    rest -= min(prices)[0]
    for price, start in prices:
        if times[0] <= chains.times[node][start] <= times[1]:
            to_come = chains.length - len(way) - 1  # of equal bounds first the one that is nearer to its end
            yield spent + price + rest, to_come, (*way, (node, start)), spent + price, after


_ANY = (-INFINITE * INFINITE, INFINITE * INFINITE)
