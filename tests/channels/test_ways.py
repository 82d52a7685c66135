"""The settings decide which ways there are; from the demonstration there is none that leaves the house."""

import pytest

from tests.channels.test_message import message, text
from tracker.channels.outbox import Outbox
from tracker.channels.sms import Sms
from tracker.channels.smtp import Smtp
from tracker.channels.ways import ways
from tracker.config import Config
from tracker.rules.vocabulary import ReminderChannel

MAIL = {"mail_host": "mail.example.org", "mail_from": "visits@clinic.example"}
SMS = {"sms_account": "AC1", "sms_token": "secret", "sms_from": "+15055550100"}


def kinds(**settings) -> dict:
    """Return what kind of channel each way has."""
    return {way: type(channel) for way, channel in ways(Config(**settings), print).items()}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {}),
        (MAIL, {ReminderChannel.EMAIL: Smtp}),
        (SMS, {ReminderChannel.SMS: Sms}),
        (MAIL | SMS, {ReminderChannel.EMAIL: Smtp, ReminderChannel.SMS: Sms}),
        (SMS | {"sms_token": ""}, {}),
        (SMS | {"sms_from": ""}, {}),
    ],
)
def test_each_way_needs_all_of_its_settings(settings, expected):
    assert kinds(**settings) == expected


@pytest.mark.parametrize("stop", [{"sending": False}, {"demo": True}, {"demo": True, "sending": True}])
def test_where_nothing_may_leave_everything_is_kept(stop):
    """Also where the settings of a real clinic lie about."""
    assert set(kinds(**MAIL, **SMS, **stop).values()) == {Outbox}
    kept = []
    found = ways(Config(**MAIL, **SMS, **stop), lambda sent, whole: kept.append((sent.id, whole)))
    found[ReminderChannel.EMAIL].send(message())
    found[ReminderChannel.SMS].send(text())
    assert [whole.count("Hello Ada") for _, whole in kept] == [2, 1]
