"""Where each visit of a repair may go, with the lanes that it may take there: what a model is made of."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from tracker.rules.availability import STARTS_LANE, Resource
from tracker.rules.block import Span
from tracker.rules.damage import Standing, Standings
from tracker.rules.plan import PlannedClaim, PlannedVisit
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM
from tracker.rules.repair_chain import Place
from tracker.rules.repair_places import Choice, Held, Places, away, bits_of, second_of

Key = tuple[str, Span]  # a kind of resource, and one span of the block that holds it
Lane = tuple[Resource, int]
Lanes = dict[Key, Lane]


@dataclass(eq=False)
class Spot:
    """A place for a visit with the lanes that it may take there, or (`place` None) where it stands."""

    visit: Standing
    second: int
    day: int
    place: Place | None = None
    lanes: dict[Key, list[Lane]] = field(default_factory=dict)

    @property
    def stays(self) -> bool:
        """Whether the visit is left where it is; a lost one has no place then."""
        return self.place is None

    @property
    def unplaced(self) -> bool:
        """Whether it leaves a lost visit without a place."""
        return self.place is None and self.visit.lost

    @property
    def touched(self) -> bool:
        """Whether a visit moves that had not lost its place."""
        return self.place is not None and not self.visit.lost


class Spots:
    """All spots of all visits in `places`."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.of = {visit.id: list(self._spots(course, visit)) for course in places.courses for visit in course.visits}

    def _spots(self, course: Standings, visit: Standing) -> Iterator[Spot]:
        yield Spot(visit, second_of(visit), self.places.day_of(visit))
        for found in self.places.of(course, visit).values():
            for place in found:
                yield Spot(visit, place.second, place.day, place, self._lanes(course, place))

    def _lanes(self, course: Standings, place: Place) -> dict[Key, list[Lane]]:
        block, found = self.places.block(course), {}
        for kind, usable in self.places.group(course).usable.items():
            free = [one for one in usable if block.starts(one, place.day) >> place.slot & 1]
            for span in block.spans[kind]:
                found[kind, span] = [(one, lane) for one in free for lane in self._free_lanes(one, span, place)]
        return found

    def _free_lanes(self, resource: Resource, span: Span, place: Place) -> list[int]:
        wanted, free = bits_of(span) << place.slot, self.places.free.free
        lanes = range(1, resource.lanes + 1)
        return [n for n in lanes if free[resource.id, n][place.day] & wanted == wanted]

    def held(self, course: Standings, spot: Spot, lanes: Lanes) -> list[Held]:
        """Return what a spot holds with these lanes, day by day."""
        if spot.place is None:
            return self.places.held(spot.visit.claims)
        return [
            (resource_id, lane, spot.day, bits_of(span) << spot.place.slot)
            for resource_id, lane, span in self._spans(course, lanes)
        ]

    def _spans(self, course: Standings, lanes: Lanes) -> list[tuple[UUID, int, Span]]:
        block = self.places.block(course)
        spans = [(one.id, lane, span) for (_kind, span), (one, lane) in lanes.items()]
        spans += [(course.patient_id, 1, span) for span in block.spans[PATIENT]]
        nurses = {one.id for (kind, _span), (one, _lane) in lanes.items() if kind == NURSE}
        return spans + [(nurse, STARTS_LANE, block.apart()) for nurse in nurses]

    def choice(self, course: Standings, spot: Spot, lanes: Lanes) -> Choice:
        """Return a spot with these lanes as what is chosen by it. It is none where the visit stands."""
        assert spot.place is not None
        visit, minute = spot.visit, timedelta(minutes=1)
        who = {kind: one.id for (kind, _span), (one, _lane) in lanes.items()}
        starts_at = self.places.days.instant(spot.day, spot.place.slot)
        claims = tuple(
            PlannedClaim(resource_id, lane, starts_at + span[0] * minute, starts_at + span[1] * minute)
            for resource_id, lane, span in self._spans(course, lanes)
        )
        room, nurse, physician = who[ROOM], who[NURSE], who[PHYSICIAN]
        to = PlannedVisit(visit.ordinal, starts_at, starts_at + course.protocol.block, room, nurse, physician, claims)
        return Choice(to, spot.place.cost + away(visit, room, physician))


def size(places: Places, most: int) -> int:
    """Return about how many literals a model of all spots has; counting ends beyond `most`."""
    total = 0
    for course in places.courses:
        lanes = sum(
            one.lanes * len(places.block(course).spans[kind])
            for kind, usable in places.group(course).usable.items()
            for one in usable
        )
        for visit in course.visits:
            total += (1 + lanes) * sum(map(len, places.of(course, visit).values()))
            if total > most:
                return total
    return total
