"""A visit through its story: each move is allowed by the table, checked at its gate, and kept as a row.

Every move has when it happened and when it was written down. A slip is taken back by a correcting entry.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Claim, Visit, VisitEvent
from tracker.rules import visit as story
from tracker.rules.discharge import ASKED, CRITERIA
from tracker.rules.fields import Amount, ClockTime, Command, Line, local_instant
from tracker.rules.permissions import Actor, Permission
from tracker.rules.visit import Move, Needs
from tracker.rules.vocabulary import CourseStatus, Role, VisitStatus
from tracker.services import followup, gates, outcomes, reminders, telling, visit_record
from tracker.services.followup import REVIEW, Ask
from tracker.services.visit_record import OVERRIDE, VisitRecord
from tracker.text import gettext as _

# The pump's own clock and ours differ; nearer the end than this an infusion has ended, not been stopped.
NEAR_THE_END = timedelta(minutes=2)


def _asked(keys: frozenset[str]) -> frozenset[str]:
    if not keys <= {criterion.key for criterion in ASKED}:
        raise ValueError(_("Tick what the list asks."))
    return keys


Ticks = Annotated[frozenset[str], AfterValidator(_asked)]


class MakeMove(Command):
    """What is done to a visit, and when it happened if not now."""

    move: Move
    reason: Line | None = None
    at: ClockTime | None = None
    given_mg: Amount | None = None  # as the pump says, when an infusion ends
    ticked: Ticks = frozenset()  # asked criteria, at discharge
    driver: Line | None = None  # who takes the patient home, at discharge


@dataclass(frozen=True)
class _Making:
    """One move in the making."""

    session: Session
    actor: Actor
    record: VisitRecord
    command: MakeMove
    at: datetime
    now: datetime

    @property
    def visit(self) -> Visit:
        return self.record.visit


def make_move(session: Session, actor: Actor, visit_id: UUID, command: MakeMove, *, now: datetime) -> Visit:
    """Move a visit through its story.

    Raises:
        NotFound: No such visit in this clinic.
        Refused: The table has no such move from here, the actor may not make it, or something it needs is missing.
    """
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    if not story.may(actor.role, command.move):
        raise Refused(_("This step is for others to make."))
    making = _Making(session, actor, record, command, when(record, command.at, now=now), now)
    if command.move is Move.UNDO:
        _undo(making)
    else:
        _go(making)
    visit_record.note_down(session, actor, record, f"visit {command.move}", now=now)
    return record.visit


def when(
    record: VisitRecord, at: ClockTime | None, *, now: datetime, first: datetime | None = None, field: str = "at"
) -> datetime:
    """Return the instant something happened: now, or today at the clinic's local time `at`.

    Args:
        field: Where `at` was typed.
        first: It can't have been earlier than this; the visit's last step, if not given.

    Raises:
        Refused: Still to come, before what it follows, or a time that the clocks skipped.
    """
    if at is None:
        return now
    zone = record.clinic.zone
    try:
        instant = local_instant(now.astimezone(zone).date(), at, zone)
    except ValueError as fault:
        raise Refused(str(fault), field=field) from None
    if instant > now:
        raise Refused(_("That time is still to come."), field=field)
    last = first or (record.steps[-1].at if record.steps else None)
    if last is not None and instant < last:
        if last - instant >= timedelta(minutes=1):
            raise Refused(_("That is before the step before it."), field=field)
        return last  # the same minute: what is typed has no seconds
    return instant


def _go(making: _Making) -> None:
    before, move = making.visit.status, making.command.move
    target = story.after(before, move)
    for need in sorted(story.needs(move)):
        _require(making, need)
    making.visit.status = target
    if move is Move.CANCEL:
        making.visit.cancel_reason = making.command.reason
    _write(making, "status", target, _detail(making))
    _consequences(making)


def _require(making: _Making, need: Needs) -> None:
    if need is Needs.REASON:
        if not making.command.reason:
            raise Refused(_("Say why: somebody will ask."), field="reason")
    elif need is Needs.ITS_DAY:
        if (
            making.now.astimezone(making.record.clinic.zone).date()
            < making.visit.starts_at.astimezone(making.record.clinic.zone).date()
        ):
            raise Refused(_("This visit is on another day. Move it first if the patient is here now."))
    elif need is Needs.START_TIME_PASSED:
        if making.now < making.visit.starts_at:
            raise Refused(_("It isn't time yet: this visit is still to come."))
    elif need is Needs.DISCHARGE_CRITERIA:
        _require_discharge(making)
    else:
        blocker = next((b for b in gates.before_start(making.record) if b.need is need), None)
        if blocker:
            raise Refused(blocker.why)


def _require_discharge(making: _Making) -> None:
    command = making.command
    if "driver_here" in command.ticked and not command.driver:
        raise Refused(_("Who takes the patient home? Enter the name."), field="driver")
    unmet = [met for met in gates.before_discharge(making.record, command.ticked, now=making.at) if not met.ok]
    if not unmet or (command.reason and making.actor.may(Permission.OVERRIDE)):
        return
    missing = "; ".join(f"{met.criterion.text} ({met.why})" if met.why else met.criterion.text for met in unmet)
    raise Refused(
        _("Not yet: %(missing)s.", missing=missing),
        helps=(_("A physician may discharge all the same, with a reason."),),
    )


def _detail(making: _Making) -> str:
    command = making.command
    parts = [command.reason] if command.reason else []
    if command.move is Move.DISCHARGE:
        parts += [criterion.text for criterion in CRITERIA if criterion.key in command.ticked]
        parts += [_("driver: %(name)s", name=command.driver)] if command.driver else []
    return "; ".join(parts)


def _write(making: _Making, kind: str, status: VisitStatus | None, detail: str) -> None:
    event = VisitEvent(
        clinic_id=making.visit.clinic_id,
        visit_id=making.visit.id,
        kind=kind,
        to_status=status,
        occurred_at=making.at,
        entered_at=making.now,
        entered_by=making.actor.user_id,
        detail=detail,
    )
    making.session.add(event)
    making.session.flush()


def _consequences(making: _Making) -> None:
    move = making.command.move
    if move is Move.START and making.visit.ordinal == 1:
        outcomes.lock_baseline(making.session, making.record.course, making.at)
    if move in {Move.FINISH, Move.STOP, Move.TRANSFER}:
        _keep_given(making)
    if move in story.GIVES_ROOM_AWAY:
        making.session.execute(delete(Claim).where(Claim.visit_id == making.visit.id))
    if move is Move.NO_SHOW:
        _ask(making, "no_show", Role.COORDINATOR, timedelta(minutes=45))
    if move in {Move.CANCEL, Move.HOLD}:
        _ask_to_replace(making)
    if move is Move.TRANSFER:
        _ask(making, "transferred", Role.PHYSICIAN, timedelta(hours=2))
    if move is Move.DISCHARGE:
        _open_review(making)
    if story.MOVES[move].target in story.OVER:
        telling.settle(making.session, making.actor, making.visit, _("The visit is off, or over"), now=making.now)
        off = move is Move.CANCEL and making.visit.starts_at > making.now
        plan_again(making.session, making.actor, making.record, now=making.now, changed=off)


def _open_review(making: _Making) -> None:
    """After the third infusion a physician decides how to go on, before the fourth."""
    visits = select(Visit).where(Visit.course_id == making.visit.course_id).order_by(Visit.starts_at)
    rows = making.session.scalars(visits).all()
    given = sum(visit.status is VisitStatus.DISCHARGED for visit in rows)
    following = next((visit for visit in rows if visit.status is VisitStatus.BOOKED), None)
    if given in making.record.protocol.review_after and following:
        key = _review(making.visit, given)
        detail = _("After infusion %(n)s: go on, adjust or stop?", n=given)
        wanted = Ask(REVIEW, key, Role.PHYSICIAN, following.starts_at, detail)
        followup.ask(making.session, making.visit, wanted, now=making.now)


def _review(visit: Visit, given: int) -> str:
    return f"{REVIEW}:{visit.course_id}:{given}"


def _ask(making: _Making, kind: str, role: Role, within: timedelta) -> None:
    wanted = Ask(kind, f"{kind}:{making.visit.id}", role, making.now + within, making.command.reason or "", urgent=True)
    followup.ask(making.session, making.visit, wanted, now=making.now)


def _ask_to_replace(making: _Making) -> None:
    if making.record.course.status is CourseStatus.ACTIVE:
        key, due_at = followup.to_replace(making.visit.id), making.now + timedelta(days=1)
        wanted = Ask("to_replace", key, Role.COORDINATOR, due_at, making.command.reason or "")
        followup.ask(making.session, making.visit, wanted, now=making.now)


def _keep_given(making: _Making) -> None:
    """Write down what was given: as the pump says, else what the time it ran comes to."""
    dose, move = making.record.dose, making.command.move
    if dose is None or making.record.started_at is None or dose.given_mg is not None:
        return
    left = timedelta(minutes=dose.minutes) - making.record.run_for(making.at)
    if move is Move.FINISH and left > NEAR_THE_END:
        minutes = -(-left // timedelta(minutes=1))
        raise Refused(_("%(n)s min are still to run.", n=minutes), helps=(_("If it is ended now, choose Stop early."),))
    typed = making.command.given_mg
    if typed is not None and typed > dose.mg:
        raise Refused(_("That is more than was drawn up (%(mg)s mg).", mg=dose.mg), field="given_mg")
    computed = dose.mg if move is Move.FINISH else making.record.given_mg(making.at)
    dose.given_mg = computed if typed is None else typed


def plan_again(session: Session, actor: Actor, record: VisitRecord, *, now: datetime, changed: bool = False) -> None:
    """Let course, tasks and messages follow from what just became of a visit.

    Args:
        changed: A date that was told is off; the patient is told which are left.
    """
    course = record.course
    visits = list(session.scalars(select(Visit).where(Visit.course_id == course.id).order_by(Visit.starts_at)))
    done = sum(visit.status is VisitStatus.DISCHARGED for visit in visits)
    if course.status is CourseStatus.ACTIVE and done >= record.protocol.visits:
        course.status, course.ended_at = CourseStatus.COMPLETED, now
    elif course.status is CourseStatus.COMPLETED and done < record.protocol.visits:
        course.status, course.ended_at = CourseStatus.ACTIVE, None
    followup.plan_for_course(session, actor, course, visits, now=now)
    reminders.plan_for_course(session, actor, course, visits, now=now, changed=changed)


def _undo(making: _Making) -> None:
    steps = making.record.steps
    if not steps:
        raise Refused(_("There is nothing to take back."))
    _require(making, Needs.REASON)
    if any(note.signed_at for note in making.record.notes):
        raise Refused(_("The note is signed: write an addendum instead."))
    before = steps[-2].status if len(steps) > 1 else VisitStatus.BOOKED
    move = story.move_between(before, steps[-1].status)
    making.visit.status = story.undone(move, before)
    _write(making, "correction", making.visit.status, making.command.reason or "")
    _take_back(making, steps[-1].status)


def _take_back(making: _Making, status: VisitStatus) -> None:
    dose = making.record.dose
    # Back at the pump what was given is open again; whoever was recovering when taken to a hospital had it all.
    if making.visit.status in {VisitStatus.INFUSING, VisitStatus.PAUSED} and dose:
        dose.given_mg = None
    if status is VisitStatus.TRANSFERRED:
        key = f"transferred:{making.visit.id}"
        followup.call_off(making.session, key, making.visit.clinic_id, now=making.now)
    followup.call_off(making.session, followup.to_replace(making.visit.id), making.visit.clinic_id, now=making.now)
    if status is VisitStatus.DISCHARGED:
        others = (Visit.course_id == making.visit.course_id, Visit.status == status)
        given = making.session.scalar(select(func.count()).select_from(Visit).where(*others)) or 0
        followup.call_off(making.session, _review(making.visit, given + 1), making.visit.clinic_id, now=making.now)
    if status in story.OVER:
        plan_again(making.session, making.actor, making.record, now=making.now)


class Override(Command):
    """A physician lets one item of the checklist, or the vital signs before the start, pass."""

    item: Line
    why: Line


def override(session: Session, actor: Actor, visit_id: UUID, command: Override, *, now: datetime) -> None:
    """Let something pass that stands before Start; it stays on the visit with its reason.

    Raises:
        Refused: Only a physician may, or nothing of that name stands in the way.
    """
    if not actor.may(Permission.OVERRIDE):
        raise Refused(_("Only a physician may let this pass."))
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    standing = {item.key for item in record.checklist.blocking}
    standing |= {blocker.override for blocker in gates.before_start(record) if blocker.override}
    if command.item not in standing:
        raise Refused(_("Nothing of that kind stands in the way."), field="item")
    making = _Making(session, actor, record, MakeMove(move=Move.CHECK), now, now)
    _write(making, OVERRIDE, None, f"{command.item}: {command.why}")
    visit_record.note_down(session, actor, record, "override", now=now)
