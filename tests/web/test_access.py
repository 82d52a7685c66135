"""Who gets in, who stays in, and how everybody else is turned away."""

from datetime import timedelta

import pytest

from tests.web.conftest import sign_in
from tracker import clock, db
from tracker.rules.permissions import Role
from tracker.services import accounts


def test_a_page_sends_a_stranger_to_sign_in_and_knows_the_way_back(browser):
    answer = browser().get("/account?changed=yes")

    assert answer.status_code == 303
    assert answer.location == "/sign-in?next=/account?changed%3Dyes"


def test_a_copied_cookie_is_dead_after_signing_out(browser, house):
    mine = browser()
    token = sign_in(mine, house.nurse)
    thief = browser()
    thief.set_cookie("tracker", token)
    assert thief.get("/account").status_code == 200

    mine.post("/sign-out")

    assert thief.get("/account").status_code == 303


def test_a_change_of_role_ends_every_session_on_the_next_request(browser, house):
    client = browser(house.nurse)
    with db.transaction() as session:
        accounts.set_role(session, house.admin, house.nurse.user_id, Role.COORDINATOR, now=clock.now())

    assert client.get("/account").status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_a_form_from_elsewhere_is_refused(browser, house, site):
    client = browser(house.nurse)

    assert client.post("/sign-out", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.get("/account").status_code == 200


@pytest.mark.parametrize(
    ("idle", "status"), [(timedelta(minutes=14), 200), (timedelta(minutes=16), 303), (timedelta(hours=-1), 200)]
)
def test_an_idle_session_ends_after_a_quarter_of_an_hour(browser, house, idle, status):
    client = browser(house.nurse)
    clock.shift(clock._offset + idle)

    assert client.get("/account").status_code == status
