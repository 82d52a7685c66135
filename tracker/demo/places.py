"""Where and when the demonstration's visits take place: the wished hour and room, or the nearest that is free."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.demo.courses import Run
from tracker.demo.days import at, is_open
from tracker.demo.people import CLINIC, CLOSING, ZONE
from tracker.rules.availability import STARTS_LANE
from tracker.rules.block import held_spans
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol
from tracker.rules.vocabulary import Role

OPENING, STEP = 8 * 60, 15  # minutes
_GAPS = {"A": (2, 3, 4, 5), "B": (3, 4, 2, 5, 6)}  # days between two visits that a protocol bears
ROOMS = tuple(room.name for room in CLINIC.rooms)
NURSES = tuple(one for one in CLINIC.staff if one.role is Role.NURSE and one.lanes > 1)
DOCTOR = next(one for one in CLINIC.staff if one.role is Role.PHYSICIAN)

Held = tuple[str, int, datetime, datetime]  # resource by name ("" is the patient), lane, from, until


@dataclass(frozen=True)
class Place:
    """A visit's time, room and nurse, and all that it holds."""

    starts_at: datetime
    ends_at: datetime
    room: str
    nurse: str
    held: tuple[Held, ...]


class Places:
    """Gives out places, each once."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int], list[tuple[datetime, datetime]]] = defaultdict(list)

    def settle(self, runs: Sequence[Run], today: date) -> list[list[Place]]:
        """Return the places of every series in order of time: first the days that the story names, then the rest.

        Raises:
            ValueError: A series can't be placed. That is a fault of the story.
        """
        settled = [[self._take(run, day) for day in run.fixed] for run in runs]
        for turn, (run, places) in enumerate(zip(runs, settled, strict=True)):
            for _visit in range(run.before):
                places.insert(0, self._next(run, places[0], -1, turn, today))
            for _visit in range(run.after):
                places.append(self._next(run, places[-1], 1, turn, today))
        return settled

    def _next(self, run: Run, place: Place, way: int, turn: int, today: date) -> Place:
        """Return the next place of a series, one gap further: its protocol's two gaps in turn, else another."""
        first, second, *others = _GAPS[run.protocol.code]
        gaps = (first, second, *others) if (turn + place.starts_at.toordinal()) % 2 else (second, first, *others)
        for gap in gaps:
            day = place.starts_at.astimezone(ZoneInfo(ZONE)).date() + timedelta(days=gap * way)
            if is_open(day) and day != today and (found := self._find(run, day)):
                return self._keep(found)
        raise ValueError(f"{run.family}: nothing is free near {place.starts_at:%Y-%m-%d}")

    def _take(self, run: Run, day: date) -> Place:
        found = self._find(run, day)
        if found is None:
            raise ValueError(f"{run.family}: nothing is free on {day}")
        return self._keep(found)

    def _keep(self, place: Place) -> Place:
        for name, lane, start, end in place.held:
            self._taken[name, lane].append((start, end))
        return place

    def _find(self, run: Run, day: date) -> Place | None:
        return next(self._candidates(run.protocol, day, run.clock, run.room, run.nurse), None)

    def _candidates(self, protocol: Protocol, day: date, clock: str, room: str, nurse: str) -> Iterator[Place]:
        hour, minute = map(int, clock.split(":"))
        wish = hour * 60 + minute
        last = CLOSING - int(protocol.block.total_seconds() // 60)
        for start in sorted({wish, *range(OPENING, last + 1, STEP)}, key=lambda start: (abs(start - wish), start)):
            for room_name in sorted(ROOMS, key=lambda name: name != room):
                for one in sorted(NURSES, key=lambda one: one.initials != nurse):
                    if held := self._held(protocol, day, start, room_name, one.name):
                        begins = at(day, f"{start // 60}:{start % 60:02}")
                        yield Place(begins, begins + protocol.block, room_name, one.name, held)

    def _held(self, protocol: Protocol, day: date, start: int, room: str, nurse: str) -> tuple[Held, ...] | None:
        """Return everything held by a block that starts there; None if something of it is taken."""
        begins = at(day, f"{start // 60}:{start % 60:02}")
        names = {ROOM: room, NURSE: nurse, PHYSICIAN: DOCTOR.name, PATIENT: ""}
        found: list[Held] = []
        for kind, spans in held_spans(protocol).items():
            lanes = next((one.lanes for one in CLINIC.staff if one.name == names[kind]), 1)
            for first, until in spans:
                if kind == NURSE and not self._on_shift(nurse, start + first, start + until):
                    return None
                found_at = (begins + timedelta(minutes=first), begins + timedelta(minutes=until))
                lane = next((n for n in range(1, lanes + 1) if self._free(names[kind], n, *found_at)), None)
                if lane is None:
                    return None
                found.append((names[kind], lane, *found_at))
        infusion = begins + protocol.offset("infusion")
        apart = (nurse, STARTS_LANE, infusion, infusion + timedelta(minutes=protocol.starts_apart))
        return (*found, apart) if self._free(*apart) else None

    def _free(self, name: str, lane: int, start: datetime, end: datetime) -> bool:
        # The patient's own time is free: a series never has two visits on one day.
        return name == "" or all(end <= first or start >= last for first, last in self._taken[name, lane])

    @staticmethod
    def _on_shift(nurse: str, start: int, end: int) -> bool:
        hours = next(one.hours for one in NURSES if one.name == nurse)
        return hours[0] <= start and end <= hours[1]


def ids_of(place: Place, ids: dict[str, UUID], patient_id: UUID) -> list[tuple[UUID, int, datetime, datetime]]:
    """Return what a place holds by the ids of the resources."""
    return [(ids.get(name, patient_id), lane, start, end) for name, lane, start, end in place.held]
