"""One application and one Chromium for all tests of a run."""

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.site import AXE, chromium, launch, site
from tests.conftest import missing


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Return the application on a real port; a file of tests has one to itself, and time in it goes forward only."""
    with site(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="session")
def chrome():
    """Return the machine's Chromium."""
    if not chromium():
        missing("Chromium (Debian: apt-get install chromium)")
    if not AXE.exists():
        missing("axe-core (make dev)")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
