"""PRIM, the patient rule induction method: boxes of inputs in which an outcome is concentrated.

Friedman and Fisher (1999), Statistics and Computing 9, 123-143; for scenario discovery Bryant and Lempert (2010),
Technological Forecasting and Social Change 77, 34-49, with coverage, density, quasi-p-values and resampling. Steps are
chosen by the gain in density for each share of runs lost, so that inputs with few values do not win by size alone
(Kwakkel and Jaxa-Rozen 2016, Environmental Modelling & Software 79, 311-321).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from sim.analysis.intervals import Estimate, Floats, proportion

Mask = NDArray[np.bool_]
INSIGNIFICANT = 0.05
"""A limit whose quasi-p-value is above this is dropped."""


class Box(NamedTuple):
    """Limits of a box, shape (inputs, 2): low < x < high; infinite where there is none."""

    limits: Floats

    def holds(self, x: Floats) -> Mask:
        """Which rows of `x`, shape (n, inputs), lie in the box."""
        return np.all((x > self.limits[:, 0]) & (x < self.limits[:, 1]), axis=1)

    @property
    def limited(self) -> list[int]:
        """Inputs that have a limit."""
        return np.flatnonzero(np.isfinite(self.limits).any(axis=1)).tolist()

    def without(self, index: int) -> Box:
        """The box without the limits of an input."""
        limits = self.limits.copy()
        limits[index] = -np.inf, np.inf
        return Box(limits)


class Measures(NamedTuple):
    """What a box is worth: share of cases of interest in it, share of its runs that are of interest, share of runs."""

    coverage: Estimate
    density: Estimate
    mass: float


def measure(box: Box, x: Floats, y: Mask) -> Measures:
    """Coverage and density of a box with their 95% Wilson intervals, and its share of the runs."""
    inside = box.holds(x)
    hits = int(np.sum(inside & y))
    return Measures(proportion(hits, int(y.sum())), proportion(hits, int(inside.sum())), float(inside.mean()))


def peel(x: Floats, y: Mask, share: float, least: float) -> list[Box]:
    """The peeling trajectory: from the box of everything inwards, a share of the runs in the box at a time.

    Parameters
    ----------
    x : ndarray, shape (n, inputs)
        Inputs of the runs.
    y : ndarray of bool, shape (n,)
        Runs of interest.
    share, least : float
        Share of the box that a step peels off (more where values are tied), and share of all runs a box must keep.
    """
    box = Box(np.tile([-np.inf, np.inf], (x.shape[1], 1)))
    path = [box]
    inside = np.arange(len(y))
    while True:
        best = _step(x[inside], y[inside], share, least * len(y))
        if best is None:
            return path
        index, side, limit = best
        limits = box.limits.copy()
        limits[index, side] = limit
        box = Box(limits)
        inside = inside[box.holds(x[inside])]
        path.append(box)


def _step(x: Floats, y: Mask, share: float, least: float) -> tuple[int, int, float] | None:
    """Input, side and limit of the peel that gains most density for each run lost; None if none is allowed."""
    n = len(y)
    k = max(1, int(share * n))
    if n - k < least or y.all():
        return None
    order = np.argsort(x, axis=0, kind="stable")
    values = np.take_along_axis(x, order, axis=0)
    below = np.vstack([np.zeros(x.shape[1]), np.cumsum(y[order], axis=0)])
    density, best, found = y.mean(), -np.inf, None
    for index in range(x.shape[1]):
        column = values[:, index]
        for side in (0, 1):
            if side == 0:
                cut = int(np.searchsorted(column, column[k - 1], "right"))  # how many are peeled off below
                kept, hits = n - cut, below[n, index] - below[cut, index]
            else:
                cut = int(np.searchsorted(column, column[n - k], "left"))  # how many are kept below
                kept, hits = cut, below[cut, index]
            if kept < least or kept in (0, n):
                continue
            gain = (hits / kept - density) / (n - kept)
            if gain > best:
                best, found = gain, (index, side, float(column[cut - 1] + column[cut]) / 2)
    return found


def densest(path: list[Box], x: Floats, y: Mask, coverage: float) -> Box:
    """The densest box of a trajectory that still covers so much of the cases."""
    each = [(measure(box, x, y), box) for box in path]
    return max(((one.density.value, box) for one, box in each if one.coverage.value >= coverage), key=_first)[1]


def _first(pair: tuple[float, Box]) -> float:
    return pair[0]


def find(x: Floats, y: Mask, share: float, least: float, coverage: float) -> Box:
    """The densest box with this coverage, of inputs whose limits are not likely to be chance.

    Peeling limits many inputs a little. So the less significant half of the limits with a quasi-p-value above
    `INSIGNIFICANT` is dropped and the peeling done again without these inputs, until all that are left are significant.
    """
    inputs = np.arange(x.shape[1])
    while inputs.size:
        z = x[:, inputs]
        box = densest(peel(z, y, share, least), z, y, coverage)
        limits = quasi_p(box, z, y)
        poor = sorted((i for i, p in limits.items() if p > INSIGNIFICANT), key=lambda i: -limits[i])
        dropped = poor[: -(-len(poor) // 2)]
        if not dropped:
            whole = np.tile([-np.inf, np.inf], (x.shape[1], 1))
            whole[inputs] = box.limits
            return Box(whole)
        inputs = np.array([inputs[i] for i in box.limited if i not in dropped], dtype=int)
    return Box(np.tile([-np.inf, np.inf], (x.shape[1], 1)))


def quasi_p(box: Box, x: Floats, y: Mask) -> dict[int, float]:
    """How likely the density would be by chance if the limits of an input did nothing, by input (Bryant and Lempert).

    The box without them has the density q; P(at least as many cases | binomial(runs in the box, q)). On the runs that
    the box was found with it is too small, since the limits were looked for there: hence quasi.
    """
    inside = box.holds(x)
    n, hits = int(inside.sum()), int(np.sum(inside & y))
    found = {}
    for index in box.limited:
        wider = box.without(index).holds(x)
        q = float(y[wider].mean()) if wider.any() else 0.0
        found[index] = 1.0 if hits == 0 else float(bdtrc(hits - 1, n, q))
    return found


def chance(
    x: Floats, y: Mask, share: float, least: float, coverage: float, times: int, rng: np.random.Generator
) -> float:
    """P-value of the densest box at this coverage: how often shuffled outcomes give one as dense.

    Permutation test (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9): never below 1 / (times + 1).
    """

    def highest(y: Mask) -> float:
        return measure(densest(peel(x, y, share, least), x, y, coverage), x, y).density.value

    seen = highest(y)
    return (1 + sum(highest(rng.permutation(y)) >= seen for _ in range(times))) / (times + 1)


def reproduced(
    x: Floats, y: Mask, share: float, least: float, coverage: float, times: int, rng: np.random.Generator
) -> Floats:
    """Share of half samples of the runs in which each input gets a limit, by the same rule; shape (inputs,)."""
    count = np.zeros(x.shape[1])
    for _ in range(times):
        some = np.sort(rng.permutation(len(y))[: len(y) // 2])
        if y[some].any() and not y[some].all():
            count[find(x[some], y[some], share, least, coverage).limited] += 1
    return count / times
