"""The story of a visit: its moves, who may make each, and what each asks for.

One table, one transition function. A visit's status changes here or not at all; the database has the same list of
statuses as a CHECK, and every move is kept as a row with when it happened, when it was written down and by whom.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracker.errors import Refused
from tracker.rules.permissions import Permission, allows
from tracker.rules.vocabulary import Role, VisitStatus
from tracker.text import gettext as _

_S = VisitStatus


class Move(StrEnum):
    """What somebody does to a visit."""

    ARRIVE = "arrive"
    CHECK = "check"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    STOP = "stop"
    READY = "ready"
    DISCHARGE = "discharge"
    NO_SHOW = "no_show"
    HOLD = "hold"
    CANCEL = "cancel"
    TRANSFER = "transfer"
    UNDO = "undo"


class Needs(StrEnum):
    """What must stand before a move is made."""

    REASON = "reason"
    ITS_DAY = "its_day"
    START_TIME_PASSED = "start_time_passed"
    CLEARED = "cleared"
    SIGNED_ORDER = "signed_order"
    CHECKED_DOSE = "checked_dose"
    CHECKLIST = "checklist"
    BASELINE_VITALS = "baseline_vitals"
    SAFETY_SEEN = "safety_seen"
    DISCHARGE_CRITERIA = "discharge_criteria"


@dataclass(frozen=True)
class Rule:
    """From where to where a move leads, who may make it and what it needs."""

    sources: frozenset[VisitStatus]
    target: VisitStatus
    permission: Permission
    needs: frozenset[Needs] = frozenset()


DESK = Permission.RUN_VISIT
CLINICAL = Permission.TREAT


def _rule(sources: set[VisitStatus], target: VisitStatus, permission: Permission, *needs: Needs) -> Rule:
    return Rule(frozenset(sources), target, permission, frozenset(needs))


MOVES: dict[Move, Rule] = {
    Move.ARRIVE: _rule({_S.BOOKED}, _S.ARRIVED, DESK, Needs.ITS_DAY),
    Move.CHECK: _rule({_S.ARRIVED}, _S.TIME_OUT, CLINICAL),
    Move.START: _rule(
        {_S.TIME_OUT},
        _S.INFUSING,
        CLINICAL,
        Needs.CLEARED,
        Needs.SIGNED_ORDER,
        Needs.CHECKED_DOSE,
        Needs.CHECKLIST,
        Needs.BASELINE_VITALS,
        Needs.SAFETY_SEEN,
    ),
    Move.PAUSE: _rule({_S.INFUSING}, _S.PAUSED, CLINICAL, Needs.REASON),
    Move.RESUME: _rule({_S.PAUSED}, _S.INFUSING, CLINICAL),
    # Stopping early leads to recovery like every end of an infusion; what it left out is the reason and the mg given.
    Move.FINISH: _rule({_S.INFUSING}, _S.RECOVERING, CLINICAL),
    Move.STOP: _rule({_S.INFUSING, _S.PAUSED}, _S.RECOVERING, CLINICAL, Needs.REASON),
    Move.READY: _rule({_S.RECOVERING}, _S.READY, CLINICAL),
    Move.DISCHARGE: _rule({_S.READY}, _S.DISCHARGED, CLINICAL, Needs.DISCHARGE_CRITERIA),
    Move.NO_SHOW: _rule({_S.BOOKED}, _S.NO_SHOW, DESK, Needs.START_TIME_PASSED),
    Move.HOLD: _rule({_S.ARRIVED, _S.TIME_OUT}, _S.HELD, CLINICAL, Needs.REASON),
    Move.CANCEL: _rule({_S.BOOKED}, _S.CANCELLED, DESK, Needs.REASON),
    # An ambulance does not wait for a driver: no discharge gate.
    Move.TRANSFER: _rule(
        {_S.ARRIVED, _S.TIME_OUT, _S.INFUSING, _S.PAUSED, _S.RECOVERING, _S.READY},
        _S.TRANSFERRED,
        CLINICAL,
        Needs.REASON,
    ),
}

# These have given the room away, and what took it would collide: book again instead.
GIVES_ROOM_AWAY = frozenset({Move.CANCEL, Move.NO_SHOW, Move.HOLD})
CANNOT_BE_UNDONE = GIVES_ROOM_AWAY | {Move.UNDO}
OVER = frozenset({_S.DISCHARGED, _S.NO_SHOW, _S.HELD, _S.CANCELLED, _S.TRANSFERRED})
# These are replaced, not counted: "6 of 6" is six that were given.
NOT_COUNTED = frozenset({_S.CANCELLED, _S.NO_SHOW, _S.HELD})
IN_THE_ROOM = frozenset({_S.TIME_OUT, _S.INFUSING, _S.PAUSED, _S.RECOVERING, _S.READY})


def after(status: VisitStatus, move: Move) -> VisitStatus:
    """Return the status that `move` leads to.

    Raises:
        Refused: The table has no such move from `status`.
    """
    rule = MOVES.get(move)
    if rule is None or status not in rule.sources:
        raise Refused(_("This visit is %(status)s; that step is not open now.", status=say(status)))
    return rule.target


def undone(move: Move, before: VisitStatus) -> VisitStatus:
    """Return the status a visit goes back to when `move`, made from `before`, is corrected.

    Raises:
        Refused: That move cannot be taken back.
    """
    if move in CANNOT_BE_UNDONE:
        raise Refused(_("This step can't be taken back: its room is free for others. Book the visit again."))
    return before


@dataclass(frozen=True)
class Step:
    """A status a visit reached, and when."""

    status: VisitStatus
    at: datetime


def story(entries: Iterable[tuple[str, VisitStatus | None, datetime]]) -> list[Step]:
    """Return the steps that count: a correction takes back the step before it.

    Args:
        entries: Kind, status and instant of what was written down, in the order of writing. Kinds other than "status"
            and "correction" tell nothing about the status.
    """
    steps: list[Step] = []
    for kind, status, at in entries:
        if kind == "status" and status is not None:
            steps.append(Step(status, at))
        elif kind == "correction" and steps:
            steps.pop()
    return steps


def move_between(before: VisitStatus, to: VisitStatus) -> Move:
    """Return the move that leads from one status to another; of two (finish, stop) the first.

    Raises:
        ValueError: No move does.
    """
    for move, rule in MOVES.items():
        if before in rule.sources and rule.target is to:
            return move
    raise ValueError(f"no move leads from {before} to {to}")


def may(role: Role | None, move: Move) -> bool:
    """Say whether somebody with `role` may make `move`; a correction may be made by whoever works at the bedside."""
    return allows(role, CLINICAL if move is Move.UNDO else MOVES[move].permission)


def open_moves(status: VisitStatus, role: Role | None) -> tuple[Move, ...]:
    """Return the moves that are open from `status` to somebody with `role`, in the order of the story."""
    return tuple(move for move, rule in MOVES.items() if status in rule.sources and may(role, move))


def needs(move: Move) -> frozenset[Needs]:
    """Return what `move` asks for."""
    return MOVES[move].needs if move in MOVES else frozenset({Needs.REASON})


def say_move(move: Move) -> str:
    """Return the words on the button for `move`."""
    return {
        Move.ARRIVE: _("Arrived"),
        Move.CHECK: _("Begin the checklist"),
        Move.START: _("Start infusion"),
        Move.PAUSE: _("Pause"),
        Move.RESUME: _("Go on"),
        Move.FINISH: _("Infusion ended"),
        Move.STOP: _("Stop early"),
        Move.READY: _("Ready to go home"),
        Move.DISCHARGE: _("Discharge"),
        Move.NO_SHOW: _("No-show"),
        Move.HOLD: _("Came, not treated"),
        Move.CANCEL: _("Cancel the visit"),
        Move.TRANSFER: _("To a hospital"),
        Move.UNDO: _("Take back"),
    }[move]


def say(status: VisitStatus) -> str:
    """Return the staff's words for `status`."""
    return {
        _S.BOOKED: _("booked"),
        _S.ARRIVED: _("arrived"),
        _S.TIME_OUT: _("in set-up"),
        _S.INFUSING: _("infusing"),
        _S.PAUSED: _("paused"),
        _S.RECOVERING: _("recovering"),
        _S.READY: _("ready to go home"),
        _S.DISCHARGED: _("discharged"),
        _S.NO_SHOW: _("no-show"),
        _S.HELD: _("came, not treated"),
        _S.CANCELLED: _("cancelled"),
        _S.TRANSFERRED: _("transferred to a hospital"),
    }[status]
