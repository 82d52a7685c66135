"""Every page in a real browser: axe finds nothing, the policy is kept, nothing is wider than the window."""

import pytest

from tests.browser.site import AXE, SCHEMES, SIZES, visits

FLOOR = 40  # pages; raise it as pages come
RULES = {"preload": False, "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_every_page_can_be_used_by_everybody(running, chrome, size, scheme):
    """No finding, no complaint, no sideways scrolling."""
    axe = AXE.read_text()
    faults, seen = [], 0
    for visit, page, complaints in visits(running, chrome, size, scheme):
        seen += 1
        said = list(complaints)  # before axe, which tries what the policy forbids
        page.evaluate(axe)
        found = page.evaluate("rules => axe.run(rules)", RULES)
        said += [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append("wider than the window")
        faults += [f"{visit.name}: {one}" for one in said]
    print(f"\n{size} {scheme}: {seen} pages")
    assert not faults, "\n".join(faults)
    assert seen >= FLOOR, "pages have gone missing"
