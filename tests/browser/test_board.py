"""A visit moved on the board by hand: with the arrow keys, with the mouse, and what is said meanwhile."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.browser.site import watch
from tracker import db
from tracker.models import Patient, Resource, Visit
from tracker.rules.vocabulary import VisitStatus

expect.set_options(timeout=20_000)


@pytest.fixture
def board(running, chrome):
    """Return the coordinator's board of the day after the story, on which nobody has come yet."""
    context = running.open(chrome, "coordinator", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints = watch(page)
    page.goto("/day/2026-11-25")
    yield page
    context.close()
    assert [one for one in complaints if "409" not in one] == []


def at(name):
    """Return clock and room of somebody's visit that day."""
    with db.read() as session:
        found = session.execute(
            select(Visit, Resource.name)
            .join(Patient, Patient.id == Visit.patient_id)
            .join(Resource, Resource.id == Visit.room_id)
            .where(Patient.family_name == name, Visit.status == VisitStatus.BOOKED)
            .order_by(Visit.starts_at)
        ).first()
    return f"{found[0].starts_at:%H:%M} {found[1]}"


def bar(page, name):
    """Return somebody's bar."""
    return page.locator(".bar", has_text=name)


def test_m_and_arrows_move_a_visit_and_escape_does_not(board):
    """Two quarters later and a room down; what happens is said; the bar has the focus again."""
    before = at("Brooks")  # 20:30 UTC, Sage
    who = bar(board, "Brooks").get_by_role("link")
    live = board.locator("#live")

    who.focus()
    board.keyboard.press("m")
    expect(board.locator(".spot").first).to_be_visible()
    board.keyboard.press("ArrowRight")
    expect(live).to_contain_text("Sage, 1:45 PM")
    board.keyboard.press("Escape")
    expect(board.locator(".ghost")).to_have_count(0)
    expect(who).to_be_focused()
    assert at("Brooks") == before == "20:30 Sage"

    board.keyboard.press("m")
    expect(board.locator(".spot").first).to_be_visible()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        board.keyboard.press(key)
    expect(live).to_contain_text("Juniper, 2:00 PM: free")
    board.keyboard.press("Enter")

    expect(board.locator("#said")).to_contain_text("Moved to Wed, Nov 25, 2:00 PM")
    expect(bar(board, "Brooks").get_by_role("link")).to_be_focused()
    assert at("Brooks") == "21:00 Juniper"

    board.keyboard.press("m")  # the board that came back can be moved on again
    expect(board.locator(".spot").first).to_be_visible()
    board.keyboard.press("ArrowLeft")
    expect(live).to_contain_text("Juniper, 1:45 PM")
    board.keyboard.press("Escape")
    assert at("Brooks") == "21:00 Juniper"


def test_a_refused_place_says_why_and_takes_nothing(board):
    """Where Petrov is, nobody else can be: said on the board and aloud, and Enter leaves the visit where it is."""
    before = at("Kaur")  # Mesa 10:45
    bar(board, "Kaur").get_by_role("link").focus()
    board.keyboard.press("m")
    expect(board.locator(".spot").first).to_be_visible()
    board.keyboard.press("ArrowUp")
    board.keyboard.press("ArrowUp")
    for _step in range(4):
        board.keyboard.press("ArrowLeft")

    expect(board.locator(".ghost.refused")).to_contain_text("Sage is taken")
    expect(board.locator("#live")).to_contain_text("taken")
    board.keyboard.press("Enter")
    expect(board.locator(".ghost")).to_have_count(1)
    board.keyboard.press("Escape")
    assert at("Kaur") == before


def test_the_mouse_drags_a_visit(board):
    """From Mesa up to Juniper, an hour earlier; the click that ends it opens nothing."""
    board.goto("/day/2026-11-25")
    one = bar(board, "Kaur").bounding_box()
    lane = board.locator(".lane[data-name=Juniper]").bounding_box()
    hour = lane["width"] / 10
    board.mouse.move(one["x"] + 40, one["y"] + 20)
    board.mouse.down()
    board.mouse.move(one["x"] + 20, one["y"] + 10, steps=3)
    expect(board.locator(".spot").first).to_be_visible()
    board.mouse.move(one["x"] + 40 - hour, lane["y"] + 30, steps=8)
    expect(board.locator(".ghost.fits")).to_contain_text("Juniper, 9:45 AM: free")
    board.mouse.up()

    expect(board.locator("#said")).to_contain_text("9:45 AM")
    assert at("Kaur") == "16:45 Juniper"
    assert board.url.endswith("/day/2026-11-25")


def test_letting_go_where_nothing_fits_says_why_on_the_board(board):
    """The bar is back where it was: a slip of the hand, without a word. Escape ends a drag for good."""
    board.goto("/day/2026-11-25")
    before = at("Petrov")
    mine, taken = bar(board, "Petrov").bounding_box(), bar(board, "Brooks").bounding_box()
    board.mouse.move(mine["x"] + 40, mine["y"] + 20)
    board.mouse.down()
    board.mouse.move(taken["x"] + 60, taken["y"] + 20, steps=8)
    expect(board.locator(".ghost.refused")).to_contain_text("taken")
    board.mouse.up()
    expect(board.locator(".legend .refused")).to_contain_text("taken")

    board.mouse.move(mine["x"] + 40, mine["y"] + 20)
    board.mouse.down()
    board.mouse.move(mine["x"] + 80, mine["y"] + 20, steps=3)
    expect(board.locator(".ghost")).to_have_count(1)
    board.keyboard.press("Escape")
    board.mouse.move(mine["x"] + 160, mine["y"] + 20, steps=3)
    expect(board.locator(".ghost")).to_have_count(0)
    board.mouse.up()
    assert at("Petrov") == before


def test_a_stale_board_says_so_and_is_fresh(board):
    """Somebody else moved it after the board was drawn."""
    board.goto("/day/2026-11-25")
    with db.transaction() as session:
        for visit in session.scalars(select(Visit).join(Patient).where(Patient.family_name == "Petrov")):
            visit.driver_name = "Somebody else"
    bar(board, "Petrov").get_by_role("link").focus()
    board.keyboard.press("m")
    expect(board.locator(".spot").first).to_be_visible()
    board.keyboard.press("ArrowRight")
    board.keyboard.press("Enter")

    expect(board.locator("#said")).to_contain_text("Somebody changed this visit")
    expect(board.locator("#live")).to_contain_text("Somebody changed this visit")


@pytest.mark.parametrize(
    "path", ["/", "/calendar/week/{}", "/calendar/month/{}", "/calendar/staff/{}", "/calendar/list/{}"]
)
def test_a_page_of_the_calendar_prints_on_one_landscape_sheet(board, path):
    """Letter, no controls on it."""
    board.goto(path.format("2026-11-24"))
    sheet = board.pdf(prefer_css_page_size=True)

    assert re.findall(rb"/Count (\d+)", sheet) == [b"1"]
    assert b"/MediaBox [0 0 792 612]" in sheet
    board.emulate_media(media="print")
    expect(board.get_by_role("link", name="Book a series")).to_have_count(0)
    expect(board.get_by_text("printed")).to_be_visible()
