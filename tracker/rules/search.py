"""The cheapest chain of visits through days, exactly: a dynamic program, then best-first where more is asked of it.

Knows nothing of rooms or clocks. A *node* is a day (or one start of it) that can hold one visit; an *edge* says that
one visit may follow another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

INFINITE = 1 << 60

# edges[node] lists (later node, days between them)
Edges = Sequence[Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Chains:
    """All chains of `length` visits over nodes.

    `days[node]` is its calendar day, `latest[node]` the last day of a chain that begins there. Chains have at most one
    visit a day.
    """

    length: int
    days: Sequence[int]
    edges: Edges
    latest: Sequence[int]


def to_go(chains: Chains, costs: Sequence[int], gap_costs: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return, for visit i at a node, the least cost from there to the end, that node included.

    Args:
        costs: What one visit costs at each node.
        gap_costs: For the gap after visit i, the cost of each number of days.
    """
    table = [list(costs)]
    for gap_cost in reversed(gap_costs):
        after = table[0]
        here = []
        for cost, edges in zip(costs, chains.edges, strict=True):
            best = INFINITE
            for later, days in edges:
                total = after[later] + gap_cost[days]
                if total < best:
                    best = total
            here.append(cost + best if best < INFINITE else INFINITE)
        table.insert(0, here)
    return table


def least(first: Sequence[int], table: Sequence[Sequence[int]]) -> int:
    """Return the cost of the cheapest chain, its span not looked at; INFINITE: there is none.

    `first[node]` is what it costs to begin there (INFINITE: not allowed).
    """
    return min((begin + rest for begin, rest in zip(first, table[0], strict=True)), default=INFINITE)


def cheapest(
    chains: Chains,
    first: Sequence[int],
    costs: Sequence[int],
    gap_costs: Sequence[Sequence[int]],
    table: Sequence[Sequence[int]],
    unlike: Sequence[frozenset[int]],
    differ: int,
) -> tuple[int, tuple[int, ...]] | None:
    """Return cost and nodes of the cheapest chain that keeps its span and is unlike others; None: there is none.

    Args:
        table: What `to_go` returned for the same costs.
        unlike: Sets of days; the chain has at least `differ` days that aren't in each of them.
    """
    order = count()
    queue: list[tuple[int, int, int, tuple[int, ...], tuple[int, ...]]] = []

    def push(spent: int, nodes: tuple[int, ...], news: tuple[int, ...]) -> None:
        visit, node = len(nodes) - 1, nodes[-1]
        bound = spent + table[visit][node]
        left = chains.length - len(nodes)
        if bound < INFINITE and all(new + left >= differ for new in news):
            heappush(queue, (bound, next(order), spent + costs[node], nodes, news))

    for node, begin in enumerate(first):
        if begin < INFINITE:
            push(begin, (node,), _news((0,) * len(unlike), chains.days[node], unlike, differ))
    seen = set()
    while queue:
        bound, _, spent, nodes, news = heappop(queue)
        if len(nodes) == chains.length:
            return bound, nodes
        # Two chains that began on one day, stand on one node and differ alike have the same future.
        state = (len(nodes), nodes[-1], chains.latest[nodes[0]], news)
        if state in seen:
            continue
        seen.add(state)
        gap_cost = gap_costs[len(nodes) - 1]
        for later, days in chains.edges[nodes[-1]]:
            if chains.days[later] <= chains.latest[nodes[0]]:
                push(spent + gap_cost[days], (*nodes, later), _news(news, chains.days[later], unlike, differ))
    return None


def _news(news: tuple[int, ...], day: int, unlike: Sequence[frozenset[int]], differ: int) -> tuple[int, ...]:
    return tuple(min(differ, new + (day not in days)) for new, days in zip(news, unlike, strict=True))
