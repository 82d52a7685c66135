"""The physician's signed order, the dose that follows from it and today's weight, and the second person's check."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from tracker.errors import Refused
from tracker.models import Dose, InfusionOrder
from tracker.rules import dosing
from tracker.rules.dosing import MINUTES
from tracker.rules.fields import Amount, Command, Day, Number, Text, Tick
from tracker.rules.permissions import Actor, Permission
from tracker.rules.vocabulary import VisitStatus
from tracker.services import visit_record
from tracker.services.visit_record import VisitRecord, note_down, person
from tracker.text import gettext as _

BEFORE_START = frozenset({VisitStatus.BOOKED, VisitStatus.ARRIVED, VisitStatus.TIME_OUT})


class SignOrder(Command):
    """What a physician orders, for the rest of the series or one visit. Signed is final: a change is a new order."""

    mg_per_kg: Annotated[Amount, Field(gt=0)]
    max_mg: Annotated[Amount, Field(gt=0, le=1000)]
    minutes: Annotated[Number, Field(ge=MINUTES[0], le=MINUTES[1])]
    expires_on: Day
    rescue: Text | None = None
    only_this_visit: Tick = False


def sign_order(session: Session, actor: Actor, visit_id: UUID, command: SignOrder, *, now: datetime) -> InfusionOrder:
    """Sign an order. Whoever calls this has checked the password again.

    Raises:
        Refused: Only a physician orders; the dose is over the clinic's limit; the last day is past.
    """
    if not actor.may(Permission.ORDER) or actor.user_id is None:
        raise Refused(_("Only a physician signs an order."))
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    highest = record.settings["dosing.mg_per_kg_max"]
    if command.mg_per_kg > highest:
        said = _("Over this clinic's limit of %(max)s mg/kg.", max=dosing.plain(highest))
        raise Refused(said, field="mg_per_kg")
    places = dosing.DECIMALS["mg_per_kg"]
    if command.mg_per_kg != command.mg_per_kg.quantize(Decimal(1).scaleb(-places)):  # nobody could draw it up
        raise Refused(_("Give at most %(n)s decimals.", n=places), field="mg_per_kg")
    if command.expires_on < now.astimezone(record.clinic.zone).date():
        raise Refused(_("This day is past. Choose today or a later day."), field="expires_on")
    order = InfusionOrder(
        clinic_id=record.visit.clinic_id,
        course_id=record.course.id,
        visit_id=visit_id if command.only_this_visit else None,
        mg_per_kg=command.mg_per_kg,
        max_mg=command.max_mg,
        minutes=command.minutes,
        rescue=command.rescue or "",
        expires_on=command.expires_on,
        signed_by=actor.user_id,
        signed_at=now,
    )
    session.add(order)
    note_down(session, actor, record, "order signed", now=now)
    return order


class DrawUp(Command):
    """Today's weight and the vial: everything else of the dose follows from the order."""

    weight_kg: Amount
    concentration: Annotated[Amount, Field(gt=0)] | None = None  # mg/mL of the vial
    diluted_to_ml: Annotated[Amount, Field(gt=0)] | None = None
    weight_is_right: Tick = False  # asked when it changed much since last time


def draw_up(session: Session, actor: Actor, visit_id: UUID, command: DrawUp, *, now: datetime) -> Dose:
    """Compute and keep the dose; an earlier one of this visit is replaced, and its check is void.

    Raises:
        Refused: No order, an impossible number (with the arithmetic), a weight that asks, or the infusion has begun.
    """
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    _before_start(record)
    order = record.order
    if order is None:
        raise Refused(_("There is no signed order that counts today."), helps=(_("A physician signs it first."),))
    computed = dosing.plan(
        command.weight_kg,
        order.mg_per_kg,
        order.minutes,
        command.concentration,
        max_mg=order.max_mg,
        settings=record.settings,
        diluted_to_ml=command.diluted_to_ml,
    )
    last = last_weight(record)
    if dosing.weight_asks(command.weight_kg, last, record.settings) and not command.weight_is_right:
        said = _("%(now)s kg, and %(last)s kg last time. Is it kilograms?", now=command.weight_kg, last=last)
        raise Refused(said, field="weight_kg", helps=(_("Weigh again, or tick that the weight is right."),))
    dose = record.dose or Dose(visit_id=visit_id, clinic_id=record.visit.clinic_id)
    dose.order_id, dose.weight_kg, dose.mg = order.id, command.weight_kg, computed.mg
    dose.concentration_mg_per_ml, dose.ml = computed.concentration, dosing.label(computed.draw_ml, 3)
    dose.volume_ml, dose.minutes = command.diluted_to_ml, order.minutes
    dose.entered_at, dose.entered_by = now, person(actor)
    dose.checked_at = dose.checked_by = None
    session.add(dose)
    record.patient.weight_kg = command.weight_kg
    note_down(session, actor, record, "dose drawn up", now=now)
    return dose


def last_weight(record: VisitRecord) -> Decimal | None:
    """Return the weight to compare today's with: last infusion's, else the one in the record."""
    return record.last_dose.weight_kg if record.last_dose else record.patient.weight_kg


class CheckDose(Command):
    """What the second person comes to, calculating alone from the order, the weight and the vial."""

    mg: Amount
    ml: Amount


def check_dose(session: Session, actor: Actor, visit_id: UUID, command: CheckDose, *, now: datetime) -> Dose:
    """Keep the second person's check.

    Raises:
        Refused: The same person again, no dose, or another result.
    """
    if not actor.may(Permission.TREAT):
        raise Refused(_("A nurse or a physician checks a dose."))
    record = visit_record.load(session, actor, visit_id, now=now, lock=True)
    _before_start(record)
    dose = record.dose
    if dose is None:
        raise Refused(_("There is no dose to check yet."))
    if dose.entered_by == actor.user_id:
        raise Refused(_("You entered it; somebody else checks it."))
    if not dosing.agrees(drawn(dose), command.mg, command.ml):
        raise Refused(
            _("You come to %(mg)s mg, %(ml)s mL; that is not what was drawn up.", mg=command.mg, ml=command.ml),
            field="mg",
            helps=(_("Calculate again together, from the label of the vial."),),
        )
    dose.checked_at, dose.checked_by = now, person(actor)
    note_down(session, actor, record, "dose checked", now=now)
    return dose


def _before_start(record: VisitRecord) -> None:
    if record.visit.status not in BEFORE_START:
        raise Refused(_("The infusion has begun: the dose stays as it was drawn up."))


def drawn(dose: Dose) -> dosing.Dose:
    """Return a stored dose as the rules know it."""
    draw = Fraction(dose.mg) / Fraction(dose.concentration_mg_per_ml)
    volume = draw if dose.volume_ml is None else Fraction(dose.volume_ml)
    return dosing.Dose(
        dose.weight_kg, dose.mg / dose.weight_kg, dose.mg, dose.concentration_mg_per_ml, dose.minutes, volume
    )
