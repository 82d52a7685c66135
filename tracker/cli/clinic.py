"""Commands that work on a clinic's records: init, user, import, audit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar

import click

from tracker.cli.base import Commands, actor_of, clinic_option, example, password_from, use_database
from tracker.rules.vocabulary import Role

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

Thing = TypeVar("Thing")
ROLES = [role.value for role in Role]


@example("tracker init --zone America/Denver --room Sage:recliner --room Mesa:bed --admin-email ann@example.org")
@click.command()
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
    use_database()
    from tracker.cli import founding

    file = given.pop("admin_password_file")
    told = founding.told(
        **given,
        weekdays=_read(founding.weekdays, days),
        hours=_read(founding.hours, hours),
        rooms=_several(founding.room, room, "A room, and what stands in it (Sage:recliner)"),
        staff=_several(founding.staff_member, staff, 'A person ("J. Adeyemi RN; nurse; 7:45-16:15; 2")'),
    )
    click.echo(f"{founding.found(told, password_from(file))} is there. Next: tracker check, then tracker serve")


@click.group(
    cls=Commands, epilog="\b\nExample:\n  tracker user add maria@example.org --name 'M. Reyes' --role coordinator"
)
def user() -> None:
    """Add, list, close and open staff accounts."""


@example("tracker user list")
@user.command("list")
@clinic_option
def user_list(clinic: str | None) -> None:
    """List everybody who may sign in."""
    use_database()
    from tracker import db
    from tracker.services import accounts

    with db.read() as session:
        for account in accounts.everybody(session, actor_of(session, clinic)):
            click.echo(
                f"{account.role:<12} {account.email:<40} {account.name}{' (closed)' * bool(account.disabled_at)}"
            )


@example("tracker user add maria@example.org --name 'M. Reyes' --role coordinator")
@user.command("add")
@click.argument("email")
@click.option("--name", required=True, help="As the clinic says it.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What they may do.")
@click.option("--password-file", type=click.File(), help="Where the password is read from (- is the input).")
@clinic_option
def user_add(email: str, name: str, role: str, password_file: TextIO | None, clinic: str | None) -> None:
    """Let somebody sign in."""
    use_database()
    from tracker import clock, db
    from tracker.cli import founding
    from tracker.services import accounts

    new = founding.new_user(email=email, name=name, role=role)
    password = password_from(password_file)
    with db.transaction() as session:
        accounts.add(session, actor_of(session, clinic), new, password, now=clock.now())
    click.echo(f"{email} may sign in.")


@example("tracker user password maria@example.org")
@user.command("password")
@click.argument("email")
@click.option("--password-file", type=click.File(), help="Where the password is read from (- is the input).")
@clinic_option
def user_password(email: str, password_file: TextIO | None, clinic: str | None) -> None:
    """Give somebody a new password; their sessions end."""
    use_database()
    from tracker import clock, db
    from tracker.services import accounts

    password = password_from(password_file)
    with db.transaction() as session:
        actor = actor_of(session, clinic)
        accounts.set_password(session, actor, _account(session, email), password, now=clock.now())
    click.echo(f"{email} has a new password.")


@example("tracker user role maria@example.org nurse")
@user.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@clinic_option
def user_role(email: str, role: str, clinic: str | None) -> None:
    """Change what somebody may do; their sessions end at once."""
    use_database()
    from tracker import clock, db
    from tracker.rules.permissions import Role
    from tracker.services import accounts

    with db.transaction() as session:
        actor = actor_of(session, clinic)
        accounts.set_role(session, actor, _account(session, email), Role(role), now=clock.now())
    click.echo(f"{email} is {role} now.")


@example("tracker user disable maria@example.org")
@user.command("disable")
@click.argument("email")
@clinic_option
def user_disable(email: str, clinic: str | None) -> None:
    """Close somebody's account; their sessions end at once."""
    use_database()
    from tracker import clock, db
    from tracker.services import accounts

    with db.transaction() as session:
        accounts.disable(session, actor_of(session, clinic), _account(session, email), now=clock.now())
    click.echo(f"{email} may not sign in any more.")


@example("tracker user enable maria@example.org")
@user.command("enable")
@click.argument("email")
@clinic_option
def user_enable(email: str, clinic: str | None) -> None:
    """Open a closed account again."""
    use_database()
    from tracker import clock, db
    from tracker.services import accounts

    with db.transaction() as session:
        accounts.enable(session, actor_of(session, clinic), _account(session, email), now=clock.now())
    click.echo(f"{email} may sign in again.")


@click.group(cls=Commands, epilog="\b\nExample:\n  tracker audit verify")
def audit() -> None:
    """Prove that the record of who looked and who changed is whole."""


@example("tracker audit verify --count 1841 --head 5e2f…")
@audit.command("verify")
@click.option("--head", help="The last hash as it was printed or kept elsewhere; needs --count.")
@click.option("--count", type=click.IntRange(min=1), help="The number of entries at that time.")
@clinic_option
def audit_verify(head: str | None, count: int | None, clinic: str | None) -> None:
    """Check the chain from its first entry to its last; exit 1 if anything was edited, deleted, inserted or moved."""
    if (head is None) != (count is None):
        raise click.UsageError("give --head and --count together")
    use_database()
    from tracker import db
    from tracker.services import audit as chain

    with db.read() as session:
        verdict = chain.verify(session, actor_of(session, clinic).clinic_id, head=head, count=count)
    click.echo(f"{verdict.count} entries, head {verdict.head}")
    for fault in verdict.faults:
        click.echo(f"- {fault}")
    raise SystemExit(1 if verdict.faults else 0)


@click.group("import", cls=Commands, epilog="\b\nExample:\n  tracker import patients export.csv --dry-run")
def import_() -> None:
    """Take over what another program knows."""


@example("tracker import patients export.csv --dry-run")
@import_.command()
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Check every row and change nothing.")
@clinic_option
def patients(file: BinaryIO, dry_run: bool, clinic: str | None) -> None:
    """Import a practice's own list of patients: all rows, or none.

    A CSV file with one line of headings such as Chart #, Last name, First name, Date of birth, Phone, E-mail, Language,
    Allergies, Medications, Diagnosis, in any order. Each line that can't be taken in is named with what would be right.
    """
    use_database()
    from tracker.cli import importing

    count, remarks = importing.patients(file.read(), clinic_name=clinic, dry_run=dry_run)
    for remark in remarks:
        click.echo(f"Note: {remark}")
    click.echo(f"{count} patients would be imported." if dry_run else f"{count} patients imported.")


def _account(session: "Session", email: str) -> "UUID":
    from tracker.services import accounts

    if found := accounts.account(session, email):
        return found.id
    raise click.ClickException(f"Nobody signs in as {email}.")


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
