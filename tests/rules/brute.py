"""The planner's rules once more, slowly: datetimes and lists instead of bitmaps, every series tried.

Shares no code with the planner but the types of its input. Numbers are written out on purpose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise, product
from math import gcd

from tests.rules.clinics import ADA, ClinicWeek
from tracker.rules.availability import STARTS_LANE, Resource
from tracker.rules.plan import PlanRequest, Wish
from tracker.rules.protocol import NURSE, PHYSICIAN, ROOM, Hold, Phase, Protocol

MINUTE = timedelta(minutes=1)
UTC = ClinicWeek.zone.__class__("UTC")
Interval = tuple[datetime, datetime]


def quick_phases() -> tuple[Phase, ...]:
    """Return the phases of a short visit, all roles in it, so that a small clinic has few starts: 75 minutes."""
    room, nurse = Hold(ROOM), Hold(NURSE)
    return (
        Phase("check_in", 10, (room,)),
        Phase("set_up", 15, (room, nurse, Hold(PHYSICIAN))),
        Phase("infusion", 20, (room, nurse)),
        Phase("recovery", 20, (room, nurse, Hold(PHYSICIAN, start=-10))),
        Phase("turnover", 10, (room,), patient=False),
    )


@dataclass(frozen=True)
class Option:
    """One start that breaks no hard rule, with who could serve it."""

    start: datetime
    day: date
    minute: int
    rooms: tuple[tuple[Resource, int], ...]  # with the number of holes
    physicians: tuple[Resource, ...]
    nurses: tuple[Resource, ...]
    wishes: int  # cost


class Brute:
    def __init__(self, clinic: ClinicWeek, request: PlanRequest) -> None:
        self.clinic, self.request = clinic, request
        self.block = request.protocol.block
        granted = request.wishes.longest_gap or 0
        more = max(0, granted - request.protocol.max_gap.days)
        self.max_gap = request.protocol.max_gap + timedelta(days=more)
        self.max_span = request.protocol.max_span_days + more
        everybody = (*clinic.resources, ADA)
        self.hours = {one.id: self._hours(one) for one in everybody}
        self.taken = {
            (one.id, lane): [
                (rounded(start)[0], rounded(end)[1])
                for who, taken, start, end in clinic.claims
                if (who, taken) == (one.id, lane)
            ]
            for one in everybody
            for lane in (*range(1, one.lanes + 1), STARTS_LANE)
        }

    def local(self, day: date, minute: int) -> datetime:
        at = datetime.combine(day + timedelta(days=minute // 1440), time(minute % 1440 // 60, minute % 60))
        return at.replace(tzinfo=self.clinic.zone).astimezone(UTC)

    def _hours(self, resource: Resource) -> list[Interval]:
        """When it is there, closures taken away."""
        if resource.kind == "patient":
            return [(self.local(self.clinic.first, 0), self.local(self.clinic.first + timedelta(self.clinic.days), 0))]
        found = []
        for n in range(self.clinic.days):
            day = self.clinic.first + timedelta(days=n)
            for weekday, first, last in self.clinic.opening:
                if weekday == day.weekday():
                    found.append((self.local(day, first), self.local(day, last)))
        for closed, start, end in self.clinic.closures:
            if closed in (None, resource.id):
                found = [part for one in found for part in without(one, (rounded(start)[0], rounded(end)[1]))]
        return found

    def there(self, resource: Resource, span: Interval) -> bool:
        return any(start <= span[0] and span[1] <= end for start, end in self.hours[resource.id])

    def unclaimed(self, resource: Resource, lane: int, span: Interval) -> bool:
        return all(span[1] <= start or span[0] >= end for start, end in self.taken[resource.id, lane])

    def serves(self, resource: Resource, start: datetime, spans: list[tuple[int, int]]) -> bool:
        at = [(start + a * MINUTE, start + b * MINUTE) for a, b in spans]
        return self.there(resource, (at[0][0], at[-1][1])) and all(
            any(self.unclaimed(resource, lane, span) for lane in range(1, resource.lanes + 1)) for span in at
        )

    def options(self) -> list[Option]:
        return [option for n in range(self.clinic.days) for option in self._on(self.clinic.first + timedelta(days=n))]

    def _on(self, day: date) -> Iterator[Option]:
        start, end = self.local(day, 0), self.local(day + timedelta(days=1), 0)
        step = gcd(self.request.start_every, 60) * MINUTE  # clocks are changed by an hour
        rooms = [room for room in self.clinic.resources if room.kind == ROOM]
        while start < end:
            if any(self.there(room, (start, start + self.block)) for room in rooms) and (
                option := self._option(day, start)
            ):
                yield option
            start += step

    def _option(self, day: date, start: datetime) -> Option | None:
        local = start.astimezone(self.clinic.zone)
        minute, wishes = local.hour * 60 + local.minute, self.request.wishes
        if minute % self.request.start_every or start < self.request.not_before or day < wishes.earliest:
            return None
        rooms = tuple(
            (room, self._holes(room, start))
            for room in self._known(ROOM, Wish.ROOM, wishes.room_id)
            if self.serves(room, start, [(0, 75)])
        )
        if not rooms or not self.serves(ADA, start, [(0, 65)]):
            return None
        physicians = tuple(
            one
            for one in self._known(PHYSICIAN, Wish.CLINICIAN, wishes.clinician_id)
            if self.serves(one, start, [(10, 25), (55, 65)])
        )
        nurses = tuple(
            one
            for one in self._known(NURSE, Wish.CLINICIAN, wishes.clinician_id)
            if self.serves(one, start, [(10, 65)])
            and self.unclaimed(one, STARTS_LANE, (start + 25 * MINUTE, start + 40 * MINUTE))
            and self.there(one, (start + 25 * MINUTE, start + 40 * MINUTE))
        )
        broken = self._broken(day, start, minute, nurses)
        if not (physicians and nurses) or broken & wishes.hard:
            return None
        cost = sum(30 if wish is Wish.TIME else 150 for wish in broken)
        return Option(start, day, minute, rooms, physicians, nurses, cost)

    def _known(self, kind: str, wish: Wish, wished: object) -> list[Resource]:
        found = [one for one in self.clinic.resources if one.kind == kind]
        only = [one for one in found if one.id == wished]
        return only if only and wish in self.request.wishes.hard else found

    def _broken(self, day: date, start: datetime, minute: int, nurses: tuple[Resource, ...]) -> set[Wish]:
        wishes, broken = self.request.wishes, set()
        if wishes.weekdays and day.weekday() not in wishes.weekdays:
            broken.add(Wish.WEEKDAYS)
        if day in wishes.days_off:
            broken.add(Wish.DAYS_OFF)
        if wishes.arrive_from and start < self.local(day, wishes.arrive_from.hour * 60 + wishes.arrive_from.minute):
            broken.add(Wish.HOURS)
        if wishes.leave_by:
            by = self.local(day, wishes.leave_by.hour * 60 + wishes.leave_by.minute)
            broken |= {Wish.HOURS} if start + 65 * MINUTE > by else set()
        if wishes.preferred_time:
            preferred = wishes.preferred_time.hour * 60 + wishes.preferred_time.minute
            if abs(minute - preferred) > 30:
                broken.add(Wish.TIME)
        if start in wishes.also:
            broken.clear()
        known_nurses = {one.id for one in self.clinic.resources if one.kind == NURSE}
        if wishes.clinician_id in known_nurses and wishes.clinician_id not in {nurse.id for nurse in nurses}:
            broken.add(Wish.CLINICIAN)
        return broken

    def _holes(self, room: Resource, start: datetime) -> int:
        free = self.hours[room.id]
        for taken in self.taken[room.id, 1]:
            free = [part for run in free for part in without(run, taken)]
        for first, last in free:
            if first <= start and start + self.block <= last:
                left = (start - first, last - start - self.block)
                return sum(timedelta() < part < self.block for part in left)
        return 0

    def fits(self) -> bool:
        """Return whether any series breaks no hard rule."""
        return next(self._chains(self.options(), ()), None) is not None

    def series(self) -> dict[tuple[datetime, ...], int]:
        """Return every series that breaks no hard rule, with its cost."""
        found = {}
        for chain in self._chains(self.options(), ()):
            found[tuple(option.start for option in chain)] = self.cost(chain)
        return found

    def _chains(self, options: list[Option], chain: tuple[Option, ...]) -> Iterator[tuple[Option, ...]]:
        given, protocol = self.request.given, self.request.protocol
        if len(given) + len(chain) == protocol.visits:
            yield chain
            return
        before = [*given, *(option.start for option in chain)]
        for option in options:
            if self._may_follow(before, option):
                yield from self._chains(options, (*chain, option))

    def _may_follow(self, before: list[datetime], option: Option) -> bool:
        if not before:
            return True
        protocol, first = self.request.protocol, before[0].astimezone(self.clinic.zone).date()
        apart = option.start - before[-1].astimezone(UTC)
        return (
            protocol.min_gap <= apart <= self.max_gap
            and (option.day - first).days <= self.max_span
            and option.day > before[-1].astimezone(self.clinic.zone).date()
        )

    def cost(self, chain: tuple[Option, ...]) -> int:
        wishes = self.request.wishes
        preferred = wishes.preferred_time
        anchors = {preferred.hour * 60 + preferred.minute} if preferred else {option.minute for option in chain}
        rooms = {one.id: one for one in self._known(ROOM, Wish.ROOM, wishes.room_id)}
        physicians = {one.id: one for one in self._known(PHYSICIAN, Wish.CLINICIAN, wishes.clinician_id)}
        asked_room, asked_one = wishes.room_id in rooms, wishes.clinician_id in physicians
        homes = product([wishes.room_id] if asked_room else rooms, [wishes.clinician_id] if asked_one else physicians)
        by_home = [
            sum(
                min(3 * holes + (0 if r.id == room else 150 if asked_room else 12) for r, holes in o.rooms)
                for o in chain
            )
            + sum(0 if one in {p.id for p in o.physicians} else 150 if asked_one else 12 for o in chain)
            for room, one in homes
        ]
        hours = min(sum(abs(option.minute - anchor) * 2 // 5 for option in chain) for anchor in anchors)
        return sum(option.wishes for option in chain) + min(by_home) + hours + self._days_cost(chain)

    def _days_cost(self, chain: tuple[Option, ...]) -> int:
        days = [start.astimezone(self.clinic.zone).date() for start in self.request.given]
        wait = 0 if days else 20 * (chain[0].day - self.request.wishes.earliest).days
        days += [option.day for option in chain]
        rhythm = self.request.protocol.rhythm
        gaps = [(two - one).days for one, two in pairwise(days)]
        rounds = [[rhythm[(n + turn) % len(rhythm)] for n in range(len(gaps))] for turn in range(len(rhythm))] or [gaps]
        return wait + min(100 * sum(abs(gap - usual) for gap, usual in zip(gaps, turn, strict=True)) for turn in rounds)


def without(one: Interval, taken: Interval) -> list[Interval]:
    parts = [(one[0], min(one[1], taken[0])), (max(one[0], taken[1]), one[1])]
    return [(start, end) for start, end in parts if start < end]


def rounded(instant: datetime) -> tuple[datetime, datetime]:
    """Return the five minutes' marks around an instant: who is busy for a minute of five is busy for all five."""
    instant = instant.astimezone(UTC)
    down = instant - timedelta(minutes=instant.minute % 5, seconds=instant.second)
    return down, down if down == instant else down + 5 * MINUTE


def protocol(base: Protocol, **changes: object) -> Protocol:
    from dataclasses import replace

    return replace(base, phases=quick_phases(), **changes)
