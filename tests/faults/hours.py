"""At which hour messages leave: around both clock changes, in zones far apart, whatever zone the server is in.

The reference is written anew, from what the cadence says in words, and knows of zones only what time it is there: it
walks through the minutes until a clock on the wall shows what it looks for.
"""

import os
import time as stopwatch
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests import mailroom
from tests.conftest import NOW
from tests.factories import COTTONWOOD, make_clinic
from tests.faults.killed_worker import DESK
from tests.fresh import FRESH
from tracker import db
from tracker.channels.message import End, Message, Outcome
from tracker.dispatch import Worker
from tracker.models import Patient, Reminder, Visit
from tracker.rules import cadence
from tracker.rules.vocabulary import ReminderChannel, VisitStatus
from tracker.services import letters, reminders, sweeping

CLINIC = ZoneInfo(COTTONWOOD.zone_name)
# The clinic's own (no zone of her own), and some that change their clocks on other days, by half an hour, or never.
LIVES = (None, "America/Phoenix", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland", "UTC")
SERVERS = ("UTC", "Asia/Kolkata", "Pacific/Auckland", "America/Denver")
# Clocks change in Denver on 8 March and 1 November, in Berlin on 29 March and 25 October, in Auckland on 5 April.
BEGIN = (date(2026, 3, 6), date(2026, 3, 27), date(2026, 10, 23), date(2026, 10, 30))
STEP = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
PATIENCE = 400


@dataclass
class Hours:
    """What was found: messages there were, and those at a wrong hour, missing, or more than asked for."""

    messages: int = 0
    wrong: int = 0
    doubled: int = 0


def run(url: str, server: str, begin: date, *, clock: bool = False, guard: str = "") -> Hours:
    """Let a clinic live through twelve days in a process whose own zone is `server`; see when what left.

    Args:
        clock: The server's clock goes back by an hour at one time, and forth by one at another.
    """
    answers = FRESH.Queue()
    process: Any = FRESH.Process(target=_live, args=(url, server, begin, clock, guard, answers), daemon=True)
    process.start()
    try:
        return answers.get(timeout=PATIENCE)
    finally:
        process.join(5)
        process.kill()


def _live(url: str, server: str, begin: date, clock: bool, guard: str, answers: Any) -> None:
    os.environ["TZ"] = server
    stopwatch.tzset()
    db.configure(url)
    if guard == "zone":
        reminders.zone_of = lambda *_args: CLINIC
    if guard == "quiet":
        cadence.outside_quiet = lambda moment, **_more: moment
        letters._quiet = lambda *_args: None
    answers.put(_lived(begin, clock))


@dataclass
class Log:
    """A channel that keeps when each message left."""

    seconds: float = 1.0
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.left: list[tuple[str, datetime]] = []

    def send(self, message: Message) -> Outcome:
        """Take it."""
        self.left.append((str(message.id), self.now))
        return Outcome(End.ACCEPTED, "kept")


def _lived(begin: date, clock: bool) -> Hours:
    booked = _at(begin - DAY, time(12), CLINIC)
    house = make_clinic()
    lives: dict[str, ZoneInfo] = {}
    for number, zone in enumerate(LIVES):
        patient_id = mailroom.patient(house, f"H{number}")
        with db.transaction() as session:
            session.get_one(Patient, patient_id).zone_name = zone
        hour = time(9 + number % 2 * 7, 30)  # 9:30 and 16:30
        starts = [_at(begin + n * DAY, hour, CLINIC) for n in (1, 2, 3)]
        mailroom.series(house, patient_id, *starts, booked_at=booked)
        lives[str(patient_id)] = ZoneInfo(zone) if zone else CLINIC
    log, ticks = Log(), list(_ticks(booked, clock))
    sender = Worker({ReminderChannel.EMAIL: log}, DESK, name="hours")
    for now in ticks:
        with db.read() as session:
            if not sweeping.waits(session, now=now):
                continue
        with db.transaction() as session:
            over = session.query(Visit).filter(Visit.ends_at <= now, Visit.status == VisitStatus.BOOKED)
            over.update({"status": VisitStatus.DISCHARGED})
        log.now = now
        sender.tick(now)
    return _judge(log, lives, ticks, booked)


def _ticks(start: datetime, clock: bool) -> Any:
    """Yield what the server's clock shows, every ten minutes for seven days."""
    shown = start
    for number in range(int(7 * DAY / STEP)):
        if clock and number == 140:
            shown -= timedelta(hours=1)
        if clock and number == 300:
            shown += timedelta(hours=1)
        yield shown
        shown += STEP


def _judge(log: Log, lives: dict[str, ZoneInfo], ticks: list[datetime], booked: datetime) -> Hours:
    with db.read() as session:
        rows = {str(row.id): row for row in session.query(Reminder)}
        visits = {visit.id: visit for visit in session.query(Visit)}
    wanted: dict[tuple[Any, ...], datetime] = {}
    for patient_id, zone in lives.items():
        own = sorted((v for v in visits.values() if str(v.patient_id) == patient_id), key=lambda v: v.starts_at)
        wanted |= {(patient_id, *key): at for key, at in reference([v.starts_at for v in own], zone, booked).items()}
    found = Hours(messages=len(log.left))
    found.doubled = sum(times > 1 for times in Counter(id_ for id_, _at in log.left).values())
    last = max(ticks)
    seen = set()
    for id_, left in log.left:
        row = rows[id_]
        start = visits[row.visit_id].starts_at if row.visit_id else None
        key = (str(row.patient_id), row.purpose.value, start)
        seen.add(key)
        # It leaves at the first tick that shows its time or a later one.
        due = wanted.get(key)
        found.wrong += due is None or left != next((tick for tick in ticks if tick >= due), None)
    found.wrong += sum(at <= last and key not in seen for key, at in wanted.items())
    return found


def reference(starts: list[datetime], zone: ZoneInfo, booked: datetime) -> dict[tuple[str, datetime | None], datetime]:
    """Return when each message of a series is to leave, by what it is and which visit it is about."""
    found: dict[tuple[str, datetime | None], datetime] = {("itinerary", None): _not_at_night(booked, zone)}
    reminded, asked = {}, {}
    for start in starts:
        last_call = start - timedelta(hours=2)
        reminded[start] = _not_at_night(start - timedelta(hours=24), zone, last_call)
        local = start.astimezone(zone)
        asked[start] = _at(local.date() + DAY, time(10), zone)
        morning = _at(local.date(), time(8), zone)
        if morning < min(last_call, morning + timedelta(hours=4)):
            found["same_day", start] = morning
    for start in {starts[0], starts[-1]}:
        found["therapy", start] = _at(start.astimezone(zone).date() + 2 * DAY, time(10), zone)
    days = {at.astimezone(zone).date() for at in reminded.values() if at >= booked}
    found |= {("visit", start): at for start, at in reminded.items()}
    # Asked in the reminder of the same day, where there is one.
    found |= {("next_day", start): at for start, at in asked.items() if at.astimezone(zone).date() not in days}
    three = starts[0].astimezone(zone)
    found["first_visit", starts[0]] = _not_at_night(_at(three.date() - 3 * DAY, three.time(), zone), zone)
    return {key: at for key, at in found.items() if at >= booked}


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the first minute of that day at which a clock on the wall there shows so much, or more."""
    minute = datetime(day.year, day.month, day.day, tzinfo=UTC) - DAY
    while (minute.astimezone(zone).date(), minute.astimezone(zone).time()) < (day, clock):
        minute += MINUTE
    return minute


def _not_at_night(moment: datetime, zone: ZoneInfo, until: datetime | None = None) -> datetime:
    """Return the moment, or the first minute of the morning, or 20:30 before if that is too late."""
    minute = moment
    while not time(8) <= minute.astimezone(zone).time() < time(21):
        minute += MINUTE
    if until is None or minute < until:
        return minute
    while not time(8) <= moment.astimezone(zone).time() < time(21):
        moment -= MINUTE
    return _at(moment.astimezone(zone).date(), time(20, 30), zone)
