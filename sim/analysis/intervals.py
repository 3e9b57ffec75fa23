"""Point estimates with two-sided confidence intervals.

All intervals assume independent replications. They are made for a number of replications fixed
beforehand: under a rule that stops when the interval is narrow enough, they cover less than they claim
(`sim.analysis.precision` has what holds then).
"""

from __future__ import annotations

from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, betaincinv, ndtri, stdtrit

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A value, the ends of its confidence interval (nan where n is too small to give one) and n."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: ArrayLike, n: float, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a probability, element by element.

    Parameters
    ----------
    successes : array_like of int, any shape
        Numbers of successes, from 0 to `n`.
    n : float
        Number of trials; 0 gives nan. It and the successes may be fractions, of trials that are not independent
        (`sim.analysis.groups`).
    confidence : float
        Nominal coverage.

    Returns
    -------
    low, high : ndarray
        Ends of the intervals, in the shape of `successes`.

    Notes
    -----
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212; recommended over the Wald interval, which collapses at
    0 and n, by Brown, Cai and DasGupta (2001), Statistical Science 16, 101-133. Its coverage is close to
    nominal on average over the true probability, not guaranteed at each.
    """
    counts = np.asarray(successes, dtype=np.float64)
    if np.any(counts < 0) or np.any(counts > n):
        raise ValueError(f"successes must lie between 0 and n = {n}")
    z = ndtri(_upper(confidence))
    if n == 0:
        return np.full(counts.shape, nan), np.full(counts.shape, nan)
    share = counts / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At the ends the bound is exact; rounding would leave a few 1e-18 there.
    return np.where(counts == 0, 0.0, centre - half), np.where(counts == n, 1.0, centre + half)


def proportion(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """Share of successes with its Wilson score interval (see `wilson`)."""
    low, high = wilson(successes, n, confidence)
    return Estimate(successes / n if n else nan, float(low), float(high), n)


def clopper_pearson(successes: ArrayLike, n: int, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Exact interval of a probability, element by element (Clopper and Pearson 1934, Biometrika 26, 404-413).

    It covers with the nominal confidence at least, at every n and probability. Parameters and results as of `wilson`.
    """
    k = np.asarray(successes, dtype=np.float64)
    if np.any(k < 0) or np.any(k > n):
        raise ValueError(f"successes must lie between 0 and n = {n}")
    upper = _upper(confidence)
    if n == 0:
        return np.full(k.shape, nan), np.full(k.shape, nan)
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, 1 - upper), 0.0)
    return low, np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), upper), 1.0)


def mean(values: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean with Student's t interval (Student 1908, Biometrika 6, 1-25).

    Exact for normal values, approximate for others as n grows. The bounds are nan for fewer than two values.

    Raises
    ------
    ValueError
        If a value is not finite: leaving values out is the caller's decision, not a default.
    """
    x = _finite(values)
    n = x.size
    value = float(x.mean()) if n else nan
    half = float(stdtrit(n - 1, _upper(confidence)) * x.std(ddof=1) / sqrt(n)) if n > 1 else nan
    return Estimate(value, value - half, value + half, n)


def quantile(values: ArrayLike, q: float, confidence: float = 0.95) -> Estimate:
    """Quantile with a distribution-free interval between two order statistics.

    The value interpolates linearly (Hyndman and Fan 1996, type 7). The number of values not above the true
    quantile is binomial(n, q), so the ends are the innermost order statistics that each leave out at most
    half of 1 - `confidence`: coverage is at least nominal, for discrete values too (David and Nagaraja
    2003, Order Statistics, section 7.1). An end that no order statistic can give is nan: for the median
    this happens below 6 values, for q = 0.05 at 95% confidence the lower end needs 72.
    """
    if not 0 < q < 1:
        raise ValueError(f"q must lie strictly between 0 and 1, got {q}")
    x = np.sort(_finite(values))
    n = x.size
    if n == 0:
        return Estimate(nan, nan, nan, 0)
    upper = _upper(confidence)
    at_most = bdtr(np.arange(n), n, q)  # at_most[k] = P(k or fewer of the n values lie below the quantile)
    first = int(np.searchsorted(at_most, 1 - upper, side="right")) - 1
    last = int(np.searchsorted(at_most, upper, side="left"))
    low = float(x[first]) if first >= 0 else nan
    high = float(x[last]) if last < n else nan
    return Estimate(float(np.quantile(x, q)), low, high, n)


def paired_difference(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Mean of a - b over pairs, with the paired t interval (Law 2015, Simulation Modeling and Analysis, 10.2.1).

    Pair i of `a` and `b` (both of shape (n,)) is replication i of two scenarios under the same random streams.
    """
    x, y = _finite(a), _finite(b)
    if x.shape != y.shape:
        raise ValueError(f"pairs need as many values on either side, got {x.size} and {y.size}")
    return mean(x - y, confidence)


def _upper(confidence: float) -> float:
    """Probability below the upper end of a two-sided interval."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence}")
    return (1 + confidence) / 2


def _finite(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.all(np.isfinite(x)):
        raise ValueError("needs a one-dimensional sequence of finite values")
    return x
