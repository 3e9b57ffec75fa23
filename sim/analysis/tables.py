"""Reading the saved tables of a run into arrays."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.analysis.goals import Goal
from sim.analysis.intervals import Floats
from sim.analysis.reached import Dates

if TYPE_CHECKING:
    import pyarrow as pa

MONTHLY_COLUMNS = {"hubs_open": "open", "sites_open": "open"}
"""Metrics whose column in the monthly table has another name: sites are counted there by state."""
HUBS = {"hubs_open": "hub"}
"""Metrics that count one kind of site without saying so."""
QUANTILES = {"p05": 0.05, "p10": 0.10, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p90": 0.90, "p95": 0.95}
FEW = 20
"""Below this many replications the outer quantiles are made up between runs."""


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

    def between(self, day: date) -> Floats | None:
        """Values on a day, linear between the recorded dates, shape (replications,); None outside these dates."""
        dates, x = self.dates.astype(np.float64), np.datetime64(day, "D").astype(np.float64)
        if not dates.size or not dates[0] <= x <= dates[-1]:
            return None
        return np.array([np.interp(x, dates, path) for path in self.values])


def quantiles(values: Floats) -> dict[str, Floats]:
    """`QUANTILES` over replications, each of shape (dates,), of `values` of shape (replications, dates) or fewer."""
    return dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values()), axis=0), strict=True))


def scenarios(table: pa.Table) -> list[int]:
    """Scenario numbers that occur in a table, in order."""
    return [int(number) for number in np.unique(table.column("scenario").to_numpy())]


def of_scenario(table: pa.Table, scenario: int) -> pa.Table:
    """Rows of one scenario."""
    return _rows(table, "scenario", scenario)


def of_kind(table: pa.Table, kind: str) -> pa.Table:
    """Rows of one kind of site."""
    return _rows(table, "kind", kind)


def of_region(table: pa.Table, region: str) -> pa.Table:
    """Rows of one region."""
    return _rows(table, "region", region)


def _rows(table: pa.Table, column: str, value: object) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.equal(table.column(column), value))


def finished(runs: pa.Table) -> pa.Table:
    """Rows of replications that ended without an error."""
    return runs.filter(runs.column("error").is_null())


def simulated(runs: pa.Table) -> list[str]:
    """Kinds of sites that were simulated, in order."""
    names = (name.partition("@")[0].partition(".") for name in runs.column_names)
    return list(dict.fromkeys(system for name, _, system in names if name == "sites_open"))


def reached(runs: pa.Table, goal: Goal) -> Dates:
    """First date at which each replication met a goal's level, shape (replications,); NaT: never."""
    return runs.column(f"reached.{goal.name}").to_numpy().astype("datetime64[D]")


def met(runs: pa.Table, goal: Goal) -> NDArray[np.bool_]:
    """Whether each replication met a goal: by its date, or on it if the level must be held; shape (replications,)."""
    if goal.held:
        name = f"{goal.metric}@{goal.by}"
        if name not in runs.column_names:
            return np.zeros(len(runs), bool)
        return np.nan_to_num(runs.column(name).to_numpy().astype(np.float64), nan=-np.inf) >= goal.level
    return reached(runs, goal) <= np.datetime64(goal.by, "D")


def met_by_date(runs: pa.Table, goal: Goal) -> tuple[int, int]:
    """How many replications met a goal by its date, and how many there are."""
    each = met(runs, goal)
    return int(np.sum(each)), each.size


def metric_dates(runs: pa.Table, metric: str) -> list[date]:
    """Dates at which the runs table holds a metric, in order."""
    names = (name.partition("@") for name in runs.column_names)
    return sorted(date.fromisoformat(day) for name, at, day in names if at and name == metric)


def values(runs: pa.Table, column: str) -> Floats:
    """Finite values of a column of the runs table, shape (replications that have one,)."""
    x = runs.column(column).to_numpy().astype(np.float64)
    return x[np.isfinite(x)]


def has_paths(monthly: pa.Table, metric: str) -> bool:
    """Whether the monthly table says how a metric went, which it does not of those of the programme as a whole."""
    name = metric.partition(".")[0]
    return name == "women_share" or MONTHLY_COLUMNS.get(name, name) in monthly.column_names


def national(monthly: pa.Table, metric: str, scenario: int = 0) -> Paths:
    """National total of a metric over time, in the metric's unit: the sum over kinds of site and regions.

    `metric` may name one system, as jobs_supported.hub does. A share is that of people; nan where there are none.

    Raises
    ------
    ValueError
        If replications differ in the rows they have, so that a sum would be silently too small.
    """
    name, _, system = metric.partition(".")
    if name == "women_share":
        dates, people = national(monthly, metric.replace(name, "jobs_supported"), scenario)
        women = national(monthly, metric.replace(name, "women"), scenario).values
        return Paths(dates, np.divide(women, people, out=np.full(people.shape, np.nan), where=people > 0))
    column = MONTHLY_COLUMNS.get(name, name)
    rows = of_scenario(monthly.select(["scenario", "replication", "month_end", "kind", column]), scenario)
    if system := system or HUBS.get(name, ""):
        rows = of_kind(rows, system)
    dates, when = np.unique(rows.column("month_end").to_numpy().astype("datetime64[D]"), return_inverse=True)
    replications, who = np.unique(rows.column("replication").to_numpy(), return_inverse=True)
    cell = who * dates.size + when
    cells = replications.size * dates.size
    if cells and np.ptp(np.bincount(cell, minlength=cells)):
        raise ValueError("monthly table: some replications lack rows that others have")
    amounts = rows.column(column).to_numpy().astype(np.float64)
    totals: Floats = np.bincount(cell, weights=amounts, minlength=cells).astype(np.float64)
    return Paths(dates, totals.reshape(replications.size, dates.size))
