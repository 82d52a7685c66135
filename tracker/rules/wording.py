"""What a coordinator calls a wish, or a limit: "Never on Thursdays", "Not before 9:00 AM"."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from tracker.rules.plan import PlanRequest, Rule, Wish, Wishes
from tracker.text import gettext as _
from tracker.text import say_day, say_time

_UTC = ZoneInfo("UTC")


def said(rule: Wish | Rule, request: PlanRequest) -> str:
    """Say a wish or a limit of a request."""
    wishes, limits, free = request.wishes, request.limits, request.free

    def on(day: date) -> str:
        return say_day(day, country=request.country)

    def name(who: UUID | None) -> str:
        return free.by_id[who].name if who in free.by_id and who else ""

    says: dict[Wish | Rule, Callable[[], str]] = {
        Wish.HOURS: lambda: _hours(wishes, request.country),
        Wish.TIME: lambda: _("Around %(time)s", time=say_clock(wishes.preferred_time or time(), request.country)),
        Wish.DAYS_OFF: lambda: _("Days off"),
        Wish.WEEKDAYS: lambda: _never(wishes),
        Wish.ROOM: lambda: _("Every visit in %(name)s", name=name(wishes.room_id)),
        Wish.CLINICIAN: lambda: _("Every visit with %(name)s", name=name(wishes.clinician_id)),
        Rule.START: lambda: _("Not before %(day)s", day=on(wishes.earliest)),
        Rule.LATER: lambda: _("Nothing until %(day)s", day=on(free.days.calendar(free.days.count - 1))),
        Rule.GAP: lambda: _("No gap longer than %(n)s days", n=limits.max_gap.days),
        Rule.SPAN: lambda: _("No longer than %(n)s days", n=limits.max_span_days),
    }
    return says[rule]()


def _hours(wishes: Wishes, country: str) -> str:
    arrive, leave = (say_clock(clock, country) if clock else "" for clock in (wishes.arrive_from, wishes.leave_by))
    if arrive and leave:
        return _("Only from %(arrive)s to %(leave)s", arrive=arrive, leave=leave)
    return _("Not before %(time)s", time=arrive) if arrive else _("Away by %(time)s", time=leave)


def _never(wishes: Wishes) -> str:
    never = sorted(set(range(7)) - wishes.weekdays)
    workdays = [weekday for weekday in never if weekday < 5] or never
    return _("Never on %(weekdays)s", weekdays=", ".join(weekday_names()[weekday] for weekday in workdays))


def weekday_names() -> list[str]:
    """Return what wishes call the weekdays, Monday first."""
    return [_("Mondays"), _("Tuesdays"), _("Wednesdays"), _("Thursdays"), _("Fridays"), _("Saturdays"), _("Sundays")]


def say_clock(clock: time, country: str) -> str:
    """Say a local time of day: "8:30 AM"."""
    return say_time(datetime.combine(date(2000, 1, 1), clock, UTC), _UTC, country)
