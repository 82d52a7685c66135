"""What reminders need: channels, receipts, a history, a breaker, who may send at all."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from tracker.schema import rewrite_sqlite

revision = "0008"
down_revision = "0007"

INSTANT = sa.DateTime(timezone=True)
_PURPOSES = ("itinerary", "first_visit", "visit", "next_day", "therapy", "check_in", "late_check_in")
_PURPOSES += ("changed", "closed")
_STATUSES = ("scheduled", "leased", "sending", "accepted")
_ENDED = ("failed", "uncertain", "expired", "cancelled", "superseded", "suppressed")
# Table, name of the constraint, column, what it took before, what it takes from now on.
CHECKS = (
    ("reminder", "purpose", "purpose", _PURPOSES, (*_PURPOSES, "same_day", "questionnaire", "digest", "test")),
    ("reminder", "reminderstatus", "status", (*_STATUSES, *_ENDED), (*_STATUSES, "delivered", "bounced", *_ENDED)),
    ("reminder", "reminderchannel", "channel", ("email",), ("email", "sms")),
    ("contact_point", "contactchannel", "channel", ("email", "phone"), ("email", "phone", "sms")),
)
NEW = (
    ("ck_reminder_whom", "(patient_id IS NULL) <> (user_id IS NULL)"),
    ("ck_reminder_channel_known", "sent_at IS NULL OR channel IS NOT NULL"),
)
ORDER = "CONSTRAINT ck_reminder_order CHECK (send_at <= expires_at)"
ACCOUNT = "CONSTRAINT fk_reminder_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)"
ONCE = "status NOT IN ('cancelled', 'superseded')"
KEPT = (
    "CREATE TRIGGER reminder_event_no_update BEFORE UPDATE ON reminder_event FOR EACH ROW ",
    "CREATE TRIGGER reminder_event_no_delete BEFORE DELETE ON reminder_event FOR EACH ROW ",
)
REFUSAL = {
    "sqlite": "BEGIN SELECT RAISE(ABORT, 'reminder_event rows are kept as written'); END",
    "postgresql": "EXECUTE FUNCTION keep_as_written()",
}


def upgrade() -> None:
    """Add columns and tables; let a message have no patient, and no channel until it leaves."""
    op.add_column("patient", sa.Column("zone_name", sa.String(200), nullable=True))
    op.add_column("contact_point", sa.Column("more_texts_at", INSTANT, nullable=True))
    op.add_column("contact_point", sa.Column("opted_out_how", sa.String(200), nullable=True))
    op.add_column("user_account", sa.Column("no_digest_at", INSTANT, nullable=True))
    op.add_column("reminder", sa.Column("user_id", sa.Uuid(), nullable=True))
    op.add_column("reminder", sa.Column("asks_how", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("reminder", sa.Column("sent_at", INSTANT, nullable=True))
    op.add_column("attempt", sa.Column("external_id", sa.String(200), nullable=True))
    op.add_column("attempt", sa.Column("segments", sa.Integer(), nullable=True))
    op.create_index("ix_attempt_external", "attempt", ["external_id"], **_partly("external_id IS NOT NULL"))
    _loosen_reminder()
    for table, name, column, before, after in CHECKS:
        _allow(table, name, column, before, after)
    op.drop_index("uq_reminder_once", "reminder")
    op.create_index(
        "uq_reminder_once", "reminder", ["subject_id", "purpose", "subject_at"], unique=True, **_partly(ONCE)
    )
    op.create_table(
        "reminder_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("reminder_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(200), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder_event")),
        sa.ForeignKeyConstraint(["clinic_id"], ["clinic.id"], name=op.f("fk_reminder_event_clinic_id")),
        sa.ForeignKeyConstraint(["reminder_id"], ["reminder.id"], name=op.f("fk_reminder_event_reminder_id")),
        sa.CheckConstraint(
            "status IN ('scheduled', 'leased', 'sending', 'accepted', 'delivered', 'bounced', 'failed', 'uncertain', 'expired', 'cancelled', 'superseded', 'suppressed')",
            name=op.f("ck_reminder_event_reminderstatus"),
        ),
        sa.ForeignKeyConstraint(["entered_by"], ["user_account.id"], name=op.f("fk_reminder_event_entered_by")),
    )
    op.create_index(op.f("ix_reminder_event_reminder"), "reminder_event", ["reminder_id", "at"], unique=False)
    op.create_table(
        "provider_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(200), nullable=False),
        sa.Column("external_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("status", sa.String(200), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminder_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.UniqueConstraint(
            "provider", "external_id", "kind", "status", name=op.f("uq_provider_event_provider_external_id_kind_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_event")),
        sa.ForeignKeyConstraint(["reminder_id"], ["reminder.id"], name=op.f("fk_provider_event_reminder_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_provider_event_patient_id")),
    )
    op.create_index(op.f("ix_provider_event_patient_id"), "provider_event", ["patient_id"], unique=False)
    op.create_index(op.f("ix_provider_event_reminder_id"), "provider_event", ["reminder_id"], unique=False)
    op.create_index(
        op.f("ix_provider_event_waiting"),
        "provider_event",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("applied_at IS NULL"),
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_table(
        "provider_state",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("down_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_provider_state")),
    )
    op.create_table(
        "job_run",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("period", sa.String(200), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "period", name=op.f("pk_job_run")),
    )
    op.create_table(
        "sending",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("witness", sa.String(200), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_why", sa.String(200), nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resumed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_sending_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending")),
        sa.ForeignKeyConstraint(["resumed_by"], ["user_account.id"], name=op.f("fk_sending_resumed_by")),
    )
    for statement in KEPT:
        op.execute(statement + REFUSAL[op.get_bind().dialect.name])


def downgrade() -> None:
    """Take it back. What only this version can say goes: texts, digests, tests; what arrived was only taken before."""
    for table in ("sending", "job_run", "provider_state", "provider_event", "reminder_event"):
        op.drop_table(table)
    gone = "purpose IN ('same_day', 'questionnaire', 'digest', 'test') OR channel = 'sms' OR user_id IS NOT NULL"
    op.execute(f"DELETE FROM attempt WHERE reminder_id IN (SELECT id FROM reminder WHERE {gone})")  # noqa: S608 - constants all
    op.execute(f"DELETE FROM reminder WHERE {gone}")  # noqa: S608 - constants all
    op.execute("DELETE FROM contact_point WHERE channel = 'sms'")
    op.execute("UPDATE reminder SET status = 'accepted' WHERE status = 'delivered'")
    op.execute("UPDATE reminder SET status = 'failed' WHERE status = 'bounced'")
    op.execute("UPDATE reminder SET channel = 'email' WHERE channel IS NULL")
    op.drop_index("uq_reminder_once", "reminder")
    columns = ["subject_id", "purpose", "channel", "subject_at"]
    op.create_index("uq_reminder_once", "reminder", columns, unique=True, **_partly(ONCE))
    for table, name, column, before, after in reversed(CHECKS):
        _allow(table, name, column, after, before)
    _tighten_reminder()
    op.drop_index("ix_attempt_external", "attempt")
    for table, column in (
        ("attempt", "segments"),
        ("attempt", "external_id"),
        ("reminder", "sent_at"),
        ("reminder", "asks_how"),
        ("reminder", "user_id"),
        ("user_account", "no_digest_at"),
        ("contact_point", "opted_out_how"),
        ("contact_point", "more_texts_at"),
        ("patient", "zone_name"),
    ):
        op.drop_column(table, column)


def _partly(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _loosen_reminder() -> None:
    if op.get_bind().dialect.name == "sqlite":
        added = [f"CONSTRAINT {name} CHECK ({check})" for name, check in NEW]
        rewrite_sqlite(op.get_bind(), "reminder", ORDER, ", ".join((ORDER, ACCOUNT, *added)))
        rewrite_sqlite(op.get_bind(), "reminder", "patient_id CHAR(32) NOT NULL", "patient_id CHAR(32)")
        rewrite_sqlite(op.get_bind(), "reminder", "channel VARCHAR(32) NOT NULL", "channel VARCHAR(32)")
        return
    op.alter_column("reminder", "patient_id", nullable=True)
    op.alter_column("reminder", "channel", nullable=True)
    op.create_foreign_key(op.f("fk_reminder_user_id"), "reminder", "user_account", ["user_id"], ["id"])
    for name, check in NEW:
        op.create_check_constraint(op.f(name), "reminder", sa.text(check))


def _tighten_reminder() -> None:
    if op.get_bind().dialect.name == "sqlite":
        added = [f"CONSTRAINT {name} CHECK ({check})" for name, check in NEW]
        rewrite_sqlite(op.get_bind(), "reminder", ", ".join((ORDER, ACCOUNT, *added)), ORDER)
        rewrite_sqlite(op.get_bind(), "reminder", "patient_id CHAR(32)", "patient_id CHAR(32) NOT NULL")
        rewrite_sqlite(op.get_bind(), "reminder", "channel VARCHAR(32)", "channel VARCHAR(32) NOT NULL")
        return
    for name, _check in NEW:
        op.drop_constraint(name, "reminder")
    op.drop_constraint("fk_reminder_user_id", "reminder")
    op.alter_column("reminder", "patient_id", nullable=False)
    op.alter_column("reminder", "channel", nullable=False)


def _allow(table: str, name: str, column: str, before: Sequence[str], after: Sequence[str]) -> None:
    old, new = (f"{column} IN ({', '.join(repr(one) for one in words)})" for words in (before, after))
    if op.get_bind().dialect.name == "sqlite":
        rewrite_sqlite(op.get_bind(), table, old, new)
    else:
        op.drop_constraint(f"ck_{table}_{name}", table)
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, sa.text(new))
