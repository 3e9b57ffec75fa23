"""Which inputs matter: Sobol indices, elementary effects and one-at-a-time swings, with luck told from parameters.

A run is f(x, w): parameters x and luck w. What is analysed is its expectation over luck, g(x) = E[f(x, w) | x]. Each
design point is run with the same few lucks as its neighbours, and wherever a formula has a product of two values of g,
it is estimated by products of runs with *different* lucks: their expectation is the product of the two g, without the
variance of luck on top, and the luck that neighbours share cancels from their differences. So no index is inflated by
luck, and two lucks a point are enough, for a yes or no as well as for a number.

Sobol indices: Saltelli et al. (2010), Computer Physics Communications 181, 259-270, formulas (b) and (f) of table 2,
which scipy.stats.sobol_indices has for functions without luck. Elementary effects: Morris (1991), Technometrics 33,
161-174, with the mean of absolute effects of Campolongo, Cariboni and Saltelli (2007), Environmental Modelling &
Software 22, 1509-1518.
"""

from __future__ import annotations

from math import ceil, inf, nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from sim.analysis.intervals import Estimate, Floats, mean

CERTAIN = 0.95
TAILS = (0.025, 0.975)
NONE = Estimate(nan, nan, nan, 0)


class Indices(NamedTuple):
    """Sobol indices of every input, with 95% bootstrap intervals.

    `first` and `total` are shares of the variance of the expectation g(x); `luck` is the share of the variance of a
    single run that is luck. `resampled` has the total indices of every resample, shape (resamples, inputs). The indices
    are nan where g cannot be told from a constant.
    """

    first: list[Estimate]
    total: list[Estimate]
    luck: Estimate
    mean: float
    sd: float
    resampled: Floats


def cross(u: Floats, v: Floats) -> Floats:
    """Mean product of two values with different lucks, over the last axis (at least two lucks)."""
    lucks = u.shape[-1]
    return (u.sum(-1) * v.sum(-1) - (u * v).sum(-1)) / (lucks * (lucks - 1))


def sobol(a: Floats, b: Floats, ab: Floats, resamples: int, rng: np.random.Generator) -> Indices:
    """Sobol indices of the expectation over luck.

    Parameters
    ----------
    a, b : ndarray, shape (rows, lucks)
        Runs at the rows of the matrices A and B.
    ab : ndarray, shape (inputs, rows, lucks)
        Runs at the rows of A with one input taken from B.
    resamples : int
        Bootstrap resamples of rows. Rows of a quasi-random design are more even than independent ones, so the
        intervals tend to be too wide.
    """
    rows = len(a)
    centre = float(np.mean([a, b]))
    a, b, ab = a - centre, b - centre, ab - centre
    # Contributions of the rows, shape (rows,) or (rows, inputs): every figure is a ratio of their means.
    variance = (cross(a, a) + cross(b, b)) / 2
    spread = ((a**2).mean(-1) + (b**2).mean(-1)) / 2
    first = cross(b, ab - a).T
    total = cross(a - ab, a - ab).T / 2
    weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=resamples) / rows
    explained, whole = weights @ variance, weights @ spread
    shares = np.clip(
        [1 - _ratio(variance.mean(), spread.mean()), *np.quantile(1 - _ratio(explained, whole), TAILS)], 0, 1
    )
    luck = _estimate(shares[0], shares[1], shares[2], rows) if spread.mean() > 0 else NONE
    known = spread.mean() > 0 and np.quantile(explained, TAILS[0]) > 0
    inputs = len(ab)
    none = [NONE] * inputs
    sd = sqrt(max(0.0, float(variance.mean())))
    if not known:
        return Indices(none, none, luck, centre, sd, np.full((resamples, inputs), nan))
    found = []
    for part in (first, total):
        again = (weights @ part) / explained[:, None]
        low, high = np.quantile(again, TAILS, axis=0)
        found.append((part.mean(axis=0) / variance.mean(), low, high, again))
    (s, s_low, s_high, _), (t, t_low, t_high, again) = found
    return Indices(
        [_estimate(*one, rows) for one in zip(s, s_low, s_high, strict=True)],
        [_estimate(*one, rows) for one in zip(t, t_low, t_high, strict=True)],
        luck, centre, sd, again,
    )  # fmt: skip


def _estimate(value: float, low: float, high: float, n: int) -> Estimate:
    return Estimate(float(value), float(low), float(high), n)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(np.asarray(part, dtype=np.float64)), where=np.asarray(whole) > 0)


class Rank(NamedTuple):
    """How sure it is that the input in a place of the ranking comes before the next.

    `share` is that of the resamples in which it does; `times` how many times as many rows would tell it apart with
    95% confidence, if the difference is what it seems (1: it is told; inf: there is no difference).
    """

    input: int
    share: float
    times: float


def ranking(values: Floats, resampled: Floats, places: int) -> list[Rank]:
    """The first places by value; `values` of shape (inputs,), `resampled` of shape (resamples, inputs)."""
    order = np.argsort(-values, kind="stable")
    found = []
    for place in range(min(places, len(order) - 1)):
        one, other = order[place], order[place + 1]
        gap = resampled[:, one] - resampled[:, other]
        share = float(np.mean(gap > 0))
        distance = float(values[one] - values[other])
        times = 1.0 if share >= CERTAIN else (
            max(1.0, (ndtri(CERTAIN) * float(gap.std()) / distance) ** 2) if distance > 0 else inf
        )  # fmt: skip
        found.append(Rank(int(one), share, times))
    return found


class Effects(NamedTuple):
    """Elementary effects of an input: mean (t interval), mean of absolute values (bootstrap), standard deviation.

    `sigma` is that of the effect between places of the cube, without luck; the mean of absolute values is still raised
    a little by luck where the effect is small.
    """

    mu: Estimate
    mu_star: Estimate
    sigma: float


def morris(effects: Floats, resamples: int, rng: np.random.Generator) -> list[Effects]:
    """Elementary effects over trajectories; `effects` of shape (trajectories, inputs, lucks)."""
    n = len(effects)
    each = effects.mean(axis=2)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    low, high = np.quantile(weights @ np.abs(each), TAILS, axis=0)
    square = cross(effects, effects).mean(axis=0)
    found = []
    for i in range(effects.shape[1]):
        mu = mean(each[:, i])
        star = Estimate(float(np.abs(each[:, i]).mean()), float(low[i]), float(high[i]), n)
        bias = float(each[:, i].var(ddof=1)) / n if n > 1 else 0.0  # of the squared mean
        found.append(Effects(mu, star, sqrt(max(0.0, float(square[i]) - mu.value**2 + bias))))
    return found


def more(times: float, runs: int) -> int:
    """So many runs in two significant digits, never rounded down; 0 if there is no end of it."""
    if times == inf:
        return 0
    n = ceil(times * runs)
    size = 10 ** max(0, len(str(n)) - 2)
    return ceil(n / size) * size
