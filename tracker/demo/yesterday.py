"""The days before today: what went as planned, and the two visits of yesterday that did not."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import delete
from sqlalchemy.orm import Session

from tracker.demo.bedside import Ward, after
from tracker.demo.days import at
from tracker.demo.history import Series, answer, done, end, give, review, sign, ward, weight_of
from tracker.demo.house import House
from tracker.models import Claim, RecoveryNote, Task, Visit
from tracker.rules.vocabulary import Role, Severity, VisitStatus

_S = VisitStatus
_GO_ON = "Go on as ordered."
# Reviews after the third infusion that said something else.
_REVIEWED = {"Stein": "Little change yet; give the fourth, then decide.", "Adams": "Go on; ask about the bladder."}


def tell(session: Session, house: House, series: Sequence[Series]) -> None:
    """Let the days before today have happened."""
    begins = at(house.today, "0:00")
    for one in series:
        past = [visit for visit in one.visits if visit.starts_at < begins]
        for visit in past:
            _visit(session, house, one, visit)
        session.flush()
        for visit in past:
            if visit.status is _S.DISCHARGED:
                sign(session, house, visit)
        _scores(session, house, one, past)
        _reviews(session, house, one, past)
        if past and len(past) == len(one.visits):
            end(one, after(past[-1].ends_at, 30))
    session.flush()


def _visit(session: Session, house: House, one: Series, visit: Visit) -> None:
    if one.run.family == "Kaur":
        _kaur(ward(session, house, visit), one)
    elif one.run.family == "Brooks" and visit is one.visits[2]:
        _brooks(ward(session, house, visit), one)
    else:
        give(session, house, one, visit)


def _scores(session: Session, house: House, one: Series, past: Sequence[Visit]) -> None:
    for ordinal, (visit, total) in enumerate(zip(past, one.run.scores, strict=False), start=1):
        answer(session, house, one, ordinal, total, after(visit.starts_at, -2))
    if one.run.later:
        last = one.visits[-1].starts_at
        step = (at(house.today, "8:00") - last) / (len(one.run.later) + 1)
        for number, total in enumerate(one.run.later, start=1):
            when = last + timedelta(days=(step * number).days)
            answer(session, house, one, len(one.visits) + number, total, when)


def _reviews(session: Session, house: House, one: Series, past: Sequence[Visit]) -> None:
    given = [visit for visit in past if visit.status is _S.DISCHARGED]
    for number in one.run.protocol.review_after:
        if number <= len(given) and (number, one.run.family) != (3, "Alvarez"):
            outcome = _REVIEWED.get(one.run.family, _GO_ON) if number < one.run.protocol.visits else "See the review."
            session.add(review(house, one, given[number - 1], number, outcome=outcome))
        elif number <= len(given):
            session.add(review(house, one, given[number - 1], number))


def _kaur(here: Ward, one: Series) -> None:
    """Stopped after 18 minutes: panic. 13.5 of 30 mg were given."""
    visit, start = here.visit, here.visit.starts_at
    started, stopped = after(start, 35), after(start, 53)
    kg = weight_of(one.run)
    here.reach(_S.ARRIVED, after(start, -7))
    here.reach(_S.TIME_OUT, after(start, 10))
    here.check(after(start, 19))
    here.measure_before(after(start, 21))
    dose = here.draw_up(one.order.id, kg, after(start, 25), mg=Decimal(kg) / 2, minutes=40)
    dose.given_mg = Decimal("13.5")
    here.reach(_S.INFUSING, started)
    here.effect("anxiety", Severity.SEVERE, after(started, 14), minutes=35, medicine="Midazolam 1 mg IV")
    here.reach(_S.RECOVERING, stopped, "Stopped: panic, the patient asked to stop")
    here.measure_until(started, after(stopped, 95), 139)
    here.reach(_S.READY, after(stopped, 78))
    here.reach(_S.DISCHARGED, after(stopped, 95), f"driver: {visit.driver_name}")
    seen = "Seen at the chair. Start the next one slower, over 60 min, and with somebody beside her."
    key = f"severe_effect:{visit.id}"
    here.session.add(
        done(here.house, one, "severe_effect", key, Role.PHYSICIAN, after(started, 16), visit, outcome=seen)
    )
    part = Task(
        **_about(here, one),
        kind="given_in_part",
        key=f"given_in_part:{visit.id}",
        detail="13.5 of 30 mg given: does it count as one of the six?",
        owner_role=Role.PHYSICIAN,
        opens_at=stopped,
        due_at=one.visits[1].starts_at,
        created_at=stopped,
    )
    here.session.add(part)
    called = at(here.house.today, "9:20")
    here.session.add(
        RecoveryNote(
            clinic_id=here.house.clinic_id,
            visit_id=visit.id,
            occurred_at=called,
            entered_at=after(called, 3),
            entered_by=here.house.user("J. Adeyemi"),
            mood=4,
            symptoms={"anxiety": "moderate", "sleep": "mild"},
            safe=True,
            body="Slept badly and is afraid of the next one. Wants to talk with Dr Hale before it.",
        )
    )


def _brooks(here: Ward, one: Series) -> None:
    """Did not come, and could not be reached since."""
    missed = after(here.visit.starts_at, 45)
    here.reach(_S.NO_SHOW, missed, "No answer by telephone")
    here.session.execute(delete(Claim).where(Claim.visit_id == here.visit.id))
    task = Task(
        **_about(here, one),
        kind="no_show",
        key=f"no_show:{here.visit.id}",
        detail="Not reached in three calls; answered 1 on the suicide item last time",
        owner_role=Role.COORDINATOR,
        owner_id=here.house.desk.user_id,
        urgent=True,
        opens_at=missed,
        due_at=after(missed, 45),
        created_at=missed,
    )
    here.session.add(task)


def _about(here: Ward, one: Series) -> dict[str, object]:
    return {
        "clinic_id": here.house.clinic_id,
        "patient_id": one.course.patient_id,
        "course_id": one.course.id,
        "visit_id": here.visit.id,
    }
