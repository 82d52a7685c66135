"""The commands, on both databases, as somebody types them."""

import socket

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from click.testing import CliRunner, Result
from sqlalchemy import text

from tests.sms_provider import NUMBER, SID, TOKEN, Provider
from tracker import clock, db
from tracker.cli import main
from tracker.models import Sending
from tracker.paths import newest_revision

KEY = "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_"
PASSWORD = "orbit lemon canyon teapot"
CLINIC = {
    "--name": "Juniper House",
    "--message-name": "Juniper",
    "--zone": "America/Denver",
    "--phone": "(303) 555-0142",
    "--address": "1 Mill Lane",
    "--hours": "8:00-17:00",
    "--room": "Sage:recliner",
    "--staff": "J. Adeyemi RN; nurse; 7:45-16:15; 2",
    "--admin-name": "Ann Stone",
    "--admin-email": "ann@example.org",
}


@pytest.fixture
def tracker(database, tmp_path, monkeypatch):
    """Return a function that runs one command on the database."""
    monkeypatch.setenv("TRACKER_DATABASE_URL", database)
    monkeypatch.setenv("TRACKER_FOLDER", str(tmp_path))

    def run(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, arguments, input=typed, catch_exceptions=False)

    return run


def founded(tracker, **other: str) -> Result:
    told = CLINIC | other
    options = [part for pair in told.items() for part in pair]
    return tracker("init", *options, "--admin-password-file", "-", typed=PASSWORD)


def test_init_makes_rooms_staff_hours_and_the_administrator(tracker):
    assert founded(tracker).exit_code == 0

    with db.read() as session:
        rooms = session.execute(text("SELECT name, kind, lanes FROM resource ORDER BY name")).all()
        hours = session.execute(text("SELECT weekday, starts_minute, ends_minute FROM opening_hours")).all()
    assert [tuple(row) for row in rooms] == [("J. Adeyemi", "staff", 2), ("Sage", "room", 1)]
    assert sorted(tuple(row) for row in hours) == [(day, 480, 1020) for day in range(5)]
    assert "ann@example.org" in tracker("user", "list").output


def test_init_asks_for_what_is_not_given(tracker):
    typed = [
        *("Juniper House", "Juniper", "America/Denver", "303 555 0142", "1 Mill Lane", "", "Ann Stone"),
        *("ann@example.org", "Sage:recliner", "Mesa", "", "nonsense", "J. Adeyemi RN; nurse; 7:45-16:15; 2", ""),
        *(PASSWORD, PASSWORD),
    ]

    said = tracker("init", typed="\n".join(typed) + "\n")

    assert said.exit_code == 0, said.output
    assert "give four parts" in said.output
    assert "Juniper House is there" in said.output


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--zone", "Denver", "--zone: Give a time zone"),
        ("--phone", "12", "--phone: Enter a phone number"),
        ("--admin-email", "ann", "--admin-email: Enter an e-mail address"),
        ("--hours", "17-8", "give hours such as"),
        ("--hours", "17:00-8:00", "give hours such as"),
        ("--room", ":bed", "give the room a name"),
        ("--staff", "J. Adeyemi; janitor; 8:00-9:00", "the role is one of"),
        ("--days", "Fri-Mon", "give days such as"),
    ],
)
def test_init_says_what_would_be_right_and_makes_nothing(tracker, option, value, message):
    said = founded(tracker, **{option: value})

    assert said.exit_code == 1
    assert message in said.output
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM clinic")) == 0


def test_an_easy_password_makes_no_clinic(tracker):
    options = [part for pair in CLINIC.items() for part in pair]

    said = tracker("init", *options, "--admin-password-file", "-", typed="password")

    assert said.exit_code == 1
    with db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM clinic")) == 0


def test_accounts_are_added_closed_and_opened(tracker):
    founded(tracker)
    add = ("user", "add", "maria@example.org", "--name", "M. Reyes", "--role", "coordinator", "--password-file", "-")

    assert tracker(*add, typed=PASSWORD).exit_code == 0
    assert tracker(*add, typed=PASSWORD).exit_code == 1  # the address is taken
    assert tracker("user", "role", "maria@example.org", "nurse").exit_code == 0
    assert "nurse" in tracker("user", "list").output
    assert tracker("user", "disable", "maria@example.org").exit_code == 0
    assert "M. Reyes (closed)" in tracker("user", "list").output
    assert tracker("user", "enable", "maria@example.org").exit_code == 0
    assert "(closed)" not in tracker("user", "list").output
    assert tracker("user", "password", "maria@example.org", "--password-file", "-", typed="x" * 40).exit_code == 1
    assert "only administrator" in tracker("user", "disable", "ann@example.org").output
    assert "Nobody signs in as" in tracker("user", "disable", "bob@example.org").output


def test_with_two_clinics_one_must_be_named(tracker):
    founded(tracker)
    founded(tracker, **{"--name": "Mesa House", "--admin-email": "bo@example.org"})

    assert "Juniper House, Mesa House" in tracker("user", "list").output
    assert "bo@example.org" in tracker("user", "list", "--clinic", "Mesa House").output


def test_audit_verify_finds_a_chain_that_was_cut(tracker):
    founded(tracker)
    whole = tracker("audit", "verify")
    count, head = whole.output.split()[0], whole.output.split()[-1]

    assert whole.exit_code == 0
    assert tracker("audit", "verify", "--count", count, "--head", head).exit_code == 0
    assert tracker("audit", "verify", "--count", count, "--head", "f" * 64).exit_code == 1
    assert tracker("audit", "verify", "--count", count).exit_code == 2


def test_migrate_again_changes_nothing(tracker):
    assert tracker("migrate").output == f"The database is at {newest_revision()} already.\n"


def test_without_tables_every_command_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKER_FOLDER", str(tmp_path))

    said = CliRunner().invoke(main, ["user", "list"])

    assert said.exit_code == 78
    assert "tracker migrate" in said.output


def test_the_web_does_not_start_without_a_key(tracker):
    said = tracker("web")

    assert said.exit_code == 78
    assert "TRACKER_SECRET_KEY: missing" in said.output


def test_check_names_everything_that_is_unsafe_or_missing(tracker, monkeypatch):
    monkeypatch.setenv("TRACKER_MAIL_HOST", "mail.invalid")
    monkeypatch.setenv("TRACKER_MAIL_SECURITY", "none")
    monkeypatch.setenv("TRACKER_BASE_URL", "http://visits.example.org")

    said = tracker("check")

    assert said.exit_code == 1
    for blamed in ("SECRET_KEY", "BASE_URL", "MAIL_FROM", "MAIL_SECURITY", "MAIL_HOST", "tracker init"):
        assert blamed in said.output


def test_check_is_content_with_a_safe_installation(tracker, monkeypatch, mail_server):
    founded(tracker)
    monkeypatch.setenv("TRACKER_SECRET_KEY", KEY)
    monkeypatch.setenv("TRACKER_BASE_URL", "https://visits.example.org")
    monkeypatch.setenv("TRACKER_MAIL_HOST", mail_server.hostname)
    monkeypatch.setenv("TRACKER_MAIL_PORT", str(mail_server.port))
    monkeypatch.setenv("TRACKER_MAIL_SECURITY", "none")
    monkeypatch.setenv("TRACKER_MAIL_FROM", "visits@example.org")

    said = tracker("check")

    assert said.output == "Nothing is missing.\n"
    assert said.exit_code == 0
    with Provider() as provider:
        monkeypatch.setenv("TRACKER_SMS_API", provider.account().api)
        monkeypatch.setenv("TRACKER_SMS_ACCOUNT", SID)
        assert "TRACKER_SMS_TOKEN: missing" in tracker("check").output
        monkeypatch.setenv("TRACKER_SMS_TOKEN", TOKEN)
        monkeypatch.setenv("TRACKER_SMS_FROM", NUMBER)
        assert tracker("check").output == "Nothing is missing.\n"
        monkeypatch.setenv("TRACKER_SMS_TOKEN", "an old token")
        said = tracker("check").output
        assert "TRACKER_SMS_ACCOUNT" in said
        assert "an old token" not in said
        assert provider.sent == []
    with db.transaction() as session:
        session.add(Sending(id=1, witness="", beats=7, paused_at=clock.now(), paused_why="This is a copy."))
    said = tracker("check").output
    assert "This is a copy. An administrator can say otherwise at https://visits.example.org/settings/channels" in said
    monkeypatch.setenv("TRACKER_SECRET_KEY", "short")
    assert tracker("check").exit_code == 1


@pytest.fixture
def mail_server():
    """Return a real mail server on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(Sink(), hostname="127.0.0.1", port=port)
    server.start()
    yield server
    server.stop()


def test_the_demonstration_never_takes_away_a_practice_even_one_of_its_own_name(tracker, monkeypatch):
    monkeypatch.setenv("TRACKER_SECRET_KEY", KEY)
    founded(tracker, **{"--name": "Cottonwood Clinic"})

    said = tracker("demo", "--only-make")

    assert said.exit_code == 1
    assert "There is a clinic in this database already" in said.output
    assert "ann@example.org" in tracker("user", "list").output
