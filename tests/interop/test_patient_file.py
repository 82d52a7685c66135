"""A practice's own list of patients: columns by other names, and one message for each bad line."""

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.interop.patient_file import read_patients
from tracker.interop.tables import defuse

TODAY = date(2026, 11, 24)
HEAD = "Chart #,Last Name,First Name,DOB,Cell Phone,E-Mail,Pref. Language,Allergies,Dx\n"


def read(text: str, head: str = HEAD):
    return read_patients((head + text).encode(), country="US", today=TODAY)


def test_a_good_row_is_a_person():
    (row,) = read('17,Nguyễn,Søren,05/31/1970,5055550189,søren@example.org,ES,"peanut (""severe""); latex",CRPS\n').rows

    assert (row.chart_number, row.family_name, row.given_name) == ("17", "Nguyễn", "Søren")
    assert (row.birth_date, row.phone, row.email) == (date(1970, 5, 31), "+15055550189", "søren@example.org")
    assert (row.language, row.allergies, row.diagnosis) == ("es", 'peanut ("severe")\nlatex', "CRPS")


def test_other_words_in_another_order():
    (row,) = read(
        '="0012";Tran;Linh;1985-3-9 00:00:00;(505) 555-0182;505 555-0183;NKDA;metformin, lithium (300 mg, evenings)\n',
        "MRN;Surname;Patient Forename;Birth date;Mobile;Home phone;Known allergies;Current meds\n",
    ).rows

    assert (row.chart_number, row.birth_date) == ("0012", date(1985, 3, 9))
    assert (row.phone, row.other_phone) == ("+15055550182", "+15055550183")
    assert (row.allergies, row.no_allergies) == ("", True)
    assert row.medicines == "metformin\nlithium (300 mg, evenings)"


def test_one_column_may_hold_the_whole_name():
    found = read('"Tran, Linh",3/9/1985\nLinh Tran,3/9/1985\n', "Patient Name,Patient DOB\n")

    assert [(row.family_name, row.given_name) for row in found.rows] == [("Tran", "Linh")]
    assert [str(fault) for fault in found.faults] == ["Line 3: Patient Name “Linh Tran”: Write it as Last, First."]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2,,Ana,01/01/1980", "Last Name is empty"),
        (",Tran,Ana,01/01/1980", "Chart # is empty"),
        ("2,Tran,Ana,", "DOB is empty"),
        ("2,Tran,Ana,13/45/1980", "DOB “13/45/1980”: There is no such day"),
        ("2,Tran,Ana,02/29/1981", "month first"),
        ("2,Tran,Ana,1/2/80", "03/31/1980"),
        ("2,Tran,Ana,١/٢/١٩٨٠", "03/31/1980"),
        ("2,Tran,Ana,01/01/2090", "still to come"),
        ("2,Tran,Ana,01/01/0001", "between 1900 and 2100"),
        ("2,Tran,Ana,01/01/1980,call mother", "Cell Phone “call mother”: Enter a phone number"),
        ("2,Tran,Ana,01/01/1980,,not-an-address", "E-Mail “not-an-address”: Enter an e-mail address"),
        ("2,Tran,Ana,01/01/1980,,,Klingon", "Pref. Language “Klingon”: Enter a language"),
        ("2,=cmd|'/c calc'!A1,Ana,01/01/1980", "looks like a formula"),
        ("=1,Tran,Ana,01/01/1980", "looks like a formula"),
        ("2,123,Ana,01/01/1980", "Write the name with letters"),
        (f"2,{'x' * 201},Ana,01/01/1980", "80 characters"),
        (f"2,Tran,Ana,01/01/1980,,,,{'x' * 201}", "lines of 200 characters"),
    ],
)
def test_a_bad_line_says_its_column_and_what_would_be_right(row, says):
    found = read(f"1,Good,Row,01/01/1980\n{row}\n")

    assert [row.line for row in found.rows] == [2]
    assert [fault.line for fault in found.faults] == [3]
    assert says in found.faults[0].message


def test_several_faults_of_a_line_are_one_message():
    (fault,) = read("1,Tran,Ana,01/01/2090,call mother,nowhere,Klingon\n").faults

    assert all(column in fault.message for column in ("DOB", "Cell Phone", "E-Mail", "Pref. Language"))


def test_a_chart_number_stands_once():
    found = read("A1,Tran,Ana,01/01/1980\n2,Tran,Li,01/01/1980\na1,Late,Born,\n")

    assert "Chart # a1 stands in line 2 already" in found.faults[0].message
    assert "DOB is empty" in found.faults[0].message


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("Chart #,First Name,DOB\n", "the column “Last name” is missing"),
        ("Last Name,First Name,DOB,Date of Birth\n", "“DOB”, “Date of Birth” say the same"),
        ("one,two\n", "“Date of birth” is missing"),
        ("Last Name,First Name,DOB\n", "no patients below"),
    ],
)
def test_headings_are_checked_before_the_rows(head, says):
    found = read("", head)

    assert not found.rows
    assert [fault.line for fault in found.faults] == [1]
    assert says in found.faults[0].message


def test_unread_columns_and_lost_letters_are_remarked_and_imported():
    found = read("Ng?c,Ana,1980-01-31,Acme\n", "Last Name,First Name,DOB,Insurance\n")

    assert len(found.rows) == 1
    assert not found.faults
    assert ["Insurance" in found.remarks[0].message, "lost a letter" in found.remarks[1].message] == [True, True]


# Without "Š" and the like: "ÆŠ" in Windows-1252 is the very bytes of "Ɗ" in UTF-8, and nobody can tell.
LATIN = "abcdefgzABCZäöüßéèêñçøåÆ"
NAMES = st.text(st.sampled_from(LATIN + "-' "), min_size=1, max_size=20).map(lambda said: f"A{said}e")
PEOPLE = st.lists(
    st.tuples(NAMES, NAMES, st.dates(date(1900, 1, 1), TODAY), st.sampled_from(["", "none known", "latex"])),
    min_size=1,
    max_size=8,
)


@given(
    PEOPLE,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["%Y-%m-%d", "%m/%d/%Y"]),
    st.permutations(
        [
            *(["MRN", "Patient ID", "PatientChartNumber"], ["SURNAME", "Family name"], ["Given Name", "forename"]),
            *(["Birthdate", "D.O.B."], ["ALLERGIES", "Allergy list"]),
        ]
    ),
    st.integers(0, 1),
)
def test_any_export_of_the_same_people_reads_the_same(people, encoding, separator, ends, day_form, headings, word):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=ends)
    writer.writerow([words[word] for words in headings])
    for number, (family, given_name, born, allergies) in enumerate(people):
        day = born.strftime(day_form).zfill(10)
        cell = {"M": str(number), "S": family, "G": given_name, "B": day, "A": allergies}
        writer.writerow([defuse(cell[words[0][0]]) for words in headings])

    found = read_patients(out.getvalue().encode(encoding), country="US", today=TODAY)

    assert not found.faults
    assert [(row.family_name, row.given_name, row.birth_date, row.no_allergies) for row in found.rows] == [
        (family.strip(), given_name.strip(), born, allergies == "none known")
        for family, given_name, born, allergies in people
    ]
