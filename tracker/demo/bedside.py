"""What a nurse would have written down at one infusion: checklist, dose, vital signs, side effects, the way home."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from tracker.demo.house import House
from tracker.models import ChecklistAnswer, Dose, SideEffect, Visit, VisitEvent, VitalReading
from tracker.rules.timeout import CHECKLIST
from tracker.rules.vocabulary import Severity, SideEffectAction, VisitStatus

VIAL, BAG = Decimal(50), Decimal(100)  # mg/mL; mL
# How far a rise of pressure has come at each set: highest at the end of the infusion, gone an hour later.
_RISE = {0: 10, 10: 45, 20: 75, 30: 90, 40: 100, 55: 70, 70: 45, 85: 25, 100: 15, 115: 10, 130: 8, 145: 5}
_S = VisitStatus


@dataclass(frozen=True)
class Ward:
    """Where rows are added for one visit."""

    session: Session
    house: House
    visit: Visit
    nurse: str  # who looks after the patient
    second: str  # who checks the dose
    base: tuple[int, int, int] = (124, 76, 70)  # systolic, diastolic, heart rate before the start

    @property
    def ids(self) -> dict[str, UUID]:
        """Return what every row of the visit carries."""
        return {"clinic_id": self.house.clinic_id, "visit_id": self.visit.id}

    def by(self, at: datetime, name: str = "") -> dict[str, object]:
        """Return who entered a row, and when."""
        return {"entered_at": at, "entered_by": self.house.user(name or self.nurse)}

    def reach(self, status: VisitStatus, at: datetime, detail: str = "") -> None:
        """Bring the visit to a status, as the nurse noted it."""
        self.visit.status = status
        event = {"kind": "status", "to_status": status, "occurred_at": at, "detail": detail}
        self.session.add(VisitEvent(**self.ids, **event, **self.by(at)))

    def check(self, at: datetime) -> None:
        """Answer the whole pre-infusion checklist."""
        for item in CHECKLIST:
            answer = "not_applicable" if item.may_not_apply else "yes"
            self.session.add(ChecklistAnswer(**self.ids, item=item.key, answer=answer, **self.by(at)))

    def draw_up(self, order_id: UUID, kg: int, at: datetime, *, mg: Decimal, minutes: int) -> Dose:
        """Draw up the dose, and let the second person check it."""
        dose = Dose(
            **self.ids,
            order_id=order_id,
            weight_kg=Decimal(kg),
            mg=mg,
            concentration_mg_per_ml=VIAL,
            ml=(mg / VIAL).quantize(Decimal("0.01")),
            volume_ml=BAG,
            minutes=minutes,
            checked_at=at + timedelta(minutes=2),
            checked_by=self.house.user(self.second),
            **self.by(at),
        )
        self.session.add(dose)
        return dose

    def measure(self, due: str, at: datetime, pressure: tuple[int, int], pulse: int, spo2: int = 96) -> None:
        """Enter one set of vital signs."""
        signs = {"systolic": pressure[0], "diastolic": pressure[1], "heart_rate": pulse, "spo2": spo2}
        more = {"respiratory_rate": 15, "moaas": 4 if due in ("20", "30", "40") else 5}
        self.session.add(VitalReading(**self.ids, due=due, occurred_at=at, **signs, **more, **self.by(at)))

    def measure_before(self, at: datetime) -> None:
        """Enter the set before the start."""
        systolic, diastolic, pulse = self.base
        self.measure("base", at, (systolic, diastolic), pulse, 97)

    def measure_until(self, started: datetime, until: datetime, peak: int, *, but: Iterable[int] = ()) -> None:
        """Enter every planned set of the first hour and a half up to `until`, with this peak."""
        systolic, diastolic, pulse = self.base
        for minute, share in _RISE.items():
            at = started + timedelta(minutes=minute)
            if at > until or minute in but:
                continue
            rise = (peak - systolic) * share // 100
            pressure = (systolic + rise, diastolic + rise * 2 // 3)
            self.measure(str(minute), at, pressure, pulse + rise // 3, 95 if share > 70 else 97)

    def effect(
        self, term: str, severity: Severity, at: datetime, *, minutes: int | None = None, medicine: str = ""
    ) -> None:
        """Enter a side effect that lasted `minutes` (None: it goes on)."""
        over = None if minutes is None else at + timedelta(minutes=minutes)
        action = SideEffectAction.MEDICINE if medicine else SideEffectAction.NONE
        row = {"term": term, "severity": severity, "onset_at": at, "resolved_at": over, "action": action}
        self.session.add(SideEffect(**self.ids, **row, action_detail=medicine, **self.by(at)))


def after(start: datetime, minutes: int) -> datetime:
    """Return the instant `minutes` after `start`."""
    return start + timedelta(minutes=minutes)


def whole_visit(ward: Ward, order_id: UUID, kg: int, *, mg: Decimal, peak: int) -> datetime:
    """Write down an infusion that went as planned; return when the patient left."""
    start = ward.visit.starts_at
    length = 40 if ward.visit.ends_at - start < timedelta(minutes=200) else 120
    started, ended = after(start, 35), after(start, 35 + length)
    ward.reach(_S.ARRIVED, after(start, -4))
    ward.reach(_S.TIME_OUT, after(start, 12))
    ward.check(after(start, 20))
    ward.measure_before(after(start, 22))
    dose = ward.draw_up(order_id, kg, after(start, 25), mg=mg, minutes=length)
    dose.given_mg = mg
    ward.reach(_S.INFUSING, started)
    ward.reach(_S.RECOVERING, ended)
    ward.measure_until(started, after(ended, 62), peak)
    _usual_effects(ward, started)
    ward.reach(_S.READY, after(ended, 62))
    left = after(ended, 69)
    ward.reach(_S.DISCHARGED, left, f"driver: {ward.visit.driver_name}")
    return left


def _usual_effects(ward: Ward, started: datetime) -> None:
    """What most patients feel, weaker from visit to visit."""
    severity = Severity.MODERATE if ward.visit.ordinal == 1 else Severity.MILD
    ward.effect("dissociation", severity, after(started, 12), minutes=45)
    if (ward.visit.patient_id.int + ward.visit.ordinal) % 3 == 0:
        ward.effect("nausea", Severity.MILD, after(started, 30), minutes=25)
