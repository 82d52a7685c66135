"""The cheapest way through the places of a course's visits, every gap and the span kept: exact, and quick."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

_NEVER = float("inf")


class Place(NamedTuple):
    """A start for a visit: when, on which day and bit. `cost` is that of day and hour, and of the wishes it breaks."""

    second: int  # since 1970
    day: int
    slot: int
    cost: int


class Node(NamedTuple):
    """A place, or (None) where the visit stands now, and what going there costs altogether."""

    second: int
    day: int
    price: int
    place: Place | None


Layers = Sequence[Sequence[Node]]


def cheapest(layers: Layers, least: int, most: int, span: int) -> list[Node] | None:
    """Return the cheapest nodes, one of each layer; None: there are none.

    Those in a row are `least` to `most` seconds apart, the first and the last at most `span` days; but two that both
    stay are as far apart as they are. The nodes of a layer come in the order of their seconds.
    """
    chain = _chain(layers, least, most)
    if chain is None or chain[-1].day - chain[0].day <= span or _stay(chain[0], chain[-1]):
        return chain
    found = (_chain(part, least, most) for part in _spanned(layers, span))
    return min((one for one in found if one), key=price_of, default=None)


def price_of(chain: Sequence[Node]) -> int:
    """Return what all nodes cost together."""
    return sum(node.price for node in chain)


def _stay(*nodes: Node) -> bool:
    return all(node.place is None for node in nodes)


def _spanned(layers: Layers, span: int) -> Iterator[Layers]:
    """Yield the layers for each first day by itself, and those in which the first and the last visit stay."""
    first, *between, last = layers
    for day in sorted({node.day for node in first}):
        begins = [node for node in first if node.day == day]
        yield [begins, *between, [node for node in last if node.day <= day + span]]
    yield [[node for node in first if _stay(node)], *between, [node for node in last if _stay(node)]]


def _chain(layers: Layers, least: int, most: int) -> list[Node] | None:
    costs: list[float] = [node.price for node in layers[0]]
    origins: list[list[int]] = []
    for before, layer in pairwise(layers):
        costs, origin = _step(before, costs, layer, least, most)
        origins.append(origin)
    end = min(range(len(costs)), key=costs.__getitem__, default=-1)
    if end < 0 or costs[end] == _NEVER:
        return None
    chain = [end]
    for origin in reversed(origins):
        chain.append(origin[chain[-1]])
    return [layer[at] for layer, at in zip(layers, reversed(chain), strict=True)]


def _step(
    before: Sequence[Node], costs: Sequence[float], layer: Sequence[Node], least: int, most: int
) -> tuple[list[float], list[int]]:
    """Return the least cost up to each node of a layer, and by which node before it."""
    stay = next((at for at, node in enumerate(before) if node.place is None), -1)
    totals: list[float] = []
    origins: list[int] = []
    window: deque[int] = deque()  # those near enough, each cheaper than those after it
    at, count = 0, len(before)
    for second, _day, price, place in layer:
        while at < count and before[at].second <= second - least:
            while window and costs[window[-1]] >= costs[at]:
                window.pop()
            window.append(at)
            at += 1
        while window and before[window[0]].second < second - most:
            window.popleft()
        best = window[0] if window else -1
        if place is None and stay >= 0 and (best < 0 or costs[stay] < costs[best]):
            best = stay
        totals.append(_NEVER if best < 0 else costs[best] + price)
        origins.append(best)
    return totals, origins
