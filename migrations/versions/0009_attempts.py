"""A try to send says why by this way, and what it says as it begins is kept as written. One index less."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

CHANGED = "NEW.address <> OLD.address OR NEW.why <> OLD.why OR NEW.started_at <> OLD.started_at"
KEPT = (
    f"CREATE TRIGGER attempt_no_update BEFORE UPDATE ON attempt FOR EACH ROW WHEN ({CHANGED}) ",
    "CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt FOR EACH ROW ",
)
REFUSAL = {
    "sqlite": "BEGIN SELECT RAISE(ABORT, 'attempt rows are kept as written'); END",
    "postgresql": "EXECUTE FUNCTION keep_as_written()",
}


def upgrade() -> None:
    """Add a column and triggers; drop an index that the unique constraint makes needless."""
    op.add_column("attempt", sa.Column("why", sa.String(200), server_default="", nullable=False))
    op.drop_index("ix_attempt_reminder_id", "attempt")
    for statement in KEPT:
        op.execute(statement + REFUSAL[op.get_bind().dialect.name])


def downgrade() -> None:
    """Undo it. Why a message went by its way is lost."""
    on = " ON attempt" if op.get_bind().dialect.name == "postgresql" else ""
    for name in ("attempt_no_update", "attempt_no_delete"):
        op.execute(f"DROP TRIGGER {name}{on}")
    op.create_index("ix_attempt_reminder_id", "attempt", ["reminder_id"])
    op.drop_column("attempt", "why")
