"""Settings of an installation: `TRACKER_*` variables, and an optional TOML file named by `TRACKER_CONFIG`.

`python -m tracker.config` prints the page docs/configuration.md from the class below.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tracker.errors import Invalid

PREFIX = "TRACKER_"
SHORTEST_KEY = 32
SECRET = {"secret": True}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PAGE = """# Settings

Each is a variable. They may also stand in a TOML file, by the same names without `TRACKER_` in small letters;
`TRACKER_CONFIG` says where it lies, and a variable outranks it. A secret can be read from a file: put `_FILE` behind
its name and give the path (`TRACKER_SECRET_KEY_FILE=/run/secrets/key`). What can't be read or isn't known stops the
start. `tracker check` says what is unsafe or missing.

| variable | what it is | unless set |
| --- | --- | --- |
{rows}

This page is made from `tracker/config.py` by `make docs`.
"""


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class Config(BaseModel):
    """Everything an installation can set. `load` reads it once at the edge; nothing below the edge sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    folder: Annotated[Path, Field(description="Where the SQLite database and the day sheets lie.")] = Path("var")
    database_url: Annotated[
        str,
        Field(
            description="`sqlite:///…` or `postgresql+psycopg://user:password@host/name`. "
            "Without it: SQLite, `tracker.db` in the folder above.",
            repr=False,
            json_schema_extra=SECRET,
        ),
    ] = ""
    secret_key: Annotated[
        str,
        Field(
            description=f"Signs sessions and patients' links: {SHORTEST_KEY} characters or more, random, kept secret. "
            'Make one with `python -c "import secrets; print(secrets.token_urlsafe(48))"`.',
            repr=False,
            json_schema_extra=SECRET,
        ),
    ] = ""
    base_url: Annotated[
        str,
        Field(
            description="The address patients and staff open, as it stands in messages: `https://visits.example.org`."
        ),
    ] = "http://127.0.0.1:8000"
    host: Annotated[str, Field(description="The address the web server listens on.")] = "127.0.0.1"
    port: Annotated[int, Field(description="The port the web server listens on.", ge=1, le=65535)] = 8000
    trusted_proxies: Annotated[
        int,
        Field(
            description="How many proxies of yours stand before the web server. Only as many are believed when they "
            "say who asked (`X-Forwarded-For`, `-Proto`, `-Host`).",
            ge=0,
            le=5,
        ),
    ] = 0
    sending: Annotated[
        bool, Field(description="Whether messages leave the house. When off they are kept in the outbox page.")
    ] = True
    mail_host: Annotated[str, Field(description="The mail server (SMTP). Without it nothing is sent by e-mail.")] = ""
    mail_port: Annotated[int, Field(description="The mail server's port.", ge=1, le=65535)] = 587
    mail_security: Annotated[
        MailSecurity,
        Field(description="`starttls`, `tls` (from the first byte, mostly port 465) or `none` (loopback only)."),
    ] = MailSecurity.STARTTLS
    mail_user: Annotated[str, Field(description="The name to sign in to the mail server with, if it asks for one.")] = (
        ""
    )
    mail_password: Annotated[
        str, Field(description="The password to sign in to the mail server with.", repr=False, json_schema_extra=SECRET)
    ] = ""
    mail_from: Annotated[
        str, Field(description="The sender's address. Choose one that does not say what the treatment is.")
    ] = ""
    sms_account: Annotated[
        str, Field(description="The account at Twilio (`AC…`). Without it nothing is sent by text.")
    ] = ""
    sms_token: Annotated[
        str,
        Field(
            description="The account's auth token: signs us in there, and proves that receipts and answers come from "
            "there.",
            repr=False,
            json_schema_extra=SECRET,
        ),
    ] = ""
    sms_from: Annotated[
        str,
        Field(
            description="The number that texts come from, with its country (`+15055550100`), or a messaging service "
            "(`MG…`). Let its incoming messages be posted to `/hooks/sms` at the address above."
        ),
    ] = ""
    sms_api: Annotated[
        str, Field(description="Where the texts' provider is asked: Twilio, or whoever speaks its protocol.")
    ] = "https://api.twilio.com"
    demo: Annotated[
        bool,
        Field(description="The demonstration: invented patients, a banner, nothing is sent. Set by `tracker demo`."),
    ] = False
    clock_offset: Annotated[
        int,
        Field(
            description="Seconds the clock is ahead of the system's, in the demonstration only. Set by `tracker demo`."
        ),
    ] = 0

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("start it with sqlite:/// or postgresql+psycopg://")
        return value

    @field_validator("secret_key")
    @classmethod
    def _strong_key(cls, value: str) -> str:
        if value and (len(value) < SHORTEST_KEY or len(set(value)) < SHORTEST_KEY // 3):
            raise ValueError(f"too weak: use {SHORTEST_KEY} random characters or more")
        return value

    @field_validator("base_url")
    @classmethod
    def _bare_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("give scheme and host only, like https://visits.example.org")
        return value.rstrip("/")

    @field_validator("sms_account")
    @classmethod
    def _account(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{2,64}", value):
            raise ValueError("copy it from the provider's console: AC and 32 letters and digits")
        return value

    @field_validator("sms_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        if value and not re.fullmatch(r"\+[1-9][0-9]{5,14}|MG[0-9a-fA-F]{32}", value):
            raise ValueError("give the number with its country and no spaces, like +15055550100, or a service, MG…")
        return value

    @field_validator("sms_api")
    @classmethod
    def _provider(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in parts.netloc:
            raise ValueError("give scheme and host, like https://api.twilio.com")
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("give an https address: texts and the token would be readable on the way")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _only_in_the_demonstration(self) -> Self:
        if self.clock_offset and not self.demo:
            raise ValueError("clock_offset: only the demonstration may have another time than the system's")
        return self

    @property
    def database(self) -> str:
        """The database's address, filled in where none is set."""
        return self.database_url or f"sqlite:///{(self.folder / 'tracker.db').resolve()}"

    @property
    def offset(self) -> timedelta:
        """How far the demonstration's clock runs ahead of the system's."""
        return timedelta(seconds=self.clock_offset)

    @property
    def lets_out(self) -> bool:
        """Whether messages may leave the house: never from the demonstration."""
        return self.sending and not self.demo

    def key(self) -> bytes:
        """Return the secret key.

        Raises:
            Invalid: None is set. Nothing that signs may start then.
        """
        if not self.secret_key:
            raise Invalid({variable("secret_key"): "missing: sign-in and patients' links need it"})
        return self.secret_key.encode()


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read the settings; a variable outranks the file.

    Raises:
        Invalid: Something can't be read or is not a setting. Its fields are names of variables.
    """
    environ = os.environ if environ is None else environ
    try:
        return Config.model_validate({**_from_file(environ), **_from_variables(environ)})
    except ValidationError as error:
        raise Invalid(
            {_blame(fault["loc"]): fault["msg"].removeprefix("Value error, ") for fault in error.errors()}
        ) from None


def variable(name: str) -> str:
    """Return the variable that sets the field `name`."""
    return PREFIX + name.upper()


def documentation() -> str:
    """Return the page that describes every setting, from the class itself."""
    rows = [_row(name) for name in Config.model_fields]
    return _PAGE.format(rows="\n".join(rows))


def _row(name: str) -> str:
    field = Config.model_fields[name]
    shown = f"`{field.default}`" if field.default != "" else ""
    also = ", `…_FILE`" if _is_secret(name) else ""
    return f"| `{variable(name)}`{also} | {field.description} | {shown} |"


def _is_secret(name: str) -> bool:
    return Config.model_fields[name].json_schema_extra == SECRET


def _from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    named = environ.get("TRACKER_CONFIG")
    if not named:
        return {}
    try:
        with Path(named).open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Invalid({"TRACKER_CONFIG": f"{named} can't be read: {error}"}) from error


def _from_variables(environ: Mapping[str, str]) -> dict[str, str]:
    secrets = {variable(name) + "_FILE": name for name in Config.model_fields if _is_secret(name)}
    plain = {variable(name): name for name in Config.model_fields}
    values = {}
    for key in sorted(environ):
        if key in plain:
            values[plain[key]] = environ[key]
        elif key in secrets:
            values[secrets[key]] = _secret(key, environ)
        elif key.startswith(PREFIX) and key != "TRACKER_CONFIG" and not key.startswith("TRACKER_TEST_"):
            raise Invalid({key: _unknown(key, [*plain, *secrets])})
    return values


def _secret(key: str, environ: Mapping[str, str]) -> str:
    if key.removesuffix("_FILE") in environ:
        raise Invalid({key: f"set either this or {key.removesuffix('_FILE')}, not both"})
    try:
        value = Path(environ[key]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid({key: f"can't be read: {error}"}) from error
    if not value:
        raise Invalid({key: f"{environ[key]} is empty"})
    return value


def _unknown(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return "no such setting" + (f"; did you mean {close[0]}?" if close else "")


def _blame(location: tuple[int | str, ...]) -> str:
    return variable(str(location[0])) if location else "TRACKER_CLOCK_OFFSET"


if __name__ == "__main__":
    import sys

    sys.stdout.write(documentation())
