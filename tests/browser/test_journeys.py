"""Errands in a real browser, from the sign-in on, with nothing but what the pages say."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.browser.site import watch
from tracker import db
from tracker.demo import PASSWORD
from tracker.demo.people import ACCOUNTS
from tracker.models import Patient, Visit
from tracker.rules.vocabulary import Role, VisitStatus

# A password costs its time, and the machine may be busy.
expect.set_options(timeout=20_000)


@pytest.fixture
def window(running, chrome):
    """Return a function that opens a window for somebody; whatever it complains of fails the test."""
    opened = []

    def open_window(who, **look):
        context = running.open(chrome, who, **look)
        page = context.new_page()
        page.set_default_timeout(20_000)
        opened.append((context, watch(page)))
        return page

    yield open_window
    for context, complaints in opened:
        context.close()
        assert [one for one in complaints if "422" not in one] == []


def sign_in(page, role):
    """Come in by the front door."""
    page.goto("/")
    page.get_by_label("E-mail address").fill(next(one.email for one in ACCOUNTS if one.role == role))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Today")


def test_the_coordinator_books_six(window):
    """From the board to six booked visits."""
    page = window("nobody", viewport={"width": 1280, "height": 800})
    sign_in(page, Role.COORDINATOR)

    page.get_by_role("searchbox", name="Find a patient").fill("chen")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Chen, Wei").click()
    page.get_by_role("link", name="Book a series").last.click()
    page.get_by_label("Series").select_option(label="Two a week for three weeks")
    page.get_by_role("button", name="Find visits").click()
    option = page.locator(".option").first
    expect(option.locator("ol li")).to_have_count(6)
    option.get_by_role("button", name=re.compile("Book these 6 visits")).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Chen")
    expect(page.get_by_text("6 of 6")).to_be_visible()


def test_a_refused_form_takes_the_focus_to_what_is_wrong(window):
    """An empty name: the list of errors has the focus, and its link leads to the field."""
    page = window("coordinator", viewport={"width": 1280, "height": 800})
    page.goto("/patients/new")
    page.locator("main form button[type=submit]").last.click()

    expect(page.get_by_role("alert").first).to_be_focused()


def test_the_keyboard_alone_moves_a_visit(window):
    """M twice on a booked visit opens the places of other days; the arrow keys and Enter choose one."""
    page = window("coordinator", viewport={"width": 1280, "height": 800})
    page.goto("/")
    page.locator(".bar", has_text="Fraser, Isla").get_by_role("link").focus()
    page.keyboard.press("m")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Move")
    page.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("Today|Nov|Dec"))


def test_the_patient_confirms_by_the_link(running, window):
    """A telephone: one tap opens the page, one confirms, and the driver has a name."""
    page = window("nobody", viewport={"width": 390, "height": 844}, has_touch=True)
    with db.transaction() as session:
        coming = select(Visit).join(Patient, Patient.id == Visit.patient_id)
        for visit in session.scalars(coming.where(Patient.family_name == "Novak", Visit.status == VisitStatus.BOOKED)):
            visit.confirmed_at = visit.driver_confirmed_at = None
    page.goto(f"/v/{running.link_of('Novak')}")
    expect(page.locator("body")).not_to_contain_text("Petra")
    page.get_by_role("button", name="Open my page").tap()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Petra")
    page.get_by_role("button", name="I will come").tap()
    expect(page.get_by_text("You have confirmed this visit.")).to_be_visible()
    page.get_by_role("link", name="Add your driver").tap()
    page.get_by_label("Name").fill("Jan Novak")
    page.get_by_label("Telephone").fill("(505) 555-0306")
    page.get_by_role("button", name="Save").tap()

    expect(page.get_by_text("Jan Novak")).to_be_visible()


SIGNS = {"Systolic": 128, "Diastolic": 78, "HR": 72, "SpO₂": 98, "RR": 14, "MOAA/S": 5}


def enter_vitals(page):
    """Type a whole set and keep it."""
    form = page.locator("#vitals-form")
    for label, value in SIGNS.items():
        form.get_by_label(label, exact=True).fill(str(value))
    with page.expect_response("**/vitals*") as answer:
        form.locator("button:visible", has_text="Save").click()
    assert answer.value.status == 200
    expect(form.get_by_label("Systolic")).to_have_value("")


def test_the_nurse_runs_a_visit(running, window):
    """From the waiting room to the way home: checklist, dose with a second person, every set, discharge."""
    page = window("nurse", viewport={"width": 1024, "height": 768})
    page.goto(f"/visits/{running.ids['visits']['arrived']}")
    page.get_by_role("button", name="Begin the checklist").first.click()
    for left in range(12, 0, -1):
        expect(page.locator(".checklist li.open")).to_have_count(left)
        page.locator(".checklist li.open button.yes").first.click()
    page.get_by_label("Weight today, kg").fill("84")
    page.get_by_label("Vial, mg/mL").fill("50")
    page.get_by_role("button", name="Calculate").click()
    check = page.locator("form", has=page.get_by_role("heading", name=re.compile("Second person")))
    check.get_by_label("mg", exact=True).fill("42")
    check.get_by_label("mL", exact=True).fill("0.84")
    check.get_by_label("Who checks: e-mail").fill("k.mori@example.org")
    check.get_by_label("and password").fill(PASSWORD)
    check.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Checked by K. Mori")).to_be_visible()
    enter_vitals(page)
    expect(page.locator(".left-list li")).to_have_count(0)
    page.get_by_role("button", name="Start infusion").click()
    expect(page.locator(".chip", has_text="Running")).to_be_visible()

    for minutes in (0, 10, 10, 10, 10):
        running.later(minutes)
        page.reload()
        enter_vitals(page)
    page.get_by_role("button", name="Infusion ended").click()
    expect(page.get_by_role("button", name="Infusion ended")).to_have_count(
        0
    )  # answered, before the next page is asked for
    for _set in range(4):
        for minutes in (8, 7):  # nobody leaves the tablet alone for a quarter of an hour
            running.later(minutes)
            page.reload()
        enter_vitals(page)
    page.get_by_role("button", name="Ready to go home").click()
    expect(page.locator(".chip", has_text="Ready to go home")).to_be_visible()
    for box in page.locator(".gate input[type=checkbox]").all():
        box.check()
    page.get_by_role("button", name="Discharge").click()

    expect(page.locator(".chip", has_text="Discharged")).to_be_visible()


def test_the_physician_signs_order_and_note(running, window):
    """A new order with the password, then the note that was written from what is known; signed, it is locked."""
    page = window("physician", viewport={"width": 1280, "height": 800})
    page.goto(f"/visits/{running.ids['visits']['booked']}")
    page.get_by_text("New order").click()
    page.get_by_label("Your password, to sign").fill(PASSWORD)
    page.get_by_role("button", name="Sign the order").click()
    expect(page.get_by_text("Dr A. Hale, Tue, Nov 24")).to_be_visible()

    page.goto(f"/visits/{running.ids['visits']['discharged']}/note")
    page.get_by_label("Your password, to sign").fill(PASSWORD)
    page.get_by_role("button", name="Sign", exact=True).click()

    expect(page.locator(".chip", has_text="Signed")).to_be_visible()
    expect(page.get_by_role("button", name="Sign the addendum")).to_be_visible()
