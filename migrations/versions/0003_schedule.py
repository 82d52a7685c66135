"""Protocols, courses, visits and claims."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

SQLITE = (
    "CREATE TRIGGER visit_event_no_update BEFORE UPDATE ON visit_event FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'visit_event rows are kept as written'); END",
    "CREATE TRIGGER visit_event_no_delete BEFORE DELETE ON visit_event FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'visit_event rows are kept as written'); END",
    "CREATE TRIGGER claim_no_update BEFORE UPDATE ON claim FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'claim rows are kept as written'); END",
    "CREATE TRIGGER claim_no_overlap BEFORE INSERT ON claim FOR EACH ROW WHEN (SELECT ends_at FROM claim WHERE resource_id = NEW.resource_id AND lane = NEW.lane AND starts_at < NEW.ends_at ORDER BY starts_at DESC LIMIT 1) > NEW.starts_at BEGIN SELECT RAISE(ABORT, 'claim overlaps another'); END",
)
POSTGRESQL = (
    "ALTER TABLE claim ADD CONSTRAINT ex_claim_overlap EXCLUDE USING gist (resource_id WITH =, lane WITH =, tstzrange(starts_at, ends_at) WITH &&)",
    "CREATE TRIGGER visit_event_no_update BEFORE UPDATE ON visit_event FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER visit_event_no_delete BEFORE DELETE ON visit_event FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER claim_no_update BEFORE UPDATE ON claim FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "protocol",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("definition", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("clinic_id", "code", "version", name=op.f("uq_protocol_clinic_id_code_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_protocol")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_protocol_clinic_id")),
    )
    op.create_table(
        "course",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("protocol_id", sa.Uuid(), nullable=False),
        sa.Column("indication", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("sequence >= 1", name=op.f("ck_course_sequence_from_one")),
        sa.CheckConstraint("status <> 'ended' OR end_reason IS NOT NULL", name=op.f("ck_course_end_reason")),
        sa.CheckConstraint("(status = 'active') = (ended_at IS NULL)", name=op.f("ck_course_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_course_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_course_patient_id")),
        sa.ForeignKeyConstraint(["protocol_id"], ["protocol.id"], name=op.f("fk_course_protocol_id")),
        sa.CheckConstraint(
            "indication IN ('trd', 'ptsd', 'ocd', 'gad', 'crps', 'neuropathic', 'fibromyalgia')",
            name=op.f("ck_course_indication"),
        ),
        sa.CheckConstraint("status IN ('active', 'completed', 'ended')", name=op.f("ck_course_coursestatus")),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_course_created_by")),
    )
    op.create_index(op.f("ix_course_clinic_id"), "course", ["clinic_id"], unique=False)
    op.create_index(op.f("ix_course_patient_id"), "course", ["patient_id"], unique=False)
    op.create_table(
        "visit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("nurse_id", sa.Uuid(), nullable=False),
        sa.Column("physician_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("cancel_reason", sa.String(200), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("driver_name", sa.String(200), nullable=False),
        sa.Column("driver_phone", sa.String(200), nullable=False),
        sa.Column("driver_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("ordinal >= 1", name=op.f("ck_visit_ordinal_from_one")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_visit_order")),
        sa.CheckConstraint("(status = 'cancelled') = (cancel_reason IS NOT NULL)", name=op.f("ck_visit_cancel_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_visit_clinic_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_visit_course_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_visit_patient_id")),
        sa.ForeignKeyConstraint(["room_id"], ["resource.id"], name=op.f("fk_visit_room_id")),
        sa.ForeignKeyConstraint(["nurse_id"], ["staff_member.id"], name=op.f("fk_visit_nurse_id")),
        sa.ForeignKeyConstraint(["physician_id"], ["staff_member.id"], name=op.f("fk_visit_physician_id")),
        sa.CheckConstraint(
            "status IN ('booked', 'arrived', 'time_out', 'infusing', 'paused', 'recovering', 'ready', 'discharged', 'no_show', 'held', 'cancelled', 'transferred')",
            name=op.f("ck_visit_visitstatus"),
        ),
    )
    op.create_index(op.f("ix_visit_clinic_starts"), "visit", ["clinic_id", "starts_at"], unique=False)
    op.create_index(op.f("ix_visit_course_id"), "visit", ["course_id"], unique=False)
    op.create_index(op.f("ix_visit_patient_id"), "visit", ["patient_id"], unique=False)
    op.create_index(
        op.f("uq_visit_live_ordinal"),
        "visit",
        ["course_id", "ordinal"],
        unique=True,
        sqlite_where=sa.text("status NOT IN ('cancelled', 'no_show', 'held')"),
        postgresql_where=sa.text("status NOT IN ('cancelled', 'no_show', 'held')"),
    )
    op.create_table(
        "visit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("to_status", sa.String(32), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_event")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_visit_event_clinic_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_visit_event_visit_id")),
        sa.CheckConstraint(
            "to_status IN ('booked', 'arrived', 'time_out', 'infusing', 'paused', 'recovering', 'ready', 'discharged', 'no_show', 'held', 'cancelled', 'transferred')",
            name=op.f("ck_visit_event_visitstatus"),
        ),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_visit_event_entered_by")),
    )
    op.create_index(op.f("ix_visit_event_visit"), "visit_event", ["visit_id", "entered_at"], unique=False)
    op.create_table(
        "claim",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_claim_order")),
        sa.CheckConstraint("lane >= 1", name=op.f("ck_claim_lane_from_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_claim_clinic_id")),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f("fk_claim_resource_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_claim_visit_id")),
    )
    op.create_index(op.f("ix_claim_clinic_starts"), "claim", ["clinic_id", "starts_at"], unique=False)
    op.create_index(op.f("ix_claim_resource_lane_starts"), "claim", ["resource_id", "lane", "starts_at"], unique=False)
    op.create_index(op.f("ix_claim_visit_id"), "claim", ["visit_id"], unique=False)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("claim")
    op.drop_table("visit_event")
    op.drop_table("visit")
    op.drop_table("course")
    op.drop_table("protocol")
