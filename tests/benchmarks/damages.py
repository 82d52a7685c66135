"""Clinics whose every visit belongs to a series, and a day that falls out: the same for the same seed.

A large clinic is made of pods of five rooms with staff of their own, booked one by one; the day is repaired for all.
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.availability import Resource, free_time
from tracker.rules.damage import Damage, Standing, Standings
from tracker.rules.plan import PlannedVisit, PlanRequest, Wishes
from tracker.rules.planner import plan
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Protocol
from tracker.rules.protocols import THREE_A_WEEK, TWO_A_WEEK

ZONE = ZoneInfo("America/Denver")
FIRST = date(2026, 2, 23)
NOW = datetime(2026, 2, 23, 14, tzinfo=UTC)
OPEN, CLOSED = 8 * 60, 17 * 60 + 45
WEEKS = 7
LAST = FIRST + timedelta(weeks=WEEKS, days=-1)
HOURS = (time(8), time(10, 30), time(13))  # a room's three places
POD = 5
# The day that falls out. `SHY` of the places that may be taken on a day stay free, since series have to fit.
DAY = FIRST + timedelta(weeks=3)
SHY = 0.16

Share = tuple[float, float]  # of the places, what may be taken: on every day, on the one that falls out
Claims = list[tuple[UUID, int, datetime, datetime]]


@dataclass(frozen=True)
class Booked:
    """One series of one patient."""

    protocol: Protocol
    patient: Resource
    wishes: Wishes
    visits: tuple[PlannedVisit, ...]


def damaged(rooms: int, lost: int, load: float, seed: int) -> Damage:
    """Return a clinic that is closed on a day on which it has `lost` visits.

    `load` is the share of its places that is taken on all days, about: a room has three a day. ValueError: with this
    seed, the day has fewer visits.
    """
    dice = random.Random(f"{rooms} {lost} {load} {seed}")
    pods = [_pod(number, min(POD, rooms - number * POD)) for number in range(-(-rooms // POD))]
    may_be_taken = load + SHY, max(load + SHY, lost / (len(HOURS) * rooms) + SHY)
    series = [one for number, pod in enumerate(pods) for one in _series(number, pod, may_be_taken, dice)]
    return _damage([one for pod in pods for one in pod], _thinned(series, lost))


def _pod(number: int, rooms: int) -> list[Resource]:
    first = number * 10
    nurses = [Resource(UUID(int=200 + first + n), NURSE, f"Nurse {first + n}", 2) for n in range(max(2, rooms - 1))]
    places = [Resource(UUID(int=100 + first + n), ROOM, f"Room {first + n}") for n in range(rooms)]
    return [*places, *nurses, Resource(UUID(int=300 + number), PHYSICIAN, f"Dr {number}", 3)]


def _rows(resources: list[Resource]) -> dict[str, Any]:
    staff = [one for one in resources if one.kind in (NURSE, PHYSICIAN)]
    return {
        "opening": [(weekday, OPEN, CLOSED) for weekday in range(5)],
        "shifts": [(one.id, weekday, OPEN - 15, CLOSED) for one in staff for weekday in range(5)],
    }


def _series(pod: int, resources: list[Resource], share: Share, dice: random.Random) -> list[Booked]:
    rooms = [one for one in resources if one.kind == ROOM]
    claims, series = _blocked(rooms, share, dice), []
    misses = 0
    for number in count():
        patient = Resource(UUID(int=10_000 * (pod + 1) + number), PATIENT, "")
        earliest = FIRST + timedelta(days=dice.randrange(0, 7 * WEEKS - 21))
        last = min(LAST, earliest + timedelta(weeks=4))
        free = free_time(ZONE, FIRST, last, resources=[*resources, patient], claims=claims, **_rows(resources))
        wishes = Wishes(earliest, preferred_time=dice.choice((*HOURS, None)))
        protocol = dice.choice((THREE_A_WEEK, TWO_A_WEEK, TWO_A_WEEK))
        found = plan(PlanRequest(protocol, free, patient.id, wishes, NOW), 1)
        if found:
            series.append(Booked(protocol, patient, wishes, found[0].visits))
            claims += [(c.resource_id, c.lane, c.starts_at, c.ends_at) for v in found[0].visits for c in v.claims]
        misses += not found
        if misses == 5:  # by now the clinic is as full as it may be
            return series
    raise AssertionError


def _blocked(rooms: list[Resource], share: Share, dice: random.Random) -> Claims:
    """Return places that nobody gets while series are booked, so that every day is about as full as another."""
    return [
        (room.id, 1, start, start + timedelta(minutes=150))
        for day in range((LAST - FIRST).days)
        for room in rooms
        for hour in HOURS
        if dice.random() > share[FIRST + timedelta(days=day) == DAY]
        for start in [datetime.combine(FIRST + timedelta(days=day), hour, ZONE)]
    ]


def _on_day(one: Booked) -> bool:
    return any(visit.starts_at.astimezone(ZONE).date() == DAY for visit in one.visits)


def _thinned(series: list[Booked], lost: int) -> list[Booked]:
    """Leave out series, the last ones booked, until as many visits are on the day as are to be lost."""
    affected = [one for one in series if _on_day(one)]
    if len(affected) < lost:
        raise ValueError(f"only {len(affected)} visits on that day")
    surplus = {one.patient.id for one in affected[lost:]}
    return [one for one in series if one.patient.id not in surplus]


def _damage(resources: list[Resource], series: list[Booked]) -> Damage:
    midnight = datetime.combine(DAY, time(), ZONE)
    closed = (None, midnight, midnight + timedelta(days=1))
    everybody = [*resources, *(one.patient for one in series)]
    free = free_time(ZONE, DAY, LAST, resources=everybody, closures=[closed], **_rows(resources))
    ids = count(1)
    courses = [
        Standings(
            one.patient.id,
            one.patient.id,
            one.protocol,
            one.wishes,
            tuple(
                Standing(
                    UUID(int=next(ids)),
                    visit.ordinal,
                    visit.starts_at,
                    visit.room_id,
                    visit.physician_id,
                    visit.claims,
                    lost=visit.starts_at.astimezone(ZONE).date() == DAY,
                    fixed=visit.starts_at < midnight,
                )
                for visit in one.visits
            ),
        )
        for one in series
    ]
    return Damage(free, tuple(courses), midnight)
