"""The demonstration: the same for the same day, and at 11:42 the board tells its story."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from tests.conftest import KINDS, lay
from tracker import db, demo
from tracker.config import Config
from tracker.demo.courses import runs
from tracker.demo.days import is_open, thanksgiving
from tracker.demo.places import Places
from tracker.models import (
    Clinic,
    Course,
    Dose,
    Note,
    Patient,
    Reminder,
    Resource,
    Task,
    UserAccount,
    Visit,
    VisitEvent,
)
from tracker.rules import vitals
from tracker.rules.attention import Level
from tracker.rules.cadence import Purpose
from tracker.rules.permissions import Actor, Role
from tracker.rules.vocabulary import CourseStatus, ReminderStatus, TaskStatus, VisitStatus
from tracker.services import audit, clinic, diary, health, sending, settings, undelivered, visit_record
from tracker.worker import build

D = date(2026, 11, 24)
KEY = b"k" * 32


def make(day=D):
    return demo.make(day, key=KEY, base_url="http://127.0.0.1:8000")


def desk(session) -> Actor:
    user = session.scalars(select(UserAccount).where(UserAccount.role == Role.COORDINATOR)).one()
    return Actor(user.clinic_id, user.id, user.role, user.name)


def board_of(session, made):
    actor = desk(session)
    return diary.day_board(session, actor, clinic.info(session, actor.clinic_id), made.day, now=made.at)


@pytest.fixture(scope="module")
def _made(_sqlite_template, tmp_path_factory):
    """Return the demonstration, made once, for it takes some seconds, and the file it lies in."""
    file = lay(_sqlite_template, tmp_path_factory.mktemp("demo") / "tracker.db")
    db.configure(f"sqlite:///{file}")
    made = make()
    db.engine().dispose()
    return made, file


@pytest.fixture
def demonstration(_made, tmp_path):
    """Return the demonstration of that day and the address of a copy of it."""
    made, file = _made
    url = f"sqlite:///{lay(file, tmp_path / 'demo.db')}"
    db.configure(url)
    yield made, url
    db.engine().dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_at_1142_it_tells_its_story_and_holds_together(kind, request):
    if kind == "sqlite":
        made, _url = request.getfixturevalue("demonstration")
    else:
        db.configure(request.getfixturevalue("postgres_url_fresh"))
        made = make()
    with db.read() as session:
        the_board_tells_the_story(board_of(session, made))
        what_is_past_holds_together(session, made)
        nothing_waits_that_should_be_done(session, made)
        messages_met_different_ends(session, made)


def the_board_tells_the_story(board):
    """Nine visits, three red needs, five amber ones, doses and minutes as the story says."""
    counts = board.counts
    assert (counts.visits, counts.done, counts.in_rooms, counts.waiting, counts.to_come) == (9, 1, 3, 1, 4)
    assert counts.free == 0
    said = {(need.chip.level, need.visit.patient if need.visit else need.task.patient) for need in board.needs}
    assert said == {
        (Level.STOP, "Bianchi, Sara"),
        (Level.STOP, "Tran, Linh"),
        (Level.STOP, "Brooks, Marcus"),
        (Level.SOON, "Haddad, Yusuf"),
        (Level.SOON, "Schmidt, Ursula"),
        (Level.SOON, "Novak, Petra"),
        (Level.SOON, "Alvarez, Mateo"),
        (Level.SOON, "Petrov, Dmitri"),
    }
    bars = {bar.visit.patient.split(",")[0]: bar for row in board.rows for bar in row.bars}
    assert {name: int(bar.visit.mg) for name, bar in bars.items()} == {
        "Okafor": 41,
        "Haddad": 44,
        "Schmidt": 36,
        "Tran": 40,
        "Ibrahim": 42,
        "Bianchi": 33,
        "Novak": 35,
        "Alvarez": 47,
        "Fraser": 45,
    }
    assert (bars["Haddad"].chip.minutes, bars["Tran"].chip.minutes) == (57, 4)
    assert (bars["Bianchi"].visit.answer_for, bars["Bianchi"].chip.minutes) == ("Dr A. Hale", -17)
    assert (bars["Fraser"].visit.sequence, bars["Schmidt"].visit.ordinal) == (5, 5)
    wait = next(need.effects[0] for need in board.needs if need.effects and need.effects[0].next == "Ibrahim, Salma")
    assert wait.start_by.astimezone(clinic.ZoneInfo("America/Denver")).strftime("%H:%M") == "12:00"
    assert wait.after_next == "Alvarez, Mateo"


def what_is_past_holds_together(session, made):
    """Every infusion given has order, checked dose, whole vital signs, way home and signed note; today's one isn't."""
    actor = desk(session)
    given = session.scalars(select(Visit).where(Visit.status == VisitStatus.DISCHARGED)).all()
    for visit in given:
        record = visit_record.load(session, actor, visit.id, now=visit.ends_at)
        steps = [step.status for step in record.steps]
        assert steps[0] is VisitStatus.ARRIVED
        assert steps[-1] is VisitStatus.DISCHARGED
        assert record.dose.checked_by
        assert record.dose.given_mg
        assert not record.checklist.left
        states = {column.state for column in record.columns(visit.ends_at)}
        assert states <= {vitals.SetState.DONE, vitals.SetState.LATER}
        assert all(effect.resolved_at for effect in record.effects)
        today = visit.starts_at > made.at - timedelta(hours=12)
        assert [bool(note.signed_at) for note in record.notes] == ([] if today else [True])
    assert len(given) == 63


def messages_met_different_ends(session, made):
    """A text that arrived, one that couldn't and was answered by a call, an e-mail of which nobody knows; no alarm."""
    ends = dict(session.execute(select(Reminder.status, func.count()).group_by(Reminder.status)).all())
    assert ends[ReminderStatus.DELIVERED] >= 2
    assert (ends[ReminderStatus.BOUNCED], ends[ReminderStatus.UNCERTAIN]) == (1, 1)
    tasks = dict(session.execute(select(Task.kind, Task.status).where(Task.kind.in_(undelivered.KINDS))).all())
    assert tasks == {"undelivered": TaskStatus.DONE, "uncertain": TaskStatus.OPEN}
    assert not health.health(session, desk(session), now=made.at)


def nothing_waits_that_should_be_done(session, made):
    """No message is due and unsent, no task overdue but the one for Brooks, no series over and running."""
    late = select(Reminder).where(Reminder.send_at <= made.at, Reminder.status == ReminderStatus.SCHEDULED)
    lost = select(Reminder).where(Reminder.status.in_((ReminderStatus.FAILED, ReminderStatus.UNCERTAIN)))
    overdue = select(Task.kind).where(Task.status == TaskStatus.OPEN, Task.due_at < made.at)
    to_come = select(Visit.id).where(Visit.course_id == Course.id, Visit.starts_at > made.at - timedelta(hours=12))
    over = select(Course).where(Course.status == CourseStatus.ACTIVE, ~to_come.exists())
    assert session.scalars(late).all() == []
    assert [row.purpose for row in session.scalars(lost)] == [Purpose.ITINERARY]  # Moreau's, which was sent again
    assert session.scalars(overdue).all() == ["no_show"]
    assert session.scalars(over).all() == []
    assert audit.verify(session, session.scalars(select(Clinic.id)).one()).faults == ()


def test_it_is_the_same_every_time_for_the_same_day(demonstration, sqlite_url):
    made, _url = demonstration
    first = _content(made)
    db.configure(sqlite_url)
    assert _content(make()) == first


def _content(made):
    """Return what the demonstration says, with the ids that addresses carry."""
    queries = (
        select(Patient.id, Patient.search_text, Patient.weight_kg, Patient.intake_status),
        select(Course.id, Course.patient_id, Course.status, Course.created_at),
        select(Visit.id, Resource.name, Visit.starts_at, Visit.status).join(Resource, Resource.id == Visit.room_id),
        select(VisitEvent.visit_id, VisitEvent.to_status, VisitEvent.occurred_at, VisitEvent.detail),
        select(Dose.visit_id, Dose.mg, Dose.given_mg),
        select(Note.visit_id, Note.body),
        select(Task.patient_id, Task.kind, Task.status, Task.due_at, Task.detail),
        select(Reminder.patient_id, Reminder.purpose, Reminder.status, Reminder.send_at),
    )
    with db.read() as session:
        return made, [sorted(map(repr, session.execute(query))) for query in queries]


@pytest.mark.parametrize("first", [date(2026, 11, 20), date(2026, 12, 21), date(2027, 3, 8)])
def test_any_day_has_room_for_the_story(first):
    """Two weeks of days each: Thanksgiving, the turn of the year, the clocks going forward."""
    for day in filter(is_open, (first + timedelta(days=n) for n in range(14))):
        story = runs(day)
        for run, places in zip(story, Places().settle(story, day), strict=True):
            starts = [place.starts_at for place in places]
            gaps = [later - start for start, later in pairwise(starts)]
            assert all(run.protocol.min_gap <= gap <= run.protocol.max_gap for gap in gaps), (day, run.family)
            assert len(places) == run.protocol.visits or run.ended


def test_on_a_closed_day_it_is_the_next_one(sqlite_url):
    db.configure(sqlite_url)
    assert thanksgiving(2026) == date(2026, 11, 26)
    made = make(date(2026, 11, 28))

    assert made.day == date(2026, 11, 30)
    with db.read() as session:
        assert board_of(session, made).counts.visits == 9
        assert session.scalar(select(func.count()).select_from(Patient)) == 24
        assert settings.of_clinic(session, desk(session).clinic_id)


def test_nothing_is_ever_sent_from_its_database(demonstration, tmp_path):
    """Not even by a worker of a real installation that somebody lets loose on it."""
    made, url = demonstration
    now = made.at + timedelta(days=1)
    mail = {"mail_host": "127.0.0.1", "mail_port": 1, "mail_from": "visits@clinic.example"}
    config = Config(secret_key=KEY.decode() + "abcdefghijklmnop", database_url=url, folder=tmp_path, **mail)
    with db.read() as session:
        due = select(func.count()).where(Reminder.send_at <= now, Reminder.status == ReminderStatus.SCHEDULED)
        assert session.scalar(due) > 0
    assert not {"accepted", "later"} & set(build(config).tick(now))
    with db.read() as session:
        assert sending.pause(session).for_ever
