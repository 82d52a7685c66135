"""Whether the database has this version's tables: told by one SELECT, without loading the migration tool."""

from sqlalchemy import text
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
