"""PRIM, the patient rule induction method: boxes of inputs in which an outcome is concentrated.

Friedman and Fisher (1999), Statistics and Computing 9, 123-143; for scenario discovery Bryant and Lempert (2010),
Technological Forecasting and Social Change 77, 34-49, with coverage, density, quasi-p-values and resampling. Steps are
chosen by the gain in density for each share of runs lost, so that inputs with few values do not win by size alone
(Kwakkel and Jaxa-Rozen 2016, Environmental Modelling & Software 79, 311-321).

Runs that begin with the same state are alike, and share the inputs that come with it. So whatever says how sure a box
is takes the `group` of each run (`sim.analysis.groups`), and compares groups, not runs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from sim.analysis import groups
from sim.analysis.groups import Groups, members
from sim.analysis.intervals import Estimate, Floats

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


def measure(box: Box, x: Floats, y: Mask, group: Groups) -> Measures:
    """Coverage and density of a box with their 95% intervals by groups, and its share of the runs."""
    inside = box.holds(x)
    return Measures(groups.share(inside[y], group[y]), groups.share(y[inside], group[inside]), float(inside.mean()))


class Peel(NamedTuple):
    """A box of a peeling trajectory, the runs in it, and how many of these are of interest."""

    box: Box
    runs: int
    hits: int


def peel(x: Floats, y: Mask, share: float, least: float) -> list[Peel]:
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
    order = np.argsort(x.T, axis=1, kind="stable")
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


def find(x: Floats, y: Mask, group: Groups, share: float, least: float, coverage: float) -> Box:
    """The densest box with this coverage, of inputs whose limits are not likely to be chance.

    Peeling limits many inputs a little. So the less significant half of the limits with a quasi-p-value above
    `INSIGNIFICANT` is dropped and the peeling done again without these inputs, until all that are left are significant.
    """
    inputs = np.arange(x.shape[1])
    while inputs.size:
        z = x[:, inputs]
        box = densest(peel(z, y, share, least), coverage).box
        limits = quasi_p(box, z, y, group)
        poor = sorted((i for i, p in limits.items() if p > INSIGNIFICANT), key=lambda i: -limits[i])
        dropped = poor[: -(-len(poor) // 2)]
        if not dropped:
            whole = np.tile([-np.inf, np.inf], (x.shape[1], 1))
            whole[inputs] = box.limits
            return Box(whole)
        inputs = np.array([inputs[i] for i in box.limited if i not in dropped], dtype=int)
    return Box(np.tile([-np.inf, np.inf], (x.shape[1], 1)))


def quasi_p(box: Box, x: Floats, y: Mask, group: Groups) -> dict[int, float]:
    """How likely the density would be by chance if the limits of an input did nothing, by input (Bryant and Lempert).

    The box without them has the density q; P(at least as many cases | binomial(runs in the box, q)), with runs and
    cases divided by the design effect of the difference that the limits make, were it chance: those on what all runs of
    a group have in common part groups, others part the runs of each. On the runs that the box was found with it is too
    small, since the limits were looked for there: hence quasi.
    """
    inside = box.holds(x)
    n, hits = int(inside.sum()), int(np.sum(inside & y))
    found = {}
    for index in box.limited:
        wider = box.without(index).holds(x)
        if not hits:
            found[index] = 1.0
            continue
        q = float(y[wider].mean())
        difference = (y[wider] - q) * (inside[wider] / n - 1 / wider.sum())
        effect = groups.design_effect(difference, group[wider])
        found[index] = float(betainc(hits / effect, (n - hits) / effect + 1, q))
    return found


def exchanged(group: Groups, rng: np.random.Generator) -> NDArray[np.intp]:
    """Whose inputs each run is given if inputs tell nothing: all runs of a group those of some one group.

    A larger group goes through the runs of a smaller one more than once, a smaller one takes some of a larger one's.
    """
    rows = np.empty(len(group), dtype=np.intp)
    each = members(group)
    for own, other in zip(each, rng.permutation(len(each)), strict=True):
        rows[own] = np.resize(rng.permutation(each[other]), len(own))
    return rows


def chance(
    x: Floats, y: Mask, group: Groups, share: float, least: float, coverage: float, times: int, rng: np.random.Generator
) -> float:
    """P-value of the densest box at this coverage: how often one as dense is found where inputs tell nothing.

    Permutation test (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9): never below 1 / (times + 1). What is
    permuted is which group's inputs go with which group's outcomes. Outcomes of a group stay together, since what else
    its runs begin with makes them alike whatever the inputs tell: shuffled one by one they would be more even than they
    are, and any box would look dense. If the inputs tell nothing, groups are exchangeable as wholes (Winkler and others
    2014, NeuroImage 92, 381-397, whole-block exchangeability), whether an input belongs to the group, to the run, or
    partly to either; the test is exact for groups of one size, and nearly so for others, whose runs are used unevenly.
    """

    def highest(x: Floats) -> float:
        return _density(densest(peel(x, y, share, least), coverage))

    seen = highest(x)
    return (1 + sum(highest(x[exchanged(group, rng)]) >= seen for _ in range(times))) / (times + 1)


def reproduced(
    x: Floats, y: Mask, group: Groups, share: float, least: float, coverage: float, times: int, rng: np.random.Generator
) -> Floats:
    """Share of halves of the groups in whose runs each input gets a limit, by the same rule; shape (inputs,)."""
    count = np.zeros(x.shape[1])
    each = members(group)
    for _ in range(times):
        some = np.sort(np.concatenate([each[i] for i in rng.permutation(len(each))[: max(1, len(each) // 2)]]))
        if y[some].any() and not y[some].all():
            count[find(x[some], y[some], group[some], share, least, coverage).limited] += 1
    return count / times
