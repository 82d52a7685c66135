"""Reading and writing of tables, whoever made them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.interop.tables import defuse, read_table, write_table


def cells(data: bytes) -> list[tuple[str, ...]]:
    table = read_table(data)
    assert not table.faults
    return [table.headings, *(row.cells for row in table.rows)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_line_ends_are_found_out(encoding, separator, ends):
    text = ends.join(["", f"Name{separator}Born", f"Zoë{separator}1980", "", f"Müller{separator}1990", "", ""])

    assert cells(text.encode(encoding)) == [("Name", "Born"), ("Zoë", "1980"), ("Müller", "1990")]


def test_a_row_with_line_breaks_has_the_number_of_its_first_line():
    table = read_table(b'A,B\n"one\ntwo",x\nthree,y\n')

    assert [(row.line, row.cells[0]) for row in table.rows] == [(2, "one\ntwo"), (4, "three")]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"\r\n\r\n", 1),
        (b"A,B\nx\x00,y\n", 2),
        (b'A,B\nok,ok\n"open,y\nmore,z\n', 3),
        (b"A,B\nx,y,z\n", 2),
        (b"\xef\xbb\xbfA,B\nx,\xff\n", 2),  # says UTF-8 and isn't
        ("A,B\néé,\n".encode() + b"\xe9,\n", 3),  # one byte of it isn't
        (b"A,B\nx,\x81\n", 2),  # Windows-1252 has no such letter either
        (b"\xff\xfeA", 1),  # half a letter of UTF-16
        ("A,B\nx,\ufffd\n".encode(), 2),
        (b"A,B\n" + b"x" * 200_000 + b",y\n", 2),
        (b"A\n" * 10_000_001, 1),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
def test_what_cannot_be_read_is_a_fault_with_its_line(data, line):
    assert [fault.line for fault in read_table(data).faults] == [line]


def test_excels_own_first_line_names_the_separator():
    assert cells(b"sep=|\nA,a|B\n1|2\n") == [("A,a", "B"), ("1", "2")]
    assert read_table(b"sep=;\nA;B\n1;2\n").rows[0].line == 3


def test_empty_cells_at_the_end_may_be_missing_or_too_many():
    assert cells(b"A,B,C,,\n1\n1,2,3,,,,\n") == [("A", "B", "C"), ("1", "", ""), ("1", "2", "3")]


def test_a_number_kept_as_text_by_excel_keeps_its_zeros():
    assert cells(b'A,B\n="007",x\n')[1] == ("007", "x")


@pytest.mark.parametrize("cell", ["=1+1", "+1 505", "-x", "@SUM(A1)", " =1", "\t=1", "\r=1", "'=1"])
def test_no_cell_that_goes_out_is_a_formula(cell):
    assert defuse(cell).startswith("'")


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))), min_size=2, max_size=2))
)
def test_what_we_write_we_read(rows):
    kept = [tuple(cell.strip() for cell in row) for row in rows if any(cell.strip() for cell in row)]
    kept = [row for row in kept if not any("\ufffd" in cell for cell in row)]

    assert cells(write_table(["A", "B"], kept).encode("utf-8-sig")) == [("A", "B"), *kept]


@given(st.binary(max_size=300))
def test_no_file_makes_the_reader_fail(data):
    read_table(data)
