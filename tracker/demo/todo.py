"""What follows from all of it: the follow-up tasks, most of them done, and what else waits on the desks."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.demo.days import at, away
from tracker.demo.history import Series
from tracker.demo.house import House
from tracker.models import Task
from tracker.rules.vocabulary import Role, TaskStatus
from tracker.services import followup, reminders

_OUTCOMES = {
    "next_day_check_in": "Reached; well, nothing to report.",
    "therapy_session": "Session took place.",
    "weekly_score": "Answered by the link.",
    "response_review": "Response; maintenance by scores.",
    "medication_review": "Nothing changed.",
    "relapse_look": "No sign of a relapse.",
}

# family, kind, owner, days from today, clock, what about
_MORE = (
    ("Osei", "therapist_letter", Role.COORDINATOR, 0, "16:00", "Dr C. Wu: dates of the six, GAD-7 18 → 8"),
    ("Nguyen", "offer_booster", Role.COORDINATOR, 2, "12:00", "PHQ-9 4, then 11 and 12: relapse watch"),
    ("Adams", "urinary_symptoms", Role.PHYSICIAN, 1, "12:00", "Urgency for two weeks; booster on hold until the test"),
    ("Stein", "records_due", Role.COORDINATOR, 18, "17:00", "Complaint received; copy of the record asked for"),
    ("Chen", "waitlist", Role.COORDINATOR, 3, "12:00", "Mornings only; call when one falls free"),
    ("Romero", "screening_decision", Role.PHYSICIAN, 1, "12:00", "Breast-feeding: treat now, later, or not?"),
    (
        "Walker",
        "blood_pressure_again",
        Role.COORDINATOR,
        14,
        "12:00",
        "176/102 at the consult; Dr Kent treats it",
    ),
    ("Singh", "call_back", Role.COORDINATOR, 0, "16:30", "Asked how long a course takes and what it costs"),
)


def plan(session: Session, house: House, series: Sequence[Series], now: datetime) -> None:
    """Plan tasks and messages as they stand at `now`, and close what was done."""
    for one in series:
        followup.plan_for_course(session, house.desk, one.course, one.visits, now=now)
    session.flush()
    for task in session.scalars(select(Task).where(Task.kind.in_(_OUTCOMES), Task.status == TaskStatus.OPEN)):
        if task.opens_at <= now and _was_done(house, task, now):
            _close(house, task, now)
    session.flush()
    for one in series:
        reminders.plan_for_course(session, house.desk, one.course, one.visits, now=now)
    for family, kind, role, days, clock, detail in _MORE:
        session.add(_task(house, family, kind, role, at(away(house.today, days), clock), detail, now))
    session.flush()


def _was_done(house: House, task: Task, now: datetime) -> bool:
    """Whether a task that is open to be done is done: all but a few of the last day."""
    if task.kind == "next_day_check_in" and task.patient_id == house.patients["Petrov"]:
        if task.due_at > now:
            task.detail = "Second try: no answer at 9:10"
            return False
        return True
    return task.due_at <= now or task.kind in ("next_day_check_in", "weekly_score")


def _close(house: House, task: Task, now: datetime) -> None:
    task.status = TaskStatus.DONE
    task.outcome = _OUTCOMES[task.kind]
    if task.kind == "next_day_check_in" and task.patient_id == house.patients["Kaur"]:
        task.outcome = "Reached at 9:20: slept badly, afraid of the next one."
    task.closed_at = min(task.due_at, max(task.opens_at + timedelta(hours=1), task.opens_at), now)
    task.closed_by = house.physician.user_id if task.owner_role is Role.PHYSICIAN else house.desk.user_id


def _task(house: House, family: str, kind: str, role: Role, due_at: datetime, detail: str, now: datetime) -> Task:
    opens_at = min(at(house.today, "8:00"), due_at)
    return Task(
        clinic_id=house.clinic_id,
        patient_id=house.patients[family],
        kind=kind,
        key=f"{kind}:{house.patients[family]}",
        owner_role=role,
        opens_at=opens_at,
        due_at=due_at,
        detail=detail,
        created_at=opens_at,
    )
