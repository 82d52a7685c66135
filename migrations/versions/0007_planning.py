"""What planning needs: wishes kept, days that fall out, hours from day to day, work with progress."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from tracker.schema import rewrite_sqlite

revision = "0007"
down_revision = "0006"

BEFORE = ("itinerary", "first_visit", "visit", "next_day", "therapy", "check_in", "late_check_in")
AFTER = (*BEFORE, "changed", "closed")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add columns and tables, and two purposes of messages."""
    op.add_column("course", sa.Column("wishes", JSON, nullable=True))
    op.add_column("visit", sa.Column("lost_at", INSTANT, nullable=True))
    op.add_column("shift", sa.Column("first_day", sa.Date(), nullable=True))
    op.add_column("shift", sa.Column("last_day", sa.Date(), nullable=True))
    op.create_table(
        "weekly_closure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=True),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("starts_minute", sa.Integer(), nullable=False),
        sa.Column("ends_minute", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_weekly_closure_weekday")),
        sa.CheckConstraint(
            "0 <= starts_minute AND starts_minute < ends_minute AND ends_minute <= 1440",
            name=op.f("ck_weekly_closure_order"),
        ),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_weekly_closure_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weekly_closure")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_weekly_closure_clinic_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_weekly_closure_resource_id")),
    )
    op.create_index(op.f("ix_weekly_closure_clinic_id"), "weekly_closure", ["clinic_id"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("args", JSON, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("doing", sa.String(200), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("result", JSON, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("applied_at", INSTANT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("0 <= done AND done <= total", name=op.f("ck_job_progress")),
        sa.CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name=op.f("ck_job_lease")),
        sa.CheckConstraint("(status IN ('waiting', 'running')) = (ended_at IS NULL)", name=op.f("ck_job_ended")),
        sa.CheckConstraint(
            "status IN ('waiting', 'running', 'done', 'stopped', 'failed')", name=op.f("ck_job_jobstatus")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_job_clinic_id")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_job_created_by")),
    )
    op.create_index(op.f("ix_job_clinic_id"), "job", ["clinic_id"], unique=False)
    op.create_index(
        op.f("ix_job_waiting"),
        "job",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("status IN ('waiting', 'running')"),
        postgresql_where=sa.text("status IN ('waiting', 'running')"),
    )
    _allow_purposes(BEFORE, AFTER)


def downgrade() -> None:
    """Take it back. Messages of the two purposes go with them, and so do their tries."""
    op.execute(
        "DELETE FROM attempt WHERE reminder_id IN (SELECT id FROM reminder WHERE purpose IN ('changed', 'closed'))"
    )
    op.execute("DELETE FROM reminder WHERE purpose IN ('changed', 'closed')")
    _allow_purposes(AFTER, BEFORE)
    op.drop_table("job")
    op.drop_table("weekly_closure")
    for table, column in (
        ("shift", "last_day"),
        ("shift", "first_day"),
        ("visit", "lost_at"),
        ("course", "wishes"),
    ):
        op.drop_column(table, column)


def _allow_purposes(before: Sequence[str], after: Sequence[str]) -> None:
    old, new = (f"purpose IN ({', '.join(repr(one) for one in words)})" for words in (before, after))
    if op.get_bind().dialect.name == "sqlite":
        rewrite_sqlite(op.get_bind(), "reminder", old, new)
    else:
        op.drop_constraint("ck_reminder_purpose", "reminder")
        op.create_check_constraint(op.f("ck_reminder_purpose"), "reminder", sa.text(new))
