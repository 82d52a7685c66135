"""What a leased message says, to whom and by which way, or why it isn't said: looked up, nothing is changed.

Many are looked up at once: a few statements for a batch instead of a few for each message.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.interop.mail import Due
from tracker.models import Clinic, ContactPoint, Patient, PatientLink, Reminder, Task, UserAccount, Visit
from tracker.rules import cadence, routing
from tracker.rules.cadence import Fit, Purpose, QuietHours
from tracker.rules.delivery import LATE, LIVE, Event, thread
from tracker.rules.routing import Limits, Used
from tracker.rules.settings import Settings
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus, TaskStatus, VisitStatus
from tracker.services import addresses, channels, consent, digest, links
from tracker.services import settings as numbers
from tracker.text import gettext as _

ASKED_WITHIN = timedelta(days=2)  # a next-day check-in speaks of yesterday, wherever the patient lives
LOOK_AGAIN = timedelta(minutes=30)  # at a visit that should be over and isn't recorded as such
# A text in one of these states has left, or may have.
LEFT = frozenset({ReminderStatus.SENDING, ReminderStatus.ACCEPTED, ReminderStatus.DELIVERED})
LEFT |= {ReminderStatus.BOUNCED, ReminderStatus.UNCERTAIN}
WEEK = timedelta(days=8)  # a week of calendar days reaches a little further back than seven times 24 hours
STAFF = frozenset({Purpose.DIGEST, Purpose.TEST})


@dataclass(frozen=True, slots=True)
class Lease:
    """One message in the hands of one worker. The epoch tells this worker from one that had it before."""

    reminder_id: UUID
    epoch: int


@dataclass(frozen=True, slots=True)
class VisitTime:
    """A visit as a message speaks of it."""

    id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """All that a message says and depends on, as it was when looked at."""

    lease: Lease
    purpose: Purpose
    clinic: Clinic
    first_name: str
    language: str
    zone: ZoneInfo  # where the reader lives
    channel: ReminderChannel
    address: str
    about: datetime
    expires_at: datetime
    why: str = ""  # it goes by this way and not by the one that suits it best
    patient_id: UUID | None = None  # whoever is written to: a patient, or somebody of the staff
    user_id: UUID | None = None
    contact_id: UUID | None = None  # the patient's address
    visits: tuple[VisitTime, ...] = ()  # those to come (itinerary; none if all are off), else the one it is about
    off: tuple[VisitTime, ...] = ()  # that she may have in her calendar, and that take place no more
    link: PatientLink | None = None
    course_id: UUID | None = None
    versions: int = 0  # of all visits of the course: any change makes it another number
    texts: int = 0  # that left to the patient lately: one more meanwhile, and the limit has to be asked again
    asks_how: bool = False  # the check-in of the same day is asked in this one
    due: Due | None = None  # what somebody of the staff has to do today


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a message isn't sent now: what happens to it instead, and until when it waits."""

    event: Event
    reason: str
    send_at: datetime | None = None


Found = Letter | Verdict


@dataclass
class _Known:
    """What is to be known of a batch, by the id of whom or what it is about."""

    visits: dict[UUID, list[Visit]] = field(default_factory=lambda: defaultdict(list))
    points: dict[UUID, list[ContactPoint]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[UUID, list[tuple[UUID, datetime]]] = field(default_factory=lambda: defaultdict(list))
    also_due: dict[UUID, list[Reminder]] = field(default_factory=lambda: defaultdict(list))
    links: dict[UUID, PatientLink] = field(default_factory=dict)
    patients: dict[UUID, Patient] = field(default_factory=dict)
    users: dict[UUID, UserAccount] = field(default_factory=dict)
    clinics: dict[UUID, Clinic] = field(default_factory=dict)
    numbers: dict[UUID, Settings] = field(default_factory=dict)
    asked: Collection[UUID] = frozenset()  # tasks that are open still
    ways: frozenset[ReminderChannel] = addresses.BY_ANY
    tests: dict[UUID, str] = field(default_factory=dict)  # where a test goes, by its reminder
    due: dict[UUID, Due] = field(default_factory=dict)  # by the account of whoever gets a list


def look(
    session: Session, leases: Collection[Lease], *, now: datetime, ways: Collection[ReminderChannel] = addresses.BY_ANY
) -> dict[Lease, Found]:
    """Return for each, in their order, what to say, or what is to become of it instead; without what isn't ours now.

    Args:
        ways: By which messages can leave here.
    """
    mine = {lease.reminder_id: lease for lease in leases}
    query = select(Reminder).where(Reminder.id.in_(mine), Reminder.status == ReminderStatus.LEASED)
    rows = {mine[row.id]: row for row in session.scalars(query) if row.lease_epoch == mine[row.id].epoch}
    known = _gather(session, list(rows.values()), now)
    known.ways = frozenset(ways)
    return {lease: _found(rows[lease], lease, known, now) for lease in leases if lease in rows}


def would_say(
    session: Session, row: Reminder, *, now: datetime, ways: frozenset[ReminderChannel] = addresses.BY_ANY
) -> Found:
    """Return what a message would say if it left at `now`, or why it wouldn't; whatever its state is."""
    known = _gather(session, [row], now)
    known.ways = ways
    return _found(row, Lease(row.id, row.lease_epoch), known, now)


def _gather(session: Session, rows: Sequence[Reminder], now: datetime) -> _Known:
    known = _Known()
    patients = {row.patient_id for row in rows if row.patient_id}
    courses = {row.course_id for row in rows if row.course_id}
    late = {row.patient_id or row.user_id for row in rows if row.send_at < now - LATE}
    for id_ in {row.clinic_id for row in rows}:
        known.clinics[id_] = session.get_one(Clinic, id_)
        known.numbers[id_] = numbers.of_clinic(session, id_)
    for visit in session.scalars(select(Visit).where(Visit.course_id.in_(courses)).order_by(Visit.starts_at)):
        known.visits[visit.course_id].append(visit)
    known.links = links.of_courses(session, courses)
    known.patients = {one.id: one for one in session.scalars(select(Patient).where(Patient.id.in_(patients)))}
    known.users = _users(session, rows)
    for row in rows:
        if row.purpose is Purpose.TEST and row.channel and row.user_id:
            known.tests[row.id] = channels.address_of(session, known.users[row.user_id], row.channel)
    known.asked = _asked(session, rows)
    for row in rows:
        if row.purpose is Purpose.DIGEST and row.user_id:
            zone = known.clinics[row.clinic_id].zone
            known.due |= digest.due_of(session, [known.users[row.user_id]], zone, now=now)
    for point in session.scalars(addresses.in_use(patients)):
        known.points[point.patient_id].append(point)
    for patient_id, text_id, at in session.execute(_texts(patients, now)):
        known.texts[patient_id].append((text_id, at))
    for row in session.scalars(_due(late, now)) if late else ():
        known.also_due[_whose(row)].append(row)
    return known


def _whose(row: Reminder) -> UUID:
    whose = row.patient_id or row.user_id
    assert whose  # the table has a CHECK
    return whose


def _users(session: Session, rows: Iterable[Reminder]) -> dict[UUID, UserAccount]:
    ids = {row.user_id for row in rows if row.user_id}
    query = select(UserAccount).where(UserAccount.id.in_(ids))
    return {user.id: user for user in session.scalars(query)} if ids else {}


def _asked(session: Session, rows: Iterable[Reminder]) -> Collection[UUID]:
    """Return which of the questionnaires asked for are still to be filled in."""
    ids = {row.task_id for row in rows if row.task_id}
    query = select(Task.id).where(Task.id.in_(ids), Task.status == TaskStatus.OPEN)
    return frozenset(session.scalars(query)) if ids else frozenset()


def _texts(patients: Collection[UUID], now: datetime) -> Any:
    return select(Reminder.patient_id, Reminder.id, Reminder.sent_at).where(
        Reminder.patient_id.in_(patients),
        Reminder.channel == ReminderChannel.SMS,
        Reminder.sent_at >= now - WEEK,
        Reminder.status.in_(LEFT),
    )


def _due(whose: Collection[UUID | None], now: datetime) -> Any:
    return select(Reminder).where(
        Reminder.patient_id.in_(whose) | Reminder.user_id.in_(whose),
        Reminder.status.in_(LIVE),
        Reminder.send_at <= now,
        Reminder.expires_at > now,
    )


def _found(row: Reminder, lease: Lease, known: _Known, now: datetime) -> Found:
    if row.user_id is not None:
        return _to_staff(row, lease, known, now)
    visits = known.visits[row.course_id] if row.course_id else []
    told = _told(row, visits)
    zone = _zone(row, known)
    verdict = _out_of_place(row, known, visits, told, now) or _overtaken(row, known, now)
    verdict = verdict or _quiet(row, zone, QuietHours.of(known.numbers[row.clinic_id]), now)
    return verdict or _to_patient(row, lease, known, zone, told, now)


def _zone(row: Reminder, known: _Known) -> ZoneInfo:
    assert row.patient_id
    patient = known.patients[row.patient_id]
    return ZoneInfo(patient.zone_name) if patient.zone_name else known.clinics[row.clinic_id].zone


def _told(row: Reminder, visits: Sequence[Visit]) -> list[Visit]:
    """Return the visits that a message speaks of: its own, or, one about the course, all that are to come."""
    return [visit for visit in visits if visit.id == row.visit_id or (row.visit_id is None and _to_come(visit))]


def _to_come(visit: Visit) -> bool:
    return visit.status in cadence.AHEAD and visit.lost_at is None


def _out_of_place(
    row: Reminder, known: _Known, visits: Sequence[Visit], told: Sequence[Visit], now: datetime
) -> Verdict | None:
    if row.task_id is not None:  # asked for by a task, whatever visits there are
        return (
            None if row.task_id in known.asked else Verdict(Event.CANCEL, _("It is answered, or not asked any more."))
        )
    return _untimely(row, told, now) if told else _about_none(row, visits)


def _about_none(row: Reminder, visits: Sequence[Visit]) -> Verdict | None:
    """Nothing is said where no visit is to come, but that it is so, if what was to come was cancelled."""
    off = any(visit.status is VisitStatus.CANCELLED and visit.starts_at > row.subject_at for visit in visits)
    return None if off and row.purpose is Purpose.CHANGED else Verdict(Event.CANCEL, _("No visit is to come."))


def _untimely(row: Reminder, told: Sequence[Visit], now: datetime) -> Verdict | None:
    if row.visit_id is not None and told[0].starts_at != row.subject_at:
        return Verdict(Event.SUPERSEDE, _("The visit moved; another message takes its place."))
    fits = cadence.fit(row.purpose, told[0].status, confirmed=told[0].confirmed_at is not None)
    if row.purpose is not Purpose.CLOSED and told[0].lost_at:
        return Verdict(Event.CANCEL, _("Its day fell out."))
    if fits is Fit.NEVER:
        return Verdict(Event.CANCEL, _("The visit is off, has begun, or is confirmed."))
    if fits is Fit.NOT_YET:
        return _wait(row, now + LOOK_AGAIN, _("The visit isn't recorded as finished."))
    return None


def _overtaken(row: Reminder, known: _Known, now: datetime) -> Verdict | None:
    """Of several messages that wait because nothing was sent for a while, the newest of its kind says what counts."""
    mine = thread(row.purpose, row.visit_id)
    if mine is None or row.send_at >= now - LATE:
        return None
    newer = (
        other
        for other in known.also_due[_whose(row)]
        if thread(other.purpose, other.visit_id) == mine and (other.send_at, other.id) > (row.send_at, row.id)
    )
    return Verdict(Event.OVERTAKE, _("It was late; a newer one says what counts now.")) if any(newer) else None


def _quiet(row: Reminder, zone: ZoneInfo, quiet: QuietHours, now: datetime) -> Verdict | None:
    # Somebody who would come to a closed door is told at any hour: what she agreed to says so.
    if row.purpose is Purpose.CLOSED or not quiet.cover(now.astimezone(zone).time()):
        return None
    morning = cadence.outside_quiet(now, zone=zone, quiet=quiet, until=row.expires_at)
    return _wait(row, max(morning, now), _("Nothing goes out at night.")) if morning > now else _too_late()


def _wait(row: Reminder, until: datetime, reason: str) -> Verdict:
    return Verdict(Event.RELEASE, reason, until) if until < row.expires_at else _too_late(reason)


def _too_late(reason: str = "") -> Verdict:
    return Verdict(Event.EXPIRE, reason or _("It could not go out in time."))


def _to_patient(
    row: Reminder, lease: Lease, known: _Known, zone: ZoneInfo, told: Sequence[Visit], now: datetime
) -> Found:
    assert row.patient_id
    points = known.points[row.patient_id]
    texts = [at for text_id, at in known.texts[row.patient_id] if text_id != row.id]
    limits = Limits.of(known.numbers[row.clinic_id])
    here = known.ways & channels.used(known.numbers[row.clinic_id])
    way = routing.route(row.purpose, addresses.reach(points, here), _used(texts, zone, now), limits)
    if way.channel is None:
        # What a limit on texts holds back may go tomorrow, if it is of use then; what nobody can get is a task now.
        morning = _tomorrow(zone, QuietHours.of(known.numbers[row.clinic_id]), now)
        return _wait(row, morning, way.why) if way.capped else Verdict(Event.SUPPRESS, way.why)
    point = next(
        point for point in points if addresses.CHANNELS[point.channel] is way.channel and consent.may_use(point)
    )
    patient = known.patients[row.patient_id]
    visits = known.visits[row.course_id] if row.course_id else []
    return Letter(
        lease=lease,
        purpose=row.purpose,
        clinic=known.clinics[row.clinic_id],
        first_name=patient.preferred_name or patient.given_name,
        language=patient.language,
        zone=zone,
        channel=way.channel,
        address=point.address,
        about=row.subject_at,
        expires_at=row.expires_at,
        why=way.why,
        patient_id=row.patient_id,
        contact_id=point.id,
        visits=tuple(map(_time, told)),
        off=tuple(_time(visit) for visit in visits if _is_off(row, visit, now)),
        link=known.links.get(row.course_id) if row.course_id else None,
        course_id=row.course_id,
        versions=sum(visit.version for visit in visits),
        texts=len(texts),
        asks_how=row.asks_how and any(_was_here(visit, now) for visit in visits),
    )


def _time(visit: Visit) -> VisitTime:
    return VisitTime(visit.id, visit.version, visit.starts_at, visit.ends_at)


def _is_off(row: Reminder, visit: Visit, now: datetime) -> bool:
    """Whether a message is to take a visit out of the patient's calendar."""
    if row.purpose is Purpose.CLOSED:
        return visit.id == row.visit_id
    off = visit.status is VisitStatus.CANCELLED or visit.lost_at is not None
    return row.purpose is Purpose.CHANGED and off and visit.starts_at > now


def _was_here(visit: Visit, now: datetime) -> bool:
    """Whether a patient can be asked how she is since this visit, be it recorded as over or not."""
    return visit.status in cadence.TREATED | cadence.UNDER_WAY and now - ASKED_WITHIN < visit.starts_at < now


def _to_staff(row: Reminder, lease: Lease, known: _Known, now: datetime) -> Found:
    assert row.user_id
    user, clinic = known.users[row.user_id], known.clinics[row.clinic_id]
    if user.disabled_at or (row.purpose is Purpose.DIGEST and user.no_digest_at):
        return Verdict(Event.CANCEL, _("The account is closed, or wants no such message."))
    if row.purpose is Purpose.DIGEST and row.user_id not in known.due:
        return Verdict(Event.CANCEL, _("Nothing is due any more."))
    way = row.channel or ReminderChannel.EMAIL  # whoever tests one says which
    if way not in known.ways:
        return Verdict(Event.REFUSE, _("This way isn't set up here."))
    return _overtaken(row, known, now) or Letter(
        lease=lease,
        purpose=row.purpose,
        clinic=clinic,
        first_name=user.name,
        language="en",
        zone=clinic.zone,
        channel=way,
        address=known.tests.get(row.id, user.email),
        about=row.subject_at,
        expires_at=row.expires_at,
        user_id=row.user_id,
        due=known.due.get(row.user_id),
    )


def _used(texts: Sequence[datetime], zone: ZoneInfo, now: datetime) -> Used:
    today = now.astimezone(zone).date()
    days = [(today - at.astimezone(zone).date()).days for at in texts]
    return Used(today=sum(ago <= 0 for ago in days), week=sum(ago < 7 for ago in days))


def _tomorrow(zone: ZoneInfo, quiet: QuietHours, now: datetime) -> datetime:
    return cadence.at_clock(now.astimezone(zone).date() + timedelta(days=1), quiet.end, zone)
