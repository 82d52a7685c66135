"""`tracker check`: what is unsafe or missing before patients rely on it."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from tracker import clock, db, schema
from tracker.channels import sms
from tracker.channels.ways import has_mail, sms_account
from tracker.config import LOOPBACK, Config, MailSecurity, load, variable
from tracker.errors import Invalid, TrackerError
from tracker.models import Clinic
from tracker.paths import newest_revision, static
from tracker.services import sending
from tracker.services.sending import Witness

MAIL_TIMEOUT = 5.0  # seconds for one answer of the mail server


def findings() -> list[str]:
    """Return what is to be mended, one line each, in the order to mend it in."""
    try:
        config = load()
    except Invalid as error:
        return [f"{name}: {said}" for name, said in error.fields.items()]
    return [*_key(config), *_address(config), *_mail(config), *_texts(config), *_database(config), *_files()]


def _key(config: Config) -> Iterator[str]:
    if not config.secret_key:
        yield f"{variable('secret_key')}: missing; sign-in and patients' links need it"


def _address(config: Config) -> Iterator[str]:
    parts = urlsplit(config.base_url)
    if parts.hostname in LOOPBACK:
        yield f"{variable('base_url')}: {config.base_url} opens on this machine only; messages need the public address"
    elif parts.scheme != "https":
        yield f"{variable('base_url')}: {config.base_url} is not encrypted; give an https address"


def _mail(config: Config) -> Iterator[str]:
    if not config.lets_out:
        yield f"{variable('sending')}: off; no message leaves the house"
        return
    if not has_mail(config):
        yield f"{variable('mail_host')}: missing; no reminder can be sent by e-mail"
        return
    if not config.mail_from:
        yield f"{variable('mail_from')}: missing; messages need a sender"
    if config.mail_security is MailSecurity.NONE and config.mail_host not in LOOPBACK:
        yield f"{variable('mail_security')}: none; messages would cross the network readable"
    yield from _mail_server(config)


def _texts(config: Config) -> Iterator[str]:
    """Texts are a choice: nothing is missing where none of it is set."""
    needed = ("sms_account", "sms_token", "sms_from")
    missing = [name for name in needed if not getattr(config, name)]
    if not config.lets_out or len(missing) == len(needed):
        return
    if missing:
        for name in missing:
            yield f"{variable(name)}: missing; no reminder can be sent by text"
        return
    if said := sms.trouble(sms_account(config)):
        yield f"{variable('sms_account')}: {config.sms_api} would not take texts from it: {said}"


def _mail_server(config: Config) -> Iterator[str]:
    where = f"the mail server {config.mail_host}:{config.mail_port}"
    try:
        with _connected(config) as server:
            if config.mail_user:
                server.login(config.mail_user, config.mail_password)
    except smtplib.SMTPAuthenticationError:
        yield f"{variable('mail_user')}: {where} does not accept this name and password"
    except (OSError, smtplib.SMTPException) as error:
        yield f"{variable('mail_host')}: {where} does not answer as it should: {error}"


def _connected(config: Config) -> smtplib.SMTP:
    trusted = ssl.create_default_context()
    if config.mail_security is MailSecurity.TLS:
        return smtplib.SMTP_SSL(config.mail_host, config.mail_port, timeout=MAIL_TIMEOUT, context=trusted)
    server = smtplib.SMTP(config.mail_host, config.mail_port, timeout=MAIL_TIMEOUT)
    if config.mail_security is MailSecurity.STARTTLS:
        server.starttls(context=trusted)
    return server


def _database(config: Config) -> Iterator[str]:
    try:
        db.configure(config.database)
        revision = schema.found()
    except TrackerError as error:
        yield f"{variable('database_url')}: {error}"
        return
    if revision != newest_revision():
        yield f"the database is at {revision or 'nothing yet'}, this version needs {newest_revision()}: tracker migrate"
        return
    with db.read() as session:
        zones = session.scalars(select(Clinic.zone_name)).all()
    if not zones:
        yield "there is no clinic yet: tracker init"
    yield from _pause(config)
    for name in sorted({*zones, "America/New_York"}):
        with suppress(ZoneInfoNotFoundError):
            ZoneInfo(name)
            continue
        yield f"this machine knows no time zone {name}: pip install tzdata"


def _pause(config: Config) -> Iterator[str]:
    """A copy of a database that sends doesn't send until an administrator says so."""
    if not config.lets_out:
        return
    witness = Witness.of(config.database, config.folder)
    with db.read() as session:
        known = sending.pause(session)
        why = known.why if known else sending.would_pause(session, witness, now=clock.now())
    if not witness.is_writable():
        yield f"{witness.path} can't be written: without it nothing is sent"
    elif why:
        yield f"nothing is sent: {why} An administrator can say otherwise at {config.base_url}/settings/channels"


def _files() -> Iterator[str]:
    if not (static() / "vendor" / "htmx.min.js").is_file():
        yield "the front-end files are missing: make vendor, or install the tracker again"
