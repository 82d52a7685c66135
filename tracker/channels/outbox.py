"""For the demonstration: nothing leaves, every message is kept to be looked at."""

from collections.abc import Callable

from tracker.channels.message import End, Message, Outcome


class Outbox:
    """Hands each message, whole as it would have gone out, to `keep`."""

    seconds = 5.0

    def __init__(self, keep: Callable[[Message, str], None]) -> None:
        self._keep = keep

    def send(self, message: Message) -> Outcome:
        """Keep it."""
        self._keep(message, message.as_email().as_string())
        return Outcome(End.ACCEPTED, "outbox")
