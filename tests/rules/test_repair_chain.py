"""The cheapest way through a course's places, against every way there is."""

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.rules.repair_chain import Node, Place, cheapest, price_of

DAY = 24


@st.composite
def layers(draw: st.DrawFn) -> list[list[Node]]:
    """Some places for each visit, on the same or on other days, and where it stands, if it may stay there."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        seconds = draw(st.lists(st.integers(0, 9 * DAY), max_size=5, unique=True))
        stays = draw(st.none() | st.sampled_from(seconds)) if seconds else None
        prices = [draw(st.integers(0, 20)) for _ in seconds]
        found.append(
            [
                Node(second, second // DAY, price, None if second == stays else Place(second, second // DAY, 0, price))
                for second, price in sorted(zip(seconds, prices, strict=True))
            ]
        )
    return found


def is_kept(chain: tuple[Node, ...], least: int, most: int, span: int) -> bool:
    gaps = all(
        least <= two.second - one.second <= most or (one.place is None and two.place is None)
        for one, two in pairwise(chain)
    )
    first, last = chain[0], chain[-1]
    return gaps and (last.day - first.day <= span or (first.place is None and last.place is None))


@given(layers(), st.integers(1, 2 * DAY), st.integers(2 * DAY, 5 * DAY), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_the_cheapest_way_is_found(made, least, most, span):
    ways = [price_of(chain) for chain in product(*made) if is_kept(chain, least, most, span)]

    found = cheapest(made, least, most, span)

    assert (price_of(found) if found else None) == min(ways, default=None)
    assert found is None or is_kept(tuple(found), least, most, span)
