"""The command line. Each command imports what it needs when it runs, so that every `--help` is there at once."""

import click

from tracker import __doc__ as about
from tracker.cli import clinic, machine
from tracker.cli.base import Commands


@click.group(cls=Commands, help=about, epilog="\b\nExample, a clinic to look at:\n  tracker demo")
@click.version_option(package_name="course-tracker")
def main() -> None:
    """Run one command."""


for _command in (
    machine.migrate,
    clinic.init,
    machine.demo,
    machine.serve,
    machine.web,
    machine.worker,
    clinic.user,
    clinic.import_,
    clinic.audit,
    machine.check,
):
    main.add_command(_command)
