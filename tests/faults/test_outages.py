"""Short forms of what `make faults` measures at length: stopped workers, a broken record, a restored database."""

import pytest

from tests.factories import make_clinic
from tests.faults import outages, providers
from tests.faults.several import zombies


def test_a_worker_that_wakes_after_its_lease_changes_nothing_and_sends_nothing_twice(database):
    verdict = zombies(database)
    assert (verdict.doubled, verdict.lost, verdict.sent) == (0, 0, verdict.messages)


def test_one_broken_record_among_sixty(database):
    assert outages.broken(60) == (59, 1)


def test_all_that_fell_due_in_a_day_and_a_half_without_a_worker_is_accounted_for(database):
    account = outages.down(12)
    assert (account.unaccounted, account.share) == (0, 1.0)
    assert account.sent
    assert account.tasks


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_mail_server_that_fails_for_two_hours(database):
    line = providers.outage(make_clinic(), 0, "mail", "resets after the dot")
    assert (line.lost, line.doubled, line.uncertain) == (0, 0, line.tasks)
