"""`make shots`: a picture of every page, at a desk and on a telephone, light and dark, under build/shots/.

Each is also asked of axe and of the browser's console; a finding fails.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.site import SCHEMES, SIZES, chromium, findings, launch, site, visits

WHERE = Path("build/shots")


def main(wanted: list[str]) -> int:
    """Take the pictures; with words, only of pages whose name has one of them."""
    if not chromium():
        print("no Chromium here (Debian: apt-get install chromium)")
        return 1
    WHERE.mkdir(parents=True, exist_ok=True)
    taken, faults = 0, []
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as running, sync_playwright() as playwright:
        browser = launch(playwright)
        for size in SIZES:
            for scheme in SCHEMES:
                for visit, page, complaints in visits(running, browser, size, scheme, wanted or [""]):
                    page.screenshot(path=WHERE / f"{visit.name}-{size}-{scheme}.png", full_page=True)
                    taken += 1
                    faults += [f"{visit.name} {size} {scheme}: {one}" for one in [*complaints, *findings(page)]]
                    if visit.name.startswith("bedside"):
                        page.set_viewport_size({"width": 1024, "height": 768})
                        page.screenshot(path=WHERE / f"{visit.name}-1024x768-{scheme}.png")
        browser.close()
    print(f"{taken} pictures in {WHERE}/, {len(faults)} findings", *faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
