"""What the sweeps share: a world that is quickly as it was, its digest, every route with its ids, every form."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url, select
from werkzeug.routing import Rule

from tests.conftest import NOW, lay, postgres_url, upgrade, use
from tests.web.conftest import KEY, make_app
from tests.web.world import World
from tracker import clock, db
from tracker.models import Base, ContactPoint, UserAccount
from tracker.models.base import Identifier
from tracker.rules.permissions import Actor
from tracker.services import accounts, links, portal
from tracker.web.access import portal_cookie

# A refused request may leave its entry, count its guess and use its session; nothing else.
UNWATCHED = {"audit_entry", "audit_head", "login_session", "portal_session", "guess_count", "alembic_version"}

# What stands for a part of an address that is no id.
PARTS = {"filename": "app.css", "day": "2026-03-02", "epoch": "1"}

_numbers = itertools.count()


class Stage:
    """A database with a world in it that `reset` makes as it was, and the application on it."""

    def __init__(self, place: "SqlitePlace | PostgresPlace") -> None:
        self.place = place
        upgrade(place.template)
        db.configure(place.template)
        clock.shift(timedelta())  # whatever ran before may have left its own
        clock.shift(NOW - clock.now())
        self.world = World()
        self.tokens: dict[UUID | None, str] = {}  # of sessions, by account; a guest has none
        self.addresses: dict[tuple[str, UUID | None], list[str]] = {}  # by rule and clinic
        self.reset()
        self.app = make_app(mail_host="127.0.0.1", mail_security="none", mail_from="visits@clinic.example")

    def reset(self) -> None:
        """Make the database as it was at the start."""
        url = make_url(self.place.copy())
        if db.engine().url != url:
            use(str(url))
        self.tokens.clear()

    def browser(self, actor: Actor | None) -> FlaskClient:
        """Open a browser, signed in as `actor`."""
        client = self.app.test_client()
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        if actor:
            client.set_cookie("tracker", self._token(actor))
        return client

    def guest(self) -> FlaskClient:
        """Open a browser that came by the patient's link of the own clinic."""
        client = self.browser(None)
        link = self.world.chosen[self.world.own.clinic.id]["link_id"]
        with self.app.test_request_context():
            if None not in self.tokens:
                with db.transaction() as session:
                    token = links.make_token(KEY.encode(), link, 1)
                    _link, self.tokens[None] = portal.enter(session, KEY.encode(), token, now=clock.now())
            client.set_cookie(portal_cookie()[0], self.tokens[None], path=f"/my/{link}/")
        return client

    def part(self, name: str, clinic_id: UUID | None) -> str:
        """Return what stands in an address for a part that is no id."""
        if clinic_id is None:
            return "7" if name == "epoch" else "no-such-thing"
        if name == "stop_token":
            with db.read() as session:
                query = select(ContactPoint.id).where(ContactPoint.clinic_id == clinic_id)
                address = links.unsubscribe_address("", KEY.encode(), session.scalars(query).first())
            return address.removeprefix(links.STOP_PATH)
        if name == "token":
            return links.make_token(KEY.encode(), self.world.chosen[clinic_id]["link_id"], 1)
        return PARTS[name]

    def _token(self, actor: Actor) -> str:
        if actor.user_id not in self.tokens:
            with db.transaction() as session:
                account = session.get_one(UserAccount, actor.user_id)
                # Somebody disabled had a session once; its row is still there.
                account.disabled_at, gone = None, account.disabled_at
                session.flush()
                self.tokens[actor.user_id] = accounts.open_session(session, account, "127.0.0.1", now=clock.now())
                account.disabled_at = gone
        return self.tokens[actor.user_id]


class SqlitePlace:
    """A world in a file."""

    def __init__(self, folder: Path) -> None:
        self.file, self.folder = folder / "template.db", folder
        self.template = f"sqlite:///{self.file}"

    def copy(self) -> str:
        """Return the address of a fresh copy."""
        db.engine().dispose()  # the file it has open is the one before
        return f"sqlite:///{lay(self.file, self.folder / 'world.db')}"


class PostgresPlace:
    """A world in a cluster, and beside the tables of its copy, in a schema of their own, all rows to bring back."""

    def __init__(self, folder: str, worker: str) -> None:
        self.folder, self.name, self.copied = folder, f"world_{worker}_{next(_numbers)}", False
        self._run("postgres", f"CREATE DATABASE {self.name}")
        self.template = postgres_url(folder, self.name)

    def copy(self) -> str:
        """Return the address of a fresh copy."""
        copy, tables = f"{self.name}_copy", [table.name for table in Base.metadata.sorted_tables]
        if not self.copied:
            db.engine().dispose()  # a database that somebody has open can't be copied
            self._run("postgres", f"CREATE DATABASE {copy} TEMPLATE {self.name}")
            kept = [f"CREATE TABLE kept.{table} AS TABLE {table}" for table in tables]
            self._run(copy, "CREATE SCHEMA kept", *kept)
            self.copied = True
        # Triggers are off for it: what is kept as written goes too, and nobody asks who points where.
        again = [f"DELETE FROM {table}; INSERT INTO {table} TABLE kept.{table}" for table in tables]
        self._run(copy, "BEGIN; SET LOCAL session_replication_role = replica", *again, "COMMIT")
        return postgres_url(self.folder, copy)

    def _run(self, database: str, *statements: str) -> None:
        with psycopg.connect(host=self.folder, user="tracker", dbname=database, autocommit=True) as connection:
            connection.execute("; ".join(statements))


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request, tmp_path) -> Iterator[Stage]:
    """Return a world on each kind of database."""
    if request.param == "sqlite":
        yield Stage(SqlitePlace(tmp_path))
    else:
        folder, worker = request.getfixturevalue("postgres"), request.getfixturevalue("worker_name")
        yield Stage(PostgresPlace(folder, worker))
    clock.shift(timedelta())
    db.engine().dispose()


@cache
def _watched() -> list[str]:
    return [table.name for table in Base.metadata.sorted_tables if table.name not in UNWATCHED]


def digest() -> list:
    """Return what stands for every row of every table that a refused request must leave alone; compare it whole.

    It is taken after every request of a sweep: straight from the driver, in the order in which the rows lie.
    """
    with contextlib.closing(db.engine().raw_connection()) as connection:
        cursor = connection.cursor()
        if db.engine().dialect.name == "sqlite":
            return [cursor.execute(f"SELECT * FROM {table}").fetchall() for table in _watched()]
        sums = "SELECT '{0}', md5(string_agg(one::text, ' ' ORDER BY one::text)) FROM {0} AS one"
        return sorted(cursor.execute(" UNION ALL ".join(sums.format(table) for table in _watched())).fetchall())


def counterparts(stage: Stage) -> dict[str, str]:
    """Return, for every id of the own clinic, an id from the same table of the other clinic."""
    own, other = stage.world.own.clinic.id, stage.world.other.clinic.id
    found = {str(own): str(other)}
    with db.read() as session:
        for table in Base.metadata.sorted_tables:
            if "id" in table.c and "clinic_id" in table.c:
                ids = {
                    who: session.scalars(select(table.c.id).where(table.c.clinic_id == who)).all()
                    for who in (own, other)
                }
                found |= {str(mine): str(ids[other][0]) for mine in ids[own] if ids[other]}
    return found


def routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Yield every method of every rule but those that Flask adds by itself."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods))):
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule


def addresses(stage: Stage, rule: Rule, clinic_id: UUID | None) -> list[str]:
    """Return the rule's addresses for every row of a clinic, as it was at the start, that it can name, the chosen one
    first; for no clinic, one that names nothing.
    """
    asked = rule.rule, clinic_id
    if asked not in stage.addresses:
        stage.addresses[asked] = _addresses(stage, rule, clinic_id)
    return stage.addresses[asked]


def _addresses(stage: Stage, rule: Rule, clinic_id: UUID | None) -> list[str]:
    ids = [name for name in rule.arguments if name.endswith("_id")]
    parts = {name: stage.part(name, clinic_id) for name in rule.arguments if name not in ids}
    filled = [dict.fromkeys(ids, UUID(int=7))]
    if clinic_id:
        chosen = stage.world.chosen[clinic_id]
        filled = sorted(
            _rows(ids, clinic_id), key=lambda row: sum(chosen.get(name, row[name]) != row[name] for name in row)
        )
    with stage.app.test_request_context():
        return [str(rule.build({**parts, **ids_of_one}, append_unknown=False)[1]) for ids_of_one in filled]


def _rows(names: list[str], clinic_id: UUID) -> list[dict[str, UUID]]:
    """Return ids that belong together: the innermost row has the others' ids, or something in common with them."""
    if not names:
        return [{}]
    tables = {name: _table(name) for name in names}
    inner = max(names, key=lambda name: sum(other in tables[name].c for other in names))
    table = source = tables[inner]
    columns = [table.c[_key(table)].label(inner)]
    for name in names:
        if name in table.c and name != inner:
            columns.append(table.c[name])
        elif name != inner:
            shared = next(
                one
                for one in ("visit_id", "course_id", "patient_id")
                if {one} <= {*table.c.keys()} & {*tables[name].c.keys()}
            )
            source = source.join(tables[name], table.c[shared] == tables[name].c[shared])
            columns.append(tables[name].c[_key(tables[name])].label(name))
    with db.read() as session:
        rows = session.execute(select(*columns).select_from(source).where(table.c.clinic_id == clinic_id)).mappings()
        return sorted(map(dict, rows), key=lambda row: [str(row[name]) for name in names])


def _table(name: str):
    """Return the table whose rows an address part like `visit_id` names."""
    wanted = {"order": "infusion_order", "link": "patient_link", "user": "user_account", "room": "resource"}
    stem = name.removesuffix("_id")
    return Base.metadata.tables[wanted.get(stem, stem)]


def _key(table) -> str:
    return next(column.name for column in table.primary_key.columns if isinstance(column.type, Identifier))


@dataclass
class Field:
    """One control of a form: its name, its kind and what a person could have put in."""

    name: str
    kind: str
    value: str = ""
    options: list[str] = field(default_factory=list)


@dataclass
class PageForm:
    """A form as a page shows it."""

    action: str
    method: str
    fields: dict[str, Field] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms, self.inside, self.select, self.writing = page, [], None, None, None

    def handle_starttag(self, tag, attributes):
        has = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.inside = PageForm(has.get("action") or self.page, has.get("method", "get").lower())
            self.forms.append(self.inside)
        elif self.inside and "formaction" in has:
            self.forms.append(PageForm(has["formaction"], self.inside.method, self.inside.fields))
        elif self.inside and tag in ("input", "textarea", "select", "button") and has.get("name"):
            self._control(tag, has)
        elif tag == "option" and self.select:
            self.select.options.append(has.get("value", ""))
            self.select.value = (
                has.get("value", "") if "selected" in has or not self.select.value else self.select.value
            )

    def _control(self, tag, has):
        kind = has.get("type", "text") if tag == "input" else tag
        if has.get("inputmode") in ("decimal", "numeric"):
            kind = "number"
        found = self.inside.fields.setdefault(has["name"], Field(has["name"], kind))
        if kind in ("radio", "checkbox", "button"):
            found.options.append(has.get("value", "on"))
        if kind not in ("checkbox",) and ("checked" in has or not found.value):
            found.value = has.get("value", "")
        self.select = found if tag == "select" else None
        self.writing = found if tag == "textarea" else None

    def handle_data(self, data):
        if self.writing:
            self.writing.value += data

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = None
        if tag == "textarea":
            self.writing = None
        if tag == "select":
            self.select = None


def forms(page: str, html: str) -> list[PageForm]:
    """Return the forms of a page, and the controls in each."""
    reader = _Reader(page)
    reader.feed(html)
    return reader.forms
