"""What the bedside page shows, made ready for its template: phases, timer, grid, chart, what is to be entered next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from tracker.models import SideEffect
from tracker.rules import adverse_events
from tracker.rules import visit as story
from tracker.rules.adverse_events import Term
from tracker.rules.delivery import UNSENT
from tracker.rules.discharge import Met
from tracker.rules.dosing import label, plain
from tracker.rules.permissions import Actor, Permission
from tracker.rules.timeout import CHECKLIST, Item
from tracker.rules.visit import Move
from tracker.rules.vocabulary import VisitStatus
from tracker.services import gates, orders
from tracker.services.gates import Blocker
from tracker.services.message_history import Happened
from tracker.services.messages import Line
from tracker.services.visit_record import VisitRecord
from tracker.text import gettext as _
from tracker.web.forms import Form, blank
from tracker.web.watch import Watch


class Phase(StrEnum):
    """The tabs of the page."""

    CHECK_IN = "check_in"
    SET_UP = "set_up"
    INFUSION = "infusion"
    RECOVERY = "recovery"


_PHASE = {
    VisitStatus.BOOKED: Phase.CHECK_IN,
    VisitStatus.ARRIVED: Phase.CHECK_IN,
    VisitStatus.TIME_OUT: Phase.SET_UP,
    VisitStatus.INFUSING: Phase.INFUSION,
    VisitStatus.PAUSED: Phase.INFUSION,
    VisitStatus.RECOVERING: Phase.RECOVERY,
    VisitStatus.READY: Phase.RECOVERY,
    VisitStatus.DISCHARGED: Phase.RECOVERY,
    VisitStatus.TRANSFERRED: Phase.RECOVERY,
}

_FORM_PHASE = {
    "order": Phase.CHECK_IN,
    "dose": Phase.SET_UP,
    "check": Phase.SET_UP,
    "checklist": Phase.SET_UP,
    "override": Phase.SET_UP,
}


@dataclass(frozen=True)
class Effect:
    """A side effect's button: its term and what was noted of it so far."""

    term: Term
    noted: Sequence[SideEffect]

    @property
    def going_on(self) -> SideEffect | None:
        """The latest that has no end yet."""
        return next((effect for effect in reversed(self.noted) if effect.resolved_at is None), None)


@dataclass(frozen=True)
class BedsidePage:
    """Everything the template asks for."""

    record: VisitRecord
    actor: Actor
    now: datetime
    outcome: str = ""  # what the course's scores come to, in words
    told: Sequence[Line] = ()  # messages about this visit
    happened: Sequence[Happened] = ()  # what became of them, and what the patient answered
    asked: Phase | None = None
    correct: str = ""
    forms: Mapping[str, Form[Any]] = field(default_factory=dict)

    def form(self, name: str) -> Form[Any]:
        """Return a form of the page: as it was typed if it was refused, else empty."""
        return self.forms.get(name) or blank()

    @property
    def status(self) -> VisitStatus:
        """Where the visit is."""
        return self.record.visit.status

    @property
    def phase(self) -> Phase:
        """Which tab is open: the one asked for, else that of a refused form, else where the visit is."""
        of_form = next((_FORM_PHASE[name] for name in self.forms if name in _FORM_PHASE), None)
        return self.asked or of_form or _PHASE.get(self.status, Phase.CHECK_IN)

    @property
    def state_words(self) -> str:
        """Where the visit is, in words."""
        return story.say(self.status).capitalize()

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves open to whoever looks."""
        return story.open_moves(self.status, self.actor.role)

    @property
    def is_its_day(self) -> bool:
        """Whether the visit is today, or was to be already."""
        zone = self.record.clinic.zone
        return self.record.visit.starts_at.astimezone(zone).date() <= self.now.astimezone(zone).date()

    @property
    def coming(self) -> list[Line]:
        """The messages about this visit that haven't gone."""
        return [line for line in self.told if line.status in UNSENT]

    @property
    def can_undo(self) -> bool:
        """Whether the last step can be taken back by whoever looks."""
        steps = self.record.steps
        if not steps or any(note.signed_at for note in self.record.notes):
            return False
        before = steps[-2].status if len(steps) > 1 else VisitStatus.BOOKED
        try:
            move = story.move_between(before, steps[-1].status)
        except ValueError:
            return False
        return move not in story.CANNOT_BE_UNDONE and story.may(self.actor.role, Move.UNDO)

    @property
    def treats(self) -> bool:
        """Whether whoever looks treats patients, and this one is here."""
        gone = {VisitStatus.BOOKED, VisitStatus.NO_SHOW, VisitStatus.CANCELLED}
        return self.actor.may(Permission.TREAT) and self.status not in gone

    @property
    def order_until(self) -> str:
        """The last day a new order is offered to count: a month on, which is longer than any series."""
        return (self.now.astimezone(self.record.clinic.zone).date() + timedelta(days=31)).isoformat()

    # Set-up

    def item_words(self, key: str) -> str:
        """What is let pass, in words."""
        return next((item.text for item in CHECKLIST if item.key == key), _("Vital signs before the start"))

    @cached_property
    def blockers(self) -> list[Blocker]:
        """What stands before Start."""
        return gates.before_start(self.record)

    @property
    def steps_left(self) -> int:
        """How many checks are left before Start."""
        return sum(blocker.steps for blocker in self.blockers)

    @property
    def checklist(self) -> Sequence[tuple[Item, str, str]]:
        """Each item with its answer and note so far."""
        rows = self.record.answers
        return [
            (item, rows[item.key].answer, rows[item.key].note) if item.key in rows else (item, "", "")
            for item in CHECKLIST
        ]

    @property
    def arithmetic(self) -> str:
        """The dose's calculation on one line."""
        return orders.drawn(self.record.dose).arithmetic if self.record.dose else ""

    @property
    def draw_words(self) -> str:
        """mL to draw from the vial, as on a syringe."""
        return plain(label(orders.drawn(self.record.dose).draw_ml)) if self.record.dose else ""

    @property
    def i_drew_up(self) -> bool:
        """Whether whoever looks entered the dose, so that somebody else must check it."""
        return bool(self.record.dose and self.record.dose.entered_by == self.actor.user_id)

    @property
    def last_weight(self) -> Decimal | None:
        """What today's weight is compared with."""
        return orders.last_weight(self.record)

    # Infusion

    @property
    def running(self) -> bool:
        """Whether the pump runs."""
        return self.status is VisitStatus.INFUSING

    @property
    def ran(self) -> timedelta:
        """How long the pump has run."""
        return self.record.run_for(self.now)

    @property
    def ran_words(self) -> str:
        """How long the pump has run, "24:12"."""
        return minutes_words(self.ran)

    @property
    def ends_at(self) -> datetime:
        """When it will end if it runs on."""
        return self.record.ends_at(self.now)

    @property
    def given_mg(self) -> Decimal | None:
        """Given so far."""
        return self.record.given_mg(self.now)

    @cached_property
    def watch(self) -> Watch:
        """The grid, the chart, and what is to be entered next."""
        return Watch(self.record, self.now, self.form("vitals"), self.correct)

    @property
    def effects(self) -> list[Effect]:
        """The buttons: the usual side effects, and what else was noted."""
        terms = [*adverse_events.BUTTONS]
        keys = {term.key for term in terms}
        noted = [e for e in self.record.effects if e.term not in keys and e.term in adverse_events.TERMS]
        terms[-1:-1] = list(dict.fromkeys(adverse_events.TERMS[effect.term] for effect in noted))
        return [Effect(t, [e for e in self.record.effects if e.term == t.key]) for t in terms]

    @property
    def other_terms(self) -> list[Term]:
        """What can be chosen behind "Other"."""
        return [term for term in adverse_events.TERMS.values() if term not in adverse_events.BUTTONS]

    # Recovery

    @property
    def observed(self) -> timedelta | None:
        """How long the patient has been in recovery."""
        ended = self.record.ended_at
        until = self.record.steps[-1].at if self.status in story.OVER else self.now
        return until - ended if ended else None

    @property
    def observed_words(self) -> str:
        """How long the patient has been in recovery, "24:12"."""
        return minutes_words(self.observed or timedelta())

    @property
    def observe_minutes(self) -> int:
        """The least time in recovery."""
        return int(self.record.settings["discharge.minutes"])

    @property
    def criteria(self) -> list[Met]:
        """The criteria for going home, with those that were ticked before a refusal."""
        typed = self.form("move").values.get("ticked", [])
        return gates.before_discharge(self.record, set(typed), now=self.now)


def minutes_words(span: timedelta) -> str:
    """Say a stretch as a timer does, "24:12"."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes:02d}:{seconds:02d}"
