"""Every route × who asks × whose it is, as the reviewed table `routes.txt` says.

A row is missing, or an answer differs: the test writes what it found to `build/routes.txt`. Read the difference; when
it is right, copy it over.
"""

import re
from pathlib import Path
from uuid import UUID

import pytest
from werkzeug.exceptions import HTTPException

from tests.web.sweep import Stage, addresses, digest, routes, stage
from tracker.rules.permissions import Permission, allows

TABLE = Path(__file__).with_name("routes.txt")
FOUND = Path("build/routes.txt")
FLOOR = 1300  # answers; raise it as routes come
WHO = ("anonymous", "coordinator", "nurse", "physician", "admin", "auditor", "disabled", "elsewhere", "guest")
TURNED_AWAY = {401, 403}

__all__ = ["stage"]


@pytest.mark.slow
def test_every_route_answers_as_the_table_says(stage, request, caplog):
    table = Sweep(stage).run()
    FOUND.parent.mkdir(exist_ok=True)
    FOUND.write_text("\n".join(table.lines) + "\n")

    print(f"\n{request.node.callspec.id}: {table.routes} routes, {table.asked} answers")
    print("\n".join(table.faults))
    assert not table.faults
    assert table.asked >= FLOOR, "the sweep has shrunk"
    assert not re.search("Ada|Lovelace|example.org|Lithium", caplog.text), "the log names somebody"
    assert table.lines == TABLE.read_text().splitlines(), f"compare {TABLE} and {FOUND}"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)  # the same templates, whatever is below
def test_no_page_links_to_what_is_not_there_or_is_not_for_its_reader(stage):
    app, dead, followed = stage.app, {}, 0
    adapter = app.url_map.bind("127.0.0.1")
    own = stage.world.own
    for reader in (own.coordinator, own.nurse, own.physician, own.admin, stage.world.auditor):
        client = stage.browser(reader)
        for method, rule in routes(app):
            if method != "GET" or not reader.may(app.view_functions[rule.endpoint].access.permission):
                continue
            for page in addresses(stage, rule, own.clinic.id):
                for link in set(re.findall(r'<a [^>]*href="(/[^"#?]*)', client.get(page).text)):
                    followed += 1
                    try:
                        asked = app.view_functions[adapter.match(link)[0]].access.permission
                    except HTTPException:
                        dead[link] = f"{page} links to {link}, which is not there"
                    else:
                        if not reader.may(asked):
                            dead[link, reader.role] = f"{page} sends the {reader.role} to {link}, which needs {asked}"

    print(f"\n{followed} links")
    print("\n".join(dead.values()))
    assert not dead
    assert followed >= 2000, "the sweep has shrunk"


class Sweep:
    """Asks everything and writes the table."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.asked, self.routes, self.faults = stage, 0, 0, []
        self.before = digest()
        own = stage.world.own
        self.actors = {
            "anonymous": None,
            **{name: getattr(own, name) for name in ("coordinator", "nurse", "physician", "admin")},
            "auditor": stage.world.auditor,
            "disabled": stage.world.disabled,
            "elsewhere": stage.world.other.physician,
            "guest": None,
        }
        self.lines = []

    def run(self) -> "Sweep":
        self.lines.append(f"{'':58} {' '.join(f'{name:<11}' for name in WHO)}".rstrip())
        for method, rule in routes(self.stage.app):
            self.routes += 1
            cells = " ".join(f"{self._cell(method, rule, who):<11}" for who in WHO)
            self.lines.append(f"{method:<6} {rule.rule:<51} {cells}".rstrip())
        return self

    def _cell(self, method, rule, who) -> str:
        """Return the answers for one's own, (a patient only: somebody else's,) another clinic's and a missing row."""
        world = self.stage.world
        own, other, nothing = (
            addresses(self.stage, rule, clinic)[0] for clinic in (world.own.clinic.id, world.other.clinic.id, None)
        )
        asked = [own]
        if who == "guest" and rule.arguments > {"link_id"}:
            mine = str(world.chosen[world.own.clinic.id]["visit_id"])
            others = (world.not_mine, world.chosen[world.other.clinic.id]["visit_id"], UUID(int=7))
            asked += [own.replace(mine, str(visit)) for visit in others]
        elif rule.arguments:
            asked += [other, nothing] if any(name.endswith("_id") for name in rule.arguments) else [nothing]
        answers = [self._ask(method, rule, who, address) for address in asked]
        if len(asked) > 2 and who != "elsewhere" and len(set(answers[1:])) > 1:
            self.faults.append(f"{who} can tell another's from nothing: {method} {rule.rule}")
        return "/".join(str(status) for status, _text in answers)

    def _ask(self, method, rule, who, address) -> tuple[int, str]:
        client = self.stage.guest() if who == "guest" else self.stage.browser(self.actors[who])
        answer = client.open(address, method=method)
        self.asked += 1
        changed = digest() != self.before
        self._judge(f"{who} {method} {address}: {answer.status_code}", answer, changed, method, rule, who)
        if changed or (method != "GET" and answer.status_code < 400):
            self.stage.reset()
        return answer.status_code, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", answer.text)

    def _judge(self, said, answer, changed, method, rule, who) -> None:
        asked = self.stage.app.view_functions[rule.endpoint].access.permission
        actor = self.actors[who]
        may = allows(actor.role if actor and who != "disabled" else None, asked)
        away = answer.status_code in TURNED_AWAY or (answer.location or "").startswith("/sign-in?")
        if asked is Permission.PATIENT_LINK:
            may, away = may or who == "guest", answer.status_code == 404 and who != "guest"
        if may == away:
            self.faults.append(f"not what {asked} says: {said}")
        if answer.status_code >= 500:
            self.faults.append(f"fell over: {said}")
        if changed and (answer.status_code >= 400 or away or method == "GET"):
            self.faults.append(f"refused, or only looked, and yet changed something: {said}")
