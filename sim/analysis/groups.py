"""Shares and means over runs that come in groups: those that begin with the same state are alike.

`group` is a number for each run, shape (n,), equal for the runs of a group. Where each run is a group of its own, all
of this is what it is for independent runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sim.analysis import intervals
from sim.analysis.intervals import Estimate, Floats

Groups = NDArray[np.intp]
UPPER = 0.975


def numbered(group: Groups) -> Groups:
    """The same groups with numbers from 0 up, none left out."""
    return np.unique(group, return_inverse=True)[1]


def members(group: Groups) -> list[NDArray[np.intp]]:
    """Rows of each group."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def design_effect(residuals: NDArray[np.floating], group: Groups) -> float:
    """How many times as large the variance of a sum is as with independent runs; at least 1.

    Sums of the residuals by group against the residuals themselves (Kish 1965, Survey Sampling, 8.2; of a ratio the
    residuals of its linear approximation, Cochran 1977, Sampling Techniques, 6.3). Where they say nothing, as with one
    group or without any spread, a group counts as one run.
    """
    n, sums = len(group), np.bincount(numbered(group), residuals)
    alone = float(residuals @ residuals)
    if len(sums) == 1 or alone == 0:
        return n / len(sums)
    return max(1.0, float(sums @ sums) / alone * (1 - 1 / n) / (1 - 1 / len(sums)))


def share(hits: NDArray[np.bool_], group: Groups) -> Estimate:
    """Share of hits with Wilson's 95% interval at the effective number of runs.

    That is n over the design effect, and less for few groups, by the ratio of the squared t quantiles (Korn and
    Graubard 1998, Survey Methodology 24, 193-201; with Wilson's interval Dean and Pagano 2015, Journal of Survey
    Statistics and Methodology 3, 484-503).
    """
    n, number = len(hits), len(np.unique(group))
    if not n:
        return intervals.proportion(0, 0)
    value = float(hits.mean())
    effective = n / design_effect(hits - value, group)
    if number > 1:
        effective *= float(stdtrit(n - 1, UPPER) / stdtrit(number - 1, UPPER)) ** 2
    low, high = intervals.wilson(value * effective, effective)
    return Estimate(value, float(low), float(high), n)


def mean(values: Floats, group: Groups) -> Estimate:
    """Mean with Student's 95% interval, its variance that of the groups and as many degrees of freedom less one."""
    value, low, high, n = intervals.mean(values)
    number = len(np.unique(group))
    if number < 2:
        return Estimate(value, np.nan, np.nan, n)
    wider = np.sqrt(design_effect(values - value, group)) * stdtrit(number - 1, UPPER) / stdtrit(n - 1, UPPER)
    return Estimate(value, value - float(wider) * (value - low), value + float(wider) * (high - value), n)
