"""Run migrations on the database that the caller hands over, or on the configured one."""

from alembic import context
from sqlalchemy import Connection

from tracker import db
from tracker.config import load
from tracker.models import Base


def run(connection: Connection) -> None:
    """Migrate in one transaction: all of it or nothing."""
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with db.build_engine(load().database_url).connect() as connection:
        run(connection)
        connection.commit()
