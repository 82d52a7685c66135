"""Everything that happened before today: series booked, infusions given, questions answered, notes signed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from tracker.demo.bedside import Ward, after, whole_visit
from tracker.demo.courses import Run
from tracker.demo.days import at, working
from tracker.demo.house import House
from tracker.demo.people import PEOPLE
from tracker.demo.places import NURSES, Place, ids_of
from tracker.models import Claim, Course, InfusionOrder, Note, RecoveryNote, ScaleResponse, Task, Visit
from tracker.rules.vocabulary import CourseStatus, Role, SignMeaning, TaskStatus, VisitStatus
from tracker.services import notes, visit_record
from tracker.services.followup import REVIEW, SAFETY

_S = VisitStatus
RESCUE = (
    "Ondansetron 4 mg IV for nausea. Labetalol 10 mg IV if systolic stays over 180. Midazolam 1 mg IV for distress."
)


@dataclass(frozen=True)
class Series:
    """One series as it is kept, with the story it follows."""

    run: Run
    course: Course
    order: InfusionOrder
    visits: list[Visit]

    def past(self, today_begins: datetime) -> list[Visit]:
        """Return the visits of the days before."""
        return [visit for visit in self.visits if visit.starts_at < today_begins]


def book(session: Session, house: House, run: Run, places: Sequence[Place]) -> Series:
    """Book a series as the desk did some days before its first visit; every visit is still to come."""
    patient_id = house.patients[run.family]
    kind = (run.family, run.protocol.code, run.sequence)
    local_first = min(run.fixed[0], places[0].starts_at.date())
    booked_at = at(working(min(local_first, house.today) - timedelta(days=5), -1), "10:20")
    course = Course(
        id=house.id_of("course", *kind),
        clinic_id=house.clinic_id,
        patient_id=patient_id,
        protocol_id=house.protocols[run.protocol.code],
        indication=run.indication,
        sequence=run.sequence,
        created_at=booked_at,
        created_by=house.desk.user_id,
    )
    session.add(course)
    session.flush()
    visits = [_visit(house, course, number, place) for number, place in enumerate(places, start=1)]
    session.add_all(visits)
    session.flush()
    for visit, place in zip(visits, places, strict=True):
        for resource_id, lane, start, end in ids_of(place, house.resources, patient_id):
            session.add(
                Claim(
                    clinic_id=house.clinic_id,
                    resource_id=resource_id,
                    lane=lane,
                    visit_id=visit.id,
                    starts_at=start,
                    ends_at=end,
                )
            )
    order = _order(house, course, run, booked_at)
    session.add(order)
    session.flush()
    return Series(run, course, order, visits)


def _visit(house: House, course: Course, number: int, place: Place) -> Visit:
    person = next(person for family, person in PEOPLE.items() if house.patients[family] == course.patient_id)
    number_of_driver = list(PEOPLE).index(person.family)
    return Visit(
        id=house.id_of("visit", course.id, number),
        clinic_id=house.clinic_id,
        course_id=course.id,
        patient_id=course.patient_id,
        ordinal=number,
        starts_at=place.starts_at,
        ends_at=place.ends_at,
        room_id=house.resources[place.room],
        nurse_id=house.resources[place.nurse],
        physician_id=house.resources["Dr A. Hale"],
        driver_name=person.driver,
        driver_phone=f"+1505555{300 + number_of_driver:04}",
        driver_confirmed_at=place.starts_at - timedelta(hours=20),
        confirmed_at=place.starts_at - timedelta(hours=20),
        created_at=course.created_at,
    )


def _order(house: House, course: Course, run: Run, booked_at: datetime) -> InfusionOrder:
    return InfusionOrder(
        clinic_id=house.clinic_id,
        course_id=course.id,
        mg_per_kg=run.dose_per_kg,
        max_mg=run.protocol.max_mg,
        minutes=120 if run.protocol.block > timedelta(minutes=200) else 40,
        rescue=RESCUE,
        expires_on=house.today + timedelta(days=60),
        signed_by=house.user("Dr A. Hale"),
        signed_at=booked_at + timedelta(hours=2),
    )


def ward(session: Session, house: House, visit: Visit) -> Ward:
    """Return where rows are added for a visit: its own nurse, and whoever of the others checks."""
    nurse = next(one.name for one in NURSES if house.resources[one.name] == visit.nurse_id)
    second = next(one.name for one in NURSES if one.name != nurse)
    seed = visit.patient_id.int % 9 - 4
    return Ward(session, house, visit, nurse, second, (124 + seed, 76 + seed, 70 + seed))


def weight_of(run: Run) -> int:
    """Return the patient's weight in kg."""
    kg = PEOPLE[run.family].kg
    assert kg
    return kg


def give(session: Session, house: House, series: Series, visit: Visit) -> None:
    """Let an infusion of an earlier day have gone as planned, with its note and the call on the next day."""
    mg = Decimal(weight_of(series.run)) * series.run.dose_per_kg
    peak = series.run.systolic + (visit.ordinal * 7 + visit.patient_id.int) % 11 - 5
    left = whole_visit(ward(session, house, visit), series.order.id, weight_of(series.run), mg=mg, peak=peak)
    session.add(
        RecoveryNote(
            clinic_id=house.clinic_id,
            visit_id=visit.id,
            occurred_at=after(left, 23 * 60),
            entered_at=after(left, 23 * 60 + 4),
            entered_by=house.user("J. Adeyemi"),
            mood=min(9, 4 + visit.ordinal),
            symptoms={"headache": "mild"} if visit.ordinal == 1 else {},
            safe=True,
            body="Slept well; nothing unusual since.",
        )
    )


def sign(session: Session, house: House, visit: Visit) -> None:
    """Write and sign the note of a visit that is over, from what is known of it."""
    nurse = house.actors[ward(session, house, visit).nurse]
    record = visit_record.load(session, nurse, visit.id, now=visit.ends_at)
    when = after(visit.ends_at, 12)
    assert nurse.user_id
    note = Note(
        clinic_id=house.clinic_id,
        visit_id=visit.id,
        body=notes.written(record, visit.ends_at),
        created_at=visit.ends_at,
        author_id=nurse.user_id,
        signed_at=when,
        signed_by=nurse.user_id,
        meaning=SignMeaning.AUTHORED,
    )
    session.add(note)


def answer(session: Session, house: House, series: Series, ordinal: int, total: int, when: datetime) -> None:
    """Keep one questionnaire of a series; an answer about suicide was seen by the physician."""
    run = series.run
    visit = series.visits[ordinal - 1] if ordinal <= len(series.visits) else None
    answers = list(phq9_answers(total, run.item_9)) if run.scale == "phq9" else []
    response = ScaleResponse(
        id=house.id_of("score", series.course.id, ordinal, when),
        clinic_id=house.clinic_id,
        patient_id=series.course.patient_id,
        course_id=series.course.id,
        visit_id=visit.id if visit else None,
        scale=run.scale,
        scale_version=1,
        answers=answers,
        total=total,
        is_baseline=ordinal == 1 and bool(visit and visit.status is _S.DISCHARGED),
        answered_at=when,
        entered_at=when,
        entered_by=house.user("J. Adeyemi"),
    )
    session.add(response)
    if answers and answers[-1] and visit:
        session.add(done(house, series, SAFETY, f"{SAFETY}:{response.id}", Role.PHYSICIAN, when, visit, outcome=_SEEN))


_SEEN = "Talked with the patient: passive thoughts, no plan, no intent. Safety plan made and copied."


def phq9_answers(total: int, item_9: int) -> Iterator[int]:
    """Yield nine answers of 0 to 3 that come to `total`, the last one as given."""
    left = total - item_9
    for place in range(8, 0, -1):
        share = min(3, -(-left // place))
        left -= share
        yield share
    yield item_9


def done(
    house: House, series: Series, kind: str, key: str, role: Role, when: datetime, visit: Visit, *, outcome: str
) -> Task:
    """Return a task that somebody of `role` has done within the hour."""
    by = next(actor for actor in house.actors.values() if actor.role is role)
    return Task(
        clinic_id=house.clinic_id,
        patient_id=series.course.patient_id,
        course_id=series.course.id,
        visit_id=visit.id,
        kind=kind,
        key=key,
        owner_role=role,
        opens_at=when,
        due_at=after(when, 120),
        status=TaskStatus.DONE,
        outcome=outcome,
        created_at=when,
        closed_at=after(when, 35),
        closed_by=by.user_id,
    )


def review(house: House, series: Series, visit: Visit, given: int, *, outcome: str = "") -> Task:
    """Return the review after an infusion: open, or done with an outcome."""
    when = visit.ends_at
    following = next((one for one in series.visits if one.starts_at > visit.starts_at), None)
    task = done(house, series, REVIEW, f"{REVIEW}:{series.course.id}:{given}", Role.PHYSICIAN, when, visit, outcome="x")
    task.due_at = following.starts_at if following else after(when, 7 * 24 * 60)
    task.detail = f"After infusion {given}: go on, adjust or stop?"
    if outcome:
        task.outcome = outcome
    else:
        task.status, task.outcome, task.closed_at, task.closed_by = TaskStatus.OPEN, None, None, None
    return task


def end(series: Series, when: datetime) -> None:
    """End a series early, or complete it."""
    course, run = series.course, series.run
    course.status = CourseStatus.ENDED if run.ended else CourseStatus.COMPLETED
    course.ended_at, course.end_reason = when, run.ended or None


def again(session: Session, series: Series) -> Series:
    """Return a series in another transaction."""
    visits = [session.merge(visit, load=True) for visit in series.visits]
    return Series(series.run, session.merge(series.course), session.merge(series.order), visits)
