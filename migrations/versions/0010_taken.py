"""A try that was taken is kept as written: it is the history's only word of it."""

from alembic import op

revision = "0010"
down_revision = "0009"

BEGUN = "NEW.address <> OLD.address OR NEW.why <> OLD.why OR NEW.started_at <> OLD.started_at"
TAKEN = (
    "OLD.outcome = 'accepted' AND (NEW.outcome <> OLD.outcome OR NEW.detail <> OLD.detail"
    " OR NEW.ended_at IS NULL OR NEW.ended_at <> OLD.ended_at)"
)
REFUSAL = {
    "sqlite": "BEGIN SELECT RAISE(ABORT, 'attempt rows are kept as written'); END",
    "postgresql": "EXECUTE FUNCTION keep_as_written()",
}


def upgrade() -> None:
    """Guard more."""
    _guard(f"{BEGUN} OR ({TAKEN})")


def downgrade() -> None:
    """Guard less."""
    _guard(BEGUN)


def _guard(when: str) -> None:
    dialect = op.get_bind().dialect.name
    op.execute("DROP TRIGGER attempt_no_update" + (" ON attempt" if dialect == "postgresql" else ""))
    head = "CREATE TRIGGER attempt_no_update BEFORE UPDATE ON attempt FOR EACH ROW"
    op.execute(f"{head} WHEN ({when}) {REFUSAL[dialect]}")
