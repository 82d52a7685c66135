"""For the demonstration: nothing leaves, every message is kept to be looked at."""

from collections.abc import Callable

from tracker.channels.message import End, Message, Outcome


class Outbox:
    """Hands each message, whole as it would have gone out, to `keep`; as a text or as an e-mail."""

    seconds = 5.0

    def __init__(self, keep: Callable[[Message, str], None], *, texts: bool = False) -> None:
        self._keep = keep
        self._texts = texts

    def send(self, message: Message) -> Outcome:
        """Keep it."""
        if not self._texts:
            self._keep(message, message.as_bytes().decode("ascii"))
            return Outcome(End.ACCEPTED, "outbox")
        text = message.as_text()
        self._keep(message, f"From: {message.sender}\nTo: {message.recipient}\n\n{text.text}\n")
        return Outcome(End.ACCEPTED, "outbox", segments=text.segments)
