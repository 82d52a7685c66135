"""A repair, quickly: one course after the other, each as cheaply as can be while the others stay where they are.

Then, as long as there is time: a course that costs more than it would alone goes where it likes, whoever is in its way
is taken out and put back as cheaply as can be, and that stays if it is no dearer altogether.
"""

from collections import defaultdict
from collections.abc import Mapping
from random import Random
from time import monotonic
from uuid import UUID

from tracker.rules.damage import Standing, Standings
from tracker.rules.repair_board import Board
from tracker.rules.repair_chain import Node, price_of
from tracker.rules.repair_places import TOUCHED, UNPLACED, Choice, Choices, Places, price

DEPTH = 4  # courses that may push others aside, one after the other

Saved = dict[UUID, list[tuple[Standing, Choice | None]]]


class Search:
    """A choice for every visit of a stage that may move, made better and better."""

    def __init__(self, places: Places) -> None:
        self.places, self.board = places, Board(places)
        self.dice = Random(0)  # noqa: S311 - tried in the same order every time
        self.hurt = [course for course in places.courses if any(v.lost for v in self.board.movable(course))]
        # Proven: nobody does better than all of them would if none were in another's way.
        self.alone = {course.course_id: self._alone(course) for course in self.hurt}
        self.bound = sum(self.alone.values())

    def begin(self, known: Mapping[UUID, Choice]) -> None:
        """Begin with what is known; then put each course where it is cheapest, those with the fewest places first."""
        places = self.places
        self.of = {visit.id: course for course in places.courses for visit in course.visits}
        self.prices: dict[UUID, int] = {}
        for course in places.courses:
            for visit in self.board.movable(course):
                self.board.put(visit, known.get(visit.id))
            self.prices[course.course_id] = sum(price(v, known.get(v.id)) for v in self.board.movable(course))
        self.total = sum(self.prices.values())
        for course in sorted(self.hurt, key=self._room_to_move):
            self._attempt(course, 0)

    def _alone(self, course: Standings) -> int:
        chain = self.board.cheapest(course)
        return price_of(chain) if chain else 0

    @property
    def choices(self) -> Choices:
        """What is chosen now."""
        return dict(self.board.choices)

    def _room_to_move(self, course: Standings) -> int:
        lost = [visit for visit in self.board.movable(course) if visit.lost]
        return min(sum(map(len, self.places.of(course, visit).values())) for visit in lost)

    def improve(self, until: float) -> None:
        """Go on until a moment of the monotonic clock, or until nothing can be better."""
        while self.total > self.bound and monotonic() < until:
            dear = [one for one in self.places.courses if self._excess(one) > 0]
            worst = [one for one in dear if self._excess(one) >= TOUCHED] or dear
            self._attempt(self.dice.choice(worst), self.dice.randrange(DEPTH + 1))

    def _excess(self, course: Standings) -> int:
        return self.prices[course.course_id] - self.alone.get(course.course_id, 0)

    def _attempt(self, first: Standings, bumping: int) -> None:
        """Put one course elsewhere, and whoever it takes the place of; all as it was if that is dearer."""
        saved: Saved = {}
        self._lift(first, saved)
        waiting, new = [first], {}
        while waiting:
            course = waiting.pop(0)
            chain = self.board.cheapest(course, self._bumps() if bumping > 0 else None)
            aside = self._aside(course, chain) if chain and bumping > 0 else []
            if chain is None or any(other.course_id in saved for other in aside):
                break
            for other in aside:
                self._lift(other, saved)
            bumping -= 1
            waiting += aside
            new[course.course_id] = self.board.enter(course, chain)
            if sum(new.values()) > sum(self.prices[one] for one in saved):
                break
        self._settle(saved, new)

    def _bumps(self) -> Mapping[int, int]:
        """Return what it shall cost to push somebody aside, day by day: never the same."""
        dear = self.dice.choice((TOUCHED // 4, TOUCHED, 2 * TOUCHED, UNPLACED))
        return defaultdict(int, {day: self.dice.randrange(dear) for day in range(self.places.days.count)})

    def _aside(self, course: Standings, chain: list[Node]) -> list[Standings]:
        ids = {
            other
            for visit, node in zip(course.visits, chain, strict=True)
            if visit.id in self.places.movable
            for other in self.board.in_the_way(course, visit, node)
        }
        found = {self.of[one].course_id: self.of[one] for one in sorted(ids)}
        return list(found.values())

    def _lift(self, course: Standings, saved: Saved) -> None:
        saved[course.course_id] = [(visit, self.board.take_out(visit)) for visit in self.board.movable(course)]

    def _settle(self, saved: Saved, new: Mapping[UUID, int]) -> None:
        old = sum(self.prices[one] for one in saved)
        if len(new) == len(saved) and sum(new.values()) <= old:
            self.prices.update(new)
            self.total += sum(new.values()) - old
            return
        for course_id, visits in saved.items():
            if course_id in new:
                for visit, _choice in visits:
                    self.board.take_out(visit)
        for visits in saved.values():
            for visit, choice in visits:
                self.board.put(visit, choice)
