"""What happened to a message, and to all that a visit's patient was told and answered, as a person can read it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Attempt, Reminder, ReminderEvent, Task, VisitEvent
from tracker.rules.delivery import Event
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel
from tracker.services import followup, telling, undelivered
from tracker.text import gettext as _

_ENDED = {
    AttemptOutcome.ACCEPTED: Event.ACCEPT,
    AttemptOutcome.DEFERRED: Event.DEFER,
    AttemptOutcome.REFUSED: Event.REFUSE,
}
_ENDS = frozenset({*_ENDED.values(), Event.LOSE})  # of a try
_LEVELS = {
    Event.MARK: "active",
    Event.ACCEPT: "ok",
    Event.FIND: "ok",
    Event.DELIVER: "ok",
    Event.BOUNCE: "stop",
    Event.REFUSE: "stop",
    Event.EXPIRE: "stop",
    Event.DEFER: "soon",
    Event.LOSE: "soon",
    Event.SUPPRESS: "soon",
    Event.CANCEL: "off",
    Event.SUPERSEDE: "off",
    Event.OVERTAKE: "off",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened. `by` did it by hand; `what` names the message where several stand in a list."""

    at: datetime
    words: str
    why: str = ""
    by: str = ""
    level: str = "plain"
    what: str = ""
    reminder_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Story:
    """All that is kept of one message."""

    row: Reminder
    events: Sequence[ReminderEvent]
    attempts: Sequence[Attempt]
    tasks: Sequence[Task]
    people: Mapping[UUID, str]


def mask(address: str) -> str:
    """Return an address so that whoever knows it knows it again: "m…@example.org", "…0142"."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"…{address[-4:]}"


def of_message(session: Session, actor: Actor, row: Reminder) -> list[Happened]:
    """Return what happened to a message, in order of time."""
    return _told(session, actor, [row])


def of_visit(session: Session, actor: Actor, visit_id: UUID) -> list[Happened]:
    """Return what happened to a visit's messages, and what its patient answered, in order of time.

    That they were planned isn't said of each.
    """
    mine = (Reminder.clinic_id == actor.clinic_id, Reminder.visit_id == visit_id)
    rows = session.scalars(select(Reminder).where(*mine)).all()
    told = (line for line in _told(session, actor, rows) if line.level != "plain" or line.by)
    return sorted((*told, *_answers(session, visit_id)), key=lambda one: one.at)


def _told(session: Session, actor: Actor, rows: Sequence[Reminder]) -> list[Happened]:
    ids = [row.id for row in rows]
    events: dict[UUID, list[ReminderEvent]] = defaultdict(list)
    attempts: dict[UUID, list[Attempt]] = defaultdict(list)
    order = (ReminderEvent.at, ReminderEvent.id)
    for event in session.scalars(select(ReminderEvent).where(ReminderEvent.reminder_id.in_(ids)).order_by(*order)):
        events[event.reminder_id].append(event)
    for attempt in session.scalars(select(Attempt).where(Attempt.reminder_id.in_(ids)).order_by(Attempt.lease_epoch)):
        attempts[attempt.reminder_id].append(attempt)
    tasks, people = _tasks(session, actor, rows), followup.people(session, actor)
    stories = (_Story(row, events[row.id], attempts[row.id], tasks[row.id], people) for row in rows)
    return sorted((line for story in stories for line in _lines(story)), key=lambda one: one.at)


def _tasks(session: Session, actor: Actor, rows: Iterable[Reminder]) -> Mapping[UUID, list[Task]]:
    """Return what was asked of people because of these messages, and is done."""
    keys = {undelivered.key(row.id, epoch): row.id for row in rows for epoch in range(row.lease_epoch + 1)}
    query = select(Task).where(Task.clinic_id == actor.clinic_id, Task.key.in_(keys), Task.outcome.is_not(None))
    found: dict[UUID, list[Task]] = defaultdict(list)
    for task in session.scalars(query):
        found[keys[task.key]].append(task)
    return found


def _lines(story: _Story) -> list[Happened]:
    lines = [Happened(story.row.created_at, _("Planned"))]
    spoken_of = [_attempt(story, event) for event in story.events if event.event in _ENDS]
    lines += [_tried(attempt) for attempt in story.attempts if attempt not in spoken_of]
    lines += [_happened(story, event) for event in story.events]
    by_hand = {(event.at, event.entered_by) for event in story.events if event.entered_by}
    for task in story.tasks:
        # What was done with the message itself says it already.
        if task.closed_at and task.closed_by and (task.closed_at, task.closed_by) not in by_hand:
            by = story.people.get(task.closed_by, "")
            lines.append(Happened(task.closed_at, _("Seen to"), task.outcome or "", by))
    return [_line(story, line) for line in lines]


def _line(story: _Story, line: Happened) -> Happened:
    what = undelivered.say(story.row.purpose)
    return Happened(line.at, line.words, line.why, line.by, line.level, what, story.row.id)


def _tried(attempt: Attempt) -> Happened:
    """Say what is known of a try that no event speaks of: it isn't over, or was taken."""
    if attempt.ended_at is None:
        kind, at = Event.MARK, attempt.started_at
    else:
        kind, at = _ENDED.get(attempt.outcome, Event.LOSE), attempt.ended_at
    return Happened(at, _words(kind, attempt, by_hand=False), attempt.why, level=_LEVELS[kind])


def _happened(story: _Story, event: ReminderEvent) -> Happened:
    kind, attempt = Event(event.event), _attempt(story, event)
    why = event.detail
    if kind is Event.ACCEPT:
        why = attempt.why if attempt else ""  # the other side's words stand with the try, here and below
    elif kind is Event.FIND or (kind is Event.DELIVER and not event.entered_by):
        why = ""
    elif attempt:
        why = why.removesuffix(attempt.detail).rstrip().replace(attempt.address, mask(attempt.address))
    by = story.people.get(event.entered_by, "") if event.entered_by else ""
    words = _words(kind, attempt, by_hand=event.entered_by is not None)
    return Happened(event.at, words, why, by, _LEVELS.get(kind, "plain"))


def _attempt(story: _Story, event: ReminderEvent) -> Attempt | None:
    """Return the try that an event belongs to: the last that had begun."""
    return next((one for one in reversed(story.attempts) if one.started_at <= event.at), None)


def _words(kind: Event, attempt: Attempt | None, *, by_hand: bool) -> str:
    to = {"address": mask(attempt.address)} if attempt else {"address": _("nobody")}
    text = attempt is not None and "@" not in attempt.address
    if kind is Event.DELIVER and by_hand:
        return _("It arrived, noted")
    return {
        Event.LEASE: _("Taken up"),
        Event.RELEASE: _("Put back"),
        Event.MARK: _("On its way to %(address)s", **to),
        Event.ACCEPT: _("Taken by the text service for %(address)s", **to)
        if text
        else _("Taken by the mail server for %(address)s", **to),
        Event.FIND: _("The provider has it after all, for %(address)s", **to),
        Event.DELIVER: _("Delivered to %(address)s", **to),
        Event.BOUNCE: _("Could not be delivered to %(address)s", **to),
        Event.DEFER: _("Not taken yet for %(address)s", **to),
        Event.REFUSE: _("Refused for %(address)s", **to) if attempt else _("Could not be sent"),
        Event.LOSE: _("May not have arrived at %(address)s", **to),
        Event.EXPIRE: _("Too late to be of use"),
        Event.OVERTAKE: _("Not sent: a newer one says it"),
        Event.CANCEL: _("Called off"),
        Event.SUPERSEDE: _("Replaced"),
        Event.SUPPRESS: _("Not sent"),
        Event.RESEND: _("To be sent again"),
    }[kind]


def _answers(session: Session, visit_id: UUID) -> list[Happened]:
    by_patient = (VisitEvent.visit_id == visit_id, VisitEvent.entered_by.is_(None))
    rows = session.scalars(select(VisitEvent).where(*by_patient).order_by(VisitEvent.entered_at))
    return [
        Happened(row.entered_at, words, row.detail, level="active", what=_("The patient"))
        for row in rows
        if (words := telling.say(row.kind))
    ]


def by_what(channel: ReminderChannel | None) -> str:
    """Return by which way a message went, in words; "" where that isn't settled."""
    if channel is None:
        return ""
    return _("by text") if channel is ReminderChannel.SMS else _("by e-mail")
