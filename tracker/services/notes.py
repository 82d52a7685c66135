"""The note on a visit: written from what is already known, edited, signed, and then locked by the database."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Refused, Stale
from tracker.models import Addendum, Note
from tracker.rules import adverse_events, dosing, vitals
from tracker.rules import visit as story
from tracker.rules.fields import Command, Number, Text
from tracker.rules.permissions import Actor, Permission
from tracker.rules.vocabulary import SideEffectAction, SignMeaning, VisitStatus
from tracker.services import clinic, visit_record
from tracker.services.visit_record import VisitRecord, note_down
from tracker.text import gettext as _
from tracker.text import say_time


def written(record: VisitRecord, now: datetime) -> str:
    """Return the note as the tracker would write it: nobody types a number twice."""
    parts = [
        *_treatment(record, now),
        *_signs(record),
        *_effects(record),
        *_end(record),
    ]
    return "\n".join(parts)


def _clock(record: VisitRecord, at: datetime) -> str:
    return say_time(at, record.clinic.zone, record.clinic.country)


def _treatment(record: VisitRecord, now: datetime) -> Iterator[str]:
    yield _("Infusion %(n)s of %(of)s.", n=record.visit.ordinal, of=record.protocol.visits)
    dose = record.dose
    if dose:
        yield _(
            "Weight %(kg)s kg; %(mg)s mg drawn up (%(c)s mg/mL, %(ml)s mL), over %(minutes)s min.",
            kg=dosing.plain(dose.weight_kg),
            mg=dosing.plain(dose.mg),
            c=dosing.plain(dose.concentration_mg_per_ml),
            ml=dosing.plain(dose.ml),
            minutes=dose.minutes,
        )
        if dose.checked_by:
            yield _("Checked by %(name)s.", name=record.people.get(dose.checked_by, ""))
    started, ended = record.started_at, record.ended_at
    if started:
        yield _("Started %(at)s.", at=_clock(record, started))
    if started and ended and dose:
        given = dosing.plain(record.given_mg(ended) or dose.mg)
        yield _("Ended %(at)s; %(mg)s mg given.", at=_clock(record, ended), mg=given)
    for event in record.events:
        if event.kind == "status" and event.to_status is VisitStatus.PAUSED:
            yield _("Paused %(at)s: %(why)s.", at=_clock(record, event.occurred_at), why=event.detail)
    for event in record.events:
        if event.kind == visit_record.OVERRIDE:
            yield _("Let pass by a physician: %(what)s.", what=event.detail)


def _signs(record: VisitRecord) -> Iterator[str]:
    baseline = record.baseline
    if baseline and baseline.systolic:
        yield _(
            "Before: %(s)s/%(d)s, pulse %(p)s, SpO₂ %(o)s %%.",
            s=baseline.systolic,
            d=baseline.diastolic,
            p=baseline.heart_rate or "–",
            o=baseline.spo2 or "–",
        )
    during = [row for row in record.readings if row.due != visit_record.BASE and row.systolic is not None]
    if during:
        peak = max(during, key=lambda row: row.systolic or 0)
        yield _("Peak: %(s)s/%(d)s at %(at)s.", s=peak.systolic, d=peak.diastolic, at=_clock(record, peak.occurred_at))
    lowest = min((row.spo2 for row in during if row.spo2 is not None), default=None)
    if lowest is not None:
        yield _("Lowest SpO₂: %(o)s %%.", o=lowest)
    for row in during:
        for finding in vitals.findings(visit_record.reading(row), baseline, record.settings):
            if finding.band is vitals.Band.RED:
                yield _("%(at)s: %(rule)s.", at=_clock(record, row.occurred_at), rule=finding.rule)


def _effects(record: VisitRecord) -> Iterator[str]:
    if not record.effects:
        yield _("No side effects noted.")
    for effect in record.effects:
        label = adverse_events.TERMS[effect.term].label if effect.term in adverse_events.TERMS else effect.term
        line = _("%(what)s, %(how)s, from %(at)s", what=label, how=effect.severity, at=_clock(record, effect.onset_at))
        if effect.resolved_at:
            line += _(" to %(at)s", at=_clock(record, effect.resolved_at))
        if effect.action is not SideEffectAction.NONE:
            line += "; " + (effect.action_detail or say_action(effect.action))
        yield line + "."


def say_action(action: SideEffectAction) -> str:
    """Return the staff's words for what was done about a side effect."""
    return {
        SideEffectAction.NONE: _("nothing needed"),
        SideEffectAction.SLOWED: _("slowed"),
        SideEffectAction.PAUSED: _("paused"),
        SideEffectAction.STOPPED: _("stopped"),
        SideEffectAction.MEDICINE: _("medicine given"),
    }[action]


def _end(record: VisitRecord) -> Iterator[str]:
    over = [event for event in record.events if event.kind == "status" and event.to_status in story.OVER]
    if over and record.steps and record.steps[-1].status in story.OVER:
        last = over[-1]
        assert last.to_status
        said = story.say(last.to_status).capitalize()
        yield f"{said} {_clock(record, last.occurred_at)}." + (f" {last.detail}." if last.detail else "")


class WriteNote(Command):
    """The text of a note, as edited; `version` of the draft it was opened with, 0 for a new one."""

    body: Text
    version: Number = 0


def save(session: Session, actor: Actor, visit_id: UUID, command: WriteNote, *, now: datetime) -> Note:
    """Keep a draft. There is one draft a visit.

    Raises:
        Refused: The visit's note is signed: write an addendum.
        Stale: Somebody else saved the draft meanwhile.
    """
    if not actor.may(Permission.SIGN_NOTE) or actor.user_id is None:
        raise Refused(_("A nurse or a physician writes the note."))
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    if any(note.signed_at for note in record.notes):
        raise Refused(_("The note is signed. Write an addendum."))
    note = record.notes[0] if record.notes else None
    if (note.version if note else 0) != command.version:
        raise Stale(_("Somebody else saved this note meanwhile."))
    if note is None:
        note = Note(clinic_id=record.visit.clinic_id, visit_id=visit_id, created_at=now, author_id=actor.user_id)
        session.add(note)
    note.body = command.body
    note_down(session, actor, record, "note saved", now=now)
    return note


def sign(session: Session, actor: Actor, visit_id: UUID, command: WriteNote, *, now: datetime) -> Note:
    """Keep the text and sign it. Whoever calls this has checked the password again. From here on it is locked."""
    note = save(session, actor, visit_id, command, now=now)
    note.signed_at, note.signed_by = now, actor.user_id
    note.meaning = SignMeaning.AUTHORED if note.author_id == actor.user_id else SignMeaning.REVIEWED
    session.flush()
    record = visit_record.load(session, actor, visit_id, now=now)
    note_down(session, actor, record, f"note signed as {note.meaning}", now=now)
    return note


class WriteAddendum(Command):
    """What is to be added to a signed note."""

    body: Text


def add(session: Session, actor: Actor, note_id: UUID, command: WriteAddendum, *, now: datetime) -> Addendum:
    """Sign an addendum to a signed note. Whoever calls this has checked the password again.

    Raises:
        Refused: The note isn't signed yet.
    """
    if not actor.may(Permission.SIGN_NOTE) or actor.user_id is None:
        raise Refused(_("A nurse or a physician writes an addendum."))
    note = clinic.get(session, actor, Note, note_id, lock=True)
    if note.signed_at is None:
        raise Refused(_("The note isn't signed yet: change it instead."))
    addendum = Addendum(
        clinic_id=note.clinic_id, note_id=note.id, body=command.body, signed_at=now, signed_by=actor.user_id
    )
    session.add(addendum)
    record = visit_record.load(session, actor, note.visit_id, now=now)
    note_down(session, actor, record, "addendum signed", now=now)
    return addendum


def addenda(session: Session, note_id: UUID) -> list[Addendum]:
    """Return a note's addenda in the order they were signed."""
    query = select(Addendum).where(Addendum.note_id == note_id)
    return list(session.scalars(query.order_by(Addendum.signed_at, Addendum.id)))
