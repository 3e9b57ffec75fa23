"""The clock: days since the start date, real calendar dates outside.

Day d of the simulation is the half-open interval [d, d + 1). What is dated in the calendar (calls,
releases of money, months) happens at noon; a record of a day is taken at its end, so that "by date T"
includes what happens at T. Random times fall on either with probability zero.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12


class Clock:
    """Translate between simulated days and calendar dates."""

    def __init__(self, start: date) -> None:
        self.start = start

    def noon(self, day: date) -> float:
        """Time, in days, of noon on the given date."""
        return (day - self.start).days + 0.5

    def end_of(self, day: date) -> float:
        """Time, in days, just before the given date is over: what happens at midnight is tomorrow's."""
        return (day - self.start).days + 1.0 - 2.0**-20

    def date(self, time: float) -> date:
        """Calendar date of a time in days."""
        return self.start + timedelta(days=int(time // 1))


def month_starts(after: date) -> Iterator[date]:
    """First days of the months after the given date, without end."""
    for months in count(after.year * 12 + after.month):
        yield date(months // 12, months % 12 + 1, 1)


def record_dates(start: date, end: date, others: set[date]) -> list[date]:
    """Dates on which the world is recorded: the start, every month end, the end, and `others` within them."""
    dates = {start, end} | {day for day in others if start <= day <= end}
    for first in month_starts(start):
        last = first - timedelta(days=1)
        if last > end:
            return sorted(dates)
        dates.add(last)
    raise AssertionError("months do not end")


def fiscal_quarters(start: date) -> Iterator[tuple[int, int, date]]:
    """Fiscal year, quarter (0 to 3) and first day of the quarter running on `start` and of all that follow.

    Pakistan's fiscal year N runs from 1 July N - 1 to 30 June N.
    """
    for quarter in count(start.year * 4 + (start.month - 1) // 3):
        year, calendar_quarter = divmod(quarter, 4)
        first = date(year, 3 * calendar_quarter + 1, 1)
        yield (year + 1 if calendar_quarter >= 2 else year), (calendar_quarter + 2) % 4, first
