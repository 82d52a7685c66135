"""Where things stand in a chart: from numbers to coordinates. `templates/charts/` draws them as SVG, with words.

Coordinates are units of the drawing's own `viewBox`, y downwards. Lanes are stacked on one axis: never a second
y-axis.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from tracker.rules.outcomes import Taken
from tracker.rules.scales import Scale


@dataclass(frozen=True)
class Point:
    """A value where it stands."""

    x: float
    y: float
    value: int


@dataclass(frozen=True)
class Level:
    """A horizontal line, or the top of a band, with its words."""

    y: float
    words: str
    height: float = 0


# The course: scores, peak of systolic pressure and dose over the visits.


@dataclass(frozen=True)
class VisitPoint:
    """One visit of a course as the chart and its table need it. `peak` is systolic mmHg; `worst` in words."""

    ordinal: int
    day: date
    done: bool
    mg: Decimal | None = None
    peak: int | None = None
    worst: str = ""
    score: int | None = None


@dataclass(frozen=True)
class Column:
    """One visit on the axis, with the bar of its peak pressure and the box of its dose."""

    x: float
    visit: VisitPoint
    peak_y: float | None
    dose_height: float


@dataclass(frozen=True)
class CourseChart:
    """All lanes of a course. Drawn from x=`left` to `right`; scores hang between `top` and `bottom`."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    name: str
    bands: tuple[Level, ...]
    scores: tuple[Point, ...]
    marks: tuple[Level, ...]
    response: Level | None
    columns: tuple[Column, ...]
    hold: Level
    peak_floor: float
    dose_floor: float

    @property
    def line(self) -> str:
        """The scores as the `points` of a polyline."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.scores)


_WIDTH, _LEFT, _RIGHT = 960.0, 92.0, 842.0
_TOP, _BOTTOM = 14.0, 194.0
_PEAK_TOP, _PEAK_FLOOR = 222.0, 272.0
_DOSE_FLOOR, _DOSE_MOST = 330.0, 34.0
_PEAK_RANGE = (90, 200)  # mmHg


def course_chart(
    scale: Scale, scores: Sequence[Taken], visits: Sequence[VisitPoint], baseline: Taken | None, hold: int
) -> CourseChart:
    """Lay out a course.

    Args:
        scale: What the scores are of.
        scores: In any order; each stands before the visit that followed it.
        visits: In order, at least one.
        baseline: Decides where the line of response lies.
        hold: Systolic mmHg from which an infusion is held.
    """
    after = any(score.after_visit >= len(visits) for score in scores)
    step = (_RIGHT - _LEFT) / (len(visits) + (1 if after else 0))

    def x_of(place: float) -> float:
        return _LEFT + step * (place - 0.5)

    def y_of(score: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * score / scale.highest

    most = max((visit.mg for visit in visits if visit.mg), default=Decimal(1))
    response = baseline.total * (100 - scale.response_drop) / 100 if baseline else 0
    return CourseChart(
        width=_WIDTH,
        height=382,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        name=scale.name,
        bands=tuple(_bands(scale, y_of)),
        scores=tuple(Point(x_of(place), y_of(score.total), score.total) for place, score in _places(scores)),
        marks=tuple(Level(y_of(value), str(value)) for value in range(0, scale.highest, 5)),
        response=Level(y_of(response), "") if response else None,
        columns=tuple(
            Column(
                x_of(number),
                visit,
                _peak_y(visit.peak) if visit.peak else None,
                _DOSE_MOST * float((visit.mg or most) / most),
            )
            for number, visit in enumerate(visits, start=1)
        ),
        hold=Level(_peak_y(hold), str(hold)),
        peak_floor=_PEAK_FLOOR,
        dose_floor=_DOSE_FLOOR,
    )


def _bands(scale: Scale, y_of: Callable[[float], float]) -> Iterator[Level]:
    tops = [*(band.low for band in scale.bands[1:]), scale.highest]
    for band, top in zip(scale.bands, tops, strict=True):
        yield Level(y_of(top), band.name, y_of(band.low) - y_of(top))


def _places(scores: Sequence[Taken]) -> list[tuple[float, Taken]]:
    """Give each score its place on the axis: before the visit that followed, several share the gap evenly."""
    gaps: dict[int, list[Taken]] = defaultdict(list)
    for score in sorted(scores, key=lambda score: score.at):
        gaps[score.after_visit].append(score)
    return [
        # Before the first visit there is only half a gap.
        (max(visits, 0.5) + (0.5 if not visits else 1) * number / len(together), score)
        for visits, together in gaps.items()
        for number, score in enumerate(together, start=1)
    ]


def _peak_y(systolic: int) -> float:
    low, high = _PEAK_RANGE
    share = (min(max(systolic, low), high) - low) / (high - low)
    return _PEAK_FLOOR - (_PEAK_FLOOR - _PEAK_TOP) * share


# One visit: blood pressure and heart rate over its planned sets.


@dataclass(frozen=True)
class SetPoint:
    """One column of the grid of vital signs: its heading and what was measured."""

    words: str
    minute: int | None  # after Start; None is the set before it
    systolic: int | None = None
    diastolic: int | None = None
    heart_rate: int | None = None


@dataclass(frozen=True)
class SetColumn:
    """A set where it stands."""

    x: float
    point: SetPoint
    systolic_y: float | None
    diastolic_y: float | None
    heart_y: float | None


@dataclass(frozen=True)
class VitalsChart:
    """Pressure and heart rate; its columns align with those of the grid above it."""

    width: float
    height: float
    left: float
    top: float
    bottom: float
    columns: tuple[SetColumn, ...]
    marks: tuple[Level, ...]
    hold: Level
    infusing: tuple[float, float]
    now_x: float | None

    @property
    def heart_line(self) -> str:
        """The heart rate as the `points` of a polyline."""
        return " ".join(f"{c.x:.1f},{c.heart_y:.1f}" for c in self.columns if c.heart_y is not None)


_GUTTER, _SET = 66.0, 54.0
_VITALS_TOP, _VITALS_BOTTOM = 12.0, 232.0
_VITALS_RANGE = (40, 200)


def vitals_chart(
    sets: Sequence[SetPoint],
    *,
    minutes: int,
    hold: int,
    now_minute: int | None = None,
    between: Sequence[SetPoint] = (),
) -> VitalsChart:
    """Lay out a visit.

    Args:
        sets: The columns of the grid, in order; the first may be the set before Start.
        between: Readings taken between the sets, without words; each stands at its minute.
        minutes: Length of the infusion.
        hold: Systolic mmHg from which a rule is red.
        now_minute: Minutes since Start, where the line of now stands; None before it.
    """
    xs = [_GUTTER + _SET * (number + 0.5) for number in range(len(sets))]
    timed = [(point.minute, x) for point, x in zip(sets, xs, strict=True) if point.minute is not None]
    placed = [*zip(xs, sets, strict=True)]
    placed += [(round(_between(timed, point.minute), 1), point) for point in between if point.minute is not None]
    return VitalsChart(
        width=_GUTTER + _SET * len(sets),
        height=256,
        left=_GUTTER,
        top=_VITALS_TOP,
        bottom=_VITALS_BOTTOM,
        columns=tuple(
            SetColumn(x, point, _vital_y(point.systolic), _vital_y(point.diastolic), _vital_y(point.heart_rate))
            for x, point in sorted(placed, key=lambda one: one[0])
        ),
        marks=tuple(Level(_y(value), str(value)) for value in range(60, 200, 20)),
        hold=Level(_y(hold), str(hold)),
        infusing=(_between(timed, 0), _between(timed, minutes)),
        now_x=None if now_minute is None else _between(timed, now_minute),
    )


def _vital_y(value: int | None) -> float | None:
    return None if value is None else _y(value)


def _y(value: int) -> float:
    low, high = _VITALS_RANGE
    share = (min(max(value, low), high) - low) / (high - low)
    return _VITALS_BOTTOM - (_VITALS_BOTTOM - _VITALS_TOP) * share


def _between(timed: Sequence[tuple[int, float]], minute: int) -> float:
    """Return where `minute` stands among the columns; past the last one, half a column on."""
    if not timed:
        return _GUTTER
    for (m0, x0), (m1, x1) in pairwise(timed):
        if m0 <= minute < m1:
            return x0 + (x1 - x0) * (minute - m0) / (m1 - m0)
    return timed[0][1] if minute < timed[0][0] else timed[-1][1] + (0 if minute == timed[-1][0] else _SET / 2)
