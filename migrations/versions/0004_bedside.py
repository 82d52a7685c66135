"""What happens in the room."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

SQLITE = (
    "CREATE TRIGGER infusion_order_no_update BEFORE UPDATE ON infusion_order FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'infusion_order rows are kept as written'); END",
    "CREATE TRIGGER infusion_order_no_delete BEFORE DELETE ON infusion_order FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'infusion_order rows are kept as written'); END",
    "CREATE TRIGGER vital_reading_no_update BEFORE UPDATE ON vital_reading FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'vital_reading rows are kept as written'); END",
    "CREATE TRIGGER vital_reading_no_delete BEFORE DELETE ON vital_reading FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'vital_reading rows are kept as written'); END",
    "CREATE TRIGGER recovery_note_no_update BEFORE UPDATE ON recovery_note FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'recovery_note rows are kept as written'); END",
    "CREATE TRIGGER recovery_note_no_delete BEFORE DELETE ON recovery_note FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'recovery_note rows are kept as written'); END",
    "CREATE TRIGGER note_no_update BEFORE UPDATE ON note FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'note rows are kept as written'); END",
    "CREATE TRIGGER note_no_delete BEFORE DELETE ON note FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'note rows are kept as written'); END",
    "CREATE TRIGGER addendum_no_update BEFORE UPDATE ON addendum FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'addendum rows are kept as written'); END",
    "CREATE TRIGGER addendum_no_delete BEFORE DELETE ON addendum FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'addendum rows are kept as written'); END",
)
POSTGRESQL = (
    "CREATE TRIGGER infusion_order_no_update BEFORE UPDATE ON infusion_order FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER infusion_order_no_delete BEFORE DELETE ON infusion_order FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER vital_reading_no_update BEFORE UPDATE ON vital_reading FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER vital_reading_no_delete BEFORE DELETE ON vital_reading FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER recovery_note_no_update BEFORE UPDATE ON recovery_note FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER recovery_note_no_delete BEFORE DELETE ON recovery_note FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER note_no_update BEFORE UPDATE ON note FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL) EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER note_no_delete BEFORE DELETE ON note FOR EACH ROW WHEN (OLD.signed_at IS NOT NULL) EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER addendum_no_update BEFORE UPDATE ON addendum FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
    "CREATE TRIGGER addendum_no_delete BEFORE DELETE ON addendum FOR EACH ROW EXECUTE FUNCTION keep_as_written()",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "infusion_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("course_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("mg_per_kg", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=False),
        sa.Column("max_mg", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("rescue", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mg_per_kg > 0 AND max_mg > 0 AND minutes > 0", name=op.f("ck_infusion_order_amounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_infusion_order")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_infusion_order_clinic_id")),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_infusion_order_course_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_infusion_order_visit_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_infusion_order_signed_by")),
    )
    op.create_index(op.f("ix_infusion_order_course"), "infusion_order", ["course_id", "signed_at"], unique=False)
    op.create_table(
        "checklist_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(200), nullable=False),
        sa.Column("answer", sa.String(200), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.UniqueConstraint("visit_id", "item", name=op.f("uq_checklist_answer_visit_id_item")),
        sa.CheckConstraint("answer IN ('yes', 'no', 'not_applicable')", name=op.f("ck_checklist_answer_answer")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checklist_answer")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_checklist_answer_clinic_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_checklist_answer_visit_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_checklist_answer_entered_by")),
    )
    op.create_table(
        "dose",
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("weight_kg", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=False),
        sa.Column("mg", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=False),
        sa.Column("concentration_mg_per_ml", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=False),
        sa.Column("ml", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=False),
        sa.Column("volume_ml", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_by", sa.Uuid(), nullable=True),
        sa.Column("given_mg", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "weight_kg > 0 AND mg > 0 AND concentration_mg_per_ml > 0 AND ml > 0 AND volume_ml >= ml",
            name=op.f("ck_dose_amounts"),
        ),
        sa.CheckConstraint("given_mg >= 0", name=op.f("ck_dose_given")),
        sa.CheckConstraint("checked_by <> entered_by", name=op.f("ck_dose_second_person")),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_dose")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_dose_visit_id")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_dose_clinic_id")),
        sa.ForeignKeyConstraint(["order_id"], ["infusion_order.id"], name=op.f("fk_dose_order_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_dose_entered_by")),
        sa.ForeignKeyConstraint(["checked_by"], ["user_account.id"], name=op.f("fk_dose_checked_by")),
    )
    op.create_table(
        "vital_reading",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("due", sa.String(200), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column("systolic", sa.Integer(), nullable=True),
        sa.Column("diastolic", sa.Integer(), nullable=True),
        sa.Column("heart_rate", sa.Integer(), nullable=True),
        sa.Column("spo2", sa.Integer(), nullable=True),
        sa.Column("respiratory_rate", sa.Integer(), nullable=True),
        sa.Column("moaas", sa.Integer(), nullable=True),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "coalesce(systolic, diastolic, heart_rate, spo2, respiratory_rate, moaas) IS NOT NULL",
            name=op.f("ck_vital_reading_something"),
        ),
        sa.CheckConstraint(
            "(systolic IS NULL) = (diastolic IS NULL) AND systolic > diastolic", name=op.f("ck_vital_reading_pressure")
        ),
        sa.CheckConstraint("spo2 BETWEEN 0 AND 100", name=op.f("ck_vital_reading_spo2")),
        sa.CheckConstraint("moaas BETWEEN 0 AND 5", name=op.f("ck_vital_reading_moaas")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vital_reading")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_vital_reading_clinic_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_vital_reading_visit_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_vital_reading_entered_by")),
        sa.ForeignKeyConstraint(["corrects_id"], ["vital_reading.id"], name=op.f("fk_vital_reading_corrects_id")),
    )
    op.create_index(op.f("ix_vital_reading_visit"), "vital_reading", ["visit_id", "occurred_at"], unique=False)
    op.create_table(
        "side_effect",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("term", sa.String(200), nullable=False),
        sa.Column("severity", sa.String(32), nullable=False),
        sa.Column("onset_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("action_detail", sa.String(200), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("resolved_at >= onset_at", name=op.f("ck_side_effect_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_side_effect")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_side_effect_clinic_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_side_effect_visit_id")),
        sa.CheckConstraint("severity IN ('mild', 'moderate', 'severe')", name=op.f("ck_side_effect_severity")),
        sa.CheckConstraint(
            "action IN ('none', 'slowed', 'paused', 'stopped', 'medicine')",
            name=op.f("ck_side_effect_sideeffectaction"),
        ),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_side_effect_entered_by")),
    )
    op.create_index(op.f("ix_side_effect_visit_id"), "side_effect", ["visit_id"], unique=False)
    op.create_table(
        "recovery_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("mood", sa.Integer(), nullable=True),
        sa.Column("symptoms", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("safe", sa.Boolean(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.CheckConstraint("mood BETWEEN 0 AND 10", name=op.f("ck_recovery_note_mood")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_note")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_recovery_note_clinic_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_recovery_note_visit_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_recovery_note_entered_by")),
    )
    op.create_index(op.f("ix_recovery_note_visit_id"), "recovery_note", ["visit_id"], unique=False)
    op.create_table(
        "note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("meaning", sa.String(32), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name=op.f("ck_note_signature")),
        sa.CheckConstraint("(signed_at IS NULL) = (meaning IS NULL)", name=op.f("ck_note_signature_meaning")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_note_clinic_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_note_visit_id")),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_note_author_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_note_signed_by")),
        sa.CheckConstraint("meaning IN ('authored', 'reviewed', 'witnessed')", name=op.f("ck_note_signmeaning")),
    )
    op.create_index(op.f("ix_note_visit_id"), "note", ["visit_id"], unique=False)
    op.create_index(
        op.f("uq_note_visit_draft"),
        "note",
        ["visit_id"],
        unique=True,
        sqlite_where=sa.text("signed_at IS NULL"),
        postgresql_where=sa.text("signed_at IS NULL"),
    )
    op.create_table(
        "addendum",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("note_id", sa.Uuid(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addendum")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_addendum_clinic_id")),
        sa.ForeignKeyConstraint(["note_id"], ["note.id"], name=op.f("fk_addendum_note_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_addendum_signed_by")),
    )
    op.create_index(op.f("ix_addendum_note_id"), "addendum", ["note_id"], unique=False)
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("addendum")
    op.drop_table("note")
    op.drop_table("recovery_note")
    op.drop_table("side_effect")
    op.drop_table("vital_reading")
    op.drop_table("dose")
    op.drop_table("checklist_answer")
    op.drop_table("infusion_order")
