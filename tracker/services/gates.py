"""The two gates of a visit: what still stands before Start, and before going home."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from tracker.rules import discharge, vitals
from tracker.rules.discharge import Met
from tracker.rules.visit import Needs
from tracker.rules.vitals import Band
from tracker.rules.vocabulary import IntakeStatus
from tracker.services.visit_record import BASE, VisitRecord
from tracker.text import gettext as _
from tracker.text import ngettext


@dataclass(frozen=True)
class Blocker:
    """One thing that stands before Start, and how many steps it is. `override` is what a physician may let pass."""

    need: Needs
    why: str
    steps: int = 1
    override: str = ""


def before_start(record: VisitRecord) -> list[Blocker]:
    """List what still stands before Start, in the order a nurse meets it."""
    checks = (_cleared, _order, _dose, _checklist, _baseline, _alerts)
    return [blocker for check in checks if (blocker := check(record))]


def _cleared(record: VisitRecord) -> Blocker | None:
    if record.patient.intake_status is IntakeStatus.CLEARED:
        return None
    return Blocker(Needs.CLEARED, _("A physician has not cleared this patient yet"))


def _order(record: VisitRecord) -> Blocker | None:
    return None if record.order else Blocker(Needs.SIGNED_ORDER, _("No signed order that counts today"))


def _dose(record: VisitRecord) -> Blocker | None:
    dose = record.dose
    if dose is None:
        return Blocker(Needs.CHECKED_DOSE, _("Weight and dose not entered"))
    if record.order and dose.order_id != record.order.id:
        return Blocker(Needs.CHECKED_DOSE, _("The order changed: enter the dose again"))
    if dose.checked_by is None:
        return Blocker(Needs.CHECKED_DOSE, _("Dose not checked by a second person"))
    return None


def _checklist(record: VisitRecord) -> Blocker | None:
    left = record.checklist.left
    if not left:
        return None
    return Blocker(Needs.CHECKLIST, ngettext("%(n)s check left", "%(n)s checks left", left), left)


def _baseline(record: VisitRecord) -> Blocker | None:
    baseline = record.baseline
    if baseline is None or vitals.lacks(baseline):
        return Blocker(Needs.BASELINE_VITALS, _("Vital signs before the start not complete"))
    found = [f for f in vitals.findings(baseline, None, record.settings) if f.band is Band.RED]
    if found and BASE not in record.overridden:
        return Blocker(Needs.BASELINE_VITALS, found[0].rule, override=BASE)
    return None


def _alerts(record: VisitRecord) -> Blocker | None:
    if not record.alerts:
        return None
    return Blocker(Needs.SAFETY_SEEN, _("A physician has not settled the suicide answer"))


def before_discharge(record: VisitRecord, ticked: AbstractSet[str], *, now: datetime) -> list[Met]:
    """Return every criterion for going home with whether it is met."""
    ended = record.ended_at
    observed = int((now - ended).total_seconds() // 60) if ended else 0
    going_on = sum(effect.resolved_at is None for effect in record.effects)
    return discharge.standing(observed, record.last_reading, record.baseline, going_on, ticked, record.settings)
