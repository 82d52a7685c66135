"""The application on a fresh database of each kind, and browsers for it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import CodeType

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

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


@pytest.fixture(scope="session")
def _app() -> Flask:
    return make_app()


@pytest.fixture
def app(database, _app) -> Iterator[Flask]:
    """Return the application, the same for all tests that don't change it; its clock starts at the tests' now."""
    clock.shift(timedelta())  # whatever ran before may have left its own
    clock.shift(NOW - clock.now())
    yield _app
    clock.shift(timedelta())


def make_app(**settings) -> Flask:
    """Return a new application, in which templates that this process has compiled before are compiled."""
    app = create_app(Config(secret_key=KEY, **settings))
    app.jinja_env.bytecode_cache = _COMPILED
    return app


class _Compiled(BytecodeCache):
    """Templates by a hash of their source, in memory."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.found.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.found[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


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
