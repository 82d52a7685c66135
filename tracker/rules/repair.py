"""A day falls out: find other places for the visits that lost theirs, all of them together, touching the fewest others.

In stages, each only for what the one before couldn't place: the lost visits alone; then all that is still to come of
their courses; then single visits of others. Each stage begins with what is found quickly (`repair_first`), and CP-SAT
improves it and says how much better it could be (`repair_model`).
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic
from uuid import UUID

from tracker.rules.damage import Change, Damage, Repair, Standing
from tracker.rules.repair_first import TOUCHED, UNPLACED, Arrangement, Choices
from tracker.rules.repair_model import MISSING, Model
from tracker.rules.repair_spots import Spots

OTHERS = 40  # visits of others that may be asked to move, at most
STAGES = {"lost": 0.2, "courses": 0.45, "others": 1.0}  # each with its share of the time that is left
LARGE = 8_000  # literals: from here on, building the model takes longer than it is worth
NEAR = timedelta(days=8)  # how far from a lost visit another's is worth asking for


def repair(
    damage: Damage, *, seconds: float | None = None, go_on: Callable[[str], bool] = lambda _stage: True
) -> Repair:
    """Find places for all lost visits that can have one.

    Args:
        seconds: How long to look, about. As a rule two tenths for each lost visit, between two and nine.
        go_on: Called before each stage ("lost", "courses", "others"); False ends the search with what was found.
    """
    lost = list(_lost(damage))
    until = monotonic() + (seconds or min(9.0, max(2.0, 0.2 * len(lost) - 0.6)))
    best, choices, movable = Repair(unplaced=tuple(lost)), Choices(), {visit.id for visit in lost}
    for name, share in STAGES.items():
        if not go_on(name):
            break
        movable |= _also_movable(damage, name, best)
        spots = Spots(damage, frozenset(movable))
        found, chosen = _solve(spots, choices, share * (until - monotonic()))
        if found.rank <= best.rank:
            best, choices = found, chosen
        if not best.unplaced:
            break
    return best


def _solve(spots: Spots, known: Choices, seconds: float) -> tuple[Repair, Choices]:
    """Return the best repair of one stage."""
    until = monotonic() + seconds
    arrangement = Arrangement(spots, known)
    bound = arrangement.bound // UNPLACED * MISSING + arrangement.bound % UNPLACED // TOUCHED
    arrangement.improve(until if spots.size > LARGE else monotonic() + (until - monotonic()) / 3)
    choices, least_cost = arrangement.choices, 0
    if spots.size <= LARGE and arrangement.price > arrangement.bound:
        choices, bound, least_cost = _improve(spots, choices, bound, until)
    return _repair(spots, choices, bound, least_cost), choices


def _improve(spots: Spots, choices: Choices, bound: int, until: float) -> tuple[Choices, int, int]:
    """Let CP-SAT improve the choices; return them with what it proved of the missing, and of the cost."""
    model, least_cost = Model(spots), 0
    model.begin_with(choices)
    if found := model.least(model.missing(), (until - monotonic()) * 0.7):
        choices, bound = model.choices(), max(bound, found[1])
        model.model.add(model.missing() <= found[0])
        model.begin_with(choices)
        if found := model.least(model.cost(), until - monotonic()):
            choices, least_cost = model.choices(), found[1]
    return choices, bound, least_cost


def _repair(spots: Spots, choices: Choices, bound: int, least_cost: int) -> Repair:
    moving = [(course, choices[v.id]) for course in spots.courses for v in course.visits if v.id in choices]
    changes = tuple(
        Change(choice.spot.visit, course, spots.visit(course, choice), choice.cost)
        for course, choice in moving
        if not choice.spot.stays
    )
    unplaced = tuple(choice.spot.visit for _course, choice in moving if choice.spot.unplaced)
    return Repair(changes, unplaced, *divmod(bound, MISSING), least_cost)


def _lost(damage: Damage) -> Iterator[Standing]:
    return (visit for course in damage.courses for visit in course.visits if visit.lost and not visit.fixed)


def _also_movable(damage: Damage, stage: str, best: Repair) -> set[UUID]:
    """Return the visits that may move from this stage on, after what was found before it."""
    if stage == "lost":
        return set()
    if stage == "others":
        return _neighbours(damage)
    unplaced = {visit.id for visit in best.unplaced}
    stuck = [course for course in damage.courses if any(visit.id in unplaced for visit in course.visits)]
    return {visit.id for course in stuck for visit in course.visits if not visit.fixed}


def _neighbours(damage: Damage) -> set[UUID]:
    """Return the visits nearest in time to those lost."""
    moments = [visit.starts_at for visit in _lost(damage)]
    others = [
        (min(abs(visit.starts_at - moment) for moment in moments), visit.id)
        for course in damage.courses
        for visit in course.visits
        if not visit.fixed and not visit.lost
    ]
    return {visit_id for distance, visit_id in sorted(others)[:OTHERS] if distance <= NEAR}
