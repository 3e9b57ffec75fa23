"""Runs held to dated counts: weights, draws, and whether the method itself can be trusted.

Approximate Bayesian computation with a kernel that is the error of the observations (Wilkinson 2013, Stat. Appl. Genet.
Mol. Biol. 12: exact inference for a model plus that error). A count published as a range is known to lie in it and no
better; what the model leaves out adds a normal discrepancy (Kennedy and O'Hagan 2001, J. R. Stat. Soc. B 63). So a run
that had s where between low and high was counted has the likelihood

    mean over k = low, ..., high of the normal density of k - s with the discrepancy's standard deviation,

and the mean of that over the dates the count may be of, where it is undated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, logsumexp

from sim.analysis.intervals import Floats

Indices = NDArray[np.intp]


class Counted(NamedTuple):
    """A dated count: bounds of what was published, and the standard deviation of what the model leaves out."""

    date: str
    value: float
    low: float
    high: float
    sd: float


def log_likelihood(simulated: Sequence[Floats], counted: Sequence[Counted]) -> Floats:
    """Log-likelihood of every run and count, shape (runs, counts).

    Parameters
    ----------
    simulated : sequence of ndarray, shape (runs, dates)
        For each count what the runs had on the dates that it may be of, each as likely as another.
    """
    columns = []
    for s, seen in zip(simulated, counted, strict=True):
        k = np.arange(round(seen.low), round(seen.high) + 1)
        z = (k - np.asarray(s, dtype=np.float64)[..., None]) / seen.sd  # (runs, dates, k)
        size = k.size * s.shape[1]
        columns.append(logsumexp(-0.5 * z**2, axis=(1, 2)) - np.log(size * seen.sd * np.sqrt(2 * np.pi)))
    return np.column_stack(columns)


def weights(log_likelihoods: Floats, possible: NDArray[np.bool_]) -> Floats:
    """Weights that sum to 1, from the sums of log-likelihoods; runs that are not possible have none.

    All weights are 0 if no run is possible.
    """
    total = np.where(possible, np.asarray(log_likelihoods).sum(axis=1), -np.inf)
    if not possible.any():
        return np.zeros(len(total))
    shifted = np.exp(total - total.max())
    return shifted / shifted.sum()


def effective_sample_size(weight: Floats) -> float:
    """How many equally weighted runs the weights are worth (Kish 1965): 1 / sum of squares."""
    squares = float(np.sum(weight**2))
    return 1 / squares if squares else 0.0


def draw(weight: Floats, number: int, u: float = 0.5) -> Indices:
    """Indices of `number` equally weighted runs, by systematic resampling (Kitagawa 1996), ascending.

    A run of weight w is drawn floor(number w) or ceil(number w) times.
    """
    marks = (np.arange(number) + u) / number
    return np.searchsorted(np.cumsum(weight), marks, side="right").clip(max=len(weight) - 1)


def quantiles(x: Floats, weight: Floats, at: Sequence[float]) -> Floats:
    """Quantiles of weighted values: the smallest value with at least that share of the weight at or below it."""
    order = np.argsort(x, kind="stable")
    share = np.cumsum(weight[order])
    return x[order][np.searchsorted(share, np.asarray(at) * share[-1] - 1e-12).clip(max=len(x) - 1)]


def crps(x: Floats, weight: Floats, value: float) -> float:
    """Continuous ranked probability score of weighted runs: E|X - y| - E|X - X'| / 2 (Gneiting and Raftery 2007)."""
    order = np.argsort(x, kind="stable")
    x, w = x[order], weight[order]
    below = np.cumsum(w) - w / 2  # weight below each value, half of its own included
    return float(w @ np.abs(x - value) - np.sum(w * x * (2 * below - 1)))


def rank(x: Floats, weight: Floats, truth: float) -> float:
    """Share of the weight below a true value: uniform if the method is calibrated."""
    return float(np.sum(weight[x < truth]) + 0.5 * np.sum(weight[x == truth]))


class Trial(NamedTuple):
    """One run of the design in the part of the truth: the rank of each of its parameters among the others' weights."""

    ranks: Floats
    ess: float
    shrunk: Floats  # posterior over prior standard deviation of each parameter


def trials(
    parameters: Floats,
    simulated: Sequence[Floats],
    possible: NDArray[np.bool_],
    counted: Sequence[Counted],
    number: int,
    seed: int,
) -> list[Trial]:
    """Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788) on the design itself.

    Some of the possible runs take the part of the truth in turn. Each is observed as the world was: its counts, with
    a discrepancy drawn from its distribution, published as a range as wide as the real one that lies around them
    anywhere with equal chances. Then the other runs are weighted by these observations.

    Parameters
    ----------
    parameters : ndarray, shape (runs, parameters)
        Values of the design.
    simulated
        As for `log_likelihood`.
    """
    rng = np.random.default_rng(seed)
    truths = rng.choice(np.flatnonzero(possible), size=min(number, int(possible.sum())), replace=False)
    spread = parameters[possible].std(axis=0)
    done = []
    for truth in truths:
        seen = []
        for s, real in zip(simulated, counted, strict=True):
            value = np.rint(rng.choice(s[truth]) + rng.normal(0.0, real.sd))
            width = round(real.high) - round(real.low)
            low = value - rng.integers(0, width + 1)
            seen.append(real._replace(value=value, low=low, high=low + width))
        others = possible.copy()
        others[truth] = False
        weight = weights(log_likelihood(simulated, seen), others)
        mean = weight @ parameters
        sd = np.sqrt(np.maximum(weight @ parameters**2 - mean**2, 0.0))
        ranks = [rank(column, weight, value) for column, value in zip(parameters.T, parameters[truth], strict=True)]
        done.append(Trial(np.array(ranks), effective_sample_size(weight), sd / spread))
    return done


def uniformity(ranks: Floats, bins: int = 10) -> tuple[NDArray[np.intp], float]:
    """Histogram of ranks and the p-value of the chi-square test that they are uniform."""
    counts, _ = np.histogram(ranks, bins=bins, range=(0, 1))
    expected = len(ranks) / bins
    return counts, float(chdtrc(bins - 1, float(np.sum((counts - expected) ** 2) / expected)))
