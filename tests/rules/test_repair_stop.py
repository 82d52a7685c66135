"""Somebody wants a search to end: it does, whatever it is at, and keeps what it has."""

from itertools import combinations, count, pairwise
from time import monotonic

import pytest

from tests.benchmarks.damages import damaged
from tests.rules.clinics import HALE, KIM, SAGE, ClinicWeek
from tests.rules.mishaps import Mishap
from tests.rules.test_repair import QUICK
from tracker.rules.damage import Damage, Repair
from tracker.rules.repair import repair
from tracker.rules.repair_model import Model
from tracker.rules.repair_places import Places
from tracker.rules.repair_spots import Spots

AT_ONCE = 1.0  # seconds
LONG = 25.0  # seconds


@pytest.fixture(scope="module")
def damage() -> Damage:
    """Return a lost day of 14 visits for which nothing that can be proven best is found in any time."""
    return damaged(5, 14, 0.8, 0)


def stopped(damage: Damage, stage: str, asks: int) -> tuple[Repair, float]:
    """Search until it has been asked so often in a stage; return what was found, and how long it took to end then."""
    asked, ended = count(1), []

    def go_on(doing: str) -> bool:
        assert not ended, "asked again after it was told to end"
        if doing == stage and next(asked) == asks:
            ended.append(monotonic())
        return not ended

    found = repair(damage, seconds=LONG, go_on=go_on)
    return found, monotonic() - ended[0]


@pytest.mark.parametrize("stage", ["courses", "others"])
def test_a_search_ends_within_a_second_with_what_it_has(damage, stage):
    before, _seconds = stopped(damage, stage, asks=1)

    found, seconds = stopped(damage, stage, asks=4)

    assert seconds < AT_ONCE
    assert (len(found.unplaced), found.touched) <= (len(before.unplaced), before.touched)
    assert (found.least_unplaced, found.least_touched) == (before.least_unplaced, before.least_touched)


def small_model(stop) -> Model:
    """Return the model of one lost visit."""
    mishap = Mishap(clinic := ClinicWeek(resources=(SAGE, KIM, HALE)), clinic.at("2026-03-02 07:00"))
    visits = mishap.book(QUICK, "2026-03-02 09:00", "2026-03-04 09:00", "2026-03-06 09:00").visits
    clinic.close(None, "2026-03-04 00:00", "2026-03-05 00:00")
    return Model(Spots(Places(mishap.damage(), frozenset(visit.id for visit in visits))), stop)


def test_the_solver_ends_within_a_second():
    """It is at a Golomb ruler of 14 marks, which takes it hours."""
    asked, began = count(), []
    model = small_model(lambda: bool(began) and next(asked) >= 5)
    marks = [model.model.new_int_var(0, 400, "") for _mark in range(14)]
    for one, two in pairwise(marks):
        model.model.add(one < two)
    model.model.add_all_different([two - one for one, two in combinations(marks, 2)])
    began.append(monotonic())

    model.least(marks[-1], seconds=LONG)

    assert monotonic() - began[0] < 0.5 + AT_ONCE
    assert model.least(model.missing(), seconds=LONG) is None, "what is stopped is not begun again"


def test_a_model_of_which_only_a_part_is_there_is_not_solved():
    model = small_model(lambda: True)

    assert not model.literals
    assert model.least(model.missing(), seconds=LONG) is None
