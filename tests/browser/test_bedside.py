"""A nurse at a tablet: one screen a visit, a pad to type on, and nothing typed is ever lost."""

import re
from datetime import UTC, datetime, time, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.browser.site import AXE, DAY, RULES, watch
from tracker import db
from tracker.models import Patient, Visit, VitalReading

TABLET = {"viewport": {"width": 1024, "height": 768}, "has_touch": True}


@pytest.fixture
def tablet(running, chrome, request):
    """Return the nurse's tablet (or somebody else's) and what it complains of."""
    running.set_clock()
    context = running.open(chrome, getattr(request, "param", "nurse"), **TABLET)
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page, watch(page)
    context.close()


def of_today() -> dict[str, str]:
    """Return the family name of everybody who comes today, with the visit's address."""
    midnight = datetime.combine(DAY, time(7), tzinfo=UTC)  # in Denver
    query = select(Patient.family_name, Visit.id).join(Visit, Visit.patient_id == Patient.id)
    with db.read() as session:
        rows = session.execute(
            query.where(Visit.starts_at >= midnight, Visit.starts_at < midnight + timedelta(days=1))
        ).all()
    return {name: f"/visits/{visit_id}" for name, visit_id in rows}


@pytest.mark.parametrize("tablet", ["nurse", "physician"], indirect=True)
def test_every_visit_of_the_day_is_one_screen(tablet):
    """Nothing to scroll at 1024 × 768, and axe finds nothing, whatever state a visit is in."""
    page, complaints = tablet
    axe, faults, seen = AXE.read_text(), [], 0
    for name, address in of_today().items():
        page.goto(address)
        page.evaluate("document.fonts.ready")
        height = page.evaluate("document.documentElement.scrollHeight")
        faults += [f"{name}: {height} px high"] if height > 768 else []
        faults += [f"{name}: {one}" for one in complaints]
        complaints.clear()
        page.evaluate(axe)
        found = page.evaluate("rules => axe.run(rules)", RULES)
        faults += [f"{name}: {one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]
        complaints.clear()  # axe tries what the policy forbids
        seen += 1
    print(f"\n{seen} visits")
    assert not faults, "\n".join(faults)
    assert seen >= 9


def typed(page) -> list[str]:
    """Return what stands in the six fields."""
    return page.eval_on_selector_all(".signs input", "fields => fields.map(field => field.value)")


def press(page, digits):
    """Type on the pad."""
    for digit in digits:
        page.locator(f"[data-digit='{digit}']").click()


def test_what_is_typed_outlives_a_tap_elsewhere_and_a_lost_connection(tablet):
    """The pad goes from field to field; a side effect keeps the numbers; offline says so; one reading is kept."""
    page, _complaints = tablet
    address = of_today()["Tran"]
    page.goto(address)
    press(page, "158" + "96" + "86")
    assert typed(page) == ["158", "96", "86", "", "", ""]

    page.get_by_role("button", name="Headache").click()
    page.locator("#effect-headache").get_by_role("button", name="Mild").click()
    expect(page.get_by_role("button", name="Headache")).to_contain_text("mild")
    assert typed(page) == ["158", "96", "86", "", "", ""]

    page.context.set_offline(True)
    press(page, "97")
    page.locator(".pad").get_by_role("button", name="Save").click()
    expect(page.locator("[data-offline]")).to_be_visible()
    assert typed(page)[:4] == ["158", "96", "86", "97"]

    page.context.set_offline(False)
    page.locator(".pad").get_by_role("button", name="Save").click()
    expect(page.locator(".vitals-grid")).to_contain_text("158/96")
    expect(page.locator("[data-offline]")).to_be_hidden()
    assert typed(page) == ["", "", "", "", "", ""]
    with db.read() as session:
        rows = session.scalars(select(VitalReading).where(VitalReading.systolic == 158, VitalReading.spo2 == 97)).all()
    assert [row.due for row in rows] == ["20"]


def test_the_timer_runs_and_help_is_one_tap_away(tablet):
    """The timer counts without the server; the card says where, and what was given."""
    page, complaints = tablet
    page.goto(of_today()["Tran"])
    timer = page.locator("[data-timer]")
    before = timer.inner_text()
    expect(timer).not_to_have_text(before)
    # As when the server's answer brought a new one this very moment.
    timer.evaluate("timer => { delete timer.dataset.from; timer.textContent = '' }")
    expect(timer).to_have_text(re.compile(r"^\d\d:\d\d$"))
    assert complaints == []
    page.get_by_role("button", name="Get help").click()
    card = page.locator("#get-help")
    expect(card).to_be_visible()
    expect(card).to_contain_text("Sage")
    expect(card).to_contain_text("latex")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_without_a_script_a_set_is_kept_all_the_same(running, chrome):
    """Forms post and come back; there is no pad, and a button to save."""
    running.set_clock()
    context = running.open(chrome, "nurse", java_script_enabled=False, **TABLET)
    page = context.new_page()
    page.goto(of_today()["Haddad"])
    page.get_by_label("Systolic").fill("126")
    page.get_by_label("Diastolic").fill("79")
    page.locator(".no-pad").get_by_role("button", name="Save").click()
    expect(page.locator(".vitals")).to_contain_text("126/79")
    context.close()
