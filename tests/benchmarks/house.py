"""The demonstration on a fresh SQLite file at 11:42 of its day, and its coordinator signed in."""

from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import select

from tests.conftest import upgrade
from tests.factories import make_patient
from tests.web.conftest import KEY, sign_in
from tracker import clock, db, demo
from tracker.app import create_app
from tracker.config import Config
from tracker.models import Clinic, UserAccount
from tracker.rules.permissions import Actor, Role

DAY = date(2026, 11, 17)  # a Tuesday without a holiday in the weeks after it but one


@dataclass
class Opened:
    """What a measurement works with; `midnight` is the beginning of the clinic's day."""

    client: FlaskClient
    actor: Actor
    midnight: datetime

    def new_patient(self, name: str) -> UUID:
        """Add a cleared patient."""
        return make_patient(self.actor.clinic_id, name)


def opened(folder: Path, url: str = "") -> Opened:
    """Make the clinic, in a file of `folder` or at `url`, and sign in."""
    url = url or f"sqlite:///{folder}/tracker.db"
    upgrade(url)
    db.configure(url)
    made = demo.make(DAY, key=KEY.encode(), base_url="http://127.0.0.1:8000")
    clock.shift(made.at - clock.now())
    with db.read() as session:
        user = session.scalars(select(UserAccount).where(UserAccount.role == Role.COORDINATOR)).one()
        zone = session.scalars(select(Clinic)).one().zone
    actor = Actor(user.clinic_id, user.id, user.role, user.name)
    client = create_app(Config(secret_key=KEY, demo=True)).test_client()
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    sign_in(client, actor)
    return Opened(client, actor, datetime.combine(made.day, time(), zone))
