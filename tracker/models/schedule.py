"""Protocols, courses, visits, and the claims that keep two visits from one room."""

from functools import cached_property
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.models.base import (
    Base,
    Body,
    Data,
    Id,
    Instant,
    Line,
    OptionalData,
    PrimaryId,
    never_change,
    on_create,
    where,
)
from tracker.models.people import Patient
from tracker.rules.protocol import Protocol
from tracker.rules.vocabulary import CourseStatus, Indication, VisitStatus


class ProtocolVersion(Base):
    """One version of a clinic's protocol. A course keeps the version it was booked under."""

    __tablename__ = "protocol"
    __table_args__ = (UniqueConstraint("clinic_id", "code", "version"),)

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    code: Mapped[str]
    version: Mapped[int] = mapped_column()
    title: Mapped[Line]
    definition: Mapped[Data]  # rules.protocol.Protocol.to_data()
    created_at: Mapped[Instant]
    retired_at: Mapped[Instant | None]

    @cached_property
    def protocol(self) -> Protocol:
        """The definition, read. A version never changes, so once is enough."""
        return Protocol.from_data(self.definition)


class Course(Base):
    """One patient's run of a protocol."""

    __tablename__ = "course"
    __table_args__ = (
        CheckConstraint("sequence >= 1", name="sequence_from_one"),
        # A course that stopped early without a reason is useless to whoever treats this patient next.
        CheckConstraint("status <> 'ended' OR end_reason IS NOT NULL", name="end_reason"),
        CheckConstraint("(status = 'active') = (ended_at IS NULL)", name="ended"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), index=True)
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), index=True)
    protocol_id: Mapped[Id] = mapped_column(ForeignKey("protocol.id"))
    indication: Mapped[Indication]
    status: Mapped[CourseStatus] = mapped_column(default=CourseStatus.ACTIVE)
    sequence: Mapped[int] = mapped_column(default=1)  # the patient's how-many-eth of this protocol: booster 5
    created_at: Mapped[Instant]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[Instant | None]
    end_reason: Mapped[Line | None]
    wishes: Mapped[OptionalData]  # what was asked for at booking: rules.plan.Wishes.to_data(); kept by every later move
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}

    patient: Mapped[Patient] = relationship(lazy="raise")
    protocol: Mapped[ProtocolVersion] = relationship(lazy="raise")
    visits: Mapped[list["Visit"]] = relationship(back_populates="course", lazy="raise", order_by="Visit.starts_at")


class Visit(Base):
    """One infusion visit of a course.

    Instants are UTC. The room stays claimed through recovery and turnover: a patient who is still recovering still
    needs the chair. `starts_at` to `ends_at` is the whole block.
    """

    __tablename__ = "visit"
    __table_args__ = (
        # A missed visit is replaced, not renumbered: only one *live* visit has an ordinal.
        Index(
            "uq_visit_live_ordinal",
            "course_id",
            "ordinal",
            unique=True,
            **where("status NOT IN ('cancelled', 'no_show', 'held')"),
        ),
        Index("ix_visit_clinic_starts", "clinic_id", "starts_at"),
        CheckConstraint("ordinal >= 1", name="ordinal_from_one"),
        CheckConstraint("starts_at < ends_at", name="order"),
        # A cancellation without a reason is useless to whoever asks why.
        CheckConstraint("(status = 'cancelled') = (cancel_reason IS NOT NULL)", name="cancel_reason"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    course_id: Mapped[Id] = mapped_column(ForeignKey("course.id", ondelete="RESTRICT"), index=True)
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), index=True)
    ordinal: Mapped[int]  # 1 = first of the six
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    room_id: Mapped[Id] = mapped_column(ForeignKey("resource.id"))
    nurse_id: Mapped[Id] = mapped_column(ForeignKey("staff_member.id"))
    physician_id: Mapped[Id] = mapped_column(ForeignKey("staff_member.id"))
    status: Mapped[VisitStatus] = mapped_column(default=VisitStatus.BOOKED)
    cancel_reason: Mapped[Line | None]
    confirmed_at: Mapped[Instant | None]  # the patient said: I will come
    driver_name: Mapped[Line] = mapped_column(default="")
    driver_phone: Mapped[Line] = mapped_column(default="")
    driver_confirmed_at: Mapped[Instant | None]
    lost_at: Mapped[Instant | None]  # its day fell out and the patient was told; it waits for another place
    created_at: Mapped[Instant]
    version: Mapped[int] = mapped_column()  # a stale save fails loudly
    __mapper_args__ = {"version_id_col": version}

    course: Mapped[Course] = relationship(back_populates="visits", lazy="raise")
    patient: Mapped[Patient] = relationship(lazy="raise")
    events: Mapped[list["VisitEvent"]] = relationship(lazy="raise", order_by="VisitEvent.entered_at")


class VisitEvent(Base):
    """What happened to a visit: when it happened, when it was written down, and by whom. Only ever added to."""

    __tablename__ = "visit_event"
    __table_args__ = (Index("ix_visit_event_visit", "visit_id", "entered_at"),)

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"))
    kind: Mapped[str]  # "status", "moved", "confirmed", "driver", "correction"
    to_status: Mapped[VisitStatus | None]  # for "status" and "correction"
    occurred_at: Mapped[Instant]
    entered_at: Mapped[Instant]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))  # nobody = the patient
    detail: Mapped[Body] = mapped_column(default="")  # the reason; from where to where


class Claim(Base):
    """One lane of a resource, held for a visit from one instant to another; the database refuses two that overlap.

    Never updated: delete, flush, insert (row-by-row updates collide with one another).
    """

    __tablename__ = "claim"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="order"),
        CheckConstraint("lane >= 1", name="lane_from_one"),
        ExcludeConstraint(
            ("resource_id", "="),
            ("lane", "="),
            (text("tstzrange(starts_at, ends_at)"), "&&"),
            name="ex_claim_overlap",
            using="gist",
        ).ddl_if(dialect="postgresql"),
        Index("ix_claim_resource_lane_starts", "resource_id", "lane", "starts_at"),
        Index("ix_claim_clinic_starts", "clinic_id", "starts_at"),
    )

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    resource_id: Mapped[Id] = mapped_column(ForeignKey("resource.id"))
    lane: Mapped[int] = mapped_column(default=1)
    visit_id: Mapped[Id] = mapped_column(ForeignKey("visit.id"), index=True)
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]


never_change(VisitEvent.__table__)
never_change(Claim.__table__, "UPDATE")
# Claims of a lane never overlap, so the last one that starts before our end is the only one that can reach our start.
on_create(
    Claim.__table__,
    sqlite=(
        "CREATE TRIGGER claim_no_overlap BEFORE INSERT ON claim FOR EACH ROW WHEN ("
        "SELECT ends_at FROM claim WHERE resource_id = NEW.resource_id AND lane = NEW.lane "
        "AND starts_at < NEW.ends_at ORDER BY starts_at DESC LIMIT 1) > NEW.starts_at "
        "BEGIN SELECT RAISE(ABORT, 'claim overlaps another'); END",
    ),
)
