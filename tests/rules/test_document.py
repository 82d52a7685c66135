"""The page of clinical rules says what the rules say."""

from pathlib import Path

from tracker.rules.document import page


def test_the_page_is_up_to_date():
    """Changed a number? `make docs` writes the page anew."""
    assert (Path(__file__).parents[2] / "docs" / "clinical-rules.md").read_text(encoding="utf-8") == page()
