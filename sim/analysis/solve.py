"""The cheapest plan that reaches a goal with a given probability: search with a surrogate, then certify on fresh luck.

A plan is a point of a grid: for each lever the number of one of its values. Its cost is known; its probability of
success is only seen through binomial counts of simulated runs. The search fits a Gaussian process to the counts (logit
link, Laplace's approximation: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, ch. 3) and picks
what to run next by Thompson sampling (Thompson 1933; Russo et al. 2018): the cheapest plan that would do if a draw from
the posterior were the truth. What the search says of its own winners is too good (the winner's curse), so nothing of it
is believed: plans are certified on runs of their own (`certify`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import betaincinv, expit, log1p, logit
from scipy.stats import qmc

from sim.analysis.intervals import Floats

Point = tuple[int, ...]
Evaluate = Callable[[Sequence[Point], int, int], Sequence[float]]
"""(points, replications, seed block) -> successes of each point, nan for one that cannot be run."""

CERTIFY = 1_000
"""Seed block of the certification; those of the search are below it."""
LARGEST = 100_000
"""Points of the largest grid: all of them are looked at."""
BELOW = -0.35
"""Level of the last candidate: expected to lie below the target by this share of what the target leaves to 1."""
SAMPLED = 800
"""Points at which the posterior is drawn jointly."""


class Plan(NamedTuple):
    """How a search goes: sizes of the design, of the rounds that follow, and of the certification."""

    target: float
    confidence: float = 0.95
    design: int = 64
    design_replications: int = 32
    rounds: int = 4
    batch: int = 12
    batch_replications: int = 64
    candidates: int = 6
    replications: int = 600


class Tested(NamedTuple):
    """A plan on fresh runs: successes of n, one-sided lower bound of its probability, and whether that will do."""

    point: Point
    cost: float
    successes: int
    n: int
    low: float
    passed: bool


@dataclass(slots=True)
class Found:
    """What a search leaves behind.

    `seen` has successes and runs of every point of the search, `infeasible` what could not be run. `ladder` are the
    candidates from the surest to the cheapest; `tested` those that were tested, in this order. `alone` is the cheapest
    plan of one lever that promises enough, as tested, if there is any. `points`, `cost`, `mean` and `sd` are the grid
    with the posterior of the logit of the probability.
    """

    seen: dict[Point, tuple[int, int]]
    infeasible: list[Point]
    points: NDArray[np.int_]
    cost: Floats
    mean: Floats
    sd: Floats
    ladder: list[Point] = field(default_factory=list)
    tested: list[Tested] = field(default_factory=list)
    alone: Tested | None = None

    @property
    def certified(self) -> Tested | None:
        """The cheapest plan that passed, of one lever or several."""
        passed = [one for one in (*self.tested, self.alone) if one is not None and one.passed]
        return min(passed, key=lambda one: one.cost, default=None)


def solve(sizes: Sequence[int], cost: Floats, evaluate: Evaluate, plan: Plan, seed: int) -> Found:
    """Search and certify.

    Parameters
    ----------
    sizes : sequence of int
        How many values each lever has; the first is how things are.
    cost : ndarray of shape (points of the grid,)
        In the order of `grid`; nan for points that are out of the question.
    evaluate
        See `Evaluate`. The same block means the same luck for every point.
    seed : int
        Of the random numbers of the search.
    """
    points = grid(sizes)
    allowed = np.isfinite(cost)
    if not allowed.any():
        raise ValueError("no point of the grid is allowed")
    rng = np.random.default_rng(seed)
    found = Found({}, [], points, cost, np.zeros(len(points)), np.ones(len(points)))
    surrogate = Surrogate(len(sizes))
    scaled = points / np.maximum(np.asarray(sizes) - 1, 1)
    first = [p for p in design(sizes, plan.design, seed) if allowed[np.ravel_multi_index(p, sizes)]]
    _evaluate(found, evaluate, first or [_as_point(points[np.nanargmin(cost)])], plan.design_replications, 0)
    for number in range(plan.rounds + 1):
        if not found.seen:
            break
        surrogate.fit(*_data(found.seen, sizes))
        found.mean, found.sd = surrogate.predict(scaled)
        out = ~allowed
        out[[np.ravel_multi_index(p, sizes) for p in found.infeasible]] = True
        found.mean[out], found.sd[out] = -np.inf, 0.0
        if number < plan.rounds:
            chosen = _next(found, surrogate, scaled, plan, rng)
            _evaluate(found, evaluate, chosen, plan.batch_replications, number + 1)
    if found.seen:
        found.ladder = ladder(found, plan)
        alone = _alone(found, plan.target)
        confidence = 1 - (1 - plan.confidence) / (1 + (alone is not None))
        if alone is not None:  # two claims, so half of the error each
            found.alone = next(iter(certify([alone], cost, evaluate, plan, confidence, sizes)), None)
        found.tested = certify(found.ladder, cost, evaluate, plan, confidence, sizes)
    return found


def grid(sizes: Sequence[int]) -> NDArray[np.int_]:
    """Every plan, shape (points, levers)."""
    if (number := int(np.prod(sizes, dtype=float))) > LARGEST:
        raise ValueError(f"the levers have {number:,} combinations, at most {LARGEST:,} can be searched")
    return np.array(list(product(*map(range, sizes))), dtype=int).reshape(-1, len(sizes))


def design(sizes: Sequence[int], n: int, seed: int) -> list[Point]:
    """About n points: things as they are, every lever alone at its end, all of them there, and a Sobol sequence."""
    ends = np.asarray(sizes) - 1
    points = [np.zeros_like(ends), *np.diag(ends), ends]
    sequence = qmc.Sobol(len(sizes), rng=np.random.default_rng(seed))
    points += list((sequence.random_base2(max(0, int(np.ceil(np.log2(max(n, 1)))))) * sizes).astype(int))
    return list(dict.fromkeys(map(_as_point, points)))[: max(n, len(sizes) + 2)]


def ladder(found: Found, plan: Plan) -> list[Point]:
    """Candidates from the surest to the cheapest.

    The first is the cheapest plan that is very likely well above the target, so that a test does not stop there for
    bad luck; then the cheapest plan whose expected probability is at least a level, for levels from well above the
    target to somewhat below it: the last should fail, and show that cheaper plans were not left untried.
    """
    rest = 1 - plan.target
    chosen = [_cheapest(found, found.mean - 1.645 * found.sd, plan.target + 0.5 * rest)]
    levels = np.linspace(0.7, BELOW, max(plan.candidates - 1, 1))
    chosen += [_cheapest(found, found.mean, plan.target + rest * level) for level in levels]
    known = [point for point in chosen if point is not None]
    if chosen[0] is None:
        known.insert(0, _as_point(found.points[np.argmax(found.mean - 1.645 * found.sd)]))
    cost = dict(zip(map(_as_point, found.points), found.cost, strict=True))
    rungs: list[Point] = []
    for point in known:  # no use in a rung that costs as much as the one before
        if not rungs or cost[point] < cost[rungs[-1]]:
            rungs.append(point)
    return rungs


def certify(
    rungs: Sequence[Point], cost: Floats, evaluate: Evaluate, plan: Plan, confidence: float, sizes: Sequence[int]
) -> list[Tested]:
    """Test candidates in the given order on fresh runs, and stop at the first that fails.

    Each is tested at the full level: in a sequence that was fixed before the runs were made and that ends with the
    first failure, the chance that any plan passes that does not meet the target stays below 1 - `confidence` (Westfall
    and Krishen 2001, J. Stat. Plan. Inference 99). The bound is exact (Clopper and Pearson 1934).
    """
    tested: list[Tested] = []
    for point in rungs:
        (successes,) = evaluate([point], plan.replications, CERTIFY)
        known = np.isfinite(successes)
        low = lower_bound(int(successes), plan.replications, confidence) if known else 0.0
        price = float(cost[np.ravel_multi_index(point, sizes)])
        passed = bool(known and low >= plan.target)
        n = plan.replications if known else 0
        tested.append(Tested(point, price, int(successes) if known else 0, n, low, passed))
        if not passed:
            break
    return tested


def lower_bound(successes: int, n: int, confidence: float) -> float:
    """One-sided exact lower confidence bound of a probability (Clopper and Pearson 1934, Biometrika 26)."""
    return float(betaincinv(successes, n - successes + 1, 1 - confidence)) if successes else 0.0


def frontier(found: Found) -> list[int]:
    """Numbers of the plans that no cheaper one is expected to beat, in order of cost."""
    best, kept = -np.inf, []
    for i in np.lexsort((-found.mean, found.cost)):
        if found.mean[i] > best and np.isfinite(found.cost[i]):
            best = found.mean[i]
            kept.append(int(i))
    return kept


class Surrogate:
    """Gaussian process for the logit of a probability seen through binomial counts.

    The prior is a plane plus a smooth remainder (Matern 5/2) with a length for each lever. Size and lengths of the
    remainder are those of highest posterior density under weak log-normal priors.

    Everything here is to come out the same to many digits whatever the linear algebra library makes of the last one, or
    the search would go another way on another processor: hence the gradient, the rounding, and Cholesky factors, which
    are unique, instead of eigenvectors, which are not.
    """

    OFFSET, SLOPE = 25.0, 9.0  # prior variances of the plane
    DIGITS = 2  # of what is fitted: further ones are of no use, and the last ones those of the processor
    SMALL = 1e-10  # gain in the log posterior with which the mode is found
    JITTER = 1e-4  # variance added to draws: 0.01 in the logit, and the factor of the covariance is well determined

    def __init__(self, dimensions: int) -> None:
        self.theta = np.zeros(1 + dimensions)  # log of size / 2 and of lengths / 0.7

    def fit(self, x: Floats, successes: Floats, n: Floats) -> None:
        """Fit to successes of n runs at points `x` of shape (points, levers) in the unit cube."""
        self.x, self.successes, self.n = x, successes, n
        spread = np.array([1.0] + [0.7] * (self.theta.size - 1))  # of the priors

        def loss(theta: Floats) -> tuple[float, Floats]:
            return 0.5 * np.sum((theta / spread) ** 2) - self._laplace(theta), theta / spread**2 - self._slope(theta)

        bounds = [(-3.0, 3.0)] * self.theta.size
        best = minimize(loss, self.theta, method="L-BFGS-B", jac=True, bounds=bounds).x
        self.theta = np.round(best, self.DIGITS)
        self._laplace(self.theta)

    def predict(self, z: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logit at points z."""
        k = self._kernel(self.x, z, self.theta)
        v = solve_triangular(self.factor, self.root[:, None] * k, lower=True)
        prior = self.OFFSET + self.SLOPE * np.sum((z - 0.5) ** 2, axis=1) + self._size(self.theta)
        return k.T @ self.gradient, np.sqrt(np.maximum(prior - np.sum(v**2, axis=0), 1e-12))

    def sample(self, z: Floats, number: int, rng: np.random.Generator) -> Floats:
        """Draws of the logits at points z together, shape (number, points)."""
        k = self._kernel(self.x, z, self.theta)
        v = solve_triangular(self.factor, self.root[:, None] * k, lower=True)
        covariance = self._kernel(z, z, self.theta) - v.T @ v
        half = cholesky(covariance + self.JITTER * np.eye(len(z)), lower=True, check_finite=False)
        return k.T @ self.gradient + rng.standard_normal((number, len(z))) @ half.T

    @staticmethod
    def _size(theta: Floats) -> float:
        return float(4 * np.exp(2 * theta[0]))

    @staticmethod
    def _apart(a: Floats, b: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Squared distances along each lever in its length, shape (a, b, levers), and sqrt(5) times the distances."""
        squares = ((a[:, None] - b[None]) / (0.7 * np.exp(theta[1:]))) ** 2
        return squares, np.sqrt(5 * squares.sum(axis=2))

    def _kernel(self, a: Floats, b: Floats, theta: Floats) -> Floats:
        _, r = self._apart(a, b, theta)
        plane = self.OFFSET + self.SLOPE * (a - 0.5) @ (b - 0.5).T
        return np.asarray(plane + self._size(theta) * (1 + r + r**2 / 3) * np.exp(-r))

    def _laplace(self, theta: Floats) -> float:
        """Find the mode by Newton's method and return the log marginal likelihood (Algorithm 3.1, eq. 3.32)."""
        self.k = self._kernel(self.x, self.x, theta)
        a = np.zeros(len(self.x))  # the mode is k @ a
        self._at(a)
        best = -np.inf
        for _ in range(50):
            b = self.root**2 * (self.k @ a) + self.gradient
            step = b - self.root * cho_solve((self.factor, True), self.root * (self.k @ b)) - a
            for size in (1.0, 0.5, 0.25, 0.1):  # damped: far from the mode a full step may overshoot
                trial = a + size * step
                f = self.k @ trial
                value = float(-0.5 * trial @ f + self.successes @ f - self.n @ _softplus(f))
                if value > best - self.SMALL:
                    break
            gain, best, a = value - best, value, trial
            self._at(a)
            if gain < self.SMALL:  # Newton's error is squared by each step: what is left is in the last digits
                break
        return best - float(np.sum(np.log(np.diag(self.factor))))

    def _at(self, a: Floats) -> None:
        """Curvature and gradient of the log likelihood at k @ a, and the factor of I + root k root."""
        p = expit(self.k @ a)
        self.root = np.sqrt(self.n * p * (1 - p))
        self.gradient = self.successes - self.n * p
        self.factor = cholesky(np.eye(len(p)) + self.root[:, None] * self.k * self.root, lower=True, check_finite=False)
        self.third = self.root**2 * (2 * p - 1)

    def _slope(self, theta: Floats) -> Floats:
        """Gradient of the log marginal likelihood where `_laplace` has just been (Algorithm 5.1).

        The terms of every derivative of the kernel, one matrix each there, are collected in the one matrix `weight`
        that they are all multiplied by.
        """
        root = self.root[:, None]
        r = root * cho_solve((self.factor, True), np.diag(self.root))
        v = solve_triangular(self.factor, root * self.k, lower=True)
        s = 0.5 * (np.diag(self.k) - np.sum(v**2, axis=0)) * self.third
        weight = 0.5 * np.outer(self.gradient, self.gradient) - 0.5 * r
        weight += np.outer(s - r @ (self.k @ s), self.gradient)
        squares, d = self._apart(self.x, self.x, theta)
        weight *= self._size(theta) * np.exp(-d)
        lengths = np.einsum("ij,ijk->k", weight * (1 + d) * 5 / 3, squares)
        return np.array([2 * np.sum(weight * (1 + d + d**2 / 3)), *lengths])


def _softplus(f: Floats) -> Floats:
    return np.maximum(f, 0) + np.asarray(log1p(np.exp(-np.abs(f))))


def _evaluate(found: Found, evaluate: Evaluate, points: Sequence[Point], replications: int, block: int) -> None:
    """Run points and add what they show to what was seen."""
    for point, successes in zip(points, evaluate(points, replications, block), strict=True):
        if not np.isfinite(successes):
            found.infeasible.append(point)
            continue
        before, n = found.seen.get(point, (0, 0))
        found.seen[point] = (before + int(successes), n + replications)


def _data(seen: dict[Point, tuple[int, int]], sizes: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    x = np.array(list(seen)) / np.maximum(np.asarray(sizes) - 1, 1)
    counts = np.array(list(seen.values()), dtype=float)
    return x, counts[:, 0], counts[:, 1]


def _next(found: Found, surrogate: Surrogate, scaled: Floats, plan: Plan, rng: np.random.Generator) -> list[Point]:
    """Points to run next: the cheapest that do in draws from the posterior, at levels from the target to well above."""
    low = logit(plan.target)
    possible = np.flatnonzero(found.mean + 2.5 * found.sd >= low)
    if not possible.size:  # nothing looks good enough: what might be best
        possible = np.argsort(-(found.mean + 2.5 * found.sd), kind="stable")[:SAMPLED]
        possible = possible[np.isfinite(found.mean[possible])]
    sure = _cheapest(found, found.mean - 1.645 * found.sd, plan.target + 0.5 * (1 - plan.target))
    if sure is not None:
        possible = possible[found.cost[possible] <= found.cost[_row(found, sure)]]
    if possible.size > SAMPLED:  # the cheap ones, and some of the others
        order = possible[np.argsort(found.cost[possible], kind="stable")]
        half = SAMPLED // 2
        possible = np.concatenate([order[:half], rng.choice(order[half:], half, replace=False)])
    draws = surrogate.sample(scaled[possible], 4 * plan.batch, rng)
    levels = logit(plan.target + (1 - plan.target) * rng.uniform(0, 0.6, len(draws)))
    chosen: dict[Point, None] = {}
    for draw, level in zip(draws, levels, strict=True):
        will_do = np.flatnonzero(draw >= level)
        pick = will_do[np.argmin(found.cost[possible[will_do]])] if will_do.size else np.argmax(draw)
        chosen[_as_point(found.points[possible[pick]])] = None
        if len(chosen) == plan.batch:
            break
    return list(chosen)


def _cheapest(found: Found, value: Floats, probability: float) -> Point | None:
    """The cheapest plan of which a logit is at least that of a probability; of equals the likeliest."""
    rows = np.flatnonzero(value >= logit(min(probability, 1 - 1e-9)))
    if not rows.size:
        return None
    return _as_point(found.points[rows[np.lexsort((-found.mean[rows], found.cost[rows]))[0]]])


def _alone(found: Found, target: float) -> Point | None:
    """The cheapest plan that moves one lever only and is expected to meet the target; none if none need be moved."""
    if found.mean[0] >= logit(target):
        return None
    single = np.count_nonzero(found.points, axis=1) == 1
    return _cheapest(found, np.where(single, found.mean, -np.inf), target)


def _row(found: Found, point: Point) -> int:
    return int(np.flatnonzero((found.points == point).all(axis=1))[0])


def _as_point(row: Any) -> Point:
    return tuple(int(level) for level in row)
