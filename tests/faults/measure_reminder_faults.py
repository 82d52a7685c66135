"""Providers that fail for two hours, clocks and zones, changes that race a message, a long stop, one broken record."""

import random
import sys

from tests.faults import changing, hours, outages, providers
from tests.faults.databases import New, for_each, on_each

ROUNDS, RECORDS = 510, 1000
LIMITS = for_each(
    reminder_provider_lost=0,
    reminder_provider_doubled=0,
    reminder_wrong_hour=0,
    reminder_hours_doubled=0,
    reminder_stale_without_correction=0,
    reminder_after_opt_out=0,
    reminder_restored_doubled=0,
)
FLOORS = for_each(
    reminder_accounted_share=1,
    reminder_beside_a_broken_record=RECORDS - 1,
    reminder_races=500,
    reminder_restored_paused=1,
    reminder_provider_faults=27,
)


def measure() -> dict[str, float]:
    """Measure on both databases; the table of the providers' faults goes to the screen."""
    return on_each(_measured)


def _measured(new: New) -> dict[str, float]:
    return _providers(new) | _hours(new) | _changes(new) | _outages(new)


def _providers(new: New) -> dict[str, float]:
    new()
    lines = providers.outages()
    print(new.kind, providers.HEAD, *lines, sep="\n", file=sys.stderr)
    return {
        "reminder_provider_faults": len(lines),
        "reminder_provider_lost": sum(line.lost for line in lines),
        "reminder_provider_doubled": sum(line.doubled for line in lines),
    }


def _hours(new: New) -> dict[str, float]:
    found = [
        hours.run(new(), server, begin, clock=clock)
        for server, begin, clock in (
            *zip(hours.SERVERS, hours.BEGIN, (False,) * 4, strict=True),
            ("UTC", hours.BEGIN[0], True),
        )
    ]
    return {
        "reminder_hours_messages": sum(one.messages for one in found),
        "reminder_wrong_hour": sum(one.wrong for one in found),
        "reminder_hours_doubled": sum(one.doubled for one in found),
    }


def _changes(new: New) -> dict[str, float]:
    new()
    raced = changing.race(ROUNDS, random.Random(5))
    return {
        "reminder_races": raced.rounds,
        "reminder_races_marked_first": raced.marked_first,
        "reminder_stale_without_correction": raced.stale,
        "reminder_after_opt_out": raced.after_opt_out,
    }


def _outages(new: New) -> dict[str, float]:
    new()
    account = outages.down(120)
    print(new.kind, "36 hours down:", account, "unaccounted:", account.unaccounted, file=sys.stderr)
    new()
    got, _tasks = outages.broken(RECORDS)
    restored = outages.restored(new, 100)
    return {
        "reminder_accounted_share": account.share,
        "reminder_beside_a_broken_record": got,
        "reminder_restored_paused": restored.paused,
        "reminder_restored_doubled": restored.doubled,
    }
