"""What a patient's text means. A word or a short phrase is understood as it stands; all else is for a person to read.

Nothing is guessed: a phrase counts only if the text says nothing beside it but words of courtesy.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Said(StrEnum):
    """What a text asks for."""

    STOP = "stop"  # no more texts
    START = "start"  # texts again
    HELP = "help"
    CONFIRM = "confirm"  # I will come
    OTHER_TIME = "other_time"
    CANT_COME = "cant_come"
    UNCLEAR = "unclear"  # a person reads it


@dataclass(frozen=True, slots=True)
class Read:
    """How a text was understood.

    `whole`: it says nothing else. `alarming`: it has a word of danger in it, so whoever reads it reads it at once.
    """

    said: Said
    whole: bool = True
    alarming: bool = False


_LONGEST = 2000  # characters that are looked at; a text of ten parts has 1,530

_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´′"))

# Said beside a keyword, they change nothing.
_COURTESY = frozenset(
    {
        *("please", "pls", "plz", "thanks", "thank", "you", "thx", "kindly", "now", "hi", "hello", "i", "im"),
        *("me", "my", "am", "the", "by", "por", "favor", "gracias", "hola", "ya", "yo", "mi"),
    }
)
# Said beside a word that stops messages, they only say which.
_WHICH = frozenset(
    {
        *("texting", "texts", "text", "messages", "message", "messaging", "msgs", "msg", "sms", "sending", "this"),
        *("that", "these", "those", "your", "from", "all", "to", "number", "list", "phone", "mensajes", "mensaje"),
        *("textos", "numero", "telefono", "lista", "los", "las", "la", "de", "del", "estos", "sus", "enviar"),
        *("enviarme", "mandar", "mandarme", "enviando", "mandando", "todo", "todos"),
    }
)

# Sources: 47 CFR 64.1200(a)(10) names STOP, QUIT, END, REVOKE, OPT OUT, CANCEL and UNSUBSCRIBE as revoking consent by
# themselves; STOPALL and OPTOUT are what carriers honour too. So "CANCEL" stops messages, and never cancels a visit.
_PHRASES: Mapping[Said, tuple[str, ...]] = MappingProxyType(
    {
        Said.STOP: (
            *("stop", "stop all", "quit", "end", "revoke", "opt out", "opt me out", "cancel", "unsubscribe", "remove"),
            *("no more", "dont text", "do not text", "dont message", "do not message", "dont send", "do not send"),
            *("stop it", "alto", "parar", "pare", "paren", "para", "baja", "dar de baja", "darme de baja", "basta"),
            *("cancelar", "cancele", "cancela", "detener", "detenga", "salir", "fin", "terminar", "desuscribir"),
            *("no mas", "no escriban", "no escriban mas", "no envien", "no envien mas", "no manden", "no manden mas"),
            *("dejen de escribirme", "deje de escribirme", "suspender", "revocar"),
        ),
        Said.START: ("start", "unstop", "alta", "resume", "subscribe", "empezar", "reanudar", "comenzar"),
        Said.HELP: ("help", "info", "ayuda", "informacion"),
        Said.CONFIRM: (
            *("c", "c1", "y", "yes", "yep", "yeah", "confirm", "confirmed", "yes confirm", "yes confirmed", "ok"),
            *("okay", "yes ok", "yes i will come", "i will come", "ill come", "ill be there", "i will be there"),
            *("si", "confirmo", "confirmado", "confirmada", "confirmar", "si confirmo", "si voy", "voy"),
            *("ahi estare", "alli estare", "si ire"),
        ),
        Said.OTHER_TIME: (
            *("r", "r1", "reschedule", "another time", "other time", "a different time", "different time"),
            *("another day", "other day", "different day", "change time", "change day", "need another time"),
            *("i need another time", "i need another day", "need another day", "new time", "i need to reschedule"),
            *("otra hora", "otro dia", "otra fecha", "otro horario", "cambiar hora", "cambiar dia", "cambiar fecha"),
            *("cambiar", "cambio", "reprogramar", "necesito otra hora", "necesito otro dia", "quiero otra hora"),
        ),
        Said.CANT_COME: (
            *("cant come", "cannot come", "can not come", "i wont come", "i will not come", "wont come", "not coming"),
            *("i cant make it", "cannot make it", "can not make it", "wont make it", "cant make it"),
            *(
                "no voy",
                "no puedo",
                "no puedo ir",
                "no puedo venir",
                "no voy a ir",
                "no ire",
                "no podre",
                "no podre ir",
            ),
        ),
    }
)

# At the head of a text they can mean nothing else, whatever follows; a person reads what follows.
_UNMISTAKABLE = frozenset({"stop", "stopall", "unsubscribe", "optout", "desuscribir"})

# Our inference, wide on purpose: read too soon is better than read too late. Compared without blanks.
_ALARMING = tuple(
    phrase.replace(" ", "")
    for phrase in (
        *("suicid", "kill myself", "killing myself", "end my life", "take my life", "want to die", "wanna die"),
        *("hurt myself", "harm myself", "hurting myself", "self harm", "end it all", "better off dead", "overdose"),
        *("dont want to live", "chest pain", "cant breathe", "cannot breathe", "emergency", "passed out"),
        *("matarme", "quitarme la vida", "quiero morir", "no quiero vivir", "hacerme dano", "lastimarme"),
        *("sobredosis", "dolor de pecho", "dolor en el pecho", "no puedo respirar", "emergencia", "desmay"),
    )
)


def read(text: str) -> Read:
    """Return what a text means. Case, accents, marks, quotes and pictures don't matter; nothing is an error."""
    words = _words(text)
    alarming = any(phrase in "".join(words) for phrase in _ALARMING)
    said = _MEANING.get(_core(words))
    if said is None and _MEANING.get(_core(words, _COURTESY | _WHICH)) is Said.STOP:
        said = Said.STOP
    if said is not None:
        return Read(said, alarming=alarming)
    if words and (words[0] in _UNMISTAKABLE or words[:2] == ["opt", "out"]):
        return Read(Said.STOP, whole=False, alarming=alarming)
    return Read(Said.UNCLEAR, whole=False, alarming=alarming)


def _words(text: str) -> list[str]:
    # Marks first: a letter in a circle is a picture, and would come apart into a letter.
    bare = "".join(
        " " if unicodedata.category(one)[0] in "SP" else one for one in text[:_LONGEST].translate(_APOSTROPHES)
    )
    plain = unicodedata.normalize("NFKD", bare).casefold()
    kept = (letter for letter in plain if unicodedata.category(letter) not in ("Mn", "Cf"))
    return "".join(letter if letter.isalnum() else " " for letter in kept).split()


def _core(words: list[str], without: frozenset[str] = _COURTESY) -> str:
    """Return what is left, in one piece: "OPT-OUT", "opt out" and "O P T O U T" are the same."""
    return "".join(word for word in words if word not in without)


_MEANING: Mapping[str, Said] = MappingProxyType(
    {_core(_words(phrase)): said for said, phrases in _PHRASES.items() for phrase in phrases}
)
