"""A practice's own list of patients: which column is which, and every row as a `Person` or as what is wrong with it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from tracker.interop.tables import Fault, Row, Table, read_table, shown
from tracker.rules.fields import Phone, explain
from tracker.rules.intake import Person, says_none
from tracker.text import gettext as _

# The headings that practices' programs write, however spaced. A message about a missing one says the first.
_HEADINGS = {
    "chart_number": """
        chart number, chart no, chart, chart id, mrn, mrn number, medical record number, medical record no,
        medical record, record number, record no, record id, id, id number, number, account number, account
        no, acct number, acct no, file number, external id, emr id, ehr id, case number
    """,
    "family_name": "last name, last, surname, family name, family, name last, last name legal, legal last name",
    "given_name": """
        first name, first, given name, given names, given, forename, forenames, christian name,
        name first, legal first name, first names
    """,
    "full_name": "name, full name, legal name, name last first, last first, last name first name",
    "preferred_name": "preferred name, pref name, preferred first name, nickname, goes by, known as, chosen name",
    "birth_date": """
        date of birth, dob, d o b, birth date, birthdate, birthday, birth day, born, date born, day of
        birth, bday, dateofbirth
    """,
    "phone": """
        phone, cell phone, cell, cellphone, cell number, cell no, mobile, mobile phone, mobile number,
        mobile no, phone number, phone no, telephone, telephone number, tel, tel no, contact number, primary
        phone, phone mobile, phone cell, main phone, phone 1, preferred phone
    """,
    "other_phone": """
        home phone, home, home number, phone home, work phone, work number, phone work, phone 2, other
        phone, alternate phone, alt phone, secondary phone, evening phone, landline, day phone, daytime
        phone
    """,
    "email": "e mail, email, e mail address, email address, mail, e mails, emails, primary email, personal email",
    "language": """
        language, preferred language, pref language, lang, pref lang, primary language, spoken language,
        language spoken, languages
    """,
    "allergies": "allergies, allergy, known allergies, drug allergies, medication allergies, allergy list, allergic to",
    "medicines": """
        medicines, medications, medication, meds, current medications, current meds, medication list, med
        list, rx, current medicines
    """,
    "diagnosis": "diagnosis, dx, indication, primary diagnosis, primary dx, diagnoses, condition, problem, treated for",
}
_FIELD_OF = {"".join(spelling.split()): name for name, said in _HEADINGS.items() for spelling in said.split(",")}
_WHOSE = re.compile(r"^(patients?|pt|clients?|member|person)")
_US_DAY = re.compile(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})")
_ISO_DAY = re.compile(r"([0-9]{4})[/-]([0-9]{1,2})[/-]([0-9]{1,2})")
_MIDNIGHT = re.compile(r"[T ]0?0:00(:00(\.0+)?)?Z?$|[ ]12:00(:00)? ?AM$", re.IGNORECASE)
_NOT_SAID = frozenset(
    {"-", "--", "n/a", "na", "none", "null", "unknown", "declined", "declined to specify", "not specified"}
)
# A letter in the middle of a word became a question mark: a program that knew no such letter wrote the file.
_NAMES = ("family_name", "given_name", "full_name", "preferred_name")
_LOST_LETTER = re.compile(r"\w\?\w")


class PatientRow(Person):
    """One good row: the person, and what else such a file tells."""

    line: int  # in the file, from 1
    other_phone: Phone | None = None


@dataclass(frozen=True, slots=True)
class PatientFile:
    """All rows of the file. `faults` keep it from being imported; `remarks` are worth a look and don't."""

    rows: tuple[PatientRow, ...] = ()
    faults: tuple[Fault, ...] = ()
    remarks: tuple[Fault, ...] = ()


def read_patients(data: bytes, *, country: str, today: date) -> PatientFile:
    """Check every row of a practice's export; at most one fault a line, with its columns and what would be right.

    Args:
        data: The file; see `read_table` for what may come.
        country: ISO 3166, for telephone numbers without one.
        today: In the clinic's zone; nobody is born later.
    """
    table = read_table(data)
    if not table.headings:
        return PatientFile(faults=table.faults)
    columns = [_FIELD_OF.get(_key(heading)) for heading in table.headings]
    if wrong := _heading_faults(table, columns):
        return PatientFile(faults=(Fault(table.headings_line, wrong),))
    doubled = _doubled(table, columns)
    read = [_read_row(row, table.headings, columns, doubled.get(row.line), country, today) for row in table.rows]
    faults = [*table.faults, *(fault for fault in read if isinstance(fault, Fault))]
    rows = tuple(row for row in read if isinstance(row, PatientRow))
    if not rows and not faults:
        faults = [Fault(table.headings_line, _("there are headings and no patients below them"))]
    return PatientFile(rows, tuple(sorted(faults, key=lambda fault: fault.line)), tuple(_remarks(table, columns)))


def _key(heading: str) -> str:
    """Spell a heading plainly: "Pt. Chart #" and "PatientChartNumber" are "chartnumber"."""
    plain = unicodedata.normalize("NFKD", heading.casefold().replace("#", "number"))
    letters = re.sub(r"[^a-z0-9]", "", plain)
    return _WHOSE.sub("", letters) or letters


def _heading_faults(table: Table, columns: Sequence[str | None]) -> str:
    """Say which needed columns are missing and which stand there twice."""
    said = []
    for name in dict.fromkeys(filter(None, columns)):
        same = [heading for heading, column in zip(table.headings, columns, strict=True) if column == name]
        if len(same) > 1 and name != "other_phone":
            doubled = ", ".join(f"“{shown(heading)}”" for heading in same)
            said.append(_("the columns %(doubled)s say the same; keep one of them", doubled=doubled))
    needed = ["birth_date"] if "full_name" in columns else ["family_name", "given_name", "birth_date"]
    for name in needed:
        if name not in columns:
            heading = _HEADINGS[name].split(",")[0].strip().capitalize()
            said.append(_("the column “%(heading)s” is missing, or has another name here", heading=heading))
    return "; ".join(said)


def _read_row(
    row: Row, headings: Sequence[str], columns: Sequence[str | None], doubled: str | None, country: str, today: date
) -> PatientRow | Fault:
    heading = {name: shown(said) for said, name in zip(headings, columns, strict=True) if name}
    cells = {name: cell for name, cell in zip(columns, row.cells, strict=True) if name and cell}
    wrong: dict[str, str] = {}
    if "chart_number" in heading and "chart_number" not in cells:
        wrong["chart_number"] = _("is empty. Every row needs one.")
    elif doubled:
        wrong["chart_number"] = f"{shown(cells['chart_number'])} {doubled}"
    try:
        patient = PatientRow.model_validate(
            {"line": row.line, **_values(cells)}, context={"country": country, "today": today}
        )
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0])
            source = "full_name" if name in ("family_name", "given_name") and "full_name" in heading else name
            wrong.setdefault(source, _said(source, cells.get(source), explain(fault)))
    if wrong:
        return Fault(row.line, " ".join(f"{heading.get(name, name)} {said}" for name, said in wrong.items()))
    return patient


def _values(cells: Mapping[str, str]) -> dict[str, object]:
    """Return what `PatientRow` takes: days as 1980-01-31, lists split, and nothing where nothing is said."""
    values: dict[str, object] = {name: cell for name, cell in cells.items() if not _says_nothing(name, cell)}
    if "," in (full := cells.get("full_name", "")) and "family_name" not in cells:
        family, given = full.split(",", 1)
        values |= {"family_name": family.strip(), "given_name": given.strip()}
    values.pop("full_name", None)
    values["birth_date"] = _iso_day(cells.get("birth_date", ""))
    values["no_allergies"] = says_none(cells.get("allergies", ""))
    for name in ("allergies", "medicines"):
        said = cells.get(name, "")
        values[name] = "" if says_none(said) else _one_a_line(said)
    return values


def _says_nothing(name: str, cell: str) -> bool:
    return name not in ("family_name", "given_name") and cell.casefold() in _NOT_SAID


def _iso_day(cell: str) -> str:
    cell = _MIDNIGHT.sub("", cell)
    if american := _US_DAY.fullmatch(cell):
        month, day, year = american.groups()
        return f"{year}-{month:0>2}-{day:0>2}"
    if written := _ISO_DAY.fullmatch(cell):
        year, month, day = written.groups()
        return f"{year}-{month:0>2}-{day:0>2}"
    return cell


def _one_a_line(listed: str) -> str:
    """Split a list at semicolons, bars and line breaks; at commas only when it has none of these."""
    parts = re.split(r"[;|\r\n]+", listed)
    if len(parts) == 1:
        parts = re.split(r",(?![^(]*\))", listed)
    return "\n".join(parts)


def _said(name: str, cell: str | None, right: str) -> str:
    """Say what is wrong with a cell and what would be right, in the file's own spelling."""
    if cell is None:
        return _("is empty. Fill it in.")
    if name == "full_name" and "," not in cell:
        right = _("Write it as Last, First.")
    if name == "birth_date" and not _is_day(_iso_day(cell)):
        right = _("There is no such day. Write it as 03/31/1980 (month first) or 1980-03-31.")
    return _("“%(cell)s”: %(right)s", cell=shown(cell), right=right)


def _is_day(said: str) -> bool:
    try:
        return bool(date.fromisoformat(said))
    except ValueError:
        return False


def _doubled(table: Table, columns: Sequence[str | None]) -> dict[int, str]:
    """Say of each line whose chart number stands above already where it does."""
    if "chart_number" not in columns:
        return {}
    column = columns.index("chart_number")
    first: dict[str, int] = {}
    said = _("stands in line %(line)s already. Every patient needs another one.")
    above = {row.line: first.setdefault(row.cells[column].casefold(), row.line) for row in table.rows}
    return {line: said % {"line": other} for line, other in above.items() if other != line}


def _remarks(table: Table, columns: Sequence[str | None]) -> Iterator[Fault]:
    unread = [f"“{shown(said)}”" for said, name in zip(table.headings, columns, strict=True) if said and not name]
    if unread:
        yield Fault(table.headings_line, _("these columns are not imported: %(unread)s", unread=", ".join(unread)))
    for row in table.rows:
        for name, cell in zip(columns, row.cells, strict=True):
            if name in _NAMES and _LOST_LETTER.search(cell):
                yield Fault(row.line, _("“%(cell)s” seems to have lost a letter. Check it.", cell=shown(cell)))
