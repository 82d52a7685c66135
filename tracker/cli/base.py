"""What the commands share: how they look, how they fail, how they reach settings, database and clinic."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import click

from tracker.errors import Invalid, TrackerError
from tracker.paths import newest_revision
from tracker.supervisor import HOPELESS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tracker.config import Config
    from tracker.rules.permissions import Actor


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


clinic_option = click.option("--clinic", help="The clinic's name, if there are several.")


def settings() -> "Config":
    """Return the settings. Invalid: some can't be right."""
    from tracker.config import load

    return load()


def use_database() -> None:
    """Use the configured database.

    Raises:
        click.ClickException: It has not this version's tables; the exit code says that trying again won't help.
    """
    from tracker import db, schema

    db.configure(settings().database)
    if (revision := schema.found()) != newest_revision():
        said = f"is at {revision}, this version needs {newest_revision()}" if revision else "has no tables yet"
        raise Hopeless(f"The database {said}. Run: tracker migrate")


def ready() -> "Config":
    """Return the settings of a process that stays, or end it with the code that says: don't start me again."""
    try:
        config = settings()
        config.key()
    except Invalid as error:
        raise Hopeless("\n".join(f"{name}: {said}" for name, said in error.fields.items())) from error
    use_database()
    return config


def actor_of(session: "Session", clinic: str | None) -> "Actor":
    """Return the command line as an actor in the clinic of that name, or in the only one there is."""
    from sqlalchemy import select

    from tracker.models import Clinic
    from tracker.rules.permissions import Actor

    found = session.execute(select(Clinic.id, Clinic.name).order_by(Clinic.name)).all()
    fitting = [row.id for row in found if clinic in (None, row.name)]
    if len(fitting) != 1:
        names = ", ".join(row.name for row in found) or "none yet; run: tracker init"
        raise click.ClickException(f"Say which clinic with --clinic. There is: {names}")
    return Actor(fitting[0], None, None, "command line")


def password_from(file: TextIO | None) -> str:
    """Return the password in `file`; without one, ask for it twice."""
    if file:
        return file.read().rstrip("\r\n")
    asked: str = click.prompt("Password (15 characters or more)", hide_input=True, confirmation_prompt=True)
    return asked
