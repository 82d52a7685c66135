"""How far apart the visits of a course may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tracker.rules.protocol import Protocol


@dataclass(frozen=True)
class GapFault:
    """The visit `ordinal` follows the one before it after `gap`, which is too soon or too late."""

    ordinal: int
    gap: timedelta


def spacing_faults(starts: Sequence[datetime], protocol: Protocol) -> list[GapFault]:
    """List each visit that follows the one before it too soon or too late.

    Args:
        starts: Aware start instants in the order they will be given.
        protocol: `min_gap` and `max_gap`, elapsed time start to start, inclusive.

    Returns:
        Faults in visit order, each with the later visit's ordinal (from 2) and its gap.

    Raises:
        ValueError: A start is naive. That is a caller's bug, never user input.

    Source:
        Singh 2016 (two or three a week); the clinic owns the limits, see docs/clinical-rules.md.
    """
    if any(start.tzinfo is None for start in starts):
        raise ValueError("visit starts must be timezone-aware")
    # Same-zone subtraction in Python ignores clock changes; UTC does not.
    instants = [start.astimezone(UTC) for start in starts]
    gaps = [later - earlier for earlier, later in pairwise(instants)]
    return [GapFault(n, gap) for n, gap in enumerate(gaps, start=2) if not protocol.min_gap <= gap <= protocol.max_gap]


def span_days(starts: Sequence[datetime], zone: ZoneInfo) -> int:
    """Count calendar days in `zone` from the first visit's day to the last one's; 0 for one visit or none.

    Raises:
        ValueError: A start is naive.
    """
    if any(start.tzinfo is None for start in starts):
        raise ValueError("visit starts must be timezone-aware")
    days = [start.astimezone(zone).date() for start in starts]
    return (max(days) - min(days)).days if days else 0
