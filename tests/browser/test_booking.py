"""A series booked on the telephone: with the keyboard alone, in ten keys and clicks at most that aren't typing."""

import contextlib
import re
import time

import pytest
from playwright.sync_api import Error, expect
from sqlalchemy import select

from tests.browser.site import watch
from tracker import db
from tracker.models import Course, Patient, Visit

expect.set_options(timeout=20_000)

MOST_CLICKS, MOST_SECONDS = 10, 60


class Hands:
    """What somebody at the desk does to a page. Clicks are counted, typing isn't."""

    def __init__(self, page) -> None:
        self.page, self.clicks = page, 0

    def click(self, target) -> None:
        """Click something."""
        self.clicks += 1
        target.click()

    def choose(self, target, label: str) -> None:
        """Open a list and take something from it: two clicks."""
        self.clicks += 2
        target.select_option(label=label)


@pytest.fixture
def desk(running, chrome):
    """Return the coordinator's window; whatever it complains of fails the test."""
    context = running.open(chrome, "coordinator", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints = watch(page)
    yield page
    context.close()
    assert [one for one in complaints if "422" not in one] == []


def booked(family_name: str) -> list[Visit]:
    """Return the visits of somebody's newest series, in order."""
    with db.read() as session:
        newest = (
            select(Course.id)
            .join(Patient, Patient.id == Course.patient_id)
            .where(Patient.family_name == family_name)
            .order_by(Course.created_at.desc())
            .limit(1)
        )
        query = select(Visit).where(Visit.course_id == newest.scalar_subquery()).order_by(Visit.starts_at)
        return list(session.scalars(query))


def test_a_usual_patient_is_booked_in_ten_clicks_and_a_minute(desk):
    """Never Thursdays, around nine: from the board to six booked visits."""
    desk.goto("/")
    hands, began = Hands(desk), time.monotonic()
    hands.click(desk.get_by_role("link", name="Book a series").first)
    desk.get_by_role("searchbox", name="Name, phone, birth date or chart number").fill("chen")
    hands.click(desk.get_by_role("link", name="Chen, Wei"))
    hands.choose(desk.get_by_label("Series", exact=True), "Two a week for three weeks")
    hands.click(desk.get_by_label("Thu", exact=True))
    desk.get_by_label("Arrives around").fill("09:00")
    hands.click(desk.get_by_role("button", name="Find visits"))
    option = desk.locator(".option").first
    expect(option.locator("ol li")).to_have_count(6)
    expect(option.locator("ol")).not_to_contain_text("Thu")
    hands.click(option.get_by_role("button", name="Book these 6 visits"))
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Chen")
    spent = time.monotonic() - began

    print(f"\n{hands.clicks} clicks, {spent:.1f} seconds")
    assert len(booked("Chen")) == 6
    assert hands.clicks <= MOST_CLICKS
    assert spent < MOST_SECONDS


def press_to(page, target, limit: int = 60) -> int:
    """Press Tab until the target has the focus; return how often."""
    for times in range(1, limit):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return times
    raise AssertionError(f"{target} is not reached in {limit} steps")


def wait_for(page, requests: list, count: int) -> None:
    """Wait until so many requests were held back."""
    for _ in range(200):
        if len(requests) == count:
            return
        page.wait_for_timeout(50)
    raise AssertionError("nothing was asked for")


def test_the_keyboard_alone_books_and_changes_one_visit(desk):
    """Every control is reached by Tab; the other places of a visit open within its option and hold the focus."""
    desk.goto("/patients?q=romero")
    press_to(desk, desk.get_by_role("link", name=re.compile("Romero")))
    desk.keyboard.press("Enter")
    press_to(desk, desk.get_by_role("link", name="Book a series").last)
    desk.keyboard.press("Enter")
    press_to(desk, desk.get_by_label("Series", exact=True))
    desk.keyboard.type("Two a week")
    press_to(desk, desk.get_by_label("Thu", exact=True))
    desk.keyboard.press("Space")
    press_to(desk, desk.get_by_role("button", name="Find visits"))
    desk.keyboard.press("Enter")
    expect(desk.locator(".option").first.locator("ol li")).to_have_count(6)
    # Leave the wishes for the option.
    press_to(desk, desk.locator(".option").first.get_by_role("link", name="Other places for visit 3"))
    desk.keyboard.press("Enter")
    expect(desk.locator(".others")).to_be_focused()
    expect(desk.locator(".option")).to_have_count(3)  # the first is the choice now, and stands once
    place = desk.locator(".others a").first
    day = place.locator("b").first.inner_text()
    press_to(desk, place)
    desk.keyboard.press("Enter")
    mine = desk.locator(".option.chosen")
    expect(mine.locator(".others")).to_have_count(0)
    expect(mine.locator("ol li").nth(2)).to_contain_text(day)
    button = mine.get_by_role("button", name="Book these 6 visits")
    expect(button).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Romero")
    assert len(booked("Romero")) == 6


def test_what_was_asked_last_is_what_counts(desk):
    """An answer to the wishes that comes late takes neither the focus nor the other places of a visit away."""
    desk.goto("/patients?q=romero")
    desk.get_by_role("link", name=re.compile("Romero")).click()
    desk.get_by_role("link", name="Book a series").last.click()
    desk.get_by_role("button", name="Find visits").click()
    change = desk.locator(".option").first.get_by_role("link", name="Other places for visit 1", exact=True)
    expect(change).to_be_visible()

    late = []
    desk.route(re.compile("courses/new"), lambda route: late.append(route), times=1)
    desk.get_by_label("Fri", exact=True).click()
    change.focus()
    wait_for(desk, late, 1)
    late.pop().continue_()
    expect(desk.locator(".option").first.locator("ol")).not_to_contain_text("Fri")
    expect(change).to_be_focused()

    desk.route(re.compile("courses/new"), lambda route: late.append(route))
    desk.get_by_label("Fri", exact=True).click()
    wait_for(desk, late, 1)
    change.click()
    wait_for(desk, late, 2)
    with contextlib.suppress(Error):  # it was called off
        late[0].continue_()
    desk.wait_for_timeout(500)
    late[1].continue_()
    expect(desk.locator(".others")).to_be_focused()


def test_without_a_script_the_same_forms_book(running, chrome):
    """Links and buttons only: wishes, another place for one visit, booked."""
    context = running.open(chrome, "coordinator", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/patients/{running.ids['newcomer']}/courses/new")
    page.get_by_label("Series", exact=True).select_option(label="Three a week for two weeks")
    page.get_by_role("button", name="Find visits").click()
    page.locator(".option").first.get_by_role("link", name="Other places for visit 2").click()
    page.locator(".others a").first.click()
    page.locator(".option.chosen").get_by_role("button", name="Book these 6 visits").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Chen")
    context.close()
    assert len(booked("Chen")) == 6
