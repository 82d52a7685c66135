"""Rooms, staff and patients: everybody and everything that can be claimed for a time."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.models.base import Base, Body, Id, Instant, Line, PrimaryId, Thousandths, where
from tracker.rules.vocabulary import CareRole, ContactChannel, IntakeStatus, ResourceKind, Role


class Resource(Base):
    """Whatever can be claimed: a room, a staff member, a patient, a pump. Staff and patients share its id."""

    __tablename__ = "resource"
    __table_args__ = (
        CheckConstraint("lanes >= 1", name="lanes"),
        Index("ix_resource_clinic_kind", "clinic_id", "kind"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    kind: Mapped[ResourceKind]
    name: Mapped[Line]
    detail: Mapped[Line] = mapped_column(default="")  # "bed", "recliner"; a staff member's credential
    lanes: Mapped[int] = mapped_column(default=1)  # how many claims at once: patients a nurse may watch
    position: Mapped[int] = mapped_column(default=0)  # order on the board
    retired_at: Mapped[Instant | None]


class StaffMember(Base):
    """A person of the clinic who can be claimed for visits."""

    __tablename__ = "staff_member"

    id: Mapped[Id] = mapped_column(ForeignKey("resource.id"), primary_key=True)
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), index=True)
    role: Mapped[Role]
    initials: Mapped[str]

    resource: Mapped[Resource] = relationship(lazy="raise")


class Shift(Base):
    """A staff member's working time on one weekday, in minutes after local midnight, for good or for some weeks."""

    __tablename__ = "shift"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= starts_minute AND starts_minute < ends_minute AND ends_minute <= 1440", name="order"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    resource_id: Mapped[Id] = mapped_column(ForeignKey("staff_member.id"), index=True)
    weekday: Mapped[int]  # 0 = Monday
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]
    first_day: Mapped[date | None]  # both included; none: from ever, for good
    last_day: Mapped[date | None]


class Closure(Base):
    """A time in which a resource, or without one the whole clinic, is not there."""

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="order"),
        Index("ix_closure_clinic_ends", "clinic_id", "ends_at"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resource.id"))
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    reason: Mapped[Line]


class WeeklyClosure(Base):
    """The same, week after week: on one weekday from `first_day` on, in minutes after local midnight."""

    __tablename__ = "weekly_closure"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= starts_minute AND starts_minute < ends_minute AND ends_minute <= 1440", name="order"),
        CheckConstraint("first_day <= last_day", name="days"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), index=True)
    resource_id: Mapped[UUID | None] = mapped_column(ForeignKey("resource.id"))
    weekday: Mapped[int]  # 0 = Monday
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    reason: Mapped[Line]


class Patient(Base):
    """A person who is, was or may be treated. Nothing here is ever deleted."""

    __tablename__ = "patient"
    __table_args__ = (
        Index("uq_patient_chart_number", "clinic_id", "chart_number", unique=True),
        Index("ix_patient_clinic_search", "clinic_id", "search_text"),
        Index("ix_patient_clinic_birth", "clinic_id", "birth_date"),
        CheckConstraint("weight_kg > 0", name="weight"),
    )

    id: Mapped[Id] = mapped_column(ForeignKey("resource.id"), primary_key=True)
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    chart_number: Mapped[str]
    given_name: Mapped[Line]  # legal
    family_name: Mapped[Line]  # legal
    preferred_name: Mapped[Line] = mapped_column(default="")
    search_text: Mapped[Body]  # family name first; plain letters, birth date, digits of telephones: rules.lookup
    birth_date: Mapped[date]
    language: Mapped[str] = mapped_column(default="en")  # ISO 639-1
    zone_name: Mapped[str | None]  # IANA, where the patient lives; none: as the clinic. Quiet hours are counted there
    intake_status: Mapped[IntakeStatus]
    diagnosis: Mapped[Line] = mapped_column(default="")  # as the practice words it; a course has its indication
    allergies_asked_at: Mapped[Instant | None]  # asked and none is not the same as never asked
    weight_kg: Mapped[Decimal | None] = mapped_column(Thousandths)  # last known; each dose has its own
    created_at: Mapped[Instant]
    version: Mapped[int] = mapped_column()  # a stale save fails loudly
    __mapper_args__ = {"version_id_col": version}

    resource: Mapped[Resource] = relationship(lazy="raise")


class Allergy(Base):
    """A substance that a patient must not meet. Ended, never erased."""

    __tablename__ = "allergy"

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), index=True)
    substance: Mapped[Line]
    entered_at: Mapped[Instant]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[Instant | None]


class Medicine(Base):
    """A medicine that a patient takes. Ended, never erased."""

    __tablename__ = "medicine"

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), index=True)
    name: Mapped[Line]
    entered_at: Mapped[Instant]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[Instant | None]


class ContactPoint(Base):
    """An address of a patient, with the consent to write to it: who took it, when, in which words."""

    __tablename__ = "contact_point"
    __table_args__ = (
        Index("uq_contact_point_address", "patient_id", "channel", "address", unique=True, **where("ended_at IS NULL")),
        CheckConstraint("(consent_at IS NULL) = (consent_wording IS NULL)", name="consent"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), index=True)
    channel: Mapped[ContactChannel]
    position: Mapped[int] = mapped_column(default=0)  # 0 = used first
    address: Mapped[Line]  # e-mail as written; telephone in E.164
    consent_at: Mapped[Instant | None]
    consent_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    consent_wording: Mapped[Line | None]
    more_texts_at: Mapped[Instant | None]  # agreed to more texts a week than the clinic's limit
    opted_out_at: Mapped[Instant | None]
    opted_out_how: Mapped[str | None]  # "text: STOP", "link", "told us"
    invalid_at: Mapped[Instant | None]  # the mail server said nobody lives there
    ended_at: Mapped[Instant | None]  # replaced by another address


class CareContact(Base):
    """Somebody else in a patient's care: driver, referrer, therapist, prescriber, emergency contact."""

    __tablename__ = "care_contact"

    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), primary_key=True)
    role: Mapped[CareRole] = mapped_column(primary_key=True)
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    name: Mapped[Line]
    phone: Mapped[Line] = mapped_column(default="")
    email: Mapped[Line] = mapped_column(default="")
