"""The cheapest chain of visits through days, exactly: a dynamic program, then best-first where a span is to be kept.

Knows nothing of rooms or clocks. A *node* is a day (or one start of it) that can hold one visit; an *edge* says that
one visit may follow another. A chain may be asked to be *unlike* others: to have so many days that aren't theirs.

Costs are ints and may be lanes of many (see `lanes`): the program then runs for all of them at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

INFINITE = 1 << 28

# edges[node] lists (later node, days between them)
Edges = Sequence[Sequence[tuple[int, int]]]
Need = tuple[int, ...]  # for each of the others, how many days that aren't its own a chain still needs
Table = list[dict[Need, list[int]]]


@dataclass(frozen=True)
class Chains:
    """All chains of `length` visits over nodes.

    `days[node]` is its calendar day, `latest[node]` the last day of a chain that begins there. Chains have at most one
    visit a day, and at least `differ` days that aren't in each set of `unlike`.
    """

    length: int
    days: Sequence[int]
    edges: Edges
    latest: Sequence[int]
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
    least: Callable[[int, int], int] = min,
    infinite: int = INFINITE,
) -> Table:
    """Return, for visit i, what is still needed, and a node: the least cost from there to the end, that node included.

    Spans aren't looked at.

    Args:
        costs: What one visit costs at each node.
        gap_costs: For the gap after visit i, the cost of each number of days.
        least: The lesser of two costs; `infinite` is a cost for what can't be.
    """
    nodes, none = range(len(costs)), [infinite] * len(costs)
    steps = _steps(chains)
    table: Table = []
    for visit in reversed(range(chains.length)):
        rows: dict[Need, list[int]] = {}
        for need, following in steps[visit].items():
            if visit == chains.length - 1:
                rows[need] = [infinite if any(following[node]) else costs[node] for node in nodes]
                continue
            here, gap_cost = [], gap_costs[visit]
            for node in nodes:
                after = table[0].get(following[node], none)
                best = infinite
                for later, days in chains.edges[node]:
                    best = least(best, after[later] + gap_cost[days])
                here.append(costs[node] + best)
            rows[need] = here
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


def cheapest(
    chains: Chains, first: Sequence[int], costs: Sequence[int], gap_costs: Sequence[Sequence[int]]
) -> tuple[int, tuple[int, ...]] | None:
    """Return cost and nodes of the cheapest chain that keeps its span; None: there is none.

    `first[node]` is what it costs to begin there (`INFINITE`: not allowed). Costs are single ones here.
    """
    table, order = to_go(chains, costs, gap_costs), count()
    queue: list[tuple[int, int, int, tuple[int, ...], Need]] = []

    def push(spent: int, nodes: tuple[int, ...], need: Need) -> None:
        row = table[len(nodes) - 1].get(need)
        if row and (bound := spent + row[nodes[-1]]) < INFINITE:
            after = chains.after(need, nodes[-1])
            heappush(queue, (bound, next(order), spent + costs[nodes[-1]], nodes, after))

    for node, begin in enumerate(first):
        push(begin, (node,), chains.need)
    seen = set()
    while queue:
        bound, _, spent, nodes, need = heappop(queue)
        if len(nodes) == chains.length:
            return bound, nodes
        # Two chains that end on the same day at the latest, stand on one node and need the same have one future.
        state = (len(nodes), nodes[-1], chains.latest[nodes[0]], need)
        if state in seen:
            continue
        seen.add(state)
        for later, days in chains.edges[nodes[-1]]:
            if chains.days[later] <= chains.latest[nodes[0]]:
                push(spent + gap_costs[len(nodes) - 1][days], (*nodes, later), need)
    return None
