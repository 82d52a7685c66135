"""When the clinic, its rooms, its people and its equipment are there: entered, and ended, never rewritten.

What is past stays as it was: an entry that has begun is ended from a day on, one that hasn't is taken out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.errors import Invalid, Refused
from tracker.models import Closure, Resource, Shift, WeeklyClosure
from tracker.rules import public_holidays
from tracker.rules.fields import ClockTime, ComingDay, Command, Line, Number, local_instant
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ResourceKind
from tracker.services import audit, calendar, capacity, clinic
from tracker.services.clinic import ClinicInfo
from tracker.text import gettext as _

WHOLE_CLINIC = "clinic"
LONGEST = timedelta(days=366)  # of one closure


class What(StrEnum):
    """What is entered: a time of absence, or a time of work."""

    AWAY = "away"
    WORKS = "works"


class When(StrEnum):
    """How often."""

    DAY = "day"  # one day, or a part of it
    RANGE = "range"  # from one day to another without a break
    WEEKLY = "weekly"


class EnterHours(Command):
    """Who or what, when, why. Without times it is the whole day; without a last day a weekly entry is for good."""

    who: Line
    what: What = What.AWAY
    when: When = When.DAY
    first_day: ComingDay
    last_day: ComingDay | None = None
    weekday: tuple[Number, ...] = Field(default=(), max_length=7)
    from_time: ClockTime | None = None
    until_time: ClockTime | None = None
    reason: Line | None = None


class EndHours(Command):
    """From which day on an entry counts no more."""

    from_day: ComingDay


class CloseHoliday(Command):
    """A public holiday that was proposed."""

    day: ComingDay


Row = Closure | WeeklyClosure | Shift
WeeklyModel = type[WeeklyClosure] | type[Shift]


def enter(session: Session, actor: Actor, wanted: EnterHours, *, now: datetime) -> list[Row]:
    """Enter a closure, an absence, an outage or a shift; return what was written.

    Whoever books or moves meanwhile does so before, and is among those it affects; or after, and finds it there.

    Raises:
        Invalid: Something doesn't go together; each fault beside its field.
        NotFound: Who or what is not this clinic's.
    """
    place = clinic.info(session, actor.clinic_id)
    resource = _resource(session, actor, wanted.who)
    _check(wanted, resource)
    capacity.lock(session, place)
    rows = list(_rows(session, place, resource, wanted))
    _refuse_twice(session, rows)
    session.add_all(rows)
    session.flush()
    _note(session, actor, "hours entered", rows, now)
    return rows


def _resource(session: Session, actor: Actor, who: str) -> Resource | None:
    if who == WHOLE_CLINIC:
        return None
    try:
        resource_id = UUID(who)
    except ValueError:
        raise Invalid({"who": _("Choose who or what from the list.")}) from None
    found = clinic.get(session, actor, Resource, resource_id)
    if found.kind is ResourceKind.PATIENT or found.retired_at:
        raise Invalid({"who": _("Choose who or what from the list.")})
    return found


def _check(wanted: EnterHours, resource: Resource | None) -> None:
    faults = dict(_faults(wanted, resource))
    if faults:
        raise Invalid(faults)


def _faults(wanted: EnterHours, resource: Resource | None) -> Iterator[tuple[str, str]]:
    first, last = wanted.first_day, wanted.last_day
    start, until = wanted.from_time, wanted.until_time
    if wanted.what is What.WORKS and (resource is None or resource.kind is not ResourceKind.STAFF):
        yield "who", _("Only nurses and physicians have shifts. For anything else, enter when it is not there.")
    if wanted.what is What.AWAY and not wanted.reason:
        yield "reason", _("Say why, so that whoever looks at the calendar knows.")
    if wanted.when is When.RANGE and last is None:
        yield "last_day", _("Enter the last day.")
    if last and last < first and wanted.when is not When.DAY:
        yield "last_day", _("The last day is before the first.")
    if last and wanted.when is When.RANGE and last - first > LONGEST:
        yield "last_day", _("Enter at most a year at once.")
    if wanted.what is What.WORKS and not (start and until):
        yield ("until_time" if start else "from_time"), _("A shift needs its beginning and its end.")
    same_day = wanted.when is not When.RANGE or last == first or wanted.what is What.WORKS
    if start and until and same_day and until <= start:
        yield "until_time", _("The end is before the beginning.")
    if wanted.when is When.WEEKLY and not wanted.weekday:
        yield "weekday", _("Choose at least one weekday.")
    if any(not 0 <= one <= 6 for one in wanted.weekday):
        yield "weekday", _("Choose weekdays from the list.")


def _rows(session: Session, place: ClinicInfo, resource: Resource | None, wanted: EnterHours) -> Iterator[Row]:
    of = {"clinic_id": place.id, "resource_id": resource.id if resource else None}
    if wanted.what is What.WORKS:
        yield from (Shift(**of, **_minutes(wanted), **weekly) for weekly in _weekdays(session, place, wanted))
    elif wanted.when is When.WEEKLY:
        for weekly in _weekdays(session, place, wanted):
            yield WeeklyClosure(**of, **_minutes(wanted), **weekly, reason=wanted.reason)
    else:
        starts_at, ends_at = _instants(place, wanted)
        yield Closure(**of, starts_at=starts_at, ends_at=ends_at, reason=wanted.reason)


def _minutes(wanted: EnterHours) -> dict[str, int]:
    start, until = wanted.from_time or time(), wanted.until_time
    return {
        "starts_minute": start.hour * 60 + start.minute,
        "ends_minute": until.hour * 60 + until.minute if until else 24 * 60,
    }


def _weekdays(session: Session, place: ClinicInfo, wanted: EnterHours) -> list[dict[str, Any]]:
    """Return weekday, first and last day of each weekly row: of a single day, or of those that were chosen."""
    first, last = wanted.first_day, wanted.last_day
    if wanted.when is When.DAY:
        return [{"weekday": first.weekday(), "first_day": first, "last_day": first}]
    chosen = sorted({*wanted.weekday}) or sorted(calendar.open_weekdays(session, place.id))
    return [{"weekday": one, "first_day": first, "last_day": last} for one in chosen]


def _instants(place: ClinicInfo, wanted: EnterHours) -> tuple[datetime, datetime]:
    first = wanted.first_day
    last = (wanted.last_day or first) if wanted.when is When.RANGE else first
    try:
        starts_at = local_instant(first, wanted.from_time or time(), place.zone)
    except ValueError as fault:
        raise Invalid({"from_time": str(fault)}) from None
    if wanted.until_time is None:
        return starts_at, datetime.combine(last + timedelta(days=1), time(), place.zone).astimezone(UTC)
    try:
        return starts_at, local_instant(last, wanted.until_time, place.zone)
    except ValueError as fault:
        raise Invalid({"until_time": str(fault)}) from None


def _refuse_twice(session: Session, rows: Sequence[Row]) -> None:
    """Refuse what stands there already, word for word but for the reason."""
    for row in rows:
        model = type(row)
        names = {*model.__table__.columns.keys()} - {"id", "reason"}
        same = [getattr(model, name).is_not_distinct_from(getattr(row, name)) for name in names]
        if session.scalar(select(model.id).where(*same).limit(1)):
            raise Refused(_("This is entered already."), field="who")


def _note(session: Session, actor: Actor, action: str, rows: Sequence[Row], now: datetime) -> None:
    subject = f"{rows[0].__tablename__} {rows[0].id}"
    detail = {"rows": len(rows), "resource": str(rows[0].resource_id or WHOLE_CLINIC)}
    audit.record(session, actor, action, subject=subject, detail=detail, now=now)


def end_closure(session: Session, actor: Actor, closure_id: UUID, *, now: datetime) -> Closure:
    """End a closure now; one that hasn't begun is taken out.

    Raises:
        NotFound: It is not this clinic's.
        Refused: It is over.
    """
    closure = clinic.get(session, actor, Closure, closure_id, lock=True)
    if closure.ends_at <= now:
        raise Refused(_("This is over already, and stays as it was."))
    if closure.starts_at >= now:
        session.delete(closure)
    else:
        closure.ends_at = now
    session.flush()
    _note(session, actor, "hours ended", [closure], now)
    return closure


def end_weekly(
    session: Session, actor: Actor, model: WeeklyModel, row_id: UUID, from_day: date, *, now: datetime
) -> list[Row]:
    """Let a weekly entry count no more from a day on, with those that differ from it in the weekday alone.

    Raises:
        NotFound: It is not this clinic's.
        Refused: It is over before that day.
    """
    capacity.lock(session, clinic.info(session, actor.clinic_id))  # without a shift somebody is away
    asked = clinic.get(session, actor, model, row_id, lock=True)
    if asked.last_day is not None and asked.last_day < from_day:
        raise Refused(_("This is over by then already."), field="from_day")
    rows: list[Row] = []
    for row in _alike(session, model, asked):
        if row.first_day and row.first_day >= from_day:
            session.delete(row)
        else:
            row.last_day = from_day - timedelta(days=1)
        rows.append(row)
    session.flush()
    _note(session, actor, "hours ended", rows, now)
    return rows


def _alike(session: Session, model: WeeklyModel, asked: WeeklyClosure | Shift) -> list[WeeklyClosure | Shift]:
    """Return the weekly entries that differ from one in the weekday alone, itself among them."""
    names = {*model.__table__.columns.keys()} - {"id", "weekday"}
    same = [getattr(model, name).is_not_distinct_from(getattr(asked, name)) for name in names]
    return list(session.scalars(select(model).where(*same).order_by(model.weekday)))


# What there is


@dataclass(frozen=True)
class Weekly:
    """A weekly entry as it is shown: those that differ in the weekday alone are one. `id` is any of theirs."""

    id: UUID
    resource_id: UUID | None
    weekdays: tuple[int, ...]
    starts_minute: int
    ends_minute: int
    first_day: date | None
    last_day: date | None
    reason: str


@dataclass(frozen=True)
class Hours:
    """What is entered from today on."""

    closures: Sequence[Closure]
    weekly: Sequence[Weekly]
    shifts: Sequence[Weekly]
    holidays: Sequence[tuple[date, str, bool]]  # day, name, whether the clinic is closed then


def overview(session: Session, actor: Actor, place: ClinicInfo, *, now: datetime) -> Hours:
    """Return what is in force or to come, and the public holidays of the next twelve months."""
    today = now.astimezone(place.zone).date()
    once = select(Closure).where(Closure.clinic_id == actor.clinic_id, Closure.ends_at > now)
    closures = list(session.scalars(once.order_by(Closure.starts_at, Closure.id)))
    found = public_holidays.open_on(
        public_holidays.coming(place.country, today), calendar.open_weekdays(session, place.id)
    )
    return Hours(
        closures,
        _grouped(session.scalars(_in_force(WeeklyClosure, actor, today))),
        _grouped(session.scalars(_in_force(Shift, actor, today).join(Resource, Resource.id == Shift.resource_id))),
        [(day, name, _covers(closures, place, day)) for day, name in found],
    )


def weekly(session: Session, actor: Actor, model: WeeklyModel, row_id: UUID) -> tuple[Weekly, str]:
    """Return a weekly entry as it is shown, and the name of whose it is. NotFound: it is not this clinic's."""
    asked = clinic.get(session, actor, model, row_id)
    name = session.get_one(Resource, asked.resource_id).name if asked.resource_id else ""
    return _grouped(_alike(session, model, asked))[0], name


def _in_force(model: Any, actor: Actor, today: date) -> Any:
    query = select(model).where(model.clinic_id == actor.clinic_id)
    query = query.where(model.last_day.is_(None) | (model.last_day >= today))
    return query.order_by(model.starts_minute, model.weekday, model.id)


def _grouped(rows: Any) -> list[Weekly]:
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        key = (row.resource_id, row.starts_minute, row.ends_minute, row.first_day, row.last_day)
        groups.setdefault((*key, getattr(row, "reason", "")), []).append(row)
    return [
        Weekly(found[0].id, key[0], tuple(sorted({row.weekday for row in found})), *key[1:])
        for key, found in groups.items()
    ]


def _covers(closures: Sequence[Closure], place: ClinicInfo, day: date) -> bool:
    begins, ends = calendar.bounds(place, day, day)
    return any(one.resource_id is None and one.starts_at <= begins and one.ends_at >= ends for one in closures)


def close_holiday(session: Session, actor: Actor, day: date, *, now: datetime) -> list[Row]:
    """Close the clinic on a public holiday.

    Raises:
        Refused: It is none of the next twelve months, or the clinic is closed then already.
    """
    place = clinic.info(session, actor.clinic_id)
    names = dict(public_holidays.coming(place.country, now.astimezone(place.zone).date()))
    if day not in names:
        raise Refused(_("This is none of the holidays shown. Enter the day yourself."), field="day")
    wanted = EnterHours.model_construct(
        who=WHOLE_CLINIC,
        what=What.AWAY,
        when=When.DAY,
        first_day=day,
        last_day=None,
        weekday=(),
        from_time=None,
        until_time=None,
        reason=names[day],
    )
    return enter(session, actor, wanted, now=now)
