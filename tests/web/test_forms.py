"""From what a browser sends to a command, and back."""

from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from tracker.errors import Invalid, Refused
from tracker.rules.fields import Amount, Command, Day, Line, Tick
from tracker.rules.vocabulary import Indication
from tracker.web.forms import blank, go_to, parse
from tracker.web.incoming import BoundedRequest


class Ask(Command):
    name: Line
    day: Day | None = None
    weight: Amount | None = None
    for_what: frozenset[Indication] = frozenset()
    tick: Tick = False


def test_a_right_form_is_a_command():
    form = parse(
        Ask, MultiDict([("name", " Ada "), ("day", ""), ("for_what", "trd"), ("for_what", "gad"), ("tick", "yes")])
    )

    assert form.errors == {}
    assert form.command == Ask(name="Ada", for_what=frozenset({Indication.TRD, Indication.GAD}), tick=True)


def test_a_wrong_form_keeps_what_was_typed_and_has_no_command():
    form = parse(Ask, MultiDict([("name", "Ada"), ("day", "soon"), ("for_what", "cold"), ("weight", "7O")]))

    assert set(form.errors) == {"day", "for_what", "weight"}
    assert form.values == {"name": "Ada", "day": "soon", "for_what": ["cold"], "weight": "7O"}
    with pytest.raises(RuntimeError):
        _ = form.command


def test_a_doubled_field_is_refused_even_when_both_are_right():
    form = parse(Ask, MultiDict([("name", "Ada"), ("name", "Ada")]))

    assert form.errors == {"name": "This came twice. Send the form again."}


def test_a_field_that_nobody_asked_for_is_refused():
    assert set(parse(Ask, MultiDict([("name", "Ada"), ("role", "admin")])).errors) == {"role"}


def test_the_forms_own_number_is_no_field_but_must_be_one():
    key = ("request_key", "00000000-0000-0000-0000-00000000000a")
    assert parse(Ask, MultiDict([("name", "Ada"), key])).errors == {}
    assert set(parse(Ask, MultiDict([("name", "Ada"), ("request_key", "7")])).errors) == {""}
    assert set(parse(Ask, MultiDict([("name", "Ada"), key, key])).errors) == {""}


def test_a_refusal_stands_beside_its_field():
    form = parse(Ask, MultiDict([("name", "Ada")]))

    refused = form.refused(Refused("Sage is taken.", field="day", helps=("Juniper is free.",)))
    assert (refused.errors, refused.helps) == ({"day": "Sage is taken."}, ("Juniper is free.",))
    assert refused.values == form.values
    assert form.refused(Invalid({"name": "Too odd."})).errors == {"name": "Too odd."}


def test_a_form_to_fill_in_is_spelled_as_its_fields_take_it():
    form = blank(
        name="Ada", day=date(2026, 3, 6), weight=Decimal("72.500"), for_what={Indication.TRD}, tick=True, none=None
    )

    assert form.values == {"name": "Ada", "day": "2026-03-06", "weight": "72.5", "for_what": ["trd"], "tick": "yes"}
    assert form.has("for_what", Indication.TRD)
    assert not form.has("for_what", Indication.GAD)
    assert (form.value("day"), form.value("absent", "-")) == ("2026-03-06", "-")


def received(body: bytes, content_type="application/x-www-form-urlencoded"):
    app = Flask("bare")
    app.request_class = BoundedRequest
    app.config.update(MAX_FORM_PARTS=400, MAX_CONTENT_LENGTH=256 * 1024)
    app.add_url_rule("/", "echo", lambda: dict(__import__("flask").request.form), methods=["POST"])
    return app.test_client().post("/", data=body, content_type=content_type)


@pytest.mark.parametrize("body", [b"name=A\xffda", b"name=A%FFda"])
def test_damaged_text_arrives_marked_and_is_refused(body):
    typed = received(body).json
    assert typed == {"name": "A\ufffdda"}
    assert parse(Ask, MultiDict(typed)).errors["name"].startswith("Some characters were lost")


def test_more_fields_than_any_page_has_are_too_many():
    assert received(b"&".join(b"f%d=" % n for n in range(400))).status_code == 200
    assert received(b"&".join(b"f%d=" % n for n in range(401))).status_code == 413
    assert received(b"a=" + b"x" * 256 * 1024).status_code == 413
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    assert received(part * 401 + b"--b--\r\n", "multipart/form-data; boundary=b").status_code == 413


def test_htmx_is_sent_on_by_its_own_header():
    app = Flask("bare")
    with app.test_request_context("/"):
        assert (go_to("/x").status_code, go_to("/x").location) == (303, "/x")
    with app.test_request_context("/", headers={"HX-Request": "true"}):
        assert (go_to("/x").status_code, go_to("/x").headers["HX-Redirect"]) == (200, "/x")
