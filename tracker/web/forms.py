"""From a typed form to a command and back to the page, and the two ways to answer: `page` and `see_other`."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin
from uuid import UUID

from flask import Response, flash, g, make_response, render_template, request, url_for
from jinja2_fragments.flask import render_block
from pydantic import ValidationError
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from tracker.db import transaction
from tracker.errors import Invalid, Refused, Stale
from tracker.rules.fields import Command, explain
from tracker.services import requests
from tracker.text import gettext as _

KEY = "request_key"
C = TypeVar("C", bound=Command)


class Form(Generic[C]):
    """A form as it was typed, with its command if it is right and its faults if it isn't.

    `values` maps each field to what was typed (a list where the field may be repeated), `errors` each faulty field to
    what would be right; under "" stands what is about the form as a whole.
    """

    def __init__(self, values: Mapping[str, str | list[str]], errors: Mapping[str, str] | None = None) -> None:
        self.values = dict(values)
        self.errors = dict(errors or {})
        self.helps: tuple[str, ...] = ()
        self.key: UUID | None = None
        self._command: C | None = None

    @property
    def command(self) -> C:
        """The command. Asking a faulty form for it is a caller's bug."""
        if self._command is None:
            raise RuntimeError(f"a form with faults has no command: {self.errors}")
        return self._command

    @property
    def has_command(self) -> bool:
        """Whether it could be read, whatever else is wrong."""
        return self._command is not None

    def value(self, name: str, default: str = "") -> str:
        """Return what was typed into a single field."""
        typed = self.values.get(name, default)
        return typed if isinstance(typed, str) else next(iter(typed), default)

    def has(self, name: str, value: object) -> bool:
        """Return whether `value` is chosen in the field `name` (an option, a box, one of several)."""
        typed = self.values.get(name, "")
        return spell(value) in ([typed] if isinstance(typed, str) else typed)

    def refused(self, error: Refused | Invalid) -> "Form[C]":
        """Return this form with the reason beside its field, and what would help."""
        again: Form[C] = Form(self.values, self.errors)
        if isinstance(error, Invalid):
            again.errors.update(error.fields)
        else:
            again.errors[error.field], again.helps = error.message, error.helps
        return again


def blank(**values: object) -> Form[Any]:
    """Return a form to fill in, with these values already in it."""
    return Form({name: _spelled(value) for name, value in values.items() if value is not None})


def _spelled(value: object) -> str | list[str]:
    return [spell(one) for one in value] if isinstance(value, (list, tuple, set, frozenset)) else spell(value)


def spell(value: object) -> str:
    """Return `value` as a field takes it: `2026-03-06`, `09:30`, `72.5`. An instant is spelled by its page, which knows
    the zone."""
    match value:
        case bool():
            return "yes" if value else ""
        case time():
            return value.strftime("%H:%M")
        case date():
            return value.isoformat()
        case Decimal():
            digits = f"{value:f}"
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        case _:
            return str(value)


def parse(command: type[C], source: MultiDict[str, str], **context: Any) -> Form[C]:
    """Read `command` from a sent form. `context` is what its types need: `today`, `zone`, `country`.

    A blank field counts as not sent, so that an optional one takes its default.
    """
    many = {name for name, field in command.model_fields.items() if _is_many(field.annotation)}
    typed = {name: source.getlist(name) for name in source if name != KEY}
    form: Form[C] = Form({name: texts if name in many else texts[0] for name, texts in typed.items()})
    keys = source.getlist(KEY)
    filled = {name: [text for text in texts if text.strip()] for name, texts in typed.items()}
    asked = {name: texts if name in many else texts[0] for name, texts in filled.items() if texts}
    doubled = {name for name, texts in typed.items() if name not in many and len(texts) > 1}
    try:
        form._command = command.model_validate_json(json.dumps(asked), context=context)
    except ValidationError as faults:
        form.errors = {str(fault["loc"][0]) if fault["loc"] else "": explain(fault) for fault in faults.errors()}
    form.errors |= dict.fromkeys(doubled, _("This came twice. Send the form again."))
    if keys:
        form.key = _key(keys[0])
        if form.key is None or len(keys) > 1:
            form.errors[""] = _("This form was damaged on the way. Open the page again.")
    return form


def _is_many(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_many(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(_is_many(part) for part in get_args(annotation))
    return origin in (list, tuple, set, frozenset)


def _key(text: str) -> UUID | None:
    try:
        key = UUID(text)
    except ValueError:
        return None
    return key if str(key) == text else None


def once(session: Session, form: Form[Any], do: Callable[[], str]) -> str:
    """Do it and return the address it leads to; a form sent again leads there too, and does nothing.

    Raises:
        Refused: The same form was sent before with other values.
    """
    if form.key is None:
        return do()
    # A password has no place in a fast digest that is kept: whoever reads the table could guess it there.
    kept = {name: text for name, text in form.values.items() if name != "password"}
    sent = json.dumps([request.path, kept], sort_keys=True)
    digest = hashlib.sha256(sent.encode()).hexdigest()
    return requests.once(session, g.actor.user_id or g.guest.link_id, form.key, digest, do, now=g.now)


def attempt(
    form: Form[C],
    do: Callable[[Session, C], str],
    again: Callable[[Form[C], int], Response],
    *,
    done: str = "",
    beside: str = "",
) -> Response:
    """Do, once and in one transaction, what a form asks for, and go to the address that `do` returns.

    Args:
        again: Shows the form with what is wrong: 422, or 409 where somebody else was faster. Nothing was changed then.
        done: What the next page says.
        beside: The one field that a refusal is about, whatever a rule calls it.
    """
    if form.errors:
        return again(form, 422)
    try:
        with transaction() as session:
            address = once(session, form, lambda: do(session, form.command))
    except (Refused, Invalid) as refusal:  # rolled back already, so safe to render
        if beside and isinstance(refusal, Refused):
            refusal.field = beside
        return again(form.refused(refusal), 422)
    except Stale as stale:
        return again(form.refused(Refused(str(stale))), 409)
    if done:
        flash(done)
    return go_to(address)


def wants_part() -> bool:
    """Return whether htmx asks for a part of the page."""
    return request.headers.get("HX-Request-Type") == "partial"


def page(template: str, *, block: str | None = None, status: int = 200, **context: Any) -> Response:
    """Render the page, or only its `block` where htmx asks for a part."""
    part = block is not None and wants_part()
    text = render_block(template, str(block), **context) if part else render_template(template, **context)
    response = make_response(text, status)
    response.vary.add("HX-Request-Type")
    return response


def see_other(endpoint: str, **values: Any) -> Response:
    """Send the browser to a page of ours after something was done."""
    return go_to(url_for(endpoint, **values))


def go_to(address: str) -> Response:
    """Send the browser to an address of ours: 303, or `HX-Redirect` where htmx asked."""
    if request.headers.get("HX-Request") == "true":
        return Response(status=200, headers={"HX-Redirect": address})
    return Response(status=303, headers={"Location": address})
