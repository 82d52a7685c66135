"""A clinic's numbers: its own values over the defaults of `rules.settings`."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.models import Setting
from tracker.rules.permissions import Actor
from tracker.rules.settings import REGISTRY, Settings, accept
from tracker.services import audit, cadences


def of_clinic(session: Session, clinic_id: UUID) -> Settings:
    """Return the numbers that count in a clinic. A row under a key that no longer exists is ignored."""
    rows = session.execute(select(Setting.key, Setting.value).where(Setting.clinic_id == clinic_id))
    return Settings({key: Decimal(str(value)) for key, value in rows if key in REGISTRY})


def change(session: Session, actor: Actor, key: str, value: str, *, now: datetime) -> None:
    """Give the actor's clinic its own number.

    Raises:
        Invalid: No such setting, or a number out of its bounds.
    """
    number = accept(key, value)
    row = session.get(Setting, (actor.clinic_id, key))
    if row is None:
        row = Setting(clinic_id=actor.clinic_id, key=key)
        session.add(row)
    before = row.value
    row.value, row.changed_by, row.changed_at = str(number), actor.user_id, now
    session.flush()
    cadences.forget(session, actor.clinic_id)
    audit.record(session, actor, "setting changed", subject=key, detail={"from": before, "to": str(number)}, now=now)
