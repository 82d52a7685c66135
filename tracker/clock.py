"""The only reader of system time. Edges call `now()` once and pass it down."""

from datetime import UTC, datetime, timedelta

_offset = timedelta()


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC) + _offset


def shift(offset: timedelta) -> None:
    """Let the clock run `offset` ahead of the system's (behind, if negative). The demonstration alone does this."""
    global _offset
    _offset = offset
