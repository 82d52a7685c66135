"""What makes one plan better than another, in the order of weight. The planner is exact for these numbers.

A plan's cost is the sum of: each visit that breaks a soft wish; each day by which a gap differs from the protocol's
rhythm (which may begin anywhere in its round); each day that the first visit waits; the distance of each visit from the
series' hour of day; each visit outside the series' room or physician; each hole left that no block fits. Hour, room and
physician of the series are those that make the sum least, or those wished for. (Inference: no source says what a
coordinator would pay for an hour.)
"""

from collections.abc import Sequence

from tracker.rules.plan import Wish

BROKEN_WISH = 150  # a visit and wish, but for
BROKEN_TIME = 30  # a preferred time, beside its distance: a visit at another hour is better than no visit that day
OFF_RHYTHM = 100  # a day
WAIT = 20  # a day
AWAY = 12  # a visit outside the series' room, and the same for its physician
HOLE = 3
MOST_A_VISIT = len(Wish) * BROKEN_WISH + 2 * AWAY + 2 * HOLE + 24 * 24  # nobody is more than a day off the hour
KEPT_WITHIN = 30  # minutes: as near as this, a preferred time is kept


def hour_cost(minutes: int) -> int:
    """Return what a visit costs that is so many minutes away from the series' hour: 24 an hour."""
    return minutes * 2 // 5


def gap_cost(rhythm: Sequence[int], number: int, days: int, offset: int | None) -> int:
    """Return what the gap after visit `number` (from 0) costs.

    The rhythm begins at `offset` of its round; None: wherever this gap is cheapest (a lower bound).
    """
    if not rhythm:
        return 0
    if offset is None:
        return OFF_RHYTHM * min(abs(days - gap) for gap in rhythm)
    return OFF_RHYTHM * abs(days - rhythm[(number + offset) % len(rhythm)])


def rhythm_cost(rhythm: Sequence[int], gaps: Sequence[int]) -> int:
    """Return what gaps (in days) cost, with the rhythm begun wherever that is least."""
    offsets = range(len(rhythm))
    costs = (sum(gap_cost(rhythm, number, days, offset) for number, days in enumerate(gaps)) for offset in offsets)
    return min(costs, default=0)


def wish_cost(wish: Wish) -> int:
    """Return what a visit costs that breaks a soft wish."""
    return BROKEN_TIME if wish is Wish.TIME else BROKEN_WISH
