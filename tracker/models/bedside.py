"""What happens in the room: order, checklist, dose, vital signs, side effects, notes."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Body, Data, Id, Instant, Line, PrimaryId, Thousandths, never_change, where
from tracker.rules.vocabulary import Severity, SideEffectAction, SignMeaning


class InfusionOrder(Base):
    """A physician's signed order for a series, or for one visit of it. Signed is final: a change is a new order."""

    __tablename__ = "infusion_order"
    __table_args__ = (
        CheckConstraint("mg_per_kg > 0 AND max_mg > 0 AND minutes > 0", name="amounts"),
        Index("ix_infusion_order_course", "course_id", "signed_at"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    course_id: Mapped[Id] = mapped_column(ForeignKey("course.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"))  # none = the whole series
    mg_per_kg: Mapped[Decimal] = mapped_column(Thousandths)
    max_mg: Mapped[Decimal] = mapped_column(Thousandths)
    minutes: Mapped[int]
    rescue: Mapped[Body] = mapped_column(default="")  # rescue medicines, as the physician words them
    expires_on: Mapped[date] = mapped_column(Date)  # the last day it counts, in the clinic's zone
    signed_by: Mapped[Id] = mapped_column(ForeignKey("user_account.id"))
    signed_at: Mapped[Instant]


class ChecklistAnswer(Base):
    """One answered item of the pre-infusion checklist; `rules/timeout.py` has the items."""

    __tablename__ = "checklist_answer"
    __table_args__ = (
        UniqueConstraint("visit_id", "item"),
        CheckConstraint("answer IN ('yes', 'no', 'not_applicable')", name="answer"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"))
    item: Mapped[str]
    answer: Mapped[str]
    note: Mapped[Line] = mapped_column(default="")
    entered_at: Mapped[Instant]
    entered_by: Mapped[Id] = mapped_column(ForeignKey("user_account.id"))


class Dose(Base):
    """What was drawn up for a visit, and what was given of it. mL never stands without its concentration."""

    __tablename__ = "dose"
    __table_args__ = (
        CheckConstraint(
            "weight_kg > 0 AND mg > 0 AND concentration_mg_per_ml > 0 AND ml > 0 AND volume_ml >= ml", name="amounts"
        ),
        CheckConstraint("given_mg >= 0", name="given"),
        # The second person's check is a second person's.
        CheckConstraint("checked_by <> entered_by", name="second_person"),
    )

    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"), primary_key=True)
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    order_id: Mapped[Id] = mapped_column(ForeignKey("infusion_order.id"))
    weight_kg: Mapped[Decimal] = mapped_column(Thousandths)
    mg: Mapped[Decimal] = mapped_column(Thousandths)
    concentration_mg_per_ml: Mapped[Decimal] = mapped_column(Thousandths)
    ml: Mapped[Decimal] = mapped_column(Thousandths)
    # What runs through the pump, when it was diluted: without it there is no honest mL/h.
    volume_ml: Mapped[Decimal | None] = mapped_column(Thousandths)
    minutes: Mapped[int]
    entered_at: Mapped[Instant]
    entered_by: Mapped[Id] = mapped_column(ForeignKey("user_account.id"))
    checked_at: Mapped[Instant | None]
    checked_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    given_mg: Mapped[Decimal | None] = mapped_column(Thousandths)
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class VitalReading(Base):
    """One set of vital signs. A slip is corrected by another reading that names the one it replaces."""

    __tablename__ = "vital_reading"
    __table_args__ = (
        Index("ix_vital_reading_visit", "visit_id", "occurred_at"),
        CheckConstraint(
            "coalesce(systolic, diastolic, heart_rate, spo2, respiratory_rate, moaas) IS NOT NULL", name="something"
        ),
        CheckConstraint("(systolic IS NULL) = (diastolic IS NULL) AND systolic > diastolic", name="pressure"),
        CheckConstraint("spo2 BETWEEN 0 AND 100", name="spo2"),
        CheckConstraint("moaas BETWEEN 0 AND 5", name="moaas"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"))
    due: Mapped[str]  # which planned set it is: "base", minutes after start "0", "10", …; "extra"
    occurred_at: Mapped[Instant]
    entered_at: Mapped[Instant]
    entered_by: Mapped[Id] = mapped_column(ForeignKey("user_account.id"))
    systolic: Mapped[int | None]  # mmHg
    diastolic: Mapped[int | None]  # mmHg
    heart_rate: Mapped[int | None]  # beats a minute
    spo2: Mapped[int | None]  # per cent
    respiratory_rate: Mapped[int | None]  # breaths a minute
    moaas: Mapped[int | None]  # 5 awake … 0 no answer
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("vital_reading.id"))


class SideEffect(Base):
    """A symptom during or after an infusion; `rules/adverse_events.py` has the terms."""

    __tablename__ = "side_effect"
    __table_args__ = (CheckConstraint("resolved_at >= onset_at", name="order"),)

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"), index=True)
    term: Mapped[str]
    severity: Mapped[Severity]
    onset_at: Mapped[Instant]
    action: Mapped[SideEffectAction] = mapped_column(default=SideEffectAction.NONE)
    action_detail: Mapped[Line] = mapped_column(default="")
    resolved_at: Mapped[Instant | None]
    entered_at: Mapped[Instant]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # nobody = the patient
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class RecoveryNote(Base):
    """How a patient was in the hours and days after a visit (screen word: next-day check-in)."""

    __tablename__ = "recovery_note"
    __table_args__ = (CheckConstraint("mood BETWEEN 0 AND 10", name="mood"),)

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"), index=True)
    occurred_at: Mapped[Instant]
    entered_at: Mapped[Instant]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # nobody = the patient
    mood: Mapped[int | None]  # 0 worst … 10 best
    symptoms: Mapped[Data] = mapped_column(default=dict)  # term → severity
    safe: Mapped[bool | None]  # asked: any thoughts of harming yourself? safe = no
    body: Mapped[Body] = mapped_column(default="")


class Note(Base):
    """A clinician's note on a visit. Signed, it is locked by the database; corrections are addenda."""

    __tablename__ = "note"
    __table_args__ = (
        Index("uq_note_visit_draft", "visit_id", unique=True, **where("signed_at IS NULL")),
        CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name="signature"),
        CheckConstraint("(signed_at IS NULL) = (meaning IS NULL)", name="signature_meaning"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"), index=True)
    body: Mapped[Body]
    created_at: Mapped[Instant]
    author_id: Mapped[Id] = mapped_column(ForeignKey("user_account.id"))
    signed_at: Mapped[Instant | None]
    signed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    meaning: Mapped[SignMeaning | None]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Addendum(Base):
    """A signed correction of, or addition to, a signed note; the original stays visible."""

    __tablename__ = "addendum"

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    note_id: Mapped[Id] = mapped_column(ForeignKey("note.id"), index=True)
    body: Mapped[Body]
    signed_at: Mapped[Instant]
    signed_by: Mapped[Id] = mapped_column(ForeignKey("user_account.id"))


never_change(InfusionOrder.__table__)
never_change(VitalReading.__table__)
never_change(RecoveryNote.__table__)
never_change(Note.__table__, when="OLD.signed_at IS NOT NULL")
never_change(Addendum.__table__)
