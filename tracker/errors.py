"""What can go wrong, as types that carry data. The web layer turns each into one status and one page."""

from collections.abc import Mapping


class TrackerError(Exception):
    """Base of every error that a person is meant to read."""

    status = 500


class Invalid(TrackerError):
    """What was entered can't be used. `fields` maps a field's name to what would be right."""

    status = 422

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in fields.items()))
        self.fields = dict(fields)


class Refused(TrackerError):
    """A rule stands against it. `field` is where to show the message; `helps` lists what would make it possible."""

    status = 422

    def __init__(self, message: str, *, field: str = "", helps: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.helps = helps


class Stale(TrackerError):
    """Somebody else saved the row since this form was opened. Nothing was changed."""

    status = 409


class NotFound(TrackerError):
    """No such thing in this clinic. Another clinic's row looks exactly the same."""

    status = 404


class Busy(TrackerError):
    """The database can't answer just now. Nothing was changed; trying again later is right."""

    status = 503
