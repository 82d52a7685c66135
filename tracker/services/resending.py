"""What a person does about a message by hand: sends it again, says that it arrived, calls instead."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Refused, Stale
from tracker.models import Reminder, ReminderEvent, Task, UserAccount
from tracker.rules.delivery import MOVES, WITHDRAWN, Event, useful_again
from tracker.rules.fields import Command, Line, Number
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import audit, clinic, delivery, followup, letters, undelivered
from tracker.services.letters import Letter
from tracker.text import gettext as _

RESENDABLE = MOVES[Event.RESEND].sources


class Resend(Command):
    """Send it again, and why. `epoch` says which try the form was opened after."""

    epoch: Number
    reason: Line


class Answer(Command):
    """What somebody found out, or did instead."""

    epoch: Number
    answer: Literal["arrived", "called"]
    note: Line | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """What sending a message again would come to: a letter, now or `later`; or `why` it can't be.

    `why` also says what it waits for.
    """

    row: Reminder
    letter: Letter | None = None
    later: datetime | None = None
    why: str = ""

    @property
    def possible(self) -> bool:
        """Whether it can be sent again."""
        return self.letter is not None or self.later is not None


def preview(
    session: Session, actor: Actor, reminder_id: UUID, ways: frozenset[ReminderChannel], *, now: datetime
) -> Again:
    """Return what sending it again would come to. NotFound: there is no such message in the actor's clinic.

    Args:
        ways: By which messages can leave here.
    """
    return _again(session, clinic.get(session, actor, Reminder, reminder_id), ways, now)


def _again(session: Session, row: Reminder, ways: frozenset[ReminderChannel], now: datetime) -> Again:
    if row.status not in RESENDABLE:
        return Again(row, why=_not_in(row.status))
    if row.patient_id is None:
        return Again(row, why=_("Messages to staff are not sent again: what they say stands on the pages."))
    until = useful_again(row.purpose, row.subject_at, now)
    if until is None:
        return Again(row, why=_("It would come too late to be of use."))
    # Looked at as it would be, and never written back.
    session.expunge(row)
    row.send_at, row.expires_at = now, until
    found = letters.would_say(session, row, now=now, ways=ways)
    if isinstance(found, Letter):
        return Again(row, found)
    if found.event is not Event.RELEASE or found.send_at is None:
        return Again(row, why=found.reason)
    row.send_at = found.send_at
    then = letters.would_say(session, row, now=found.send_at, ways=ways)
    return Again(row, then if isinstance(then, Letter) else None, found.send_at, found.reason)


def _not_in(status: ReminderStatus) -> str:
    if status is ReminderStatus.DELIVERED:
        return _("It arrived: there is nothing to send again.")
    if status in WITHDRAWN:
        return _("It was called off: what it says isn't so any more.")
    return _("It is on its way already.")


def resend(
    session: Session,
    actor: Actor,
    reminder_id: UUID,
    command: Resend,
    ways: frozenset[ReminderChannel],
    *,
    now: datetime,
) -> None:
    """Send a message again because somebody wants it, and says why. It leaves with the worker's next look.

    Raises:
        Stale: Somebody did something about it since the form was opened.
        Refused: It can't be: the patient wants none, or has no address; its visit is over, off or elsewhere.
    """
    row = _as_opened(session, actor, reminder_id, command.epoch, RESENDABLE)
    again = _again(session, row, ways, now)
    if not again.possible:
        raise Refused(again.why, helps=(_("Call instead."),))
    task = undelivered.open_task(session, again.row)
    delivery.change(
        session,
        Event.RESEND,
        Reminder.id == reminder_id,
        now=now,
        reason=command.reason,
        by=actor.user_id,
        send_at=again.later or now,
        expires_at=again.row.expires_at,
        attempts=0,
        # Whoever still has it in hand, and what is told of it later, is of the try before.
        lease_epoch=Reminder.lease_epoch + 1,
    )
    if task:
        followup.done_by_itself(session, actor, task, _("Sent again: %(why)s", why=command.reason), now=now)
    _note(session, actor, again.row, "resend message", {"why": command.reason}, now)


def answer(session: Session, actor: Actor, reminder_id: UUID, command: Answer, *, now: datetime) -> None:
    """Keep that a message arrived, or that somebody called instead; its task is done with that.

    Raises:
        Stale: Somebody did something about it since the form was opened.
    """
    arrived = command.answer == "arrived"
    only = frozenset({ReminderStatus.UNCERTAIN}) if arrived else RESENDABLE
    row = _as_opened(session, actor, reminder_id, command.epoch, only)
    task = undelivered.open_task(session, row)
    if arrived:
        found = command.note or _("The patient has it.")
        delivery.change(session, Event.DELIVER, Reminder.id == row.id, now=now, detail=found, by=actor.user_id)
    elif task is None:
        raise Stale(_seen_to(session, row))
    if task:
        words = _("It arrived.") if arrived else _("Called instead.")
        followup.done_by_itself(session, actor, task, f"{words} {command.note or ''}".strip(), now=now)
    _note(session, actor, row, f"message {command.answer}", {"note": command.note or ""}, now)


def _as_opened(
    session: Session, actor: Actor, reminder_id: UUID, epoch: int, states: Collection[ReminderStatus]
) -> Reminder:
    """Return the message, locked, if it is as whoever asks saw it."""
    row = clinic.get(session, actor, Reminder, reminder_id, lock=True)
    if row.lease_epoch != epoch or row.status not in states:
        raise Stale(_seen_to(session, row))
    return row


def _seen_to(session: Session, row: Reminder) -> str:
    """Say who was faster, and what came of it."""
    by_hand = (
        select(ReminderEvent.event, UserAccount.name)
        .join(UserAccount, UserAccount.id == ReminderEvent.entered_by)
        .where(ReminderEvent.reminder_id == row.id)
        .order_by(ReminderEvent.at.desc(), ReminderEvent.id.desc())
    )
    done = (
        select(Task.outcome, UserAccount.name)
        .outerjoin(UserAccount, UserAccount.id == Task.closed_by)
        .where(Task.clinic_id == row.clinic_id, Task.key == undelivered.key(row.id, row.lease_epoch))
    )
    if (task := session.execute(done).first()) and task.outcome:
        return _("%(who)s saw to it already: %(what)s", who=task.name or _("Somebody"), what=task.outcome)
    if last := session.execute(by_hand).first():
        again = last.event == Event.RESEND
        return (
            _("%(who)s has had it sent again already.", who=last.name)
            if again
            else _("%(who)s says that it arrived.", who=last.name)
        )
    return _("Something became of this message since the page was opened.")


def _note(session: Session, actor: Actor, row: Reminder, action: str, detail: dict[str, str], now: datetime) -> None:
    session.flush()
    audit.record(session, actor, action, patient_id=row.patient_id, subject=f"message {row.id}", detail=detail, now=now)
