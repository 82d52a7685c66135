"""Who gets in: accounts and sessions of staff, links and sessions of patients."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Id, Instant, Line, PrimaryId, Token
from tracker.rules.vocabulary import LinkPurpose, Role, SignInMethod


class UserAccount(Base):
    """A staff member's way in."""

    __tablename__ = "user_account"

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), index=True)
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_member.id"))
    email: Mapped[str] = mapped_column(unique=True)  # in lower case
    name: Mapped[Line]
    role: Mapped[Role]
    password_hash: Mapped[str] = mapped_column(String(200))
    auth_version: Mapped[int] = mapped_column(default=1)  # a higher one ends every session
    created_at: Mapped[Instant]
    disabled_at: Mapped[Instant | None]
    no_digest_at: Mapped[Instant | None]  # since when no e-mail each morning says what is due


class LoginSession(Base):
    """One signed-in browser. Only the hash of its cookie is known here."""

    __tablename__ = "login_session"

    token_hash: Mapped[Token] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("user_account.id"), index=True)
    auth_version: Mapped[int]
    method: Mapped[SignInMethod]
    created_at: Mapped[Instant]
    last_used_at: Mapped[Instant]
    fresh_at: Mapped[Instant]  # when the password was last given
    address: Mapped[Line]


class GuessCount(Base):
    """Failed sign-ins for one key: an account or an address."""

    __tablename__ = "guess_count"

    key: Mapped[Line] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[Instant]
    blocked_until: Mapped[Instant]


class RequestKey(Base):
    """A form that was sent: sent again, it is answered with the first result."""

    __tablename__ = "request_key"
    __table_args__ = (UniqueConstraint("owner_id", "key"), Index("ix_request_key_created", "created_at"))

    id: Mapped[PrimaryId]
    owner_id: Mapped[Id]  # the user, or the patient's link
    key: Mapped[Token]
    body_digest: Mapped[Token]
    result_url: Mapped[Line]
    created_at: Mapped[Instant]


class PatientLink(Base):
    """What a patient's link opens. The token is made from id and generation with the server's key, never stored."""

    __tablename__ = "patient_link"

    id: Mapped[PrimaryId]
    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"))
    patient_id: Mapped[Id] = mapped_column(ForeignKey("patient.id"), index=True)
    course_id: Mapped[UUID | None] = mapped_column(ForeignKey("course.id"), index=True)
    purpose: Mapped[LinkPurpose]
    generation: Mapped[int] = mapped_column(default=1)  # raised to make older tokens worthless
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]


class PortalSession(Base):
    """A patient's browser after the tap on a link."""

    __tablename__ = "portal_session"

    token_hash: Mapped[Token] = mapped_column(primary_key=True)
    link_id: Mapped[Id] = mapped_column(ForeignKey("patient_link.id"), index=True)
    generation: Mapped[int]
    created_at: Mapped[Instant]
    last_used_at: Mapped[Instant]
