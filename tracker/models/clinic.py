"""The clinic itself: its place, its hours, its settings."""

from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tracker.models.base import Base, Data, Id, Instant, Line, PrimaryId


class Clinic(Base):
    """One place with one address and one time zone; the unit of access, audit and export."""

    __tablename__ = "clinic"

    id: Mapped[PrimaryId]
    name: Mapped[Line]
    discreet_name: Mapped[Line]  # what messages and patient pages say instead: never names the treatment
    zone_name: Mapped[Line]  # IANA, "America/Denver"
    country: Mapped[str]  # ISO 3166, "US": how dates, times and telephone numbers are written
    phone: Mapped[Line]
    address: Mapped[Line]
    created_at: Mapped[Instant]

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone."""
        return ZoneInfo(self.zone_name)


class Setting(Base):
    """A clinic's own value for a setting; defaults, units and sources are in `rules/`."""

    __tablename__ = "setting"

    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Data]
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    changed_at: Mapped[Instant]


class OpeningHours(Base):
    """When the clinic is open on a weekday, in minutes after local midnight."""

    __tablename__ = "opening_hours"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= starts_minute AND starts_minute < ends_minute AND ends_minute <= 1440", name="order"),
    )

    clinic_id: Mapped[Id] = mapped_column(ForeignKey("clinic.id"), primary_key=True)
    weekday: Mapped[int] = mapped_column(primary_key=True)  # 0 = Monday
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]
