"""Who has whom on a day: nurses and physicians are rows, visits at the same time stand under one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.agenda import Closed, Entry
from tracker.rules.availability import FreeTime
from tracker.rules.block import Span
from tracker.rules.columns import Away, Scale, away
from tracker.rules.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Person:
    """A nurse or a physician; `lanes` is how many patients at once."""

    id: UUID
    name: str
    detail: str
    role: Role
    lanes: int


@dataclass(frozen=True, slots=True)
class Watch:
    """A visit as somebody has it: from the first minute they are needed to the last."""

    entry: Entry
    starts_at: datetime
    ends_at: datetime
    column: int
    span: int
    line: int  # 1 = the first of the row


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody's day. `over` says that at some time there are more patients than they may have."""

    person: Person
    watches: tuple[Watch, ...]
    away: tuple[Away, ...]
    lines: int
    over: bool
    present: bool  # whether they work at all on the day


@dataclass(frozen=True, slots=True)
class Roster:
    """The day by staff."""

    day: date
    first_hour: int
    hours: int
    now_column: int | None
    rows: tuple[PersonRow, ...]


def draw(
    *,
    day: date,
    zone: ZoneInfo,
    hours: tuple[int, int],
    people: Sequence[Person],
    entries: Sequence[Entry],
    held: Mapping[tuple[UUID, Role], Span],
    free: FreeTime,
    closed: Sequence[Closed] = (),
    now: datetime,
) -> Roster:
    """Draw the day by staff.

    Args:
        day: The day in `zone`.
        zone: The clinic's zone.
        hours: The clinic's opening and closing in minutes after local midnight; equal when it is closed.
        people: In the order of the board.
        entries: The day's live visits.
        held: From and until which minute of a visit (by its id) a role is needed.
        free: That day alone.
        closed: Closures of the day.
        now: The instant it is drawn for.
    """
    scale = Scale.around(day, zone, hours, [(one.starts_at, one.ends_at) for one in entries])
    rows = tuple(_row(person, entries, held, scale, free, closed) for person in people)
    now_column = scale.column(now) if scale.holds(now) else None
    return Roster(day, scale.first_hour, scale.hours, now_column, rows)


def _row(
    person: Person,
    entries: Sequence[Entry],
    held: Mapping[tuple[UUID, Role], Span],
    scale: Scale,
    free: FreeTime,
    closed: Sequence[Closed],
) -> PersonRow:
    watches: list[Watch] = []
    ends: list[datetime] = []  # of the last visit on each line
    for entry in sorted(entries, key=lambda one: one.starts_at):
        if person.id not in (entry.nurse_id, entry.physician_id):
            continue
        first, last = (entry.starts_at + timedelta(minutes=at) for at in held[entry.id, person.role])
        line = next((n for n, end in enumerate(ends) if end <= first), len(ends))
        ends[line : line + 1] = [last]
        watches.append(Watch(entry, first, last, scale.column(first), scale.span(first, last), line + 1))
    off = away(free, person.id, scale, closed)
    # A physician is held at both ends of a visit only and may be elsewhere between, so lines say nothing of too many.
    over = person.role is Role.NURSE and len(ends) > person.lanes
    return PersonRow(person, tuple(watches), off, max(1, len(ends)), over, free.present[person.id][0] != 0)
