"""The same clinic after many years: every patient and every past visit again and again, further and further back."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from tracker.models import Base, new_id
from tracker.rules.vocabulary import ResourceKind

STEP = timedelta(weeks=32)  # longer than the demonstration's past, so that no copy's visits meet another's
Row = dict[str, Any]
# What a copy takes along of each table, in the order in which rows may point to each other.
COPIED = (
    "resource",
    "patient",
    "contact_point",
    "course",
    "visit",
    "claim",
    "visit_event",
    "vital_reading",
    "scale_response",
)


def grow(connection: Connection, times: int, before: datetime) -> int:
    """Make it `times` the patients and the visits that ended before `before`; return how many such visits there are."""
    tables = Base.metadata.tables
    kept: dict[str, list[Row]] = {}
    for name in COPIED:
        kept[name] = [row for row in _rows(connection, tables[name]) if _belongs(name, row, kept, before)]
    for copy in range(1, times):
        ids: dict[uuid.UUID, uuid.UUID] = {}
        for name in COPIED:
            if kept[name]:
                connection.execute(insert(tables[name]), [_copied(row, ids, copy) for row in kept[name]])
    return len(kept["visit"]) * times


def _rows(connection: Connection, table: Table) -> list[Row]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def _belongs(name: str, row: Row, kept: dict[str, list[Row]], before: datetime) -> bool:
    return _WANTED[name](row, kept, before)


def _of(table: str, column: str) -> Callable[[Row, dict[str, list[Row]], datetime], bool]:
    return lambda row, kept, _before: row[column] in {one["id"] for one in kept[table]}


_WANTED: dict[str, Callable[[Row, dict[str, list[Row]], datetime], bool]] = {
    "resource": lambda row, kept, before: row["kind"] is ResourceKind.PATIENT,
    "patient": lambda row, kept, before: True,
    "contact_point": _of("patient", "patient_id"),
    "course": lambda row, kept, before: True,
    "visit": lambda row, kept, before: row["ends_at"] < before,
    "claim": _of("visit", "visit_id"),
    "visit_event": _of("visit", "visit_id"),
    "vital_reading": _of("visit", "visit_id"),
    "scale_response": lambda row, kept, before: row["visit_id"] in {one["id"] for one in kept["visit"]},
}


def _copied(row: Row, ids: dict[uuid.UUID, uuid.UUID], copy: int) -> Row:
    if "id" in row:
        ids.setdefault(row["id"], new_id())
    fresh = {key: ids.get(value, value) if isinstance(value, uuid.UUID) else value for key, value in row.items()}
    fresh |= {key: value - STEP * copy for key, value in row.items() if isinstance(value, datetime)}
    if "chart_number" in row:
        fresh["chart_number"] = f"{row['chart_number']}-{copy}"
    return fresh
