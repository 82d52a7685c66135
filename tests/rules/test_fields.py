"""Text types take one sane spelling and say what would be right."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from tracker.rules.fields import (
    Amount,
    ClockTime,
    ComingDay,
    Command,
    Day,
    Email,
    Line,
    Moment,
    Number,
    PastDay,
    Phone,
    Text,
    Tick,
    explain,
)

DENVER = ZoneInfo("America/Denver")
TODAY = date(2026, 3, 6)


class Everything(Command):
    day: Day | None = None
    coming: ComingDay | None = None
    past: PastDay | None = None
    at: ClockTime | None = None
    moment: Moment | None = None
    number: Annotated[Number, Field(ge=0, le=300)] | None = None
    amount: Annotated[Amount, Field(gt=0, le=400)] | None = None
    line: Line | None = None
    text: Text | None = None
    tick: Tick = False
    email: Email | None = None
    phone: Phone | None = None
    lines: tuple[Line, ...] = ()


def read(**typed):
    """Return the one field that was typed, or what would be right."""
    (name,) = typed
    context = {"today": TODAY, "zone": DENVER, "country": "US"}
    try:
        return getattr(Everything.model_validate_json(json.dumps(typed), context=context), name)
    except ValidationError as faults:
        return explain(faults.errors()[0])


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"day": "2026-03-06"}, date(2026, 3, 6)),
        ({"day": "2028-02-29"}, date(2028, 2, 29)),
        ({"coming": "2026-03-06"}, TODAY),
        ({"past": "2026-03-06"}, TODAY),
        ({"at": "09:30"}, time(9, 30)),
        ({"moment": "2026-03-06T09:30"}, datetime(2026, 3, 6, 16, 30, tzinfo=UTC)),
        # 1:30 comes twice that night; the first is still in summer time.
        ({"moment": "2026-11-01T01:30"}, datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        ({"number": "120"}, 120),
        ({"amount": "72.5"}, Decimal("72.5")),
        ({"line": "  Zoë O'Neill "}, "Zoë O'Neill"),
        ({"line": "Zoe\u0308"}, "Zoë"),
        ({"line": "ש\u200dא"}, "ש\u200dא"),
        ({"text": "one\r\ntwo\tthree\n"}, "one\ntwo\tthree"),
        ({"tick": "yes"}, True),
        ({"email": "Maria@Example.org"}, "Maria@example.org"),
        ({"phone": "(303) 555-0142"}, "+13035550142"),
        ({"phone": "+44 20 7946 0958"}, "+442079460958"),
    ],
)
def test_the_sane_spelling_is_read(typed, kept):
    assert read(**typed) == kept


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        *[
            ({"day": day}, "Enter a day such as 2026-03-06")
            for day in (
                *(
                    "0001-01-01",
                    "1899-12-31",
                    "2101-01-01",
                    "9999-12-31",
                    "2026-02-29",
                    "2026-3-6",
                    "1772755200",
                    "NaN",
                ),
                *(
                    "٢٠٢٦-٠٣-٠٦",
                    "2026-03-06T00:00",
                    "2026-03-06Z",
                    "20260306",
                    "2026-W10-5",
                    "tomorrow",
                    "2026-03-06\x00",
                ),
            )
        ],
        ({"coming": "2026-03-05"}, "This day is past"),
        ({"past": "2026-03-07"}, "This day is still to come"),
        *[({"at": at}, "Enter a time such as 09:30") for at in ("24:00", "9:30", "09:60", "09:30:00", "0930", "٠٩:٣٠")],
        ({"moment": "2026-03-08T02:30"}, "The clocks go forward then"),
        *[
            ({"moment": at}, "Enter day and time")
            for at in ("2026-03-06", "2026-03-06 09:30", "2026-03-06T09:30Z", "0")
        ],
        ({"moment": "0001-01-01T00:00"}, "Enter a day such as"),
        *[
            ({"number": n}, "Enter a whole number")
            for n in ("1_000", "1e3", "1.0", "NaN", "+1", "١٢", "0x10", "1" * 10)
        ],
        ({"number": "301"}, "Enter 300 or less."),
        ({"number": "-1"}, "Enter 0 or more."),
        *[
            ({"amount": amount}, "Enter a number such as 72")
            for amount in ("NaN", "Infinity", "1E+400", "1_000", "72,5", "-1", "1.2345", "٧٢", ".5", "1" * 7)
        ],
        ({"amount": "0"}, "Enter more than 0."),
        ({"line": "x" * 201}, "Shorten this to 200 characters."),
        ({"line": "   "}, "Fill this in."),
        *[({"line": f"a{bad}b"}, "This has a character") for bad in "\x00\n\r\t\x1b\x85\ufffe"],
        ({"line": "a\ufffdb"}, "Some characters were lost"),
        ({"text": "a\x00b"}, "This has a character"),
        ({"text": "x" * 4001}, "Shorten this to 4000 characters."),
        ({"tick": "perhaps"}, "Tick the box"),
        *[
            ({"email": e}, "Enter an e-mail address")
            for e in ("maria", "a@b", "a b@c.org", "a@b.org,c@d.org", "@b.org")
        ],
        ({"email": "a@b.org\nBcc: c@d.org"}, "This has a character"),
        *[({"phone": p}, "Enter a phone number") for p in ("12", "call me", "(303) 555-0142 x5", "٣٠٣٥٥٥٠١٤٢")],
        ({"lines": ["good", "x" * 201]}, "Shorten this to 200 characters."),
        ({"unknown": "1"}, "This form has no such field"),
    ],
)
def test_anything_else_is_told_what_would_be_right(typed, said):
    assert str(read(**typed)).startswith(said)


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_every_day_of_two_centuries_is_read(day):
    assert read(day=day.isoformat()) == day


@given(st.decimals(0, 400, places=3).filter(bool))
def test_every_amount_is_kept_exactly(amount):
    assert read(amount=f"{amount:f}") == amount


@given(
    st.text(max_size=300),
    st.sampled_from(["line", "text", "email", "phone", "day", "at", "moment", "number", "amount"]),
)
def test_no_text_at_all_gets_anything_but_a_value_or_a_message(typed, name):
    assert read(**{name: typed}) is not None


def test_python_values_need_no_spelling():
    """Services and imports build commands from values, with the same bounds."""
    context = {"today": TODAY, "zone": DENVER}
    assert Everything.model_validate({"coming": TODAY, "amount": Decimal(3)}, context=context).coming == TODAY
    with pytest.raises(ValidationError):
        Everything(number="12.5")
    with pytest.raises(ValidationError):
        Everything(amount=Decimal("NaN"))
