"""Finds the visits of a course: six (or what remains of them) that fit one another, the patient and the clinic.

A service builds the input from a handful of SELECTs over a range of days, scoped to the clinic:

    free = free_time(
        zone, first_day, last_day,
        resources=[Resource(room.id, ROOM, room.name), Resource(nurse.id, NURSE, name, lanes=2),
                   Resource(dr.id, PHYSICIAN, name, lanes=dr.lanes), Resource(patient.id, PATIENT, "")],
        opening=select(OpeningHours.weekday, .starts_minute, .ends_minute),          # .tuples()
        shifts=select(Shift.resource_id, .weekday, .starts_minute, .ends_minute),
        closures=select(Closure.resource_id, .starts_at, .ends_at),
        claims=select(Claim.resource_id, .lane, .starts_at, .ends_at),  # leave out those of the visit to be moved
    )
    wishes = Wishes(earliest=first_day, preferred_time=time(9))
    request = PlanRequest(protocol, free, patient.id, wishes, not_before=now)
    for option in plan(request):            # [] if nothing fits
        for visit in option.visits:         # ordinal, starts_at, ends_at, room_id, nurse_id, physician_id
            visit.claims                    # every (resource_id, lane, starts_at, ends_at) to insert, nothing more
        option.reasons                      # Reason(why, text, cost, ordinal): texts for the coordinator
    wish_prices(request, best)              # WishPrice(wish, text, wishes): what would be better without a wish
    for change in relaxations(request):     # Relaxation(rule, text, in_the_way, wishes, by_patient): what would fit
        plan(replace(request, wishes=change.wishes))
    scarcity(request)                       # where no single change helps: what the clinic has too little of
    place_series(request, [(visit.starts_at, visit.room_id), …])      # a plan again, if it is still free
    place(request, 3, starts_at, room_id=room.id, before=…, after=…)  # one visit exactly there, or Refused says why
    alternatives(request, 3, instead_of=…, room_id=…, physician_id=…, before=…, after=…)  # other places, ranked
    free_places(protocol, free, day, not_before=now)                  # where the board offers "free"

The room, nurse, physician and patient of a visit are all in its claims; a nurse has a second claim, on `STARTS_LANE`,
which keeps two of her infusions from starting within fifteen minutes.

The search is exact for the costs of `costs.py`; see `series`.
"""

from tracker.rules.candidates import Candidates
from tracker.rules.explain import scarcity, why_so
from tracker.rules.plan import (
    Alternative,
    FreePlace,
    Plan,
    PlannedClaim,
    PlannedVisit,
    PlanRequest,
    Reason,
    Relaxation,
    Rule,
    Why,
    Wish,
    Wishes,
    WishPrice,
)
from tracker.rules.prices import wish_prices
from tracker.rules.relax import relaxations
from tracker.rules.series import Series, SeriesSearch
from tracker.rules.single import alternatives, free_places, place, place_series

__all__ = [
    "Alternative",
    "FreePlace",
    "Plan",
    "PlanRequest",
    "PlannedClaim",
    "PlannedVisit",
    "Reason",
    "Relaxation",
    "Rule",
    "Why",
    "Wish",
    "WishPrice",
    "Wishes",
    "alternatives",
    "free_places",
    "place",
    "place_series",
    "plan",
    "relaxations",
    "scarcity",
    "wish_prices",
]


def plan(request: PlanRequest, k: int = 3) -> list[Plan]:
    """Return the cheapest plan, then the cheapest that differ from those before on at least two days; at most `k`.

    A course that needs one visit only gets plans on different days. Empty: nothing fits, or nothing remains to plan.
    """
    if request.protocol.visits <= len(request.given):
        return []
    candidates = Candidates(request)
    return [_plan(candidates, series) for series in SeriesSearch(candidates).series(k)]


def _plan(candidates: Candidates, series: Series) -> Plan:
    nurses = candidates.nurses_for(series.starts)
    visits = tuple(
        candidates.visit(ordinal, start, series.home, nurse)
        for ordinal, (start, nurse) in enumerate(zip(series.starts, nurses, strict=True), start=series.ordinal)
    )
    return Plan(visits, series.cost, tuple(why_so(candidates, series)))
