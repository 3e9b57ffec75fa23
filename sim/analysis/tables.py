"""Reading the saved tables of a run into arrays."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.analysis.goals import Goal
from sim.analysis.intervals import Floats
from sim.analysis.reached import Dates

if TYPE_CHECKING:
    import pyarrow as pa

MONTHLY_COLUMNS = {"hubs_open": "open"}
"""Metrics whose column in the monthly table has another name: hubs are counted there by state."""


class Paths(NamedTuple):
    """One national figure over time: `dates` of shape (dates,), `values` of shape (replications, dates)."""

    dates: Dates
    values: Floats

    def at(self, day: date) -> Floats:
        """Values recorded last on or before a day, which is not before the first date; shape (replications,)."""
        index = int(np.searchsorted(self.dates, np.datetime64(day, "D"), side="right")) - 1
        if index < 0:
            raise ValueError(f"nothing was recorded by {day}")
        return self.values[:, index]


def scenarios(table: pa.Table) -> list[int]:
    """Scenario numbers that occur in a table, in order."""
    return [int(number) for number in np.unique(table.column("scenario").to_numpy())]


def of_scenario(table: pa.Table, scenario: int) -> pa.Table:
    """Rows of one scenario."""
    import pyarrow as pa

    return table.filter(pa.array(table.column("scenario").to_numpy() == scenario))


def finished(runs: pa.Table) -> pa.Table:
    """Rows of replications that ended without an error."""
    return runs.filter(runs.column("error").is_null())


def reached(runs: pa.Table, goal: Goal) -> Dates:
    """First date at which each replication met a goal's level, shape (replications,); NaT: never."""
    return runs.column(f"reached.{goal.name}").to_numpy().astype("datetime64[D]")


def met_by_date(runs: pa.Table, goal: Goal) -> tuple[int, int]:
    """How many replications met a goal by its date, and how many there are."""
    first = reached(runs, goal)
    return int(np.sum(first <= np.datetime64(goal.by, "D"))), first.size


def metric_dates(runs: pa.Table, metric: str) -> list[date]:
    """Dates at which the runs table holds a metric, in order."""
    names = (name.partition("@") for name in runs.column_names)
    return sorted(date.fromisoformat(day) for name, at, day in names if at and name == metric)


def values(runs: pa.Table, column: str) -> Floats:
    """Finite values of a column of the runs table, shape (replications that have one,)."""
    x = runs.column(column).to_numpy().astype(np.float64)
    return x[np.isfinite(x)]


def national(monthly: pa.Table, metric: str, scenario: int = 0) -> Paths:
    """National total of a metric over time, in the metric's unit: the sum over kinds of site and regions.

    Raises
    ------
    ValueError
        If replications differ in the rows they have, so that a sum would be silently too small.
    """
    rows = of_scenario(monthly, scenario)
    dates, when = np.unique(rows.column("month_end").to_numpy().astype("datetime64[D]"), return_inverse=True)
    replications, who = np.unique(rows.column("replication").to_numpy(), return_inverse=True)
    cell = who * dates.size + when
    cells = replications.size * dates.size
    if cells and np.ptp(np.bincount(cell, minlength=cells)):
        raise ValueError("monthly table: some replications lack rows that others have")
    amounts = rows.column(MONTHLY_COLUMNS.get(metric, metric)).to_numpy().astype(np.float64)
    totals: Floats = np.bincount(cell, weights=amounts, minlength=cells).astype(np.float64)
    return Paths(dates, totals.reshape(replications.size, dates.size))
