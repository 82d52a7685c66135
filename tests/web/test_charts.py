"""Charts stand where their numbers say, and say their numbers in words."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOW
from tests.web.conftest import make_app
from tracker.rules.outcomes import Taken
from tracker.rules.scales import PHQ9
from tracker.web.charts import SetPoint, VisitPoint, course_chart, vitals_chart


def visits(count, done=0):
    """Return `count` visits, the first `done` of them given."""
    return [
        VisitPoint(n, date(2026, 3, n), n <= done, Decimal(40) if n <= done else None, 150 if n <= done else None)
        for n in range(1, count + 1)
    ]


def taken(*totals, after=None):
    """Return scores a day apart, each before the next visit or all after `after`."""
    return [Taken(total, NOW + timedelta(days=n), n if after is None else after) for n, total in enumerate(totals)]


def test_a_score_stands_over_the_visit_that_followed_it():
    """Four scores before visits 1 to 4."""
    scores = taken(21, 18, 15, 12)
    chart = course_chart(PHQ9, scores, visits(6, done=4), scores[0], 180)

    assert [point.x for point in chart.scores] == [column.x for column in chart.columns[:4]]
    assert [point.value for point in chart.scores] == [21, 18, 15, 12]
    assert [point.y for point in chart.scores] == sorted(point.y for point in chart.scores)


def test_scores_after_the_last_visit_have_room_of_their_own():
    """A column more, to the right of the last visit."""
    chart = course_chart(PHQ9, taken(9, 8, after=6), visits(6, done=6), None, 180)

    assert all(chart.columns[-1].x < point.x <= chart.right for point in chart.scores)
    assert chart.scores[0].x < chart.scores[1].x
    assert chart.response is None


def test_the_line_of_response_is_half_the_baseline():
    """Baseline 20: the line lies at 10."""
    scores = taken(20)
    chart = course_chart(PHQ9, scores, visits(6), scores[0], 180)

    assert chart.response
    assert chart.response.y == next(mark.y for mark in chart.marks if mark.words == "10")


@given(st.lists(st.tuples(st.integers(0, 27), st.integers(0, 9)), max_size=20), st.integers(1, 8))
def test_whatever_is_scored_stays_in_its_lane(scored, count):
    """No score outside, bands fill the lane without gaps."""
    scores = [Taken(total, NOW + timedelta(hours=n), min(after, count)) for n, (total, after) in enumerate(scored)]
    chart = course_chart(PHQ9, scores, visits(count), None, 180)

    assert all(chart.top <= point.y <= chart.bottom for point in chart.scores)
    assert all(chart.left <= point.x <= chart.right for point in chart.scores)
    assert round(sum(band.height for band in chart.bands), 6) == chart.bottom - chart.top


@given(st.integers(0, 400), st.integers(0, 400))
def test_whatever_is_measured_stays_in_the_drawing(pressure, minute):
    """Slips of the finger too; the line of now never leaves."""
    sets = [SetPoint("Base", None, pressure, pressure, pressure), *(SetPoint(str(m), m) for m in (0, 10, 20, 30, 40))]
    chart = vitals_chart(sets, minutes=40, hold=180, now_minute=minute)

    base = chart.columns[0]
    assert all(chart.top <= y <= chart.bottom for y in (base.systolic_y, base.diastolic_y, base.heart_y))
    assert chart.left <= chart.now_x <= chart.width


def test_the_tint_of_infusion_spans_its_minutes():
    """From the set at 0 to the set at 40."""
    sets = [SetPoint(str(m), m) for m in (0, 10, 20, 30, 40, 55)]
    chart = vitals_chart(sets, minutes=40, hold=180)

    assert chart.infusing == (chart.columns[0].x, chart.columns[4].x)
    assert chart.now_x is None


def test_the_drawing_says_its_numbers():
    """Title and description, and colours that an image keeps."""
    app = make_app()
    scores = taken(21, 12)
    with app.test_request_context():
        template = app.jinja_env.get_template("charts/course.svg")
        app.jinja_env.filters["day"] = lambda value, form="": value.isoformat()
        text = str(template.module.course(course_chart(PHQ9, scores, visits(6, done=2), scores[0], 180)))

    assert "PHQ-9: 21, 12." in text
    assert "style=" not in text
    assert 'stroke="var(--brand, #0a5c73)"' in text


def test_a_reading_between_two_sets_is_drawn_at_its_minute():
    """A red value taken at minute 15 stands between 10 and 20, and the heart's line goes through it."""
    sets = [SetPoint(str(minute), minute, 120, 80, 70) for minute in (0, 10, 20)]
    chart = vitals_chart(sets, minutes=40, hold=180, between=[SetPoint("", 15, 196, 104, 90)])
    found = [column for column in chart.columns if column.point.systolic == 196]
    assert len(found) == 1
    xs = [column.x for column in chart.columns]
    assert xs == sorted(xs)
    assert xs[1] < found[0].x < xs[3]
    assert chart.heart_line.count(",") == 4
