"""The clinic's day: gather what the board must know, in a fixed number of SELECTs whatever the past holds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session

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
from tracker.rules.protocol import NURSE
from tracker.rules.vocabulary import IntakeStatus, ResourceKind, TaskStatus, VisitStatus
from tracker.services import calendar, capacity, settings
from tracker.services.clinic import ClinicInfo
from tracker.services.followup import REVIEW, SAFETY
from tracker.text import gettext as _

# What the day can't end without. The rest waits in To do.
CALLS = ("next_day_check_in", "no_show", "undelivered")

Any_ = TypeVar("Any_")
Rows = Sequence[Any]
Ids = Select[UUID]


def day_board(
    session: Session, actor: Actor, place: ClinicInfo, day: date, filters: Filters = ALL, *, now: datetime
) -> board.Board:
    """Return the board of `day`, a day in the clinic's zone; narrowed, without what needs somebody elsewhere."""
    start, end = calendar.bounds(place, day, day)
    tasks = _open_tasks(session, actor, end)
    visits = _visits(session, actor, (start, end), day, filters, tasks, now)
    shown = {visit.patient_id for visit in visits}
    there = capacity.load(session, place, day, day)
    return board.draw(
        day=day,
        zone=place.zone,
        hours=hours_of(session, actor, day),
        rooms=_rooms(session, actor, filters),
        visits=visits,
        tasks=[_task(row) for row in tasks if _belongs(row, shown, now)] if not filters else [],
        free=_free(session, place, there, filters, now),
        there=there,
        closed=calendar.closed_times(session, place, day, day),
        lanes={one.id: one.lanes for one in there.of_kind(NURSE)},
        now=now,
    )


def _rooms(session: Session, actor: Actor, filters: Filters) -> list[RoomFacts]:
    query = select(Resource.id, Resource.name, Resource.detail).where(
        Resource.clinic_id == actor.clinic_id, Resource.kind == ResourceKind.ROOM, Resource.retired_at.is_(None)
    )
    rows = session.execute(query.order_by(Resource.position, Resource.name))
    return [RoomFacts(id=row.id, name=row.name, detail=row.detail) for row in rows if filters.room in (None, row.id)]


def _free(
    session: Session, place: ClinicInfo, there: FreeTime, filters: Filters, now: datetime
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    """Return the blocks that could still be booked, room by room; for a day that is over none."""
    if there.days.first < now.astimezone(place.zone).date() or filters.clinician:
        return {}
    protocol = calendar.usual_protocol(session, place.id, filters.protocol)
    return calendar.free_by_room(protocol, there, there.days.first, now) if protocol else {}


def hours_of(session: Session, actor: Actor, day: date) -> tuple[int, int]:
    """Return opening and closing of a weekday in minutes after midnight, closures aside; equal if it never opens."""
    hours = session.execute(
        select(OpeningHours.starts_minute, OpeningHours.ends_minute).where(
            OpeningHours.clinic_id == actor.clinic_id, OpeningHours.weekday == day.weekday()
        )
    ).first()
    return (hours[0], hours[1]) if hours else (0, 0)


def _by(rows: Iterable[Any_], key: Callable[[Any_], Any]) -> dict[Any, list[Any_]]:
    found: dict[Any, list[Any_]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


# Visits


_OF_VISIT = (
    *(Visit.id, Visit.patient_id, Visit.course_id, Visit.ordinal, Visit.room_id, Visit.nurse_id, Visit.status),
    *(
        Visit.starts_at,
        Visit.ends_at,
        Visit.driver_name,
        Visit.driver_phone,
        Visit.driver_confirmed_at,
        Visit.lost_at,
        Visit.version,
    ),
)


def _visit_query(actor: Actor, start: datetime, end: datetime, filters: Filters) -> Select[*tuple[Any, ...]]:
    return (
        select(
            # Columns, not rows: sixty visits with everything they have cost more than the rest of the page.
            *_OF_VISIT,
            Patient.family_name,
            Patient.given_name,
            Patient.preferred_name,
            Patient.intake_status,
            Patient.weight_kg,
            Course.sequence,
            Course.protocol_id,
            StaffMember.initials,
        )
        .join(Patient, Patient.id == Visit.patient_id)
        .join(Course, Course.id == Visit.course_id)
        .join(ProtocolVersion, ProtocolVersion.id == Course.protocol_id)
        .join(StaffMember, StaffMember.id == Visit.nurse_id)
        .where(
            Visit.clinic_id == actor.clinic_id,
            Visit.starts_at >= start,
            Visit.starts_at < end,
            *calendar.narrowed(filters),
        )
        .order_by(Visit.starts_at)
    )


def _visits(
    session: Session,
    actor: Actor,
    times: tuple[datetime, datetime],
    day: date,
    filters: Filters,
    tasks: Rows,
    now: datetime,
) -> list[VisitFacts]:
    rows = session.execute(_visit_query(actor, *times, filters)).all()
    if not rows:
        return []
    of_day = and_(Visit.clinic_id == actor.clinic_id, Visit.starts_at >= times[0], Visit.starts_at < times[1])
    more = _More(session, actor, of_day, tasks, day, now)
    return [_facts(row, more) for row in rows]


class _More:
    """What belongs to the day's visits, loaded once for all of them.

    Named by the condition that they are of the day: sixty ids in each query cost more than what they find.
    """

    def __init__(
        self, session: Session, actor: Actor, of_day: ColumnElement[bool], tasks: Rows, day: date, now: datetime
    ) -> None:
        ids = select(Visit.id).where(of_day)
        self.now = now
        self.settings = settings.of_clinic(session, actor.clinic_id)
        self.shapes = _shapes(session, actor)
        self.moments = _moments(session, ids)
        self.doses = dict(session.execute(select(Dose.visit_id, Dose.mg).where(Dose.visit_id.in_(ids))).all())
        self.orders = _orders(session, select(Visit.course_id).where(of_day), day)
        self.sets = _sets(session, ids.where(Visit.status.in_(WATCHED)))
        self.effects = _effects(session, ids)
        self.signed = set(
            session.scalars(select(Note.visit_id).where(Note.visit_id.in_(ids), Note.signed_at.is_not(None)))
        )
        # The most pressing comes last and stays.
        answers = sorted((row for row in tasks if row.Task.kind == SAFETY), key=lambda row: row.Task.urgent)
        self.answers = {row.Task.patient_id: row for row in answers}
        self.reviews = {row.Task.course_id: row for row in tasks if row.Task.kind == REVIEW}


def _shapes(session: Session, actor: Actor) -> dict[UUID, tuple[int, tuple[tuple[str, int], ...]]]:
    """Return how many visits each protocol has, and the phases of one with their minutes."""
    query = select(ProtocolVersion.id, ProtocolVersion.definition).where(ProtocolVersion.clinic_id == actor.clinic_id)
    return {
        protocol: (said["visits"], tuple((phase["name"], phase["minutes"]) for phase in said["phases"]))
        for protocol, said in session.execute(query)
    }


def _moments(session: Session, ids: Ids) -> dict[UUID, dict[VisitStatus, datetime]]:
    """Return when each visit reached each status; what was corrected away is gone, a pause does not restart."""
    events = session.execute(
        select(VisitEvent.visit_id, VisitEvent.to_status, VisitEvent.occurred_at)
        .where(VisitEvent.visit_id.in_(ids))
        .order_by(VisitEvent.entered_at, VisitEvent.id)
    )
    rank = {status: number for number, status in enumerate(VisitStatus)}
    found: dict[UUID, dict[VisitStatus, datetime]] = defaultdict(dict)
    for visit_id, status, at in events:
        if status is None:
            continue
        reached = found[visit_id]
        for later in [known for known in reached if rank[known] > rank[status]]:
            if status is not VisitStatus.INFUSING or later is not VisitStatus.PAUSED:
                del reached[later]
        reached.setdefault(status, at)
    return found


def _orders(session: Session, courses: Ids, day: date) -> dict[UUID, list[Row[Any]]]:
    """Return each course's signed orders that still count on `day`, the newest first."""
    columns = (InfusionOrder.course_id, InfusionOrder.visit_id, InfusionOrder.mg_per_kg, InfusionOrder.max_mg)
    query = select(*columns, InfusionOrder.minutes).where(
        InfusionOrder.course_id.in_(courses), InfusionOrder.expires_on >= day
    )
    return _by(session.execute(query.order_by(InfusionOrder.signed_at.desc())), lambda order: order.course_id)


def _sets(session: Session, ids: Ids) -> dict[UUID, set[str]]:
    rows = session.execute(select(VitalReading.visit_id, VitalReading.due).where(VitalReading.visit_id.in_(ids)))
    return {visit: {due for _visit, due in taken} for visit, taken in _by(rows, lambda row: row[0]).items()}


def _effects(session: Session, ids: Ids) -> dict[UUID, SideEffect]:
    """Return each visit's worst side effect that is not over."""
    rank = ["mild", "moderate", "severe"]
    open_ones = session.scalars(
        select(SideEffect).where(SideEffect.visit_id.in_(ids), SideEffect.resolved_at.is_(None))
    )
    return {one.visit_id: one for one in sorted(open_ones, key=lambda one: rank.index(one.severity))}


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


def _order(visit: Row[Any], more: _More) -> Row[Any] | None:
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


def _say_effect(effect: SideEffect | None) -> str:
    if effect is None or effect.severity != "severe":
        return ""
    return _("Severe %(what)s", what=adverse_events.TERMS[effect.term].label.lower())


# Tasks


def _open_tasks(session: Session, actor: Actor, end: datetime) -> Rows:
    """Return open tasks that the day can't end without, with patient, owner's name and their visit's ordinal."""
    query = (
        select(
            Task,
            Patient.family_name,
            Patient.given_name,
            Patient.preferred_name,
            UserAccount.name.label("owner"),
            Visit.ordinal,
        )
        .outerjoin(Patient, Patient.id == Task.patient_id)
        .outerjoin(UserAccount, UserAccount.id == Task.owner_id)
        .outerjoin(Visit, Visit.id == Task.visit_id)
        .where(
            Task.clinic_id == actor.clinic_id,
            Task.status == TaskStatus.OPEN,
            or_(Task.kind.in_((REVIEW, SAFETY)), and_(Task.due_at < end, or_(Task.urgent, Task.kind.in_(CALLS)))),
        )
        .order_by(Task.due_at)
    )
    return session.execute(query).all()


def _belongs(row: Row[Any], shown: set[UUID], now: datetime) -> bool:
    """Whether a task stands for itself: it is open by now, and no bar of the day already says it."""
    task: Task = row.Task
    said_by_bar = task.kind == REVIEW or (task.kind == SAFETY and (task.patient_id in shown or not task.urgent))
    return task.opens_at <= now and not said_by_bar


def _task(row: Row[Any]) -> TaskFacts:
    task: Task = row.Task
    return TaskFacts(
        id=task.id,
        title=followup.say(task.kind),
        patient_id=task.patient_id,
        patient=calendar.say_name(row) if task.patient_id else "",
        detail=task.detail,
        urgent=task.urgent,
        due_at=task.due_at,
    )
