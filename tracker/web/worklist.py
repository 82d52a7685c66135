"""To do: what is owed to whom, by when; done with an outcome, or skipped with a reason."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue

from tracker.db import read, transaction
from tracker.errors import Invalid, Refused, Stale
from tracker.models import Task
from tracker.rules.permissions import Permission
from tracker.services import affected, audit, clinic, followup, tasks
from tracker.services.tasks import PHYSICIANS
from tracker.web.access import access
from tracker.web.forms import Form, blank, page, parse, see_other

bp = Blueprint("worklist", __name__)

SHOWN = ("mine", "all", "week")


@bp.get("/to-do")
@access(Permission.VIEW_TASKS)
def show() -> ResponseReturnValue:
    """Show what is to do: mine, everybody's, or everybody's of the coming week too."""
    with transaction() as session:
        audit.record(session, g.actor, "read to do", now=g.now)
    return _page()


@bp.post("/tasks/<uuid:task_id>/take")
@access(Permission.DO_TASK)
def take(task_id: UUID) -> ResponseReturnValue:
    """Take a task into one's own hands."""
    try:
        with transaction() as session:
            tasks.take(session, g.actor, task_id, now=g.now)
    except Refused as refusal:
        return _page(task_id, blank().refused(refusal))
    return see_other("worklist.show", show=_shown(), _anchor=f"task-{task_id}")


@bp.post("/tasks/<uuid:task_id>/close")
@access(Permission.DO_TASK)
def close(task_id: UUID) -> ResponseReturnValue:
    """Close a task with its outcome, or skip it with a reason."""
    form = parse(tasks.CloseTask, request.form)
    if form.errors:
        with read() as session:
            clinic.get(session, g.actor, Task, task_id)
        return _page(task_id, form)
    try:
        with transaction() as session:
            tasks.close(session, g.actor, task_id, form.command, now=g.now)
    except (Refused, Invalid) as error:
        return _page(task_id, form.refused(error))
    except Stale as stale:
        return _page(task_id, form.refused(Refused(str(stale))), status=409)
    return see_other("worklist.show", show=_shown())


def _shown() -> str:
    asked = request.args.get("show", "")
    return asked if asked in SHOWN else "mine"


def _page(task_id: UUID | None = None, form: Form[Any] | None = None, *, status: int = 422) -> Response:
    shown = _shown() if form is None else "week"  # whatever list it stood on, a refused one is in this
    ahead = timedelta(days=7) if shown == "week" else timedelta()
    with read() as session:
        entries = followup.to_do(session, g.actor, now=g.now, mine=shown == "mine", ahead=ahead)
        entries.sort(key=lambda entry: entry.task.id != task_id)  # the refused one stands first
        people = followup.people(session, g.actor)
        lost = affected.affected(session, g.actor, g.clinic, now=g.now) if g.actor.may(Permission.MOVE_VISIT) else []
    return page(
        "worklist/worklist.html",
        status=status if form else 200,
        entries=entries,
        people=people,
        lost=len(lost),
        shown=shown,
        physicians=PHYSICIANS,
        refused=task_id,
        form=form or blank(),
        blank=blank(),
    )
