"""Where the folders lie that stand beside the package in a checkout and inside it in a wheel."""

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
