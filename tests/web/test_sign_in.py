"""Signing in by hand, with its limits; one's own password."""

import pytest
from sqlalchemy import func, select

from tests.web.conftest import sign_in
from tracker import clock, db
from tracker.models import AuditEntry, LoginSession
from tracker.rules.permissions import Role
from tracker.services import accounts

GOOD = "velvet orchid gravel tulip"
OTHER = "meadow lantern copper sleigh"


@pytest.fixture
def nora(house):
    """Return a nurse's account that has a password."""
    with db.transaction() as session:
        new = accounts.AddUser(email="nora@example.org", name="Nora New", role=Role.NURSE)
        return accounts.add(session, house.admin, new, GOOD, now=clock.now())


def enter(client, password=GOOD, email="Nora@Example.org ", next_page="", **more):
    return client.post(f"/sign-in{next_page}", data={"email": email, "password": password}, **more)


def test_the_right_password_opens_a_session_in_a_guarded_cookie(browser, nora):
    client = browser()
    answer = enter(client)

    assert (answer.status_code, answer.location) == (303, "/start")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("tracker=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/account").status_code == 200


def test_away_from_loopback_the_cookie_is_bound_to_host_and_https(browser, nora):
    answer = enter(browser(), base_url="https://visits.example.org")
    cookie = answer.headers["Set-Cookie"]

    assert cookie.startswith("__Host-tracker=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" in enter(browser(), base_url="http://visits.example.org").headers["Set-Cookie"]


def test_each_sign_in_makes_a_new_session_and_takes_none_that_was_brought(browser, nora):
    client = browser()
    client.set_cookie("tracker", "chosen-by-somebody-else")
    enter(client)
    first = client.get_cookie("tracker").value
    enter(client)

    assert len({"chosen-by-somebody-else", first, client.get_cookie("tracker").value}) == 3
    with db.read() as session:
        assert first not in session.scalars(select(LoginSession.token_hash))


@pytest.mark.parametrize("email", ["nora@example.org", "nobody@example.org"])
def test_a_wrong_password_and_an_unknown_person_look_the_same(browser, nora, email):
    answer = enter(browser(), password="not the password", email=email)

    assert answer.status_code == 422
    assert "E-mail address and password don&#39;t fit together" in answer.text
    assert f'value="{email}"' in answer.text
    assert "not the password" not in answer.text


def test_after_ten_guesses_even_the_right_one_has_to_wait(browser, nora):
    client = browser()
    for _ in range(10):
        assert enter(client, password="not the password").status_code == 422

    refused = enter(client)
    assert refused.status_code == 422
    assert "There were too many tries" in refused.text
    assert "Set-Cookie" not in refused.headers


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/account", "/account"),
        ("/patients?q=ada", "/patients?q=ada"),
        ("/%0d%0aSet-Cookie:x=1", "/%0d%0aSet-Cookie:x=1"),  # harmless: encoded it stays
        *[
            (away, "/start")
            for away in (
                *(
                    "https://evil.example",
                    "//evil.example",
                    "/\\evil.example",
                    "\\\\evil.example",
                    "javascript:alert(1)",
                ),
                *(
                    "///evil.example",
                    "/\t/evil.example",
                    "evil.example",
                    "http:evil.example",
                    "",
                ),
            )
        ],
    ],
)
def test_the_way_back_leads_only_to_our_own_pages(browser, nora, wanted, lands):
    client = browser()
    answer = client.post("/sign-in", query_string={"next": wanted}, data={"email": nora.email, "password": GOOD})

    assert answer.location == lands


def test_a_new_password_ends_every_other_session(browser, nora):
    mine, elsewhere = browser(), browser()
    enter(mine)
    enter(elsewhere)
    typed = {"current": GOOD, "password": OTHER, "again": OTHER}

    assert mine.post("/account", data=typed).status_code == 303
    assert mine.get("/account?changed=yes").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert enter(browser()).status_code == 422
    assert enter(browser(), password=OTHER).status_code == 303


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"current": "wrong", "password": OTHER, "again": OTHER}, "This password doesn&#39;t fit"),
        ({"current": GOOD, "password": OTHER, "again": OTHER + "x"}, "same new password twice"),
        ({"current": GOOD, "password": "noranewnoranew", "again": "noranewnoranew"}, "at least 15"),
        ({"current": GOOD, "password": OTHER}, "Fill this in"),
        ({}, "Fill this in"),
    ],
)
def test_a_password_is_changed_only_by_who_knows_it_and_to_a_good_one(browser, nora, typed, said):
    client = browser()
    enter(client)

    answer = client.post("/account", data=typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert client.get("/account").status_code == 200


def test_coming_and_going_leave_their_entries(browser, nora):
    client = browser()
    enter(client)
    client.post("/sign-out")

    with db.read() as session:
        said = session.scalars(select(AuditEntry.action).where(AuditEntry.actor_id == nora.id).order_by(AuditEntry.seq))
        assert list(said) == ["signed in", "signed out"]
        assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


def test_a_wrong_password_leaves_its_entry_under_nobodys_name(browser, nora):
    enter(browser(), password="not the password")

    with db.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "sign-in failed")).one()
    assert (entry.actor_id, entry.subject) == (None, f"user {nora.id} from 127.0.0.1")


def test_an_auditor_starts_where_there_is_something_to_see(browser, house):
    with db.transaction() as session:
        new = accounts.AddUser(email="audit@example.org", name="A. Udit", role=Role.AUDITOR)
        auditor = accounts.add(session, house.admin, new, GOOD, now=clock.now())
    client = browser()
    enter(client, email=auditor.email)

    assert client.get("/start").location == "/account"
    assert browser(house.nurse).get("/start").location == "/"


def test_polls_and_quick_clicks_do_not_write(browser, house):
    client = browser()
    token = sign_in(client, house.nurse)
    with db.read() as session:
        before = session.scalars(select(LoginSession.last_used_at)).one()

    client.get("/account")

    with db.read() as session:
        assert session.scalars(select(LoginSession.last_used_at)).one() == before
    assert token


def test_the_list_of_the_day_by_e_mail_is_ended_and_begun_again(house, browser):
    client = browser(house.coordinator)
    assert 'name="wanted" value="yes" checked' in client.get("/account").get_data(as_text=True)
    assert client.post("/account/digest").status_code == 303
    assert 'name="wanted" value="yes" checked' not in client.get("/account").get_data(as_text=True)
    assert client.post("/account/digest", data={"wanted": "yes"}).status_code == 303
    assert 'name="wanted" value="yes" checked' in client.get("/account").get_data(as_text=True)
