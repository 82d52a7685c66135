"""Two clinics, each with a patient in the middle of a series and something in every table a page can ask for."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from tests.conftest import NOW
from tests.factories import House, make_clinic, make_patient, make_user
from tracker import db
from tracker.models import (
    Addendum,
    Allergy,
    Base,
    CareContact,
    Closure,
    ContactPoint,
    Course,
    Dose,
    InfusionOrder,
    Job,
    Medicine,
    Note,
    OutboxMessage,
    PatientLink,
    ProtocolVersion,
    Reminder,
    ScaleResponse,
    Sending,
    SideEffect,
    Task,
    UserAccount,
    Visit,
    VisitEvent,
    VitalReading,
    WeeklyClosure,
)
from tracker.rules.permissions import Actor, Role
from tracker.rules.plan import PlannedVisit
from tracker.rules.vocabulary import (
    CareRole,
    ContactChannel,
    Indication,
    JobStatus,
    LinkPurpose,
    ReminderChannel,
    ReminderStatus,
    Severity,
    SignMeaning,
    TaskStatus,
    VisitStatus,
)
from tracker.services import closing
from tracker.services.damage import PLANNED, WAS, Was

# One visit in each state that a page treats differently; the days lie around the tests' now.
STATES = (
    (-3, VisitStatus.DISCHARGED),
    (-1, VisitStatus.NO_SHOW),
    (0, VisitStatus.RECOVERING),
    (2, VisitStatus.BOOKED),
    (4, VisitStatus.BOOKED),
)
MORE_TODAY = (VisitStatus.BOOKED, VisitStatus.ARRIVED, VisitStatus.TIME_OUT, VisitStatus.INFUSING, VisitStatus.READY)


class World:
    """Both clinics, and the actors that ask."""

    def __init__(self) -> None:
        self.own, self.other = make_clinic(), make_clinic()
        self.auditor, self.disabled = (self._account(name, role) for name, role in _MORE_ACCOUNTS)
        with db.transaction() as session:
            session.get_one(UserAccount, self.disabled.user_id).disabled_at = NOW
        # By clinic and part of an address: the row a sweep asks for; where none is named, any of the clinic's will do.
        self.chosen = {house.clinic.id: _fill(house) for house in (self.own, self.other)}
        # Somebody else's visit in the same clinic, for a patient to try.
        self.not_mine = self.chosen[self.own.clinic.id].pop("not_mine")

    def _account(self, name: str, role: Role) -> Actor:
        with db.transaction() as session:
            return make_user(session, self.own.clinic.id, name, role)


_MORE_ACCOUNTS = (("A. Udit", Role.AUDITOR), ("D. Gone", Role.PHYSICIAN))


def _fill(house: House) -> dict[str, UUID]:
    patient = make_patient(house.clinic.id, "Ada Lovelace")
    with db.transaction() as session:
        _people(session, house, patient)
        course = _course(session, house, patient)
        visits = [
            _visit(session, house, patient, course, ordinal, NOW + timedelta(days=day), status)
            for ordinal, (day, status) in enumerate(STATES, start=1)
        ]
        _bedside(session, house, course, visits)
        link = _followup(session, house, patient, course, visits)
    with db.transaction() as session:
        _closed(session, house)
        call = _lost(session, house, visits[4])
    with db.read() as session:
        protocol = session.get_one(Course, course).protocol_id
    chosen = {
        "patient_id": patient,
        "course_id": course,
        "protocol_id": protocol,
        "visit_id": visits[3],
        "link_id": link,
        "task_id": call,
    }
    for number, status in enumerate(MORE_TODAY):
        someone = make_patient(house.clinic.id, f"Ben{number} Tester")
        with db.transaction() as session:
            another = _course(session, house, someone)
            visit = _visit(session, house, someone, another, 1, NOW + timedelta(minutes=number), status)
            order = _order(session, house, another)
            if status is not VisitStatus.BOOKED and status is not VisitStatus.ARRIVED:
                _dosed(session, house, visit, order)
        chosen["not_mine"] = visit
    return chosen


def _put(session, row: Base) -> UUID:
    session.add(row)
    session.flush()
    return getattr(row, "id", None)


def _people(session, house: House, patient: UUID) -> None:
    ids = {"clinic_id": house.clinic.id, "patient_id": patient}
    consent = {"consent_at": NOW, "consent_by": house.coordinator.user_id, "consent_wording": "Reminders by e-mail"}
    address = f"ada.{str(patient)[-6:]}@example.org"
    _put(session, ContactPoint(**ids, channel=ContactChannel.EMAIL, address=address, **consent))
    _put(session, Allergy(**ids, substance="Latex", entered_at=NOW))
    _put(session, Medicine(**ids, name="Lithium", entered_at=NOW))
    _put(session, CareContact(**ids, role=CareRole.DRIVER, name="Charles", phone="+13035550142"))


def _course(session, house: House, patient: UUID) -> UUID:
    protocol = session.scalars(select(ProtocolVersion).where(ProtocolVersion.clinic_id == house.clinic.id)).first()
    ids = {"clinic_id": house.clinic.id, "patient_id": patient, "protocol_id": protocol.id}
    return _put(session, Course(**ids, indication=Indication.TRD, created_at=NOW))


def _visit(session, house: House, patient, course, ordinal, starts_at, status) -> UUID:
    visit = Visit(
        clinic_id=house.clinic.id,
        course_id=course,
        patient_id=patient,
        ordinal=ordinal,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=150),
        room_id=house.resources["Sage"],
        nurse_id=house.resources["J. Adeyemi"],
        physician_id=house.resources["Dr A. Hale"],
        status=status,
        created_at=NOW,
    )
    _put(session, visit)
    ids = {"clinic_id": house.clinic.id, "visit_id": visit.id}
    _put(session, VisitEvent(**ids, kind="status", to_status=status, occurred_at=starts_at, entered_at=starts_at))
    return visit.id


def _lost(session, house: House, visit_id: UUID) -> UUID:
    """Let a visit's day have fallen out: the patient was told and is to be called, other places were searched for.

    One search waits, one found something, one failed.
    """
    visit = session.get_one(Visit, visit_id)
    visit.lost_at = NOW
    session.flush()
    was = {"starts_at": visit.starts_at, "room_id": visit.room_id, "physician_id": visit.physician_id}
    later = PlannedVisit(
        visit.ordinal,
        visit.starts_at + timedelta(days=1),
        visit.ends_at + timedelta(days=1),
        visit.room_id,
        visit.nurse_id,
        visit.physician_id,
        (),
    )
    change = {"visit": str(visit.id), "version": visit.version, "lost": True, "missing": "Sage"}
    change |= {"was": WAS.dump_python(Was(**was), mode="json"), "planned": PLANNED.dump_python(later, mode="json")}
    found = {"changes": [change], "unplaced": [], "left": [], "least_unplaced": 0, "least_touched": 0}
    about = {"clinic_id": house.clinic.id, "kind": "repair", "args": {"kept": []}, "created_at": NOW, "total": 3}
    _put(session, Job(**about, status=JobStatus.DONE, done=3, ended_at=NOW, result=found))
    _put(session, Job(**about, status=JobStatus.WAITING))
    _put(session, Job(**about, status=JobStatus.FAILED, ended_at=NOW))
    ids = {"clinic_id": house.clinic.id, "patient_id": visit.patient_id, "course_id": visit.course_id}
    due = {"opens_at": NOW, "due_at": NOW, "created_at": NOW, "owner_role": Role.COORDINATOR}
    key = f"{closing.KIND}:{visit.id}:{NOW.isoformat()}"
    return _put(session, Task(**ids, visit_id=visit.id, kind=closing.KIND, key=key, urgent=True, **due))


def _closed(session, house: House) -> None:
    """Close a room for a day in summer, and on a weekday from summer on."""
    ids = {"clinic_id": house.clinic.id, "resource_id": house.resources["Mesa"], "reason": "Paint"}
    summer = NOW + timedelta(days=120)
    _put(session, Closure(**ids, starts_at=summer, ends_at=summer + timedelta(hours=8)))
    hours = {"weekday": 5, "starts_minute": 480, "ends_minute": 720, "first_day": summer.date()}
    _put(session, WeeklyClosure(**ids, **hours))


def _order(session, house: House, course: UUID) -> UUID:
    amounts = {"mg_per_kg": Decimal("0.5"), "max_mg": Decimal(60), "minutes": 40, "expires_on": date(2026, 12, 31)}
    signed = {"signed_by": house.physician.user_id, "signed_at": NOW}
    return _put(session, InfusionOrder(clinic_id=house.clinic.id, course_id=course, **amounts, **signed))


def _dosed(session, house: House, visit: UUID, order: UUID) -> None:
    """Enter a dose, vital signs that stand against the start, and a side effect."""
    ids = {"clinic_id": house.clinic.id, "visit_id": visit}
    given = {"weight_kg": Decimal(80), "mg": Decimal(40), "concentration_mg_per_ml": Decimal(10), "ml": Decimal(4)}
    times = {"entered_at": NOW, "entered_by": house.nurse.user_id}
    _put(session, Dose(**ids, order_id=order, **given, minutes=40, **times))
    high = {"systolic": 190, "diastolic": 120, "heart_rate": 80, "spo2": 97, "respiratory_rate": 14, "moaas": 5}
    _put(session, VitalReading(**ids, due="base", occurred_at=NOW, **times, **high))
    _put(session, SideEffect(**ids, term="nausea", severity=Severity.MILD, onset_at=NOW, **times))


def _bedside(session, house: House, course: UUID, visits: list[UUID]) -> None:
    clinic, physician = house.clinic.id, house.physician.user_id
    order = _order(session, house, course)
    for visit in (visits[0], visits[2]):
        _dosed(session, house, visit, order)
    signed = {"signed_at": NOW, "signed_by": physician, "meaning": SignMeaning.AUTHORED}
    text = {"clinic_id": clinic, "body": "Calm.", "created_at": NOW, "author_id": physician}
    note = _put(session, Note(visit_id=visits[0], **text, **signed))
    _put(session, Note(visit_id=visits[2], **text))
    _put(session, Addendum(clinic_id=clinic, note_id=note, body="Left side.", signed_at=NOW, signed_by=physician))


def _doubtful(session, ids: dict, visit: UUID) -> None:
    """Send a message of which nobody knows whether it arrived, while nothing more is sent."""
    starts_at = session.get_one(Visit, visit).starts_at
    about = {"visit_id": visit, "subject_id": visit, "subject_at": starts_at, "purpose": "visit"}
    left = {"status": ReminderStatus.UNCERTAIN, "channel": ReminderChannel.EMAIL, "sent_at": NOW, "attempts": 1}
    times = {"send_at": NOW, "expires_at": NOW + timedelta(hours=9), "created_at": NOW, "changed_at": NOW}
    _put(session, Reminder(**ids, **about, **left, **times))
    if session.get(Sending, 1) is None:
        _put(session, Sending(id=1, paused_at=NOW, paused_why="This is a copy."))


def _followup(session, house: House, patient: UUID, course: UUID, visits: list[UUID]) -> UUID:
    ids = {"clinic_id": house.clinic.id, "patient_id": patient, "course_id": course}
    key = f"check_in:{visits[0]}"
    due = {"opens_at": NOW - timedelta(days=1), "due_at": NOW, "created_at": NOW}
    task = _put(session, Task(**ids, visit_id=visits[0], kind="check_in", key=key, owner_role=Role.NURSE, **due))
    _put(session, Task(**ids, kind="phq9", key="phq9:1", owner_role=Role.COORDINATOR, **due, status=TaskStatus.OPEN))
    answers = {"answers": [2] * 9, "total": 18, "answered_at": NOW, "entered_at": NOW}
    _put(session, ScaleResponse(**ids, scale="phq9", scale_version=1, **answers, is_baseline=True))
    times = {"send_at": NOW, "expires_at": NOW + timedelta(hours=9), "created_at": NOW, "changed_at": NOW}
    about = {"subject_id": visits[3], "subject_at": NOW, "purpose": "visit", "channel": ReminderChannel.EMAIL}
    _put(session, Reminder(**ids, visit_id=visits[3], task_id=task, **about, **times))
    _doubtful(session, ids, visits[3])
    mail = {"recipient": "ada@example.org", "subject": "Your visit", "body": "See you."}
    _put(session, OutboxMessage(clinic_id=house.clinic.id, sent_at=NOW, **mail))
    expires = {"created_at": NOW, "expires_at": NOW + timedelta(days=40)}
    return _put(session, PatientLink(**ids, purpose=LinkPurpose.COURSE, **expires))
