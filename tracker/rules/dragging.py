"""Where on one day a visit may be put by hand, room by room: what a board shows while it is moved."""

from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from tracker.rules.availability import ones
from tracker.rules.candidates import Candidates
from tracker.rules.explain import gap_obstacle
from tracker.rules.plan import PlanRequest
from tracker.rules.protocol import ROOM


def starts_by_room(
    request: PlanRequest, day: date, *, before: datetime | None = None, after: datetime | None = None
) -> dict[UUID, list[datetime]]:
    """Return the starts (UTC) on `day` that `planner.place` would take, for each room; earliest first.

    What the patient wishes forbids nothing: whoever moves a visit by hand knows better. `before` and `after` are the
    starts of the visits next to it.
    """
    candidates = Candidates(replace(request, wishes=replace(request.wishes, hard=frozenset())))
    number = candidates.days.index(day)
    if not 0 <= number < candidates.days.count:
        return {}
    possible = candidates.possible(number)
    found = {}
    for room in request.free.of_kind(ROOM):
        starts = (
            candidates.days.instant(number, slot) for slot in ones(possible & candidates.block.starts(room, number))
        )
        found[room.id] = [start for start in starts if not gap_obstacle(request.limits, before, start, after)]
    return found
