"""When a goal is reached: the empirical distribution of dates, with runs that never got there.

Every replication is followed to the same horizon, so a goal not reached by then is censored there and
nowhere earlier. With a single censoring time the Kaplan-Meier estimate is the plain share of
replications that got there (Kaplan and Meier 1958, J. Am. Stat. Assoc. 53, 457-481), for dates up to
the horizon; beyond it nothing is known.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.analysis.intervals import Floats, wilson

Dates = NDArray[np.datetime64]


class Curve(NamedTuple):
    """Probability that a goal is reached by each date, with an interval: four arrays of shape (dates,), and n."""

    dates: Dates
    probability: Floats
    low: Floats
    high: Floats
    n: int


def reached_by(reached: ArrayLike, grid: ArrayLike, confidence: float = 0.95) -> Curve:
    """Share of replications that reached a goal by each date of a grid.

    Parameters
    ----------
    reached : array_like of datetime64[D], shape (n,)
        First date at which the goal was met; NaT (or None): not within the horizon.
    grid : array_like of datetime64[D], shape (dates,)
        Dates up to the horizon, which the caller must not exceed. "By" a date includes that date.
    confidence : float
        Nominal coverage of the Wilson interval at each date. The band is pointwise: it covers the curve
        at any one date given beforehand, not at all dates at once.
    """
    first = _dates(reached)
    dates = _dates(grid)
    counts = np.searchsorted(np.sort(first[~np.isnat(first)]), dates, side="right")
    return _curve(dates, counts, first.size, confidence)


def held_on(values: ArrayLike, level: float, grid: ArrayLike, confidence: float = 0.95) -> Curve:
    """Share of replications that have at least a level on each date of a grid, whatever they had before.

    Parameters
    ----------
    values : array_like, shape (n, dates)
        Values of each replication; nan is below any level.
    level : float
        What must be met.
    grid, confidence
        As for `reached_by`.
    """
    x = np.asarray(values, dtype=np.float64)
    return _curve(_dates(grid), np.sum(x >= level, axis=0), len(x), confidence)


def median_date(reached: ArrayLike) -> date | None:
    """Earliest date by which at least half of the replications reached the goal; None if fewer than half did."""
    first = np.sort(_dates(reached))  # NaT sorts last
    middle = first[(first.size + 1) // 2 - 1] if first.size else np.datetime64("NaT", "D")
    return None if np.isnat(middle) else middle.item()


def _curve(dates: Dates, counts: NDArray[np.intp], n: int, confidence: float) -> Curve:
    """Shares of `n` replications with their intervals, from the counts at each date."""
    share = counts / n if n else np.full(dates.shape, np.nan)
    return Curve(dates, share, *wilson(counts, n, confidence), n)


def _dates(values: ArrayLike) -> Dates:
    return np.asarray(values, dtype="datetime64[D]")
