"""Every form of every page × everything that is not an answer: refused beside its field, what was typed kept, nothing
changed."""

import itertools
import re
from collections import defaultdict
from urllib.parse import quote, quote_plus, urlencode

import pytest
from werkzeug.exceptions import HTTPException

from tests.web.sweep import Field, PageForm, Stage, addresses, counterparts, digest, forms, routes, stage
from tracker import db
from tracker.rules.permissions import Permission

__all__ = ["stage"]

FLOOR = {"sqlite": 2900, "postgresql": 900}  # cases; raise it as forms come
GUEST = "guest"
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# What only a script or a provider sends; their own tests send it wrong.
BY_SCRIPT = {("dragging.place", "post"), ("hooks.answer", "post"), ("hooks.receipt", "post")}
LONG = 20  # fields of a form that asks the same line by line; one of each kind stands for those like it
# Of what nobody types, what only asks for a page, and what may stand among words, so many more in turn.
PLAIN, MORE = {"missing", "malformed", "nul"}, 2

TEXTS = {"text", "search", "textarea", "password", "email", "tel"}
CHOICES = {"select", "radio", "button", "hidden", "checkbox"}
BAD_BYTES = "a\udcffb"  # a raw byte that is no UTF-8

# What no field of any kind takes.
ALWAYS = {"huge": "x" * 60_000, "nul": "a\0b", "bad utf-8": BAD_BYTES}
# What is no answer either, unless any words may stand there.
UNLESS_TEXT = {
    "malformed": "no such answer",
    "nan": "NaN",
    "underscore": "1_000",
    "arabic digits": "\u0661\u0662",
    "year 1": "0001-01-01",
    "year 9999": "9999-12-31",
    "year 9999 with time": "9999-12-31T09:00",
    "clock change gap": "2026-03-08T02:30",
}
PLAUSIBLE = {
    "date": "2026-03-02",
    "time": "09:30",
    "datetime-local": "2026-03-02T09:30",
    "number": "1",
    "email": "a@b.org",
}


@pytest.mark.slow
def test_what_is_no_answer_is_refused_beside_its_field_and_changes_nothing(stage, request):
    sweep = Sweep(stage).run()

    counted = (
        f"{sweep.forms} forms, {sweep.fields} fields, {sweep.cases} cases, {sweep.borrowed} with another clinic's id"
    )
    print(f"\n{request.node.callspec.id}: {counted}")
    print("\n".join(dict.fromkeys(sweep.faults)))
    assert not sweep.faults
    assert sweep.borrowed >= 3, "no page names a row any more"
    assert sweep.cases >= FLOOR[request.node.callspec.id], "the sweep has shrunk"


class Sweep:
    """Opens every page, finds its forms, and sends each wrong in every way."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.faults = stage, []
        self.forms = self.fields = self.cases = self.borrowed = 0
        self.others = counterparts(stage)

    def run(self) -> "Sweep":
        for actor, form in self._found().values():
            self.forms += 1
            self.actor, self.client = actor, self._browser(actor)
            before = digest()
            wrongs = defaultdict(dict)  # what to type into which field, by what is wrong with it
            for field in unlike(form):
                self.fields += 1
                for name, typed in self._wrong(form, field).items():
                    wrongs[name][field.name] = typed
            for name, typed in wrongs.items():
                self.cases += len(typed)
                self._send(form, name, typed)
            if digest() != before:
                self.faults.append(f"{form.method} {form.action}: something was changed")
        return self

    def _found(self) -> dict:
        """Return each form once, by where it goes and what it asks, with somebody who sees it."""
        self.found = {}
        own = self.stage.world.own
        for actor in (own.physician, own.coordinator, own.nurse, own.admin, None, GUEST):
            client = self._browser(actor)
            for method, rule in routes(self.stage.app):
                if method == "GET" and rule.endpoint != "static":
                    for address in addresses(self.stage, rule, own.clinic.id):
                        self._read(client, actor, address)
        posted = {(endpoint, method) for endpoint, method, _fields in self.found if method == "post"}
        every = {(rule.endpoint, "post") for method, rule in routes(self.stage.app) if method == "POST"} - BY_SCRIPT
        self.faults += [f"no page has the form for {endpoint}" for endpoint, _method in sorted(every - posted)]
        return self.found

    def _read(self, client, actor, address: str, *, follow: bool = True) -> None:
        """Keep the forms of a page; a form that only asks for another page is followed one step."""
        adapter = self.stage.app.url_map.bind("127.0.0.1")
        for form in forms(address, client.get(address).text):
            path = form.action.partition("?")[0]
            try:
                target = adapter.match(path, method=form.method.upper())[0]
            except HTTPException:
                self.faults.append(f"a form on {address} leads nowhere: {form.method} {path}")
                continue
            known = self.found.setdefault((target, form.method, tuple(sorted(form.fields))), (actor, form))
            if form.method == "get" and follow and known[1] is form:
                asked = urlencode({each.name: each.value or plausible(each) for each in form.fields.values()})
                self._read(client, actor, f"{path}?{asked}", follow=False)

    def _wrong(self, form: PageForm, field: Field) -> dict:
        """Return what to send in this field, by the name of what is wrong with it."""
        some = wrong(field)
        # What the types refuse they refuse before any database; only what might slip by them is tried on both.
        if db.engine().dialect.name != "sqlite":
            some = {name: some[name] for name in some.keys() & {"nul", "huge", "year 9999"}}
        for name in self._left_out(form, field, some):
            del some[name]
        theirs = re.sub(ID, lambda mine: self.others.get(mine[0], mine[0]), field.value)
        if theirs == field.value:
            return some
        self.borrowed += 1
        return {**some, "another clinic's": theirs}

    def _left_out(self, form: PageForm, field: Field, some: dict) -> list[str]:
        """Return what the next such field is sent instead of this one."""
        if field.kind == "hidden" or form.method == "get":
            rare = [name for name in some if name not in PLAIN]
        else:
            rare = [name for name in some if name in UNLESS_TEXT and name not in PLAIN and field.kind in TEXTS]
        turn = [(self.fields * MORE + n) % len(rare) for n in range(MORE)] if rare else []
        return [name for n, name in enumerate(rare) if n not in turn]

    def _browser(self, actor):
        return self.stage.guest() if actor == GUEST else self.stage.browser(actor)

    def _send(self, form: PageForm, name: str, typed: dict) -> None:
        """Send all that is wrong in this way in one form, and what that didn't settle field by field.

        A field whose own message came back is settled: it would be refused alone, too. So are words that were taken.
        """
        alone = {each: one for each, one in typed.items() if name == "missing" or form.fields[each].kind == "hidden"}
        left = {each: one for each, one in typed.items() if each not in alone}
        while len(left) > 1:
            asked, left = left, self._unsettled(form, name, left)
            if len(left) == len(asked):
                break
        for each, one in {**alone, **left}.items():
            answer, field = self._answer(form, name, {each: one}), form.fields[each]
            if form.method == "post" and must_refuse(field, name) and answer.status_code < 500:
                said = f"post {form.action} {each} ({field.kind}) {name}: {answer.status_code}"
                self.faults += [
                    f"{said}: {fault}" for fault in faults(answer, forms(form.action, answer.text), field, one)
                ]

    def _unsettled(self, form: PageForm, name: str, typed: dict) -> dict:
        """Send it all at once; return what has to be asked alone."""
        answer, fields = self._answer(form, name, typed), form.fields
        if form.method == "post" and answer.status_code < 400:
            return {each: one for each, one in typed.items() if must_refuse(fields[each], name)}
        if answer.status_code != 422:
            return typed
        shown = forms(form.action, answer.text)
        return {each: one for each, one in typed.items() if faults(answer, shown, fields[each], one)}

    def _answer(self, form: PageForm, name: str, typed: dict):
        """Send a form that is filled but for what is typed into some of its fields."""
        filled = {each.name: each.value or plausible(each) for each in form.fields.values()}
        pairs = [(each, value) for each, value in filled.items() if each not in typed]
        for each, value in typed.items():
            pairs += [(each, one) for one in (value if isinstance(value, list) else [value]) if one is not None]
        body = "&".join(f"{quote_plus(each)}={spelled(value)}" for each, value in pairs)
        if form.method == "get":
            answer = self.client.get(f"{form.action.partition('?')[0]}?{body[:4000]}")
        else:
            answer = self.client.post(form.action, data=body, content_type="application/x-www-form-urlencoded")
        if answer.status_code >= 500:
            self.faults.append(f"{form.method} {form.action} {', '.join(typed)} {name}: {answer.status_code}")
        if form.method == "post" and answer.status_code < 400:
            self.stage.reset()
            self.client = self._browser(self.actor)
        return answer


def unlike(form: PageForm) -> list[Field]:
    """Return the fields of a form; of a long one, whose lines ask the same of one thing after the other, each once."""
    fields = list(form.fields.values())
    if len(fields) <= LONG:
        return fields
    return list({(one.kind, one.name.rpartition("_")[2]): one for one in fields}.values())


def wrong(field: Field) -> dict:
    """Return what to send in this field, by the name of what is wrong with it."""
    value = field.value or plausible(field)
    return {
        "missing": None,
        "doubled": [value, value],
        **ALWAYS,
        **UNLESS_TEXT,
        "clock change overlap": "2026-11-01T01:30",
    }


def must_refuse(field: Field, name: str) -> bool:
    """Return whether this can't be an answer. A field may be optional, words may be anything, an overlap has a rule."""
    if name == "missing" or (name == "clock change overlap" and field.kind == "datetime-local"):
        return False
    if name == "doubled":
        return not (field.kind == "checkbox" and len(field.options) > 1)
    return name in {*ALWAYS, "another clinic's"} or field.kind not in TEXTS


def faults(answer, shown: list[PageForm], field: Field, typed) -> list[str]:
    """Return what an answer to a wrong form, which shows these forms, lacks."""
    if not 400 <= answer.status_code < 500:
        return ["taken"]
    if answer.status_code == 404 and re.search(ID, str(typed)):
        return []  # another clinic's row looks exactly like none
    if answer.status_code == 409:
        return ["called stale"]
    found = []
    if field.kind == "hidden":
        if 'role="alert"' not in answer.text:
            found.append("no message")
        return found
    if f'id="{field.name}-error"' not in answer.text:
        found.append("no message beside the field")
    if field.kind in TEXTS - {"password"} | {"number", "date", "time", "datetime-local"} and not isinstance(
        typed, list
    ):
        kept = next((each.fields[field.name].value for each in shown if field.name in each.fields), None)
        if kept is None or kept.strip() != typed.replace("\udcff", "\ufffd"):
            found.append("what was typed is gone")
    return found


def plausible(field: Field) -> str:
    """Return something that a person could have put in."""
    if field.options:
        return field.options[0] or field.options[-1]
    return PLAUSIBLE.get(field.kind, "Ada" if field.kind in TEXTS else "")


def spelled(value: str) -> str:
    """Return `value` for a body; the marked byte goes out raw."""
    return quote(value, safe="", errors="surrogateescape")


BODIES = {
    "nothing": ("", b""),
    "json": ("application/json", b'{"name": {"$gt": ""}, "amount": NaN}'),
    "broken json": ("application/json", b"{" * 5_000),
    "text": ("text/plain", b"\x00\xff" * 500),
    "half a multipart": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx',
    ),
    "a file for a field": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="name"; filename="../../etc/passwd"\r\n\r\n\xff\x00\r\n--b--\r\n',
    ),
    "no boundary": ("multipart/form-data", b"--b\r\n"),
    "odd letters": ("application/x-www-form-urlencoded; charset=utf-16", b"\xff\xfe\x00="),
    "names of no field": (
        "application/x-www-form-urlencoded",
        b"__class__=1&role=admin&id=7&clinic_id=7&a[b]=1&=1&%00=1",
    ),
}


@pytest.mark.slow
def test_a_body_that_is_no_form_of_ours_falls_over_nothing(stage):
    """Who may send there sends each; who may not is turned away at one door for all, with one of them in turn."""
    asked, before, turns = 0, digest(), itertools.cycle(BODIES.items())
    for method, rule in routes(stage.app):
        if method == "GET":
            continue
        address = addresses(stage, rule, stage.world.own.clinic.id)[0]
        by_patient = stage.app.view_functions[rule.endpoint].access.permission is Permission.PATIENT_LINK
        for guest in (True, False):
            for name, (kind, body) in BODIES.items() if guest == by_patient else [next(turns)]:
                client = stage.guest() if guest else stage.browser(stage.world.own.physician)
                answer = client.open(address, method=method, data=body, content_type=kind)
                asked += 1
                assert answer.status_code < 500, f"{address} {name}"
                if answer.status_code < 400:
                    stage.reset()
                else:
                    assert digest() == before, f"{address} {name}"
    print(f"\n{asked} bodies")
    assert asked >= 600, "the sweep has shrunk"
