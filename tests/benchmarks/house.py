"""A clinic on a fresh SQLite file, and a coordinator signed in to it."""

from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from uuid import UUID

from flask.testing import FlaskClient

from tests.conftest import NOW, upgrade
from tests.factories import House, make_clinic, make_patient
from tests.web.conftest import KEY, sign_in
from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config
from tracker.rules.permissions import Actor


@dataclass
class Opened:
    """What a measurement works with; `midnight` is the beginning of the clinic's day."""

    client: FlaskClient
    actor: Actor
    midnight: datetime
    house: House

    def new_patient(self, name: str) -> UUID:
        """Add a cleared patient."""
        return make_patient(self.house.clinic.id, name)


def opened(folder: Path) -> Opened:
    """Make the clinic and sign in."""
    url = f"sqlite:///{folder}/tracker.db"
    upgrade(url)
    db.configure(url)
    clock.shift(NOW - clock.now())
    house = make_clinic()
    make_patient(house.clinic.id, "Ada Test")
    client = create_app(Config(secret_key=KEY)).test_client()
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    sign_in(client, house.coordinator)
    today = NOW.astimezone(house.clinic.zone).date()
    return Opened(client, house.coordinator, datetime.combine(today, time(), house.clinic.zone), house)
