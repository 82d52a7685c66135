"""Which ways out of the house an installation has, by its settings."""

from collections.abc import Callable

from tracker.channels.message import Channel, Message
from tracker.channels.outbox import Outbox
from tracker.channels.sms import Account, Sms
from tracker.channels.smtp import Server, Smtp
from tracker.config import Config
from tracker.rules.vocabulary import ReminderChannel


def ways(config: Config, keep: Callable[[Message, str], None]) -> dict[ReminderChannel, Channel]:
    """Return a channel for each way that is set up.

    Where nothing may leave, as in the demonstration, all are there and `keep` gets what would have gone out.
    """
    if not config.lets_out:
        return {ReminderChannel.EMAIL: Outbox(keep), ReminderChannel.SMS: Outbox(keep, texts=True)}
    found: dict[ReminderChannel, Channel] = {}
    if has_mail(config):
        found[ReminderChannel.EMAIL] = Smtp(mail_server(config))
    if has_sms(config):
        found[ReminderChannel.SMS] = Sms(sms_account(config))
    return found


def has_mail(config: Config) -> bool:
    """Return whether e-mail is set up."""
    return bool(config.mail_host)


def has_sms(config: Config) -> bool:
    """Return whether texts are set up."""
    return bool(config.sms_account and config.sms_token and config.sms_from)


def mail_server(config: Config) -> Server:
    """Return the mail server of the settings."""
    return Server(
        config.mail_host, config.mail_port, config.mail_security.value, config.mail_user, config.mail_password
    )


def sms_account(config: Config) -> Account:
    """Return the texts' account of the settings."""
    return Account(config.sms_account, config.sms_token, config.sms_from, config.base_url, config.sms_api)
