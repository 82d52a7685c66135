"""Migrations make exactly what the models say, on both databases: compared in the catalogue, object by object."""

from collections.abc import Callable

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from tests.conftest import upgrade
from tests.services.diary import Diary
from tracker import db
from tracker.models import Base
from tracker.paths import shipped

SQLITE = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND tbl_name <> 'alembic_version'"
POSTGRESQL = """
SELECT 'column', table_name || '.' || column_name, data_type || coalesce(character_maximum_length::text, '') ||
       coalesce(numeric_precision::text, '') || coalesce(numeric_scale::text, '') || is_nullable ||
       coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes
 WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger
 WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, prosrc FROM pg_proc WHERE proname = 'keep_as_written'
"""


def catalogue(engine) -> dict[tuple[str, str], str]:
    """Return every table, column, constraint, index, trigger and function that the database knows of."""
    query = SQLITE if engine.dialect.name == "sqlite" else POSTGRESQL
    with engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    return {(kind, name): told(kind, definition) for kind, name, definition in rows}


def told(kind: str, definition: str) -> str:
    """Return a definition without what makes no difference: white space, and a table's order of its parts.

    SQLite keeps a table's text, and a column that was added later comes last in it.
    """
    text = " ".join(definition.split())
    if kind != "table" or "(" not in text:
        return text
    head, body = text.split("(", 1)
    parts, depth = [""], 0
    for letter in body.removesuffix(")"):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return " | ".join([head.strip(), *sorted(part.strip() for part in parts)])


def drops(found: dict[tuple[str, str], str], dialect: str) -> list[str]:
    """Return the statements that take away one trigger, constraint or index each."""
    if dialect == "sqlite":
        return [f"DROP {kind.upper()} {name}" for kind, name in found if kind in ("index", "trigger")]
    statements = []
    backed = {name.split(".")[1] for kind, name in found if kind == "constraint"}
    for kind, name in found:
        if kind == "trigger":
            table, trigger = name.split(".")
            statements.append(f"DROP TRIGGER {trigger} ON {table}")
        elif kind == "constraint":
            table, constraint = name.split(".")
            statements.append(f"ALTER TABLE {table} DROP CONSTRAINT {constraint} CASCADE")
        elif kind == "index" and name not in backed:
            statements.append(f"DROP INDEX {name}")
    return statements


@pytest.fixture(params=["sqlite", "postgresql"])
def pair(request, tmp_path):
    """Return two engines of one kind: a migrated database, and one made straight from the models."""
    if request.param == "sqlite":
        migrated = request.getfixturevalue("sqlite_url")
        modelled = f"sqlite:///{tmp_path}/models.db"
    else:
        migrated = request.getfixturevalue("postgres_url_fresh")
        modelled = request.getfixturevalue("second_postgres_url")
    engines = db.build_engine(migrated), db.build_engine(modelled)
    Base.metadata.create_all(engines[1])
    yield engines
    for engine in engines:
        engine.dispose()


@pytest.fixture
def second_postgres_url(postgres_url_fresh):
    """Return the address of an empty database beside the migrated one."""
    name = postgres_url_fresh.split("/")[3].split("?")[0] + "_models"
    server = create_engine(
        postgres_url_fresh.replace(name.removesuffix("_models"), "postgres"), isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres_url_fresh.replace(name.removesuffix("_models"), name)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_the_migrations_make_what_the_models_say(pair):
    """No difference in either direction."""
    migrated, modelled = map(catalogue, pair)
    assert migrated == modelled
    assert len(migrated) > 100


def test_the_comparison_notices_every_loss(pair):
    """Dropping any one trigger, constraint or index of the migrated database makes the comparison red."""
    engine, modelled = pair[0], catalogue(pair[1])
    statements = drops(catalogue(engine), engine.dialect.name)
    unnoticed = []
    for statement in statements:
        with engine.connect() as connection:
            transaction = connection.begin()
            connection.execute(text(statement))
            query = SQLITE if engine.dialect.name == "sqlite" else POSTGRESQL
            rows = {(kind, name): told(kind, definition) for kind, name, definition in connection.execute(text(query))}
            transaction.rollback()
        if rows == modelled:
            unnoticed.append(statement)
    assert unnoticed == []
    assert len(statements) >= 60


def test_the_way_back_ends_at_nothing(sqlite_url):
    """Every migration can be undone."""
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    engine = db.build_engine(sqlite_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert catalogue(engine) == {}
    upgrade(sqlite_url)
    engine.dispose()


def move(url: str, there: Callable[[Config, str], None], revision: str) -> None:
    """Bring a database to a revision."""
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    engine = db.build_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        there(config, revision)
    engine.dispose()


def rows(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return every row of these tables and columns."""
    with db.engine().connect() as connection:
        return {
            table: sorted(
                str(tuple(row)) for row in connection.execute(text(f"SELECT {', '.join(names)} FROM {table}"))
            )
            for table, names in columns.items()
        }


def columns() -> dict[str, list[str]]:
    """Return the tables and columns that there are."""
    found = inspect(db.engine())
    return {
        table: [f'"{column["name"]}"' for column in found.get_columns(table)]
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_a_clinic_of_the_version_before_goes_on_as_it_was(database):
    """Its rows survive the way to this version, and from then on take what is new and nothing else."""
    diary = Diary()
    diary.book("Ada")
    url = db.engine().url.render_as_string(hide_password=False)
    db.engine().dispose()
    move(url, command.downgrade, "0006")
    db.configure(url)
    before = columns()
    kept = rows(before)
    assert len(kept["visit"]) == 6
    assert len(kept["reminder"]) > 6
    db.engine().dispose()
    move(url, command.upgrade, "head")
    db.configure(url)
    assert rows(before) == kept
    with db.engine().begin() as connection:
        connection.execute(text("UPDATE reminder SET purpose = 'changed' WHERE purpose = 'itinerary'"))
    with pytest.raises(IntegrityError), db.engine().begin() as connection:
        connection.execute(text("UPDATE reminder SET purpose = 'anything'"))
