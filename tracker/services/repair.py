"""Visits that lost their place: planned anew all together by a worker, shown, and put into effect at once."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from tracker.errors import Invalid, Refused, Stale
from tracker.models import Claim, Course, Job, Patient, Visit
from tracker.rules.fields import Command, Number
from tracker.rules.permissions import Actor
from tracker.rules.plan import PlannedVisit
from tracker.rules.vocabulary import ResourceKind, Role
from tracker.services import audit, capacity, clinic, followup, moving
from tracker.services.affected import affected
from tracker.services.clinic import ClinicInfo
from tracker.services.damage import KIND, PLANNED, WAS, Was
from tracker.services.followup import Ask
from tracker.text import gettext as _
from tracker.text import ngettext, say_instant, say_time

CALL_WITHIN = timedelta(hours=2)  # for whoever has no place; our inference


@dataclass(frozen=True)
class Row:
    """One visit of a proposal: from where to where (None: nowhere yet), and what that means for the patient."""

    visit: Visit
    patient: Patient
    of: int
    was: Was
    to: PlannedVisit | None = None
    lost: bool = True
    missing: str = ""  # what isn't there at its old place
    version: int = 0
    changes: Sequence[str] = ()
    follows: bool = False  # it moves because a visit of the same series does, not to make room


@dataclass(frozen=True)
class Proposal:
    """What a worker proposes. The bounds are proven."""

    rows: Sequence[Row]  # in order of their patients and visits
    unplaced: Sequence[Row]
    left: Sequence[Row]  # lost ones that somebody wants left where they are
    least_unplaced: int
    least_touched: int
    names: Mapping[UUID, str]  # of rooms and staff

    @property
    def touched(self) -> int:
        """How many visits move that had not lost their place."""
        return sum(not row.lost for row in self.rows)

    @property
    def patients(self) -> int:
        """How many patients get a message: those whose visit is at another time."""
        return len({row.patient.id for row in self.rows if row.to and row.to.starts_at != row.was.starts_at})

    @property
    def said(self) -> str:
        """Say how far from proven it is."""
        if len(self.unplaced) > self.least_unplaced:
            return _("There may be a place for more of them: the search ended before it could tell.")
        if self.touched <= self.least_touched:
            return _("Proven: nothing moves fewer others.")
        return _("Proven: at least %(least)s others have to move.", least=self.least_touched)

    def days(self, zone: tzinfo) -> list[tuple[date, list[Row], list[Row]]]:
        """Return the days that change: what was there before, and what comes, each in order of time."""
        before: dict[date, list[Row]] = defaultdict(list)
        after: dict[date, list[Row]] = defaultdict(list)
        for row in sorted(self.rows, key=lambda row: row.was.starts_at):
            before[row.was.starts_at.astimezone(zone).date()].append(row)
        for to, row in sorted(((row.to.starts_at, row) for row in self.rows if row.to), key=lambda one: one[0]):
            after[to.astimezone(zone).date()].append(row)
        return [(day, before[day], after[day]) for day in sorted({*before, *after})]

    @property
    def stale(self) -> list[Row]:
        """The rows whose visit somebody changed since."""
        return [row for row in self.rows if row.version != row.visit.version]


def proposal(session: Session, actor: Actor, job: Job) -> Proposal:
    """Return what a finished job proposes."""
    place, result = clinic.info(session, actor.clinic_id), job.result or _NOTHING
    names = {
        one.id: one.name
        for kind in (ResourceKind.ROOM, ResourceKind.STAFF)
        for one in clinic.resources(session, actor, kind)
    }
    found = {UUID(one["visit"]): one for one in result["changes"]}
    unplaced, left = ({UUID(one) for one in result[name]} for name in ("unplaced", "left"))
    visits = _visits(session, actor, [*found, *unplaced, *left])
    hurt = {visit.course_id for visit in visits if visit.id in found and found[visit.id]["lost"]}
    rows = []
    for visit in visits:
        if visit.id in found:
            change = found[visit.id]
            planned = PLANNED.validate_python(change["planned"])
            was = WAS.validate_python(change["was"])
            rows.append(
                replace(
                    _row(visit),
                    was=was,
                    to=planned,
                    lost=change["lost"],
                    missing=change["missing"],
                    version=change["version"],
                    changes=what_changes(was, planned, place, names),
                    follows=visit.course_id in hurt,
                )
            )
    return Proposal(
        rows,
        [_row(visit) for visit in visits if visit.id in unplaced],
        [_row(visit) for visit in visits if visit.id in left],
        result["least_unplaced"],
        result["least_touched"],
        names,
    )


_NOTHING: dict[str, Any] = {"changes": [], "unplaced": [], "left": [], "least_unplaced": 0, "least_touched": 0}


def _row(visit: Visit) -> Row:
    of: int = visit.course.protocol.definition["visits"]
    return Row(visit, visit.patient, of, Was(visit.starts_at, visit.room_id, visit.physician_id))


def _visits(session: Session, actor: Actor, visit_ids: Sequence[UUID]) -> list[Visit]:
    loaded = joinedload(Visit.course).joinedload(Course.protocol), joinedload(Visit.patient)
    query = select(Visit).where(Visit.clinic_id == actor.clinic_id, Visit.id.in_(visit_ids)).options(*loaded)
    return sorted(
        session.scalars(query), key=lambda one: (one.patient.family_name, one.patient.given_name, one.starts_at)
    )


def what_changes(was: Was, to: PlannedVisit, place: ClinicInfo, names: Mapping[UUID, str]) -> list[str]:
    """Say what a new place means for the patient: the day, the hour, the room, the physician."""
    before, after = (moment.astimezone(place.zone) for moment in (was.starts_at, to.starts_at))
    days = (after.date() - before.date()).days
    said = []
    if days > 0:
        said.append(ngettext("a day later", "%(n)s days later", days))
    elif days < 0:
        said.append(ngettext("a day earlier", "%(n)s days earlier", -days))
    if (before.hour, before.minute) != (after.hour, after.minute):
        hours = (say_time(moment, place.zone, place.country) for moment in (to.starts_at, was.starts_at))
        said.append(_("at %(now)s, not %(was)s", **dict(zip(("now", "was"), hours, strict=True))))
    said += [
        _("%(now)s, not %(was)s", now=names.get(now_id, ""), was=names.get(was_id, ""))
        for was_id, now_id in ((was.room_id, to.room_id), (was.physician_id, to.physician_id))
        if was_id != now_id
    ]
    return said


class KeepTicked(Command):
    """The changes that somebody wants, of those a proposal has."""

    ticked: tuple[UUID, ...] = ()


def left_out(session: Session, actor: Actor, job_id: UUID, wanted: KeepTicked) -> set[UUID]:
    """Return the visits that a next search is to leave where they are: what was unticked now, and before.

    Raises:
        NotFound: There is no such proposal in this clinic.
        Invalid: Something is ticked that the proposal doesn't have, or twice.
    """
    job = clinic.get(session, actor, Job, job_id)
    proposed = {UUID(one["visit"]) for one in (job.result or _NOTHING)["changes"]}
    ticked = set(wanted.ticked)
    if len(ticked) < len(wanted.ticked) or ticked - proposed:
        raise Invalid({"ticked": _("This is not one of the changes shown. Open the page again.")})
    return (proposed - ticked) | {UUID(one) for one in job.args["kept"]}


# Putting it into effect


class ApplyRepair(Command):
    """`version` is the job's as it was shown."""

    version: Number


def apply(session: Session, actor: Actor, job_id: UUID, wanted: ApplyRepair, *, now: datetime) -> Proposal:
    """Move every visit of a proposal, or none. Who has no place becomes a task; each patient gets one message.

    Raises:
        NotFound: There is no such proposal in this clinic.
        Stale: The proposal, or a visit in it, was changed since it was made.
        Refused: It is in effect already, it isn't finished, or a place is not free any more.
    """
    job = clinic.get(session, actor, Job, job_id, lock=True)
    if job.applied_at is not None:
        raise Refused(_("These changes are made already."))
    if job.kind != KIND or job.result is None:
        raise Refused(_("There is no proposal yet."))
    if job.version != wanted.version:
        raise Stale(_("Somebody changed this proposal since you opened it. Look at it again."))
    place = clinic.info(session, actor.clinic_id)
    _lock(session, place, proposal(session, actor, job))
    found = proposal(session, actor, job)
    if found.stale:
        names = ", ".join(dict.fromkeys(row.patient.family_name for row in found.stale))
        raise Stale(_("Somebody changed visits since: %(names)s. Look for places again.", names=names))
    _check_free(session, place, found)
    _put(session, actor, found, now)
    lost = {one.visit_id for one in affected(session, actor, place, now=now)}
    for row in (*found.unplaced, *found.left):
        if row.visit.id in lost:  # still: nobody moved or cancelled it meanwhile
            followup.ask(session, row.visit, _call(row, place, now), now=now)
    job.applied_at = now
    session.flush()
    audit.record(session, actor, "apply repair", subject=f"job {job.id}", now=now)
    return found


def _lock(session: Session, place: ClinicInfo, found: Proposal) -> None:
    """Lock in the order that every move does: what can be claimed, then the series."""
    capacity.lock(session, place, *{row.patient.id for row in found.rows})
    courses = {row.visit.course_id for row in found.rows}
    query = select(Course.id).where(Course.id.in_(courses)).order_by(Course.id)
    session.execute(query.with_for_update(key_share=True))
    session.expire_all()  # others may have moved them while we waited


def _check_free(session: Session, place: ClinicInfo, found: Proposal) -> None:
    """Raise Refused if a place was taken, or closed, since the proposal was made; the database looks at claims only."""
    planned = [(row, row.to) for row in found.rows if row.to]
    if not planned:
        return
    days = [to.starts_at.astimezone(place.zone).date() for _row, to in planned]
    free = capacity.load(
        session,
        place,
        min(days),
        max(days),
        patients=[row.patient.id for row, _to in planned],
        without=[row.visit.id for row, _to in planned],
    )
    for row, to in planned:
        if not all(free.has(claim.resource_id, claim.lane, claim.starts_at, claim.ends_at) for claim in to.claims):
            when = say_instant(to.starts_at, place.zone, place.country)
            name = row.patient.family_name
            raise Refused(_("%(when)s is not free for %(name)s any more. Look for places again.", when=when, name=name))


def _put(session: Session, actor: Actor, found: Proposal, now: datetime) -> None:
    # All at once: what one visit leaves, another takes.
    session.execute(delete(Claim).where(Claim.visit_id.in_([row.visit.id for row in found.rows])))
    moves: dict[UUID, list[tuple[Visit, PlannedVisit]]] = defaultdict(list)
    for row in found.rows:
        if row.to:
            moves[row.visit.course_id].append((row.visit, row.to))
    for course_id in sorted(moves):
        series = moving.standing(session, actor, course_id)
        told = moving.put(session, actor, series, moves[course_id], _("A day fell out"), now=now)
        moving.follow(session, actor, series, "repair series", f"course {course_id}", told=told, now=now)


def _call(row: Row, place: ClinicInfo, now: datetime) -> Ask:
    when = say_instant(row.visit.starts_at, place.zone, place.country)
    return Ask(
        kind="no_place",
        key=moving.no_place(row.visit),
        owner_role=Role.COORDINATOR,
        due_at=now + CALL_WITHIN,
        detail=_("%(when)s can't take place, and has no other place", when=when),
        urgent=True,
    )
