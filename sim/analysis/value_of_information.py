"""Expected value of partial perfect information (EVPPI), from one set of runs by regression.

Strong, Oakley and Brennan (2014), Medical Decision Making 34, 311-326: the expected value of each option given a
parameter is a regression of its value on the parameter, so EVPPI = E[max over options] - max over options [E], both of
fitted values. No inner loop is needed, luck in the values averages out, and parameters may depend on each other. Where
options were run on the same random numbers, the regressions share their errors, which cancel in the differences.

The maximum of noisy fits is too high on average: `evppi` takes off the bias that the bootstrap shows (Efron and
Tibshirani 1993, An Introduction to the Bootstrap, chapter 10). Runs that begin with the same state are alike and share
the inputs that come with it, so that groups of runs are resampled, not runs (Davison and Hinkley 1997, Bootstrap
Methods and their Application, 3.8), and groups decide what columns a regression has (`sim.analysis.groups`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.interpolate import BSpline
from scipy.special import stdtr

from sim.analysis.groups import Groups, members, numbered
from sim.analysis.intervals import Floats
from sim.analysis.sensitivity import TAILS

DEGREES = (1, 2, 3, 4, 5)
"""Columns that a regression may have besides the constant: a line, a parabola, then cubic splines."""
FOLDS = 10
EVERYTHING = "everything unknown"


class Worth(NamedTuple):
    """What knowing an input would be worth: value with 95% interval, before the bias was taken off, and the bias.

    `changes` is the share of runs in which the decision would be another one.
    """

    name: str
    value: float
    low: float
    high: float
    uncorrected: float
    bias: float
    changes: float


def basis(x: Floats, degree: int) -> Floats:
    """Columns of a regression on one input, shape (n, degree), without the constant.

    Up to degree 2 a polynomial in the rank of `x`, else a cubic B-spline in it with evenly spaced knots. Ranks make
    the fit the same for any scale and keep outliers from having a say of their own.
    """
    u = (np.searchsorted(np.sort(x), x, "left") + np.searchsorted(np.sort(x), x, "right")) / (2 * len(x))
    if degree <= 2:
        return np.column_stack([(2 * u - 1) ** k for k in range(1, degree + 1)])
    inner = np.linspace(0, 1, degree - 1)[1:-1]
    knots = np.concatenate([np.zeros(4), inner, np.ones(4)])
    return np.asarray(BSpline.design_matrix(u, knots, 3).toarray())[:, 1:]


def columns(x: Floats, values: Floats, group: Groups) -> Floats:
    """The basis with the least error of `DEGREES`, by ten-fold cross-validation of groups; constant included.

    Runs of a group must be left out together: a group's own luck is the same in all of them, so that the runs that stay
    would vouch for a curve through it (Roberts and others 2017, Ecography 40, 913-929).

    Parameters
    ----------
    x : ndarray, shape (n,)
    values : ndarray, shape (n, options)
        Differences from the first option decide; each counts in units of its own variance.
    """
    n = len(x)
    target = values[:, 1:] - values[:, :1]
    target = target / np.where(target.std(axis=0) > 0, target.std(axis=0), 1.0)
    fold = numbered(group) % FOLDS
    best, found = np.inf, np.ones((n, 1))
    for degree in DEGREES:
        design = np.column_stack([np.ones(n), basis(x, degree)])
        error = _left_out(design, target, fold)
        if error < best * (1 - 1e-9):
            best, found = error, design
    return found


def _left_out(design: Floats, target: Floats, fold: Groups) -> float:
    """Sum of squared errors of the regressions that leave a fold out, each on that fold."""
    parts = [(design[fold == i], target[fold == i]) for i in range(FOLDS)]
    grams = np.array([x.T @ x for x, _ in parts])
    moments = np.array([x.T @ y for x, y in parts])
    gram, moment, error = grams.sum(axis=0), moments.sum(axis=0), 0.0
    for (x, y), own, its in zip(parts, grams, moments, strict=True):
        error += float(np.sum((y - x @ np.linalg.lstsq(gram - own, moment - its, rcond=None)[0]) ** 2))
    return error


def interplay(inputs: Iterable[Floats], design: Floats, values: Floats, group: Groups) -> Floats:
    """Products of two inputs, each a line in its rank, that a regression lacks; shape (n, pairs kept).

    A pair is kept where what the columns of `design` leave of any difference from the first option goes with its
    product: t tests at 5% over all pairs and options together (Bonferroni), so that chance adds hardly any. The
    variance is that of sums over groups (Liang and Zeger 1986, Biometrika 73, 13-22).
    """
    lines = np.column_stack([basis(x, 1) for x in inputs])
    products = np.multiply(*(lines[:, side] for side in np.triu_indices(lines.shape[1], 1)))

    def left(y: Floats) -> Floats:
        rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        size, nothing = np.linalg.norm(rest, axis=0), 1e-9 * np.linalg.norm(y, axis=0)
        return np.asarray(np.where(size > nothing, rest / np.where(size > nothing, size, 1.0), 0.0))

    each = members(group)
    if len(each) <= design.shape[1] + 1:
        return products[:, :0]
    rest, found = left(products), np.zeros(products.shape[1], bool)
    for y in left(values[:, 1:] - values[:, :1]).T:
        sums = np.array([y[rows] @ rest[rows] for rows in each])
        size = np.linalg.norm(sums, axis=0)
        t = np.divide(sums.sum(axis=0), size, out=np.zeros(len(size)), where=size > 0)
        p = 2 * stdtr(len(each) - design.shape[1] - 1, -np.abs(t))
        found |= p < 0.05 / max(products.shape[1] * (values.shape[1] - 1), 1)
    return np.asarray(products[:, found])


def gain(design: Floats, values: Floats, weight: Floats | None = None) -> float:
    """EVPPI of a regression on given columns: mean of the best fitted value, less the best mean of fitted values."""
    w = np.ones(len(values)) if weight is None else weight
    gram = design.T @ (design * w[:, None])
    fitted = design @ np.linalg.lstsq(gram, design.T @ (values * w[:, None]), rcond=None)[0]
    best = w @ fitted
    gained = float(w @ (fitted.max(axis=1) - fitted[:, int(best.argmax())])) / float(w.sum())
    return max(0.0, gained)


def evppi(
    inputs: Mapping[str, Floats], values: Floats, group: Groups, resamples: int, rng: np.random.Generator
) -> list[Worth]:
    """EVPPI of each input alone and of all together, most worth first; `EVERYTHING` last.

    Parameters
    ----------
    inputs : mapping of ndarray, shape (n,)
        What could be found out.
    values : ndarray, shape (n, options)
        What each option came to in each run; option columns share the run's random numbers.
    group : ndarray of int, shape (n,)
        Equal for runs that begin alike.
    resamples : int
        Bootstrap resamples of groups, from which the bias and the interval are taken (basic bootstrap, moved by the
        bias and never below 0, since to know more cannot be worth less than nothing).

    Notes
    -----
    All inputs together are taken to act on the values one by one and in those pairs that `interplay` finds: what only
    three or more of them decide is not in it.
    """
    group = numbered(group)
    designs = {name: columns(x, values, group) for name, x in inputs.items()}
    alone = np.column_stack([np.ones(len(values)), *(design[:, 1:] for design in designs.values())])
    designs[EVERYTHING] = np.column_stack([alone, interplay(inputs.values(), alone, values, group)])
    number = int(group.max()) + 1
    weights = rng.multinomial(number, np.full(number, 1 / number), size=resamples)[:, group].astype(np.float64)
    found = []
    chosen = int(values.mean(axis=0).argmax())
    for name, design in designs.items():
        raw = gain(design, values)
        again = np.array([gain(design, values, weight) for weight in weights])
        bias = float(again.mean()) - raw
        nothing = 1e-9 * float(np.ptp(values))  # what rounding leaves of a value of 0
        inner = np.quantile(again, TAILS)
        low, high = min(inner[0], 2 * raw - inner[1]), max(inner[1], 2 * raw - inner[0])
        fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
        changes = float(np.mean(fitted.argmax(axis=1) != chosen))
        value, low, high = (x if x > nothing else 0.0 for x in (raw - bias, low, max(high, raw - bias)))
        found.append(Worth(name, value, low, high, raw, bias, changes))
    return [*sorted(found[:-1], key=lambda one: (-one.value, one.name)), found[-1]]
