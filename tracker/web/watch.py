"""Watching a patient: the grid of vital signs, the chart under it, and the set that is to be entered next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from tracker.models import VitalReading
from tracker.rules import visit as story
from tracker.rules import vitals
from tracker.rules.vitals import Band, Finding, PlannedSet, Reading, SetState, Sign
from tracker.rules.vocabulary import VisitStatus
from tracker.services.visit_record import BASE, EXTRA, VisitRecord
from tracker.text import gettext as _
from tracker.web import charts
from tracker.web.charts import SetPoint, VitalsChart
from tracker.web.forms import Form

COLUMNS = 8  # of the grid: what fits the tablet, and what the chart under it is drawn for

# A row of the grid: its heading and the signs it joins.
ROWS: tuple[tuple[str, tuple[Sign, ...]], ...] = (
    ("BP", (Sign.SYSTOLIC, Sign.DIASTOLIC)),
    ("HR", (Sign.HEART_RATE,)),
    ("SpO₂", (Sign.SPO2,)),
    ("RR", (Sign.RESPIRATORY_RATE,)),
    ("MOAA/S", (Sign.MOAAS,)),
)


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
class Watch:
    """The grid of a visit and what is to be entered; `correct` names the set that is to be corrected instead."""

    record: VisitRecord
    now: datetime
    form: Form[Any]
    correct: str = ""

    @property
    def status(self) -> VisitStatus:
        """Where the visit is."""
        return self.record.visit.status

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
    def asking(self) -> str:
        """Key of the set that is due now; empty when none is."""
        return next((column.key for column in self.columns if column.asks), "")

    @property
    def due(self) -> str:
        """Key of the set to enter now: the one due, one that is so near that it counts as it, else an extra one."""
        if self.correcting:
            return self.correct
        at = self.record.minute(self.now)
        if self.asking or at is None:
            return self.asking or BASE
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
        partly = self.partly
        old = self.correcting
        return [
            (
                sign.value,
                vitals.say(sign),
                self.form.value(sign.value, _number(getattr(old, sign.value)) if old else ""),
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
        between = [
            SetPoint("", self.record.minute(row.occurred_at), row.systolic, row.diastolic, row.heart_rate)
            for row in self.record.readings
            if row.due == EXTRA
        ]
        return charts.vitals_chart(points, minutes=self.record.minutes, hold=hold, now_minute=at, between=between)


def _cell(taken: Reading, bands: Mapping[Sign, Band], signs: tuple[Sign, ...]) -> Cell:
    measured = [sign for sign in signs if getattr(taken, sign) is not None]
    if not measured:
        return Cell("")
    worst = min((bands[sign] for sign in measured), key=(Band.RED, Band.AMBER, Band.GREEN).index)
    return Cell("/".join(str(getattr(taken, sign)) for sign in measured), worst)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
