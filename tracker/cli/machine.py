"""Commands that run the machine: migrate, demo, serve, web, worker, check."""

import os

import click

from tracker.cli.base import example, ready, settings
from tracker.paths import newest_revision


@example("tracker migrate")
@click.command()
def migrate() -> None:
    """Bring the database to this version's tables. Safe to run again."""
    from tracker import db, schema

    config = settings()
    config.folder.mkdir(parents=True, exist_ok=True)
    db.configure(config.database)
    before = schema.found()
    upgrade()
    click.echo(f"The database is at {newest_revision()}" + (" already." if before == newest_revision() else "."))


@example("tracker demo --port 8080")
@click.command()
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
        from tracker.cli import making
        from tracker.supervisor import stop_with_supervisor

        stop_with_supervisor()
        making.make(minute)
        return
    from tracker.cli import launch

    raise SystemExit(launch.demonstration(minute, newest_revision()))


@example("TRACKER_SECRET_KEY_FILE=/etc/tracker/key tracker serve")
@click.command()
@click.option("--host", help="Another address than TRACKER_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Another port than TRACKER_PORT.")
def serve(host: str | None, port: int | None) -> None:
    """Run the whole product here: web and worker, supervised."""
    _listen(host, port)
    from tracker.cli import launch

    raise SystemExit(launch.service())


@example("tracker web --host 0.0.0.0 --port 8000")
@click.command()
@click.option("--host", help="Another address than TRACKER_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Another port than TRACKER_PORT.")
def web(host: str | None, port: int | None) -> None:
    """Answer browsers, without the worker. Any number may run on one PostgreSQL."""
    _listen(host, port)
    from tracker.supervisor import stop_with_supervisor

    stop_with_supervisor()
    config = ready()
    from tracker.serving import serve as answer

    answer(config)


@example("tracker worker")
@click.command()
def worker() -> None:
    """Send what is due and look after the rest. Any number may run on one PostgreSQL."""
    from tracker.supervisor import stop_with_supervisor

    stop_with_supervisor()
    config = ready()
    from tracker.worker import run

    run(config)


@example("tracker check && tracker serve")
@click.command()
def check() -> None:
    """Say what is unsafe or missing; exit 1 if anything is."""
    from tracker.cli.checkup import findings

    found = findings()
    for finding in found:
        click.echo(f"- {finding}")
    click.echo("Nothing is missing." if not found else f"{len(found)} to mend.")
    raise SystemExit(1 if found else 0)


def _listen(host: str | None, port: int | None) -> None:
    """Let an option outrank its variable, for this process and its children."""
    if host:
        os.environ["TRACKER_HOST"] = host
    if port:
        os.environ["TRACKER_PORT"] = str(port)


def upgrade() -> None:
    """Bring the configured database to this version's tables."""
    from alembic import command
    from alembic.config import Config as Migrations

    from tracker import db
    from tracker.paths import shipped

    migrations = Migrations()
    migrations.set_main_option("script_location", str(shipped("migrations")))
    with db.engine().begin() as connection:
        migrations.attributes["connection"] = connection
        command.upgrade(migrations, "head")
