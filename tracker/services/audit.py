"""The clinic's memory of who looked and who changed. One chain a clinic: each entry carries the hash of the one before.

`record` locks the end of the chain, so a service calls it last, when it holds every other lock it needs.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from tracker.models import AuditEntry, AuditHead
from tracker.rules.permissions import Actor

START = "0" * 64  # what the first entry points back to

# Every page leaves an entry, so these are put together once.
_OF = AuditHead.clinic_id == bindparam("of")
_HEAD = select(AuditHead.seq, AuditHead.hash).where(_OF).with_for_update()
_NEXT = update(AuditHead).where(_OF)
_ENTRY = insert(AuditEntry)
_COLUMNS = [column.name for column in AuditEntry.__table__.columns]


def begin(session: Session, clinic_id: UUID) -> None:
    """Begin the chain of a new clinic."""
    session.add(AuditHead(clinic_id=clinic_id, seq=0, hash=START))


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    now: datetime,
    patient_id: UUID | None = None,
    subject: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Append one entry to the chain of the actor's clinic.

    Args:
        session: An open transaction; without the entry it must not commit.
        actor: Who did it.
        action: What was done, "read patient", "book course".
        now: When.
        patient_id: Whose record it was.
        subject: Which row, "visit 0192…".
        detail: What else matters; plain JSON, no free text of patients.
    """
    session.flush()  # whatever this is the entry of
    rows, here = session.connection(), {"of": actor.clinic_id}
    seq, previous_hash = rows.execute(_HEAD, here).one()
    entry = AuditEntry(
        clinic_id=actor.clinic_id,
        seq=seq + 1,
        at=now,
        actor_id=actor.user_id,
        actor_name=actor.name,
        action=action,
        patient_id=patient_id,
        subject=subject,
        detail=detail or {},
        previous_hash=previous_hash,
    )
    entry.hash = digest(entry)
    rows.execute(_ENTRY, {column: getattr(entry, column) for column in _COLUMNS})
    rows.execute(_NEXT, here | {"seq": entry.seq, "hash": entry.hash})


def digest(entry: AuditEntry) -> str:
    """Return the SHA-256, in hex, of everything the entry says and of the hash before it."""
    said = [
        str(entry.clinic_id),
        entry.seq,
        entry.at.isoformat(timespec="microseconds"),
        str(entry.actor_id),
        entry.actor_name,
        entry.action,
        str(entry.patient_id),
        entry.subject,
        entry.detail,
        entry.previous_hash,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: how many entries there are, the last one's hash, and each fault in words."""

    count: int
    head: str
    faults: tuple[str, ...]


def verify(session: Session, clinic_id: UUID, *, head: str | None = None, count: int | None = None) -> Verdict:
    """Check a clinic's chain from its first entry to its last.

    An edited, deleted, inserted or moved entry is found from the chain alone; a cut tail and a swapped table only with
    the `head` hash and `count` that were printed or kept outside.
    """
    length, last, faults = 0, START, []
    kept_hash = None
    for entry in _entries(session, clinic_id):
        length += 1
        if entry.seq != length:
            faults.append(f"entry {length} is missing")
            length = entry.seq
        if entry.previous_hash != last:
            faults.append(f"entry {entry.seq} does not follow the one before it")
        if digest(entry) != entry.hash:
            faults.append(f"entry {entry.seq} was changed")
        last = entry.hash
        if entry.seq == count:
            kept_hash = last
    stored = session.get(AuditHead, clinic_id)
    if (stored.seq, stored.hash) != (length, last) if stored else length:
        faults.append("the chain does not end where its head says")
    if count is not None and head is not None and kept_hash != head:
        faults.append(f"entry {count} is not the one with the hash you gave")
    return Verdict(length, last, tuple(faults))


def _entries(session: Session, clinic_id: UUID) -> Iterator[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.clinic_id == clinic_id).order_by(AuditEntry.seq)
    yield from session.scalars(query.execution_options(yield_per=1000))
