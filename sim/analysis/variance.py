"""Fewer runs for the same answer: intervals that know the design, and control variates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from sim.analysis import words
from sim.analysis.intervals import Floats, mean
from sim.analysis.tables import finished
from sim.model.distributions import Distribution, parse

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.model.parameters import Known, Parameter

MIDPOINTS = (np.arange(2000) + 0.5) / 2000
PER_CONTROL = 5
"""So many runs there must be for each control: its coefficient is fitted to the same runs."""
LEAST_GROUPS = 20
"""So many pairs or hypercubes there must be: of a handful, what the design is worth is anybody's guess."""


class Reduced(NamedTuple):
    """An estimate of a mean, and how many times as many plain runs would give one as precise."""

    value: float
    low: float
    high: float
    n: int
    gain: float


def grouped(values: ArrayLike, numbers: ArrayLike, size: int) -> Reduced:
    """Mean over independent groups of `size` replications each (numbers 0 to size - 1, and so on).

    Student's t interval of the groups' means, which may be correlated within: antithetic pairs, Latin hypercubes.
    Groups of which some replication is missing are left out. The gain is an estimate as well, good to about
    sqrt(2 / groups). All are nan below two whole groups.
    """
    x, group = np.asarray(values, float), np.asarray(numbers) // size
    names, at, count = np.unique(group, return_inverse=True, return_counts=True)
    whole = count == size
    means = np.bincount(at, weights=x, minlength=names.size)[whole] / size
    kept = x[whole[at]]
    if means.size < 2:
        return Reduced(nan, nan, nan, kept.size, nan)
    found = mean(means)
    return Reduced(found.value, found.low, found.high, kept.size, _ratio(kept, means.var(ddof=1) / means.size))


def controlled(values: ArrayLike, controls: ArrayLike, confidence: float = 0.95) -> Reduced:
    """Mean of `values` (n,) with control variates (n, k) whose expectation is 0.

    Least squares on the controls; the intercept is the mean (Lavenberg and Welch 1981, Management Science 27). Unbiased
    if the dependence is linear, else biased by order 1 / n, well below its standard error.
    """
    x, y = np.column_stack([np.ones(len(np.asarray(values))), controls]), np.asarray(values, float)
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    dof = y.size - int(rank)
    residual = y - x @ beta
    variance = float(residual @ residual) / dof * float(np.linalg.pinv(x.T @ x)[0, 0])
    half = float(stdtrit(dof, (1 + confidence) / 2)) * sqrt(variance)
    return Reduced(float(beta[0]), float(beta[0]) - half, float(beta[0]) + half, y.size, _ratio(y, variance))


def _ratio(values: Floats, variance: float) -> float:
    """Variance of the plain mean over that of another estimate."""
    return float(values.var(ddof=1) / values.size / variance) if variance > 0 else nan


def expectation(path: str, declared: Parameter, states: Sequence[Known], prior: Mapping[str, Any]) -> float:
    """Expectation of a parameter: of its distribution, or over the states of the start date that hold it.

    The states count as in `parameters.realise`: where the configuration still has the distribution they came from.
    """
    value = declared.value
    if not isinstance(value, Distribution):
        return float(value)
    if states and path in states[0].parameters and path in prior and str(parse(prior[path])) == str(value):
        return float(np.mean([state.parameters[path] for state in states]))
    return float(np.mean([value.quantile(u) for u in MIDPOINTS.tolist()]))


def controls(rows: pa.Table, expectations: Mapping[str, float]) -> Floats:
    """Drawn parameters less their expectations in units of their spread, shape (n, those that vary)."""
    drawn = {path: rows.column(f"param.{path}").to_numpy().astype(float) for path in expectations}
    return np.column_stack(
        [np.empty((len(rows), 0))]
        + [(x - expectations[path]) / x.std() for path, x in drawn.items() if x.size and x.std() > 0]
    )


def reduced_means(
    runs: pa.Table, columns: Sequence[str], expectations: Mapping[str, float], group: int | None
) -> list[dict[str, Any]]:
    """What the design, or control variates, make of the mean of each column METRIC@DATE.

    Parameters
    ----------
    runs : pyarrow.Table
        One row per replication of one scenario.
    columns : sequence of str
        Columns of it.
    expectations : mapping
        Dotted path -> expectation of every parameter drawn per run.
    group : int or None
        1 for independent replications: control variates; more: so many belong together; None: one whole (Sobol), whose
        plain interval is too wide by an unknown factor, so that there is nothing to say.

    Returns
    -------
    list of dict
        metric, date, method, value, low, high, gain; nothing where there are too few runs, or nothing varies.
    """
    rows = finished(runs)
    found = []
    for column in columns:
        y = rows.column(column).to_numpy().astype(float)
        if group is None or not np.isfinite(y).all() or y.size < 2 or y.std() == 0:
            continue
        if group > 1:
            if y.size < group * LEAST_GROUPS:
                continue
            method, reduced = "the design", grouped(y, rows.column("replication").to_numpy(), group)
        else:
            x = controls(rows, expectations)
            if y.size < PER_CONTROL * (x.shape[1] + 1):
                continue
            method, reduced = "control variates", controlled(y, x)
        if np.isfinite(reduced.gain):
            metric, _, day = column.partition("@")
            found.append({"metric": metric, "date": day, "method": method, **reduced._asdict()})
    return found


def in_words(found: Sequence[Mapping[str, Any]]) -> str:
    """On average over the runs: ..., equal to 6.3 times as many runs."""
    said = [
        f"{words.quantity(one['metric'], one['value'])} ({words.amount(one['metric'], one['low'])} to "
        f"{words.amount(one['metric'], one['high'])}; equal to {one['gain']:.1f} times as many runs)"
        for one in found
    ]
    return f"On average over the runs, with {found[0]['method']}: {words.listed(said)}." if said else ""
