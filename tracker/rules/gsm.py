"""How a text message is cut and paid: by segments, of an alphabet that has ñ and é but no á.

Source:
    3GPP TS 23.038 §6.2.1 (GSM 7 bit default alphabet and its extension table), TS 23.040 §9.2.3.24.1 (concatenation: a
    header of six octets leaves 153 septets, or 67 UCS-2 characters, of each segment).
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"  # each is an escape and another character, and may not be torn apart
GSM_ONE, GSM_EACH = 160, 153  # septets in a message of one segment, and in each of several
UCS_ONE, UCS_EACH = 70, 67  # the same in units of 16 bits
# What reads the same to a patient. Letters with an accent that the alphabet lacks lose it by `_plainer`.
_SAME = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "´": "'", "`": "'",
        "“": '"', "”": '"', "„": '"', "″": '"', "«": '"', "»": '"',
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
        "…": "...", "•": "*", "·": ".", "×": "x",
        "\t": " ", "\u00a0": " ", "\u2007": " ", "\u2009": " ", "\u202f": " ",
        "\u200b": "", "\u200e": "", "\u200f": "", "\ufeff": "", "\u00ad": "",
    }
)  # fmt: skip
_WIDTH = {**dict.fromkeys(BASIC, 1), **dict.fromkeys(EXTENDED, 2)}


@dataclass(frozen=True, slots=True)
class Cut:
    """A text as it leaves, and what it is cut into."""

    text: str
    segments: int
    gsm: bool  # in the alphabet of seven bits; else in UCS-2, less than half as much a segment


def cut(text: str) -> Cut:
    """Return what `text` is cut into as it stands. An empty one is one segment."""
    if all(letter in _WIDTH for letter in text):
        return Cut(text, _segments((_WIDTH[letter] for letter in text), GSM_ONE, GSM_EACH), gsm=True)
    return Cut(text, _segments((2 if ord(letter) > 0xFFFF else 1 for letter in text), UCS_ONE, UCS_EACH), gsm=False)


def fit(text: str) -> Cut:
    """Return `text` in as few segments as it can be said in.

    Quotes, dashes, spaces and accents that the seven-bit alphabet lacks are replaced by their plainer likes, but only
    if that saves a segment: "Adiós, Zoë" is sent as it is written where that costs no more.
    """
    as_written, plainer = cut(text), cut(_plainer(text))
    return plainer if plainer.segments < as_written.segments else as_written


def _segments(widths: Iterable[int], one: int, each: int) -> int:
    """Count segments; what is two wide goes whole into the next one."""
    total, full, filled = 0, 1, 0
    for width in widths:
        total += width
        if filled + width > each:
            full, filled = full + 1, 0
        filled += width
    return 1 if total <= one else full


def _plainer(text: str) -> str:
    # Composed first: an e and an accent that follows it are the é that the alphabet has.
    return "".join(map(_plain, unicodedata.normalize("NFC", text).translate(_SAME)))


def _plain(letter: str) -> str:
    if letter in _WIDTH:
        return letter
    stripped = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    return stripped if stripped and all(part in _WIDTH for part in stripped) else letter
