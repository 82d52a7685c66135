"""The follow-up programme: which tasks a course asks for, and when each opens and is due.

The steps are a protocol's data (`protocol.Step`). Here they are laid on what has happened: `wanted` says what there
should be, and the follow-up service makes it so. Asking twice gives the same keys.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.protocol import Anchor, Protocol, Step
from tracker.rules.vocabulary import Role, VisitStatus
from tracker.text import gettext as _

Hours = Callable[[date], tuple[time, time] | None]
"""When the clinic is open on a day, local times; None on a closed day."""

CANT_COME = "cant_come"  # kind of the task: a patient said so, and somebody is to call

# Nobody closes for longer than this; a calendar without an open day is an error elsewhere and must not hang us.
_FURTHEST = 60  # days

_LIVE = frozenset(VisitStatus) - {
    VisitStatus.CANCELLED,
    VisitStatus.NO_SHOW,
    VisitStatus.HELD,
    VisitStatus.TRANSFERRED,
}


@dataclass(frozen=True)
class Happening:
    """What the programme has to know of a visit. `left_at` is when the patient was discharged."""

    id: UUID
    starts_at: datetime
    status: VisitStatus
    left_at: datetime | None = None


@dataclass(frozen=True)
class Wanted:
    """One task there should be. `visit_id` is None for one about the whole course."""

    key: str
    code: str
    visit_id: UUID | None
    owner: Role
    opens_at: datetime
    due_at: datetime  # overdue from then on
    scale: str | None = None


def wanted(
    course_id: UUID,
    visits: Sequence[Happening],
    protocol: Protocol,
    *,
    zone: ZoneInfo,
    hours: Hours,
) -> list[Wanted]:
    """List every task that a course asks for so far, in order of when it is due.

    A visit asks for its own only once its patient has gone home: nobody is to be called about an infusion that was not
    given. What follows the last discharge is asked for when the whole series has been given.

    Args:
        course_id: Subject of the tasks about the whole course.
        visits: All visits of the course, any order.
        protocol: The version the course was booked under.
        zone: The clinic's.
        hours: The clinic's.

    Raises:
        ValueError: An instant is naive. That is a caller's bug.
    """
    if any(at.tzinfo is None for v in visits for at in (v.starts_at, v.left_at or v.starts_at)):
        raise ValueError("instants must be aware")
    tasks = [
        _task(step, turn, subject, visit_id, anchor, zone, hours)
        for step in protocol.programme
        for subject, visit_id, anchor in _anchors(step.anchor, course_id, visits, protocol)
        for turn in range(step.times)
    ]
    return sorted(tasks, key=lambda task: (task.due_at, task.key))


def _anchors(
    anchor: Anchor, course_id: UUID, visits: Sequence[Happening], protocol: Protocol
) -> Iterator[tuple[UUID, UUID | None, datetime]]:
    """Yield subject, visit (if the task is about one) and instant of every event that `anchor` names."""
    live = sorted((v for v in visits if v.status in _LIVE), key=lambda v: v.starts_at)
    gone = sorted(v.left_at for v in live if v.left_at)
    match anchor:
        case Anchor.FIRST_VISIT if live:
            yield course_id, None, live[0].starts_at
        case Anchor.EACH_DISCHARGE:
            yield from ((v.id, v.id, v.left_at) for v in live if v.left_at)
        case Anchor.LAST_DISCHARGE if len(gone) >= protocol.visits:
            yield course_id, None, gone[-1]


def _task(
    step: Step, turn: int, subject: UUID, visit_id: UUID | None, anchor: datetime, zone: ZoneInfo, hours: Hours
) -> Wanted:
    target = anchor.astimezone(UTC) + step.after + turn * (step.every or timedelta())
    key = f"{step.code}:{subject}" + (f":{turn + 1}" if step.times > 1 else "")
    if step.owner is None:
        # The patient's own: any day will do. When it stays undone, the desk asks.
        return Wanted(key, step.code, visit_id, Role.COORDINATOR, target, target + step.window, step.scale)
    opens_at, due_at = working_window(target, step.window, zone, hours)
    return Wanted(key, step.code, visit_id, step.owner, opens_at, due_at, step.scale)


def working_window(target: datetime, window: timedelta, zone: ZoneInfo, hours: Hours) -> tuple[datetime, datetime]:
    """Return when a staff task opens and when it is due, both in opening hours.

    It opens when the clinic does on the target's day, or on the next open day after a closed one; the whole window
    moves along. It is due at the end of the window, or at the last closing time before it.
    """
    wish = target.astimezone(zone).date()
    day = next((d for d in _days_from(wish) if hours(d)), wish)
    opens, closes = hours(day) or (time(8), time(17))
    opens_at = _instant(day, opens, zone)
    end = target.astimezone(UTC) + (day - wish) + window
    last = end.astimezone(zone).date()
    for back in (last - timedelta(days=n) for n in range((last - day).days)):
        open_that_day = hours(back)
        if open_that_day and end >= _instant(back, open_that_day[0], zone):
            return opens_at, min(end, _instant(back, open_that_day[1], zone))
    return opens_at, max(opens_at, min(end, _instant(day, closes, zone)))


def _days_from(day: date) -> Iterator[date]:
    return (day + timedelta(days=n) for n in range(_FURTHEST))


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)


def say(kind: str) -> str:
    """Return the staff's words for a kind of task; an unknown one (an older protocol's) stays as it is written."""
    return {
        "next_day_check_in": _("Next-day check-in"),
        "therapy_session": _("Therapy session within 72 hours"),
        "weekly_score": _("Weekly PHQ-9"),
        "response_review": _("Response review"),
        "review": _("Decide how to go on"),
        "no_show": _("Call: did not come"),
        "call_after_answer": _("Call: how the patient feels"),
        "medication_review": _("Medication review"),
        "relapse_look": _("Look for a relapse"),
        "safety_answer": _("Suicide answer to be seen to"),
        "severe_effect": _("Severe side effect to be reviewed"),
        "transferred": _("Follow up the transfer"),
        "undelivered": _("Message not delivered"),
        "no_place": _("No place for a lost visit"),
        "to_replace": _("Visit to make up for"),
        "closed_call": _("Call: we are closed"),
        "uncertain": _("Message may not have arrived"),
        "other_time": _("Wants another time"),
        CANT_COME: _("Call: can't come"),
        "driver_call": _("Call: who takes the patient home"),
        "patient_text": _("Text to read"),
        "unknown_text": _("Text from an unknown number"),
    }.get(kind, kind.replace("_", " ").capitalize())
