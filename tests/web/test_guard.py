"""The guard before every view: its order, its marks, what it writes and what it leaves alone."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask, abort
from sqlalchemy import select, text

from tests.web.conftest import make_app
from tracker import clock, db
from tracker.app import create_app
from tracker.config import Config
from tracker.errors import Busy, Invalid, NotFound, Refused, Stale
from tracker.models import AuditEntry, LoginSession
from tracker.rules.permissions import Permission, Role
from tracker.services import accounts
from tracker.web.access import access, install

MINUTE = timedelta(minutes=1)
GOOD = "velvet orchid gravel tulip"


@pytest.fixture
def _app():
    return make_app()  # one's own, since it gets more views


@pytest.fixture
def more(app):
    """Return a function that adds a view to the application."""

    def add(view, path="/extra", **rule):
        app.add_url_rule(path, path, view, **rule)

    return add


def later(span: timedelta) -> None:
    clock.shift(clock._offset + span)


def last_used(user_id):
    with db.read() as session:
        return session.scalars(select(LoginSession.last_used_at).where(LoginSession.user_id == user_id)).one()


def test_an_unmarked_view_keeps_the_application_from_starting():
    app = Flask("bare")
    app.add_url_rule("/open", "open", lambda: "everybody's")

    with pytest.raises(RuntimeError, match="don't say who may use them: open, static"):
        install(app)


def test_a_check_before_the_guard_keeps_the_application_from_starting():
    app = Flask("bare", static_folder=None)
    app.before_request(lambda: None)

    with pytest.raises(RuntimeError, match="before the guard"):
        install(app)


def test_a_view_that_comes_later_and_is_unmarked_is_shut(more, browser, house):
    more(lambda: "everybody's")

    assert browser(house.admin).get("/extra").status_code == 403


def test_without_a_key_it_does_not_start():
    with pytest.raises(Invalid, match="TRACKER_SECRET_KEY"):
        create_app(Config())


def test_a_cross_site_request_learns_nothing_not_even_that_there_is_no_such_page(browser):
    client = browser()
    cross = {"Sec-Fetch-Site": "cross-site"}

    assert client.post("/nowhere", headers=cross).status_code == 403
    assert client.post("/nowhere").status_code == 404
    assert client.delete("/account", headers=cross).status_code == 403
    assert client.delete("/account").status_code == 405
    assert client.get("/account", headers=cross).status_code == 303  # a link from elsewhere is no harm


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 422),
        ({"Origin": "https://localhost"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:8000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({}, 403),
        ({"Referer": "http://localhost/sign-in"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
    ],
)
def test_an_old_browser_is_known_by_its_origin(app, headers, status):
    assert app.test_client().post("/sign-in", headers=headers).status_code == status


def test_only_a_view_that_says_so_may_be_posted_to_from_elsewhere(more, app):
    more(access(Permission.PUBLIC, cross_site=True)(lambda: "noted"), methods=["POST"])

    assert app.test_client().post("/extra").status_code == 200


def test_a_denial_is_kept_in_the_audit(more, browser, house):
    more(access(Permission.MANAGE_USERS)(lambda: "users"))

    assert browser(house.nurse).get("/extra?name=x").status_code == 403
    assert browser(house.admin).get("/extra").status_code == 200
    with db.read() as session:
        denied = session.execute(
            select(AuditEntry.actor_id, AuditEntry.subject).where(AuditEntry.action == "denied")
        ).all()
    assert denied == [(house.nurse.user_id, "manage_users: GET /extra")]


def test_what_is_dangerous_asks_for_the_password_again_after_five_minutes(more, browser, house):
    more(access(Permission.VIEW_DAY, fresh=True)(lambda: "done"))
    client = browser(house.nurse)

    assert client.get("/extra").status_code == 200
    later(6 * MINUTE)
    answer = client.get("/extra?n=1")
    assert (answer.status_code, answer.location) == (303, "/confirm?next=/extra?n%3D1")


def test_a_poll_does_not_keep_a_session_alive_and_a_click_does(more, browser, house):
    more(access(Permission.VIEW_DAY, background=True)(lambda: "polled"))
    client = browser(house.nurse)
    begun = last_used(house.nurse.user_id)

    later(MINUTE)
    client.get("/extra")
    assert last_used(house.nurse.user_id) == begun
    client.get("/account")
    touched = last_used(house.nurse.user_id)
    assert touched > begun
    later(MINUTE / 3)
    client.get("/account")
    assert last_used(house.nurse.user_id) == touched
    for _ in range(3):
        later(5 * MINUTE)
        client.get("/extra")
    assert client.get("/extra").status_code == 303


def test_every_answer_is_hardened(browser, house):
    client = browser(house.nurse)
    for answer in (client.get("/account"), client.get("/nowhere"), browser().get("/account"), client.post("/confirm")):
        headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers
    assert "Strict-Transport-Security" in client.get("/sign-in", base_url="https://localhost").headers
    assert "no-store" not in client.get("/static/app.css").headers["Cache-Control"]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (NotFound("x"), 404, "There is no such page"),
        (Refused("Sage is taken.", helps=("Juniper is free.",)), 422, "Sage is taken. Juniper is free."),
        (Invalid({"day": "Choose a later day."}), 422, "Choose a later day."),
        (Stale("x"), 409, "Somebody else saved this first"),
        (Busy("x"), 503, "Nothing was changed. Try again in a minute."),
        (ZeroDivisionError("Ada Lovelace"), 500, "Something went wrong on our side"),
    ],
)
def test_every_error_has_its_page_and_its_part(more, browser, house, error, status, said):
    def fail():
        raise error

    more(access(Permission.VIEW_DAY)(fail))
    client = browser(house.nurse)

    whole, part = client.get("/extra"), client.get("/extra", headers={"HX-Request-Type": "partial"})
    assert (whole.status_code, part.status_code) == (status, status)
    assert said in whole.text
    assert said in part.text
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert "Lovelace" not in whole.text + part.text


def test_a_database_that_is_gone_is_a_503_that_says_so(browser, house, tmp_path):
    client = browser(house.nurse)
    db.configure(f"sqlite:///{tmp_path}/nowhere/tracker.db")

    answer = client.get("/account")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "can&#39;t reach its database" in answer.text


def test_a_page_of_flask_that_ends_a_request_itself_still_works(more, browser, house):
    def end():
        abort(410)

    more(access(Permission.VIEW_DAY)(end))
    answer = browser(house.nurse).get("/extra")
    assert answer.status_code == 410
    assert "That request can&#39;t be used" in answer.text


@pytest.mark.parametrize(("proxies", "address", "secure"), [(0, "127.0.0.1", False), (1, "203.0.113.7", True)])
def test_a_proxy_is_believed_only_when_it_is_ours(database, house, proxies, address, secure):
    app = make_app(trusted_proxies=proxies)
    with db.transaction() as session:
        new = accounts.AddUser(email="nora@example.org", name="Nora New", role=Role.NURSE)
        accounts.add(session, house.admin, new, GOOD, now=clock.now())
    headers = {
        "X-Forwarded-For": "198.51.100.1, 203.0.113.7",
        "X-Forwarded-Proto": "https",
        "Sec-Fetch-Site": "same-origin",
    }
    typed = {"email": "nora@example.org", "password": GOOD}

    answer = app.test_client().post("/sign-in", data=typed, headers=headers)

    assert answer.headers["Set-Cookie"].startswith("__Host-") is secure
    with db.read() as session:
        assert session.scalars(select(LoginSession.address)).one() == address


def test_an_error_of_the_database_puts_nobody_into_the_log(more, browser, house, caplog):
    def fail():
        with db.transaction() as session:
            one = {"id": str(UUID(int=7)), "name": "Lovelace"}
            session.execute(text("INSERT INTO patient (id, given_name) VALUES (:id, :name)"), one)

    more(access(Permission.VIEW_DAY)(fail))

    assert browser(house.nurse).get("/extra?q=Lovelace").status_code == 500
    assert "GET /extra failed" in caplog.text
    assert "IntegrityError" in caplog.text
    assert "test_guard.py" in caplog.text
    assert "Lovelace" not in caplog.text


def test_a_page_names_its_files_with_their_version(browser):
    """An hour of cache must not pair a new page with the script of the one before."""
    client = browser()
    files = re.findall(r'(?:src|href)="(/static/[^"#]+)', client.get("/sign-in").text)
    assert files
    assert len({file.partition("?v=")[2] for file in files}) == 1
    assert all(client.get(file).status_code == 200 for file in files)
    assert all(file.partition("?v=")[2] for file in files)
