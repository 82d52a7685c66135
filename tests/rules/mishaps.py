"""A clinic in which something falls out, what a repair of it must never do, and every repair there is, tried.

Shares no code with the repair but the types of its input: datetimes and lists instead of bitmaps, numbers written out
for the visits of `brute.quick_phases` (75 minutes).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise, product
from uuid import UUID

from tests.rules.brute import MINUTE, UTC, Interval, quick_phases, rounded, without
from tests.rules.clinics import ClinicWeek
from tracker.rules.availability import STARTS_LANE, FreeTime, Resource, free_time
from tracker.rules.damage import Damage, Standing, Standings
from tracker.rules.plan import PlannedClaim, PlannedVisit, PlanRequest, Wish, Wishes
from tracker.rules.planner import place, plan
from tracker.rules.protocol import NURSE, PATIENT, PHYSICIAN, ROOM, Hold, Protocol
from tracker.rules.repair import Repair

PUMP = Resource(UUID(int=41), "pump", "Pump 1")
SPANS = {PATIENT: [(0, 65)], ROOM: [(0, 75)], NURSE: [(10, 65)], PHYSICIAN: [(10, 25), (55, 65)], "pump": [(25, 45)]}
INFUSION = 25 * MINUTE  # after the visit's start

Taken = dict[tuple[UUID, int], list[Interval]]


def with_pump(protocol: Protocol) -> Protocol:
    phases = [
        replace(phase, holds=(*phase.holds, Hold("pump"))) if phase.name == "infusion" else phase
        for phase in quick_phases()
    ]
    return replace(protocol, phases=tuple(phases))


@dataclass
class Mishap:
    """A clinic with courses booked, told in a coordinator's words; then something is closed."""

    clinic: ClinicWeek
    now: datetime
    courses: list[Standings] = field(default_factory=list)
    patients: list[Resource] = field(default_factory=list)
    _hours: dict[UUID, list[Interval]] = field(default_factory=dict)

    def free(self, claims: list[tuple[UUID, int, datetime, datetime]]) -> FreeTime:
        staff = [one.id for one in self.clinic.resources if one.kind in (NURSE, PHYSICIAN)]
        last = self.clinic.first + timedelta(days=self.clinic.days - 1)
        return free_time(
            self.clinic.zone,
            self.clinic.first,
            last,
            resources=(*self.clinic.resources, *self.patients),
            opening=self.clinic.opening,
            shifts=[(one, *hours) for one in staff for hours in self.clinic.opening],
            closures=self.clinic.closures,
            claims=claims,
        )

    def book(self, protocol: Protocol, *starts: str, again: bool = False, **wishes: object) -> Standings | None:
        """Book a course as the planner would, or at these local times with whoever is free.

        It is a new patient's; `again`: the last one's, beside the other course.
        """
        if not again or not self.patients:
            self.patients.append(Resource(UUID(int=1000 + len(self.patients)), PATIENT, ""))
        patient = self.patients[-1]
        asked = replace(Wishes(self.clinic.first), **wishes)
        begins = datetime.combine(self.clinic.first, datetime.min.time(), self.clinic.zone)
        found: list[PlannedVisit] = []
        for start in starts:
            held = [(c.resource_id, c.lane, c.starts_at, c.ends_at) for visit in found for c in visit.claims]
            day = replace(asked, earliest=self.clinic.at(start).date(), also=frozenset(), preferred_time=None)
            single = PlanRequest(replace(protocol, visits=1), self.free(self.claims + held), patient.id, day, begins)
            found.append(_exactly(single, len(found) + 1, self.clinic.at(start)))
        if not starts:
            plans = plan(PlanRequest(protocol, self.free(self.claims), patient.id, asked, begins), 1)
            found = list(plans[0].visits) if plans else []
        if not found:
            return None
        visits = tuple(self._standing(visit) for visit in found)
        self.courses.append(Standings(UUID(int=5000 + len(self.courses)), patient.id, protocol, asked, visits))
        return self.courses[-1]

    def _standing(self, visit: PlannedVisit) -> Standing:
        number = len(self.courses) * 100 + visit.ordinal
        fixed = visit.starts_at < self.now
        places = visit.room_id, visit.physician_id
        return Standing(UUID(int=number), visit.ordinal, visit.starts_at, *places, visit.claims, fixed=fixed)

    @property
    def claims(self) -> list[tuple[UUID, int, datetime, datetime]]:
        held = [claim for course in self.courses for visit in course.visits for claim in visit.claims]
        return [*self.clinic.claims, *((c.resource_id, c.lane, c.starts_at, c.ends_at) for c in held)]

    def damage(self, *, keep: frozenset[UUID] = frozenset()) -> Damage:
        """Return what is to be repaired; the visits in `keep` are left where they are."""
        courses = []
        self._hours.clear()
        for course in self.courses:
            visits = [
                replace(
                    visit,
                    lost=not visit.fixed and not self.is_there(visit.claims),
                    fixed=visit.fixed or visit.id in keep,
                )
                for visit in course.visits
            ]
            courses.append(replace(course, visits=tuple(visits)))
        return Damage(self.free(self.clinic.claims), tuple(courses), self.now)

    @property
    def by_id(self) -> dict[UUID, Resource]:
        return {one.id: one for one in (*self.clinic.resources, *self.patients)}

    def hours(self, resource: Resource) -> list[Interval]:
        """When it is there, closures taken away."""
        if resource.id not in self._hours:
            self._hours[resource.id] = self._find_hours(resource)
        return self._hours[resource.id]

    def _find_hours(self, resource: Resource) -> list[Interval]:
        clinic = self.clinic
        days = [clinic.first + timedelta(days=n) for n in range(clinic.days)]
        if resource.kind == PATIENT:
            return [(clinic.at(f"{days[0]} 00:00"), clinic.at(f"{days[-1] + timedelta(days=1)} 00:00"))]
        found = [
            (clinic.at(f"{day} {first // 60:02}:{first % 60:02}"), clinic.at(f"{day} {last // 60:02}:{last % 60:02}"))
            for day in days
            for weekday, first, last in clinic.opening
            if weekday == day.weekday()
        ]
        for closed, start, end in clinic.closures:
            if closed in (None, resource.id):
                gone = rounded(start)[0], rounded(end)[1]
                found = [part for one in found for part in without(one, gone)]
        return found

    def is_there(self, claims: tuple[PlannedClaim, ...]) -> bool:
        """Whether all that is held is there; who is held twice (a physician) also between."""
        spans: dict[UUID, list[datetime]] = {}
        for claim in claims:
            spans.setdefault(claim.resource_id, []).extend((claim.starts_at, claim.ends_at))
        return all(
            any(start <= min(span) and max(span) <= end for start, end in self.hours(self.by_id[one]))
            for one, span in spans.items()
        )

    # What a repair must never do

    def faults(self, damage: Damage, found: Repair) -> list[str]:
        """List in words what is wrong with a repair."""
        moved = {change.visit.id: change.to for change in found.changes}
        course_of = {visit.id: course for course in damage.courses for visit in course.visits}
        return [
            *self._account(damage, found),
            *self._overlaps(damage, moved),
            *(fault for one in found.changes for fault in self._place(course_of[one.visit.id], one.visit, one.to)),
            *(fault for course in damage.courses for fault in self._gaps(course, moved)),
        ]

    def _account(self, damage: Damage, found: Repair) -> Iterator[str]:
        """Every lost visit is moved or said to be unplaced; what is fixed, and what is unknown, is left alone."""
        known = {visit.id: visit for course in damage.courses for visit in course.visits}
        moved = [change.visit.id for change in found.changes]
        unplaced = [visit.id for visit in found.unplaced]
        lost = {visit.id for visit in known.values() if visit.lost and not visit.fixed}
        if len({*moved, *unplaced}) < len(moved) + len(unplaced):
            yield "a visit is told of twice"
        if {*unplaced} | {one for one in moved if known[one].lost} != lost:
            yield "not every lost visit is told of"
        for change in found.changes:
            if known[change.visit.id] != change.visit:
                yield "a change of an unknown visit"
            if change.visit.fixed or change.visit.starts_at < self.now:
                yield f"{change.visit.id.int} is fixed but moved"
            if {*change.to.claims} == {*change.visit.claims}:
                yield f"{change.visit.id.int} is moved to where it is"
            if change.to.ordinal != change.visit.ordinal:
                yield "another ordinal"

    def _overlaps(self, damage: Damage, moved: dict[UUID, PlannedVisit]) -> Iterator[str]:
        """Nothing is held twice, whether it is new, kept, frozen, or kept by a lost visit that has no other place."""
        taken: Taken = {}
        starts: dict[UUID, list[datetime]] = {}
        for who, lane, start, end in self.clinic.claims:
            taken.setdefault((who, lane), []).append((start, end))
        for visit in (visit for course in damage.courses for visit in course.visits):
            to = moved.get(visit.id, visit)
            for claim in to.claims:
                taken.setdefault((claim.resource_id, claim.lane), []).append((claim.starts_at, claim.ends_at))
            for nurse in {c.resource_id for c in to.claims if self.by_id[c.resource_id].kind == NURSE}:
                starts.setdefault(nurse, []).append(to.starts_at + INFUSION)
        for (who, lane), spans in taken.items():
            if any(two[0] < one[1] for one, two in pairwise(sorted(spans))):
                yield f"{self.by_id[who].name} is taken twice in lane {lane}"
        for nurse, moments in starts.items():
            if any(two - one < 15 * MINUTE for one, two in pairwise(sorted(moments))):
                yield f"{self.by_id[nurse].name} starts two infusions within 15 minutes"

    def _place(self, course: Standings, visit: Standing, to: PlannedVisit) -> Iterator[str]:
        wishes, local = course.wishes, to.starts_at.astimezone(self.clinic.zone)
        said = f"{visit.id.int} at {self.clinic.say(to.starts_at)}: "
        if to.starts_at < self.now or local.minute % 15:
            yield said + "too early, or not on a quarter of an hour"
        if not self.is_there(to.claims):
            yield said + "something isn't there"
        if wishes_broken(self.clinic, wishes, to, {self.by_id[c.resource_id].id for c in to.claims}):
            yield said + "a hard wish is broken"
        kinds = {kind for phase in course.protocol.phases for kind in (hold.what for hold in phase.holds)} | {PATIENT}
        expected = sorted((kind, False, span) for kind in kinds for span in SPANS[kind])
        held = sorted((self.by_id[c.resource_id].kind, c.lane == STARTS_LANE, minutes(to, c)) for c in to.claims)
        if held != sorted([*expected, (NURSE, True, (25, 40))]) or to.ends_at != to.starts_at + 75 * MINUTE:
            yield said + f"holds {held}"
        who = {kind: {c.resource_id for c in to.claims if self.by_id[c.resource_id].kind == kind} for kind in kinds}
        if any(len(ids) > 1 for ids in who.values()):
            yield said + "two where one should be"
        if (who[ROOM], who[NURSE], who[PHYSICIAN]) != ({to.room_id}, {to.nurse_id}, {to.physician_id}):
            yield said + "says other names than it holds"
        if who[PATIENT] != {course.patient_id}:
            yield said + "another patient"
        if any(c.lane != STARTS_LANE and not 1 <= c.lane <= self.by_id[c.resource_id].lanes for c in to.claims):
            yield said + "no such lane"

    def _gaps(self, course: Standings, moved: dict[UUID, PlannedVisit]) -> Iterator[str]:
        if may_follow(self.clinic, course, [moved[v.id].starts_at if v.id in moved else None for v in course.visits]):
            return
        yield f"course {course.course_id.int}: the gaps or the span"


def _exactly(request: PlanRequest, ordinal: int, start: datetime) -> PlannedVisit:
    return place(request, ordinal, start.astimezone(UTC))


def minutes(visit: PlannedVisit, claim: PlannedClaim) -> tuple[int, int]:
    return (claim.starts_at - visit.starts_at) // MINUTE, (claim.ends_at - visit.starts_at) // MINUTE


def wishes_broken(clinic: ClinicWeek, wishes: Wishes, to: PlannedVisit, held: set[UUID]) -> bool:
    """Whether a hard wish is broken. Of a room or a clinician the clinic has not, nobody may ask."""
    local = to.starts_at.astimezone(clinic.zone)
    leaves = (to.starts_at + 65 * MINUTE).astimezone(clinic.zone)
    broken = {
        Wish.WEEKDAYS: wishes.weekdays and local.weekday() not in wishes.weekdays,
        Wish.DAYS_OFF: local.date() in wishes.days_off,
        Wish.HOURS: (wishes.arrive_from and local.time() < wishes.arrive_from)
        or (wishes.leave_by and leaves.time() > wishes.leave_by),
        Wish.ROOM: wishes.room_id and wishes.room_id not in held,
        Wish.CLINICIAN: wishes.clinician_id and wishes.clinician_id not in held,
    }
    return local.date() < wishes.earliest or any(bad and wish in wishes.hard for wish, bad in broken.items())


def may_follow(clinic: ClinicWeek, course: Standings, moved: list[datetime | None]) -> bool:
    """Whether a course's visits may be at these starts; None: it stays, and two that stay may be as they are."""
    protocol, granted = course.protocol, course.wishes.longest_gap
    more = max(0, granted - protocol.max_gap.days) if granted else 0
    starts = [to or visit.starts_at for to, visit in zip(moved, course.visits, strict=True)]
    for (one, two), (from_, to) in zip(pairwise(starts), pairwise(moved), strict=True):
        kept = protocol.min_gap <= two - one <= protocol.max_gap + timedelta(days=more)
        if (from_ or to) and not kept:
            return False
    days = [start.astimezone(clinic.zone).date() for start in (starts[0], starts[-1])]
    return not (moved[0] or moved[-1]) or (days[1] - days[0]).days <= protocol.max_span_days + more


class EveryRepair:
    """All repairs of a small mishap, tried one after the other."""

    def __init__(self, mishap: Mishap, damage: Damage, *, others: bool) -> None:
        self.mishap, self.others = mishap, others
        self.visits = [(course, visit) for course in damage.courses for visit in course.visits]
        self.tries = 0
        self.taken: Taken = {}
        for who, lane, start, end in mishap.clinic.claims:
            self.taken.setdefault((who, lane), []).append((start, end))
        self._take([claim for _course, visit in self.visits if not self._movable(visit) for claim in visit.claims])
        self.options = {visit.id: list(self._options(*one)) for one in self.visits if self._movable(visit := one[1])}

    def _movable(self, visit: Standing) -> bool:
        return not visit.fixed and (visit.lost or self.others)

    def least(self) -> tuple[int, int] | None:
        """Return the fewest unplaced, and with those the fewest touched. None: too many to try."""
        lost = sum(visit.lost and not visit.fixed for _course, visit in self.visits)
        for unplaced, touched in product(range(lost + 1), range(len(self.visits) - lost + 1 if self.others else 1)):
            try:
                if self._search(0, [], unplaced, touched):
                    return unplaced, touched
            except TimeoutError:
                return None
        raise AssertionError("all may stay")

    def _search(self, number: int, moved: list[datetime | None], unplaced: int, touched: int) -> bool:
        self.tries += 1
        if self.tries > 20_000:
            raise TimeoutError
        if number == len(self.visits):
            return True
        course, visit = self.visits[number]
        first = number == 0 or self.visits[number - 1][0] is not course
        moved = [] if first else moved
        stay = not self._movable(visit)
        if (stay or (unplaced if visit.lost else True)) and self._goes(course, [*moved, None]):
            left = unplaced - (visit.lost and not stay), touched
            if stay and self._search(number + 1, [*moved, None], *left):
                return True
            if not stay and self._with(visit.claims, number, [*moved, None], *left):
                return True
        if stay or not (visit.lost or touched):
            return False
        left = unplaced, touched - (not visit.lost)
        return any(
            self._with(claims, number, [*moved, start], *left)
            for start, claims in self.options[visit.id]
            if self._goes(course, [*moved, start])
        )

    def _goes(self, course: Standings, moved: list[datetime | None]) -> bool:
        upto = len(moved)
        if upto == len(course.visits):
            return may_follow(self.mishap.clinic, course, moved)
        part = replace(course, visits=course.visits[:upto], protocol=replace(course.protocol, max_span_days=99))
        return may_follow(self.mishap.clinic, part, moved)

    def _with(self, claims: tuple[PlannedClaim, ...], number: int, moved: list, unplaced: int, touched: int) -> bool:
        if not self._is_free(claims):
            return False
        self._take(claims)
        found = self._search(number + 1, moved, unplaced, touched)
        for claim in claims:
            self.taken[claim.resource_id, claim.lane].remove((claim.starts_at, claim.ends_at))
        return found

    def _take(self, claims) -> None:
        for claim in claims:
            self.taken.setdefault((claim.resource_id, claim.lane), []).append((claim.starts_at, claim.ends_at))

    def _is_free(self, claims: tuple[PlannedClaim, ...]) -> bool:
        return all(
            claim.ends_at <= start or end <= claim.starts_at
            for claim in claims
            for start, end in self.taken.get((claim.resource_id, claim.lane), ())
        )

    def _options(self, course: Standings, visit: Standing) -> Iterator[tuple[datetime, tuple[PlannedClaim, ...]]]:
        clinic = self.mishap.clinic
        kinds = {hold.what for phase in course.protocol.phases for hold in phase.holds}
        for day, (weekday, first, last) in product(range(clinic.days), clinic.opening):
            date = clinic.first + timedelta(days=day)
            for minute in range(-(-first // 15) * 15, last - 74, 15) if date.weekday() == weekday else ():
                start = clinic.at(f"{date} {minute // 60:02}:{minute % 60:02}").astimezone(UTC)
                of_kind = [[one for one in clinic.resources if one.kind == kind] for kind in sorted(kinds)]
                for who in product(*of_kind) if start >= self.mishap.now else ():
                    for claims in self._held(course, visit, start, who):
                        yield start, claims

    def _held(self, course, visit, start, who) -> Iterator[tuple[PlannedClaim, ...]]:
        spans = [(one, span) for one in (*who, self.mishap.by_id[course.patient_id]) for span in SPANS[one.kind]]
        for lanes in product(*(range(1, one.lanes + 1) for one, _span in spans)):
            held = [(one.id, lane, *span) for (one, span), lane in zip(spans, lanes, strict=True)]
            held += [(one.id, STARTS_LANE, 25, 40) for one in who if one.kind == NURSE]
            claims = tuple(PlannedClaim(a, lane, start + x * MINUTE, start + y * MINUTE) for a, lane, x, y in held)
            names = [next(one.id for one in who if one.kind == kind) for kind in (ROOM, NURSE, PHYSICIAN)]
            to = PlannedVisit(visit.ordinal, start, start + 75 * MINUTE, *names, claims)
            broken = wishes_broken(self.mishap.clinic, course.wishes, to, {one.id for one in who})
            if not broken and self._is_free(claims) and self.mishap.is_there(claims):
                yield claims
