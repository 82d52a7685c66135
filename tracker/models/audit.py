"""The clinic's memory of who looked and who changed: one hash chain a clinic."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Data, Id, Instant, Line, Token, never_change


class AuditHead(Base):
    """The end of a clinic's chain. Whoever appends locks it, last of all locks."""

    __tablename__ = "audit_head"

    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    seq: Mapped[int]
    hash: Mapped[Token]


class AuditEntry(Base):
    """One read or write. Rows point at nothing, so that nothing can keep them from being written."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_patient", "clinic_id", "patient_id", "seq"),)

    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Instant]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[Line]
    action: Mapped[str]
    patient_id: Mapped[UUID | None]
    subject: Mapped[Line]  # what was read or changed: "visit 0192…"
    detail: Mapped[Data]
    previous_hash: Mapped[Token]
    hash: Mapped[Token]


never_change(AuditEntry.__table__)
