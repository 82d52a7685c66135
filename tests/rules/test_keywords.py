"""A text is understood as it stands or read by a person: stopping is never missed, and never taken for an answer."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.rules.keywords import _MEANING, _PHRASES, Said, _core, _words, read

BY_THE_RULE = ("STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE", "STOPALL", "OPTOUT")
IN_SPANISH = ("ALTO", "PARAR", "PARE", "BAJA", "CANCELAR", "SALIR", "DETENER", "FIN", "BASTA", "TERMINAR")


@pytest.mark.parametrize("text", BY_THE_RULE + IN_SPANISH)
@pytest.mark.parametrize("dress", ["{}", "  {}!!\n", '"{}"', "«{}».", "{} 🙏", "Please {}", "{}, gracias", "{}\u200b"])
def test_a_word_that_stops_stops_in_any_dress(text, dress):
    for worn in (text, text.lower(), text.title()):
        assert read(dress.format(worn)).said is Said.STOP


@pytest.mark.parametrize(
    "text",
    [
        *("Stop texting me", "please stop sending these messages", "stop all texts", "Don't text me", "no more texts"),
        *("S.T.O.P", "opt-out", "ＳＴＯＰ", "𝐒𝐓𝐎𝐏", "End all messages", "No me manden más mensajes", "no más textos"),
        *("Dejen de escribirme por favor", "Dar de baja", "unsubscribe me please", "CANCEL!"),
    ],
)
def test_stopping_in_other_words(text):
    assert read(text).said is Said.STOP
    assert read(text).whole


def test_whoever_begins_with_stop_is_heard_and_read_by_a_person_too():
    assert read("STOP. I never was your patient") == read("stop i never was your patient")
    assert read("STOP. I never was your patient").said is Said.STOP
    assert not read("STOP. I never was your patient").whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(
            (text, Said.CONFIRM)
            for text in ("C", "c1", "C 1", "Yes", "YES!", "sí", "Sí, gracias", "si voy", "Confirm.")
        ),
        *(
            (text, Said.CONFIRM)
            for text in ("I'll be there", "I’ll be there 👍", "yes please", "Confirmo", "ok thanks")
        ),
        *((text, Said.OTHER_TIME) for text in ("R", "r1", "Otra hora", "otro día por favor", "I need another time")),
        *((text, Said.CANT_COME) for text in ("I can't come", "cant come", "I can’t make it", "No voy", "no puedo ir")),
        *((text, Said.START) for text in ("START", "unstop", "Alta", "start please")),
        *((text, Said.HELP) for text in ("HELP", "ayuda", "info", "¿Ayuda?")),
    ],
)
def test_what_is_understood(text, said):
    assert read(text).said is said


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "   ",
            "👍",
            "no",
            "No thank you",
            "yes but later",
            "Can I come at 10 instead?",
            "what time?",
            "cancel my visit",
        ),
        *("end of the week?", "Please cancel my appointment", "para mi hermana", "don't", "I can't wait", "1", "text"),
        *(
            "Wrong number",
            "can I start on Monday",
            "the bus stop is closed",
            "Is it ok to eat",
            "please",
            "all messages",
        ),
    ],
)
def test_anything_else_is_for_a_person(text):
    """Cancelling a visit in a sentence is neither a word that stops messages nor an answer."""
    assert read(text).said is Said.UNCLEAR
    assert not read(text).whole


@pytest.mark.parametrize(
    "text",
    ["I want to kill myself", "Quiero morir", "stop, I can't breathe", "me voy a hacer daño, quiero hacerme daño"],
)
def test_danger_is_seen_whatever_else_a_text_says(text):
    assert read(text).alarming
    assert not read("See you tomorrow").alarming


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_is_an_error(text):
    read(text)


STOPPING = st.sampled_from([*BY_THE_RULE, *IN_SPANISH])
ROUND = st.text(st.characters(categories=["P", "Z", "So", "Cf", "Sc"]), max_size=5)


@settings(deadline=None)
@given(ROUND, STOPPING, ROUND, st.sampled_from([str, str.lower, str.title, str.swapcase]))
def test_marks_blanks_and_pictures_around_a_word_that_stops_never_make_it_an_answer(before, word, after, case):
    assert read(before + case(word) + after).said is Said.STOP


@given(st.sampled_from(["stop", "stopall", "unsubscribe", "opt out"]), st.text(max_size=60))
def test_a_text_that_begins_with_stop_is_never_an_answer(word, more):
    assert read(f"{word} {more}").said is Said.STOP


@given(st.sampled_from(sorted(_MEANING)), st.sampled_from(["NFC", "NFD", "NFKC"]))
def test_however_accents_are_written(core, form):
    assert read(unicodedata.normalize(form, core)).said is _MEANING[core]


def test_no_phrase_has_two_meanings_and_none_is_only_courtesy():
    cores = [(_core(_words(phrase)), said) for said, phrases in _PHRASES.items() for phrase in phrases]
    assert {said for core, said in cores if not core} == set()
    assert all(_MEANING[core] is said for core, said in cores)
