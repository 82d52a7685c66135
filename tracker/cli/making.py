"""`tracker demo --only-make`: the demonstration clinic in a database of its own, and what its starts must know."""

import re
from zoneinfo import ZoneInfo

import click
from sqlalchemy import MetaData, text

from tracker import clock, db, demo, schema
from tracker.cli import launch
from tracker.cli.base import settings
from tracker.cli.machine import upgrade
from tracker.demo.people import ACCOUNTS, CLINIC, ZONE
from tracker.paths import newest_revision

FIRST = "11:42"  # up to here the story is told
_CLOCK = re.compile(r"(1[1-9]|2[0-3]):[0-5][0-9]")


def make(minute: str) -> None:
    """Make the clinic as it is at `minute` of today, or of the next day on which it works.

    Raises:
        click.ClickException: The minute can't be, or another clinic's records are in the database.
    """
    if not _CLOCK.fullmatch(minute) or minute < FIRST:
        raise click.ClickException(
            f"{minute!r}: the day is told up to {FIRST}; give that or a later minute, like 14:05"
        )
    settings().folder.mkdir(parents=True, exist_ok=True)
    launch.own_key(settings())
    config = settings()
    db.configure(config.database)
    _clear()
    upgrade()
    today = clock.now().astimezone(ZoneInfo(ZONE)).date()
    made = demo.make(today, minute, key=config.key(), base_url=config.base_url)
    people = [launch.SignIn(one.role.value, one.email, demo.PASSWORD) for one in made.accounts]
    launch.DemoState(newest_revision(), launch.identity(config), made.at, people).write(config.folder)
    click.echo(f"{CLINIC.name} is made; it is {made.day:%A} {minute} there.")


def _clear() -> None:
    """Take away an older demonstration, or one that was not finished; never anybody's records."""
    if schema.found() is None:
        return
    with db.read() as session:
        names = set(session.scalars(text("SELECT name FROM clinic")))
        people = set(session.scalars(text("SELECT email FROM user_account")))
    # A practice may well be called like ours; its people are not.
    if names - {CLINIC.name} or people - {account.email for account in ACCOUNTS}:
        raise click.ClickException(
            "There is a clinic in this database already. Give the demonstration a place of its own: "
            "TRACKER_FOLDER=demo tracker demo"
        )
    tables = MetaData()
    with db.engine().begin() as connection:
        tables.reflect(connection)
        tables.drop_all(connection)
