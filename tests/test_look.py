"""What templates ask of the style sheets and of the drawings is there."""

import re

from tracker.paths import shipped, static
from tracker.rules.board import STEP

COLUMNS = 24 * 60 // STEP


def test_every_column_of_a_day_has_its_class():
    """A board of any hours can place and stretch anything on it."""
    sheet = (static() / "grid.css").read_text()

    assert re.findall(r"^\.at-(\d+) \{ grid-column-start: \1; \}$", sheet, re.M) == [str(n + 1) for n in range(COLUMNS)]
    spans = re.findall(r"^\.for-(\d+) \{ grid-column-end: span \1; flex-grow: \1; \}$", sheet, re.M)
    assert spans == [str(n + 1) for n in range(COLUMNS)]
    hours = re.findall(r"^\.hours-(\d+) \{ --hours: \1; --columns: (\d+); \}$", sheet, re.M)
    assert hours == [(str(n), str(n * 60 // STEP)) for n in range(1, 25)]
    for name, variable, most in (("line", "nth", 24), ("rows", "rows", 100), ("days", "days", 7)):
        found = re.findall(rf"^\.{name}-(\d+) \{{ --{variable}: \1; \}}$", sheet, re.M)
        assert found == [str(n + 1) for n in range(most)]


def test_every_drawing_that_a_template_names_is_in_the_sprite():
    """A name that is not in the list draws nothing, and nobody hears of it."""
    listed = set((static() / "icons.txt").read_text().split())
    named = {
        name
        for template in shipped("templates").rglob("*.html")
        for name in re.findall(r"\b(?:icon|draw)\(\"([a-z0-9-]+)\"", template.read_text())
    }

    assert len(named) > 30
    assert named <= listed


def test_no_template_asks_for_what_the_policy_forbids():
    """No inline style, script or handler; no second colour scheme that only a script could switch."""
    for template in [*shipped("templates").rglob("*.html"), *shipped("templates").rglob("*.svg")]:
        text = template.read_text()
        if "mail" in template.parts:
            continue  # a mail has no policy of ours, and no style sheet either
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"|<script(?![^>]*\ssrc=)|hx-on|javascript:", text), template
