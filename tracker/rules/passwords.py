"""Which passwords are too easy to guess.

Source: NIST SP 800-63B-4, 3.1.1.2: 15 characters where a password stands alone, long ones allowed, nothing cut off,
what everybody uses refused, no rules about kinds of characters.
"""

import re
from collections.abc import Iterable

from tracker.rules.fields import SECRET
from tracker.text import gettext as _

SHORTEST, LONGEST = 15, SECRET  # characters; the upper bound only bounds the work

# What long passwords of the breached lists are made of. What is left after taking these out must carry the secret.
_WORDS = frozenset(
    """
    password passwort contrasena changeme changeit default welcome letmein iloveyou trustno1 superman batman dragon
    monkey sunshine princess football baseball basketball master shadow michael jordan charlie computer internet
    administrator administrador admin root login access secret private hello correct horse battery staple qwerty
    qwertz azerty asdf zxcv hospital medical medicine doctor nurse physician clinic ketamine infusion patient tracker
    course health healing spring summer autumn winter january february march april may june july august september
    october november december monday tuesday wednesday thursday friday saturday sunday please this that with your the
    is my
    """.split()  # noqa: SIM905 - a list of 80 lines reads worse
)
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
)
_LEET = str.maketrans("@4831!0$57", "aaeeiiosst")
_SECRET = 8  # characters that must be left


def password_fault(password: str, about: Iterable[str] = ()) -> str | None:
    """Return what would make `password` acceptable, or None if it is.

    Args:
        password: As typed; never trimmed or cut.
        about: What anybody knows: the person's name and e-mail address, the clinic's name.
    """
    if len(password) < SHORTEST:
        return _("Use at least %(least)s characters; four or five words in a row are easy to remember.", least=SHORTEST)
    if len(password) > LONGEST:
        return _("Use at most %(most)s characters.", most=LONGEST)
    if min(_surprise(password.casefold(), about), _surprise(password.casefold().translate(_LEET), about)) < _SECRET:
        return _("This is one of the first that would be guessed. Use four or five words that have nothing in common.")
    return None


def _surprise(password: str, about: Iterable[str]) -> int:
    """Count what is left of a password without known words, runs and repetitions."""
    known = {part for text in about for part in re.findall(r"\w{3,}", text.casefold())}
    left = password
    for word in sorted({*_WORDS, *known}, key=len, reverse=True):
        left = left.replace(word, " ")
    for run in _RUNS:
        left = _without_run(_without_run(left, run), run[::-1])
    left = re.sub(r"(.+?)\1+", r"\1", left)
    digits = len(re.findall(r"\d", left))  # mostly a year or a date, so they count half
    return len(re.sub(r"[\W_]", "", left)) - digits // 2


def _without_run(text: str, run: str) -> str:
    """Take out every piece of `run` that is four characters or longer."""
    for size in range(len(run), 3, -1):
        for start in range(len(run) - size + 1):
            text = text.replace(run[start : start + size], " ")
    return text
