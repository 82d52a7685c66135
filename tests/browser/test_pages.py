"""Every page in a real browser: axe finds nothing, the policy is kept, nothing is wider than the window."""

import pytest

from tests.browser.site import findings, visits

FLOOR = 40  # pages; raise it as pages come


# The other two pairs of size and scheme are looked at by `make shots`.
@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme"), [("1280x800", "light"), ("390x844", "dark")])
def test_every_page_can_be_used_by_everybody(running, chrome, size, scheme):
    """No finding, no complaint, no sideways scrolling."""
    faults, seen = [], 0
    for visit, page, complaints in visits(running, chrome, size, scheme):
        seen += 1
        said = list(complaints)  # before axe, which tries what the policy forbids
        faults += [f"{visit.name}: {one}" for one in [*said, *findings(page)]]
    print(f"\n{size} {scheme}: {seen} pages")
    assert not faults, "\n".join(faults)
    assert seen >= FLOOR, "pages have gone missing"
