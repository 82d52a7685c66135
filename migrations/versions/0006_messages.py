"""The outbox, and the links that it carries."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "patient_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_link")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_patient_link_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_patient_link_patient_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_patient_link_course_id")),
        sa.CheckConstraint("purpose IN ('course')", name=op.f("ck_patient_link_linkpurpose")),
    )
    op.create_index(op.f("ix_patient_link_course_id"), "patient_link", ["course_id"], unique=False)
    op.create_index(op.f("ix_patient_link_patient_id"), "patient_link", ["patient_id"], unique=False)
    op.create_table(
        "portal_session",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_portal_session")),
        sa.ForeignKeyConstraint(["link_id"], ["patient_link.id"], name=op.f("fk_portal_session_link_id")),
    )
    op.create_index(op.f("ix_portal_session_link_id"), "portal_session", ["link_id"], unique=False)
    op.create_table(
        "reminder",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=True),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("subject_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("contact_point_id", sa.Uuid(), nullable=True),
        sa.Column("template_version", sa.Integer(), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status IN ('leased', 'sending')) = (lease_until IS NOT NULL)", name=op.f("ck_reminder_lease")
        ),
        sa.CheckConstraint("send_at <= expires_at", name=op.f("ck_reminder_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_reminder_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_reminder_patient_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_reminder_course_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_reminder_visit_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_reminder_task_id")),
        sa.CheckConstraint(
            "purpose IN ('itinerary', 'first_visit', 'visit', 'next_day', 'therapy', 'check_in', 'late_check_in')",
            name=op.f("ck_reminder_purpose"),
        ),
        sa.CheckConstraint("channel IN ('email')", name=op.f("ck_reminder_reminderchannel")),
        sa.ForeignKeyConstraint(["contact_point_id"], ["contact_point.id"], name=op.f("fk_reminder_contact_point_id")),
        sa.CheckConstraint(
            "status IN ('scheduled', 'leased', 'sending', 'accepted', 'failed', 'uncertain', 'expired', 'cancelled', 'superseded', 'suppressed')",
            name=op.f("ck_reminder_reminderstatus"),
        ),
    )
    op.create_index(op.f("ix_reminder_clinic"), "reminder", ["clinic_id", "send_at"], unique=False)
    op.create_index(op.f("ix_reminder_course_id"), "reminder", ["course_id"], unique=False)
    op.create_index(
        op.f("ix_reminder_due"),
        "reminder",
        ["send_at"],
        unique=False,
        sqlite_where=sa.text("status = 'scheduled'"),
        postgresql_where=sa.text("status = 'scheduled'"),
    )
    op.create_index(
        op.f("ix_reminder_leased"),
        "reminder",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("status IN ('leased', 'sending')"),
        postgresql_where=sa.text("status IN ('leased', 'sending')"),
    )
    op.create_index(op.f("ix_reminder_patient"), "reminder", ["patient_id", "send_at"], unique=False)
    op.create_index(op.f("ix_reminder_visit_id"), "reminder", ["visit_id"], unique=False)
    op.create_index(
        op.f("uq_reminder_once"),
        "reminder",
        ["subject_id", "purpose", "channel", "subject_at"],
        unique=True,
        sqlite_where=sa.text("status NOT IN ('cancelled', 'superseded')"),
        postgresql_where=sa.text("status NOT IN ('cancelled', 'superseded')"),
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("reminder_id", sa.Uuid(), nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.UniqueConstraint("reminder_id", "lease_epoch", name=op.f("uq_attempt_reminder_id_lease_epoch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_attempt_clinic_id")),
        sa.ForeignKeyConstraint(["reminder_id"], ["reminder.id"], name=op.f("fk_attempt_reminder_id")),
        sa.CheckConstraint(
            "outcome IN ('sending', 'accepted', 'refused', 'deferred', 'uncertain')",
            name=op.f("ck_attempt_attemptoutcome"),
        ),
    )
    op.create_index(op.f("ix_attempt_reminder_id"), "attempt", ["reminder_id"], unique=False)
    op.create_table(
        "outbox_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipient", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_message")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_outbox_message_clinic_id")),
    )
    op.create_index(op.f("ix_outbox_message_clinic_id"), "outbox_message", ["clinic_id"], unique=False)
    op.create_table(
        "worker_heartbeat",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_heartbeat")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("worker_heartbeat")
    op.drop_table("outbox_message")
    op.drop_table("attempt")
    op.drop_table("reminder")
    op.drop_table("portal_session")
    op.drop_table("patient_link")
