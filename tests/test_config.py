"""Settings: read from variables and a file, refused when they can't be right, documented from the class."""

from datetime import timedelta
from pathlib import Path

import pytest

from tracker import config
from tracker.errors import Invalid

KEY = "kP3xZ9vR7tQ1mW5nB8cL2dF6gH4jS0aY-uE_"


def test_without_any_variable_it_is_sqlite_on_this_machine():
    loaded = config.load({})

    assert loaded.database == f"sqlite:///{Path('var/tracker.db').resolve()}"
    assert loaded.host == "127.0.0.1"
    with pytest.raises(Invalid, match="TRACKER_SECRET_KEY: missing"):
        loaded.key()


def test_a_variable_outranks_the_file(tmp_path):
    file = tmp_path / "tracker.toml"
    file.write_text('port = 9000\nmail_host = "mail.example.org"\nsending = false\n')

    loaded = config.load({"TRACKER_CONFIG": str(file), "TRACKER_PORT": "9001", "TRACKER_SECRET_KEY": KEY})

    assert (loaded.port, loaded.mail_host, loaded.sending) == (9001, "mail.example.org", False)
    assert loaded.key() == KEY.encode()


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n")

    loaded = config.load({"TRACKER_SECRET_KEY_FILE": str(file)})

    assert loaded.key() == KEY.encode()
    assert KEY not in repr(loaded)


@pytest.mark.parametrize(
    ("variables", "blamed"),
    [
        ({"TRACKER_SECRET_KEY": "short"}, "TRACKER_SECRET_KEY"),
        ({"TRACKER_SECRET_KEY": "a" * 64}, "TRACKER_SECRET_KEY"),
        ({"TRACKER_SECRET_KEY_FILE": "/nowhere/at/all"}, "TRACKER_SECRET_KEY_FILE"),
        ({"TRACKER_SECRET_KEY_FILE": "/dev/null"}, "TRACKER_SECRET_KEY_FILE"),
        ({"TRACKER_SECRET_KEY_FILE": "/dev/null", "TRACKER_SECRET_KEY": KEY}, "TRACKER_SECRET_KEY_FILE"),
        ({"TRACKER_CONFIG": "/nowhere/at/all"}, "TRACKER_CONFIG"),
        ({"TRACKER_DATABASE_URL": "mysql://x"}, "TRACKER_DATABASE_URL"),
        ({"TRACKER_BASE_URL": "ftp://x"}, "TRACKER_BASE_URL"),
        ({"TRACKER_BASE_URL": "https://x.example/path"}, "TRACKER_BASE_URL"),
        ({"TRACKER_PORT": "0"}, "TRACKER_PORT"),
        ({"TRACKER_MAIL_SECURITY": "ssl3"}, "TRACKER_MAIL_SECURITY"),
        ({"TRACKER_CLOCK_OFFSET": "60"}, "TRACKER_CLOCK_OFFSET"),
        ({"TRACKER_SMS_ACCOUNT": "../x"}, "TRACKER_SMS_ACCOUNT"),
        ({"TRACKER_SMS_FROM": "505 555 0100"}, "TRACKER_SMS_FROM"),
        ({"TRACKER_SMS_API": "api.twilio.com"}, "TRACKER_SMS_API"),
        ({"TRACKER_SMS_API": "http://sms.example.org"}, "TRACKER_SMS_API"),
        ({"TRACKER_SMS_API": "https://a:b@c"}, "TRACKER_SMS_API"),
        ({"TRACKER_SECRET_KEI": KEY}, "TRACKER_SECRET_KEI"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(variables, blamed):
    with pytest.raises(Invalid) as refused:
        config.load(variables)

    assert list(refused.value.fields) == [blamed]
    assert KEY not in str(refused.value)


def test_a_misspelt_variable_is_told_what_was_meant():
    with pytest.raises(Invalid, match="did you mean TRACKER_DATABASE_URL"):
        config.load({"TRACKER_DATABSE_URL": "sqlite:///x"})


def test_only_the_demonstration_has_another_time():
    loaded = config.load({"TRACKER_DEMO": "yes", "TRACKER_CLOCK_OFFSET": "-90"})

    assert loaded.offset == timedelta(seconds=-90)


def test_nothing_leaves_the_demonstration_whatever_else_is_set():
    assert config.load({}).lets_out
    assert not config.load({"TRACKER_DEMO": "yes", "TRACKER_SENDING": "yes"}).lets_out
    assert not config.load({"TRACKER_SENDING": "no"}).lets_out


def test_the_page_of_settings_is_up_to_date():
    page = Path(__file__).parent.parent / "docs" / "configuration.md"

    assert page.read_text(encoding="utf-8") == config.documentation(), "run: make docs"
