"""The calendar beyond the day: a week by room, a month by load, a day by staff, a list to sort and print."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.db import read, transaction
from tracker.rules import agenda
from tracker.rules.agenda import Filters, Order
from tracker.rules.permissions import Permission
from tracker.rules.roster import Roster
from tracker.rules.visit import say
from tracker.services import audit, calendar, month, roster
from tracker.services.calendar import Choices
from tracker.text import say_day, say_time
from tracker.web import days
from tracker.web.access import access
from tracker.web.forms import page, see_other

bp = Blueprint("calendar", __name__, url_prefix="/calendar")

Load = Callable[[Session, Choices, Filters], Any]


@bp.get("")
@access(Permission.VIEW_DAY)
def index() -> ResponseReturnValue:
    """The calendar begins with this week."""
    return see_other("calendar.week", day=g.today)


@bp.get("/week/<string:day>")
@access(Permission.VIEW_DAY)
def week(day: str) -> ResponseReturnValue:
    """The week that a day lies in, by room."""
    on = days.the_day(day)
    first, last = agenda.week_of(on)[0], agenda.week_of(on)[-1]

    def load(session: Session, _chosen: Choices, filters: Filters) -> calendar.Week:
        return calendar.week(session, g.actor, g.clinic, on, filters, now=g.now)

    step = timedelta(weeks=1)
    return _page("week", on, (on - step, on + step), load, first=first, last=last)


@bp.get("/month/<string:day>")
@access(Permission.VIEW_DAY)
def month_of(day: str) -> ResponseReturnValue:
    """The month that a day lies in, by load."""
    on = days.the_day(day)

    def load(session: Session, _chosen: Choices, filters: Filters) -> month.Month:
        return month.month(session, g.actor, g.clinic, on, filters, now=g.now)

    monday = agenda.week_of(on)[0]
    names = [say_day(monday + timedelta(days=n), form="weekday", country=g.clinic.country) for n in range(7)]
    return _page("month", on, (agenda.month_before(on), agenda.next_month(on)), load, weekdays=names)


@bp.get("/staff/<string:day>")
@access(Permission.VIEW_DAY)
def staff(day: str) -> ResponseReturnValue:
    """A day by staff."""
    on = days.the_day(day)

    def load(session: Session, chosen: Choices, filters: Filters) -> Roster:
        return roster.staff_day(session, g.actor, g.clinic, on, chosen, filters, now=g.now)

    step = timedelta(days=1)
    return _page("staff", on, (on - step, on + step), load)


@bp.get("/list/<string:day>")
@access(Permission.VIEW_DAY)
def listing(day: str) -> ResponseReturnValue:
    """The visits of the week that a day lies in, one a line."""
    on = days.the_day(day)
    first, last = agenda.week_of(on)[0], agenda.week_of(on)[-1]
    order, descending = days.order(), request.args.get("down") == "yes"

    def load(session: Session, chosen: Choices, filters: Filters) -> list[agenda.Entry]:
        found = calendar.entries(session, g.actor, g.clinic, first, last, filters)
        return agenda.in_order(found, order, chosen.names, descending=descending)

    step = timedelta(weeks=1)
    more = {} if order is Order.WHEN and not descending else {"sort": str(order), "down": "yes" if descending else ""}
    context = {"first": first, "last": last, "order": order, "down": descending, "say_status": say}
    return _page("list", on, (on - step, on + step), load, more, **context)


def _page(
    view: str, on: date, beside: tuple[date, date], load: Load, more: dict[str, str] | None = None, **context: Any
) -> Response:
    """Show a view of the calendar; that somebody looked stands in the audit."""
    filters = days.filters()
    with read() as session:
        chosen = calendar.choices(session, g.actor)
    days.check(filters, chosen)
    with transaction() as session:
        audit.record(session, g.actor, f"read {view}", subject=on.isoformat(), now=g.now)
    with read() as session:
        shown = load(session, chosen, filters)
    cal = days.Shown(view, on, *beside, chosen, filters, more or {})
    return page(f"calendar/{view}.html", cal=cal, shown=shown, names=chosen.names, hour=hour, **context)


def hour(hour: int) -> str:
    """Say a full hour, the short way: "8 AM"."""
    said = say_time(datetime(2000, 1, 1, hour, tzinfo=g.clinic.zone), g.clinic.zone, g.clinic.country)
    return said.replace(":00 ", " ")
