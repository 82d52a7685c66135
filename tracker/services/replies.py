"""What is answered to a patient's text: one segment each, in her language, no name, nothing of the treatment."""

from collections.abc import Callable

from tracker.models import Clinic, Visit
from tracker.rules import gsm
from tracker.text import gettext as _
from tracker.text import say_instant, say_phone, speaking


def expected(clinic: Clinic, language: str, visit: Visit) -> str:
    """Thank for a "yes"."""
    return _of_visit(clinic, language, visit, lambda when: _("Thank you. We expect you on %(when)s.", when=when))


def wished(clinic: Clinic, language: str, visit: Visit) -> str:
    """Say what becomes of the wish for another time."""

    def words(when: str) -> str:
        return _("We will call you and find another time. Until then %(when)s stays booked for you.", when=when)

    return _of_visit(clinic, language, visit, words)


def missed(clinic: Clinic, language: str, visit: Visit) -> str:
    """Say what becomes of a visit that the patient can't come to."""

    def words(when: str) -> str:
        return _("Thank you for telling us. We will call you about %(when)s. It isn't cancelled yet.", when=when)

    return _of_visit(clinic, language, visit, words)


def help_words(clinic: Clinic, language: str = "en") -> str:
    """Say who writes, and how to reach us."""

    def words(phone: str) -> str:
        return _("Call %(phone)s. In danger? Call 911 or 988. STOP ends these texts.", phone=phone)

    return gsm.fit(f"{clinic.discreet_name}: {_to_call(clinic, language, words)}").text


def read_later(clinic: Clinic, language: str) -> str:
    """Say when a text is read that nobody understood yet."""

    def words(phone: str) -> str:
        return _("We read your text in opening hours. Urgent? Call %(phone)s. In danger? 911 or 988.", phone=phone)

    return _to_call(clinic, language, words)


def in_danger(clinic: Clinic, language: str) -> str:
    """Answer a text with a word of danger in it."""

    def words(phone: str) -> str:
        return _("If you are in danger call 911, or call or text 988, now. Call us, too: %(phone)s.", phone=phone)

    return _to_call(clinic, language, words)


def _of_visit(clinic: Clinic, language: str, visit: Visit, words: Callable[[str], str]) -> str:
    with speaking(language):
        return gsm.fit(words(say_instant(visit.starts_at, clinic.zone, clinic.country))).text


def _to_call(clinic: Clinic, language: str, words: Callable[[str], str]) -> str:
    with speaking(language):
        return gsm.fit(words(say_phone(clinic.phone, clinic.country))).text
