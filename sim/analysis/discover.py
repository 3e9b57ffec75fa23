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


class Peel(NamedTuple):
    """A box of a peeling trajectory, the runs in it, and how many of these are of interest."""

    box: Box
    runs: int
    hits: int


def ascending(x: Floats) -> NDArray[np.intp]:
    """For each input the rows of `x`, shape (n, inputs), in the order of its values; shape (inputs, n)."""
    return np.argsort(x.T, axis=1, kind="stable")


def peel(x: Floats, y: Mask, share: float, least: float, order: NDArray[np.intp] | None = None) -> list[Peel]:
    """The peeling trajectory: from the box of everything inwards, a share of the runs in the box at a time.

    Parameters
    ----------
    x : ndarray, shape (n, inputs)
        Inputs of the runs.
    y : ndarray of bool, shape (n,)
        Runs of interest.
    share, least : float
        Share of the box that a step peels off (more where values are tied), and share of all runs a box must keep.
    order : ndarray of int, shape (inputs, n), optional
        `ascending` of `x`, for who peels the same inputs more than once.
    """
    order = ascending(x) if order is None else order
    values = np.take_along_axis(x.T, order, axis=1)
    limits = np.tile([-np.inf, np.inf], (x.shape[1], 1))
    path = [Peel(Box(limits), len(y), int(y.sum()))]
    inside = np.ones(len(y), bool)
    while (best := _step(values, y[order], share, least * len(y))) is not None:
        index, side, limit = best
        limits = limits.copy()
        limits[index, side] = limit
        inside &= x[:, index] > limit if side == 0 else x[:, index] < limit
        stay = inside[order]
        order, values = order[stay].reshape(len(order), -1), values[stay].reshape(len(order), -1)
        path.append(Peel(Box(limits), order.shape[1], int(y[inside].sum())))
    return path


def _step(values: Floats, y: Mask, share: float, least: float) -> tuple[int, int, float] | None:
    """Input, side and limit of the peel that gains most density for each run lost; None if none is allowed.

    Both arrays have a row an input, its values ascending and the outcomes of the same runs.
    """
    rows, n = np.arange(len(values)), values.shape[1]
    k = max(1, int(share * n))
    if n - k < least or not len(values) or y[0].all():
        return None
    hits = np.zeros((len(values), n + 1))
    np.cumsum(y, axis=1, out=hits[:, 1:])
    off = np.sum(values <= values[:, k - 1 : k], axis=1)  # so many are peeled off below, or
    kept = np.sum(values < values[:, n - k : n - k + 1], axis=1)  # kept below
    left = np.column_stack([n - off, kept])
    cases = np.column_stack([hits[:, n] - hits[rows, off], hits[rows, kept]])
    allowed = (left >= least) & (left > 0) & (left < n)
    if not allowed.any():
        return None
    gain = np.full(left.shape, -np.inf)
    gain[allowed] = (cases[allowed] / left[allowed] - hits[0, n] / n) / (n - left[allowed])
    index, side = divmod(int(np.argmax(gain)), 2)
    cut = int((off, kept)[side][index])
    return index, side, float(values[index, cut - 1] + values[index, cut]) / 2


def densest(path: list[Peel], coverage: float) -> Peel:
    """The densest box of a trajectory that still covers so much of the cases."""
    return max((one for one in path if one.hits / path[0].hits >= coverage), key=_density)


def _density(one: Peel) -> float:
    return one.hits / one.runs


def find(x: Floats, y: Mask, share: float, least: float, coverage: float) -> Box:
    """The densest box with this coverage, of inputs whose limits are not likely to be chance.

    Peeling limits many inputs a little. So the less significant half of the limits with a quasi-p-value above
    `INSIGNIFICANT` is dropped and the peeling done again without these inputs, until all that are left are significant.
    """
    inputs = np.arange(x.shape[1])
    while inputs.size:
        z = x[:, inputs]
        box = densest(peel(z, y, share, least), coverage).box
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

    order = ascending(x)

    def highest(y: Mask) -> float:
        return _density(densest(peel(x, y, share, least, order), coverage))

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
