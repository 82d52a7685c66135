"""Which messages a patient of a series gets, when, and until when each is of use.

The cadence is data: a protocol carries its own, `DEFAULT` is what a protocol without one follows. Nothing here knows
what is stored; `considered` says what there should be, and the reminders service makes it so.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.settings import Settings
from tracker.rules.vocabulary import VisitStatus


class Purpose(StrEnum):
    """Why a message is written. A visit (or a course) has at most one live message a purpose and channel."""

    ITINERARY = "itinerary"  # at booking: all dates of the series
    FIRST_VISIT = "first_visit"  # some days before the first visit
    VISIT = "visit"  # before each visit: prepare, confirm, name the driver
    NEXT_DAY = "next_day"  # the day after: how are you
    THERAPY = "therapy"  # talk it over with the therapist
    CHECK_IN = "check_in"  # weeks later
    LATE_CHECK_IN = "late_check_in"
    CHANGED = "changed"  # dates of a series are others now: all that are to come
    CLOSED = "closed"  # a day fell out: do not come, we will call
    SAME_DAY = "same_day"  # the morning of a visit nobody has confirmed yet
    QUESTIONNAIRE = "questionnaire"  # a questionnaire of the follow-up plan is due
    DIGEST = "digest"  # to staff, each morning: what is due today
    TEST = "test"  # to oneself, from the settings page: does this channel work


# Nothing is asked of the patient so late that nobody can act on it: they are fasting and on their way.
LAST_CALL = timedelta(hours=2)
# A message that would fall into quiet hours, and would be too late after them, goes out this long before they begin.
EARLIER = timedelta(minutes=30)

# What a step may ask for, and on which side of its visit it is.
BEFORE_A_VISIT = frozenset({Purpose.FIRST_VISIT, Purpose.VISIT, Purpose.SAME_DAY})
_AFTER_A_VISIT = frozenset({Purpose.NEXT_DAY, Purpose.THERAPY, Purpose.CHECK_IN, Purpose.LATE_CHECK_IN})


class Which(StrEnum):
    """Which visits of a series a step is for."""

    EACH = "each"
    FIRST = "first"
    LAST = "last"
    FIRST_AND_LAST = "first_and_last"


@dataclass(frozen=True, slots=True)
class Step:
    """One message that a visit, or a questionnaire of the follow-up plan, asks for.

    Two rules sound alike and differ by an hour at a clock change: `hours=-24` is elapsed time before the start;
    `days=-1` is the day before, at the visit's own clock time, or `at` this one.

    `useful_for` is how long after its moment a late message still helps. A message before a visit is of no use any
    more `LAST_CALL` before the start, whatever `useful_for` says.
    """

    purpose: Purpose
    visits: Which = Which.EACH
    hours: int = 0
    days: int = 0
    at: time | None = None
    useful_for: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        if self.hours and (self.days or self.at):
            raise ValueError("a step counts in elapsed hours or in calendar days, not both")
        if -LAST_CALL < timedelta(hours=self.hours) < timedelta():
            raise ValueError("a message so shortly before a visit is of no use")
        if not self._on_its_side():
            raise ValueError(f"{self.purpose} can't come {self.hours} hours, {self.days} days from its visit")
        if self.useful_for <= timedelta():
            raise ValueError("a message is of use for some time")

    def _on_its_side(self) -> bool:
        if self.purpose is Purpose.SAME_DAY:
            return self.hours == self.days == 0 and self.at is not None
        if self.purpose is Purpose.QUESTIONNAIRE:
            return self.hours == 0 and self.days >= 0
        away = self.hours or self.days
        return away < 0 if self.purpose in BEFORE_A_VISIT else self.purpose in _AFTER_A_VISIT and away > 0

    @property
    def ahead(self) -> bool:
        """Whether the message comes before its visit."""
        return self.purpose in BEFORE_A_VISIT


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Clock times in the patient's zone between which no message goes out by itself.

    Source:
        47 CFR 64.1200(c)(1) names 9 p.m. to 8 a.m. for calls; kept for every automatic message.
    """

    start: time = time(21)
    end: time = time(8)

    def cover(self, clock: time) -> bool:
        """Return whether `clock` is a quiet time."""
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    @classmethod
    def of(cls, settings: Settings) -> "QuietHours":
        """Return a clinic's own quiet hours."""
        return cls(settings.clock("quiet.from"), settings.clock("quiet.until"))


# What a series sends beside the itinerary, which every booking sends.
Cadence = tuple[Step, ...]

EARLY, MORNING = time(8), time(10)

# Sources: a reminder three days and one day ahead lost fewest visits (RCT, n = 54,066: 4.4 % missed against 5.8 and
# 5.3 % with one of them); three infusions a week leave room for the three-day one only before the first. The call on
# the next day follows the 24-hour check of the discharge studies, the therapy talk falls into 24-72 hours, check-ins
# two and four weeks after the last visit are where loss of response begins to show (median 27.5 days).
DEFAULT: Cadence = (
    Step(Purpose.FIRST_VISIT, Which.FIRST, days=-3),
    Step(Purpose.VISIT, Which.EACH, hours=-24),
    Step(Purpose.SAME_DAY, Which.EACH, at=EARLY, useful_for=timedelta(hours=4)),
    Step(Purpose.NEXT_DAY, Which.EACH, days=1, at=MORNING, useful_for=timedelta(hours=10)),
    Step(Purpose.THERAPY, Which.FIRST_AND_LAST, days=2, at=MORNING),
    Step(Purpose.CHECK_IN, Which.LAST, days=14, at=MORNING, useful_for=timedelta(days=2)),
    Step(Purpose.LATE_CHECK_IN, Which.LAST, days=28, at=MORNING, useful_for=timedelta(days=2)),
    Step(Purpose.QUESTIONNAIRE, at=MORNING, useful_for=timedelta(days=2)),
)

AHEAD = frozenset({VisitStatus.BOOKED})
TREATED = frozenset({VisitStatus.DISCHARGED})
# Between these two nothing is sent, and what comes after the visit stays planned.
UNDER_WAY = frozenset(
    {
        VisitStatus.ARRIVED,
        VisitStatus.TIME_OUT,
        VisitStatus.INFUSING,
        VisitStatus.PAUSED,
        VisitStatus.RECOVERING,
        VisitStatus.READY,
    }
)


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """What the cadence has to know of a visit."""

    id: UUID
    starts_at: datetime
    status: VisitStatus
    told_at: datetime | None = None  # when a message about the whole series last said its time; none: at booking
    confirmed: bool = False  # the patient said that she will come
    cant_come: bool = False  # she said that she can't, and nobody has settled it with her yet
    untold: bool = False  # its reminder ended without reaching her: nothing is asked inside it
    asked_how: bool = False  # how she is since was asked in a message of its own
    asked_inside: bool = False  # … in a reminder that left, whatever has become of that one's visit


@dataclass(frozen=True, slots=True)
class Asked:
    """A questionnaire of the follow-up plan: the task it is, when it may be filled in, and until when."""

    task_id: UUID
    opens_at: datetime
    due_at: datetime


class LeftOut(StrEnum):
    """Why a message that the cadence names is not planned."""

    BEFORE_BOOKING = "before_booking"  # the itinerary says it
    TOLD = "told"  # the message about a change says it
    TOO_LATE = "too_late"  # its moment is when it is of no use any more
    INSIDE = "inside"  # asked in the reminder of the same day
    CONFIRMED = "confirmed"  # the patient said already that she will come
    CANT_COME = "cant_come"  # she said that she can't: nobody asks her to come as if nothing had been said


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message there should be, or (`left_out`) why there is none.

    It is about a visit, a task (a questionnaire), or, with neither, the whole course.
    """

    purpose: Purpose
    visit_id: UUID | None
    about: datetime  # start of its visit (for the itinerary, when it was booked): another start, another message
    due_at: datetime
    expires_at: datetime  # of no use from then on
    task_id: UUID | None = None
    asks_how: bool = False  # the check-in of the same day is asked inside it
    alone: bool = False  # the check-in would be asked inside a reminder, but that one reached nobody
    left_out: LeftOut | None = None


class Fit(StrEnum):
    """Whether a message makes sense while its visit stands as it does."""

    NOW = "now"
    NOT_YET = "not_yet"
    NEVER = "never"


# What is said before a visit.
_BEFORE = BEFORE_A_VISIT | {Purpose.ITINERARY, Purpose.CHANGED, Purpose.CLOSED}
# What no cadence asks for: somebody changed the plan, and the message tells of it.
TOLD_ONCE = frozenset({Purpose.CHANGED, Purpose.CLOSED})
# Whoever changes one date often changes another, or makes up for what was cancelled: one message says it all.
SETTLES = timedelta(minutes=10)
CLOSED_WITHIN = timedelta(minutes=10)  # whoever isn't known to be reached by then is called


def fit(purpose: Purpose, status: VisitStatus, *, confirmed: bool = False) -> Fit:
    """Return whether a message of `purpose` makes sense while its visit is `status`, and perhaps confirmed."""
    if purpose is Purpose.SAME_DAY and confirmed:
        return Fit.NEVER
    if purpose in _BEFORE:
        return Fit.NOW if status in AHEAD else Fit.NEVER
    if status in TREATED:
        return Fit.NOW
    return Fit.NOT_YET if status in AHEAD | UNDER_WAY else Fit.NEVER


def considered(
    visits: Sequence[PlannedVisit],
    cadence: Cadence,
    *,
    zone: ZoneInfo,
    quiet: QuietHours,
    booked_at: datetime,
    asked: Sequence[Asked] = (),
) -> list[Wanted]:
    """List every message that the cadence names for a course, those left out with the reason, in order.

    Args:
        visits: All visits of the course, any order; those cancelled or missed ask for nothing.
        zone: Where the patient lives: quiet hours and calendar days are counted there.
        booked_at: When the course was booked. What was due before is left out: the itinerary says it. So is what was
            due before a visit's `told_at`: the message about the change says it, and nobody gets two.
        asked: The questionnaires that are still to be filled in.

    Raises:
        ValueError: An instant is naive. That is a caller's bug.
    """
    if any(moment.tzinfo is None for moment in (booked_at, *(visit.starts_at for visit in visits))):
        raise ValueError("instants must be aware")
    live = sorted((v for v in visits if v.status in AHEAD | UNDER_WAY | TREATED), key=lambda v: (v.starts_at, v.id))
    found: dict[tuple[Purpose, UUID | None], Wanted] = {}
    for message in (
        *_itinerary(live, zone, quiet, booked_at),
        *_by_step(live, cadence, zone, quiet, booked_at),
        *_questionnaires(asked, cadence, zone, quiet, booked_at),
    ):
        # The first visit may be the last one too.
        found.setdefault((message.purpose, message.visit_id or message.task_id), message)
    in_order = sorted(found.values(), key=lambda message: (message.due_at, message.purpose, message.about))
    return _merged(in_order, live, zone)


def _itinerary(
    live: Sequence[PlannedVisit], zone: ZoneInfo, quiet: QuietHours, booked_at: datetime
) -> Iterator[Wanted]:
    if not live or booked_at >= (expires_at := live[0].starts_at.astimezone(UTC) - LAST_CALL):
        return
    due_at = max(outside_quiet(booked_at, zone=zone, quiet=quiet, until=expires_at), booked_at)
    yield Wanted(Purpose.ITINERARY, None, booked_at.astimezone(UTC), due_at, expires_at)


def _by_step(
    live: Sequence[PlannedVisit], cadence: Cadence, zone: ZoneInfo, quiet: QuietHours, booked_at: datetime
) -> Iterator[Wanted]:
    for step in cadence:
        for visit in _chosen(live, step):
            if not step.ahead or visit.status in AHEAD:
                yield _message(step, visit, zone, quiet, booked_at)


def _chosen(live: Sequence[PlannedVisit], step: Step) -> Sequence[PlannedVisit]:
    if step.purpose is Purpose.QUESTIONNAIRE:
        return ()
    match step.visits:
        case Which.FIRST:
            return live[:1]
        case Which.LAST:
            return live[-1:]
        case Which.FIRST_AND_LAST:
            return (*live[:1], *live[-1:])
        case _:
            return live


def _message(step: Step, visit: PlannedVisit, zone: ZoneInfo, quiet: QuietHours, booked_at: datetime) -> Wanted:
    start = visit.starts_at.astimezone(UTC)
    moment = moment_of(step, start, zone)
    expires_at = moment + step.useful_for
    if step.ahead:
        expires_at = min(expires_at, start - LAST_CALL)
    due_at = outside_quiet(moment, zone=zone, quiet=quiet, until=expires_at)
    why = None
    if due_at < (visit.told_at or booked_at):
        why = LeftOut.TOLD if visit.told_at and visit.told_at > booked_at else LeftOut.BEFORE_BOOKING
    elif due_at >= expires_at or (step.purpose is Purpose.SAME_DAY and due_at < moment):
        why = LeftOut.TOO_LATE  # the evening before is no morning of the visit
    elif step.ahead and visit.cant_come:
        why = LeftOut.CANT_COME
    elif step.purpose is Purpose.NEXT_DAY and visit.asked_inside:
        why = LeftOut.INSIDE
    elif step.purpose is Purpose.SAME_DAY and visit.confirmed:
        why = LeftOut.CONFIRMED
    return Wanted(step.purpose, visit.id, start, due_at, expires_at, left_out=why)


def _questionnaires(
    asked: Sequence[Asked], cadence: Cadence, zone: ZoneInfo, quiet: QuietHours, booked_at: datetime
) -> Iterator[Wanted]:
    for step in cadence:
        if step.purpose is not Purpose.QUESTIONNAIRE:
            continue
        for one in asked:
            opens_at = one.opens_at.astimezone(UTC)
            moment = max(moment_of(step, opens_at, zone), opens_at)
            expires_at = min(moment + step.useful_for, one.due_at.astimezone(UTC))
            due_at = max(outside_quiet(moment, zone=zone, quiet=quiet, until=expires_at), opens_at)
            why = LeftOut.BEFORE_BOOKING if due_at < booked_at else None
            why = LeftOut.TOO_LATE if due_at >= expires_at else why
            yield Wanted(step.purpose, None, opens_at, due_at, expires_at, task_id=one.task_id, left_out=why)


def _merged(messages: Sequence[Wanted], visits: Sequence[PlannedVisit], zone: ZoneInfo) -> list[Wanted]:
    """Ask how the patient is inside the reminder of the same day, where there is one: one message, not two.

    Not inside one that ended untold, and not again where it was asked already.
    """

    def on(purpose: Purpose, of: Container[UUID | None]) -> set[date]:
        found = (one for one in messages if one.purpose is purpose and one.left_out is None and one.visit_id in of)
        return {one.due_at.astimezone(zone).date() for one in found}

    untold = {visit.id for visit in visits if visit.untold}
    lost, told = on(Purpose.VISIT, untold), on(Purpose.VISIT, {visit.id for visit in visits} - untold)
    both = told & on(Purpose.NEXT_DAY, {visit.id for visit in visits if not visit.asked_how})
    return [_merge(one, one.due_at.astimezone(zone).date(), both, lost) for one in messages]


def _merge(message: Wanted, day: date, both: Container[date], lost: Container[date]) -> Wanted:
    if message.left_out is not None:
        return message
    if message.purpose is Purpose.NEXT_DAY:
        return replace(message, left_out=LeftOut.INSIDE) if day in both else replace(message, alone=day in lost)
    return replace(message, asks_how=True) if message.purpose is Purpose.VISIT and day in both else message


def moment_of(step: Step, start: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) that `step` names for a visit that starts at `start`, quiet hours not yet looked at."""
    if step.hours:
        return start.astimezone(UTC) + timedelta(hours=step.hours)
    local = start.astimezone(zone)
    return at_clock(local.date() + timedelta(days=step.days), step.at or local.time(), zone)


def at_clock(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) at which clocks in `zone` show `clock` on `day`.

    Of two such instants (clocks go back) the first; of none (clocks go forward) the one as long after the jump.
    """
    return datetime.combine(day, clock.replace(fold=0), zone).astimezone(UTC)


def outside_quiet(moment: datetime, *, zone: ZoneInfo, quiet: QuietHours, until: datetime) -> datetime:
    """Return when to send what is due at `moment`: after quiet hours, or before them if after is useless.

    Args:
        until: Of no use from this instant on.
    """
    local = moment.astimezone(zone)
    if not quiet.cover(local.time()):
        return moment.astimezone(UTC)
    over = at_clock(_next_day_with(local, quiet.end), quiet.end, zone)
    return over if over < until else at_clock(_last_day_with(local, quiet.start), quiet.start, zone) - EARLIER


def _next_day_with(local: datetime, clock: time) -> date:
    return local.date() if local.time() < clock else local.date() + timedelta(days=1)


def _last_day_with(local: datetime, clock: time) -> date:
    return local.date() if local.time() >= clock else local.date() - timedelta(days=1)
