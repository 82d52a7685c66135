"""Whether a message was withdrawn is a column: the index over the others is written when that changes, not each state."""

import sqlalchemy as sa
from alembic import op

from tracker.schema import rewrite_sqlite

revision = "0011"
down_revision = "0010"

OFF = "status IN ('cancelled', 'superseded')"
ORDER = "CONSTRAINT ck_reminder_order CHECK (send_at <= expires_at)"
WITHDRAWN = f"withdrawn = ({OFF})"
COLUMNS = ("subject_id", "purpose", "subject_at")


def upgrade() -> None:
    """Add the column and let the unique index go by it."""
    op.add_column("reminder", sa.Column("withdrawn", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(f"UPDATE reminder SET withdrawn = true WHERE {OFF}")  # noqa: S608 - constants all
    if op.get_bind().dialect.name == "sqlite":
        rewrite_sqlite(
            op.get_bind(), "reminder", ORDER, f"{ORDER}, CONSTRAINT ck_reminder_withdrawn CHECK ({WITHDRAWN})"
        )
    else:
        op.create_check_constraint(op.f("ck_reminder_withdrawn"), "reminder", sa.text(WITHDRAWN))
    _once("NOT withdrawn")


def downgrade() -> None:
    """Undo it."""
    _once("status NOT IN ('cancelled', 'superseded')")
    if op.get_bind().dialect.name == "sqlite":
        rewrite_sqlite(
            op.get_bind(), "reminder", f"{ORDER}, CONSTRAINT ck_reminder_withdrawn CHECK ({WITHDRAWN})", ORDER
        )
    else:
        op.drop_constraint("ck_reminder_withdrawn", "reminder")
    op.drop_column("reminder", "withdrawn")


def _once(condition: str) -> None:
    where = {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
    op.drop_index("uq_reminder_once", "reminder")
    op.create_index("uq_reminder_once", "reminder", list(COLUMNS), unique=True, **where)
