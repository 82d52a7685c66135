"""One piece of long work, done in a process of its own: `python -m tracker.jobs`, started by the worker.

A repair needs a solver that takes 0.3 s and 79 MB to load (measured), and all of a core while it works; messages
must not wait for it. If this process dies, its lease runs out and the work is taken up again.
"""

import logging
import sys
from collections.abc import Callable
from datetime import datetime

from tracker import clock, db
from tracker.config import load
from tracker.errors import Busy
from tracker.rules.permissions import Actor
from tracker.rules.repair import STAGES, repair
from tracker.services import damage, jobs, replanning
from tracker.services.jobs import Held
from tracker.services.reminders import Planned
from tracker.text import gettext as _

_log = logging.getLogger(__name__)


def do_one(at: Callable[[], datetime]) -> bool:
    """Take up a piece of work and do it; return whether there was one. `at` is the clock.

    Raises:
        Busy: The database can't answer. Whoever takes the work up when the lease is over begins anew.
    """
    with db.transaction() as session:
        held = jobs.take(session, now=at())
    if held is None:
        return False
    try:
        result = _WORK[held.kind](held, at)
    except Busy:
        raise
    except Exception:  # noqa: BLE001 - whatever it was
        # Somebody waits for an answer, and this is one; the log has what happened, without any patient's name.
        _log.exception("job %s failed", held.id)
        with db.transaction() as session:
            jobs.finish(session, held, None, now=at(), failed=True)
        return True
    with db.transaction() as session:
        jobs.finish(session, held, result, now=at())
    return True


def _repair(held: Held, at: Callable[[], datetime]) -> dict[str, object]:
    actor = Actor(held.clinic_id, None, None, "repair")
    with db.read() as session:
        found = damage.load(session, actor, held.args, now=at())
    repaired = repair(found, go_on=asking(held, at))
    with db.read() as session:
        return damage.as_data(session, actor, held.args, repaired, now=at())


def _replan(held: Held, at: Callable[[], datetime]) -> dict[str, object]:
    """Plan the messages of many series anew. What is done stays done: planning twice changes nothing."""
    actor = Actor(held.clinic_id, None, None, "messages")
    with db.read() as session:
        courses = replanning.courses(session, held.clinic_id, held.args["code"])
    done = Planned()
    for first in range(0, len(courses), replanning.AT_ONCE):
        with db.transaction() as session:
            if not jobs.renew(session, held, first, now=at()):
                break
        with db.transaction() as session:
            done += replanning.plan(session, actor, courses[first : first + replanning.AT_ONCE], now=at())
    return replanning.as_data(done, len(courses))


_WORK = {damage.KIND: _repair, replanning.KIND: _replan}


def asking(held: Held, at: Callable[[], datetime]) -> Callable[[str], bool]:
    """Return what a search asks whether it is to go on: a new stage is written down, in one it is only looked."""
    steps, begun = list(STAGES), ""

    def go_on(stage: str) -> bool:
        nonlocal begun
        if stage == begun:
            with db.read() as session:
                return jobs.wanted(session, held)
        begun = stage
        with db.transaction() as session:
            return jobs.go_on(session, held, steps.index(stage), say(stage), now=at())

    return go_on


def say(stage: str) -> str:
    """Say what a repair is at."""
    return {
        "lost": _("Looking for places with nobody else moved"),
        "courses": _("Moving later visits of the same patients"),
        "others": _("Asking whether others could make room"),
    }[stage]


def main() -> int:
    """Do what waits, one piece after the other."""
    config = load()
    clock.shift(config.offset)
    db.configure(config.database)
    try:
        while do_one(clock.now):
            pass
    except Busy:
        _log.warning("the database can't answer; trying again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
