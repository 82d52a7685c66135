"""Every start that a request allows, day by day, and what it costs by itself."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache, cached_property, reduce
from operator import and_
from uuid import UUID

from tracker.rules.availability import SLOT, Resource, mask, ones
from tracker.rules.block import Block, fitting
from tracker.rules.costs import AWAY, BROKEN_WISH, HOLE, KEPT_WITHIN, wish_cost
from tracker.rules.plan import PlannedVisit, PlanRequest, Wish
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM
from tracker.rules.search import INFINITE


@dataclass(frozen=True)
class Candidate:
    """One possible start. `minute` is its local clock time; `broken` are the soft wishes that it breaks.

    Wishes for a room or a physician aren't among them: those depend on who is picked.
    """

    day: int
    slot: int
    minute: int
    broken: tuple[Wish, ...]


@dataclass(frozen=True)
class Home:
    """The series' room and physician, and what a visit without them costs."""

    room: Resource
    physician: Resource
    no_room: int = AWAY
    no_physician: int = AWAY


def minutes_of(clock: time) -> int:
    """Return minutes after midnight."""
    return clock.hour * 60 + clock.minute


@cache
def _grid(every: int) -> int:
    return sum(1 << slot for slot in range(24 * 60 // SLOT) if slot * SLOT % every == 0)


def _wish_costs(start: Candidate) -> int:
    return sum(map(wish_cost, start.broken))


class Candidates:
    """The allowed starts of a request, and what each costs by itself."""

    def __init__(self, request: PlanRequest, block: Block | None = None) -> None:
        self.request = request
        self.wishes = request.wishes
        self.free = request.free
        self.days = request.free.days
        self.block = block or Block(request.protocol, request.free)
        self._possible: dict[int, int] = {}
        self._by_day: dict[int, list[Candidate]] = {}
        self._by_room: dict[int, list[tuple[int, int, int]]] = {}

    def asked(self, request: PlanRequest) -> "Candidates":
        """Return the same for a request with other wishes or gaps; what doesn't follow from those is kept."""
        other = Candidates(request, self.block)
        other._possible = self._possible
        return other

    @property
    def patient(self) -> Resource:
        """Who is to be treated."""
        return self.free.by_id[self.request.patient_id]

    def instant(self, start: Candidate) -> datetime:
        """Return when a start is (UTC)."""
        return self.days.instant(start.day, start.slot)

    def hard(self, wish: Wish) -> bool:
        """Return whether a wish must be kept."""
        return wish in self.wishes.hard

    @cached_property
    def rooms(self) -> list[Resource]:
        """The rooms that may be used."""
        return self._usable(ROOM, Wish.ROOM, self.wishes.room_id)

    @cached_property
    def physicians(self) -> list[Resource]:
        """The physicians that may be used."""
        return self._usable(PHYSICIAN, Wish.CLINICIAN, self.wishes.clinician_id)

    @cached_property
    def nurses(self) -> list[Resource]:
        """The nurses that may be used."""
        return self._usable(NURSE, Wish.CLINICIAN, self.wishes.clinician_id)

    def _usable(self, kind: str, wish: Wish, wished: UUID | None) -> list[Resource]:
        found = self.free.of_kind(kind)
        only = [resource for resource in found if resource.id == wished]
        return only if only and self.hard(wish) else found

    @cached_property
    def homes(self) -> list[Home]:
        """What may be the series' room and physician: those wished for, else any that may be used."""
        room_cost = BROKEN_WISH if self._home_rooms != self.rooms else AWAY
        physician_cost = BROKEN_WISH if self._home_physicians != self.physicians else AWAY
        return [
            Home(room, one, room_cost, physician_cost) for room in self._home_rooms for one in self._home_physicians
        ]

    @cached_property
    def _home_rooms(self) -> list[Resource]:
        return [room for room in self.rooms if room.id == self.wishes.room_id] or self.rooms

    @cached_property
    def _home_physicians(self) -> list[Resource]:
        return [one for one in self.physicians if one.id == self.wishes.clinician_id] or self.physicians

    def on(self, day: int) -> list[Candidate]:
        """List the allowed starts of a day, earliest first."""
        if day not in self._by_day:
            self._by_day[day] = list(self._candidates(day))
        return self._by_day[day]

    def _candidates(self, day: int) -> Iterator[Candidate]:
        bits = self.allowed(day)
        if not bits:
            return
        missed = self._missed(day)
        for slot in ones(bits):
            broken = tuple(wish for wish, here in missed.items() if here >> slot & 1)
            yield Candidate(day, slot, self.days.minute(day, slot), broken)

    def broken(self, day: int, slot: int) -> list[Wish]:
        """List the wishes that a start breaks, but for those that the series' home sees to."""
        return [wish for wish, here in self._missed(day).items() if here >> slot & 1]

    def _missed(self, day: int) -> dict[Wish, int]:
        return {wish: ~kept for wish, kept in self._kept(day).items() if not self._sees_to(wish)}

    def _sees_to(self, wish: Wish) -> bool:
        """Return whether the series' home is what a wish is about: a room, or a physician."""
        return wish is Wish.ROOM or (wish is Wish.CLINICIAN and self._home_physicians != self.physicians)

    def allowed(self, day: int) -> int:
        """Return the starts of a day that break no hard rule."""
        if day < self.days.index(self.wishes.earliest):
            return 0
        wished = reduce(and_, (kept for wish, kept in self._kept(day).items() if self.hard(wish)), -1)
        return wished and wished & self.possible(day)

    def possible(self, day: int) -> int:
        """Return the starts of a day that the clinic, the clock and the patient's other visits allow."""
        if day not in self._possible:
            bits = self.block.feasible(day) & self.block.starts(self.patient, day)
            self._possible[day] = bits & self.grid(day) & self.from_now(day)
        return self._possible[day]

    def _kept(self, day: int) -> dict[Wish, int]:
        """Return the starts of a day that keep each wish there is."""
        wishes, kept = self.wishes, {}
        date = self.days.calendar(day)
        if wishes.weekdays:
            kept[Wish.WEEKDAYS] = -1 if date.weekday() in wishes.weekdays else 0
        if wishes.days_off:
            kept[Wish.DAYS_OFF] = 0 if date in wishes.days_off else -1
        if wishes.arrive_from or wishes.leave_by:
            kept[Wish.HOURS] = self._within(day)
        if wishes.preferred_time:
            kept[Wish.TIME] = self._near(day, minutes_of(wishes.preferred_time))
        if also := self._also.get(day):
            kept = {wish: bits | also for wish, bits in kept.items()}
        for wish, wished in self._wished.items():
            kept[wish] = self.block.starts(wished, day)
        return kept

    @cached_property
    def _wished(self) -> dict[Wish, Resource]:
        """The room and the clinician asked for, as far as there are such."""
        asked = {
            Wish.ROOM: (self.wishes.room_id, (ROOM,)),
            Wish.CLINICIAN: (self.wishes.clinician_id, (NURSE, PHYSICIAN)),
        }
        known = {wish: self.free.by_id[one] for wish, (one, _) in asked.items() if one and one in self.free.by_id}
        return {wish: one for wish, one in known.items() if one.kind in asked[wish][1]}

    @cached_property
    def _also(self) -> dict[int, int]:
        """The starts at which the patient can come whatever her wishes say, day by day."""
        found: dict[int, int] = {}
        for instant in self.wishes.also:
            for day, bits in self.days.spread(instant, instant + timedelta(minutes=SLOT)):
                found[day] = found.get(day, 0) | bits
        return found

    def _within(self, day: int) -> int:
        first = minutes_of(self.wishes.arrive_from) if self.wishes.arrive_from else 0
        last = minutes_of(self.wishes.leave_by) if self.wishes.leave_by else 24 * 60
        spans = self.block.spans[PATIENT]
        return fitting(self.days.local_bits(day, first, last), (spans[0][0], spans[-1][1]))

    def _near(self, day: int, preferred: int) -> int:
        if not self.days.changes(day):
            first, last = preferred - KEPT_WITHIN, preferred + KEPT_WITHIN
            return mask(max(0, -(-first // SLOT)), last // SLOT + 1)
        slots = range(self.days.sizes[day])
        return sum(1 << slot for slot in slots if abs(self.days.minute(day, slot) - preferred) <= KEPT_WITHIN)

    def grid(self, day: int) -> int:
        """Return the starts that lie on a multiple of the clock's minutes."""
        every = self.request.start_every
        if not self.days.changes(day):
            return _grid(every)
        return sum(1 << slot for slot in range(self.days.sizes[day]) if self.days.minute(day, slot) % every == 0)

    def from_now(self, day: int) -> int:
        """Return the starts that aren't over yet."""
        late = int(self.request.not_before.timestamp()) - self.days.begins[day]
        return ~mask(0, min(self.days.sizes[day], -(-late // (SLOT * 60)))) if late > 0 else -1

    def rooms_at(self, start: Candidate) -> list[tuple[int, Resource]]:
        """List the rooms that are free for a start, each with the cost of the holes it would leave."""
        costs = self._room_costs(start)
        return [(cost, room) for cost, room in zip(costs, self.rooms, strict=True) if cost < INFINITE]

    def _room_costs(self, start: Candidate) -> list[int]:
        """Return the cost of the holes that a start would leave in each room that may be used."""
        slot = start.slot
        return [
            HOLE * ((before >> slot & 1) + (after >> slot & 1)) if starts >> slot & 1 else INFINITE
            for starts, before, after in self._rooms_on(start.day)
        ]

    def _rooms_on(self, day: int) -> list[tuple[int, int, int]]:
        if day not in self._by_room:
            self._by_room[day] = [(self.block.starts(room, day), *self.block.holes(room, day)) for room in self.rooms]
        return self._by_room[day]

    def room_at(self, start: Candidate, home: Home | None) -> tuple[int, Resource]:
        """Return the cheapest room for a start, with its cost (no home: only that of the holes it leaves)."""
        rooms = self.rooms_at(start)
        costs = [cost + (home.no_room if home and room.id != home.room.id else 0) for cost, room in rooms]
        best = costs.index(min(costs))
        return costs[best], rooms[best][1]

    def physician_at(self, start: Candidate, home: Home) -> tuple[int, Resource]:
        """Return the physician for a start, with the cost of not being the series' own."""
        free = [one for one in self.physicians if self.block.starts(one, start.day) >> start.slot & 1]
        return (0, home.physician) if home.physician in free else (home.no_physician, free[0])

    def free_nurses(self, start: Candidate) -> list[Resource]:
        """List the nurses who are free for a start."""
        return [nurse for nurse in self.nurses if self.block.starts(nurse, start.day) >> start.slot & 1]

    def price(self, start: Candidate, home: Home) -> int:
        """Return what a start costs by itself, but for its hour."""
        return _wish_costs(start) + self.room_at(start, home)[0] + self.physician_at(start, home)[0]

    def prices(self, start: Candidate) -> tuple[int, ...]:
        """Return the same for each of `homes`, all at once."""
        costs, wishes, home = self._room_costs(start), _wish_costs(start), self.homes[0]
        elsewhere = min(costs) + home.no_room
        at_home = (
            [costs[self.rooms.index(room)] for room in self._home_rooms] if self._home_rooms != self.rooms else costs
        )
        rooms = [wishes + min(cost, elsewhere) for cost in at_home]
        free = [self.block.starts(one, start.day) >> start.slot & 1 for one in self._home_physicians]
        physicians = [0 if there else home.no_physician for there in free]
        return tuple(room + physician for room in rooms for physician in physicians)

    def nurses_for(self, starts: Sequence[Candidate]) -> list[Resource]:
        """Pick a nurse for each start of a series: the one wished for, else whoever can be there most often."""
        free = [self.free_nurses(start) for start in starts]
        often = Counter(nurse.id for nurses in free for nurse in nurses)
        wished = self.wishes.clinician_id
        return [max(nurses, key=lambda nurse: (nurse.id == wished, often[nurse.id])) for nurses in free]

    def nurse_at(self, start: Candidate) -> Resource:
        """Return the nurse for a single start: the one wished for, else the first who is free."""
        nurses = self.free_nurses(start) or self.free.of_kind(NURSE)
        return next((nurse for nurse in nurses if nurse.id == self.wishes.clinician_id), nurses[0])

    def visit(
        self, ordinal: int, start: Candidate, home: Home, nurse: Resource, room: Resource | None = None
    ) -> PlannedVisit:
        """Return the visit at a start, in the cheapest room unless one is named."""
        physician = self.physician_at(start, home)[1]
        room = room or self.room_at(start, home)[1]
        return self.block.place(ordinal, start.day, start.slot, room, nurse, physician, self.request.patient_id)
