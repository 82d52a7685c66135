"""Questionnaires: kept as answered, scored and judged by the rules; a suicide answer gets a person and a clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Invalid, NotFound
from tracker.models import Course, ScaleResponse, Task, UserAccount, Visit, VisitEvent
from tracker.rules import outcomes, scales
from tracker.rules.outcomes import Judgement, SafetyAnswer, Taken
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import Role, TaskStatus, VisitStatus
from tracker.services import audit, followup, settings
from tracker.services.followup import SAFETY, Ask
from tracker.text import STAFF, speaking
from tracker.text import gettext as _

# A score for a weekly task may come this long before the task opens.
EARLY = timedelta(days=1)
# An answer that doesn't ring a bell is still seen to before the next infusion, at the latest within a day.
SAME_DAY = timedelta(hours=8)


@dataclass(frozen=True)
class Answered:
    """One filled-in questionnaire to be kept. `answers` has one value an item, in the scale's order; None = missing."""

    course_id: UUID
    scale: str
    answers: tuple[int | None, ...]
    visit_id: UUID | None = None


def record_score(session: Session, actor: Actor, answered: Answered, *, now: datetime) -> ScaleResponse:
    """Keep a questionnaire, close the weekly task it answers, and see to its answer about suicide.

    By a staff member with the patient, or by the patient (an actor without user).

    Raises:
        Invalid: An answer is missing or none of the scale's; nothing is kept.
        NotFound: No such course or visit in this clinic.
    """
    scale = _scale(answered.scale)
    scored = scales.score(scale, {n: v for n, v in enumerate(answered.answers, start=1) if v is not None})
    course = _course(session, actor, answered.course_id)
    visit = _visit_of(session, course, answered.visit_id, now)
    response = ScaleResponse(
        clinic_id=course.clinic_id,
        patient_id=course.patient_id,
        course_id=course.id,
        visit_id=answered.visit_id,
        scale=scale.key,
        scale_version=scale.version,
        answers=list(answered.answers),
        total=scored.total,
        answered_at=now,
        entered_at=now,
        entered_by=actor.user_id,
    )
    reviewed = _reviewed(session, course.patient_id, scale)
    session.add(response)
    session.flush()
    with speaking(STAFF):  # whatever the patient's language
        if visit:
            _see_to(session, actor, visit, response, outcomes.safety(scored.safety, reviewed), now)
        _close_weekly(session, actor, course, response, now)
    session.flush()
    subject = f"scale response {response.id}"
    audit.record(session, actor, f"{scale.name} answered", patient_id=course.patient_id, subject=subject, now=now)
    return response


def _scale(key: str) -> scales.Scale:
    if key not in scales.SCALES:
        raise Invalid({"scale": _("There is no such questionnaire.")})
    return scales.SCALES[key]


def _course(session: Session, actor: Actor, course_id: UUID) -> Course:
    course = session.scalar(select(Course).where(Course.id == course_id, Course.clinic_id == actor.clinic_id))
    if course is None:
        raise NotFound(_("There is no such series."))
    return course


def _visit_of(session: Session, course: Course, visit_id: UUID | None, now: datetime) -> Visit | None:
    """Return the visit an answer belongs to: the one named, else the next one, else the last."""
    visits = session.scalars(select(Visit).where(Visit.course_id == course.id).order_by(Visit.starts_at)).all()
    if visit_id is not None:
        named = next((visit for visit in visits if visit.id == visit_id), None)
        if named is None:
            raise NotFound(_("There is no such visit."))
        return named
    return next((visit for visit in visits if visit.ends_at > now), visits[-1] if visits else None)


def _reviewed(session: Session, patient_id: UUID, scale: scales.Scale) -> int | None:
    """Return the latest answer about suicide that a physician has settled; 0 where it was denied since."""
    if scale.safety_item is None:
        return None
    rows = session.scalars(
        select(ScaleResponse)
        .where(ScaleResponse.patient_id == patient_id, ScaleResponse.scale == scale.key)
        .order_by(ScaleResponse.answered_at.desc())
    ).all()
    settled = set(
        session.scalars(
            select(Task.key).where(Task.patient_id == patient_id, Task.kind == SAFETY, Task.status == TaskStatus.DONE)
        )
    )
    denied = False
    for row in (row for row in rows if row.answers):
        answer = int(row.answers[scale.safety_item - 1])
        if _key(row) in settled:
            return 0 if denied else answer
        denied = denied or answer == 0
    return None


def _key(response: ScaleResponse) -> str:
    return f"{SAFETY}:{response.id}"


def _see_to(
    session: Session, actor: Actor, visit: Visit, response: ScaleResponse, asks: SafetyAnswer, now: datetime
) -> None:
    if asks is SafetyAnswer.NOTHING:
        return
    alert = asks is SafetyAnswer.ALERT
    clock = "safety.clock_clinic" if actor.user_id else "safety.clock_remote"
    minutes = settings.of_clinic(session, actor.clinic_id)[clock]
    # Before the next infusion in any case: Start is closed until it is settled.
    due_at = now + timedelta(minutes=int(minutes)) if alert else min(max(visit.starts_at, now), now + SAME_DAY)
    words = {
        SafetyAnswer.FIRST: _("First answer above 0: assess, make a safety plan"),
        SafetyAnswer.UNCHANGED: _("Not above the last one seen"),
        SafetyAnswer.ALERT: _("Risen, or the highest answer"),
    }
    detail = _(
        "Answer %(n)s. %(asks)s.",
        n=response.answers[(scales.SCALES[response.scale].safety_item or 1) - 1],
        asks=words[asks],
    )
    wanted = Ask(SAFETY, _key(response), Role.PHYSICIAN, due_at, detail, alert, _account_of(session, visit))
    followup.ask(session, visit, wanted, now=now)


def _account_of(session: Session, visit: Visit) -> UUID | None:
    """Return the sign-in of the visit's physician: an alert names a person."""
    return session.scalar(
        select(UserAccount.id)
        .where(UserAccount.staff_id == visit.physician_id, UserAccount.disabled_at.is_(None))
        .limit(1)
    )


def _close_weekly(session: Session, actor: Actor, course: Course, response: ScaleResponse, now: datetime) -> None:
    weekly = followup.open_tasks(session, course.id, "weekly_score", opened_by=now + EARLY)
    name = scales.SCALES[response.scale].name
    for task in weekly[:1]:
        session.refresh(task, with_for_update={"key_share": True})
        if task.status is TaskStatus.OPEN:  # nobody closed it in that moment
            followup.done_by_itself(session, actor, task, f"{name} {response.total}", now=now)


def open_alerts(session: Session, patient_id: UUID) -> list[Task]:
    """Return the patient's answers about suicide that nobody has settled yet, the most pressing first."""
    query = select(Task).where(Task.patient_id == patient_id, Task.kind == SAFETY, Task.status == TaskStatus.OPEN)
    return list(session.scalars(query.order_by(Task.due_at)))


def lock_baseline(session: Session, course: Course, first_infusion: datetime) -> None:
    """Choose each scale's baseline when the first infusion starts: from then on it stays."""
    days = int(settings.of_clinic(session, course.clinic_id)["outcomes.baseline_days"])
    for key in scales.SCALES:
        rows = _responses(session, course, key)
        if any(row.is_baseline for row in rows):
            continue
        chosen = outcomes.baseline([_taken(row, {}) for row in rows], first_infusion, days)
        for row in rows:
            if chosen and row.answered_at == chosen.at:
                row.is_baseline = True
                break
    session.flush()


def _responses(session: Session, course: Course, scale: str) -> list[ScaleResponse]:
    query = select(ScaleResponse).where(
        ScaleResponse.patient_id == course.patient_id,
        ScaleResponse.scale == scale,
        ScaleResponse.course_id == course.id,
    )
    return list(session.scalars(query.order_by(ScaleResponse.answered_at)))


def _taken(row: ScaleResponse, ordinal_of: dict[datetime, int]) -> Taken:
    before = [ordinal for at, ordinal in ordinal_of.items() if at <= row.answered_at]
    return Taken(row.total, row.answered_at, max(before, default=0))


@dataclass(frozen=True)
class Curve:
    """A course's scores on one scale, its baseline and what they come to."""

    scale: scales.Scale
    scores: tuple[Taken, ...]
    baseline: Taken | None
    judgement: Judgement | None

    @property
    def words(self) -> str:
        """The outcome in full, or why there is none yet."""
        if self.judgement:
            return outcomes.say(self.judgement)
        if self.baseline:
            return _("%(name)s %(total)s at baseline", name=self.scale.name, total=self.baseline.total)
        return _("No %(name)s before the first infusion", name=self.scale.name)


def curve(session: Session, course: Course, scale_key: str = "phq9") -> Curve:
    """Return a course's scores on a scale and what they come to."""
    scale = scales.SCALES[scale_key]
    rows = _responses(session, course, scale_key)
    infusions = _infusions(session, course)
    scores = [_taken(row, infusions) for row in rows]
    locked = next((score for row, score in zip(rows, scores, strict=True) if row.is_baseline), None)
    if locked is None:
        first = min(infusions, default=None) or _first_planned(session, course)
        days = int(settings.of_clinic(session, course.clinic_id)["outcomes.baseline_days"])
        locked = outcomes.baseline(scores, first, days) if first else None
    judged = outcomes.course_of(scale, locked, scores) if locked else None
    return Curve(scale, tuple(scores), locked, judged)


def _infusions(session: Session, course: Course) -> dict[datetime, int]:
    """Return the number of each infusion that was given, by the instant it started."""
    query = (
        select(VisitEvent.occurred_at, Visit.ordinal)
        .join(Visit, Visit.id == VisitEvent.visit_id)
        .where(Visit.course_id == course.id, VisitEvent.to_status == VisitStatus.INFUSING)
    )
    return dict(session.execute(query).all())


def _first_planned(session: Session, course: Course) -> datetime | None:
    return session.scalar(
        select(Visit.starts_at).where(Visit.course_id == course.id).order_by(Visit.starts_at).limit(1)
    )
