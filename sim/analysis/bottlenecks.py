"""What holds a programme back: the gap to a goal shared out over limits, and what hubs wait for, month by month."""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.analysis.intervals import Estimate, Floats, mean
from sim.analysis.tables import of_kind, of_scenario
from sim.analysis.time_use import STAGES

if TYPE_CHECKING:
    import pyarrow as pa

STATES = (
    "waiting for the committee",
    "evaluation",
    "loan, site and partner",
    "waiting for programme money",
    "waiting for a contractor",
    "fit-out",
    "connectivity",
)
"""What a hub under way may be at. Three of them are waiting for something that is scarce."""
WAITING = {"evaluation": 0, "money": 3, "fit_out": 4}
WORKING = {"evaluation": 1, "finance": 2, "fit_out": 5, "connectivity": 6}
ENTERED = ("applied", "evaluated", "financed", "funded", "fitted_out")
"""Columns of the table of sites with the day on which a hub entered each stage."""


class Share(NamedTuple):
    """What removing a limit adds: its Shapley value, alone (nothing else removed), and last (all others removed)."""

    shapley: Estimate
    alone: Estimate
    last: Estimate


def shapley(values: Floats) -> Floats:
    """Shapley values of k limits, run by run: shape (k, n).

    Parameters
    ----------
    values : ndarray of shape (2**k, n)
        Outcome of n runs; in row s those limits are removed whose bit is set in s.

    Notes
    -----
    Mean of what a limit's removal adds over all orders in which the limits may be removed (Shapley 1953, in
    Contributions to the Theory of Games II). In every run the k values add up to the difference between the last row
    and the first; interactions are shared evenly among the limits that interact.
    """
    rows = len(values)
    k = rows.bit_length() - 1
    if rows != 1 << k or not k:
        raise ValueError(f"needs a row for every combination of limits, got {rows}")
    sets = np.arange(rows)
    size = np.array([int(s).bit_count() for s in sets])
    found = np.empty((k, values.shape[1]))
    for i in range(k):
        without = sets[sets & (1 << i) == 0]
        weight = np.array([factorial(m) * factorial(k - m - 1) / factorial(k) for m in size[without]])
        found[i] = weight @ (values[without | 1 << i] - values[without])
    return found


def shares(values: Floats) -> list[Share]:
    """Share of every limit in the difference that removing all of them makes, with 95% t intervals over runs."""
    each = shapley(values)
    everything = len(values) - 1
    return [
        Share(mean(each[i]), mean(values[1 << i] - values[0]), mean(values[-1] - values[everything ^ (1 << i)]))
        for i in range(len(each))
    ]


def under_way(sites: pa.Table, start: np.datetime64, days: NDArray[np.datetime64], regions: list[str]) -> Floats:
    """Hubs under way on some days by what they are at, summed over runs: shape (regions, days, STATES).

    Days count to their end. How long a hub that was under way on the start date had waited is not known: it counts as
    at work in its first stage, or as waiting if that is the wait for money.
    """
    rows = of_kind(of_scenario(sites, 0), "hub")
    region = np.array([regions.index(name) for name in rows.column("region").to_pylist()], dtype=int)
    entered = np.array([_days(rows, name) for name in ENTERED])
    ended = _days(rows, "ended")
    backlog = rows.column("origin").to_numpy(zero_copy_only=False) == "backlog"
    began = float(start.astype("datetime64[D]").astype(int))
    earliest = np.fmin.reduce(entered[1:], axis=0)
    entered[0] = np.where(backlog & ~(earliest <= began), began, entered[0])  # in evaluation on the start date
    counts = np.zeros((len(regions), days.size, len(STATES)))
    for i, stage in enumerate(STAGES):
        left = np.fmin(entered[i + 1], ended) if i + 1 < len(ENTERED) else ended
        left = np.where(np.isnan(left), np.inf, left)
        wait = rows.column(f"{stage}_wait_days").to_numpy().astype(np.float64)
        until = entered[i] + np.where(np.isnan(wait), np.inf if stage == "money" else 0.0, wait)
        for d, day in enumerate(days.astype("datetime64[D]").astype(int)):
            here = (entered[i] <= day) & (day < left)
            waits = here & (day + 1 <= until)
            for mask, state in ((waits, WAITING.get(stage)), (here & ~waits, WORKING.get(stage))):
                if state is None:  # all of it is one or the other
                    state = WAITING.get(stage, WORKING.get(stage))
                assert state is not None
                counts[:, d, state] += np.bincount(region[mask], minlength=len(regions))
    return counts


def _days(rows: pa.Table, column: str) -> Floats:
    """Dates as days since 1970; nan for none."""
    dates = rows.column(column).to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(dates), np.nan, dates.astype(np.int64).astype(np.float64))
