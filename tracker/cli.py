"""The command line. Each command imports what it needs when it runs, so that every `--help` is there at once."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from tracker import __doc__ as about
from tracker.errors import Invalid, TrackerError
from tracker.paths import newest_revision

if TYPE_CHECKING:
    from tracker.config import Config

HOPELESS = 78  # what the supervisor takes for it, too


class Hopeless(click.ClickException):
    """Ends a process of the supervisor's for good: starting it again won't help."""

    exit_code = HOPELESS


class Commands(click.Group):
    """A group that shows our own errors as one message, and keeps the order the commands are written in."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Invalid as error:
            raise click.ClickException("\n".join(f"{name}: {said}" for name, said in error.fields.items())) from error
        except TrackerError as error:
            raise click.ClickException(str(error)) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a clinic's first hour."""
        return list(self.commands)


def example(text: str) -> Callable[[click.Command], click.Command]:
    """Show an example below the command's options."""

    def add(command: click.Command) -> click.Command:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


@click.group(cls=Commands, help=about, epilog="\b\nExample, a clinic to look at:\n  tracker demo")
@click.version_option(package_name="course-tracker")
def main() -> None:
    """Run one command."""


@example("tracker migrate")
@main.command()
def migrate() -> None:
    """Bring the database to this version's tables. Safe to run again."""
    from tracker import db, schema

    config = _config()
    config.folder.mkdir(parents=True, exist_ok=True)
    db.configure(config.database)
    before = schema.found()
    _upgrade()
    click.echo(f"The database is at {newest_revision()}" + (" already." if before == newest_revision() else "."))


@example("tracker init --zone America/Denver --room Sage:recliner --room Mesa:bed --admin-email ann@example.org")
@main.command()
@click.option("--name", prompt="The clinic's name", help="As staff say it.")
@click.option("--message-name", prompt="Its name in messages", help="Must not say what the treatment is.")
@click.option("--zone", prompt="Time zone (like America/Denver)", help="IANA time zone.")
@click.option("--country", default="US", show_default=True, help="How dates and telephone numbers are written.")
@click.option("--phone", prompt="Telephone", help="The number patients call.")
@click.option("--address", prompt="Address", help="Where patients come to.")
@click.option("--days", default="Mon-Fri", show_default=True, help="Days the clinic is open.")
@click.option("--hours", prompt="Hours", default="8:00-17:45", show_default=True, help="Hours the clinic is open.")
@click.option("--room", multiple=True, metavar="NAME[:WHAT]", help='"Sage:recliner"; once a room.')
@click.option("--staff", multiple=True, metavar="TEXT", help='"J. Adeyemi RN; nurse; 7:45-16:15; 2"; once a person.')
@click.option("--admin-name", prompt="First administrator's name", help="Who sets the rest up.")
@click.option("--admin-email", prompt="First administrator's e-mail", help="What they sign in with.")
@click.option("--admin-password-file", type=click.File(), help="Where their password is read from (- is the input).")
def init(days: str, hours: str, room: tuple[str, ...], staff: tuple[str, ...], **given: Any) -> None:
    """Make a clinic: rooms, staff, hours and first administrator.

    What isn't given is asked for. Run `tracker migrate` first.
    """
    _database()
    from tracker import founding

    file = given.pop("admin_password_file")
    told = founding.told(
        **given,
        weekdays=_read(founding.weekdays, days),
        hours=_read(founding.hours, hours),
        rooms=_several(founding.room, room, "A room, and what stands in it (Sage:recliner)"),
        staff=_several(founding.staff_member, staff, 'A person ("J. Adeyemi RN; nurse; 7:45-16:15; 2")'),
    )
    click.echo(f"{founding.found(told, _password(file))} is there. Next: tracker check, then tracker serve")


@example("tracker demo --port 8080")
@main.command()
@click.option(
    "--at", "minute", metavar="HH:MM", default="11:42", show_default=True, help="Time of day at the first start."
)
@click.option("--port", type=click.IntRange(1, 65535), help="Another port than TRACKER_PORT.")
@click.option("--only-make", is_flag=True, help="Make the clinic if there is none yet, and start nothing.")
def demo(minute: str, port: int | None, only_make: bool) -> None:
    """Show an invented clinic in the middle of its day.

    Its data are kept in TRACKER_FOLDER; its clock stands still while it isn't running. Nothing is sent.
    """
    _listen(None, port)
    if only_make:
        _make_demo(minute)
        return
    from tracker import launch

    raise SystemExit(launch.demonstration(minute, newest_revision()))


@example("TRACKER_SECRET_KEY_FILE=/etc/tracker/key tracker serve")
@main.command()
@click.option("--host", help="Another address than TRACKER_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Another port than TRACKER_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Run the whole product here: web and worker, supervised."""
    _listen(host, port)
    from tracker import launch

    raise SystemExit(launch.service())


@example("tracker web --host 0.0.0.0 --port 8000")
@main.command()
@click.option("--host", help="Another address than TRACKER_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Another port than TRACKER_PORT.")
def web(host: str | None, port: int | None) -> None:
    """Answer browsers, without the worker. Any number may run on one PostgreSQL."""
    _listen(host, port)
    from tracker.supervisor import stop_with_supervisor

    stop_with_supervisor()
    config = _ready()
    from tracker.serving import serve as answer

    answer(config)


@example("tracker worker")
@main.command()
def worker() -> None:
    """Send what is due and look after the rest. Any number may run on one PostgreSQL."""
    from tracker.supervisor import stop_with_supervisor

    stop_with_supervisor()
    config = _ready()
    from tracker.worker import run

    run(config)


@example("tracker check && tracker serve")
@main.command()
def check() -> None:
    """Say what is unsafe or missing; exit 1 if anything is."""
    from tracker.checkup import findings

    found = findings()
    for finding in found:
        click.echo(f"- {finding}")
    click.echo("Nothing is missing." if not found else f"{len(found)} to mend.")
    raise SystemExit(1 if found else 0)


Thing = TypeVar("Thing")


def _read(reader: Callable[[str], Thing], text: str) -> Thing:
    try:
        return reader(text)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _several(reader: Callable[[str], Thing], given: tuple[str, ...], question: str) -> tuple[Thing, ...]:
    """Read what the options gave; without any, ask until an empty answer."""
    if given:
        return tuple(_read(reader, text) for text in given)
    things: list[Thing] = []
    while text := click.prompt(f"{question}; empty = no more", default="", show_default=False):
        try:
            things.append(reader(text))
        except ValueError as error:
            click.echo(str(error))
    return tuple(things)


def _password(file: TextIO | None) -> str:
    if file:
        return file.read().rstrip("\r\n")
    asked: str = click.prompt("Password (15 characters or more)", hide_input=True, confirmation_prompt=True)
    return asked


def _make_demo(minute: str) -> None:
    raise click.ClickException("not there yet")


def _listen(host: str | None, port: int | None) -> None:
    """Let an option outrank its variable, for this process and its children."""
    if host:
        os.environ["TRACKER_HOST"] = host
    if port:
        os.environ["TRACKER_PORT"] = str(port)


def _upgrade() -> None:
    from alembic import command
    from alembic.config import Config as Migrations

    from tracker import db
    from tracker.paths import shipped

    migrations = Migrations()
    migrations.set_main_option("script_location", str(shipped("migrations")))
    with db.engine().begin() as connection:
        migrations.attributes["connection"] = connection
        command.upgrade(migrations, "head")


def _config() -> "Config":
    from tracker.config import load

    return load()


def _database() -> None:
    """Use the configured database.

    Raises:
        click.ClickException: It has not this version's tables; the exit code says that trying again won't help.
    """
    from tracker import db, schema

    db.configure(_config().database)
    if (revision := schema.found()) != newest_revision():
        said = f"is at {revision}, this version needs {newest_revision()}" if revision else "has no tables yet"
        raise Hopeless(f"The database {said}. Run: tracker migrate")


def _ready() -> "Config":
    """Return the settings of a process that stays, or end it with the code that says: don't start me again."""
    try:
        config = _config()
        config.key()
    except Invalid as error:
        raise Hopeless("\n".join(f"{name}: {said}" for name, said in error.fields.items())) from error
    _database()
    return config


if __name__ == "__main__":
    main(prog_name="tracker")
