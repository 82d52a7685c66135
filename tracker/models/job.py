"""Work that takes longer than a page should: a row that a worker takes up, with progress, and a way to stop it."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Data, Id, Instant, Line, OptionalData, PrimaryId, where
from tracker.rules.vocabulary import JobStatus


class Job(Base):
    """One piece of work. `args` is what was asked, `result` what was found; `kind` says how to read both."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_waiting", "created_at", **where("status IN ('waiting', 'running')")),
        CheckConstraint("0 <= done AND done <= total", name="progress"),
        CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("(status IN ('waiting', 'running')) = (ended_at IS NULL)", name="ended"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), index=True)
    kind: Mapped[str]
    args: Mapped[Data]
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.WAITING)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=1)
    doing: Mapped[Line] = mapped_column(default="")  # what it is at, in a coordinator's words
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    lease_until: Mapped[Instant | None]  # whose worker has been silent that long is taken up again
    result: Mapped[OptionalData]
    created_at: Mapped[Instant]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[Instant | None]
    applied_at: Mapped[Instant | None]  # the result was put into effect, once
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}
