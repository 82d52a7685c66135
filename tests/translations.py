"""The texts that patients read, and their Spanish: `make texts` brings the catalogue up to date.

New texts are added without a translation, those that are gone are dropped; the test of the catalogue is red until each
has one. The program reads the `.po` file itself, so nothing is compiled.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LANGUAGE = "es"
PO = ROOT / "templates" / "locale" / LANGUAGE / "LC_MESSAGES" / "tracker.po"
# Everything a patient is sent or shown; what only staff read stays in English.
READ_BY_PATIENTS = (
    "templates/mail/*.txt",
    "templates/mail/*.html",
    "tracker/interop/mail.py",
    "tracker/interop/calendar_file.py",
    "templates/portal/*.html",
    "templates/macros/*.html",
    "templates/errors/*.html",
    "tracker/rules/fields.py",
    "tracker/rules/scales.py",
    "tracker/services/consent.py",
    "tracker/services/links.py",
    "tracker/services/portal.py",
    "tracker/services/replies.py",
    "tracker/services/telling.py",
    "tracker/web/access.py",
    "tracker/web/errors.py",
    "tracker/web/forms.py",
    "tracker/web/portal.py",
)
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}


def files() -> list[Path]:
    """Return the files whose texts patients read."""
    return sorted(path for pattern in READ_BY_PATIENTS for path in ROOT.glob(pattern))


def texts() -> Iterator[tuple[str, int, object]]:
    """Yield each text that patients read, with the file and line it is in."""
    for path in files():
        method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
        options = {} if path.suffix == ".py" else {"newstyle_gettext": "true", "trimmed": "true"}
        with path.open("rb") as source:
            for line, said, _comments, _context in extract(method, source, KEYWORDS, (), options):
                yield str(path.relative_to(ROOT)), line, said


def catalogue() -> Catalog:
    """Return the Spanish as it is in the file."""
    with PO.open("rb") as written:
        return read_po(written, locale=LANGUAGE)


def wanted() -> Catalog:
    """Return a catalogue of all that should be translated."""
    template = Catalog(locale=LANGUAGE, fuzzy=False)
    for name, _line, said in texts():
        # Without line numbers: a line added above would change the file.
        template.add(said, locations=[(name, None)])
    return template


def missing() -> list[Message]:
    """Return what is read by patients and has no Spanish."""
    known = catalogue()
    found = ((one, known.get(one.id)) for one in wanted() if one.id)
    return [one for one, there in found if there is None or there.fuzzy or not all(_forms(there))]


def _forms(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def update() -> None:
    """Write the catalogue anew: what patients read now, with the Spanish that is known."""
    found, known = wanted(), catalogue() if PO.exists() else Catalog(locale=LANGUAGE)
    for message in found:
        there = known.get(message.id) if message.id else None
        if there:
            message.string = there.string
    PO.parent.mkdir(parents=True, exist_ok=True)
    written = BytesIO()
    write_po(written, found, width=120, sort_output=True, omit_header=False, include_lineno=False)
    PO.write_bytes(_without_dates(written.getvalue()))


def _without_dates(data: bytes) -> bytes:
    """Leave out who and when of the header: version control knows."""
    noise = (
        b"# ",
        b"#\n",
        b'"POT-Creation',
        b'"PO-Revision',
        b'"Report-',
        b'"Last-Tr',
        b'"Language-Team',
        b'"Project-',
        b'"Generated-By',
    )
    return b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(noise))


if __name__ == "__main__":
    update()
    for left in missing():
        sys.stdout.write(f"no Spanish: {left.id!r}\n")
