"""The application on a fresh database of each kind, and browsers for it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import NOW
from tests.factories import House, make_clinic
from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config
from tracker.models import UserAccount
from tracker.rules.permissions import Actor
from tracker.services import accounts

KEY = "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_"


@pytest.fixture
def house(database) -> House:
    """Return a clinic with an account for each role."""
    return make_clinic()


@pytest.fixture
def app(database) -> Iterator[Flask]:
    """Return the application; its clock starts at the tests' now."""
    clock.shift(timedelta())  # whatever ran before may have left its own
    clock.shift(NOW - clock.now())
    yield create_app(Config(secret_key=KEY))
    clock.shift(NOW - NOW)


@pytest.fixture
def browser(app) -> Callable[..., FlaskClient]:
    """Return a function that opens a browser, signed in as the actor it is given."""

    def open_browser(actor: Actor | None = None) -> FlaskClient:
        client = app.test_client()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        if actor:
            sign_in(client, actor)
        return client

    return open_browser


def sign_in(client: FlaskClient, actor: Actor) -> str:
    """Begin a session without spending the time a password takes; return its token."""
    with db.transaction() as session:
        account = session.get_one(UserAccount, actor.user_id)
        token = accounts.open_session(session, account, "127.0.0.1", now=clock.now())
    client.set_cookie("tracker", token)
    return token
