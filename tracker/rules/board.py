"""The picture of one day: where each bar stands, what it shows, what needs somebody.

Facts go in, a `Board` comes out; words and colours are the template's. Columns are five minutes of the clinic's wall
clock; instants are aware.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.agenda import Closed
from tracker.rules.attention import (
    FINISHED,
    OFF_THE_BOARD,
    Chip,
    Level,
    Matter,
    RoomFacts,
    TaskFacts,
    VisitFacts,
    chip,
    minutes_of,
)
from tracker.rules.availability import FreeTime
from tracker.rules.columns import STEP, Away, Scale, away
from tracker.rules.lateness import WORTH_SAYING, Effect, Going, State, standing
from tracker.rules.visit import IN_THE_ROOM
from tracker.rules.vocabulary import VisitStatus


@dataclass(frozen=True, slots=True)
class Stretch:
    """One phase as drawn, in columns."""

    phase: str
    span: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A visit on its room's line. `over` columns follow its end where somebody in the room is expected to need them."""

    visit: VisitFacts
    column: int  # 1 = the board's first five minutes
    span: int
    stretches: tuple[Stretch, ...]
    chip: Chip
    over: int = 0

    @property
    def quiet(self) -> bool:
        """Whether it is over and done."""
        return self.visit.status in FINISHED


@dataclass(frozen=True, slots=True)
class FreePlace:
    """A time in a room where a whole block would fit."""

    starts_at: datetime
    column: int
    span: int


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room's line: bars and free places in the order of time."""

    room: RoomFacts
    bars: tuple[Bar, ...]
    free: tuple[FreePlace, ...]
    away: tuple[Away, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """One line of "what needs somebody": about a visit, or else about a task."""

    chip: Chip
    room: str = ""
    visit: VisitFacts | None = None
    task: TaskFacts | None = None
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures above the board. Called-off visits are in `off` only."""

    visits: int
    done: int
    in_rooms: int
    waiting: int
    to_come: int
    off: int
    free: int
    drivers: int
    vitals: int


@dataclass(frozen=True, slots=True)
class Board:
    """The picture of one day."""

    day: date
    first_hour: int
    hours: int
    now_column: int | None
    rows: tuple[RoomRow, ...]
    aside: tuple[VisitFacts, ...]  # called off, not come, not treated
    needs: tuple[Need, ...]
    counts: Counts


def draw(
    *,
    day: date,
    zone: ZoneInfo,
    hours: tuple[int, int],
    rooms: Sequence[RoomFacts],
    visits: Iterable[VisitFacts],
    tasks: Iterable[TaskFacts] = (),
    free: Mapping[UUID, Sequence[tuple[datetime, datetime]]] | None = None,
    there: FreeTime | None = None,
    closed: Sequence[Closed] = (),
    lanes: Mapping[UUID, int] | None = None,
    now: datetime,
) -> Board:
    """Draw the board of `day`.

    Args:
        day: The day in `zone`, the clinic's.
        hours: The clinic's opening and closing in minutes after local midnight; equal when it never opens.
        rooms: In the order of the board.
        visits: Every visit that starts on `day`, called-off ones too.
        tasks: Open tasks that cannot wait for tomorrow.
        free: For each room the blocks (start, end) that could still be booked.
        there: When the rooms are there, that day alone; `closed` says why they are not.
        lanes: How many patients each nurse, and each physician, may have at once.
    """
    everything = sorted(visits, key=lambda visit: visit.starts_at)
    live = [visit for visit in everything if visit.status not in OFF_THE_BOARD]
    scale = Scale.around(day, zone, hours, [(visit.starts_at, visit.ends_at) for visit in live])
    going = Going(rooms, live, lanes or {}, scale.midnight + timedelta(minutes=hours[1]), now)
    states = standing(going)
    rows = tuple(
        RoomRow(
            room,
            tuple(_bar(visit, states[visit.id], going, scale) for visit in going.by_room[room.id]),
            tuple(FreePlace(at, scale.column(at), scale.span(at, end)) for at, end in (free or {}).get(room.id, ())),
            away(there, room.id, scale, closed) if there else (),
        )
        for room in rooms
    )
    return Board(
        day=day,
        first_hour=scale.first_hour,
        hours=scale.hours,
        now_column=scale.column(now) if scale.holds(now) else None,
        rows=rows,
        aside=tuple(visit for visit in everything if visit.status in OFF_THE_BOARD),
        needs=tuple(sorted([*_visit_needs(rooms, states), *_task_needs(tasks, now)], key=_urgency)),
        counts=_count(everything, states, rows),
    )


def _urgency(need: Need) -> tuple[bool, bool, datetime]:
    """Red before amber; who is here before who must be called; then the longest waiting."""
    assert need.chip.at
    return need.chip.level is not Level.STOP, need.task is not None, need.chip.at


def _bar(visit: VisitFacts, state: State, going: Going, scale: Scale) -> Bar:
    span, over = scale.span(visit.starts_at, visit.ends_at), 0
    if visit.status in IN_THE_ROOM and (until := going.until[visit.id].room_until) > visit.ends_at:
        later = [one.starts_at for one in going.by_room[visit.room_id] if one.starts_at > visit.starts_at]
        over = max(0, scale.span(visit.starts_at, min([until, *later])) - span)
    shown = chip(visit, state.problems, going.now)
    return Bar(visit, scale.column(visit.starts_at), span, _stretches(visit, span), shown, over)


def _stretches(visit: VisitFacts, span: int) -> tuple[Stretch, ...]:
    """Share the bar among the phases, shifted to where the infusion really began and ended."""
    shift = minutes_of(visit.started_at - visit.planned("infusion")) if visit.started_at else 0
    edge, ends, found = 0, 0, []
    for name, minutes in visit.phases:
        ends += minutes
        at = ends + (shift if name != "check_in" else 0)
        if name == "infusion" and visit.stopped_at:
            at = minutes_of(visit.stopped_at - visit.starts_at)
        following = min(span, max(edge, round(at / STEP)))
        found.append((name, edge, following))
        edge = following
    name, start, _end = found[-1]
    found[-1] = (name, start, span)
    return tuple(Stretch(name, end - start) for name, start, end in found if end > start)


_TELLS = frozenset({Matter.OVER, Matter.LATE, Matter.DRIVER_SILENT})


def _visit_needs(rooms: Sequence[RoomFacts], states: Mapping[UUID, State]) -> Iterator[Need]:
    names = {room.id: room.name for room in rooms}
    for state in states.values():
        for found in state.problems:
            # Whoever is over their time is told the next one's even where it is still in time.
            told = [one for one in state.effects if found.about is not Matter.LATE or one.late >= WORTH_SAYING]
            yield Need(
                found,
                names[state.visit.room_id],
                visit=state.visit,
                effects=tuple(told) if found.about in _TELLS else (),
            )


def _task_needs(tasks: Iterable[TaskFacts], now: datetime) -> Iterator[Need]:
    for task in tasks:
        level = Level.STOP if task.urgent else Level.SOON
        yield Need(Chip(Matter.TASK, level, task.due_at, minutes_of(now - task.due_at)), task=task)


def _count(visits: Sequence[VisitFacts], states: Mapping[UUID, State], rows: Sequence[RoomRow]) -> Counts:
    wrong = [found.about for state in states.values() for found in state.problems]
    live = [visit.status for visit in visits if visit.status not in OFF_THE_BOARD]
    return Counts(
        visits=len(live),
        done=sum(status in FINISHED for status in live),
        in_rooms=sum(status in IN_THE_ROOM for status in live),
        waiting=live.count(VisitStatus.ARRIVED),
        to_come=live.count(VisitStatus.BOOKED),
        off=len(visits) - len(live),
        free=sum(len(row.free) for row in rows),
        drivers=sum(about in (Matter.DRIVER, Matter.DRIVER_SILENT) for about in wrong),
        vitals=wrong.count(Matter.VITALS),
    )
