"""Whether messages may leave this installation: not from a copy of its database, not from an older one brought back.

Such a database would send what the other has sent. So it is told by a witness outside of it: a small file that knows
how often the worker has beaten, where it lies, and whose beats these are. The worker beats first in the database, then
in the file, and only then sends; so a database that is behind the file isn't the one that was sending. A PostgreSQL
knows more: which cluster and which database it is, on which timeline, and whether the row of the beats was written by
the transaction that it says (what a dump brings back was not).

It can't be told when the whole machine is set back or copied, nor when somebody copies an old folder into this one,
file by file and with the files' times (`cp -a old/. here/`).
"""

import contextlib
import fcntl
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Clinic, Reminder, Sending
from tracker.models.base import insert_unless
from tracker.rules.delivery import Event
from tracker.rules.permissions import Actor
from tracker.services import audit, delivery, undelivered
from tracker.text import gettext as _

DEMONSTRATION = "demonstration"  # for ever: its patients are invented, its addresses may not be
_ONLY = 1
_MOMENT = 60  # seconds between what the file says of its time and its time
_FRESH = timedelta(minutes=10)  # a worker takes up a permission within this time; later it needs another one


@dataclass(frozen=True, slots=True)
class Pulse:
    """The beats of one installation."""

    name: str
    beats: int
    at: int  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when nothing is sent, and why."""

    since: datetime
    why: str
    for_ever: bool = False  # nobody can say otherwise


class Witness:
    """A small file outside of the database that knows how often the worker has beaten.

    It is written in place: its inode is part of what tells it from a copy.
    """

    def __init__(self, path: Path, *, needed: bool = True) -> None:
        self.path = path
        self.needed = needed  # a PostgreSQL is known by more; a worker may run where nothing can be written

    @classmethod
    def of(cls, database: str, folder: Path) -> "Witness":
        """Return the one of a database: beside its file, or in the installation's folder."""
        file = database.removeprefix("sqlite:///")
        return cls(folder / "sending.beats", needed=False) if file == database else cls(Path(f"{file}.beats"))

    def read(self) -> Pulse | None:
        """Return what it knows; None if it isn't there, or isn't one, or was put there from a backup."""
        try:
            name, beats, at = self.path.read_text(encoding="ascii").split()
            # Copied over, what it says is older than the file.
            ours = abs(self.path.stat().st_mtime - int(at)) < _MOMENT
            return Pulse(name, int(beats), int(at)) if ours else None
        except (OSError, ValueError):
            return None

    def write(self, pulse: Pulse) -> None:
        """Let it know, for good. Of several workers the last beat stays. OSError: it is needed and can't be written."""
        with contextlib.nullcontext() if self.needed else contextlib.suppress(OSError):
            self._write(pulse)

    def _write(self, pulse: Pulse) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            known = self.read()
            if known and known.name == pulse.name and known.beats > pulse.beats:
                return
            os.pwrite(handle, f"{pulse.name} {pulse.beats:020d} {pulse.at:020d}\n".encode("ascii"), 0)
            os.utime(handle, (pulse.at, pulse.at))
            os.fsync(handle)
        finally:
            os.close(handle)

    def is_writable(self) -> bool:
        """Return whether it can be written, or isn't needed, as far as one sees without doing so."""
        if not self.needed:
            return True
        try:
            os.close(os.open(self.path, os.O_RDWR))
        except FileNotFoundError:
            return os.access(self.path.parent, os.W_OK)
        except OSError:
            return False
        return True

    def place(self) -> str:
        """Return which file it is, as a short word. A copy is another. OSError: there is none."""
        where = f"{self.path.stat().st_ino} {self.path.resolve()}"
        return hashlib.sha256(where.encode()).hexdigest()[:24]


def beat(session: Session, witness: Witness, *, now: datetime) -> Pulse | None:
    """Beat once, in the database; None if nothing may be sent.

    The caller commits, gives what this returns to `witness.write`, and sends only then.
    """
    row = _row(session)
    if row.paused_at is not None:
        return None
    # What nobody can write may be what nobody can read: then it can't be told either whether this is a copy.
    row.paused_why = "" if witness.is_writable() else _("A file beside the database can't be written.")
    if row.paused_why:
        return None
    if not row.witness:
        why = _too_late_to_begin(session, row, witness, now)
        if not why:
            _begin(session, row, witness, now)
    else:
        why = _mismatch(session, row, witness)
    if why:
        _pause(session, row, why, now)
        return None
    row.beats += 1
    session.flush()
    _sign(session, row)
    return Pulse(_name(row), row.beats, int(now.timestamp()))


def pause(session: Session) -> Pause | None:
    """Return whether sending is paused, since when and why."""
    found = session.execute(select(Sending.paused_at, Sending.paused_why, Sending.witness)).first()
    if found is None or found.paused_at is None:
        return None
    return Pause(found.paused_at, found.paused_why, for_ever=found.witness == DEMONSTRATION)


def would_pause(session: Session, witness: Witness, *, now: datetime) -> str:
    """Return why the next beat would find that nothing may be sent; "" if it wouldn't. Changes nothing."""
    row = session.get(Sending, _ONLY)
    if row is None or row.paused_at is not None:
        return row.paused_why if row else ""
    return _mismatch(session, row, witness) if row.witness else _too_late_to_begin(session, row, witness, now)


def resume(session: Session, actor: Actor, reason: str, *, left_already: bool, now: datetime) -> int:
    """Let messages leave again, because an administrator says so; return how many became tasks instead.

    Args:
        reason: In the administrator's words, for the audit.
        left_already: Another installation may have sent what became due meanwhile. Then it isn't sent: somebody looks
            after each.

    Raises:
        Refused: It isn't paused, or is the demonstration.
    """
    row = _row(session)
    if row.paused_at is None:
        raise Refused(_("Sending isn't paused."))
    if row.witness == DEMONSTRATION:
        raise Refused(_("This is the demonstration's database. Nothing is ever sent from it."))
    why = row.paused_why
    row.paused_at, row.paused_why = None, ""
    # The next beat begins anew, whatever the file says.
    row.witness, row.resumed_at, row.resumed_by = "", now, actor.user_id
    session.flush()
    asked = _give_to_people(session, now) if left_already else 0
    detail = {"why": why, "reason": reason, "given to people": asked}
    audit.record(session, actor, "sending resumed", detail=detail, now=now)
    return asked


def seal(session: Session, *, now: datetime) -> None:
    """Let nothing ever leave from this database: it is the demonstration's."""
    row = _row(session)
    row.witness, row.paused_at = DEMONSTRATION, now
    row.paused_why = _("This is the demonstration's database.")


def _row(session: Session) -> Sending:
    first = {"id": _ONLY, "witness": "", "beats": 0, "paused_why": ""}
    session.execute(insert_unless(session, Sending).values(first).on_conflict_do_nothing())
    return session.get_one(Sending, _ONLY, with_for_update=True, populate_existing=True)


def _pause(session: Session, row: Sending, why: str, now: datetime) -> None:
    row.paused_at, row.paused_why = now, why
    for clinic_id in session.scalars(select(Clinic.id).order_by(Clinic.id)).all():
        actor = Actor(clinic_id, None, None, "reminders")
        audit.record(session, actor, "sending paused", detail={"why": why}, now=now)


def _give_to_people(session: Session, now: datetime) -> int:
    reason = _("It may have left from the installation that this one is a copy of.")
    gone = delivery.change(session, Event.EXPIRE, Reminder.send_at <= now, now=now, reason=reason)
    undelivered.ask_each(session, gone, now=now)
    return len(gone)


def _begin(session: Session, row: Sending, witness: Witness, now: datetime) -> None:
    """Give the database a name, and the file the same. If the commit fails, the file knows of no beat yet."""
    name = uuid4().hex
    witness.write(Pulse(name, 0, int(now.timestamp())))
    row.witness, row.beats = f"{name} {_identity(session, witness)}", 0


def _too_late_to_begin(session: Session, row: Sending, witness: Witness, now: datetime) -> str:
    """A database that never sent may begin, unless the file beside it knows that one did."""
    if row.resumed_at is not None and now - row.resumed_at < _FRESH:
        return ""
    known = witness.read()
    if not witness.path.exists() or (known is not None and known.beats == 0):
        return ""
    planned = session.scalar(select(select(Reminder.id).exists()))
    return _older() if planned else ""


def _mismatch(session: Session, row: Sending, witness: Witness) -> str:
    known, in_a_file = witness.read(), session.get_bind().dialect.name == "sqlite"
    try:
        same_place = _identity(session, witness) == row.witness.split()[1]
    except FileNotFoundError:
        same_place = False
    if not same_place or (in_a_file and (known is None or known.name != _name(row))):
        return _copied()
    behind = known is not None and known.name == _name(row) and known.beats > row.beats
    return _older() if behind or not _signed(session) else ""


def _older() -> str:
    return _("An older copy of the database was brought back. What it still wants to send may have been sent.")


def _copied() -> str:
    return _("This is a copy of the database, or it was moved. The one it was made from may be sending.")


def _name(row: Sending) -> str:
    return row.witness.partition(" ")[0]


def _identity(session: Session, witness: Witness) -> str:
    """Return which database this is. FileNotFoundError: the file that would say so isn't there."""
    if session.get_bind().dialect.name == "sqlite":
        return witness.place()
    return str(session.scalar(text(_WHICH)))


# Anybody may ask so by default; where an administrator took that away, the database's own number must do.
_WHICH = """
SELECT concat_ws(':',
    CASE WHEN has_function_privilege('pg_control_system()', 'execute')
        THEN (SELECT system_identifier::text FROM pg_control_system()) END,
    (SELECT oid::text FROM pg_database WHERE datname = current_database()),
    CASE WHEN has_function_privilege('pg_control_checkpoint()', 'execute')
        THEN (SELECT timeline_id::text FROM pg_control_checkpoint()) END)
"""
# PostgreSQL knows which transaction wrote a row, and keeps that when it packs a table anew. What a dump brings back was
# written by whoever read the dump in.
_SIGN = "UPDATE sending SET witness = :mine || ' ' || pg_current_xact_id()::xid::text"
_SIGNED = "SELECT split_part(witness, ' ', 3) = xmin::text FROM sending"


def _sign(session: Session, row: Sending) -> None:
    if session.get_bind().dialect.name != "sqlite":
        session.execute(text(_SIGN), {"mine": " ".join(row.witness.split()[:2])})


def _signed(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite" or bool(session.scalar(text(_SIGNED)))
