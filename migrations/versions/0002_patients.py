"""Patients, and who else belongs to their care."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("chart_number", sa.String(200), nullable=False),
        sa.Column("given_name", sa.String(200), nullable=False),
        sa.Column("family_name", sa.String(200), nullable=False),
        sa.Column("preferred_name", sa.String(200), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("language", sa.String(200), nullable=False),
        sa.Column("intake_status", sa.String(32), nullable=False),
        sa.Column("diagnosis", sa.String(200), nullable=False),
        sa.Column("allergies_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("weight_kg", sa.Numeric(9, 3).with_variant(sa.Float(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("weight_kg > 0", name=op.f("ck_patient_weight")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
        sa.ForeignKeyConstraint(["id"], ["resource.id"], name=op.f("fk_patient_id")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_patient_clinic_id")),
        sa.CheckConstraint(
            "intake_status IN ('enquiry', 'forms', 'consult', 'cleared', 'not_now')",
            name=op.f("ck_patient_intakestatus"),
        ),
    )
    op.create_index(op.f("ix_patient_clinic_birth"), "patient", ["clinic_id", "birth_date"], unique=False)
    op.create_index(op.f("ix_patient_clinic_search"), "patient", ["clinic_id", "search_text"], unique=False)
    op.create_index(op.f("uq_patient_chart_number"), "patient", ["clinic_id", "chart_number"], unique=True)
    op.create_table(
        "allergy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("substance", sa.String(200), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allergy")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_allergy_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_allergy_patient_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_allergy_entered_by")),
    )
    op.create_index(op.f("ix_allergy_patient_id"), "allergy", ["patient_id"], unique=False)
    op.create_table(
        "medicine",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_medicine")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_medicine_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_medicine_patient_id")),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_medicine_entered_by")),
    )
    op.create_index(op.f("ix_medicine_patient_id"), "medicine", ["patient_id"], unique=False)
    op.create_table(
        "contact_point",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("consent_by", sa.Uuid(), nullable=True),
        sa.Column("consent_wording", sa.String(200), nullable=True),
        sa.Column("opted_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("invalid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(consent_at IS NULL) = (consent_wording IS NULL)", name=op.f("ck_contact_point_consent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_point")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_contact_point_clinic_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_contact_point_patient_id")),
        sa.CheckConstraint("channel IN ('email', 'phone')", name=op.f("ck_contact_point_contactchannel")),
        sa.ForeignKeyConstraint(["consent_by"], ["user_account.id"], name=op.f("fk_contact_point_consent_by")),
    )
    op.create_index(op.f("ix_contact_point_patient_id"), "contact_point", ["patient_id"], unique=False)
    op.create_index(
        op.f("uq_contact_point_address"),
        "contact_point",
        ["patient_id", "channel", "address"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "care_contact",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("phone", sa.String(200), nullable=False),
        sa.Column("email", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "role", name=op.f("pk_care_contact")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_care_contact_patient_id")),
        sa.CheckConstraint(
            "role IN ('driver', 'referrer', 'therapist', 'prescriber', 'emergency')",
            name=op.f("ck_care_contact_carerole"),
        ),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_care_contact_clinic_id")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("care_contact")
    op.drop_table("contact_point")
    op.drop_table("medicine")
    op.drop_table("allergy")
    op.drop_table("patient")
