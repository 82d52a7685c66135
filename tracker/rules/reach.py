"""Whether any series fits at all, and which single start more would give one. Asks nothing of costs.

The starts of all days are one bitmap, its bit 0 the first five minutes of the first day. What may follow a set of
starts is that set shifted by every gap the protocol allows: a few hundred shifts of a long int instead of a search.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property

from tracker.rules.availability import SLOT, mask
from tracker.rules.candidates import Candidates

_SECONDS = SLOT * 60


class Reach:
    """What can be reached from what: one request's starts under its protocol's gaps and span."""

    def __init__(self, candidates: Candidates) -> None:
        self.candidates, self.days = candidates, candidates.days
        protocol = candidates.request.limits
        self.given = [start.astimezone(UTC) for start in candidates.request.given]
        self.length = protocol.visits - len(self.given)
        self.span = protocol.max_span_days
        self.min_gap, self.max_gap = (int(gap.total_seconds()) for gap in (protocol.min_gap, protocol.max_gap))
        self.least, self.most = -(-self.min_gap // _SECONDS), self.max_gap // _SECONDS
        self.at = [(begin - self.days.begins[0]) // _SECONDS for begin in self.days.begins]

    @cached_property
    def starts(self) -> int:
        """The allowed starts of all days."""
        return sum(self.candidates.allowed(day) << self.at[day] for day in range(self.days.count))

    def fits(self) -> bool:
        """Return whether there is a series."""
        return any(self._goes_on(begin, limit) for begin, limit in self._begins(self.starts))

    def first_days(self) -> Iterator[int]:
        """Yield each day on which a series can begin, for a course of which nothing is given."""
        for day in range(self.days.count):
            if self._goes_on(*self._of_day(day)):
                yield day

    def _goes_on(self, begin: int, limit: int) -> bool:
        reached, starts = self.starts & begin, self.starts & limit
        for _ in range(self.length - 1):
            if not reached:
                return False
            reached = self._after(reached) & starts
        return bool(reached)

    def helpful(self, more: int) -> int:
        """Return those of `more` of which one alone would give a series, added to the starts there are."""
        found, starts = 0, self.starts
        for begin, limit in self._begins(starts | more):
            to_come, here = [-1], starts & limit
            for _ in range(self.length - 1):
                to_come.insert(0, self._before(here))
                here = to_come[0] & starts & limit
            may = begin
            for rest in to_come:
                found |= may & rest & more & limit
                may = self._after(may & starts & limit)
        return found

    def _begins(self, starts: int) -> Iterator[tuple[int, int]]:
        """Yield where a series may begin, with all the time that it may then take."""
        if self.given:
            yield self._after_given()
            return
        for day in range(self.days.count):
            begin, limit = self._of_day(day)
            if starts & begin:
                yield begin, limit

    def _of_day(self, day: int) -> tuple[int, int]:
        return mask(self.at[day], self.at[day + 1]), mask(self.at[day], self._end(day + self.span))

    def _end(self, day: int) -> int:
        return self.at[min(day + 1, self.days.count)] if day >= 0 else 0

    def _after_given(self) -> tuple[int, int]:
        last = int(self.given[-1].timestamp()) - self.days.begins[0]
        first, until = -(-(last + self.min_gap) // _SECONDS), (last + self.max_gap) // _SECONDS + 1
        limit = mask(self._end(self._day_of(self.given[-1])), self._end(self._day_of(self.given[0]) + self.span))
        return mask(max(0, first), max(0, until)) & limit, limit

    def _day_of(self, instant: datetime) -> int:
        return self.days.index(instant.astimezone(self.days.zone).date())

    @cached_property
    def _twice_a_day(self) -> bool:
        """Whether two starts of one day are as far apart as a gap; a series has one visit a day at most."""
        by_day = map(self.candidates.possible, range(self.days.count))
        widths = [bits.bit_length() - (bits & -bits).bit_length() for bits in by_day]
        return max(widths, default=0) >= self.least

    def _after(self, starts: int) -> int:
        if not self._twice_a_day:
            return self._later(starts)
        found = 0
        for day in range(self.days.count):
            if here := starts & mask(self.at[day], self.at[day + 1]):
                found |= self._later(here) >> self.at[day + 1] << self.at[day + 1]
        return found

    def _before(self, starts: int) -> int:
        if not self._twice_a_day:
            return self._earlier(starts)
        found = 0
        for day in range(self.days.count):
            if here := starts & mask(self.at[day], self.at[day + 1]):
                found |= self._earlier(here) & mask(0, self.at[day])
        return found

    def _later(self, starts: int) -> int:
        have, wanted = 1, self.most - self.least + 1
        if wanted < 1:  # no gap is allowed
            return 0
        while have < wanted:
            step = min(have, wanted - have)
            starts |= starts << step
            have += step
        return starts << self.least

    def _earlier(self, starts: int) -> int:
        have, wanted = 1, self.most - self.least + 1
        if wanted < 1:  # no gap is allowed
            return 0
        while have < wanted:
            step = min(have, wanted - have)
            starts |= starts >> step
            have += step
        return starts >> self.least
