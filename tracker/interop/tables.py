"""Tables as other programs write and read them: bytes of a CSV file in, rows of text out, and back.

What comes in is somebody else's export, so nothing about it is taken for granted but that it has one line of headings.
What goes out is opened in a spreadsheet, so no cell may become a formula there.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tracker.text import gettext as _

MAX_BYTES = 20_000_000
MAX_ROWS = 100_000
SEPARATORS = ",;\t|"

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
# What a spreadsheet would calculate: these, also behind blanks.
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
# Excel's way to keep leading zeros of a number: ="00123"
_KEPT_AS_TEXT = re.compile(r'="([^"]*)"')
# C0 controls but tab and line breaks; DEL and C1; and U+FFFD, where a letter was lost before the file reached us.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one line of the file, in words for whoever can mend it.

    `line` counts from 1 as an editor does; a row with line breaks in a cell has the number of its first line.
    """

    line: int
    message: str

    def __str__(self) -> str:
        return _("Line %(line)s: %(message)s", line=self.line, message=self.message)


@dataclass(frozen=True, slots=True)
class Row:
    """One row that isn't empty: the number of its first line, and its cells without blanks around them."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The headings, the rows below them, and the lines that couldn't be read as a row."""

    headings: tuple[str, ...] = ()
    headings_line: int = 1
    rows: tuple[Row, ...] = ()
    faults: tuple[Fault, ...] = field(default=())


def read_table(data: bytes) -> Table:
    """Read a CSV file: UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or bar; any line ends.

    Never raises for what is in the file: what can't be read comes back as faults.
    """
    if len(data) > MAX_BYTES:
        return _unreadable(_("the file is larger than %(mb)s MB", mb=MAX_BYTES // 1_000_000))
    try:
        text = _decode(data)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return _unreadable(_("this line is neither UTF-8 nor Windows-1252; save the file again as UTF-8"), line)
    skipped, separator, text = _separator(text)
    rows: list[Row] = []
    faults: list[Fault] = []
    for row in _rows(text, separator, skipped):
        (rows if isinstance(row, Row) else faults).append(row)  # type: ignore[arg-type] # told apart just before
        if len(rows) > MAX_ROWS:
            return _unreadable(_("the file has more than %(n)s rows: split it", n=MAX_ROWS), row.line)
    if not rows:
        return Table(faults=tuple(faults) or _unreadable(_("the file is empty")).faults)
    headings, *below = rows
    width = max((n for n, cell in enumerate(headings.cells, start=1) if cell), default=0)
    ragged = [row for row in below if any(row.cells[width:])]
    faults += [Fault(row.line, _too_wide(row, width)) for row in ragged]
    kept = tuple(_fit(row, width) for row in below if not any(row.cells[width:]))
    return Table(headings.cells[:width], headings.line, kept, tuple(sorted(faults, key=lambda fault: fault.line)))


def write_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV file's text in which no cell is a formula: such cells begin with an apostrophe, as typed in Excel.

    `read_table` takes the apostrophe off again. Save it as UTF-8 with a byte-order mark, or Excel guesses wrongly.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    for row in (headings, *rows):
        writer.writerow([defuse("" if cell is None else str(cell)) for cell in row])
    return out.getvalue()


def defuse(cell: str) -> str:
    """Return `cell` so that a spreadsheet shows it and doesn't calculate it."""
    return f"'{cell}" if _FORMULA.match(cell) or _FORMULA.match(cell.lstrip("'")) else cell


def shown(cell: str, longest: int = 40) -> str:
    """Return `cell` fit for a message on a terminal or a page: one line, no control characters, not long."""
    line = "".join(letter if letter.isprintable() else "·" for letter in cell)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _decode(data: bytes) -> str:
    if data.startswith(_UTF16_MARKS):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # A bad byte in a UTF-8 file must not turn every "é" of it into "Ã©".
        letters = _UTF8_LETTER.findall(data)
        others = len(_NOT_ASCII.findall(data)) - sum(map(len, letters))
        if data.startswith(codecs.BOM_UTF8) or len(letters) > others:
            raise
        return data.decode("cp1252")


def _separator(text: str) -> tuple[int, str, str]:
    """Return the lines skipped, the separator (from Excel's `sep=;` line, else from the headings), and the text."""
    if said := _SEPARATOR_LINE.match(text):
        return 1, said[1], text[said.end() :]
    body = text.lstrip("\r\n")
    return 0, max(SEPARATORS, key=lambda separator: _width(body, separator)), text


def _width(text: str, separator: str) -> int:
    try:
        return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), ()))
    except csv.Error:
        return 0


def _rows(text: str, separator: str, skipped: int) -> Iterator[Row | Fault]:
    """Yield each row that isn't empty, or what is wrong with it. Nothing after a broken quote can be trusted."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1 + skipped
        try:
            cells = tuple(_clean(cell) for cell in next(reader))
        except StopIteration:
            return
        except csv.Error:
            yield Fault(line, _("a quotation mark opens here and isn't closed, or text follows where it is closed"))
            return
        if any(_UNREADABLE.search(cell) for cell in cells):
            yield Fault(line, _("there is a character here that no text has; export the file again"))
        elif any(cells):
            yield Row(line, cells)


def _clean(cell: str) -> str:
    cell = cell.strip()
    if kept := _KEPT_AS_TEXT.fullmatch(cell):
        return kept[1].strip()
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell.lstrip("'")) else cell


def _fit(row: Row, width: int) -> Row:
    cells = row.cells[:width]
    return Row(row.line, cells + ("",) * (width - len(cells)))


def _too_wide(row: Row, width: int) -> str:
    return _(
        "there are %(cells)s cells under %(headings)s headings; quote a cell that holds a separator",
        cells=len(row.cells),
        headings=width,
    )


def _unreadable(message: str, line: int = 1) -> Table:
    return Table(faults=(Fault(line, message),))
