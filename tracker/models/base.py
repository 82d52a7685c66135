"""What all tables share: ids, column types, names of constraints, triggers."""

import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from sqlalchemy import DDL, JSON, DateTime, Enum, Float, MetaData, Numeric, String, Text, Uuid, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.schema import Table
from sqlalchemy.types import TypeDecorator, TypeEngine

# SQLAlchemy ships DDL without types.
_ddl: Callable[[str], Any] = DDL


def new_id() -> uuid.UUID:
    """Return a new id: a UUID of version 7, which begins with the time, to a quarter of a microsecond.

    So what is written together lies together in every index; with random ids a booking writes a quarter more pages.

    Source:
        RFC 9562, sections 5.7 and 6.2 (method 3).
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    noise = int.from_bytes(os.urandom(8), "big") >> 2
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 0b10 << 62 | noise)


class UtcInstant(TypeDecorator[datetime]):
    """An instant: refuses a naive value, gives back an aware one in UTC, on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return _to_sqlite if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return _from_sqlite if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} is naive; an instant needs its zone")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


# SQLite keeps text. A booking writes and reads hundreds of instants, most of them more than once.
def _to_sqlite(value: datetime | None) -> str | None:
    return None if value is None else _spelled(_in_utc(value))


@lru_cache(4096)
def _spelled(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_sqlite(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


class Identifier(TypeDecorator[uuid.UUID]):
    """An id. SQLite keeps text, and every claim names one of the same few resources: so each is made out once."""

    impl = Uuid
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return _id_from_sqlite if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _id_from_sqlite(value: str | None) -> uuid.UUID | None:
    return None if value is None else _parsed(value)


@lru_cache(4096)
def _parsed(value: str) -> uuid.UUID:
    return uuid.UUID(value)


class Thousandths(TypeDecorator[Decimal]):
    """An exact amount with up to three decimals (kg, mg, mL, mg/kg); refuses more."""

    impl = Numeric(9, 3)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # SQLite has no decimals; nine digits go through its REAL and back unharmed.
        return dialect.type_descriptor(Float() if dialect.name == "sqlite" else Numeric(9, 3))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value != value.quantize(Decimal("0.001")):
            raise ValueError(f"{value} has more than three decimals")
        return float(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value)).quantize(Decimal("0.001"))


Instant = Annotated[datetime, mapped_column(UtcInstant)]
Line = Annotated[str, mapped_column(String(200))]  # one line of text
Body = Annotated[str, mapped_column(Text)]  # text of several lines
Token = Annotated[str, mapped_column(String(64))]  # a hash in hex, a short code
Id = Annotated[uuid.UUID, mapped_column(Identifier)]
PrimaryId = Annotated[uuid.UUID, mapped_column(Identifier, primary_key=True, default=new_id)]
Data = Annotated[Any, mapped_column(JSON().with_variant(JSONB(), "postgresql"))]
OptionalData = Annotated[
    Any, mapped_column(JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql"), nullable=True)
]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        StrEnum: Enum(
            StrEnum,
            native_enum=False,
            create_constraint=True,
            length=32,
            values_callable=lambda members: [member.value for member in members],
        ),
        str: String(200),
    }


def insert_unless(session: Session, table: type[Base]) -> Any:
    """Return an INSERT that takes `on_conflict_do_nothing` or `_do_update`: each database has its own, alike."""
    return (insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql)(table)


def where(condition: str) -> dict[str, Any]:
    """Return the arguments that make an `Index` partial on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def on_create(table: Any, *, sqlite: tuple[str, ...] = (), postgresql: tuple[str, ...] = ()) -> None:
    """Run these statements when `create_all` has made `table`. The migration writes them out again by hand."""
    assert isinstance(table, Table)
    for dialect, statements in (("sqlite", sqlite), ("postgresql", postgresql)):
        for statement in statements:
            # DDL formats with %; our SQL has none to fill in.
            event.listen(table, "after_create", _ddl(statement.replace("%", "%%")).execute_if(dialect=dialect))


def never_change(table: Any, *verbs: str, when: str = "") -> None:
    """Let the database refuse to change rows of `table` once written.

    Args:
        table: The table to guard.
        verbs: What is refused, of "UPDATE", "DELETE"; both if none is named.
        when: SQL over OLD that says which rows are guarded; all if empty.
    """
    condition = f" WHEN ({when})" if when else ""
    for verb in verbs or ("UPDATE", "DELETE"):
        create = f"CREATE TRIGGER {table.name}_no_{verb.lower()} BEFORE {verb} ON {table.name} FOR EACH ROW{condition}"
        refusal = f"SELECT RAISE(ABORT, '{table.name} rows are kept as written');"
        on_create(
            table,
            sqlite=(f"{create} BEGIN {refusal} END",),
            postgresql=(f"{create} EXECUTE FUNCTION keep_as_written()",),
        )


event.listen(
    Base.metadata,
    "before_create",
    _ddl(
        "CREATE OR REPLACE FUNCTION keep_as_written() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' rows are kept as written', "
        "ERRCODE = 'restrict_violation'; END $$"
    ).execute_if(dialect="postgresql"),
)
event.listen(
    Base.metadata,
    "before_create",
    _ddl("CREATE EXTENSION IF NOT EXISTS btree_gist").execute_if(dialect="postgresql"),
)
