"""What is taken for a name, a language, a list: sane spellings, any script."""

from datetime import date

import pytest
from pydantic import ValidationError

from tracker.rules.intake import Person, age, says_none

TODAY = date(2026, 11, 24)


def person(**said):
    values = {"given_name": "Linh", "family_name": "Tran", "birth_date": "1985-03-09"} | said
    return Person.model_validate(values, context={"country": "US", "today": TODAY})


@pytest.mark.parametrize("name", ["Nguyễn", "O’Neill", "王", "محمد", "Sánchez-Vicario", "X Æ A-12", "J."])
def test_names_of_any_script_are_names(name):
    assert person(family_name=name).family_name == name


@pytest.mark.parametrize("name", ["", " ", "123", "=A1", "+A", "@A", "-A", "a\x00b", "a\nb", "a\ufffdb", "x" * 81])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValidationError):
        person(family_name=name)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        *(("English", "en"), ("en", "en"), ("EN-us", "en"), ("English (US)", "en"), ("Spanish; Castilian", "es")),
        *(("Español", "es"), ("es_MX", "es"), ("Vietnamese", "vi"), ("Tiếng Việt", "vi"), ("Mandarin", "zh")),
    ],
)
def test_a_language_is_known_by_name_or_code(said, code):
    assert person(language=said).language == code


@pytest.mark.parametrize("said", ["Klingon", "xx", "english?", "1"])
def test_what_is_no_language_is_refused(said):
    with pytest.raises(ValidationError, match="Enter a language"):
        person(language=said)


def test_a_list_has_one_thing_a_line_and_none_twice():
    assert person(allergies=" latex \r\n\r\nsulfa\nlatex").allergies == "latex\nsulfa"


@pytest.mark.parametrize("said", ["x" * 201, "\n".join(map(str, range(61)))])
def test_a_list_has_its_bounds(said):
    with pytest.raises(ValidationError, match="at most 60 lines"):
        person(allergies=said)


@pytest.mark.parametrize("said", ["none", "None known", "NKDA", "nka", "No known drug allergies."])
def test_none_is_said_in_many_ways(said):
    assert says_none(said)


@pytest.mark.parametrize(
    ("born", "years"), [(date(1985, 11, 24), 41), (date(1985, 11, 25), 40), (date(2024, 2, 29), 2)]
)
def test_age_is_whole_years(born, years):
    assert age(born, TODAY) == years
