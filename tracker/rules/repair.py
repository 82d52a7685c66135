"""A day falls out: find other places for the visits that lost theirs, all of them together, touching the fewest others.

In stages, each only while it could be better still: the lost visits alone; then all that is still to come of courses
that are stuck; then any visit. Each stage searches quickly (`repair_search`); where there are few places in all, CP-SAT
ends it, which proves how good it can be (`repair_model`).
"""

from collections.abc import Callable, Iterator
from time import monotonic
from uuid import UUID

from tracker.rules.damage import Change, Damage, Repair, Standing, Standings
from tracker.rules.repair_model import MISSING, Model
from tracker.rules.repair_places import TOUCHED, UNPLACED, Choices, Places
from tracker.rules.repair_search import Search
from tracker.rules.repair_spots import Spots, size

EVERY = 0.25  # seconds: how often it is asked whether to go on
STAGES = {"lost": 0.12, "courses": 0.1, "others": 1.0}  # each with its share of the time that is left
LITERALS = 10_000  # a second that is left: building a larger model takes longer than it is worth


def repair(
    damage: Damage, *, seconds: float | None = None, go_on: Callable[[str], bool] = lambda _stage: True
) -> Repair:
    """Find places for all lost visits that can have one.

    Args:
        seconds: How long to look, about. As a rule two tenths for each lost visit, between two and nine.
        go_on: Called with the stage ("lost", "courses", "others"), before it and every quarter of a second in it;
            False ends the search within a second, with what was found.
    """
    lost = [visit for _course, visit in _coming(damage) if visit.lost]
    until = monotonic() + (seconds or min(9.0, max(2.0, 0.2 * len(lost))))
    everything = Search(Places(damage, frozenset(visit.id for _course, visit in _coming(damage))))
    bound = _counted(everything.bound)
    best, choices, stop = _repair(damage, {}, bound), Choices(), _Stop(go_on)
    for name, share in STAGES.items():
        if (len(best.unplaced), best.touched) == divmod(bound, MISSING) or stop.before(name):
            break
        search = everything if name == "others" else Search(Places(damage, _movable(damage, name, best)))
        choices, proven = _solve(search, choices, stop, monotonic() + share * (until - monotonic()))
        bound = max(bound, proven) if name == "others" else bound
        best = _repair(damage, choices, bound)
    return best


class _Stop:
    """Tells the searches of a stage whether they are to end: once said, it stays said."""

    def __init__(self, go_on: Callable[[str], bool]) -> None:
        self._go_on, self.stage, self._next, self._said = go_on, "", 0.0, False

    def before(self, stage: str) -> bool:
        """Ask at once whether a stage is to begin at all."""
        self.stage, self._next = stage, 0.0
        return self()

    def __call__(self) -> bool:
        if not self._said and monotonic() >= self._next:
            self._said = not self._go_on(self.stage)
            self._next = monotonic() + EVERY
        return self._said


def _solve(search: Search, known: Choices, stop: _Stop, until: float) -> tuple[Choices, int]:
    """Return the best choices of one stage, and what was proven of what counts most."""
    search.begin(known)
    most = int(LITERALS * (until - monotonic()))
    small = stop.stage != "courses" and size(search.places, most) <= most
    search.improve(monotonic() + (until - monotonic()) / 6 if small else until, stop)
    if not small or search.total <= search.bound:
        return search.choices, _counted(search.bound)
    return _proven(Model(Spots(search.places), stop), search, until)


def _proven(model: Model, search: Search, until: float) -> tuple[Choices, int]:
    """Let CP-SAT improve what was found: what counts most, unless that can't be less; then the cost."""
    choices, least, bound = search.choices, _counted(search.total), _counted(search.bound)
    model.begin_with(choices)
    if bound < least and (found := model.least(model.missing(), (until - monotonic()) * 0.7)):
        bound = max(bound, found[1])
        if found[0] < least:
            choices, least = model.choices(), found[0]
            model.begin_with(choices)
    model.model.add(model.missing() <= least)
    found = model.least(model.cost(), until - monotonic())
    if found and found[0] < sum(choice.cost for choice in choices.values()):
        choices = model.choices()
    return choices, bound


def _counted(price: int) -> int:
    """Return the unplaced in a price, `MISSING` each, and the touched, one each."""
    return price // UNPLACED * MISSING + price % UNPLACED // TOUCHED


def _repair(damage: Damage, choices: Choices, bound: int) -> Repair:
    coming = [visit for _course, visit in _coming(damage)]
    changes = tuple(Change(visit, choices[visit.id].to) for visit in coming if visit.id in choices)
    unplaced = tuple(visit for visit in coming if visit.lost and visit.id not in choices)
    return Repair(changes, unplaced, *divmod(bound, MISSING))


def _coming(damage: Damage) -> Iterator[tuple[Standings, Standing]]:
    """Yield the visits that may move at all, each with its course; who should be here already is not asked to."""
    return (
        (course, visit)
        for course in damage.courses
        for visit in course.visits
        if not visit.fixed and (visit.lost or visit.starts_at >= damage.not_before)
    )


def _movable(damage: Damage, stage: str, best: Repair) -> frozenset[UUID]:
    """Return the lost visits; from the second stage on also those of the courses that are stuck."""
    unplaced = {visit.id for visit in best.unplaced} if stage == "courses" else set()
    stuck = {course.course_id for course in damage.courses if any(visit.id in unplaced for visit in course.visits)}
    return frozenset(visit.id for course, visit in _coming(damage) if visit.lost or course.course_id in stuck)
