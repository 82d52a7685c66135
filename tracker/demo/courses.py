"""The demonstration's series: who is at which visit, and with which scores."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from tracker.demo.days import away, is_open
from tracker.rules.protocol import Protocol
from tracker.rules.protocols import FIVE_SHORT_DAYS, PAIN_SINGLE, SINGLE, THREE_A_WEEK, TWO_A_WEEK
from tracker.rules.vocabulary import Indication

_MORE = Decimal("0.75")  # some need more than 0.5: domain reference, section 1


@dataclass(frozen=True)
class Run:
    """One series of one patient.

    `fixed` are the days that the story names; `before` visits come before them and `after` ones follow, wherever the
    protocol allows and something is free. `scores` are totals in order, one a visit; `later` those of the weeks after
    the last. `clock`, `room` and `nurse` are wishes, `systolic` the peak of its infusions.
    """

    family: str
    protocol: Protocol
    fixed: tuple[date, ...]
    before: int = 0
    after: int = 0
    scores: tuple[int, ...] = ()
    later: tuple[int, ...] = ()
    scale: str = "phq9"
    item_9: int = 0
    clock: str = "10:45"
    room: str = ""
    nurse: str = ""
    systolic: int = 142
    indication: Indication = Indication.TRD
    sequence: int = 1
    ended: str = ""
    mg_per_kg: Decimal | None = None  # other than the protocol's

    @property
    def dose_per_kg(self) -> Decimal:
        """Return mg/kg as ordered."""
        return self.mg_per_kg or self.protocol.mg_per_kg


def runs(today: date) -> list[Run]:
    """Return every series as it stands on `today`, those on today's board first."""
    return [*_on_the_board((today,)), *_under_way(today), *_over(today), *_to_come(today)]


def _two_a_week(
    family: str, day: tuple[date, ...], before: int, scores: tuple[int, ...], clock: str, **more: object
) -> Run:
    plain = Run(family, TWO_A_WEEK, day, before, 5 - before, scores, clock=clock)
    return replace(plain, **more)  # type: ignore[arg-type] # fields by name


def _on_the_board(day: tuple[date, ...]) -> list[Run]:
    ptsd = {"scale": "pcl5", "indication": Indication.PTSD}
    single = Run(
        "Fraser", SINGLE, day, scores=(5,), clock="15:00", room="Mesa", nurse="KM", sequence=5, mg_per_kg=_MORE
    )
    return [
        _two_a_week("Okafor", day, 2, (22, 19, 19), "8:00", room="Sage", nurse="JA"),
        _two_a_week("Haddad", day, 1, (58, 51), "8:30", room="Juniper", nurse="JA", **ptsd),
        _two_a_week("Schmidt", day, 4, (24, 21, 17, 14, 11), "9:15", room="Mesa", nurse="KM", systolic=158),
        _two_a_week("Tran", day, 3, (21, 18, 15, 12), "10:45", room="Sage", nurse="KM"),
        _two_a_week("Ibrahim", day, 2, (20, 16, 13), "11:15", room="Juniper", nurse="JA"),
        # Her second answer comes by the link, at 11:29: see `morning`.
        _two_a_week("Bianchi", day, 1, (20,), "12:30", room="Mesa", nurse="KM", item_9=1),
        _two_a_week("Novak", day, 0, (21,), "13:30", room="Sage", nurse="JA"),
        _two_a_week("Alvarez", day, 3, (23, 22, 22, 22), "14:30", room="Juniper", nurse="KM"),
        single,
    ]


def _under_way(today: date) -> list[Run]:
    yesterday, tomorrow = away(today, -1), away(today, 1)
    return [
        Run("Petrov", THREE_A_WEEK, (yesterday, tomorrow), 3, 1, (19, 15, 11, 8), clock="8:00", room="Sage"),
        _two_a_week("Brooks", (yesterday,), 2, (20, 20), "13:30", item_9=1),
        _two_a_week("Kaur", (yesterday,), 0, (23,), "10:45", room="Mesa", nurse="KM"),
    ]


def _over(today: date) -> list[Run]:
    def series(family: str, days_ago: int, scores: tuple[int, ...], **more: object) -> Run:
        plain = Run(family, TWO_A_WEEK, (away(today, -days_ago),), len(scores) - 1, 0, scores)
        return replace(plain, **more)  # type: ignore[arg-type] # fields by name

    boosters = [
        Run("Fraser", SINGLE, (away(today, -35 * n),), scores=(6 + n,), clock="15:00", sequence=5 - n, mg_per_kg=_MORE)
        for n in (4, 3, 2, 1)
    ]
    return [
        series("Fraser", 175, (21, 19, 15, 12, 9, 7)),
        *boosters,
        series(
            *("Garcia", 4, (61, 55, 49, 42, 38, 34)), protocol=THREE_A_WEEK, scale="pcl5", indication=Indication.PTSD
        ),
        series("Osei", 13, (18, 16, 13, 11, 9, 8), scale="gad7", indication=Indication.GAD, clock="13:30"),
        series("Lindqvist", 12, (28,), later=(19,), protocol=SINGLE, scale="ybocs", indication=Indication.OCD),
        series("Nguyen", 52, (22, 18, 13, 9, 6, 5), later=(4, 11, 12), clock="8:00"),
        series("Adams", 74, (19, 17, 12, 10, 8, 7), later=(6,), systolic=151),
        series(
            "Stein", 12, (21, 21, 20, 20), clock="13:30", ended="Little change after four; the patient wished to stop"
        ),
    ]


def _to_come(today: date) -> list[Run]:
    mondays = (day for n in range(6, 60) if (day := today + timedelta(days=n)).weekday() == 0)
    weeks = (tuple(monday + timedelta(days=n) for n in range(5)) for monday in mondays)
    week = next(week for week in weeks if all(map(is_open, week)))
    return [
        Run("Kowalczyk", FIVE_SHORT_DAYS, week, indication=Indication.CRPS, clock="8:00"),
        Run("Moreau", PAIN_SINGLE, (away(today, 7),), indication=Indication.NEUROPATHIC, clock="13:00"),
    ]
