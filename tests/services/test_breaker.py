"""A way that fails is left alone by all workers, and tried by one."""

from datetime import timedelta

import pytest

from tests.conftest import NOW
from tracker import db
from tracker.models import ProviderState
from tracker.rules.delivery import OPENS_AFTER, rest
from tracker.rules.vocabulary import ReminderChannel
from tracker.services import breaker
from tracker.services.breaker import OPEN, PROBE, Gate

MAIL, SMS = ReminderChannel.EMAIL, ReminderChannel.SMS
SECOND = timedelta(seconds=1)


def fail(times: int = 1, *, now=NOW, wait=None) -> Gate:
    """Let mail fail so often."""
    gate = OPEN
    for _ in range(times):
        with db.transaction() as session:
            gate = breaker.fail(session, MAIL, "connect: refused", now=now, wait=wait)
    return gate


def gates() -> dict[ReminderChannel, Gate]:
    """Return how the ways stand."""
    with db.read() as session:
        return breaker.gates(session)


def claim(gate: Gate, now) -> bool:
    """Try to be the one who tries."""
    with db.transaction() as session:
        return breaker.claim(session, MAIL, gate, now=now)


def test_four_failures_change_nothing_and_the_fifth_shuts_the_way(database):
    assert fail(OPENS_AFTER - 1).retry_at is None
    shut = fail()
    assert shut == Gate(OPENS_AFTER, NOW + rest(OPENS_AFTER)) == gates()[MAIL]
    with db.read() as session:
        row = session.get_one(ProviderState, "email")
    assert (row.down_since, row.reason) == (NOW, "connect: refused")


def test_down_since_is_when_it_began(database):
    fail(OPENS_AFTER)
    fail(now=NOW + timedelta(hours=1))
    with db.read() as session:
        assert session.get_one(ProviderState, "email").down_since == NOW


def test_what_the_other_side_asks_for_is_kept_to_at_once(database):
    assert fail(wait=timedelta(minutes=7)).retry_at == NOW + timedelta(minutes=7)


def test_one_of_many_tries(database):
    shut = fail(OPENS_AFTER)
    assert [claim(shut, shut.retry_at) for _ in range(3)] == [True, False, False]
    assert gates()[MAIL].retry_at == shut.retry_at + PROBE, "if it dies, somebody else tries a minute later"
    assert claim(gates()[MAIL], shut.retry_at + PROBE)


def test_success_opens_it(database):
    fail(OPENS_AFTER)
    with db.transaction() as session:
        breaker.work(session, MAIL, now=NOW + SECOND)
    assert gates()[MAIL] == OPEN
    assert fail(OPENS_AFTER - 1).retry_at is None, "counted from the beginning again"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_all_are_shut_only_if_each_is(database):
    shut = fail(OPENS_AFTER)
    assert breaker.all_shut(gates(), [MAIL], now=NOW)
    assert not breaker.all_shut(gates(), [MAIL, SMS], now=NOW)
    assert not breaker.all_shut(gates(), [MAIL], now=shut.retry_at), "it is time to try"
    assert breaker.all_shut({}, [], now=NOW), "no way at all"


def test_pauses_grow_to_five_minutes():
    assert [rest(n).total_seconds() for n in range(OPENS_AFTER, OPENS_AFTER + 6)] == [30, 60, 120, 240, 300, 300]
    assert rest(10_000) == timedelta(minutes=5)
