"""The clinic's day: gather what the board must know, in a fixed number of SELECTs whatever the past holds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from tracker.models import (
    Course,
    Dose,
    InfusionOrder,
    Note,
    OpeningHours,
    Patient,
    ProtocolVersion,
    Resource,
    SideEffect,
    StaffMember,
    Task,
    UserAccount,
    Visit,
    VisitEvent,
    VitalReading,
)
from tracker.rules import adverse_events, board, dosing, followup, vitals
from tracker.rules.agenda import ALL, Filters
from tracker.rules.attention import WATCHED, RoomFacts, TaskFacts, VisitFacts
from tracker.rules.availability import FreeTime
from tracker.rules.permissions import Actor
from tracker.rules.protocol import NURSE, PHYSICIAN
from tracker.rules.vocabulary import IntakeStatus, ResourceKind, TaskStatus, VisitStatus
from tracker.services import calendar, capacity, settings, undelivered
from tracker.services.clinic import ClinicInfo
from tracker.services.followup import REVIEW, SAFETY
from tracker.text import gettext as _

# What the day can't end without. The rest waits in To do.
CALLS = ("next_day_check_in", "no_show", "undelivered")

Any_ = TypeVar("Any_")
Rows = Sequence[Any]


def day_board(
    session: Session, actor: Actor, place: ClinicInfo, day: date, filters: Filters = ALL, *, now: datetime
) -> board.Board:
    """Return the board of `day`, a day in the clinic's zone; narrowed, without what needs somebody elsewhere."""
    start, end = calendar.bounds(place, day, day)
    tasks = _open_tasks(session, actor, end)
    here = {"clinic_id": actor.clinic_id, "since": start, "until": end, "day": day}
    visits = _visits(session, here, filters, tasks, now)
    shown = {visit.patient_id for visit in visits}
    there = capacity.load(session, place, day, day)
    return board.draw(
        day=day,
        zone=place.zone,
        hours=hours_of(session, actor, day),
        rooms=_rooms(session, actor, filters),
        visits=visits,
        tasks=[_task(row, place, now) for row in tasks if _belongs(row, shown, now)] if not filters else [],
        free=_free(session, place, there, filters, now),
        there=there,
        closed=calendar.closed_times(session, place, day, day),
        lanes={one.id: one.lanes for kind in (NURSE, PHYSICIAN) for one in there.of_kind(kind)},
        now=now,
    )


_ROOMS = (
    select(Resource.id, Resource.name, Resource.detail)
    .where(
        Resource.clinic_id == bindparam("clinic_id"),
        Resource.kind == ResourceKind.ROOM,
        Resource.retired_at.is_(None),
    )
    .order_by(Resource.position, Resource.name)
)


def _rooms(session: Session, actor: Actor, filters: Filters) -> list[RoomFacts]:
    rows = session.connection().execute(_ROOMS, {"clinic_id": actor.clinic_id})
    return [RoomFacts(id=row.id, name=row.name, detail=row.detail) for row in rows if filters.room in (None, row.id)]


def _free(
    session: Session, place: ClinicInfo, there: FreeTime, filters: Filters, now: datetime
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    """Return the blocks that could still be booked, room by room; for a day that is over none."""
    if there.days.first < now.astimezone(place.zone).date() or filters.clinician:
        return {}
    protocol = calendar.usual_protocol(session, place.id, filters.protocol)
    return calendar.free_by_room(protocol, there, there.days.first, now) if protocol else {}


_HOURS = select(OpeningHours.starts_minute, OpeningHours.ends_minute).where(
    OpeningHours.clinic_id == bindparam("clinic_id"), OpeningHours.weekday == bindparam("weekday")
)


def hours_of(session: Session, actor: Actor, day: date) -> tuple[int, int]:
    """Return opening and closing of a weekday in minutes after midnight, closures aside; equal if it never opens."""
    asked = {"clinic_id": actor.clinic_id, "weekday": day.weekday()}
    hours = session.connection().execute(_HOURS, asked).first()
    return (hours[0], hours[1]) if hours else (0, 0)


def _by(rows: Iterable[Any_], key: Callable[[Any_], Any]) -> dict[Any, list[Any_]]:
    found: dict[Any, list[Any_]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


# Visits


def _visits(session: Session, here: dict[str, Any], filters: Filters, tasks: Rows, now: datetime) -> list[VisitFacts]:
    query = _VISITS.where(*calendar.narrowed(filters)) if filters else _VISITS
    rows: Rows = session.connection().execute(query, here).all()
    if not rows:
        return []
    more = _More(session, here, tasks, now)
    return [_facts(row, more) for row in rows]


class _More:
    """What belongs to the day's visits, loaded once for all of them.

    Found by the day, not by sixty ids, and by statements that are built once: a page asks for so many things that
    asking costs more than finding.
    """

    def __init__(self, session: Session, here: dict[str, Any], tasks: Rows, now: datetime) -> None:
        rows = session.connection()
        self.now = now
        self.settings = settings.of_clinic(session, here["clinic_id"])
        self.shapes = {
            version: (said["visits"], tuple((phase["name"], phase["minutes"]) for phase in said["phases"]))
            for version, said in rows.execute(_SHAPES, here)
        }
        self.moments = _moments(rows.execute(_MOMENTS, here))
        self.doses = dict(rows.execute(_DOSES, here).all())
        self.orders = _by(rows.execute(_ORDERS, here), lambda order: order.course_id)
        self.sets = {visit_id: set(taken.split()) for visit_id, taken in rows.execute(_SETS, here)}
        self.effects = _effects(rows.execute(_EFFECTS, here))
        self.signed = {visit_id for (visit_id,) in rows.execute(_SIGNED, here)}
        # The most pressing comes last and stays.
        answers = sorted((row for row in tasks if row.Task.kind == SAFETY), key=lambda row: row.Task.urgent)
        self.answers = {row.Task.patient_id: row for row in answers}
        self.reviews = {row.Task.course_id: row for row in tasks if row.Task.kind == REVIEW}


_OF_DAY = (
    Visit.clinic_id == bindparam("clinic_id"),
    Visit.starts_at >= bindparam("since"),
    Visit.starts_at < bindparam("until"),
)
_IDS = select(Visit.id).where(*_OF_DAY)
_SHAPES = select(ProtocolVersion.id, ProtocolVersion.definition).where(
    ProtocolVersion.id.in_(select(Course.protocol_id).join(Visit, Visit.course_id == Course.id).where(*_OF_DAY))
)
_MOMENTS = (
    select(VisitEvent.visit_id, VisitEvent.to_status, VisitEvent.occurred_at)
    .where(VisitEvent.visit_id.in_(_IDS), VisitEvent.to_status.is_not(None))
    .order_by(VisitEvent.entered_at, VisitEvent.id)
)
_DOSES = select(Dose.visit_id, Dose.mg).where(Dose.visit_id.in_(_IDS))
# The signed orders that still count on the day, the newest first.
_ORDERS = (
    select(
        *(InfusionOrder.course_id, InfusionOrder.visit_id, InfusionOrder.mg_per_kg, InfusionOrder.max_mg),
        InfusionOrder.minutes,
    )
    .where(
        InfusionOrder.course_id.in_(select(Visit.course_id).where(*_OF_DAY)),
        InfusionOrder.expires_on >= bindparam("day"),
    )
    .order_by(InfusionOrder.signed_at.desc())
)
_SETS = (
    select(VitalReading.visit_id, func.aggregate_strings(VitalReading.due, " "))
    .where(VitalReading.visit_id.in_(_IDS.where(Visit.status.in_(WATCHED))))
    .group_by(VitalReading.visit_id)
)
_EFFECTS = select(SideEffect.visit_id, SideEffect.term, SideEffect.severity).where(
    SideEffect.visit_id.in_(_IDS), SideEffect.resolved_at.is_(None)
)
_SIGNED = select(Note.visit_id).where(Note.visit_id.in_(_IDS), Note.signed_at.is_not(None))


# Columns, not rows: sixty visits with everything they have cost more than the rest of the page.
_PHYSICIAN = aliased(StaffMember)
_VISITS = (
    select(
        *(Visit.id, Visit.patient_id, Visit.course_id, Visit.ordinal, Visit.room_id, Visit.nurse_id, Visit.status),
        *(Visit.starts_at, Visit.ends_at, Visit.driver_name, Visit.driver_phone, Visit.driver_confirmed_at),
        *(
            Visit.version,
            Visit.lost_at,
            Patient.family_name,
            Patient.given_name,
            Patient.preferred_name,
            Patient.intake_status,
        ),
        *(Patient.weight_kg, Course.sequence, Course.protocol_id, StaffMember.initials),
        *(Visit.physician_id, _PHYSICIAN.initials.label("physician")),
    )
    .join(Patient, Patient.id == Visit.patient_id)
    .join(Course, Course.id == Visit.course_id)
    .join(ProtocolVersion, ProtocolVersion.id == Course.protocol_id)
    .join(StaffMember, StaffMember.id == Visit.nurse_id)
    .join(_PHYSICIAN, _PHYSICIAN.id == Visit.physician_id)
    .where(*_OF_DAY)
    .order_by(Visit.starts_at)
)


def _moments(events: Iterable[Any]) -> dict[UUID, dict[VisitStatus, datetime]]:
    """Return when each visit reached each status; what was corrected away is gone, a pause does not restart."""
    rank = {status: number for number, status in enumerate(VisitStatus)}
    found: dict[UUID, dict[VisitStatus, datetime]] = defaultdict(dict)
    for visit_id, status, at in events:
        reached = found[visit_id]
        for later in [known for known in reached if rank[known] > rank[status]]:
            if status is not VisitStatus.INFUSING or later is not VisitStatus.PAUSED:
                del reached[later]
        reached.setdefault(status, at)
    return found


def _effects(rows: Iterable[Any]) -> dict[UUID, Row[Any]]:
    """Return each visit's worst side effect that is not over."""
    rank = ["mild", "moderate", "severe"]
    return {one.visit_id: one for one in sorted(rows, key=lambda one: rank.index(one.severity))}


def _facts(visit: Row[Any], more: _More) -> VisitFacts:
    of, phases = more.shapes[visit.protocol_id]
    reached = more.moments.get(visit.id, {})
    order = _order(visit, more)
    answer, review = more.answers.get(visit.patient_id), more.reviews.get(visit.course_id)
    due_at, due_set, overdue = _next_set(visit, reached.get(VisitStatus.INFUSING), more)
    return VisitFacts(
        id=visit.id,
        patient_id=visit.patient_id,
        patient=calendar.say_name(visit),
        ordinal=visit.ordinal,
        of=of,
        sequence=visit.sequence,
        room_id=visit.room_id,
        nurse_id=visit.nurse_id,
        nurse=visit.initials,
        physician_id=visit.physician_id,
        physician=visit.physician,
        mg=more.doses.get(visit.id) or _planned_mg(order, visit.weight_kg),
        status=visit.status,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        phases=phases,
        arrived_at=reached.get(VisitStatus.ARRIVED),
        started_at=reached.get(VisitStatus.INFUSING),
        stopped_at=reached.get(VisitStatus.RECOVERING),
        ready_at=reached.get(VisitStatus.READY),
        left_at=reached.get(VisitStatus.DISCHARGED) or reached.get(VisitStatus.TRANSFERRED),
        driver=visit.driver_name,
        driver_phone=visit.driver_phone,
        driver_confirmed=visit.driver_confirmed_at is not None,
        lost_at=visit.lost_at,
        cleared=visit.intake_status is IntakeStatus.CLEARED,
        order_signed=order is not None,
        review_after=review.ordinal if review else None,
        review_id=review.Task.id if review else None,
        answered_at=answer.Task.created_at if answer else None,
        answer_due_at=answer.Task.due_at if answer else None,
        answer_alert=answer.Task.urgent if answer else False,
        answer_id=answer.Task.id if answer else None,
        answer_for=(answer.owner or "") if answer else "",
        vitals_due_at=due_at,
        vitals_set=due_set,
        vitals_overdue=overdue,
        side_effect=_say_effect(more.effects.get(visit.id)),
        note_signed=visit.id in more.signed,
        version=visit.version,
    )


def _order(visit: Row[Any], more: _More) -> Any:
    orders = more.orders.get(visit.course_id, [])
    own = next((order for order in orders if order.visit_id == visit.id), None)
    return own or next((order for order in orders if order.visit_id is None), None)


def _planned_mg(order: Row[Any] | None, weight_kg: Decimal | None) -> Decimal | None:
    if order is None or weight_kg is None:
        return None
    most: Decimal = order.max_mg
    return min(most, dosing.milligrams(weight_kg, order.mg_per_kg)).quantize(Decimal("0.1"))


def _next_set(visit: Row[Any], started_at: datetime | None, more: _More) -> tuple[datetime | None, str, bool]:
    """Return when the set that waits was due, its name, and whether it is overdue; nothing where none waits."""
    if visit.status not in WATCHED or started_at is None:
        return None, "", False
    minute = int((more.now - started_at).total_seconds() // 60)
    infusion = next((order.minutes for order in [_order(visit, more)] if order), 40)
    planned = vitals.planned_minutes(infusion, max(minute, infusion), more.settings)
    filled = {int(due) for due in more.sets.get(visit.id, ()) if due.isdigit()}
    for column in vitals.sets(filled, minute, planned, more.settings, baseline_taken=True):
        if column.minute is not None and column.state in (vitals.SetState.DUE, vitals.SetState.OVERDUE):
            overdue = column.state is vitals.SetState.OVERDUE
            return started_at + timedelta(minutes=column.minute), str(column.minute), overdue
    return None, "", False


def _say_effect(effect: Row[Any] | None) -> str:
    if effect is None or effect.severity != "severe":
        return ""
    return _("Severe %(what)s", what=adverse_events.TERMS[effect.term].label.lower())


# Tasks


_OPEN = (
    select(
        *(Task, Patient.family_name, Patient.given_name, Patient.preferred_name),
        *(UserAccount.name.label("owner"), Visit.ordinal, Visit.starts_at),
    )
    .outerjoin(Patient, Patient.id == Task.patient_id)
    .outerjoin(UserAccount, UserAccount.id == Task.owner_id)
    .outerjoin(Visit, Visit.id == Task.visit_id)
    .where(
        Task.clinic_id == bindparam("clinic_id"),
        Task.status == TaskStatus.OPEN,
        or_(
            Task.kind.in_((REVIEW, SAFETY)),
            and_(Task.due_at < bindparam("until"), or_(Task.urgent, Task.kind.in_(CALLS))),
        ),
    )
    .order_by(Task.due_at)
)


def _open_tasks(session: Session, actor: Actor, end: datetime) -> Rows:
    """Return open tasks that the day can't end without, with patient, owner's name and their visit's ordinal."""
    return session.execute(_OPEN, {"clinic_id": actor.clinic_id, "until": end}).all()


def _belongs(row: Row[Any], shown: set[UUID], now: datetime) -> bool:
    """Whether a task stands for itself: it is open by now, and no bar of the day already says it."""
    task: Task = row.Task
    said_by_bar = task.kind == REVIEW or (task.kind == SAFETY and (task.patient_id in shown or not task.urgent))
    return task.opens_at <= now and not said_by_bar


def _task(row: Row[Any], place: ClinicInfo, now: datetime) -> TaskFacts:
    task: Task = row.Task
    title = followup.say(task.kind)
    if task.kind in undelivered.KINDS and task.patient_id:
        name = row.preferred_name or row.given_name
        title = undelivered.call(task.kind, name, row.starts_at, place, now=now)
    return TaskFacts(
        id=task.id,
        title=title,
        patient_id=task.patient_id,
        patient=calendar.say_name(row) if task.patient_id else "",
        detail=task.detail,
        urgent=task.urgent,
        due_at=task.due_at,
    )
