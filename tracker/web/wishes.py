"""The part of a form that asks for a patient's wishes, shared by whatever plans visits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from flask import g
from sqlalchemy.orm import Session

from tracker.rules.plan import Wishes
from tracker.services import places, wishing
from tracker.text import say_day
from tracker.web.forms import blank

_MONDAY = date(2024, 1, 1)


@dataclass(frozen=True)
class Known:
    """What can be wished for, as (value, words); `spell` writes an instant as a form carries it."""

    weekdays: Sequence[tuple[int, str]]
    rooms: Sequence[tuple[UUID, str]]
    clinicians: Sequence[tuple[UUID, str]]
    spell: Callable[[datetime], str] = places.spell_instant


def known(session: Session) -> Known:
    """Return what the clinic at hand has to choose from."""
    found = wishing.choices(session, g.actor)
    days = [(n, say_day(_MONDAY + timedelta(days=n), country=g.clinic.country, form="E")) for n in found.weekdays]
    return Known(days, [(one.id, one.name) for one in found.rooms], [(one.id, one.name) for one in found.clinicians])


def wish_values(wishes: Wishes) -> dict[str, str | list[str]]:
    """Return wishes as the fields of a form carry them; what isn't wished is left out."""
    fields = {name: value for name, value in wishing.fields_of(wishes).items() if value}
    also = sorted(places.spell_instant(one) for one in fields.pop("also", ()))
    return blank(**fields).values | ({"also": also} if also else {})
