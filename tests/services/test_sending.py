"""Messages leave from the database that was sending, and not from a copy of it or from an older one brought back."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from tests import mailroom
from tests.conftest import NOW, missing
from tests.factories import make_clinic
from tests.postgres import binaries
from tracker import db
from tracker.errors import Refused
from tracker.models import AuditEntry, Reminder, Sending, Task, UserAccount
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import ReminderStatus, Role
from tracker.services import sending
from tracker.services.health import health
from tracker.services.sending import Witness

AT = int(NOW.timestamp())
LATER = NOW + timedelta(hours=1)


@dataclass
class Installation:
    """One installation: its database and its folder."""

    url: str
    folder: Path

    @property
    def witness(self) -> Witness:
        """Return what it knows outside of its database."""
        return Witness.of(self.url, self.folder)

    def beat(self, times: int = 1, *, write: bool = True) -> str:
        """Let its worker beat; return why nothing may be sent, "" if something may."""
        db.configure(self.url)
        for _ in range(times):
            with db.transaction() as session:
                pulse = sending.beat(session, self.witness, now=NOW)
            if pulse and write:
                self.witness.write(pulse)
        with db.read() as session:
            paused = sending.pause(session)
        assert (pulse is None) == (paused is not None)
        return paused.why if paused else ""

    def leave(self) -> None:
        """Let go of the files."""
        db.engine().dispose()


def settle(database: str, folder: Path) -> Installation:
    """Return an installation with a database of its own, in its folder if it is a file."""
    folder.mkdir(exist_ok=True)
    if database.startswith("sqlite"):
        db.engine().dispose()
        shutil.copy(database.removeprefix("sqlite:///"), folder / "tracker.db")
        database = f"sqlite:///{folder}/tracker.db"
    db.configure(database)
    return Installation(database, folder)


@pytest.fixture
def new(database, tmp_path) -> Installation:
    """Return an installation that never sent anything."""
    return settle(database, tmp_path / "here")


@pytest.fixture
def here(new) -> Installation:
    """Return an installation that has been sending for a while."""
    house = make_clinic()
    mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + timedelta(days=7))
    assert new.beat(3) == ""
    return new


only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def test_it_goes_on_sending_over_restarts(here):
    assert here.beat() == ""
    here.leave()
    assert here.beat() == ""
    assert here.witness.read().beats == 5


def test_several_workers_beat_in_turn(here):
    """One that wrote down its beat late doesn't set the file back."""
    with db.transaction() as session:
        first = sending.beat(session, here.witness, now=NOW)
    with db.transaction() as session:
        second = sending.beat(session, here.witness, now=NOW)
    here.witness.write(second)
    here.witness.write(first)
    assert here.witness.read() == second
    assert here.beat() == ""


def test_one_killed_between_its_two_beats_goes_on(here):
    """The database is ahead of the file then."""
    assert here.beat(2, write=False) == ""
    assert here.beat() == ""


def test_one_killed_while_it_began_begins_again(new):
    with pytest.raises(ZeroDivisionError), db.transaction() as session:
        sending.beat(session, new.witness, now=NOW)
        raise ZeroDivisionError
    assert new.witness.read().beats == 0
    assert new.beat(2) == ""


def test_a_new_practice_may_begin_where_another_was(new):
    """Nothing is planned in it, so nothing can be sent twice."""
    new.witness.write(sending.Pulse("another", 7, AT))
    assert new.beat() == ""


@only_sqlite
def test_a_copy_of_the_file_does_not_send(here, tmp_path):
    here.leave()
    (tmp_path / "there").mkdir()
    shutil.copy(here.folder / "tracker.db", tmp_path / "there")
    copy = Installation(f"sqlite:///{tmp_path}/there/tracker.db", tmp_path / "there")
    assert "copy" in copy.beat()
    assert here.beat() == "", "the one it was made from does"


@only_sqlite
def test_a_copy_beside_it_does_not_send(here):
    here.leave()
    shutil.copy(here.folder / "tracker.db", here.folder / "copy.db")
    assert "copy" in Installation(f"sqlite:///{here.folder}/copy.db", here.folder).beat()


@only_sqlite
@pytest.mark.parametrize("how", [["cp", "-r"], ["cp", "-a"]])
def test_a_copy_of_the_folder_does_not_send(here, tmp_path, how):
    here.leave()
    subprocess.run([*how, here.folder, tmp_path / "there"], check=True)
    copy = Installation(f"sqlite:///{tmp_path}/there/tracker.db", tmp_path / "there")
    assert copy.witness.path.read_text() == here.witness.path.read_text()
    assert "copy" in copy.beat()
    assert here.beat() == ""


@only_sqlite
def test_a_copy_of_the_folder_put_in_its_place_does_not_send(here, tmp_path):
    """The same path, the same words in the file: another file all the same."""
    here.leave()
    subprocess.run(["cp", "-a", here.folder, tmp_path / "saved"], check=True)
    here.folder.rename(tmp_path / "old")
    subprocess.run(["cp", "-a", tmp_path / "saved", here.folder], check=True)
    assert "copy" in here.beat()


@only_sqlite
@pytest.mark.parametrize("how", ["file", "backup"])
def test_an_older_backup_put_back_does_not_send(here, tmp_path, how):
    """The file outside stays where it is, and knows better."""
    here.leave()
    kept = tmp_path / "backup.db"
    if how == "file":
        shutil.copy(here.folder / "tracker.db", kept)
    else:
        with closing(sqlite3.connect(here.folder / "tracker.db")) as source, closing(sqlite3.connect(kept)) as target:
            source.backup(target)
    assert here.beat() == ""
    here.leave()
    for end in ("-wal", "-shm"):
        Path(f"{here.folder}/tracker.db{end}").unlink(missing_ok=True)
    with kept.open("rb") as old, (here.folder / "tracker.db").open("r+b") as now:
        now.truncate()
        shutil.copyfileobj(old, now)
    assert "older" in here.beat()


@only_sqlite
def test_an_older_folder_copied_into_this_one_does_not_send(here, tmp_path):
    """The file is the same one then, and says what the database says: but it is younger than what it says."""
    here.leave()
    subprocess.run(["cp", "-a", here.folder, tmp_path / "saved"], check=True)
    beats = tmp_path / "saved" / "tracker.db.beats"
    name, count, at = beats.read_text().split()
    beats.write_text(f"{name} {count} {int(at) - 3600:020d}\n")  # saved an hour ago
    assert here.beat() == ""
    here.leave()
    subprocess.run(["cp", "-r", f"{tmp_path}/saved/.", here.folder], check=True)
    assert "copy" in here.beat()


@only_sqlite
@pytest.mark.parametrize("words", ["", "what is this?", "another 00000000000000000003 {at}"])
def test_a_file_that_knows_nothing_of_it_is_no_witness(here, words):
    with here.witness.path.open("r+") as file:
        at = file.read().split()[2]
        file.seek(0)
        file.truncate()
        file.write(words.format(at=at))
    os.utime(here.witness.path, (AT, AT))
    assert "copy" in here.beat()


@only_sqlite
def test_a_backup_from_before_the_first_beat_does_not_send(new, tmp_path):
    house = make_clinic()
    mailroom.series(house, mailroom.patient(house, "Ada Lovelace"), NOW + timedelta(days=7))
    new.leave()
    shutil.copy(new.folder / "tracker.db", tmp_path / "early.db")
    assert new.beat(2) == ""
    new.leave()
    os.replace(tmp_path / "early.db", new.folder / "tracker.db")  # noqa: PTH105 - as a person would
    assert "older" in new.beat()


def run(program: str, *arguments: str, url: str) -> str:
    """Run one of PostgreSQL's programs on a database."""
    beside = (binaries() or Path()) / program
    where = str(beside) if beside.exists() else shutil.which(program)
    if where is None:
        missing(f"{program} (Debian: apt-get install postgresql-client)")
    at = make_url(url)
    command = [where, "-h", at.query["host"], "-U", at.username, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def another(here, tmp_path):
    """Return an empty database in the same cluster; it is dropped in the end."""
    name = make_url(here.url).database + "_again"
    run("dropdb", "--if-exists", "--force", name, url=here.url)
    run("createdb", name, url=here.url)
    url = make_url(here.url).set(database=name).render_as_string(hide_password=False)
    yield Installation(url, here.folder)
    db.engine().dispose()
    run("dropdb", "--force", name, url=here.url)


def dump(here: Installation, tmp_path: Path) -> str:
    """Write the database down; return where."""
    here.leave()
    file = str(tmp_path / "dump")
    run("pg_dump", "-Fc", "-f", file, "-d", make_url(here.url).database, url=here.url)
    return file


@only_postgres
@pytest.mark.parametrize("same_folder", [True, False])
def test_a_dump_read_into_another_database_does_not_send(here, another, tmp_path, same_folder):
    run("pg_restore", "-d", make_url(another.url).database, dump(here, tmp_path), url=here.url)
    if not same_folder:
        another.folder = tmp_path
    assert another.beat() != ""
    assert here.beat() == ""


@only_postgres
def test_a_dump_read_into_the_same_database_does_not_send_even_where_the_file_is_gone(here, tmp_path):
    """What it read in wasn't written by the transaction that it says."""
    file = dump(here, tmp_path)
    run("pg_restore", "--clean", "--if-exists", "-d", make_url(here.url).database, file, url=here.url)
    here.witness.path.unlink()
    assert "older" in here.beat()


@only_postgres
def test_a_database_used_as_a_template_does_not_send_from_the_copy(here, another):
    run("dropdb", "--force", make_url(another.url).database, url=here.url)
    here.leave()
    run("createdb", "-T", make_url(here.url).database, make_url(another.url).database, url=here.url)
    assert "copy" in another.beat()
    assert here.beat() == ""


@only_postgres
def test_tables_packed_anew_are_no_copy(here):
    here.leave()
    for statement in ("VACUUM (FULL, FREEZE) sending", "VACUUM FREEZE sending", "CLUSTER sending USING pk_sending"):
        run("psql", "-d", make_url(here.url).database, "-c", statement, url=here.url)
        assert here.beat() == ""


@only_postgres
def test_another_machine_with_a_folder_of_its_own_may_send_too(here, tmp_path):
    (tmp_path / "second").mkdir()
    second = Installation(here.url, tmp_path / "second")
    assert (second.beat(2), here.beat(2), second.beat()) == ("", "", "")


@only_postgres
def test_a_machine_where_nothing_can_be_written_may_send_too(here, tmp_path):
    """The database is known by more than the file."""
    (tmp_path / "no folder").write_text("")
    assert Installation(here.url, tmp_path / "no folder").beat(2) == ""
    assert Installation(here.url, tmp_path / "not" / "there").beat(2) == ""


@only_sqlite
def test_where_the_file_can_not_be_written_nothing_is_sent(new):
    """Else an older copy could not be told later. Nobody has to say when it goes on."""
    beside = "A file beside the database can't be written."
    assert held_up(new) == ""
    new.witness.path.mkdir()
    with db.transaction() as session:
        assert sending.beat(session, new.witness, now=NOW) is None
    assert held_up(new) == beside
    new.witness.path.rmdir()
    assert new.beat(2) == held_up(new) == ""


@only_sqlite
def test_a_file_that_is_out_of_reach_for_a_while_is_no_sign_of_a_copy(here):
    """Its rights were changed, say. It was there before and is again; nobody has to look into a copy."""
    aside = here.witness.path.with_name("aside")
    here.witness.path.rename(aside)
    here.witness.path.mkdir()
    with db.transaction() as session:
        assert sending.beat(session, here.witness, now=NOW) is None
    assert held_up(here).endswith("can't be written.")
    here.witness.path.rmdir()
    aside.rename(here.witness.path)
    assert here.beat(2) == held_up(here) == ""


def held_up(installation: Installation) -> str:
    """Return what staff are told of why nothing leaves for now."""
    db.configure(installation.url)
    with db.read() as session:
        return health(session, Actor(uuid4(), None, None, "test"), now=NOW).held_up


@only_postgres
def test_a_file_that_knows_more_than_the_database_is_believed(here):
    """The database's machine was set back, ours was not."""
    name = here.witness.read().name
    here.witness.write(sending.Pulse(name, 100, AT))
    assert "older" in here.beat()


@pytest.fixture
def paused(here) -> Installation:
    """Return an installation that paused itself: its file is from later."""
    here.witness.write(sending.Pulse(here.witness.read().name, 100, AT))
    assert here.beat() != ""
    return here


def resume(house_of: Installation, *, left_already: bool, now=LATER) -> int:
    """Let its administrator say so."""
    with db.transaction() as session:
        account = session.query(UserAccount).filter_by(role=Role.ADMIN).first()
        actor = Actor(account.clinic_id, account.id, account.role, account.name)
        return sending.resume(session, actor, "the old machine is off", left_already=left_already, now=now)


def test_paused_it_stays_whatever_the_file_says_later(paused):
    paused.witness.path.unlink()
    assert paused.beat() != ""
    with db.read() as session:
        [entry] = session.query(AuditEntry).filter_by(action="sending paused").all()
    assert "older" in entry.detail["why"]


def test_an_administrator_lets_it_send_again_and_that_is_kept(paused):
    assert resume(paused, left_already=False) == 0
    assert paused.beat(3) == ""
    assert paused.witness.read().beats == 3
    with db.read() as session:
        [entry] = session.query(AuditEntry).filter_by(action="sending resumed").all()
        assert entry.detail["reason"] == "the old machine is off"
        assert session.get_one(Sending, 1).resumed_by == entry.actor_id
        assert {row.status for row in mailroom.messages()} == {ReminderStatus.SCHEDULED}


def test_what_may_have_left_already_is_given_to_people(paused):
    """What was due meanwhile, leased or not, is not sent; what is due later is."""
    due = [row.id for row in mailroom.messages() if row.send_at <= LATER]
    assert due
    with db.transaction() as session:
        row = session.get_one(Reminder, due[0])
        row.status, row.lease_until, row.lease_epoch = ReminderStatus.LEASED, LATER, 3
    assert resume(paused, left_already=True) == len(due)
    for row in mailroom.messages():
        assert row.status == (ReminderStatus.EXPIRED if row.id in due else ReminderStatus.SCHEDULED)
    assert len(mailroom.rows(Task)) == len(due)
    assert paused.beat() == ""


def test_a_permission_that_no_worker_took_up_is_over(paused):
    """Else a backup made in that moment could send for ever."""
    resume(paused, left_already=False, now=NOW - timedelta(days=1))
    assert "older" in paused.beat()


def test_there_is_nothing_to_resume_while_it_sends(here):
    with pytest.raises(Refused, match="isn't paused"):
        resume(here, left_already=False)


def test_the_demonstrations_database_never_sends(here):
    with db.transaction() as session:
        sending.seal(session, now=NOW)
    assert "demonstration" in here.beat()
    with pytest.raises(Refused, match="demonstration"):
        resume(here, left_already=False)


def test_asked_beforehand_it_says_the_same_and_changes_nothing(here):
    here.witness.write(sending.Pulse(here.witness.read().name, 100, AT))
    with db.read() as session:
        said = sending.would_pause(session, here.witness, now=NOW)
        assert sending.pause(session) is None
    assert said == here.beat() != ""
