"""Clinics of any size with part of their places taken, and what patients ask of them: the same for the same seed."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.availability import Resource, free_time
from tracker.rules.block import Block
from tracker.rules.plan import PlanRequest, Wish, Wishes
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol
from tracker.rules.protocols import (
    ALTERNATE_DAYS,
    FIVE_SHORT_DAYS,
    SINGLE,
    THREE_A_WEEK,
    TWO_A_WEEK,
    WEEKLY,
)

ZONE = ZoneInfo("America/Denver")
FIRST = date(2026, 2, 23)  # clocks change in the second week
OPEN, CLOSED = 8 * 60, 17 * 60 + 45
NOW = datetime(2026, 2, 23, 14, tzinfo=UTC)
BLOCK = 150
A_DAY = 3  # blocks that fit into a room's day
PROTOCOLS = (THREE_A_WEEK, TWO_A_WEEK, FIVE_SHORT_DAYS, SINGLE, ALTERNATE_DAYS, TWO_A_WEEK, WEEKLY, TWO_A_WEEK)


@dataclass(frozen=True)
class Instance:
    """The rows that a service would have read, and what is asked."""

    rows: dict[str, Any]
    last: date
    patient_id: UUID
    wishes: Wishes
    seed: int

    def request(self, *, hard: frozenset[Wish] | None = None) -> PlanRequest:
        """Do what planning does after the database has answered; `hard` replaces which wishes are.

        Protocols go round, two a week most often. Of every fifth course some visits were given in the weeks before.
        """
        free = free_time(ZONE, FIRST, self.last, **self.rows)
        protocol = PROTOCOLS[self.seed % len(PROTOCOLS)]
        wishes = self.wishes if hard is None else replace(self.wishes, hard=hard)
        given = _given(protocol) if self.seed % 5 == 4 else ()
        return PlanRequest(protocol, free, self.patient_id, wishes, NOW, given)


def _given(protocol: Protocol) -> tuple[datetime, ...]:
    """Return a third of a protocol's visits, in its rhythm, the last one on the Friday before."""
    count = protocol.visits // 3
    gaps = [protocol.rhythm[n % len(protocol.rhythm)] for n in range(count - 1)]
    days = [FIRST - timedelta(days=3 + sum(gaps[n:])) for n in range(count)]
    return tuple(datetime.combine(day, time(10), ZONE) for day in days)


def instance(rooms: int, load: float, seed: int, weeks: int = 6) -> Instance:
    """Make one instance. `load` is the share of the places that are taken: a room has three a day."""
    dice = random.Random(f"{rooms} {load} {seed} {weeks}")
    staff = [Resource(UUID(int=200 + n), NURSE, f"Nurse {n}", 2) for n in range(max(2, -(-rooms * 2 // 3)))]
    staff += [Resource(UUID(int=300 + n), PHYSICIAN, f"Dr {n}", 3) for n in range(-(-rooms // 6))]
    places = [Resource(UUID(int=100 + n), ROOM, f"Room {n}") for n in range(rooms)]
    patient = Resource(UUID(int=1), PATIENT, "")
    rows: dict[str, Any] = {
        "resources": [*places, *staff, patient],
        "opening": [(weekday, OPEN, CLOSED) for weekday in range(5)],
        "shifts": [
            (one.id, weekday, OPEN - 15, CLOSED) for one in staff for weekday in range(5) if dice.random() < 0.9
        ],
        "closures": [],
        "claims": [],
    }
    last = FIRST + timedelta(days=7 * weeks - 1)
    _fill(rows, places, load, last, dice)
    return Instance(rows, last, patient.id, _wishes(places, staff, dice), seed)


def _fill(rows: dict[str, Any], rooms: list[Resource], load: float, last: date, dice: random.Random) -> None:
    """Book others into the clinic, room by room, with slack of a quarter of an hour here and there."""
    free = free_time(ZONE, FIRST, last, **rows)
    for day in range(free.days.count):
        for room in rooms:
            starts = _starts(dice) if free.present[room.id][day] else []
            for minute in starts:
                slot = free.days.slot(day, minute)
                if dice.random() < load and slot is not None:
                    _book(rows, free, room, day, slot, dice)


def _starts(dice: random.Random) -> list[int]:
    slack = sorted(dice.randrange((CLOSED - OPEN - A_DAY * BLOCK) // 15 + 1) * 15 for _ in range(A_DAY))
    return [OPEN + n * BLOCK + late for n, late in enumerate(slack)]


def _book(rows: dict[str, Any], free: Any, room: Resource, day: int, slot: int, dice: random.Random) -> None:
    block = Block(TWO_A_WEEK, free)  # anew: what is free has changed
    nurses, physicians = block.free_at(NURSE, day, slot), block.free_at(PHYSICIAN, day, slot)
    if not nurses or not physicians:
        return
    visit = block.place(1, day, slot, room, dice.choice(nurses), dice.choice(physicians), UUID(int=9))
    for claim in visit.claims:
        rows["claims"].append((claim.resource_id, claim.lane, claim.starts_at, claim.ends_at))
        if bitmaps := free.free.get((claim.resource_id, claim.lane)):
            for on, bits in free.days.spread(claim.starts_at, claim.ends_at):
                bitmaps[on] &= ~bits


def _wishes(rooms: list[Resource], staff: list[Resource], dice: random.Random) -> Wishes:
    hours = dice.choice((None, None, time(9), time(10, 30), time(13)))
    return Wishes(
        earliest=FIRST + timedelta(days=dice.randrange(8)),
        weekdays=frozenset({0, 1, 2, 4}) if dice.random() < 0.25 else frozenset(),
        days_off=frozenset({FIRST + timedelta(days=dice.randrange(30))}),
        arrive_from=time(9) if dice.random() < 0.25 else None,
        leave_by=time(16) if dice.random() < 0.15 else None,
        preferred_time=hours,
        room_id=dice.choice(rooms).id if dice.random() < 0.2 else None,
        clinician_id=dice.choice(staff).id if dice.random() < 0.2 else None,
        hard=frozenset({Wish.WEEKDAYS, Wish.DAYS_OFF, Wish.HOURS}),
    )
