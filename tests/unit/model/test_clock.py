"""The clock: days inside, dates outside."""

from datetime import date, timedelta
from itertools import islice, pairwise

import pytest

from sim.model.clock import Clock, fiscal_quarters, month_starts, record_dates

START = date(2025, 11, 14)


def test_a_day_begins_has_its_noon_and_ends():
    clock = Clock(START)
    assert clock.noon(START) == 0.5
    assert 1 - 1e-5 < clock.end_of(START) <= 1  # up to midnight
    for days in (-700, -1, 0, 1, 106, 2000):
        day = START + timedelta(days)
        for time in (days, clock.noon(day), clock.end_of(day) - 1e-9):
            assert clock.date(time) == day
        assert clock.date(clock.end_of(day) + 1e-5) == day + timedelta(1)


def test_month_starts():
    assert list(islice(month_starts(date(2027, 11, 30)), 3)) == [
        date(2027, 12, 1), date(2028, 1, 1), date(2028, 2, 1),
    ]  # fmt: skip
    assert next(month_starts(date(2027, 12, 1))) == date(2028, 1, 1)


def test_record_dates():
    others = {date(2025, 12, 5), date(2025, 11, 30), date(2024, 1, 1), date(2031, 1, 1)}
    assert record_dates(START, date(2026, 1, 10), others) == [
        START, date(2025, 11, 30), date(2025, 12, 5), date(2025, 12, 31), date(2026, 1, 10),
    ]  # fmt: skip
    assert record_dates(date(2028, 2, 29), date(2028, 2, 29), set()) == [date(2028, 2, 29)]
    assert record_dates(date(2028, 2, 1), date(2028, 3, 31), set()) == [
        date(2028, 2, 1), date(2028, 2, 29), date(2028, 3, 31),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "first"),
    [
        (date(2025, 11, 14), (2026, 1, date(2025, 10, 1))),
        (date(2026, 6, 30), (2026, 3, date(2026, 4, 1))),
        (date(2026, 7, 1), (2027, 0, date(2026, 7, 1))),
        (date(2023, 10, 31), (2024, 1, date(2023, 10, 1))),
    ],
)
def test_fiscal_quarters(start, first):
    quarters = list(islice(fiscal_quarters(start), 5))
    assert quarters[0] == first
    for (year, quarter, _), (next_year, next_quarter, day) in pairwise(quarters):
        assert (next_year, next_quarter) == ((year, quarter + 1) if quarter < 3 else (year + 1, 0))
        assert (day.month, day.day) == ([7, 10, 1, 4][next_quarter], 1)
