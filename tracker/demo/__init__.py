"""The demonstration clinic: an invented practice in the middle of its day, the same every time for the same day."""

from dataclasses import dataclass
from datetime import date, datetime

from tracker import db
from tracker.demo import history, house, morning, post, todo, yesterday
from tracker.demo.courses import runs
from tracker.demo.days import at, working
from tracker.demo.people import ACCOUNTS, PASSWORD, Account
from tracker.demo.places import Places
from tracker.services import reminders, sending

__all__ = ["PASSWORD", "Made", "make"]


@dataclass(frozen=True)
class Made:
    """What was made: the demonstration's day, the instant it begins at, and who can sign in."""

    day: date
    at: datetime
    accounts: tuple[Account, ...] = ACCOUNTS


def make(day: date, clock: str = "11:42", *, key: bytes, base_url: str) -> Made:
    """Make the clinic in the configured database, which must be migrated and empty.

    Args:
        day: The demonstration's day; if the clinic is closed on it, the next one that it isn't.
        clock: The minute at which it begins, local time; the story is told up to 11:42.
        key: The server's key, for the links in the messages.
        base_url: Where the links lead.
    """
    today = working(day)
    now = at(today, clock)
    story = runs(today)
    places = Places().settle(story, today)
    with db.transaction() as session:
        clinic = house.build(session, today)
        house.admit_all(session, clinic)
        series = [history.book(session, clinic, *pair) for pair in zip(story, places, strict=True)]
        for one in series:
            reminders.plan_for_course(session, clinic.desk, one.course, one.visits, now=one.course.created_at)
        post.mark_old(session, clinic)
        yesterday.tell(session, clinic, series)
    post.send_recent(clinic, now, key=key, base_url=base_url)
    post.fates(clinic, now)
    with db.transaction() as session:
        series = [history.again(session, one) for one in series]
        morning.tell(session, clinic, series)
        todo.plan(session, clinic, series, now)
        sending.seal(session, now=now)
    return Made(today, now)
