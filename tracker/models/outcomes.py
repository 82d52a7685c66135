"""What patients answer, and what follows from it: scale responses and tasks."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Body, Data, Id, Instant, Line, PrimaryId, never_change, where
from tracker.rules.vocabulary import Role, TaskStatus


class ScaleResponse(Base):
    """One filled-in questionnaire; `rules/scales.py` has the scales. Kept as answered."""

    __tablename__ = "scale_response"
    __table_args__ = (
        Index("ix_scale_response_patient", "patient_id", "scale", "answered_at"),
        # The baseline is chosen once and stays.
        Index("uq_scale_response_baseline", "course_id", "scale", unique=True, **where("is_baseline")),
        CheckConstraint("total >= 0", name="total"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"))
    course_id: Mapped[UUID | None] = mapped_column(ForeignKey("course.id"), index=True)
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"))  # taken for this visit
    scale: Mapped[str]
    scale_version: Mapped[int]
    answers: Mapped[Data]  # one number an item, in the scale's order; empty where only the total is known
    total: Mapped[int]
    is_baseline: Mapped[bool] = mapped_column(default=False)
    answered_at: Mapped[Instant]
    entered_at: Mapped[Instant]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # nobody = the patient


class Task(Base):
    """Something that somebody owes a patient: follow-up, escalation, undelivered message."""

    __tablename__ = "task"
    __table_args__ = (
        # Planning is an idempotent diff: one live task for each thing that asks for one.
        Index("uq_task_key", "clinic_id", "key", unique=True, **where("status <> 'cancelled'")),
        Index("ix_task_open", "clinic_id", "due_at", **where("status = 'open'")),
        Index("ix_task_patient", "patient_id", "due_at"),
        CheckConstraint("(status IN ('done', 'skipped')) = (outcome IS NOT NULL)", name="outcome"),
        CheckConstraint("(status = 'open') = (closed_at IS NULL)", name="closed"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patient.id"))
    course_id: Mapped[UUID | None] = mapped_column(ForeignKey("course.id"), index=True)
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"), index=True)
    kind: Mapped[str]  # "check_in", "therapy", "phq9", "response_review", "undelivered", …: rules/followup.py
    key: Mapped[Line]  # what asks for it: "check_in:<visit id>"
    detail: Mapped[Line] = mapped_column(default="")
    owner_role: Mapped[Role]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # who took it
    urgent: Mapped[bool] = mapped_column(default=False)
    opens_at: Mapped[Instant]  # not shown as work before this
    due_at: Mapped[Instant]
    status: Mapped[TaskStatus] = mapped_column(default=TaskStatus.OPEN)
    outcome: Mapped[Body | None]
    created_at: Mapped[Instant]
    closed_at: Mapped[Instant | None]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


never_change(ScaleResponse.__table__, "DELETE")
