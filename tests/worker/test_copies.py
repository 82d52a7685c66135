"""A restored copy beside the one it was made from: the mail server's log says whether anybody was told twice."""

import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests import mailroom
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.mail_server import mail_server
from tests.services.test_sending import run, settle
from tracker import db
from tracker.config import Config
from tracker.worker import build

PEOPLE = 5
LATER = timedelta(minutes=1)


@pytest.fixture
def place(database, tmp_path) -> tuple[str, Path]:
    """Return a database with letters that are due, and its folder."""
    installation = settle(database, tmp_path / "here")
    mailroom.many(make_clinic(), PEOPLE, NOW + timedelta(days=7))
    return installation.url, installation.folder


@pytest.fixture
def copied(place, tmp_path):
    """Return a function that copies database and folder as somebody would who restores a backup elsewhere."""
    made = []

    def copy() -> tuple[str, Path]:
        url, folder = place
        db.engine().dispose()
        there = tmp_path / "there"
        shutil.copytree(folder, there)
        if url.startswith("sqlite"):
            return f"sqlite:///{there}/tracker.db", there
        name = make_url(url).database + "_copy"
        made.append(name)
        run("pg_dump", "-Fc", "-f", str(tmp_path / "dump"), "-d", make_url(url).database, url=url)
        run("dropdb", "--if-exists", "--force", name, url=url)
        run("createdb", name, url=url)
        run("pg_restore", "-d", name, str(tmp_path / "dump"), url=url)
        return make_url(url).set(database=name).render_as_string(hide_password=False), there

    yield copy
    db.engine().dispose()
    for name in made:
        run("dropdb", "--if-exists", "--force", name, url=place[0])


def work(where: tuple[str, Path], port: int, now=NOW, *, guarded: bool = True) -> Counter[str]:
    """Let the worker of an installation look once; return what it did."""
    url, folder = where
    db.configure(url)
    mail = {"mail_host": "127.0.0.1", "mail_port": port, "mail_security": "none", "mail_from": "a@clinic.example"}
    worker = build(Config(secret_key="k" * 8 + "abcdefghijklmnopqrstuvwx", database_url=url, folder=folder, **mail))
    if not guarded:
        worker.witness = None
    return worker.tick(now)


def told(kept) -> set[int]:
    """Return how often somebody was told the same."""
    return set(Counter((message["To"], message["Subject"]) for message in kept.messages).values())


@pytest.mark.parametrize("guarded", [True, False])
def test_a_copy_tells_nobody_what_the_other_tells(place, copied, guarded):
    """Copied before anything went out; without the guard both send, which is what it is there for."""
    with mail_server() as (kept, port):
        work(place, 1)  # the mail server can't be reached: all is still to be sent
        copy = copied()
        soon = NOW + timedelta(minutes=30)
        assert work(place, port, soon)["accepted"] == PEOPLE
        assert work(copy, port, soon, guarded=guarded)["accepted"] == (0 if guarded else PEOPLE)
    assert len(kept.messages) == PEOPLE * (1 if guarded else 2)
    assert told(kept) == {1 if guarded else 2}


@pytest.mark.parametrize("guarded", [True, False])
def test_a_copy_from_the_middle_of_the_work_tells_nobody_either(place, copied, guarded):
    with mail_server() as (kept, port):
        assert work(place, port)["accepted"] == PEOPLE
        copy = copied()
        day_after = NOW + timedelta(days=4, hours=1)  # three days before the visit another is due
        first = work(place, port, day_after)["accepted"]
        assert first >= PEOPLE
        second = work(copy, port, day_after, guarded=guarded)["accepted"]
    assert second == (0 if guarded else first)
    assert told(kept) == ({1} if guarded else {1, 2})
