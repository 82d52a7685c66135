"""Where the folders lie that stand beside the package in a checkout and inside it in a wheel."""

import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Return the folder `name` ("templates" or "migrations").

    Raises:
        FileNotFoundError: Neither place has it: the installation is damaged.
    """
    for place in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"the folder {name!r} is missing from this installation; install the tracker again")


def static() -> Path:
    """Return the folder of static files."""
    return _PACKAGE / "static"


def newest_revision() -> str:
    """Return the revision of the tables that the shipped migrations lead to.

    Read from the files themselves: loading the migration tool for it would take longer than all the rest of a start.

    Raises:
        RuntimeError: They don't lead to exactly one. That is a mistake in `migrations/`.
    """
    files = [path.read_text(encoding="utf-8") for path in (shipped("migrations") / "versions").glob("*.py")]
    made, left = (
        {found[1] for file in files if (found := re.search(rf'^{word}\b.*?= "(\w+)"', file, re.MULTILINE))}
        for word in ("revision", "down_revision")
    )
    if len(made - left) != 1:
        raise RuntimeError(f"the migrations have {len(made - left)} ends: {sorted(made - left)}")
    return (made - left).pop()
