"""Everything a desk does to series, in any order, against a model that is nothing but dictionaries.

The model knows who has which numbers live and where, what was missed and not made up for, and which days fell out.
After each step the database has to say the same, the claims have to be exactly what the visits need, and the messages
that wait have to fit.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from tests import bedside, claims
from tests.services.diary import MONDAY, Diary
from tracker import db, jobs
from tracker.errors import Refused, Stale
from tracker.models import Closure, Course, Job, Reminder, Visit
from tracker.rules.cadence import Purpose
from tracker.rules.delivery import LIVE, UNSENT
from tracker.rules.visit import NOT_COUNTED, Move
from tracker.rules.vocabulary import CourseStatus, ReminderStatus, VisitStatus
from tracker.services import affected, clinic, closing, damage, moving, places, reminders, repair
from tracker.services import jobs as job_rows

PEOPLE = ("Ada", "Ben", "Cleo", "Dov", "Eve")
CODES = ("A", "B", "F")
PICK = st.integers(0, 1 << 20)  # of whatever there is
ROOMS = ("Sage", "Juniper", "Mesa")
LOST = (None, "Sage", "Juniper", "J. Adeyemi", "K. Mori")  # the clinic, or one of it
WEIGHTS = {"book": 3, "move": 4, "drop_from_an_old_board": 1, "look_for_places": 20, "apply": 12, "open_again": 1}
Step = Callable[[int, int, int], None]
Where = tuple[datetime, UUID]
done: Counter[str] = Counter()  # what came of the steps that were taken, in all clinics of this process
TELLS_DATES = (Purpose.ITINERARY, Purpose.CHANGED)


@dataclass
class Series:
    """What the model knows of one series. Numbers are those of the visits."""

    course: Course
    name: str
    visits: int
    live: dict[int, tuple[UUID, Where]]
    given: set[UUID] = field(default_factory=set)
    off: dict[UUID, int] = field(default_factory=dict)  # missed or cancelled
    lost: set[UUID] = field(default_factory=set)  # told that their day falls out, without another place yet

    @property
    def missing(self) -> list[int]:
        """The numbers that nobody holds."""
        return [n for n in range(1, self.visits + 1) if n not in self.live]

    @property
    def booked(self) -> dict[int, UUID]:
        """The visits that are still to be given."""
        return {n: visit for n, (visit, _where) in self.live.items() if visit not in self.given}


class Desk(RuleBasedStateMachine):
    """One clinic of its own for each run."""

    def __init__(self) -> None:
        super().__init__()
        self.diary = Diary()
        self.house = self.diary.house
        self.series: list[Series] = []
        self.told: Series | None = None  # whose dates were just changed
        self.closed = False  # whether something is
        self.sent = False  # whether all that tells dates has left
        self.found: tuple[Job, set[UUID]] | None = None  # a proposal, and the series that changed since

    # What the rules have in common

    def pick(self, things: Any, number: int) -> Any:
        """Return one of what there is."""
        return [*things][number % len(things)]

    def any_series(self, number: int) -> Series:
        return self.series[number % len(self.series)]

    def of(self, visit_id: UUID) -> tuple[Series, int]:
        """Return the series and the number of a visit that counts."""
        return next((one, n) for one in self.series for n, (visit, _) in one.live.items() if visit == visit_id)

    def row(self, visit_id: UUID) -> Visit:
        with db.read() as session:
            return session.get_one(Visit, visit_id)

    def put(self, series: Series, number: int, visit_id: UUID, where: Where) -> None:
        """Let the model know where a visit stands now; whoever has a new hour is lost no more."""
        before = series.live.get(number)
        if before is None or before[1][0] != where[0] or visit_id in series.lost:
            self.told, self.sent = series, False
            series.lost.discard(visit_id)
        series.live[number] = (visit_id, where)
        self.changed(series)

    def changed(self, series: Series) -> None:
        if self.found:
            self.found[1].add(series.course.id)

    def ids(self, series: Series) -> dict[int, UUID]:
        """Return the numbers and visits that count as the database has them."""
        with db.read() as session:
            query = select(Visit).where(Visit.course_id == series.course.id, Visit.status.not_in(NOT_COUNTED))
            return {visit.ordinal: visit.id for visit in session.scalars(query)}

    # What a desk does

    @rule(what=PICK, which=PICK, number=PICK, other=PICK)
    def step(self, what: int, which: int, number: int, other: int) -> None:
        """Do one of the things that can be done. What is drawn never depends on what the database says."""
        self.diary.now += timedelta(seconds=1)
        open_now = [do for do, can in self.steps().items() if can for _ in range(WEIGHTS.get(do.__name__, 2))]
        do = open_now[what % len(open_now)]
        note(f"{do.__name__} {which} {number} {other}")
        do(which, number, other)

    def steps(self) -> dict[Step, bool]:
        """Return everything a desk does, and whether there is anything to do it with."""
        booked = any(one.booked for one in self.series)
        missed = any(n in one.missing for one in self.series for n in one.off.values())
        with_booked = (self.move, self.drop, self.drop_from_an_old_board, self.cancel, self.miss, self.give)
        return dict.fromkeys((*with_booked, self.lose_a_day, self.close_and_tell), booked) | {
            self.book: len(self.series) < 7,
            self.shift: True,
            self.replace: missed,
            self.look_for_places: self.closed and not self.found and bool(self.affected()),
            self.apply: self.found is not None,
            self.open_again: self.closed and not self.found,
            self.send: not self.sent,
        }

    @initialize(chosen=st.lists(PICK, min_size=3, max_size=3))
    def begin(self, chosen: list[int]) -> None:
        """Nobody starts with an empty book."""
        for n, one in enumerate(chosen):
            self.book_one(PEOPLE[n], CODES[one % len(CODES)], one % 7, one)

    def book(self, which: int, number: int, other: int) -> None:
        self.book_one(PEOPLE[which % len(PEOPLE)], CODES[number % len(CODES)], other % 20, number)

    def book_one(self, name: str, code: str, later: int, plan: int) -> None:
        first = max(MONDAY, self.diary.now.date()) + timedelta(days=later)
        plans = self.diary.options(name, code, first=first).plans
        if not plans:
            return
        chosen = plans[plan % len(plans)]
        course = self.diary.book(name, chosen, code, first=first, now=self.diary.now)
        done["book"] += 1
        series = Series(course, name, len(chosen.visits), {})
        self.series.append(series)
        ids = self.ids(series)
        for one in chosen.visits:
            self.put(series, one.ordinal, ids[one.ordinal], (one.starts_at, one.room_id))

    def move(self, which: int, number: int, place: int) -> None:
        series, n, visit = self.any_booked(which, number)
        found = self.diary.move_options(visit)
        if found:
            wanted = places.as_place(found[place % len(found)].visit)
            self.diary.move(visit, wanted, reason="a cold")
            done["move"] += 1
            self.put(series, n, visit.id, (wanted.starts_at, wanted.room_id))

    def drop(self, which: int, number: int, other: int) -> None:
        """Move it to where nobody looked whether it is free."""
        series, n, visit = self.any_booked(which, number)
        quarters = other % 17 - 8
        room = self.house.resources[ROOMS[other % len(ROOMS)]]
        place = places.Place(visit.starts_at + quarters * timedelta(minutes=15), room)
        try:
            self.diary.move(visit, place)
        except Refused:
            return
        self.put(series, n, visit.id, (place.starts_at, place.room_id))

    def drop_from_an_old_board(self, which: int, number: int, _other: int) -> None:
        _series, _n, visit = self.any_booked(which, number)
        visit.version -= 1
        try:
            self.diary.move(visit, places.Place(visit.starts_at, visit.room_id))
        except Stale:
            return
        raise AssertionError("a visit was moved by a page that was old")

    def any_booked(self, which: int, number: int) -> tuple[Series, int, Visit]:
        series = self.pick([one for one in self.series if one.booked], which)
        n = self.pick(series.booked, number)
        return series, n, self.row(series.booked[n])

    def shift(self, which: int, number: int, plan: int) -> None:
        series = self.any_series(which)
        first = min([1 + number % series.visits, *series.missing])
        try:
            found = self.diary.shift_options(series.course, first, self.diary.now)
        except Refused:
            over = len(series.given) == series.visits
            assert over or any(n >= first for n, (visit, _) in series.live.items() if visit in series.given)
            return
        if not found.plans:
            return
        assert found.first == first
        chosen = found.plans[plan % len(found.plans)]
        self.diary.shift(series.course, found, plan % len(found.plans), self.diary.now)
        done["shift"] += 1
        ids = self.ids(series)
        for one in chosen.visits:
            assert one.ordinal not in series.live or series.live[one.ordinal][0] == ids[one.ordinal]
            self.put(series, one.ordinal, ids[one.ordinal], (one.starts_at, one.room_id))

    def cancel(self, which: int, number: int, _other: int) -> None:
        series, n, visit = self.any_booked(which, number)
        self.diary.cancel(visit)
        done["cancel"] += 1
        if visit.starts_at > self.diary.now:
            self.told, self.sent = series, False
        self.take_off(series, n)

    def take_off(self, series: Series, n: int) -> None:
        visit_id, _where = series.live.pop(n)
        series.off[visit_id] = n
        series.lost.discard(visit_id)
        self.changed(series)

    def next_visit(self) -> tuple[Series, int, Visit]:
        """Return whoever comes next; it is her hour now, if it wasn't before."""
        booked = [(where[0], one, n) for one in self.series for n, (v, where) in one.live.items() if v not in one.given]
        starts_at, series, n = min(booked, key=lambda one: one[0])
        self.diary.now = max(self.diary.now, starts_at + timedelta(minutes=1))
        return series, n, self.row(series.live[n][0])

    def miss(self, *_numbers: int) -> None:
        series, n, visit = self.next_visit()
        bedside.move(self.house.coordinator, visit.id, Move.NO_SHOW, self.diary.now)
        done["miss"] += 1
        self.take_off(series, n)

    def give(self, *_numbers: int) -> None:
        series, _n, visit = self.next_visit()
        try:
            bedside.discharge(self.house, visit.id, start=self.diary.now)
        except Refused:  # half way through, which no page shows
            with db.transaction() as session:
                session.get_one(Visit, visit.id).status = VisitStatus.DISCHARGED
        self.diary.now += timedelta(hours=3)
        done["give"] += 1
        series.given.add(visit.id)
        series.lost.discard(visit.id)
        self.changed(series)

    def replace(self, which: int, number: int, place: int) -> None:
        series = self.pick([one for one in self.series if {*one.off.values()} & {*one.missing}], which)
        missed = self.pick([visit for visit, n in series.off.items() if n in series.missing], number)
        gone = series.off[missed]
        found = self.diary.replacement(self.row(missed), self.diary.now)
        choices = [*((gone, one) for one in found.between), *((series.visits, one) for one in found.at_end)]
        if not choices:
            return
        n, chosen = choices[place % len(choices)]
        new = self.diary.replace(self.row(missed), found, chosen, self.diary.now)
        done["replace"] += 1
        if (n, chosen) in choices[len(found.between) :]:
            series.live = {m - (m > gone): one for m, one in series.live.items()}
            series.off = {visit: m - (m > gone) for visit, m in series.off.items()}
        self.put(series, n, new.id, (chosen.visit.starts_at, chosen.visit.room_id))

    # Days that fall out

    def lose_a_day(self, which: int, number: int, other: int) -> None:
        day = self.day_of(self.any_booked(which, number)[2].starts_at)
        first = datetime.combine(day, time(), self.house.clinic.zone)
        who = LOST[other % len(LOST)]
        resource = self.house.resources[who] if who else None
        with db.transaction() as session:
            of = {"clinic_id": self.house.clinic.id, "resource_id": resource, "reason": "snow"}
            session.add(Closure(**of, starts_at=first, ends_at=first + timedelta(days=1)))
        self.closed = True
        if self.found:
            self.found[1].add(self.house.clinic.id)

    def day_of(self, instant: datetime) -> date:
        return instant.astimezone(self.house.clinic.zone).date()

    def open_again(self, *_numbers: int) -> None:
        self.closed = False
        with db.transaction() as session:
            for row in session.scalars(select(Closure).where(Closure.clinic_id == self.house.clinic.id)):
                session.delete(row)

    def close_and_tell(self, which: int, number: int, _other: int) -> None:
        day = self.day_of(self.any_booked(which, number)[2].starts_at)
        if day < self.day_of(self.diary.now):
            return
        hit = [
            (one, visit)
            for one in self.series
            for visit in one.booked.values()
            if visit not in one.lost and self.day_of(self.row(visit).starts_at) == day
            if self.row(visit).ends_at > self.diary.now
        ]
        wanted = closing.CloseDay.model_construct(day=day, reason=None)
        try:
            with db.transaction() as session:
                told = closing.close(session, self.house.coordinator, wanted, now=self.diary.now)
        except Refused:
            told = 0
        assert told == len(hit)
        self.closed = True
        done["close"] += told > 0
        for series, visit in hit:
            series.lost.add(visit)
            self.changed(series)

    def affected(self) -> set[UUID]:
        with db.read() as session:
            place = clinic.info(session, self.house.clinic.id)
            found = affected.affected(session, self.house.coordinator, place, now=self.diary.now)
            return {one.visit_id for one in found}

    def look_for_places(self, *_numbers: int) -> None:
        with db.transaction() as session:
            job = job_rows.start(
                session, self.house.coordinator, damage.KIND, {"kept": []}, total=3, now=self.diary.now
            )
        assert jobs.do_one(lambda: self.diary.now)
        with db.read() as session:
            self.found = (session.get_one(Job, job.id), set())

    def apply(self, *numbers: int) -> None:
        """Make the changes. Refused only if something changed; who has no place is still there."""
        assert self.found
        job, changed = self.found
        wanted = repair.ApplyRepair(version=job.version)
        hit = self.affected()
        try:
            with db.transaction() as session:
                found = repair.apply(session, self.house.coordinator, job.id, wanted, now=self.diary.now)
        except (Stale, Refused):
            assert changed or any(row.to and row.to.starts_at < self.diary.now for row in self.proposed(job))
            self.found = None
            return
        self.found = None
        done["apply"] += 1
        for row in found.rows:
            series, n = self.of(row.visit.id)
            assert row.to
            self.put(series, n, row.visit.id, (row.to.starts_at, row.to.room_id))
        if not changed:
            assert hit == {row.visit.id for row in [*found.rows, *found.unplaced] if row.lost}
            assert self.affected() == {row.visit.id for row in found.unplaced}
        if numbers[0] % 2:
            self.apply_again(job)

    def proposed(self, job: Job) -> Any:
        with db.read() as session:
            return repair.proposal(session, self.house.coordinator, session.get_one(Job, job.id)).rows

    def apply_again(self, job: Job) -> None:
        try:
            with db.transaction() as session:
                repair.apply(
                    session, self.house.coordinator, job.id, repair.ApplyRepair(version=job.version), now=self.diary.now
                )
        except Refused:
            return
        raise AssertionError("a proposal was made twice")

    def send(self, *_numbers: int) -> None:
        """What tells dates leaves; from now on a change is news."""
        self.sent = True
        with db.transaction() as session:
            for row in session.scalars(self.waiting(TELLS_DATES)):
                row.status = ReminderStatus.ACCEPTED

    def waiting(self, purposes: Any) -> Any:
        of = Reminder.clinic_id == self.house.clinic.id
        return select(Reminder).where(of, Reminder.status.in_(UNSENT), Reminder.purpose.in_(purposes))

    # What has to be so after each step

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        done["step"] += 1
        with db.read() as session:
            rows = session.scalars(select(Visit).where(Visit.clinic_id == self.house.clinic.id)).all()
            courses = {one.id: one for one in session.scalars(select(Course))}
        for series in self.series:
            mine = [row for row in rows if row.course_id == series.course.id]
            counted = {row.ordinal: row for row in mine if row.status not in NOT_COUNTED}
            assert len(counted) == sum(row.status not in NOT_COUNTED for row in mine), "counted twice"
            assert {n: (row.id, (row.starts_at, row.room_id)) for n, row in counted.items()} == series.live
            assert {row.id: row.ordinal for row in mine if row.status in NOT_COUNTED} == series.off
            assert {row.id for row in mine if row.status is VisitStatus.DISCHARGED} == series.given
            assert {row.id for row in counted.values() if row.lost_at and row.id not in series.given} == series.lost
            over = courses[series.course.id].status is CourseStatus.COMPLETED
            assert not over or len(series.given) == series.visits
            with db.read() as session:
                assert moving.standing(session, self.house.coordinator, series.course.id).missing == series.missing

    @invariant()
    def the_books_are_balanced(self) -> None:
        of = self.house.clinic.id
        assert (claims.overlaps(of), claims.half_courses(of), claims.imbalances(of)) == (0, [], [])

    @invariant()
    def nobody_is_told_wrong_or_twice(self) -> None:
        lost = {visit for one in self.series for visit in one.lost}
        off = {visit for one in self.series for visit in one.off}
        with db.read() as session:
            query = select(Reminder).where(Reminder.clinic_id == self.house.clinic.id, Reminder.status.in_(LIVE))
            rows = session.scalars(query).all()
        for row in rows:
            assert row.purpose is Purpose.CLOSED or row.visit_id not in lost | off, f"{row.purpose} still goes out"
        dates = [row.course_id for row in rows if row.purpose in TELLS_DATES]
        assert len({*dates}) == len(dates), "two messages with the dates of one series wait"
        if self.told:
            ahead = {visit for visit in self.told.booked.values() if visit not in self.told.lost}
            assert not ahead or self.told.course.id in dates, "nobody tells the patient of the new dates"
        self.told = None

    @invariant()
    def planning_the_messages_again_changes_nothing(self) -> None:
        for series in self.series[-1:]:
            with db.transaction() as session:
                query = select(Visit).where(Visit.course_id == series.course.id).order_by(Visit.starts_at)
                visits = list(session.scalars(query))
                course = session.get_one(Course, series.course.id)
                plan = reminders.plan_for_course(session, self.house.coordinator, course, visits, now=self.diary.now)
            assert (plan.added, plan.called_back) == (0, 0), plan
