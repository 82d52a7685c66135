"""A nurse's and a physician's errands on the bedside page, through the browser's requests alone."""

import hashlib
import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from tests import bedside as chair
from tests.bedside import make_course, minutes
from tests.conftest import NOW
from tests.factories import make_clinic
from tests.web.conftest import sign_in
from tracker import clock, db
from tracker.models import RequestKey, UserAccount, Visit, VitalReading
from tracker.rules.timeout import CHECKLIST
from tracker.rules.vocabulary import VisitStatus as S
from tracker.services import accounts

PASSWORD = "nine small blue boats"
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def visit_id(house):
    return make_course(house)[1][0]


@pytest.fixture
def nurse(browser, house):
    return browser(house.nurse)


@pytest.fixture
def physician(browser, house):
    return browser(house.physician)


def later(n):
    """Let the clock show NOW and `n` minutes."""
    clock.shift(clock._offset + NOW + minutes(n) - clock.now())


def give_password(*actors):
    with db.transaction() as session:
        for actor in actors:
            session.get_one(UserAccount, actor.user_id).password_hash = accounts._hasher.hash(PASSWORD)


def email(actor):
    with db.read() as session:
        return session.get_one(UserAccount, actor.user_id).email


def status(visit_id):
    with db.read() as session:
        return session.get_one(Visit, visit_id).status


def post(client, visit_id, what, **fields):
    return client.post(f"/visits/{visit_id}/{what}", data=fields)


ORDER = {"mg_per_kg": "0.5", "max_mg": "100", "minutes": "40", "expires_on": "2026-04-02", "rescue": "Ondansetron 4 mg"}
SIGNS = {"systolic": "128", "diastolic": "78", "heart_rate": "72", "spo2": "98"}


def test_a_whole_visit(house, nurse, physician, browser, visit_id):
    give_password(house.physician, house.second_nurse)
    desk = browser(house.coordinator)
    assert post(physician, visit_id, "orders", **ORDER, password=PASSWORD).status_code == 303
    assert post(desk, visit_id, "moves", move="arrive").status_code == 303
    later(1)
    assert post(nurse, visit_id, "moves", move="check").status_code == 303
    assert "14 steps left before the start" in nurse.get(f"/visits/{visit_id}").text
    assert post(nurse, visit_id, "dose", weight_kg="80", concentration="10").status_code == 303
    assert "0.5 mg/kg × 80 kg = 40 mg" in nurse.get(f"/visits/{visit_id}").text
    assert "40 mg" not in browser(house.second_nurse).get(f"/visits/{visit_id}").text  # who calculates alone
    second = {"email": email(house.second_nurse), "password": PASSWORD}
    assert post(nurse, visit_id, "dose/check", mg="40", ml="4", **second).status_code == 303
    for item in CHECKLIST:
        assert post(nurse, visit_id, "checklist", item=item.key, answer="yes").status_code == 303
    assert "1 step left before the start" in nurse.get(f"/visits/{visit_id}").text
    assert post(nurse, visit_id, "vitals", due="base", **SIGNS).status_code == 303
    assert "Everything is ready" in nurse.get(f"/visits/{visit_id}").text
    assert post(nurse, visit_id, "moves", move="start").status_code == 303

    later(15)
    page = nurse.get(f"/visits/{visit_id}").text
    assert "10 min set overdue 3 min" in page
    assert post(nurse, visit_id, "vitals", due="10", **{**SIGNS, "systolic": "185"}).status_code == 303
    assert "Systolic ≥ 180: repeat in 5 min" in nurse.get(f"/visits/{visit_id}").text
    assert post(nurse, visit_id, "side-effects", term="nausea", severity="moderate").status_code == 303
    later(41)
    sign_in(nurse, house.nurse)  # idle for more than a quarter of an hour
    assert post(nurse, visit_id, "moves", move="finish").status_code == 303
    later(102)
    sign_in(nurse, house.nurse)
    refused = post(nurse, visit_id, "moves", move="ready")
    assert refused.status_code == 303
    gate = post(nurse, visit_id, "moves", move="discharge", ticked=sorted(chair.ASKED_ALL), driver="Sam")
    assert gate.status_code == 422
    assert "no blood pressure since the infusion ended" in gate.text
    assert 'value="Sam"' in gate.text
    assert gate.text.count("checked") >= 7
    assert status(visit_id) is S.READY

    assert post(nurse, visit_id, "vitals", due="100", **SIGNS).status_code == 303
    (effect,) = re.findall(r"/side-effects/([0-9a-f-]{36})", nurse.get(f"/visits/{visit_id}").text)[:1]
    over = {"version": "1", "severity": "moderate", "action": "medicine", "resolved_now": "yes"}
    assert nurse.post(f"/side-effects/{effect}", data=over).status_code == 303
    assert (
        post(nurse, visit_id, "moves", move="discharge", ticked=sorted(chair.ASKED_ALL), driver="Sam").status_code
        == 303
    )
    assert status(visit_id) is S.DISCHARGED

    note = nurse.get(f"/visits/{visit_id}/note").text
    assert "Systolic ≥ 180" in note
    assert "Nausea, moderate" in note


def test_a_stranger_to_the_clinic_sees_nothing(browser, visit_id):
    from_elsewhere = browser(make_clinic().nurse)
    assert from_elsewhere.get(f"/visits/{visit_id}").status_code == 404


def test_each_sees_only_the_steps_that_are_theirs(browser, house, nurse, visit_id):
    desk = browser(house.coordinator)
    assert "Arrived" in desk.get(f"/visits/{visit_id}").text
    post(desk, visit_id, "moves", move="arrive")
    assert "A nurse goes on from here" in desk.get(f"/visits/{visit_id}").text
    assert post(desk, visit_id, "moves", move="check").status_code == 422
    assert "Begin the checklist" in nurse.get(f"/visits/{visit_id}").text
    assert post(desk, visit_id, "vitals", **SIGNS).status_code == 403


def test_an_order_needs_the_physicians_password(house, physician, nurse, visit_id):
    give_password(house.physician, house.nurse)
    wrong = post(physician, visit_id, "orders", **ORDER, password="not this one at all")
    assert wrong.status_code == 422
    assert "password" in wrong.text
    assert 'value="Ondansetron 4 mg"' in wrong.text
    assert post(nurse, visit_id, "orders", **ORDER, password=PASSWORD).status_code == 403


def test_the_second_person_signs_on_the_same_tablet_or_not_at_all(house, nurse, visit_id):
    give_password(house.nurse, house.coordinator)
    chair.do(house.physician, chair.orders.sign_order, visit_id, chair.order(), NOW)
    post(nurse, visit_id, "moves", move="arrive")
    post(nurse, visit_id, "dose", weight_kg="80", concentration="10")
    alone = post(nurse, visit_id, "dose/check", mg="40", ml="4")
    assert "somebody else checks it" in alone.text
    self_again = post(nurse, visit_id, "dose/check", mg="40", ml="4", email=email(house.nurse), password=PASSWORD)
    assert self_again.status_code == 422
    desk = post(nurse, visit_id, "dose/check", mg="40", ml="4", email=email(house.coordinator), password=PASSWORD)
    assert "A nurse or a physician checks a dose" in desk.text


def test_impossible_numbers_come_back_with_their_arithmetic(house, nurse, visit_id):
    chair.do(house.physician, chair.orders.sign_order, visit_id, chair.order(), NOW)
    post(nurse, visit_id, "moves", move="arrive")
    for fields, said in (
        ({"weight_kg": "220", "concentration": "10"}, "0.5 mg/kg × 220 kg = 110 mg: over the order"),
        ({"weight_kg": "8", "concentration": "10"}, "8 kg can&#39;t be right"),
        ({"weight_kg": "80"}, "there is no mL without it"),
        ({"weight_kg": "80", "concentration": "100"}, "must be diluted"),
    ):
        answer = post(nurse, visit_id, "dose", **fields)
        assert answer.status_code == 422
        assert said in answer.text
        assert f'value="{fields["weight_kg"]}"' in answer.text


def test_a_part_of_the_page_comes_back_where_htmx_asks(nurse, house, visit_id):
    chair.ready_to_start(house, visit_id)
    whole = nurse.get(f"/visits/{visit_id}").text
    assert whole.startswith("<!doctype html>")
    part = nurse.post(f"/visits/{visit_id}/vitals?phase=set_up", data={**SIGNS, "due": "base"}, headers=PART)
    assert part.status_code == 200
    assert "<!doctype" not in part.text
    assert "128/78" not in part.text  # the set-up has no grid
    assert 'class="bedside in-set_up"' in part.text
    live = nurse.get(f"/visits/{visit_id}/live", headers=PART)
    assert "128/78" in live.text
    assert "<form" not in live.text


def test_a_set_sent_twice_is_kept_once(nurse, house, visit_id):
    chair.ready_to_start(house, visit_id)
    key = re.search(r'name="request_key" value="([0-9a-f-]+)"', nurse.get(f"/visits/{visit_id}").text)[1]
    for _again in range(2):
        assert post(nurse, visit_id, "vitals", due="base", request_key=key, **SIGNS).status_code == 303
    with db.read() as session:
        assert session.query(VitalReading).count() == 2  # this one, and the one from before


def test_a_slip_is_taken_back(nurse, visit_id):
    post(nurse, visit_id, "moves", move="arrive")
    assert "Take back" in nurse.get(f"/visits/{visit_id}").text
    assert post(nurse, visit_id, "moves", move="undo", reason="Tapped by mistake").status_code == 303
    assert status(visit_id) is S.BOOKED


def test_a_reading_is_corrected_not_erased(nurse, house, visit_id):
    chair.ready_to_start(house, visit_id)
    chair.move(house.nurse, visit_id, chair.Move.START, NOW)
    post(nurse, visit_id, "vitals", due="0", **{**SIGNS, "systolic": "218"})
    page = nurse.get(f"/visits/{visit_id}?correct=0").text
    corrects = re.search(r'name="corrects" value="([0-9a-f-]+)"', page)[1]
    assert 'value="218"' in page
    post(nurse, visit_id, "vitals", due="0", corrects=corrects, **SIGNS)
    assert "218/78" not in nurse.get(f"/visits/{visit_id}").text
    with db.read() as session:
        assert session.query(VitalReading).filter(VitalReading.systolic == 218).count() == 1


def test_the_board_gets_its_tap_back(nurse, visit_id):
    answer = nurse.post(f"/visits/{visit_id}/moves?back=today", data={"move": "arrive"})
    assert answer.location == "/"


def test_a_note_is_signed_with_the_password_and_then_only_added_to(house, nurse, physician, visit_id):
    give_password(house.nurse, house.physician)
    chair.discharge(house, visit_id)
    note = {"body": "Calm throughout.", "version": "0"}
    assert post(nurse, visit_id, "note", **note).status_code == 303
    stale = post(nurse, visit_id, "note", **note)
    assert stale.status_code == 409
    assert "Calm throughout." in stale.text
    signed = {"body": "Calm throughout.", "version": "1"}
    assert post(physician, visit_id, "note/sign", **signed, password="wrong wrong wrong").status_code == 422
    assert post(physician, visit_id, "note/sign", **signed, password=PASSWORD).status_code == 303
    page = physician.get(f"/visits/{visit_id}/note").text
    assert "A. Hale" in page
    assert "reviewed" in page
    assert post(nurse, visit_id, "note", **signed).status_code == 422
    note_id = re.search(r"/notes/([0-9a-f-]{36})/addenda", page)[1]
    more = {"body": "A little nausea at home.", "password": PASSWORD}
    more["request_key"] = re.search(r'name="request_key" value="([^"]+)"', page)[1]
    for _twice in range(2):
        assert nurse.post(f"/notes/{note_id}/addenda", data=more).status_code == 303
    page = nurse.get(f"/visits/{visit_id}/note").text
    assert "Calm throughout." in page
    assert page.count("A little nausea at home.") == 1


def test_no_fast_digest_of_a_password_is_kept(house, physician, visit_id):
    give_password(house.physician)
    sent = {**ORDER, "password": PASSWORD}
    key = str(uuid4())
    assert post(physician, visit_id, "orders", **sent, request_key=key).status_code == 303
    with db.read() as session:
        kept = session.scalars(select(RequestKey.body_digest).where(RequestKey.key == key)).one()
    said = json.dumps([f"/visits/{visit_id}/orders", sent], sort_keys=True)
    assert kept != hashlib.sha256(said.encode()).hexdigest()


def test_the_day_after(house, nurse, visit_id):
    chair.discharge(house, visit_id)
    clock.shift(clock._offset + timedelta(days=1))
    sign_in(nurse, house.nurse)  # a night has passed
    assert "Ask" in nurse.get("/to-do").text
    page = nurse.post(f"/visits/{visit_id}/check-in", data={"mood": "6"})
    assert page.status_code == 422
    assert 'id="harm-error"' in page.text
    assert post(nurse, visit_id, "check-in", mood="6", harm="no", nausea="mild").location == "/to-do"
    assert "Next-day check-in" not in nurse.get("/to-do").text


@pytest.mark.parametrize("phase", ["check_in", "set_up", "infusion", "recovery", "note"])
def test_every_tab_opens_before_anything_has_happened(nurse, visit_id, phase):
    assert nurse.get(f"/visits/{visit_id}?phase={phase}").status_code == 200


def test_a_booked_visit_leads_to_its_move(house, browser, visit_id):
    assert f'href="/visits/{visit_id}/move"' in browser(house.coordinator).get(f"/visits/{visit_id}").text


def test_a_double_tap_on_a_move_is_one_move(nurse, visit_id):
    """The second tap leads where the first did, and complains of nothing."""
    page = nurse.get(f"/visits/{visit_id}").text
    form = re.search(
        r'<form[^>]*>\s*<input type="hidden" name="request_key" value="([^"]+)">\s*'
        r'<input type="hidden" name="move" value="arrive">',
        page,
    )
    fields = {"request_key": form[1], "move": "arrive"}
    answers = [nurse.post(f"/visits/{visit_id}/moves", data=fields).status_code for _tap in range(2)]
    assert answers == [303, 303]
    assert status(visit_id) is S.ARRIVED
