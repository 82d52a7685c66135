"""Today until the minute at which the demonstration begins: who is where, and what needs somebody."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from tracker.demo.bedside import Ward, after, whole_visit
from tracker.demo.days import at
from tracker.demo.history import Series, answer, done, phq9_answers, review, ward, weight_of
from tracker.demo.house import House
from tracker.models import Dose, Visit
from tracker.rules.permissions import Actor
from tracker.rules.vocabulary import Role, Severity, VisitStatus
from tracker.services import outcomes

_S = VisitStatus


def tell(session: Session, house: House, series: Sequence[Series]) -> None:
    """Let the morning have happened, up to 11:42."""
    today = {one.run.family: (one, visit) for one in series for visit in one.visits if _is_today(house, visit)}
    for one, visit in today.values():
        if len(one.run.scores) >= visit.ordinal:
            when = min(after(visit.starts_at, -12), at(house.today, "9:40"))
            answer(session, house, one, visit.ordinal, one.run.scores[visit.ordinal - 1], when)
    session.flush()
    _okafor(session, house, *today["Okafor"])
    _haddad(ward(session, house, today["Haddad"][1]), today["Haddad"][0])
    _schmidt(ward(session, house, today["Schmidt"][1]), today["Schmidt"][0])
    _tran(ward(session, house, today["Tran"][1]), today["Tran"][0])
    ward(session, house, today["Ibrahim"][1]).reach(_S.ARRIVED, at(house.today, "11:04"))
    _bianchi(session, house, *today["Bianchi"])
    for family in ("Schmidt", "Novak"):
        today[family][1].driver_confirmed_at = None
    session.flush()


def _is_today(house: House, visit: Visit) -> bool:
    return at(house.today, "0:00") <= visit.starts_at <= at(house.today, "23:59")


def _okafor(session: Session, house: House, one: Series, visit: Visit) -> None:
    """Done at 10:24; her note waits for a signature, her review for the physician."""
    kg = weight_of(one.run)
    whole_visit(ward(session, house, visit), one.order.id, kg, mg=Decimal(kg) / 2, peak=146)
    session.add(review(house, one, visit, 3))


def _begin(here: Ward, one: Series, clocks: Mapping[str, str]) -> datetime:
    """Write down a visit up to its start; return when that was."""
    day, kg = here.house.today, weight_of(one.run)
    started = at(day, clocks["started"])
    here.reach(_S.ARRIVED, at(day, clocks["arrived"]))
    here.reach(_S.TIME_OUT, at(day, clocks["checked"]))
    here.check(after(started, -12))
    here.measure_before(after(started, -10))
    here.draw_up(one.order.id, kg, after(started, -8), mg=Decimal(kg) / 2, minutes=40)
    here.reach(_S.INFUSING, started)
    return started


def _over(here: Ward, started: datetime) -> datetime:
    """Write down that the infusion ran to its end."""
    ended = after(started, 40)
    here.reach(_S.RECOVERING, ended)
    dose = here.session.get_one(Dose, here.visit.id)
    dose.given_mg = dose.mg
    return ended


def _haddad(here: Ward, one: Series) -> None:
    """Severe nausea since 9:40, ondansetron given; recovery is 57 minutes over at 11:42."""
    started = _begin(here, one, {"arrived": "8:24", "checked": "8:41", "started": "9:05"})
    sick = at(here.house.today, "9:40")
    here.effect("nausea", Severity.SEVERE, sick, medicine="Ondansetron 4 mg IV at 9:42")
    here.session.flush()
    _over(here, started)
    here.measure_until(started, at(here.house.today, "11:41"), 139)
    seen = "Seen in Juniper. Ondansetron, fluids; may stay until it is over."
    key = f"severe_effect:{here.visit.id}"
    here.session.add(done(here.house, one, "severe_effect", key, Role.PHYSICIAN, sick, here.visit, outcome=seen))


def _schmidt(here: Ward, one: Series) -> None:
    """Peak 168/98 at the end of the infusion; ready at 11:31, and the driver is silent."""
    high = Ward(here.session, here.house, here.visit, here.nurse, here.second, (138, 84, 74))
    started = _begin(high, one, {"arrived": "9:08", "checked": "9:29", "started": "9:50"})
    high.session.flush()
    ended = _over(high, started)
    high.measure_until(started, at(here.house.today, "11:31"), 166, but=(40,))
    high.measure("40", ended, (168, 98), 88, 95)
    high.reach(_S.READY, at(here.house.today, "11:31"))


def _tran(here: Ward, one: Series) -> None:
    """Started at 11:18; the set of minute 20 is four minutes over at 11:42."""
    started = _begin(here, one, {"arrived": "10:39", "checked": "10:56", "started": "11:18"})
    here.measure_until(started, at(here.house.today, "11:37"), 148)
    here.effect("dissociation", Severity.MILD, at(here.house.today, "11:30"))


def _bianchi(session: Session, house: House, one: Series, visit: Visit) -> None:
    """Answered by her link at 11:29; her answer to the last item rose from 1 to 2."""
    patient = Actor(house.clinic_id, None, None, "Sara Bianchi")
    answers = tuple(phq9_answers(20, 2))
    answered = outcomes.Answered(one.course.id, "phq9", answers, visit.id)
    outcomes.record_score(session, patient, answered, now=at(house.today, "11:29"))
