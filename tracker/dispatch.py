"""What a worker does when it wakes: takes what is due, writes it, sends it, writes down what became of it.

Everything that is to be done stands in the database, so any number of workers may run, and one that is killed loses
nothing. What became of one message and the mark of the next are one commit: never more than one is on its way.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tracker import db
from tracker.channels.message import Channel, End, Message, Outcome
from tracker.compose import Desk, compose
from tracker.errors import Busy
from tracker.interop.mail import VERSIONS
from tracker.rules.delivery import LEASE, Event
from tracker.rules.vocabulary import AttemptOutcome, ReminderChannel
from tracker.services import answers, breaker, delivery, letters, receipts, sending, sweeping
from tracker.services.breaker import OPEN, Gate
from tracker.services.delivery import Result
from tracker.services.letters import Found, Lease, Letter, Verdict
from tracker.services.sending import Witness
from tracker.text import gettext as _

_log = logging.getLogger(__name__)

AT_ONCE = 50  # messages leased together
# How often a worker says that it is alive, keeps what waits for its turn, and looks after what others left over.
BEATS = timedelta(seconds=15)
_PAUSE = 1.0  # seconds, before the database is asked again
_OUTCOMES = {
    End.ACCEPTED: AttemptOutcome.ACCEPTED,
    End.LATER: AttemptOutcome.DEFERRED,
    End.NEVER: AttemptOutcome.REFUSED,
    End.UNKNOWN: AttemptOutcome.UNCERTAIN,
}
# What goes wrong at this stage is about whom it is for; anything else is the way's own trouble.
_THEIRS = frozenset({"recipient"})
_Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Ready:
    """A message that can leave."""

    letter: Letter
    message: Message


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that left, or may have, and isn't written down yet."""

    letter: Letter
    outcome: Outcome
    reason: str = ""  # in staff's words, where it wasn't the other side that said no


@dataclass
class Worker:
    """Everything a tick needs. Without a channel nothing is sent; `stopping` ends a tick between two messages."""

    channels: Mapping[ReminderChannel, Channel]
    desk: Desk
    name: str
    witness: Witness | None = None  # that this database is the one that sends; none where nothing leaves the house
    stopping: threading.Event = field(default_factory=threading.Event)
    _beat_at: datetime | None = None
    _swept_at: datetime | None = None
    _gates: dict[ReminderChannel, Gate] = field(default_factory=dict)

    def has_work(self, now: datetime) -> bool:
        """Return whether a tick would do anything. Raises Busy: the database can't answer."""
        if _is_over(self._beat_at, now):
            return True
        with db.read() as session:
            return sweeping.waits(session, now=now)

    def tick(self, now: datetime) -> Counter[str]:
        """Do what is to be done at `now`; return how many messages met which end.

        Raises:
            Busy: The database can't answer. What was leased goes back when its lease is over.
        """
        at = running(now)
        counts = self._apply_receipts(now)
        while True:
            leases = self._take(at(), counts)
            ends = self._send_all(leases, at)
            counts += ends
            # What was given back is due still; the next tick takes it.
            if self.stopping.is_set() or not ends - Counter(given_back=AT_ONCE, put_off=AT_ONCE):
                return counts

    def _apply_receipts(self, now: datetime) -> Counter[str]:
        with db.read() as session:
            texts = answers.left(session, now=now)
        done = _by_itself(receipts.apply, now=now)
        heard = sum(_by_itself(answers.catch_up, text, now=now) for text in texts if not self.stopping.is_set())
        return +Counter(receipts=done, answers=heard)

    def _take(self, now: datetime, counts: Counter[str]) -> list[Lease]:
        pulse, leases = None, []
        with db.transaction() as session:
            if _is_over(self._beat_at, now):
                sweeping.beat(session, self.name, now=now)
                self._beat_at = now
            if _is_over(self._swept_at, now):
                swept = sweeping.sweep(session, now=now)
                counts += Counter(returned=swept.back, uncertain=swept.uncertain, late=swept.late)
                self._swept_at = now
            self._gates = breaker.gates(session)
            pulse = sending.beat(session, self.witness, now=now) if self.witness else None
            allowed = pulse is not None or self.witness is None
            if allowed and not breaker.all_shut(self._gates, self.channels, now=now):
                leases = delivery.lease(session, limit=AT_ONCE, now=now)
        if self.witness and pulse:
            self.witness.write(pulse)  # before anything leaves: an older copy of the database is behind it then
        return leases

    def _prepare(self, leases: Sequence[Lease], now: datetime) -> tuple[list[Ready], Counter[str]]:
        """Return what can be sent; let happen to the others what is to become of them, and count it."""
        ready, verdicts = [], {}
        for lease, found in self._look(leases, now).items():
            one = self._write(found, now) if isinstance(found, Letter) else found
            if isinstance(one, Ready):
                ready.append(one)
            else:
                verdicts[lease] = one
        if verdicts:
            with db.transaction() as session:
                delivery.settle(session, verdicts, now=now)
        return ready, Counter(verdict.event.value for verdict in verdicts.values())

    def _look(self, leases: Sequence[Lease], now: datetime) -> dict[Lease, Found]:
        """Look at all at once; where one is broken, at each by itself: it must not keep others from theirs."""
        if not leases:
            return {}
        try:
            with db.read() as session:
                return letters.look(session, leases, now=now, ways=self.channels)
        except Busy:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was
            if len(leases) == 1:
                return {leases[0]: _broken(leases[0], error)}
        return {lease: found for one in leases for lease, found in self._look([one], now).items()}

    def _write(self, letter: Letter, now: datetime) -> Ready | Verdict:
        try:
            return Ready(letter, compose(self.desk, letter, now))
        except Exception as error:  # noqa: BLE001 - whatever it was
            return _broken(letter.lease, error)

    def _send_all(self, leases: Sequence[Lease], at: _Clock) -> Counter[str]:
        queue, ends = self._prepare(leases, at())
        before: Sent | None = None
        while queue or before:
            turn = self._settled(before, queue, at)
            queue = [ready for ready in queue if ready not in turn.gone]
            before = self._send(turn.marked) if turn.marked else None
            end = before.outcome.end.value if before else turn.how
            ends[end] += 1 if before else len(turn.gone)
        return +ends

    def _settled(self, before: Sent | None, queue: Sequence[Ready], at: _Clock) -> "Turn":
        """Write down what left, mark what leaves next: one commit. What left is worth waiting for the database."""
        until = at() + LEASE
        while True:
            try:
                with db.transaction() as session:
                    return self._turn(session, before, queue, at())
            except Busy:
                if before is None or at() >= until:
                    raise
                time.sleep(_PAUSE)
            except Exception as error:  # noqa: BLE001 - whatever it was
                return self._refused(before, queue, error, at())

    def _turn(self, session: Session, before: Sent | None, queue: Sequence[Ready], now: datetime) -> "Turn":
        if before is not None:
            self._record(session, before, now)
            if before.outcome.end is not End.ACCEPTED:
                # A task of it is an entry in the audit, to whose end everybody comes last: nothing is locked after it.
                return Turn()
        if not queue:
            return Turn()
        if self.stopping.is_set():
            delivery.give_back(session, _leases(queue), now=now)
            return Turn(gone=queue, how="given_back")
        first = queue[0]
        if (until := self._shut(session, first.letter.channel, now)) is not None:
            same = [ready for ready in queue if ready.letter.channel is first.letter.channel]
            delivery.put_off(session, _leases(same), _("It can't be sent just now; tried again soon."), until, now=now)
            return Turn(gone=same, how="put_off")
        if not delivery.mark(session, first.letter, now=now, words=VERSIONS.get(first.letter.purpose, 1)):
            delivery.give_back(session, _leases([first]), now=now)
            return Turn(gone=[first], how="given_back")
        if _is_over(self._beat_at, now):
            sweeping.beat(session, self.name, now=now)
            delivery.renew(session, _leases(queue[1:]), now=now)
            self._beat_at = now
        return Turn(gone=[first], marked=first)

    def _refused(self, before: Sent | None, queue: Sequence[Ready], error: Exception, now: datetime) -> "Turn":
        """The next message can't be marked. What left before it is written down all the same."""
        with db.transaction() as session:
            if before is not None:
                self._record(session, before, now)
            if not queue:
                return Turn()
            lease = queue[0].letter.lease
            delivery.settle(session, {lease: _broken(lease, error)}, now=now)
            return Turn(gone=queue[:1], how=Event.REFUSE.value)

    def _send(self, ready: Ready) -> Sent:
        # No transaction is open here: this may take as long as the channel's deadline.
        letter = ready.letter
        try:
            return Sent(letter, self.channels[letter.channel].send(ready.message))
        except ValueError as error:  # it isn't fit to be sent, and wasn't
            return Sent(letter, Outcome(End.NEVER, "write"), _broken(letter.lease, error).reason)
        except Exception as error:  # noqa: BLE001 - whatever it was
            _log.error("message %s: %s while it was sent", letter.lease.reminder_id, type(error).__name__)
            return Sent(letter, Outcome(End.UNKNOWN, "send", type(error).__name__))

    def _record(self, session: Session, sent: Sent, now: datetime) -> None:
        outcome, way = sent.outcome, sent.letter.channel
        chance = random.random()  # noqa: S311 - no secret
        delivery.record(session, sent.letter.lease, _result(sent), now=now, chance=chance)
        if outcome.end in (End.LATER, End.UNKNOWN) and outcome.stage not in _THEIRS:
            said = outcome.said or outcome.stage
            self._gates[way] = breaker.fail(session, way, said, now=now, wait=outcome.wait)
        elif self._gates.get(way, OPEN) != OPEN:
            breaker.work(session, way, now=now)
            self._gates[way] = OPEN

    def _shut(self, session: Session, way: ReminderChannel, now: datetime) -> datetime | None:
        """Return until when nothing goes this way. Of all workers one gets None when it is time to try."""
        gate = self._gates.get(way, OPEN)
        if gate.retry_at is not None and gate.retry_at <= now:
            if breaker.claim(session, way, gate, now=now):
                self._gates[way] = Gate(gate.failures, now + breaker.PROBE)
                return None
            gate = self._gates[way] = breaker.gates(session).get(way, OPEN)
        return gate.retry_at


@dataclass(frozen=True, slots=True)
class Turn:
    """What one commit came to: which message may be sent now, which ones are no more to be waited for, and how."""

    gone: Sequence[Ready] = ()
    how: str = ""
    marked: Ready | None = None


def _by_itself(do: Callable[..., int], *what: object, now: datetime) -> int:
    """Do what comes from outside, in a transaction of its own; return how many are done with.

    What fails is tried again the next time: it must keep neither the rest waiting nor messages from going out.
    """
    try:
        with db.transaction() as session:
            return do(session, *what, now=now)
    except Exception as error:  # noqa: BLE001 - whatever it was; its text may quote a patient
        _log.error("what came from outside waits: %s", type(error).__name__)
        return 0


def _is_over(since: datetime | None, now: datetime) -> bool:
    return since is None or not timedelta() <= now - since < BEATS


def _leases(queue: Sequence[Ready]) -> list[Lease]:
    return [ready.letter.lease for ready in queue]


def _result(sent: Sent) -> Result:
    outcome = sent.outcome
    return Result(
        outcome=_OUTCOMES[outcome.end],
        detail=f"{outcome.stage}: {outcome.said}" if outcome.said else outcome.stage,
        reason=sent.reason,
        bad_address=outcome.bad_address,
        opted_out=outcome.opted_out,
        external_id=outcome.external_id,
        segments=outcome.segments,
        spent=outcome.spent,
        wait=outcome.wait,
    )


def _broken(lease: Lease, error: Exception) -> Verdict:
    # Its text may name the patient; the type and the id are enough to find it.
    _log.error("message %s can't be written: %s", lease.reminder_id, type(error).__name__)
    return Verdict(Event.REFUSE, _("It could not be written. Tell whoever looks after this program."))


def running(now: datetime) -> _Clock:
    """Return a clock that shows `now` and goes on from there: leases run out while we send."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)
