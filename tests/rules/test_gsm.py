"""What a text costs: counted as the networks do, and plainer only where that saves something."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.rules import gsm
from tracker.rules.gsm import BASIC, EXTENDED, cut, fit

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
likely = st.text(
    st.sampled_from("abcdefgh ÁÉÍÓÚÑÜáéíóúñü¿¡?!.,:'’“”–—…€[]{}~^|\\\u00a0\u200b\u0301😀中ß"), max_size=400
)


def test_the_alphabet_is_whole():
    """128 places, one of which is the escape; ten more behind it."""
    assert len(BASIC) == len(set(BASIC)) == 127
    assert len(EXTENDED) == len(set(EXTENDED)) == 10
    assert not set(BASIC) & set(EXTENDED)


@pytest.mark.parametrize(
    ("text", "segments", "seven_bits"),
    [
        ("", 1, True),
        ("a" * 160, 1, True),
        ("a" * 161, 2, True),
        ("a" * 306, 2, True),
        ("a" * 307, 3, True),
        ("€" * 80, 1, True),
        ("€" * 81, 2, True),
        # 152 septets, and an escape pair that can't be torn: the first segment stays one short.
        ("a" * 152 + "€" + "a" * 152, 3, True),
        ("á" * 70, 1, False),
        ("á" * 71, 2, False),
        ("á" * 134, 2, False),
        ("á" * 135, 3, False),
        ("😀" * 35, 1, False),
        ("😀" * 36, 2, False),
        ("á" * 66 + "😀" + "á" * 66, 3, False),
    ],
)
def test_segments(text, segments, seven_bits):
    assert (cut(text).segments, cut(text).gsm) == (segments, seven_bits)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("¿Cómo está? – " + "x" * 80, "¿Como esta? - " + "x" * 80),
        ("Ñandú, él, pingüino, à " + "x" * 80, "Ñandu, él, pingüino, à " + "x" * 80),
        ("“We’re closed”… " + "x" * 80, '"We\'re closed"... ' + "x" * 80),
        ("8:00\u202fAM " + "x" * 80, "8:00 AM " + "x" * 80),
        ("garçon " + "x" * 80, "garcon " + "x" * 80),
        ("e\u0301ste " + "x" * 80, "éste " + "x" * 80),
        # It costs one segment either way: as it was written.
        ("¿Cómo está?", "¿Cómo está?"),
        # One letter that has no likeness costs the same with all others replaced.
        ("Ł中 “x” " + "x" * 80, "Ł中 “x” " + "x" * 80),
    ],
)
def test_it_gets_plainer_only_where_that_saves_a_segment(written, sent):
    assert fit(written).text == sent


@given(anything | likely)
def test_fitting_never_costs_more_and_never_changes_for_nothing(text):
    as_written, fitted = cut(text), fit(text)
    assert fitted.segments <= as_written.segments
    assert (fitted.text == text) == (fitted.segments == as_written.segments) or cut(
        fitted.text
    ).segments < as_written.segments
    assert fitted == cut(fitted.text)
    assert fit(fitted.text) == fitted


@given(likely)
def test_letters_stay_the_letters_they_are(text):
    """What a reader sees without accents and typographic marks is the same before and after."""

    def letters(said: str) -> str:
        bare = unicodedata.normalize("NFKD", said)
        return "".join(one for one in bare if one.isalpha()).casefold()

    assert letters(fit(text).text) == letters(text)


@given(anything)
def test_a_segment_is_never_overfilled(text):
    """Cut by hand, one segment after the other, it takes exactly as many."""
    found = cut(text)
    if not found.gsm:
        widths = [len(one.encode("utf-16-le")) // 2 for one in text]
        one, each = gsm.UCS_ONE, gsm.UCS_EACH
    else:
        widths = [2 if letter in EXTENDED else 1 for letter in text]
        one, each = gsm.GSM_ONE, gsm.GSM_EACH
    if sum(widths) <= one:
        assert found.segments == 1
        return
    pieces = 0
    while widths:
        taken = 0
        while widths and taken + widths[0] <= each:
            taken += widths.pop(0)
        pieces += 1
    assert found.segments == pieces
