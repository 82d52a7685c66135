"""One visit of a course: whether it may go exactly there, and where else it may go."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import count
from uuid import UUID

from tracker.errors import Refused
from tracker.rules.availability import SLOT, FreeTime, Resource, mask, runs
from tracker.rules.candidates import Candidate, Candidates, Home
from tracker.rules.costs import WAIT, gap_cost, hour_cost
from tracker.rules.explain import about_visits, gap_obstacle, obstacle
from tracker.rules.plan import Alternative, FreePlace, PlannedVisit, PlanRequest, Reason, Why, Wishes
from tracker.rules.protocol import ROOM, Protocol
from tracker.rules.series import Series
from tracker.text import gettext as _
from tracker.text import ngettext, say_instant

# A free place is offered before anybody is known to come.
_ANYBODY = UUID(int=0)


def place(
    request: PlanRequest,
    ordinal: int,
    starts_at: datetime,
    *,
    room_id: UUID | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
) -> PlannedVisit:
    """Return one visit that starts exactly then, in this room if one is named.

    The patient's wishes choose among rooms, nurses and physicians; that they would rather come at another time is for
    the coordinator to know. `before` and `after` are the starts of the visits next to it.

    Raises:
        Refused: Something is in the way; the message says what.
    """
    candidates = _with_soft_wishes(request)
    room = _room(request, ordinal, room_id) if room_id else None
    start = _start(candidates, ordinal, starts_at, room, before, after)
    home = _physicians_home(candidates, [start])
    return candidates.visit(ordinal, start, home, candidates.nurse_at(start), room)


def place_series(request: PlanRequest, places: Sequence[tuple[datetime, UUID]]) -> list[PlannedVisit]:
    """Return the visits at these starts and rooms, in their order: all that remains of a course.

    Whoever `plan` would have picked for them treats: the plan that was shown is the plan that is booked.

    Raises:
        Refused: Something is in the way of one of them; the message says what.
    """
    candidates, first = _with_soft_wishes(request), len(request.given) + 1
    near = [None, *request.given][-1:] + [starts_at for starts_at, _room_id in places] + [None]
    rooms = [_room(request, n, room_id) for n, (_starts_at, room_id) in enumerate(places, start=first)]
    starts = [
        _start(candidates, n, starts_at, room, before, after)
        for n, room, (starts_at, _room_id), before, after in zip(count(first), rooms, places, near, near[2:])
    ]
    home, nurses = _physicians_home(candidates, starts), candidates.nurses_for(starts)
    return [
        candidates.visit(n, start, home, nurse, room)
        for n, (start, nurse, room) in enumerate(zip(starts, nurses, rooms, strict=True), start=first)
    ]


def _with_soft_wishes(request: PlanRequest) -> Candidates:
    """Return the candidates of a request whose place somebody has chosen: no wish forbids it any more."""
    return Candidates(replace(request, wishes=replace(request.wishes, hard=frozenset())))


def _room(request: PlanRequest, ordinal: int, room_id: UUID) -> Resource:
    room = request.free.by_id.get(room_id)
    if room is None or room.kind != ROOM:  # retired since it was shown, or never a room
        raise Refused(_("Visit %(n)s: there is no such room.", n=ordinal), field="starts_at")
    return room


def _physicians_home(candidates: Candidates, starts: Sequence[Candidate]) -> Home:
    """Return the home whose physician can be at most of the starts."""
    return min(candidates.homes, key=lambda home: sum(candidates.physician_at(start, home)[0] for start in starts))


def _start(
    candidates: Candidates,
    ordinal: int,
    starts_at: datetime,
    room: Resource | None,
    before: datetime | None,
    after: datetime | None,
) -> Candidate:
    day, slot = _find(candidates, starts_at)
    protocol = candidates.request.limits
    because = gap_obstacle(protocol, before, starts_at, after) or obstacle(candidates, day, slot, room)
    if because:
        when = say_instant(starts_at, candidates.days.zone, candidates.request.country)
        raise Refused(
            _("Visit %(n)s, %(when)s: %(because)s.", n=ordinal, when=when, because=because), field="starts_at"
        )
    return Candidate(day, slot, candidates.days.minute(day, slot), ())


def _find(candidates: Candidates, starts_at: datetime) -> tuple[int, int]:
    if starts_at < candidates.request.not_before:
        raise Refused(_("That time is over."), field="starts_at")
    try:
        day, slot = candidates.days.find(starts_at)
    except IndexError:
        raise Refused(_("That day is too far away."), field="starts_at") from None
    if candidates.days.instant(day, slot) != starts_at:
        raise Refused(_("Choose a time on a multiple of %(n)s minutes.", n=SLOT), field="starts_at")
    return day, slot


def alternatives(
    request: PlanRequest,
    ordinal: int,
    *,
    instead_of: datetime,
    room_id: UUID,
    physician_id: UUID,
    before: datetime | None = None,
    after: datetime | None = None,
    most: int = 6,
) -> list[Alternative]:
    """List other places for one visit, the best first, at most two on a day and those an hour apart.

    Args:
        instead_of: The visit's own start; its hour, and `room_id` and `physician_id`, are what it would rather keep.
        before: Start of the visit before it, `after` of the one after it.
    """
    candidates, by_id = Candidates(request), request.free.by_id
    if not candidates.homes:
        return []
    other = candidates.homes[0]  # for who or what isn't there any more
    usual = Home(by_id.get(room_id, other.room), by_id.get(physician_id, other.physician))
    move = _Move(candidates, ordinal, usual, instead_of, before, after)
    found = sorted(((move.cost(start), start) for start in move.starts()), key=lambda one: (one[0], one[1].day))
    return [move.alternative(start, cost) for cost, start in _apart(found)[:most]]


def _apart(found: Iterable[tuple[int, Candidate]]) -> list[tuple[int, Candidate]]:
    """Keep at most two starts a day, an hour apart, so that the list is a choice."""
    kept: dict[int, list[Candidate]] = {}
    chosen = []
    for cost, start in found:
        others = kept.setdefault(start.day, [])
        if len(others) < 2 and all(abs(start.slot - other.slot) * SLOT >= 60 for other in others):
            others.append(start)
            chosen.append((cost, start))
    return chosen


@dataclass(frozen=True)
class _Move:
    """One visit that is to go elsewhere."""

    candidates: Candidates
    ordinal: int
    usual: Home
    instead_of: datetime
    before: datetime | None
    after: datetime | None

    def _local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.candidates.days.zone)

    def starts(self) -> Iterator[Candidate]:
        """Yield every start that the visits next to it allow."""
        protocol = self.candidates.request.limits
        for day in range(self.candidates.days.count):
            for start in self.candidates.on(day):
                instant = self.candidates.instant(start)
                if instant != self.instead_of and not gap_obstacle(protocol, self.before, instant, self.after):
                    yield start

    def _series(self, start: Candidate) -> Series:
        local = self._local(self.instead_of)
        return Series((start,), local.hour * 60 + local.minute, self.usual, 0, 0, self.ordinal)

    def cost(self, start: Candidate) -> int:
        """Return what is worse about a start: wishes, gaps off the rhythm, days and hours moved, room, physician."""
        series = self._series(start)
        here = self.candidates.price(start, self.usual) + hour_cost(abs(start.minute - series.anchor))
        return here + self._gaps_cost(start) + WAIT * abs(self._days_moved(start))

    def _days_moved(self, start: Candidate) -> int:
        return (self.candidates.days.calendar(start.day) - self._local(self.instead_of).date()).days

    def _gaps(self, start: Candidate) -> Iterator[tuple[int, int]]:
        """Yield each gap beside a start: the number of the visit before it (from 0), and its days."""
        day = self.candidates.days.calendar(start.day)
        if self.before:
            yield self.ordinal - 2, (day - self._local(self.before).date()).days
        if self.after:
            yield self.ordinal - 1, (self._local(self.after).date() - day).days

    def _gaps_cost(self, start: Candidate) -> int:
        rhythm = self.candidates.request.protocol.rhythm
        return sum(gap_cost(rhythm, number, days, None) for number, days in self._gaps(start))

    def alternative(self, start: Candidate, cost: int) -> Alternative:
        """Return a start as a visit with its reasons; their costs add up to its cost."""
        nurse = self.candidates.nurse_at(start)
        visit = self.candidates.visit(self.ordinal, start, self.usual, nurse)
        reasons = [*self._about_days(start), *about_visits(self.candidates, self._series(start))]
        return Alternative(visit, cost, tuple(reasons))

    def _about_days(self, start: Candidate) -> Iterator[Reason]:
        moved = self._days_moved(start)
        if moved:
            text = (
                ngettext("A day later", "%(n)s days later", moved)
                if moved > 0
                else ngettext("A day earlier", "%(n)s days earlier", -moved)
            )
            yield Reason(Why.WAIT, text, WAIT * abs(moved), self.ordinal)
        else:
            yield Reason(Why.WAIT, _("The same day"), 0, self.ordinal)
        if cost := self._gaps_cost(start):
            days = ", ".join(
                ngettext("a day from visit %(visit)s", "%(n)s days from visit %(visit)s", days, visit=visit)
                for visit, days in self._neighbours(start)
            )
            yield Reason(Why.RHYTHM, days.capitalize(), cost, self.ordinal)

    def _neighbours(self, start: Candidate) -> list[tuple[int, int]]:
        return [(number + 1 if number == self.ordinal - 2 else number + 2, days) for number, days in self._gaps(start)]


def free_places(protocol: Protocol, free: FreeTime, day: date, *, not_before: datetime) -> list[FreePlace]:
    """List where a block fits on a day, room by room: for a patient who could come at any time.

    Two places of one room may share time; places of two rooms may need the same nurse.
    """
    request = PlanRequest(protocol, free, _ANYBODY, Wishes(earliest=day), not_before)
    candidates = Candidates(request)
    number = free.days.index(day)
    if not 0 <= number < free.days.count:
        return []
    bits = candidates.block.feasible(number) & candidates.from_now(number)
    return [
        FreePlace(room.id, free.days.instant(number, first), free.days.instant(number, last), protocol.block)
        for room in free.of_kind(ROOM)
        for first, last in _on_grid(bits & candidates.block.starts(room, number), candidates.grid(number))
    ]


def _on_grid(bits: int, grid: int) -> Iterator[tuple[int, int]]:
    """Yield first and last start on the clock's grid of each run of starts."""
    for first, last in runs(bits):
        if starts := bits & grid & mask(first, last):
            yield (starts & -starts).bit_length() - 1, starts.bit_length() - 1
