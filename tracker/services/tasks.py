"""What a person does with a task of the list: takes it, closes it with what came of it, or skips it and says why."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Invalid, Refused, Stale
from tracker.models import Task
from tracker.rules.fields import Command, Number, Text, Tick
from tracker.rules.followup import CANT_COME
from tracker.rules.permissions import Actor, Permission
from tracker.rules.vocabulary import TaskStatus
from tracker.services import audit, clinic, reminders
from tracker.services.followup import REVIEW, SAFETY
from tracker.text import gettext as _

PHYSICIANS = frozenset({SAFETY, REVIEW})  # only a physician decides


class CloseTask(Command):
    """What came of a task, or why it won't be done."""

    version: Number
    outcome: Text
    skip: Tick = False


def take(session: Session, actor: Actor, task_id: UUID, *, now: datetime) -> Task:
    """Put a task into one's own hands. Whoever takes it last has it."""
    task = _open_task(session, actor, task_id)
    task.owner_id = actor.user_id
    _note(session, actor, "task taken", task, now)
    return task


def close(session: Session, actor: Actor, task_id: UUID, command: CloseTask, *, now: datetime) -> Task:
    """Close a task with its outcome, or skip it with a reason.

    Raises:
        Stale: Somebody changed it since the form was opened.
        Refused: It is closed already, or it is for a physician to settle.
    """
    cant_come = select(Task.visit_id).where(Task.id == task_id, Task.kind == CANT_COME)
    visit_id = session.scalar(cant_come)
    if visit_id:  # what she is told follows from it, and a series is locked before what belongs to it
        clinic.lock_course(session, actor, visit_id)
    task = _open_task(session, actor, task_id)
    if task.version != command.version:
        raise Stale(_("Somebody changed this task meanwhile."))
    if task.kind in PHYSICIANS:
        _may_settle(actor, command)
    task.status = TaskStatus.SKIPPED if command.skip else TaskStatus.DONE
    task.outcome, task.closed_at, task.closed_by = command.outcome, now, actor.user_id
    if visit_id and task.course_id:
        reminders.plan_again(session, actor, task.course_id, now=now)
    _note(session, actor, f"task {task.status}", task, now)
    return task


def _may_settle(actor: Actor, command: CloseTask) -> None:
    if not actor.may(Permission.OVERRIDE):
        raise Refused(_("A physician settles this one."), helps=(_("Call the physician."),))
    if command.skip:
        raise Invalid({"skip": _("This can't be skipped: write what was decided.")})


def _open_task(session: Session, actor: Actor, task_id: UUID) -> Task:
    task = clinic.get(session, actor, Task, task_id, lock=True)
    if task.status is not TaskStatus.OPEN:
        raise Refused(_("This task is closed already."))
    return task


def _note(session: Session, actor: Actor, action: str, task: Task, now: datetime) -> None:
    session.flush()
    audit.record(session, actor, action, patient_id=task.patient_id, subject=f"task {task.id}", now=now)
