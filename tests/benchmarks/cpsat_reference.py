"""The planner's problem as a model for CP-SAT: what the planner is held against, with the best settings found for it.

One literal says that visit i is on day d, and one that a day's visit is at a start and in a room. Gaps are clauses over
the day literals (as linear constraints they find nothing in time); hour, room and physician of the series are literals
that costs are conditioned on. It takes the same starts and prices of single starts as the planner's search; brute force
checks those (`tests/rules/brute.py`). Costs are written out anew on purpose.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ortools.sat.python import cp_model

from tracker.rules.candidates import Candidate, Candidates, minutes_of
from tracker.rules.plan import Plan, PlanRequest, Wish

QUARTER = 15  # minutes: every start and every preferred time lies on one, so that hours cost 6 a quarter exactly
LIMIT = 60.0  # seconds


@dataclass
class Reference:
    """The model of one request, built beforehand: solving is all that is timed."""

    request: PlanRequest
    workers: int = 1
    spent: list[float] = field(default_factory=list)  # seconds, solve by solve

    def __post_init__(self) -> None:
        self.candidates = Candidates(self.request)
        self.days = self.candidates.days
        self.protocol = self.request.limits
        self.given = [self._day_of(start) for start in self.request.given]
        self.length = self.protocol.visits - len(self.given)
        self.model = cp_model.CpModel()
        self.starts = {day: found for day in range(self.days.count) if (found := self.candidates.on(day))}
        self.costs: list[Any] = []
        self._days()
        self._gaps()
        self._starts()
        self._hours()
        self._homes()
        self.model.minimize(sum(self.costs))

    def _day_of(self, start: Any) -> int:
        return self.days.index(start.astimezone(self.days.zone).date())

    def _one(self, name: str, numbers: Any) -> dict[Any, Any]:
        """Return literals of which exactly one is true."""
        literals = {number: self.model.new_bool_var(f"{name} {number}") for number in numbers}
        self.model.add_exactly_one(literals.values())
        return literals

    def _days(self) -> None:
        visits = range(self.length)
        self.on = [self._one(f"visit {i} on", self.starts) for i in visits]
        self.used = {day: self.model.new_bool_var(f"used {day}") for day in self.starts}
        for day, used in self.used.items():
            self.model.add(sum(on[day] for on in self.on) == used)
        self.day = [sum(day * literal for day, literal in on.items()) for on in self.on]
        begins = self.given[0] if self.given else self.day[0]
        self.model.add(self.day[-1] - begins <= self.protocol.max_span_days)

    def _gaps(self) -> None:
        for one, two in pairwise(self.on):
            for day, literal in one.items():
                after = [two[later] for later in self.starts if later > day and self._may(day, later)]
                self.model.add_bool_or([literal.negated(), *after])
        last = self.request.given[-1] if self.request.given else None
        for day, literal in self.on[0].items():
            if last and not any(self._apart(last, self.candidates.instant(start)) for start in self.starts[day]):
                self.model.add(literal == 0)
        self._rhythm()

    def _apart(self, one: Any, two: Any) -> bool:
        return self.protocol.min_gap <= two - one <= self.protocol.max_gap

    def _may(self, day: int, later: int) -> bool:
        instants = [[self.candidates.instant(start) for start in self.starts[n]] for n in (day, later)]
        return any(self._apart(one, two) for one in instants[0] for two in instants[1])

    def _rhythm(self) -> None:
        if not self.given:
            self.costs.append(20 * (self.day[0] - self.days.index(self.request.wishes.earliest)))
        rhythm = self.protocol.rhythm
        if not rhythm:
            return
        offsets = self._one("rhythm from", range(len(rhythm)))
        days = [*self.given, *self.day]
        for number, (one, two) in enumerate(pairwise(days)):
            off = self.model.new_int_var(0, 400, f"off rhythm {number}")
            usual = sum(rhythm[(number + offset) % len(rhythm)] * literal for offset, literal in offsets.items())
            self.model.add(off >= two - one - usual)
            self.model.add(off >= usual - (two - one))
            self.costs.append(100 * off)

    def _starts(self) -> None:
        """Choose a start on each day that is used; between days that only some starts allow, keep the gap."""
        self.at: dict[tuple[int, int], Any] = {}
        for day, starts in self.starts.items():
            for start in starts:
                self.at[day, start.slot] = self.model.new_bool_var(f"at {day} {start.slot}")
                if cost := sum(30 if wish is Wish.TIME else 150 for wish in start.broken):
                    self.costs.append(cost * self.at[day, start.slot])
            self.model.add(sum(self.at[day, start.slot] for start in starts) == self.used[day])
        for day in self.starts:
            for later in self.starts:
                self._partly(day, later)
        last = self.request.given[-1] if self.request.given else None
        for day, starts in self.starts.items():
            for start in starts if last else ():
                if not self._apart(last, self.candidates.instant(start)):
                    self.model.add_implication(self.on[0][day], self.at[day, start.slot].negated())

    def _partly(self, day: int, later: int) -> None:
        if later <= day or not self._may(day, later):
            return
        for one in self.starts[day]:
            for two in self.starts[later]:
                if not self._apart(self.candidates.instant(one), self.candidates.instant(two)):
                    both = [self.at[day, one.slot].negated(), self.at[later, two.slot].negated()]
                    for now, then in pairwise(self.on):
                        self.model.add_bool_or([*both, now[day].negated(), then[later].negated()])

    def _hours(self) -> None:
        """Each visit costs 6 a quarter of an hour away from the series' own."""
        wished = self.request.wishes.preferred_time
        minutes = {start.minute for starts in self.starts.values() for start in starts}
        anchors = self._one("hour", [minutes_of(wished)] if wished else sorted(minutes))
        anchor = sum(minute // QUARTER * literal for minute, literal in anchors.items())
        for day, starts in self.starts.items():
            off = self.model.new_int_var(0, 24 * 4, f"off hour {day}")
            at = sum(start.minute // QUARTER * self.at[day, start.slot] for start in starts)
            self.model.add(off >= at - anchor).only_enforce_if(self.used[day])
            self.model.add(off >= anchor - at).only_enforce_if(self.used[day])
            self.costs.append(6 * off)

    def _homes(self) -> None:
        wishes, free = self.request.wishes, self.candidates.free.by_id
        rooms, physicians = self.candidates.rooms, self.candidates.physicians
        wanted_room = [room for room in rooms if room.id == wishes.room_id]
        wanted_one = [one for one in physicians if one.id == wishes.clinician_id]
        home = self._one("home room", [room.id for room in (wanted_room or rooms)])
        own = self._one("own physician", [one.id for one in (wanted_one or physicians)])
        room_cost = 150 if wanted_room and len(rooms) > 1 else 12
        one_cost = 150 if wanted_one and len(physicians) > 1 else 12
        for day, starts in self.starts.items():
            away = self.model.new_bool_var(f"away {day}")
            other = self.model.new_bool_var(f"other physician {day}")
            self.costs += [room_cost * away, one_cost * other]
            in_room: dict[Any, list[Any]] = defaultdict(list)
            for start in starts:
                self._rooms(start, in_room)
                for one, literal in own.items():
                    if not self.candidates.block.starts(free[one], day) >> start.slot & 1:
                        self.model.add_bool_or([self.at[day, start.slot].negated(), literal.negated(), other])
            for room, literals in in_room.items():
                # Whichever start it is: a visit in this room is at home, or away.
                stay = [home[room]] if room in home else []
                for literal in literals:
                    self.model.add_bool_or([literal.negated(), *stay, away])

    def _rooms(self, start: Candidate, in_room: dict[Any, list[Any]]) -> None:
        chosen = []
        for holes, room in self.candidates.rooms_at(start):
            literal = self.model.new_bool_var(f"in {room.name} {start.day} {start.slot}")
            chosen.append(literal)
            in_room[room.id].append(literal)
            if holes:
                self.costs.append(holes * literal)
        self.model.add(sum(chosen) == self.at[start.day, start.slot])

    def solve(self, shown: Sequence[Plan] = (), k: int = 3) -> list[int]:
        """Return the costs of the k cheapest series that differ on two days.

        Args:
            shown: What the planner found: each solve gets that one as its hint, the best that can be given.

        Raises:
            TimeoutError: CP-SAT didn't prove an optimum in time.
        """
        found: list[int] = []
        for n in range(k):
            self.model.clear_hints()
            if n < len(shown):
                self._hint(shown[n])
            solver = cp_model.CpSolver()
            solver.parameters.num_workers = self.workers
            solver.parameters.max_time_in_seconds = LIMIT
            started = time.perf_counter()
            status = solver.solve(self.model)
            self.spent.append(time.perf_counter() - started)
            if status == cp_model.INFEASIBLE:
                return found
            if status != cp_model.OPTIMAL:
                raise TimeoutError(solver.status_name(status))
            found.append(round(solver.objective_value))
            if n < len(shown):  # of two series that cost the same, the next has to differ from the one that was shown
                days = {self.days.find(start)[0] for start in shown[n].starts}
            else:
                days = {day for day, used in self.used.items() if solver.boolean_value(used)}
            new = sum(used for day, used in self.used.items() if day not in days)
            self.model.add(new >= min(2, self.length))
        return found

    def _hint(self, plan: Plan) -> None:
        places = [self.days.find(start) for start in plan.starts]
        for place, literal in self.at.items():
            self.model.add_hint(literal, place in places)
        for day, literal in self.used.items():
            self.model.add_hint(literal, day in dict(places))
