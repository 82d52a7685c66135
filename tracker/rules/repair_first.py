"""A repair, quickly: one course after the other, each as well as it can be with the others where they are.

Each course is a cheapest chain through the spots of its visits that are free now, found exactly. Courses with the
fewest spots come first. Then, as long as there is time, a few courses are taken out and put back in another order, and
that stays if it is better.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from time import monotonic
from uuid import UUID

from tracker.rules.availability import STARTS_LANE, Resource
from tracker.rules.damage import Standing, Standings
from tracker.rules.protocol import NURSE
from tracker.rules.repair_spots import Choice, Held, Key, Lane, Spot, Spots, bits_of, fits, gap_bounds

UNPLACED, TOUCHED = 10_000_000, 10_000  # what counts more than any day, hour or room
TOGETHER = 5  # courses taken out at once, at most

Choices = dict[UUID, Choice]


class Arrangement:
    """A choice for every visit of a stage that may move, and what is busy by it."""

    def __init__(self, spots: Spots, known: Mapping[UUID, Choice]) -> None:
        self.spots = spots
        self.busy: dict[tuple[UUID, int, int], int] = defaultdict(int)
        self.choices: Choices = {}
        self.hurt = [course for course in spots.courses if any(visit.lost for visit in course.visits)]
        self.hurt.sort(key=lambda course: sum(len(spots.of[visit.id]) for visit in course.visits if visit.lost))
        alone = [self._cheapest(course) for course in self.hurt]
        # Proven for these spots: nobody does better than all of them would if none were in another's way.
        self.bound = sum(_price(chain) for chain in alone if chain)
        for course in spots.courses:
            for visit in course.visits:
                if visit.id in spots.movable:
                    self._take(course, self._as_known(visit, known.get(visit.id)))
        for course in self.hurt:
            self._again([course])

    @property
    def price(self) -> int:
        """What all choices cost together."""
        return _price(list(self.choices.values()))

    def improve(self, until: float) -> None:
        """Take a few courses out and put them back in another order, until a moment of the monotonic clock."""
        dice = Random(0)  # noqa: S311 - tried in the same order every time
        while self.price > self.bound and monotonic() < until:
            bad = [course for course in self.hurt if self._price_of(course) >= TOUCHED] or self.hurt
            first = dice.choice(bad)
            others = dice.sample(self.spots.courses, min(len(self.spots.courses), dice.randrange(1, TOGETHER)))
            self._again([first, *(course for course in others if course is not first)])

    def _price_of(self, course: Standings) -> int:
        return _price([self.choices[visit.id] for visit in course.visits if visit.id in self.choices])

    def _again(self, courses: Sequence[Standings]) -> None:
        """Take courses out and put them back, one after the other; all as they were if that is no better."""
        before = {course.course_id: self._release(course) for course in courses}
        after: dict[UUID, list[Choice]] = {}
        for course in courses:
            chain = self._cheapest(course)
            if chain is None:
                break
            after[course.course_id] = chain
            for choice in chain:
                self._take(course, choice)
        old, new = (sum(map(_price, found.values())) for found in (before, after))
        if len(after) < len(courses) or new > old:
            for course in courses:
                if course.course_id in after:
                    self._release(course)
            for course in courses:
                for choice in before[course.course_id]:
                    self._take(course, choice)

    def _as_known(self, visit: Standing, known: Choice | None) -> Choice:
        if known is not None and known.spot.slot is not None:
            for spot in self.spots.of[visit.id]:
                if spot.slot is not None and spot.starts_at == known.spot.starts_at:
                    return Choice(spot, known.lanes)
        return Choice(self.spots.of[visit.id][0])

    def _take(self, course: Standings, choice: Choice) -> None:
        for who, lane, day, bits in self._held(course, choice):
            self.busy[who, lane, day] |= bits
        self.choices[choice.spot.visit.id] = choice

    def _held(self, course: Standings, choice: Choice) -> list[Held]:
        return self.spots.held(course, choice.spot, choice.lanes)

    def _release(self, course: Standings) -> list[Choice]:
        """Give back what a course's choices hold, and return them."""
        choices = [self.choices[visit.id] for visit in course.visits if visit.id in self.spots.movable]
        for choice in choices:
            for who, lane, day, bits in self._held(course, choice):
                self.busy[who, lane, day] &= ~bits
        return choices

    def _cheapest(self, course: Standings) -> list[Choice] | None:
        """Return the cheapest chain of what is free now; of a course whose first visit moves, that keeps its span."""
        layers = [self._free(course, visit) for visit in course.visits]
        if not all(layers):
            return None
        span = timedelta(days=course.protocol.max_span_days)
        chain = _chain(layers, course, None)
        begins = sorted({choice.spot.day for choice in layers[0]})
        if chain and chain[-1].spot.day - chain[0].spot.day > span.days:
            found = [_chain(layers, course, day) for day in begins]
            chain = min((one for one in found if one), key=_price, default=None)
        return [choice for choice in chain if choice.spot.visit.id in self.spots.movable] if chain else None

    def _free(self, course: Standings, visit: Standing) -> list[Choice]:
        if visit.id not in self.spots.movable:
            return [Choice(self.spots.of[visit.id][0])]
        found = [self._choose(course, spot) for spot in self.spots.of[visit.id]]
        return [choice for choice in found if choice]

    def _choose(self, course: Standings, spot: Spot) -> Choice | None:
        """Take the first free lanes of each kind; None: something is taken."""
        if spot.slot is None:
            choice = Choice(spot)
            return choice if spot.unplaced or self._is_free(self._held(course, choice)) else None
        if not self._is_free(self.spots.held(course, spot, {})):
            return None
        lanes: dict[Key, Lane] = {}
        for kind in dict.fromkeys(kind for kind, _span in spot.lanes):
            keys = [key for key in spot.lanes if key[0] == kind]
            taken = next(
                filter(None, (self._pick(course, spot, keys, one) for one, _lane in spot.lanes[keys[0]])), None
            )
            if taken is None:
                return None
            lanes |= taken
        return Choice(spot, lanes)

    def _pick(self, course: Standings, spot: Spot, keys: Sequence[Key], who: Resource) -> dict[Key, Lane] | None:
        """Return a free lane of one resource for each span of its kind; None: it isn't free in all of them."""
        found: dict[Key, Lane] = {}
        for key in keys:
            bits = bits_of(key[1]) << (spot.slot or 0)
            for lane in spot.lanes[key]:
                if lane[0] is who and not self.busy.get((who.id, lane[1], spot.day), 0) & bits:
                    found[key] = lane
                    break
            else:
                return None
        if who.kind != NURSE:
            return found
        apart = bits_of(self.spots.block(course).apart()) << (spot.slot or 0)
        return None if self.busy.get((who.id, STARTS_LANE, spot.day), 0) & apart else found

    def _is_free(self, held: Sequence[Held]) -> bool:
        return not any(self.busy.get((who, lane, day), 0) & bits for who, lane, day, bits in held)


def _price(choices: Sequence[Choice]) -> int:
    return sum(choice.cost + UNPLACED * choice.spot.unplaced + TOUCHED * choice.spot.touched for choice in choices)


def _chain(layers: Sequence[Sequence[Choice]], course: Standings, begins: int | None) -> list[Choice] | None:
    """Return the cheapest choice for each visit such that every gap is kept; `begins`: on which day, if given."""
    least, most = gap_bounds(course.protocol)
    start = [one for one in layers[0] if begins in (None, one.spot.day)]
    latest = None if begins is None else begins + course.protocol.max_span_days
    costs: list[tuple[int, list[Choice]]] = [(_price([one]), [one]) for one in start]
    for layer in layers[1:]:
        following = []
        for choice in layer:
            if latest is not None and choice.spot.day > latest:
                continue
            before = [one for one in costs if fits(one[1][-1].spot, choice.spot, least, most)]
            if before:
                cost, chain = min(before, key=lambda one: one[0])
                following.append((cost + _price([choice]), [*chain, choice]))
        costs = following
    return min(costs, key=lambda one: one[0])[1] if costs else None
