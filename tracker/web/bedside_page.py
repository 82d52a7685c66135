"""What the bedside page shows, made ready for its template: phases, timer, grid, chart, what is to be entered next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from tracker.models import SideEffect, VitalReading
from tracker.rules import adverse_events, vitals
from tracker.rules import visit as story
from tracker.rules.adverse_events import Term
from tracker.rules.discharge import Met
from tracker.rules.dosing import label, plain
from tracker.rules.permissions import Actor, Permission
from tracker.rules.timeout import CHECKLIST, Item
from tracker.rules.visit import Move
from tracker.rules.vitals import Band, Finding, PlannedSet, Reading, SetState, Sign
from tracker.rules.vocabulary import VisitStatus
from tracker.services import gates, orders
from tracker.services.gates import Blocker
from tracker.services.visit_record import BASE, EXTRA, VisitRecord
from tracker.text import gettext as _
from tracker.web import charts
from tracker.web.charts import SetPoint, VitalsChart
from tracker.web.forms import Form, blank

COLUMNS = 8  # of the grid: what fits the tablet, and what the chart under it is drawn for


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


@dataclass(frozen=True)
class Cell:
    """One value of the grid with its band."""

    words: str
    band: Band | None = None


@dataclass(frozen=True)
class GridColumn:
    """One planned set: its key in the form, its heading, where it stands, and its values by row."""

    key: str
    heading: str
    state: SetState
    cells: Sequence[Cell]

    @property
    def asks(self) -> bool:
        """Whether it is the one to enter now."""
        return self.state in {SetState.DUE, SetState.OVERDUE}


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
        """Which tab is open: the one asked for, else where the visit is."""
        return self.asked or _PHASE.get(self.status, Phase.CHECK_IN)

    @property
    def state_words(self) -> str:
        """Where the visit is, in words."""
        return story.say(self.status).capitalize()

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves open to whoever looks."""
        return story.open_moves(self.status, self.actor.role)

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

    # Vital signs

    @cached_property
    def planned(self) -> list[PlannedSet]:
        """The columns that fit: the set before the start, and the last of the others."""
        base, *others = self.record.columns(self.now)
        return [base, *others[-(COLUMNS - 1) :]]

    @cached_property
    def columns(self) -> list[GridColumn]:
        """The grid."""
        return [self._column(column) for column in self.planned]

    def _column(self, column: PlannedSet) -> GridColumn:
        key = BASE if column.minute is None else str(column.minute)
        taken = self.record.sets.get(key)
        heading = _("Base") if column.minute is None else key
        return GridColumn(key, heading, column.state, self._cells(taken, key))

    def _cells(self, taken: Reading | None, key: str) -> list[Cell]:
        if taken is None:
            return [Cell("") for _row in ROWS]
        bands = vitals.sign_bands(taken, None if key == BASE else self.record.baseline, self.record.settings)
        return [_cell(taken, bands, signs) for _label, signs in ROWS]

    @property
    def correcting(self) -> VitalReading | None:
        """The reading that is to be corrected, if one is."""
        rows = [row for row in self.record.readings if row.due == self.correct]
        return rows[-1] if rows else None

    @property
    def due(self) -> str:
        """Key of the set to enter now: the one due, one that is so near that it counts as it, else an extra one."""
        if self.correcting:
            return self.correct
        asking = next((column.key for column in self.columns if column.asks), None)
        at = self.record.minute(self.now)
        if asking or at is None:
            return asking or BASE
        early = int(self.record.settings["vitals.overdue_after"])
        near = (c for c in self.planned if c.minute is not None and 0 < c.minute - at <= early)
        upcoming = next((c for c in near if c.state is SetState.LATER), None)
        return str(upcoming.minute) if upcoming else EXTRA

    @property
    def due_words(self) -> str:
        """What is to be entered, in words: "20 min", "Baseline"."""
        return {BASE: _("Baseline"), EXTRA: _("Between sets")}.get(self.due) or _("%(n)s min", n=self.due)

    @property
    def overdue_minutes(self) -> int | None:
        """By how many minutes the set to enter is overdue; None if it isn't."""
        column = next((column for column in self.columns if column.state is SetState.OVERDUE), None)
        at = self.record.minute(self.now)
        return None if column is None or at is None else at - int(column.key)

    @property
    def entry(self) -> Sequence[tuple[str, str, str, str]]:
        """The fields to enter: name, words, what was typed, and what is there already."""
        form, partly = self.form("vitals"), self.partly
        old = self.correcting
        return [
            (
                sign.value,
                vitals.say(sign),
                form.value(sign.value, _number(getattr(old, sign.value)) if old else ""),
                _number(getattr(partly, sign.value)),
            )
            for sign in Sign
        ]

    @property
    def lacking(self) -> int:
        """How many needed numbers the set that asks still lacks."""
        return len(vitals.lacks(self.partly))

    @property
    def partly(self) -> Reading:
        """What of the set to enter is there already."""
        return self.record.sets.get(self.due, Reading()) if self.due != EXTRA else Reading()

    @property
    def next_set(self) -> tuple[str, datetime] | None:
        """The next planned set and when it is due."""
        started = self.record.started_at
        if started is None or self.status in story.OVER:
            return None
        later = next((c.minute for c in self.planned if c.minute is not None and c.state is SetState.LATER), None)
        return None if later is None else (str(later), started + timedelta(minutes=later))

    @property
    def findings(self) -> list[Finding]:
        """The rules that the latest reading meets."""
        if not self.record.readings:
            return []
        last = self.record.readings[-1]
        taken = self.record.sets[last.due]
        return vitals.findings(taken, None if last.due == BASE else self.record.baseline, self.record.settings)

    @property
    def extras(self) -> Sequence[tuple[datetime, Sequence[Cell]]]:
        """The latest reading between the planned sets."""
        rows = [row for row in self.record.readings if row.due == EXTRA][-1:]
        taken = [(row.occurred_at, Reading(row.systolic, row.diastolic, row.heart_rate, row.spo2)) for row in rows]
        return [(at, self._cells(reading, EXTRA)) for at, reading in taken]

    @property
    def chart(self) -> VitalsChart:
        """Blood pressure and heart rate over the same columns."""
        points = [
            SetPoint(column.heading, planned.minute, taken.systolic, taken.diastolic, taken.heart_rate)
            for column, planned in zip(self.columns, self.planned, strict=True)
            for taken in [self.record.sets.get(column.key, Reading())]
        ]
        hold = int(self.record.settings["vitals.systolic_red"])
        at = None if self.status in story.OVER else self.record.minute(self.now)
        return charts.vitals_chart(points, minutes=self.record.minutes, hold=hold, now_minute=at)

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


# A row of the grid: its heading and the signs it joins.
ROWS: tuple[tuple[str, tuple[Sign, ...]], ...] = (
    ("BP", (Sign.SYSTOLIC, Sign.DIASTOLIC)),
    ("HR", (Sign.HEART_RATE,)),
    ("SpO₂", (Sign.SPO2,)),
    ("RR", (Sign.RESPIRATORY_RATE,)),
    ("MOAA/S", (Sign.MOAAS,)),
)


def _cell(taken: Reading, bands: Mapping[Sign, Band], signs: tuple[Sign, ...]) -> Cell:
    measured = [sign for sign in signs if getattr(taken, sign) is not None]
    if not measured:
        return Cell("")
    worst = min((bands[sign] for sign in measured), key=(Band.RED, Band.AMBER, Band.GREEN).index)
    return Cell("/".join(str(getattr(taken, sign)) for sign in measured), worst)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def minutes_words(span: timedelta) -> str:
    """Say a stretch as a timer does, "24:12"."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes:02d}:{seconds:02d}"
