"""A person is found by any part of what is known, however it is typed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules import lookup

BORN = date(1985, 3, 9)


def fits(said: str, text: str) -> bool:
    """Return whether a LIKE on the search text would find it."""
    return all(term.strip("%") in text for term in lookup.terms(said))


@pytest.mark.parametrize(
    ("said", "folded"),
    [
        ("Nguyễn", "nguyen"),
        ("Łukasz Ødegård", "lukasz odegard"),
        ("D’Angelo", "dangelo"),
        ("Van-der-Berg", "van der berg"),
        ("Straße", "strasse"),
        ("Æsir Þórr", "aesir thorr"),
        ("ＺＯＥ", "zoe"),
        ("Έλενα", "ελενα"),
        ("王 小明", "王 小明"),
        ("%_'; --", ""),
    ],
)
def test_letters_lose_their_marks_and_no_more(said, folded):
    assert lookup.fold(said) == folded


NAMES = st.text(st.characters(codec="utf-8", categories=("Lu", "Ll", "Lo")), min_size=1, max_size=12)


@given(NAMES, NAMES, st.booleans(), st.integers(1, 12))
def test_names_are_found_in_any_order_by_their_beginnings(family, given_name, swapped, length):
    text = lookup.search_text([family, given_name], "C00001", BORN, [])
    said = f"{given_name[:length]} {family}" if swapped else f"{family} {given_name[:length]}"

    assert fits(said, text)


@given(st.integers(0, 9_999_999_999).map(lambda n: f"{n:010}"), st.integers(0, 6), st.sampled_from(["-", " ", ".", ""]))
def test_digits_are_found_anywhere_in_a_number_however_parted(digits, start, between):
    text = lookup.search_text(["Tran"], "7", BORN, [f"+1{digits}"])
    part = digits[start : start + 4]

    assert fits(part, text)
    assert fits(f"({digits[:3]}) {digits[3:6]}{between}{digits[6:]}", text)


@given(st.text(max_size=80))
def test_no_term_is_a_pattern_of_its_own(said):
    for term in lookup.terms(said):
        assert term.startswith("%")
        assert term.endswith("%")
        assert not set(term[1:-1]) & set("%_\\")


@pytest.mark.parametrize("said", ["3/9/1985", "03/09/1985", "1985-03-09", "3.9.1985"])
def test_a_birth_date_is_found_as_it_is_typed(said):
    text = lookup.search_text(["Tran"], "7", BORN, [])

    assert fits(said, text)
    assert not fits("3/10/1985", text)


@pytest.mark.parametrize(
    ("first", "second", "similar"),
    [
        (("Tran", "Linh"), ("Linh", "Tran"), True),
        (("Smith", "Catherine"), ("Smyth", "Katharine"), True),
        (("Novák", "Petra"), ("Novak", "Peter"), True),
        (("O’Neill", "Zoë"), ("ONeil", "Zoe"), True),
        (("Tran", "Linh"), ("Alvarez", "Mateo"), False),
    ],
)
def test_names_that_could_be_one_persons(first, second, similar):
    assert lookup.similar_names(first, second) is similar
    assert lookup.similar_names(second, first) is similar
