"""A repair, quickly: one course after the other, each as cheaply as can be while the others stay where they are.

Then, as long as there is time, a course that costs more than it would alone is tried elsewhere in one of two ways.
Either it goes where it likes, and whoever is in its way is put elsewhere as cheaply as can be, or does the same. Or it
and some of its rivals are taken out together and put back in another order.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from time import monotonic
from uuid import UUID

from tracker.rules.damage import Standing, Standings
from tracker.rules.repair_board import Board
from tracker.rules.repair_chain import Node, Place, price_of
from tracker.rules.repair_places import TOUCHED, UNPLACED, Choice, Choices, Places, price

# Tried on clinics of five and of twenty rooms: twice or half as much of any makes no difference that can be told.
PUSHES = 4  # courses that may push others aside in one try, one after the other
RIVALS = 6  # courses taken out together with the first, at most
WORSE = (0, 0, 0, 1, 2)  # how many more touched than the best are gone on with: one of these, anew each time
PATIENCE = 100  # tries in a row that find nothing better, before the search goes back to the best
NEAR = 5  # days around a visit in which its rivals are looked for

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
        self.prices: dict[UUID, int] = {}
        self._course_of = {visit.id: course for course in places.courses for visit in course.visits}

    def _alone(self, course: Standings) -> int:
        chain = self.board.cheapest(course)
        return price_of(chain) if chain else 0

    @property
    def choices(self) -> Choices:
        """What is chosen now."""
        return dict(self.board.choices)

    @property
    def total(self) -> int:
        """What all choices cost together."""
        return sum(self.prices.values())

    def begin(self, known: Mapping[UUID, Choice]) -> None:
        """Begin with what is known; then put each course where it is cheapest, those with the fewest places first."""
        self._set(known)
        for course in sorted(self.hurt, key=self._ease):
            self._attempt([course])

    def _ease(self, course: Standings) -> tuple[int, int]:
        """Return what puts a course late: that visits of it are touched anyway, or that it has many places."""
        lost = [visit for visit in self.board.movable(course) if visit.lost]
        places = min(sum(map(len, self.places.of(course, visit).values())) for visit in lost)
        return self.alone[course.course_id] // TOUCHED, places

    def improve(self, until: float, stopped: Callable[[], bool]) -> None:
        """Go on until a moment of the monotonic clock, or nothing can be better, or it is stopped.

        It ends with the best there was.
        """
        best, choices, idle = self.total, self.choices, 0
        while best > self.bound and monotonic() < until and not stopped():
            self._try(best + self.dice.choice(WORSE) * TOUCHED)
            idle += 1
            if self.total < best:
                best, choices, idle = self.total, self.choices, 0
            elif idle % PATIENCE == 0:
                self._set(choices)
        self._set(choices)

    def _try(self, most: int) -> None:
        dear = [course for course in self.places.courses if self._excess(course) > 0]
        dearest = [course for course in dear if self._excess(course) >= TOUCHED]
        first = self.dice.choice(dearest or dear)
        if self.dice.randrange(2):
            self._attempt([first], most=most, pushes=self.dice.randrange(PUSHES + 1))
        else:
            self._attempt([first, *self._rivals(first)], most=most)

    def _excess(self, course: Standings) -> int:
        return self.prices[course.course_id] - self.alone.get(course.course_id, 0)

    def _rivals(self, course: Standings) -> list[Standings]:
        """Return some courses that hold what this one could use: those that move anyway, if there are such."""
        dear = [visit for visit in self.board.movable(course) if visit.lost or visit.id in self.board.choices]
        rivals = [
            other
            for visit in dear
            for place in self._some_places(course, visit)
            for other in self._whose(self.board.in_the_way(course, visit, Node(place.second, place.day, 0, place)))
            if other is not course
        ]
        moved = [one for one in rivals if any(visit.id in self.board.choices for visit in one.visits)]
        found = list({one.course_id: one for one in moved or rivals}.values())
        self.dice.shuffle(found)
        return found[: self.dice.randrange(2, RIVALS + 1)]

    def _some_places(self, course: Standings, visit: Standing) -> list[Place]:
        here = self.places.day_of(visit)
        near = [
            place
            for day, places in self.places.of(course, visit).items()
            if abs(day - here) <= NEAR
            for place in places
        ]
        return self.dice.sample(near, min(len(near), 3))

    def _whose(self, visit_ids: set[UUID]) -> list[Standings]:
        found = {self._course_of[one].course_id: self._course_of[one] for one in sorted(visit_ids)}
        return list(found.values())

    # One try

    def _attempt(self, courses: Sequence[Standings], *, most: int | None = None, pushes: int = 0) -> None:
        """Take courses out and put them back in this order; the first `pushes` push others aside, who follow.

        All is as it was if the total is more than `most` then; as a rule, than it is now.
        """
        saved: Saved = {}
        for course in courses:
            self._lift(course, saved)
        waiting, new = list(courses), dict[UUID, int]()
        slack = max(0, most - self.total) if most is not None else 0
        while waiting:
            course = waiting.pop(0)
            chain = self.board.cheapest(course, self._bumps() if len(new) < pushes else None)
            aside = self._aside(course, chain) if chain and len(new) < pushes else []
            if chain is None or any(other.course_id in saved for other in aside):
                break
            for other in aside:
                self._lift(other, saved)
            waiting += aside
            new[course.course_id] = self.board.enter(course, chain)
            if sum(new.values()) > slack + sum(self.prices[one] for one in saved):
                break
        else:
            self.prices.update(new)
            return
        self._put_back(saved, new)

    def _bumps(self) -> Mapping[int, int]:
        """Return what it shall cost to push somebody aside, on the days on which it may be done: never the same."""
        dear = self.dice.choice((TOUCHED // 4, TOUCHED, 2 * TOUCHED, UNPLACED))
        days = range(self.places.days.count)
        return {day: self.dice.randrange(dear) for day in self.dice.sample(days, -(-len(days) // 2))}

    def _aside(self, course: Standings, chain: Sequence[Node]) -> list[Standings]:
        """Return the courses that have to make room for a chain."""
        return self._whose(
            {
                other
                for visit, node in zip(course.visits, chain, strict=True)
                if visit.id in self.places.movable
                for other in self.board.in_the_way(course, visit, node)
            }
        )

    def _lift(self, course: Standings, saved: Saved) -> None:
        saved[course.course_id] = [(visit, self.board.take_out(visit)) for visit in self.board.movable(course)]

    def _put_back(self, saved: Saved, new: Mapping[UUID, int]) -> None:
        for course_id in new:
            for visit, _choice in saved[course_id]:
                self.board.take_out(visit)
        for visits in saved.values():
            for visit, choice in visits:
                self.board.put(visit, choice)

    def _set(self, choices: Mapping[UUID, Choice]) -> None:
        """Put every visit where it was chosen to go."""
        movable = [visit for course in self.places.courses for visit in self.board.movable(course)]
        moving = [visit for visit in movable if self.board.differs(visit, choices.get(visit.id))]
        for visit in moving:
            self.board.take_out(visit)
        for visit in moving:
            self.board.put(visit, choices.get(visit.id))
        for course in self.places.courses:
            visits = self.board.movable(course)
            self.prices[course.course_id] = sum(price(visit, choices.get(visit.id)) for visit in visits)
