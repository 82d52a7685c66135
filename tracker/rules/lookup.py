"""Finding a person by whatever is at hand: part of a name in any order, a telephone number, a birth date."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from difflib import SequenceMatcher

# Letters that Unicode does not take apart into a plain letter and a mark.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
_APOSTROPHES = re.compile("['’‘ʼ`´]")
_NOT_WORD = re.compile(r"[\W_]+")
_US_DAY = re.compile(r"\b([0-9]{1,2})[/.]([0-9]{1,2})[/.]([0-9]{4})\b")
_ISO_DAY = re.compile(r"\b([0-9]{4})-([0-9]{2})-([0-9]{2})\b")
_INSIDE_NUMBER = re.compile(r"(?<=[0-9])[ ().+-]+(?=[0-9])")
MOST_TERMS = 6
# Fewer digits than these are in every other telephone number.
FEWEST_DIGITS = 3
ALIKE = 0.75  # Catherine and Katharine are 0.78, Smith and Smyth 0.80, Ana and Ina 0.67


def fold(said: str) -> str:
    """Return the words of `said` in plain small letters: "O’Neill, Zoë" is "oneill zoe"."""
    apart = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", said).casefold())
    letters = "".join(letter for letter in apart if not unicodedata.combining(letter)).translate(_PLAIN)
    return _NOT_WORD.sub(" ", letters).strip()


def search_text(names: Iterable[str], chart_number: str, birth_date: date, phones: Iterable[str]) -> str:
    """Return what a patient is found by. Family name first, so that its order is the list's order."""
    names = list(names)
    apart = (fold(_APOSTROPHES.sub(" ", name)) for name in names if _APOSTROPHES.search(name))  # O’Neill is Neill, too
    numbers = (re.sub(r"[^0-9]", "", phone) for phone in phones)
    words = [*map(fold, names), *apart, fold(chart_number), f"{birth_date:%Y%m%d}", *numbers]
    return " ".join(["", *filter(None, words)])


def terms(said: str) -> list[str]:
    """Return the patterns (SQL LIKE) that a patient's search text must all match; none: everybody matches.

    A word may be the beginning of a name; digits may stand anywhere in a number. Only letters and digits are left of
    what was typed, so nothing in it can act as a pattern.
    """
    said = _US_DAY.sub(lambda day: f" {day[3]}{day[1]:0>2}{day[2]:0>2} ", said)
    said = _ISO_DAY.sub(r" \1\2\3 ", said)
    words = fold(_INSIDE_NUMBER.sub("", said)).split()[:MOST_TERMS]
    return [f"%{word}%" if word.isdigit() and len(word) >= FEWEST_DIGITS else f"% {word}%" for word in words]


def similar_names(first: Iterable[str], second: Iterable[str]) -> bool:
    """Return whether two people's names could be one person's: a common name, or two spelled nearly alike."""
    ours, theirs = (set(" ".join(map(fold, names)).split()) for names in (first, second))
    return any(SequenceMatcher(None, one, other).ratio() >= ALIKE for one in ours for other in theirs)
