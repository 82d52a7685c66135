"""Which version's tables the database has, told by one SELECT; and a change that no migration tool makes."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from tracker import db


def found() -> str | None:
    """Return the revision of the configured database, None if it has no tables of ours yet.

    Raises:
        tracker.errors.Busy: The database can't answer.
    """
    with db.read() as session:
        try:
            revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
        except (ProgrammingError, OperationalError) as error:
            if "alembic_version" in str(error):
                return None
            raise
        return revision


def rewrite_sqlite(connection: Connection, table: str, old: str, new: str) -> None:
    """Change a constraint in a table's text, as SQLite's manual has it where no row changes ("ALTER TABLE", 7).

    Args:
        connection: In the migration's transaction.
        table: Whose text it is.
        old: Stands in it exactly once.
        new: Instead. Every row there is must keep to it.

    Raises:
        RuntimeError: The text isn't as the migration knows it; nothing was changed.
    """
    sql = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    ).scalar_one()
    if sql.count(old) != 1:
        raise RuntimeError(f"{table} isn't as this migration knows it")
    (version,) = connection.exec_driver_sql("PRAGMA schema_version").one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?"
    connection.exec_driver_sql(changed, (sql.replace(old, new), table))
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=RESET")
