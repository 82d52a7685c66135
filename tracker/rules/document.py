"""The page docs/clinical-rules.md, made from the rules themselves: `python -m tracker.rules.document` prints it."""

import sys
from collections.abc import Iterator

from tracker.rules.protocol import Protocol
from tracker.rules.protocols import SHIPPED, SOURCES
from tracker.rules.scales import SCALES
from tracker.rules.settings import REGISTRY

_HEAD = """# Clinical rules

Every number the tracker acts on, with where it comes from. They are starting points for the clinic's physician to
confirm, and not medical advice. A clinic's own value for a setting wins over the one here; a protocol is changed by a
new version, and a course keeps the version it was booked under. This page is made from `tracker/rules/` by `make docs`.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *_settings(), *_protocols(), *_scales()]) + "\n"


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield "| key | what it is | default | between | source |"
    yield "| --- | --- | --- | --- | --- |"
    for one in REGISTRY.values():
        span = f"{one.low} and {one.high}"
        yield f"| `{one.key}` | {one.label} | {one.default} {one.unit} | {span} | {one.source} |"


def _protocols() -> Iterator[str]:
    yield "\n## Protocols\n"
    yield "| code | title | visits | rhythm, days | gap, elapsed | dose | block, minutes |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in SHIPPED:
        yield _protocol(one)
    yield f"\n{SOURCES}"


def _protocol(one: Protocol) -> str:
    hours = (
        f"{one.min_gap.total_seconds() / 3600:g}–{one.max_gap.total_seconds() / 3600:g} h" if one.visits > 1 else "–"
    )
    rhythm = ", ".join(map(str, one.rhythm)) or "–"
    phases = " + ".join(f"{phase.name.replace('_', '-')} {phase.minutes}" for phase in one.phases)
    dose = f"{one.mg_per_kg} mg/kg, at most {one.max_mg} mg"
    return f"| {one.code} | {one.title} | {one.visits} | {rhythm} | {hours} | {dose} | {phases} |"


def _scales() -> Iterator[str]:
    yield "\n## Questionnaires\n"
    yield "| name | range | bands from | response | partial | remission below | credit |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in SCALES.values():
        bands = ", ".join(f"{band.low} {band.name}" for band in one.bands)
        response, partial = f"−{one.response_drop} %", f"−{one.partial_drop} %"
        below = one.remission_below
        yield f"| {one.name} | 0–{one.highest} | {bands} | {response} | {partial} | {below} | {one.credit} |"


if __name__ == "__main__":
    sys.stdout.write(page())
