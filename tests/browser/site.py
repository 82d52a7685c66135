"""The application on a real port, with people in it, and every page it has."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.conftest import upgrade
from tests.web.conftest import KEY
from tests.web.sweep import _rows as rows_named
from tracker import clock, db, demo
from tracker.app import create_app
from tracker.config import Config
from tracker.models import (
    Clinic,
    ContactPoint,
    Job,
    Patient,
    PatientLink,
    ProtocolVersion,
    Resource,
    UserAccount,
    Visit,
    WeeklyClosure,
)
from tracker.rules.permissions import Actor, Permission
from tracker.rules.vocabulary import JobStatus, VisitStatus
from tracker.services import accounts, links, portal
from tracker.web.access import portal_cookie

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"preload": False, "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SIZES = {"1280x800": (1280, 800), "390x844": (390, 844)}
SCHEMES = ("light", "dark")
DAY = date(2026, 11, 24)
# Pages that are about another row than the patient in the middle of her infusion.
ABOUT = {"moves.show": {"visit_id": "coming"}, "moves.missing": {"visit_id": "missed"}}
# Nothing that Chromium does by itself may leave this machine.
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # as root there is no other way
]
# A file to save and what a page asks for by itself are no pages.
NO_PAGES = {"static", "today.refresh", "portal.calendar", "portal.welcome", "accounts.start"}


def chromium() -> str | None:
    """Return the machine's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium."""
    return playwright.chromium.launch(executable_path=chromium(), args=FLAGS)


class _Quiet(WSGIRequestHandler):
    def log(self, *_said: Any) -> None:
        """Say nothing of each request."""


@dataclass(frozen=True)
class Look:
    """A page to look at: what the picture is called, where it is, and who looks."""

    name: str
    path: str
    who: str


@dataclass
class Site:
    """A running application. `people` are actors by role; `ids` what stands in addresses."""

    address: str
    app: Any
    people: dict[str, Actor]
    ids: dict[str, Any]
    now: datetime
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def set_clock(self) -> None:
        """Make it the moment that the pictures are of."""
        clock.shift(timedelta())
        clock.shift(self.now - clock.now())

    def later(self, minutes: int) -> None:
        """Let time pass."""
        now = clock.now() + timedelta(minutes=minutes)
        clock.shift(timedelta())
        clock.shift(now - clock.now())

    def pages(self) -> list[Look]:
        """Return every page there is, one of each kind, seen by the first role that may."""
        found = [Look("portal.welcome", f"/v/{self.ids['token']}", "nobody")]
        for rule in sorted(self.app.url_map.iter_rules(), key=lambda rule: rule.endpoint):
            asked = self.app.view_functions[rule.endpoint].access
            if "GET" in rule.methods and not asked.background and rule.endpoint not in NO_PAGES:
                found.append(Look(rule.endpoint, self._address(rule), self._who(asked.permission, rule.endpoint)))
        return found + self._more()

    def _more(self) -> list[Look]:
        """Return the pages that look otherwise in another state or to somebody else."""
        visits = {name: f"/visits/{visit_id}" for name, visit_id in self.ids["visits"].items()}
        tabs = ("check_in", "set_up", "infusion", "recovery", "note")
        booking = f"/patients/{self.ids['newcomer']}/courses/new?protocol_id={self.ids['protocol_id']}"
        return [
            *(Look(f"bedside.{tab}", f"{visits['infusing']}?phase={tab}", "nurse") for tab in tabs),
            *(Look(f"bedside.{status}", path, "nurse") for status, path in visits.items()),
            Look("bedside.physician", visits["booked"], "physician"),
            Look("notes.physician", f"{visits['discharged']}/note", "physician"),
            Look("notes.call", f"{visits['discharged']}/check-in", "nurse"),
            Look("worklist.all", "/to-do?show=all", "physician"),
            Look("today.physician", "/", "physician"),
            Look("today.closed", "/day/2026-11-26", "coordinator"),
            Look("courses.options", f"{booking}&indication=trd&first_day=2026-11-25&preferred_time=", "coordinator"),
            Look("courses.nothing", f"{booking}&first_day=2026-11-25&weekdays=0&must=weekdays&room_id=", "coordinator"),
            Look("shifts.options", f"/courses/{self.ids['course_id']}/shift?first=6", "coordinator"),
            Look("patients.newcomer", f"/patients/{self.ids['newcomer']}", "coordinator"),
            Look("messages.sent", "/messages?show=sent", "coordinator"),
            Look("portal.spanish", f"/my/{self.ids['link_id']}/?language=es", "patient"),
        ]

    def link_of(self, family_name: str) -> str:
        """Return the token of the link that a patient was sent."""
        with db.read() as session:
            link = session.scalars(
                select(PatientLink)
                .join(Patient, Patient.id == PatientLink.patient_id)
                .where(Patient.family_name == family_name)
            ).one()
        return links.make_token(KEY.encode(), link.id, link.generation)

    def _who(self, permission: Permission, endpoint: str) -> str:
        if permission is Permission.PATIENT_LINK:
            return "patient"
        if endpoint == "accounts.sign_in":
            return "nobody"
        if endpoint.startswith(("bedside.", "notes.")):
            return "nurse"
        return next((role for role, actor in self.people.items() if actor.may(permission)), "nobody")

    def _address(self, rule: Any) -> str:
        missing = [name for name in rule.arguments if name not in self.ids]
        more = rows_named(missing, self.people["coordinator"].clinic_id)[0] if missing else {}
        known = {**more, **self.ids}
        known |= {name: self.ids[other] for name, other in ABOUT.get(rule.endpoint, {}).items()}
        parts = {name: known[name] for name in rule.arguments}
        with self.app.test_request_context():
            return str(rule.build(parts, append_unknown=False)[1])

    def open(self, browser: Browser, who: str, **options: Any) -> BrowserContext:
        """Open a browser window for somebody, signed in; the patient comes by the link."""
        context = browser.new_context(base_url=self.address, **options)
        cookie = self._cookie(who)
        if cookie:
            context.add_cookies([cookie])
        return context

    def _cookie(self, who: str) -> Any:
        if who not in self.cookies and who != "nobody":
            self.cookies[who] = self._link_cookie() if who == "patient" else self._session_cookie(self.people[who])
        found = self.cookies.get(who)
        # Older Playwright takes an address or a path, not both.
        return found and {"domain": "127.0.0.1", **found}

    def _session_cookie(self, actor: Actor) -> dict[str, str]:
        with db.transaction() as session:
            account = session.get_one(UserAccount, actor.user_id)
            token = accounts.open_session(session, account, "127.0.0.1", now=clock.now())
        return {"name": "tracker", "value": token, "path": "/"}

    def _link_cookie(self) -> dict[str, str]:
        with db.transaction() as session:
            link_id, secret = portal.enter(session, KEY.encode(), self.ids["token"], now=clock.now())
        with self.app.test_request_context(base_url=self.address):
            return {"name": portal_cookie()[0], "value": secret, "path": f"/my/{link_id}/"}


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Run the application on a free port of this machine, with the people of the demonstration."""
    url = f"sqlite:///{folder / 'browser.db'}"
    upgrade(url)
    db.configure(url)
    made = demo.make(DAY, key=KEY.encode(), base_url="http://127.0.0.1")
    with db.transaction() as session:
        _more_rows(session)
    with db.read() as session:
        people, ids = _people(session), _ids(session, DAY)
    app = create_app(Config(secret_key=KEY, demo=True))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    running = Site(f"http://127.0.0.1:{server.server_port}", app, people, ids, made.at)
    running.set_clock()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join(timeout=10)
        clock.shift(timedelta())


def _more_rows(session: Session) -> None:
    """Add what the story lacks and a page is about: a weekly closure, a search that found no place."""
    clinic_id = session.scalars(select(Clinic.id)).one()
    room = session.scalars(select(Resource.id).where(Resource.name == "Mesa")).one()
    hours = {"weekday": 2, "starts_minute": 480, "ends_minute": 600, "first_day": date(2027, 6, 2)}
    session.add(WeeklyClosure(clinic_id=clinic_id, resource_id=room, reason="Maintenance", **hours))
    found = {"changes": [], "unplaced": [], "left": [], "least_unplaced": 0, "least_touched": 0}
    times = {"created_at": clock.now(), "ended_at": clock.now()}
    job = Job(clinic_id=clinic_id, kind="repair", args={"kept": []}, status=JobStatus.DONE, done=3, total=3, **times)
    job.result = found
    session.add(job)


def _people(session: Session) -> dict[str, Actor]:
    """Return somebody of each role; a page is looked at by the first of them who may."""
    found = session.scalars(select(UserAccount).order_by(UserAccount.email)).all()
    return {
        role: next(Actor(one.clinic_id, one.id, one.role, one.name) for one in found if one.role == role)
        for role in ("coordinator", "nurse", "physician", "admin", "auditor")
        if any(one.role == role for one in found)
    }


def _ids(session: Session, day: date) -> dict[str, Any]:
    """Return what stands in addresses: the patient of the day's fourth visit, who is being infused, and her link."""
    visit = session.scalars(select(Visit).where(Visit.status == VisitStatus.INFUSING)).one()
    coming = session.scalars(
        select(Visit).where(Visit.course_id == visit.course_id, Visit.status == VisitStatus.BOOKED)
    ).first()
    start = datetime.combine(day, time(6), UTC)
    today = select(Visit.status, Visit.id).where(Visit.starts_at > start, Visit.starts_at < start + timedelta(days=1))
    link = session.scalars(select(PatientLink).where(PatientLink.course_id == visit.course_id)).one()
    token = links.make_token(KEY.encode(), link.id, link.generation)
    point = session.scalars(select(ContactPoint.id).where(ContactPoint.patient_id == visit.patient_id)).first()
    return {
        "patient_id": visit.patient_id,
        "course_id": visit.course_id,
        "visit_id": visit.id,
        "link_id": link.id,
        "token": token,
        "stop_token": links.unsubscribe_address("", KEY.encode(), point).removeprefix(links.STOP_PATH),
        "day": day.isoformat(),
        "coming": coming.id if coming else visit.id,
        "visits": dict(session.execute(today.order_by(Visit.starts_at.desc())).all()),
        "missed": session.scalars(select(Visit.id).where(Visit.status == VisitStatus.NO_SHOW)).first(),
        "newcomer": session.scalars(select(Patient.id).where(Patient.family_name == "Chen")).one(),
        "protocol_id": session.scalars(select(ProtocolVersion.id).where(ProtocolVersion.code == "B")).one(),
    }


def visits(
    running: Site, browser: Browser, size: str, scheme: str, wanted: Sequence[str] = ("",)
) -> Iterator[tuple[Look, Page, list[str]]]:
    """Open every page in turn whose name has a wanted word; yield it with whatever it complains of.

    That is the policy, errors, failed requests, a status other than 200.
    """
    width, height = SIZES[size]
    contexts: dict[str, BrowserContext] = {}
    for visit in running.pages():
        if not any(word in visit.name for word in wanted):
            continue
        running.set_clock()
        if visit.who not in contexts:
            look = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "reduced_motion": "reduce"}
            contexts[visit.who] = running.open(browser, visit.who, **look)
        page = contexts[visit.who].new_page()
        complaints = watch(page)
        answer = page.goto(visit.path, wait_until="load")
        page.evaluate("document.fonts.ready")
        if answer is None or answer.status != 200:
            complaints.append(f"answered {answer and answer.status}")
        yield visit, page, complaints
        page.close()
    for context in contexts.values():
        context.close()


def findings(page: Page) -> list[str]:
    """Return what axe finds on a page, and whether it is wider than the window."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(rules)", RULES)
    said = [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        said.append("wider than the window")
    return said


def _failed(address: str, why: str | None) -> list[str]:
    # A page that is left while it reads an answer (a redirect of htmx: the headers say enough) gives the rest up.
    return [] if why == "net::ERR_ABORTED" else [f"failed: {address} ({why})"]


def watch(page: Page) -> list[str]:
    """Return a list that fills with what the page complains of."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.extend(_failed(request.url, request.failure)))
    return complaints
