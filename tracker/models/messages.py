"""The outbox: what is to be told to whom and when, and what became of it."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Body, Id, Instant, Line, PrimaryId, where
from tracker.rules.cadence import Purpose
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel, ReminderStatus


class Reminder(Base):
    """One message: a subject, a purpose, a channel. Written in the transaction that makes it necessary."""

    __tablename__ = "reminder"
    __table_args__ = (
        # Once for each thing said: the same visit moved elsewhere is another thing to say.
        Index(
            "uq_reminder_once",
            "subject_id",
            "purpose",
            "channel",
            "subject_at",
            unique=True,
            **where("status NOT IN ('cancelled', 'superseded')"),
        ),
        Index("ix_reminder_due", "send_at", **where("status = 'scheduled'")),
        Index("ix_reminder_leased", "lease_until", **where("status IN ('leased', 'sending')")),
        Index("ix_reminder_patient", "patient_id", "send_at"),
        Index("ix_reminder_clinic", "clinic_id", "send_at"),
        CheckConstraint("(status IN ('leased', 'sending')) = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("send_at <= expires_at", name="order"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"))
    course_id: Mapped[UUID | None] = mapped_column(ForeignKey("course.id"), index=True)
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"), index=True)
    task_id: Mapped[UUID | None] = mapped_column(ForeignKey("task.id"))
    subject_id: Mapped[Id]  # the visit, course or task it is about
    subject_at: Mapped[Instant]  # the time it speaks of: the visit's start when it was planned
    purpose: Mapped[Purpose]
    channel: Mapped[ReminderChannel]
    contact_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    template_version: Mapped[int] = mapped_column(default=1)
    send_at: Mapped[Instant]  # not before
    expires_at: Mapped[Instant]  # useless after
    status: Mapped[ReminderStatus] = mapped_column(default=ReminderStatus.SCHEDULED)
    reason: Mapped[Line] = mapped_column(default="")  # why it is where it is, in a coordinator's words
    attempts: Mapped[int] = mapped_column(default=0)
    lease_epoch: Mapped[int] = mapped_column(default=0)  # a worker that comes back late has an old one
    lease_until: Mapped[Instant | None]
    created_at: Mapped[Instant]
    changed_at: Mapped[Instant]


class Attempt(Base):
    """One try to send a reminder, written before the network is touched."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("reminder_id", "lease_epoch"),)

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    reminder_id: Mapped[Id] = mapped_column(ForeignKey("reminder.id"), index=True)
    lease_epoch: Mapped[int]
    address: Mapped[Line]
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


class WorkerHeartbeat(Base):
    """When a worker last looked for work."""

    __tablename__ = "worker_heartbeat"

    name: Mapped[Line] = mapped_column(primary_key=True)
    beat_at: Mapped[Instant]
