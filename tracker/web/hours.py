"""When clinic, rooms, people and equipment are there: what is entered, entering it, ending it."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.models import Closure, Shift, WeeklyClosure
from tracker.rules.fields import Command
from tracker.rules.permissions import Permission
from tracker.services import affected, audit, calendar, clinic, hours
from tracker.services.hours import CloseHoliday, EndHours, EnterHours
from tracker.text import gettext as _
from tracker.text import ngettext, say_day, say_time
from tracker.web.access import access
from tracker.web.forms import Form, attempt, blank, page, parse

bp = Blueprint("hours", __name__, url_prefix="/hours")


@bp.get("")
@access(Permission.ENTER_HOURS)
def show() -> ResponseReturnValue:
    """Show what is entered from today on, and the form for more."""
    with transaction() as session:
        audit.record(session, g.actor, "read hours", now=g.now)
    return _page(
        blank(first_day=request.args.get("first_day", "")[:10] or g.today, who=request.args.get("who", "")[:36] or None)
    )


@bp.post("")
@access(Permission.ENTER_HOURS)
def enter() -> ResponseReturnValue:
    """Enter a closure, an absence, an outage or a shift."""
    form = parse(EnterHours, request.form, today=g.today)
    return _do(form, lambda session: hours.enter(session, g.actor, form.command, now=g.now), _("It is entered."))


@bp.post("/holidays")
@access(Permission.ENTER_HOURS)
def close_holiday() -> ResponseReturnValue:
    """Close the clinic on a public holiday that was proposed."""
    form = parse(CloseHoliday, request.form, today=g.today)
    done = _("The clinic is closed that day.")
    return _do(form, lambda session: hours.close_holiday(session, g.actor, form.command.day, now=g.now), done)


@bp.post("/closures/<uuid:closure_id>/end")
@access(Permission.ENTER_HOURS)
def end_closure(closure_id: UUID) -> ResponseReturnValue:
    """End a closure that lasts, take out one that is to come."""
    form = parse(Command, request.form)
    with read() as session:
        clinic.get(session, g.actor, Closure, closure_id)
    return _do(form, lambda session: hours.end_closure(session, g.actor, closure_id, now=g.now), _("It is ended."))


@bp.get("/weekly/<uuid:weekly_closure_id>/end")
@access(Permission.ENTER_HOURS)
def ask_weekly(weekly_closure_id: UUID) -> ResponseReturnValue:
    """Ask from which day on a weekly closure counts no more."""
    return _end_page(WeeklyClosure, weekly_closure_id, blank(from_day=g.today))


@bp.post("/weekly/<uuid:weekly_closure_id>/end")
@access(Permission.ENTER_HOURS)
def end_weekly(weekly_closure_id: UUID) -> ResponseReturnValue:
    """Let a weekly closure count no more from a day on."""
    return _end(WeeklyClosure, weekly_closure_id)


@bp.get("/shifts/<uuid:shift_id>/end")
@access(Permission.ENTER_HOURS)
def ask_shift(shift_id: UUID) -> ResponseReturnValue:
    """Ask from which day on a shift counts no more."""
    return _end_page(Shift, shift_id, blank(from_day=g.today))


@bp.post("/shifts/<uuid:shift_id>/end")
@access(Permission.ENTER_HOURS)
def end_shift(shift_id: UUID) -> ResponseReturnValue:
    """Let a shift count no more from a day on."""
    return _end(Shift, shift_id)


def _end(model: type[WeeklyClosure] | type[Shift], row_id: UUID) -> ResponseReturnValue:
    form = parse(EndHours, request.form, today=g.today)

    def do(session: Session) -> object:
        return hours.end_weekly(session, g.actor, model, row_id, form.command.from_day, now=g.now)

    def again(form: Form[Any], status: int) -> Response:
        return _end_page(model, row_id, form, status)

    return _do(form, do, _("It is ended."), again)


def _end_page(model: type[WeeklyClosure] | type[Shift], row_id: UUID, form: Form[Any], status: int = 200) -> Response:
    with read() as session:
        one, name = hours.weekly(session, g.actor, model, row_id)
    name = name or _("The clinic")
    return page("hours/end.html", status=status, form=form, one=one, name=name, say_days=_say_days, clock=_say_minutes)


def _do(
    form: Form[Any],
    do: Callable[[Session], object],
    done: str,
    again: Callable[[Form[Any], int], Response] | None = None,
) -> ResponseReturnValue:
    """Do what was asked and go back to the page, or show the form `again` with what is wrong."""

    def and_then(session: Session, _wanted: Command) -> str:
        do(session)
        return url_for("hours.show")

    return attempt(form, and_then, again or _page, done=done)


def _page(form: Form[Any], status: int = 200) -> Response:
    with read() as session:
        chosen = calendar.choices(session, g.actor)
        entered = hours.overview(session, g.actor, g.clinic, now=g.now)
        hit = affected.affected(session, g.actor, g.clinic, now=g.now)
    return page(
        "hours/hours.html",
        status=status,
        form=form,
        whom=[("clinic", _("The clinic")), *((one.id, one.name) for one in _listed(chosen))],
        names=chosen.names,
        entered=entered,
        hit=hit,
        numbered=list(enumerate(_weekdays())),
        say_days=_say_days,
        clock=_say_minutes,
        said=_say_hit(len(hit)),
        say_closure=_say_closure,
    )


def _listed(chosen: calendar.Choices) -> list[calendar.Choice]:
    return [*chosen.rooms, *chosen.staff, *chosen.equipment]


def _say_hit(count: int) -> str:
    return ngettext("%(n)s booked visit can't be where it is", "%(n)s booked visits can't be where they are", count)


def _say_closure(closure: Closure) -> str:
    """Say when a closure is; whole days without times, another year with the year."""
    zone, country = g.clinic.zone, g.clinic.country
    first, last = (one.astimezone(zone) for one in (closure.starts_at, closure.ends_at))
    form = "MMMEd" if last.year == first.year == g.today.year else "yMMMEd"
    if first.time() == last.time() == time():
        final = last.date() - timedelta(days=1)
        days = dict.fromkeys(say_day(day, country=country, form=form) for day in (first.date(), final))
        return _("%(days)s, all day", days=" – ".join(days))
    begins, ends = (say_time(one, zone, country) for one in (first, last))
    if last.time() == time() and last.date() - first.date() == timedelta(days=1):
        return _("%(day)s, from %(time)s on", day=say_day(first, zone, country, form), time=begins)
    if first.date() == last.date():
        return f"{say_day(first, zone, country, form)}, {begins} – {ends}"
    return f"{say_day(first, zone, country, form)}, {begins} – {say_day(last, zone, country, form)}, {ends}"


def _weekdays() -> list[str]:
    monday = g.today - timedelta(days=g.today.weekday())
    return [say_day(monday + timedelta(days=n), country=g.clinic.country, form="weekday") for n in range(7)]


def _say_days(numbers: tuple[int, ...]) -> str:
    """Say weekdays: those in a row by the first and the last."""
    names = _weekdays()
    said: list[list[int]] = []
    for number in numbers:
        if said and said[-1][-1] == number - 1:
            said[-1].append(number)
        else:
            said.append([number])
    parts = [names[row[0]] if len(row) == 1 else f"{names[row[0]]} – {names[row[-1]]}" for row in said]
    return ", ".join(parts)


def _say_minutes(minute: int) -> str:
    """Say minutes after local midnight; the day's end is midnight again."""
    at = datetime(2000, 1, 1, minute // 60 % 24, minute % 60, tzinfo=g.clinic.zone)
    return say_time(at, g.clinic.zone, g.clinic.country)
