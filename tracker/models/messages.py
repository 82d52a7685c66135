"""The outbox: what is to be told to whom and when, and what became of it."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Body, Id, Instant, Line, PrimaryId, never_change, where
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus


class Reminder(Base):
    """One message: a subject and a purpose. Written in the transaction that makes it necessary.

    It has a patient, or (a digest, a test of a channel) somebody of the staff. By which channel it goes is settled when
    it leaves, so that a consent given or taken back meanwhile counts, and nobody gets the same twice by two ways.
    """

    __tablename__ = "reminder"
    __table_args__ = (
        # Once for each thing said: the same visit moved elsewhere is another thing to say.
        Index(
            "uq_reminder_once",
            "subject_id",
            "purpose",
            "subject_at",
            unique=True,
            **where("NOT withdrawn"),
        ),
        Index("ix_reminder_due", "send_at", **where("status = 'scheduled'")),
        Index("ix_reminder_leased", "lease_until", **where("status IN ('leased', 'sending')")),
        Index("ix_reminder_patient", "patient_id", "send_at"),
        Index("ix_reminder_clinic", "clinic_id", "send_at"),
        CheckConstraint("(status IN ('leased', 'sending')) = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("send_at <= expires_at", name="order"),
        CheckConstraint("(patient_id IS NULL) <> (user_id IS NULL)", name="whom"),
        CheckConstraint("sent_at IS NULL OR channel IS NOT NULL", name="channel_known"),
        CheckConstraint("withdrawn = (status IN ('cancelled', 'superseded'))", name="withdrawn"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    course_id: Mapped[UUID | None] = mapped_column(ForeignKey("course.id"), index=True)
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"), index=True)
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("task.id"))
    subject_id: Mapped[Id]  # the visit, course, task or account it is about
    subject_at: Mapped[Instant]  # the time it speaks of: the visit's start when it was planned
    purpose: Mapped[Purpose]
    asks_how: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # the check-in of the same day is asked in this one
    channel: Mapped[ReminderChannel | None]  # by which it left last
    contact_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    template_version: Mapped[int] = mapped_column(default=1)
    send_at: Mapped[Instant]  # not before
    expires_at: Mapped[Instant]  # useless after
    status: Mapped[ReminderStatus] = mapped_column(default=ReminderStatus.SCHEDULED)
    # Cancelled or superseded: the same may be said by another one. An index that went by the status itself would be
    # written anew whenever that changes.
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())
    reason: Mapped[Line] = mapped_column(default="")  # why it is where it is, in a coordinator's words
    sent_at: Mapped[Instant | None]  # when it was last marked as leaving
    attempts: Mapped[int] = mapped_column(default=0)
    lease_epoch: Mapped[int] = mapped_column(default=0)  # a worker that comes back late has an old one
    lease_until: Mapped[Instant | None]
    created_at: Mapped[Instant]
    changed_at: Mapped[Instant]


class ReminderEvent(Base):
    """What became of a message, for a person to read; that it left and was taken is its attempt. Only ever added to."""

    __tablename__ = "reminder_event"
    __table_args__ = (Index("ix_reminder_event_reminder", "reminder_id", "at"),)

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    reminder_id: Mapped[Id] = mapped_column(ForeignKey("reminder.id"))
    at: Mapped[Instant]
    event: Mapped[str]  # rules.delivery.Event
    status: Mapped[ReminderStatus]  # from then on
    detail: Mapped[Body] = mapped_column(default="")  # why; what the server said; to which address
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # nobody = the program


class Attempt(Base):
    """One try to send a reminder, written before the network is touched: to whom, when, and why by this way.

    What it began with is kept as written, and that it was taken.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("reminder_id", "lease_epoch"),
        Index("ix_attempt_external", "external_id", **where("external_id IS NOT NULL")),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    reminder_id: Mapped[Id] = mapped_column(ForeignKey("reminder.id"))
    lease_epoch: Mapped[int]
    address: Mapped[Line]
    why: Mapped[Line] = mapped_column(default="", server_default="")  # by this way, and not by the best one
    external_id: Mapped[str | None]  # the provider's, by which its receipts name the message
    segments: Mapped[int | None]  # what a text was cut into, and is paid by
    started_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    outcome: Mapped[AttemptOutcome] = mapped_column(default=AttemptOutcome.SENDING)
    detail: Mapped[Body] = mapped_column(default="")  # what the mail server said


class OutboxMessage(Base):
    """What the demonstration would have sent; its outbox page shows it."""

    __tablename__ = "outbox_message"

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), index=True)
    sent_at: Mapped[Instant]
    recipient: Mapped[Line]
    subject: Mapped[Line]
    body: Mapped[Body]


class ProviderEvent(Base):
    """What a provider told us, raw: that a message arrived, or not, or that somebody answered.

    Kept before anything is made of it; told twice it is one row.
    """

    __tablename__ = "provider_event"
    __table_args__ = (
        UniqueConstraint("provider", "external_id", "kind", "status"),
        Index("ix_provider_event_waiting", "received_at", **where("applied_at IS NULL")),
    )

    id: Mapped[PrimaryId]
    provider: Mapped[Line]
    external_id: Mapped[Line]  # the provider's, of the message
    kind: Mapped[Line]  # "receipt", "answer"
    status: Mapped[Line] = mapped_column(default="")  # of a receipt, in the provider's word
    raw: Mapped[Body]
    received_at: Mapped[Instant]
    applied_at: Mapped[Instant | None]  # none: our own commit of the message it speaks of isn't there yet
    reminder_id: Mapped[UUID | None] = mapped_column(ForeignKey("reminder.id"), index=True)
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"), index=True)


class ProviderState(Base):
    """Whether a way out of the house works: after some failures in a row it is left alone for a while."""

    __tablename__ = "provider_state"

    name: Mapped[Line] = mapped_column(primary_key=True)  # of the channel: "email", "sms"
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    down_since: Mapped[Instant | None]
    retry_at: Mapped[Instant | None]  # the next try; until then nothing is sent this way
    reason: Mapped[Line] = mapped_column(default="")  # what it said last
    changed_at: Mapped[Instant]


class JobRun(Base):
    """That something which is done once a period was done: inserted first, so that of many workers one does it."""

    __tablename__ = "job_run"

    name: Mapped[Line] = mapped_column(primary_key=True)
    period: Mapped[Line] = mapped_column(primary_key=True)  # "2026-11-24"
    started_at: Mapped[Instant]


class Sending(Base):
    """Whether messages may leave this installation: one row.

    A copy of the database that isn't the one which was sending (a backup brought back, a copy on another machine) must
    not send what the other has sent. It is told by a witness that lies outside the database.
    """

    __tablename__ = "sending"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    witness: Mapped[Line] = mapped_column(default="")  # whose beats these are
    beats: Mapped[int] = mapped_column(default=0)
    paused_at: Mapped[Instant | None]
    paused_why: Mapped[Line] = mapped_column(default="")  # without `paused_at`: it goes on by itself
    resumed_at: Mapped[Instant | None]
    resumed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))


class WorkerHeartbeat(Base):
    """When a worker last looked for work."""

    __tablename__ = "worker_heartbeat"

    name: Mapped[Line] = mapped_column(primary_key=True)
    beat_at: Mapped[Instant]


never_change(ReminderEvent.__table__)
never_change(
    Attempt.__table__,
    "UPDATE",
    when="NEW.address <> OLD.address OR NEW.why <> OLD.why OR NEW.started_at <> OLD.started_at"
    " OR (OLD.outcome = 'accepted' AND (NEW.outcome <> OLD.outcome OR NEW.detail <> OLD.detail"
    " OR NEW.ended_at IS NULL OR NEW.ended_at <> OLD.ended_at))",
)
never_change(Attempt.__table__, "DELETE")
