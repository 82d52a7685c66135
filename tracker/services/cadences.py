"""Which cadence counts in a clinic: the protocol's own, or what the clinic put in its place; and its quiet hours."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from tracker.models import Setting
from tracker.rules.cadence import Cadence, QuietHours
from tracker.rules.protocol import Protocol
from tracker.rules.settings import REGISTRY, Settings

_ADAPTER: TypeAdapter[Cadence] = TypeAdapter(Cadence)
_KEY = "cadence."
# Every booking and every move asks this, so it is put together once.
_OWN = select(Setting.key, Setting.value).where(
    Setting.clinic_id == bindparam("clinic"), or_(Setting.key.startswith(_KEY), Setting.key.startswith("quiet."))
)


@dataclass(frozen=True)
class Cadences:
    """A clinic's own cadences by protocol code, and its quiet hours."""

    own: dict[str, Cadence]
    quiet: QuietHours

    def of(self, protocol: Protocol) -> Cadence:
        """Return what counts for a protocol."""
        return self.own.get(protocol.code, protocol.cadence)


def key(code: str) -> str:
    """Return the key under which a clinic keeps its own cadence of a protocol."""
    return _KEY + code


def of_clinic(session: Session, clinic_id: UUID) -> Cadences:
    """Return what counts in a clinic. ValueError: somebody wrote nonsense into the table by hand."""
    known = session.info.get((_KEY, clinic_id))  # many ask in one transaction
    if isinstance(known, Cadences):
        return known
    rows: dict[str, Any] = dict(session.connection().execute(_OWN, {"clinic": clinic_id}).all())
    numbers = Settings({name: Decimal(str(value)) for name, value in rows.items() if name in REGISTRY})
    own = {name.removeprefix(_KEY): from_data(value) for name, value in rows.items() if name.startswith(_KEY)}
    found = session.info[(_KEY, clinic_id)] = Cadences(own, QuietHours.of(numbers))
    return found


def forget(session: Session, clinic_id: UUID) -> None:
    """Let what was just changed be read anew in this transaction."""
    session.info.pop((_KEY, clinic_id), None)


def to_data(steps: Cadence) -> object:
    """Return a cadence as plain data; `from_data` gives an equal one back."""
    return _ADAPTER.dump_python(steps, mode="json")


def from_data(data: object) -> Cadence:
    """Return the cadence that `to_data` wrote. ValueError: it isn't one."""
    return _ADAPTER.validate_python(data, strict=False)
