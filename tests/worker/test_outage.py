"""A way out of the house that is down: left alone, tried with one message, nothing lost, no try spent."""

from collections import Counter
from datetime import timedelta

import pytest

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tracker import db
from tracker.channels.message import End, Message, Outcome
from tracker.compose import Desk
from tracker.dispatch import Worker
from tracker.errors import Busy
from tracker.models import Attempt, ContactPoint, ProviderState, Task
from tracker.rules.delivery import OPENS_AFTER, PAUSES, SPREAD
from tracker.rules.vocabulary import ReminderChannel, ReminderStatus
from tracker.services import consent
from tracker.services.delivery import LEASE

DESK = Desk(b"k" * 32, "https://visits.example.org", "visits@clinic.example")
DOWN = Outcome(End.LATER, "connect", "refused")
UP = Outcome(End.ACCEPTED, "dot", "250 OK")
MINUTE = timedelta(minutes=1)


class Scripted:
    """A channel that does as told, and knows what it was asked to send."""

    seconds = 5.0

    def __init__(self, outcome: Outcome = UP) -> None:
        self.outcome = outcome
        self.asked: list[Message] = []

    def send(self, message: Message) -> Outcome:
        """Answer."""
        self.asked.append(message)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def channel(database):
    """Let twenty patients be told their dates."""
    mailroom.many(make_clinic(), 20, NOW + timedelta(days=7))
    return Scripted()


def worker(channel, name: str = "one") -> Worker:
    """Return a worker with this way to send letters."""
    return Worker({ReminderChannel.EMAIL: channel}, DESK, name)


def told() -> list:
    """Return the messages that say the dates."""
    return [row for row in mailroom.messages() if row.purpose == "itinerary"]


def states() -> Counter:
    """Return how many of them stand how."""
    return Counter(row.status.value for row in told())


def test_after_five_failures_the_others_wait_and_spend_no_try(channel):
    channel.outcome = DOWN
    assert worker(channel).tick(NOW) == {"later": OPENS_AFTER, "put_off": 20 - OPENS_AFTER}
    assert sorted(row.attempts for row in told()) == [0] * (20 - OPENS_AFTER) + [1] * OPENS_AFTER
    assert worker(channel, "two").tick(NOW + MINUTE / 3) == {}, "another worker leaves it alone, too"
    assert len(channel.asked) == OPENS_AFTER


def test_one_message_tries_and_the_others_wait_for_it(channel):
    channel.outcome = DOWN
    sender = worker(channel)
    sender.tick(NOW)
    for minute in range(1, 61):
        sender.tick(NOW + minute * MINUTE)
    tries = len(channel.asked) - OPENS_AFTER
    assert 10 <= tries <= 15, "soon at first, then one in five minutes, for an hour"
    assert states() == {"scheduled": 20}
    channel.outcome = UP
    until = 60 + int(PAUSES[-1] / MINUTE * (1 + SPREAD)) + 10  # one may have been the try five times
    after = [sender.tick(NOW + minute * MINUTE) for minute in range(61, until, 5)]
    assert sum((Counter(one) for one in after), Counter())["accepted"] == 20
    assert states() == {"accepted": 20}
    assert len({message.id for message in channel.asked[-20:]}) == 20, "each once"


def test_when_it_works_again_all_that_wait_go_at_once(channel):
    channel.outcome = DOWN
    sender = worker(channel)
    sender.tick(NOW)
    channel.outcome = UP
    counts = sender.tick(NOW + MINUTE)
    assert counts["accepted"] >= 20 - OPENS_AFTER
    with db.read() as session:
        state = session.get_one(ProviderState, "email")
    assert (state.failures, state.down_since, state.retry_at) == (0, None, None)


def test_an_outage_past_its_use_ends_in_tasks_never_in_silence(channel):
    channel.outcome = DOWN
    sender = worker(channel)
    for hour in range(0, 8 * 24, 3):
        sender.tick(NOW + timedelta(hours=hour))
    ends = states()
    assert set(ends) <= {"expired", "failed"}
    asked = {task.key.split(":")[1] for task in mailroom.rows(Task)}
    assert {str(row.id) for row in told()} <= asked


def test_being_told_to_come_back_later_spends_no_try_and_is_kept_to(channel):
    channel.outcome = Outcome(End.LATER, "status", "429", spent=False, wait=timedelta(minutes=10))
    sender = worker(channel)
    assert sender.tick(NOW) == {"later": 1, "put_off": 19}
    assert {row.attempts for row in told()} == {0}
    assert sender.tick(NOW + 9 * MINUTE) == {}
    channel.outcome = UP
    assert sender.tick(NOW + 10 * MINUTE + timedelta(seconds=1)) == {"accepted": 20}


def test_addresses_that_nobody_knows_shut_nothing(channel):
    channel.outcome = Outcome(End.NEVER, "recipient", "550", bad_address=True)
    assert worker(channel).tick(NOW) == {"never": 20}


def test_a_mail_server_that_asks_for_patience_with_one_recipient_shuts_nothing(channel):
    channel.outcome = Outcome(End.LATER, "recipient", "450 greylisted")
    assert worker(channel).tick(NOW) == {"later": 20}


@pytest.mark.parametrize(
    ("error", "end", "kind"),
    [
        (ValueError("no header"), ReminderStatus.FAILED, "undelivered"),
        (OSError("?"), ReminderStatus.UNCERTAIN, "uncertain"),
    ],
)
def test_a_channel_that_falls_over_is_believed_only_where_it_says_that_nothing_was_sent(channel, error, end, kind):
    channel.outcome = error
    worker(channel).tick(NOW)
    assert {row.status for row in told()} & {end} == {end}
    assert {task.kind for task in mailroom.rows(Task)} == {kind}


def test_a_batch_that_takes_longer_than_a_lease_is_not_taken_away(channel, monkeypatch):
    """Each send takes half a minute; another worker looks in between, and gets nothing."""
    clock = [NOW]
    monkeypatch.setattr("tracker.dispatch.running", lambda _now: lambda: clock[0])
    other = worker(Scripted(), "two")
    taken = []

    class Slow(Scripted):
        def send(self, message: Message) -> Outcome:
            clock[0] += timedelta(seconds=29)
            taken.append(other.tick(clock[0]))
            return super().send(message)

    slow = Slow()
    assert worker(slow).tick(NOW)["accepted"] == 20
    assert 20 * timedelta(seconds=29) > 4 * LEASE
    assert [counts for counts in taken if counts] == []
    assert states() == {"accepted": 20}


def test_the_database_that_is_away_when_a_message_left_is_waited_for(channel, monkeypatch):
    """Its answer is known: it must not end uncertain because the first try to write it down failed."""
    monkeypatch.setattr("tracker.dispatch._PAUSE", 0.01)
    sender = worker(channel)
    turn, away = sender._turn, [2]

    def failing(session, before, queue, now):
        if before is not None and away[0]:
            away[0] -= 1
            raise Busy("away")
        return turn(session, before, queue, now)

    sender._turn = failing
    assert sender.tick(NOW) == {"accepted": 20}
    assert {attempt.outcome.value for attempt in mailroom.rows(Attempt)} == {"accepted"}


def test_a_message_that_can_not_be_marked_takes_nothing_down_with_it(channel, monkeypatch):
    sender = worker(channel)
    turn, broken = sender._turn, [3]

    def failing(session, before, queue, now):
        broken[0] -= 1
        found = turn(session, before, queue, now)
        if not broken[0]:
            raise ZeroDivisionError
        return found

    sender._turn = failing
    assert sender.tick(NOW) == {"accepted": 19, "refuse": 1}
    assert states() == {"accepted": 19, "failed": 1}


@pytest.mark.parametrize("looks", [(24,), (4, 24), (24, 25)])
def test_whom_nobody_can_write_to_is_called_once_before_a_visit_whenever_somebody_looks(database, looks):
    """Her reminder falls due four hours from now, the one of the same day in time for it to be overtaken."""
    house = make_clinic()
    mailroom.series(house, mailroom.patient(house, "Ada", email=None), NOW + 28 * 60 * MINUTE)
    for hours in looks:
        worker(Scripted()).tick(NOW + hours * 60 * MINUTE)
    assert [task.kind for task in mailroom.rows(Task)] == ["undelivered"]


def test_who_stops_messages_after_the_reminder_is_not_called_because_of_the_same_days(channel):
    """She knows of it already."""
    house = make_clinic()
    patient_id = mailroom.patient(house, "Ada")
    mailroom.series(house, patient_id, NOW + 28 * 60 * MINUTE)
    worker(channel).tick(NOW + 4 * 60 * MINUTE)
    with db.transaction() as session:
        for point in session.query(ContactPoint).filter_by(patient_id=patient_id):
            consent.stop(session, house.coordinator, point, consent.TO_STAFF, now=NOW + 5 * 60 * MINUTE)
    worker(channel).tick(NOW + 24 * 60 * MINUTE)
    assert [task for task in mailroom.rows(Task) if task.patient_id == patient_id] == []
