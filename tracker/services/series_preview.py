"""What one patient gets, when, by which way, and what not and why: of what has gone, and of what a cadence would send.

Nothing is changed: a cadence that isn't saved yet is laid on the real series.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Course, Patient, ProtocolVersion, Reminder, Visit
from tracker.rules.cadence import AHEAD, TOLD_ONCE, Cadence, Purpose, Wanted
from tracker.rules.delivery import LIVE
from tracker.rules.permissions import Actor
from tracker.rules.routing import Limits, Reach, Used, route
from tracker.rules.vocabulary import CourseStatus, ReminderChannel, ReminderStatus
from tracker.services import addresses, calendar, clinic, reminders, settings, undelivered
from tracker.text import gettext as _

MOST = 200  # patients to choose from


class State(StrEnum):
    """What becomes of a message, or became of it."""

    GONE = "gone"  # it left
    NOT_SENT = "not_sent"  # it should have, and did not
    PLANNED = "planned"
    NOT = "not"  # the cadence names it, and it isn't sent
    CALLED_BACK = "called_back"  # it is planned, and would not be any more


class News(StrEnum):
    """What saving would change of a message."""

    NEW = "new"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Row:
    """One message. `at` is when it left, or will, or would have."""

    purpose: Purpose
    at: datetime
    about: datetime | None  # start of its visit
    state: State
    channel: ReminderChannel | None = None
    why: str = ""
    news: News | None = None
    asks_how: bool = False

    @property
    def what(self) -> str:
        """What it is, in staff's words."""
        return undelivered.say(self.purpose)


@dataclass(frozen=True, slots=True)
class Choice:
    """A series whose patient may be looked at."""

    course_id: UUID
    patient_id: UUID
    name: str
    next_at: datetime | None


def choices(session: Session, actor: Actor, code: str, *, now: datetime) -> list[Choice]:
    """Return the active series of a protocol, those with the soonest visit first."""
    rows = session.execute(
        select(Course.id, Patient.id, Patient.preferred_name, Patient.given_name, Patient.family_name, Visit.starts_at)
        .join(ProtocolVersion, ProtocolVersion.id == Course.protocol_id)
        .join(Patient, Patient.id == Course.patient_id)
        .outerjoin(Visit, (Visit.course_id == Course.id) & Visit.status.in_(AHEAD) & (Visit.starts_at > now))
        .where(Course.clinic_id == actor.clinic_id, Course.status == CourseStatus.ACTIVE, ProtocolVersion.code == code)
        .order_by(Visit.starts_at.is_(None), Visit.starts_at, Course.id)
    )
    found: dict[UUID, Choice] = {}
    for row in rows:
        found.setdefault(row[0], Choice(row[0], row[1], calendar.say_name(row), row.starts_at))
    return list(found.values())[:MOST]


def preview(
    session: Session,
    actor: Actor,
    course_id: UUID,
    steps: Cadence,
    *,
    now: datetime,
    ways: Collection[ReminderChannel] = addresses.BY_ANY,
) -> list[Row]:
    """Return a series' messages in their order, as they are and as `steps` would have them.

    NotFound: the course is another clinic's.
    """
    course = clinic.get(session, actor, Course, course_id)
    visits = session.scalars(select(Visit).where(Visit.course_id == course.id).order_by(Visit.starts_at)).all()
    query = select(Reminder).where(Reminder.course_id == course.id, Reminder.withdrawn.is_(False))
    there = list(session.scalars(query.order_by(Reminder.send_at)))
    basis = replace(reminders.basis_of(session, course, visits, _by_key(there)), cadence=steps)
    rows = [*_as_it_is(there), *_as_it_would_be(course, basis.considered(), there, now)]
    rows.sort(key=lambda row: (row.at, row.purpose))
    reach = addresses.reach(addresses.of_patient(session, course.patient_id), ways)
    limits = Limits.of(settings.of_clinic(session, course.clinic_id))
    return list(_by_which_way(rows, reach, limits, basis.zone))


def _by_key(rows: Iterable[Reminder]) -> dict[reminders.Key, Reminder]:
    return {(row.purpose, row.subject_id, row.subject_at): row for row in rows}


def _as_it_is(there: Sequence[Reminder]) -> Iterator[Row]:
    """Yield what has left or should have, and what waits whatever the cadence says."""
    for row in there:
        about = row.subject_at if row.visit_id else None
        if row.status in (ReminderStatus.ACCEPTED, ReminderStatus.DELIVERED):
            yield Row(row.purpose, row.sent_at or row.changed_at, about, State.GONE, row.channel, asks_how=row.asks_how)
        elif row.status not in LIVE:
            yield Row(row.purpose, row.changed_at, about, State.NOT_SENT, row.channel, row.reason)
        elif row.purpose in TOLD_ONCE:
            yield Row(row.purpose, row.send_at, about, State.PLANNED)


def _as_it_would_be(
    course: Course, considered: Sequence[Wanted], there: Sequence[Reminder], now: datetime
) -> Iterator[Row]:
    rows = _by_key(row for row in there if row.purpose not in TOLD_ONCE)
    wanted, instead = set(), {}
    for message in considered:
        key = reminders.key_of(message, course)
        row = rows.get(key)
        if message.left_out is None:
            wanted.add(key)
        else:
            instead[key] = reminders.say_left_out(message.left_out)
        if row is None or (row.status in LIVE and message.left_out is None):
            yield _planned(message, row, now)
    for key, row in rows.items():
        if key not in wanted and row.status in LIVE:
            why = instead.get(key) or _("It is planned now, and would be called back.")
            about = row.subject_at if row.visit_id else None
            yield Row(row.purpose, row.send_at, about, State.CALLED_BACK, why=why)


def _planned(message: Wanted, row: Reminder | None, now: datetime) -> Row:
    about = message.about if message.visit_id else None
    if message.left_out is not None:
        why = reminders.say_left_out(message.left_out)
        return Row(message.purpose, message.due_at, about, State.NOT, why=why)
    if row is None and message.expires_at <= now:
        return Row(message.purpose, message.due_at, about, State.NOT, why=_("Its time is over."))
    if row is not None and (row.attempts or row.send_at <= now):
        return Row(message.purpose, row.send_at, about, State.PLANNED, why=row.reason, asks_how=message.asks_how)
    news = News.NEW if row is None else News.MOVED if row.send_at != message.due_at else None
    return Row(message.purpose, message.due_at, about, State.PLANNED, news=news, asks_how=message.asks_how)


def _by_which_way(rows: Sequence[Row], reach: Reach, limits: Limits, zone: ZoneInfo) -> Iterator[Row]:
    """Say by which way each planned message would leave if the patient's consent stays as it is."""
    texts: list[date] = []
    for row in rows:
        day = row.at.astimezone(zone).date()
        if row.state is State.PLANNED:
            used = Used(sum(at == day for at in texts), sum(0 <= (day - at).days < 7 for at in texts))
            way = route(row.purpose, reach, used, limits)
            state = State.NOT if way.channel is None else State.PLANNED
            row = replace(row, state=state, channel=way.channel, why=way.why or row.why)
        if row.channel is ReminderChannel.SMS and row.state in (State.GONE, State.PLANNED):
            texts.append(day)
        yield row
