"""What patients answer, and the tasks that follow."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

SQLITE = (
    "CREATE TRIGGER scale_response_no_delete BEFORE DELETE ON scale_response FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'scale_response rows are kept as written'); END",
)
POSTGRESQL = (
    "CREATE TRIGGER scale_response_no_delete BEFORE DELETE ON scale_response FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "scale_response",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("scale", sa.String(200), nullable=False),
        sa.Column("scale_version", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("is_baseline", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("total >= 0", name=op.f("ck_scale_response_total")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scale_response")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_scale_response_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_scale_response_patient_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_scale_response_course_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_scale_response_visit_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_scale_response_entered_by")),
    )
    op.create_index(op.f("ix_scale_response_course_id"), "scale_response", ["course_id"], unique=False)
    op.create_index(
        op.f("ix_scale_response_patient"), "scale_response", ["patient_id", "scale", "answered_at"], unique=False
    )
    op.create_index(
        op.f("uq_scale_response_baseline"),
        "scale_response",
        ["course_id", "scale"],
        unique=True,
        sqlite_where=sa.text("is_baseline"),
        postgresql_where=sa.text("is_baseline"),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sa.Column("owner_role", sa.String(32), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(status IN ('done', 'skipped')) = (outcome IS NOT NULL)", name=op.f("ck_task_outcome")),
        sa.CheckConstraint("(status = 'open') = (closed_at IS NULL)", name=op.f("ck_task_closed")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_task_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_task_patient_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_task_course_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_task_visit_id")),
        sa.CheckConstraint(
            "owner_role IN ('admin', 'coordinator', 'nurse', 'physician', 'auditor')", name=op.f("ck_task_role")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name=op.f("fk_task_owner_id")),
        sa.CheckConstraint("status IN ('open', 'done', 'skipped', 'cancelled')", name=op.f("ck_task_taskstatus")),
        sa.ForeignKeyConstraint(["closed_by"], ["user_account.id"], name=op.f("fk_task_closed_by")),
    )
    op.create_index(op.f("ix_task_course_id"), "task", ["course_id"], unique=False)
    op.create_index(
        op.f("ix_task_open"),
        "task",
        ["clinic_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(op.f("ix_task_patient"), "task", ["patient_id", "due_at"], unique=False)
    op.create_index(op.f("ix_task_visit_id"), "task", ["visit_id"], unique=False)
    op.create_index(
        op.f("uq_task_key"),
        "task",
        ["clinic_id", "key"],
        unique=True,
        sqlite_where=sa.text("status <> 'cancelled'"),
        postgresql_where=sa.text("status <> 'cancelled'"),
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("task")
    op.drop_table("scale_response")
