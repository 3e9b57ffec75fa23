"""Distributions as quantile functions: one uniform in, one value out.

Every random number of the model is drawn by inverting a distribution function. That keeps the
streams of two scenarios in step (one uniform per decision, whatever the parameters), makes a value
a monotone function of its uniform, and leaves the door open to antithetic and quasi-random designs.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, exp, inf, isclose, lgamma, log, log1p, sqrt
from statistics import NormalDist

from scipy.special import bdtrik, betaincinv, gammaincinv

Quantile = Callable[[float], float]
"""Maps u in (0, 1) to the value that is not exceeded with probability u."""

POSITIVE = 1e-6
"""Lower end of what may not be zero: nothing real is smaller, and dividing by it is safe."""

LARGEST = 1e15
"""Largest argument of a distribution: beyond it, whole numbers are no longer told apart."""

_normal_quantile: Quantile = NormalDist().inv_cdf


@dataclass(frozen=True, slots=True)
class Distribution:
    """A named distribution with its arguments, support and quantile function."""

    name: str
    args: tuple[float, ...]
    low: float
    high: float
    quantile: Quantile

    @property
    def whole(self) -> bool:
        """Whether it gives whole numbers only."""
        return self.name == "integers" or (self.name == "choice" and all(value % 1 == 0 for value in self.args[::2]))

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{a:g}' for a in self.args)})"


def pert(low: float, mode: float, high: float) -> Distribution:
    """Beta distribution on [low, high] whose mean is (low + 4 mode + high) / 6 (Malcolm et al. 1959)."""
    _require(low <= mode <= high and low < high, f"needs low <= mode <= high and low < high, got {low, mode, high}")
    a = 1 + 4 * (mode - low) / (high - low)
    b = 1 + 4 * (high - mode) / (high - low)
    return Distribution("pert", (low, mode, high), low, high, lambda u: low + (high - low) * float(betaincinv(a, b, u)))


def lognormal(median: float, sigma: float, cap: float = inf) -> Distribution:
    """Log-normal with the given median and standard deviation of the log; values above `cap` become `cap`."""
    _require(
        median >= POSITIVE and sigma >= 0 and cap >= median,
        f"needs median >= {POSITIVE:g}, sigma >= 0, cap >= median, got {(median, sigma, cap)}",
    )
    if cap == inf:
        return Distribution(
            "lognormal",
            (median, sigma),
            POSITIVE,
            inf,
            lambda u: max(POSITIVE, median * exp(sigma * _normal_quantile(u))),
        )
    return Distribution(
        "lognormal",
        (median, sigma, cap),
        POSITIVE,
        cap,
        lambda u: min(cap, max(POSITIVE, median * exp(sigma * _normal_quantile(u)))),
    )


def beta(a: float, b: float) -> Distribution:
    """Beta distribution on [0, 1] with mean a / (a + b)."""
    _require(a > 0 and b > 0, f"needs a > 0 and b > 0, got {a, b}")
    return Distribution("beta", (a, b), 0.0, 1.0, lambda u: float(betaincinv(a, b, u)))


def uniform(low: float, high: float) -> Distribution:
    """Uniform distribution on [low, high]."""
    _require(low < high, f"needs low < high, got {low, high}")
    return Distribution("uniform", (low, high), low, high, lambda u: low + (high - low) * u)


def triangular(low: float, mode: float, high: float) -> Distribution:
    """Triangular distribution on [low, high]."""
    _require(low <= mode <= high and low < high, f"needs low <= mode <= high and low < high, got {low, mode, high}")
    width, corner = high - low, (mode - low) / (high - low)

    def quantile(u: float) -> float:
        if u < corner:
            return low + sqrt(u * width * (mode - low))
        return high - sqrt((1.0 - u) * width * (high - mode))

    return Distribution("triangular", (low, mode, high), low, high, quantile)


def choice(*values_and_weights: float) -> Distribution:
    """One of several values, written as value, weight, value, weight, ...; the weights sum to 1."""
    values, weights = values_and_weights[::2], values_and_weights[1::2]
    _require(len(values) == len(weights) > 0, f"needs pairs of value and weight, got {list(values_and_weights)}")
    _require(min(weights) >= 0 and isclose(sum(weights), 1), f"needs weights that sum to 1, got {list(weights)}")
    # in order of value, so that the value never falls as the uniform rises
    pairs = sorted(zip(values, weights, strict=True))
    bounds = list(accumulate(weight for _, weight in pairs[:-1]))
    ordered = [value for value, _ in pairs]
    return Distribution(
        "choice", values_and_weights, ordered[0], ordered[-1], lambda u: ordered[bisect_right(bounds, u)]
    )


def integers(low: float, high: float) -> Distribution:
    """Uniform distribution on the whole numbers low, low + 1, ..., high."""
    _require(low < high and low % 1 == 0 and high % 1 == 0, f"needs whole numbers low < high, got {low, high}")
    return Distribution("integers", (low, high), low, high, lambda u: low + int(u * (high - low + 1)))


KINDS: dict[str, Callable[..., Distribution]] = {
    kind.__name__: kind for kind in (pert, lognormal, beta, uniform, triangular, choice, integers)
}


def parse(value: Sequence[object]) -> Distribution:
    """Read a distribution written as [name, argument, ...], for example [pert, 1, 3, 8].

    Raises
    ------
    ValueError
        If the name is unknown, or the arguments are not finite numbers or out of order.
    """
    name, *args = value or [None]
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"a distribution is one of {', '.join(KINDS)} followed by its numbers, got {list(value)}")
    numbers = [
        float(a) for a in args if isinstance(a, int | float) and not isinstance(a, bool) and -LARGEST <= a <= LARGEST
    ]
    _require(len(numbers) == len(args), f"{name} takes numbers up to {LARGEST:g} only, got {args}")
    try:
        return KINDS[name](*numbers)
    except TypeError:
        raise ValueError(f"{name} got {len(args)} numbers: {KINDS[name].__doc__}") from None
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def binomial_quantile(u: float, n: int, p: float) -> int:
    """Binomial(n, p) quantile of u: how many of n people an event of probability p befalls.

    Sequential search from zero, about 0.1 microseconds per unit of the answer (Kachitvichyanukul
    and Schmeiser 1988, algorithm BINV); above 1,000 trials, where the first term can underflow,
    scipy's inverse.
    """
    if p > 0.5:
        return n if p >= 1.0 else n - binomial_quantile(1.0 - u, n, 1.0 - p)
    q = 1.0 - p
    term = cumulative = q**n
    if u <= cumulative:  # always so when n or p is 0
        return 0
    if n > 1000:
        return max(0, min(n, ceil(float(bdtrik(u, n, p)))))
    odds = p / q
    k = 0
    while True:
        ratio = odds * (n - k)
        k += 1
        term *= ratio / k
        cumulative += term
        if u <= cumulative or k >= n:
            return k


def negative_binomial_quantile(u: float, mean: float, sd: float) -> int:
    """Negative binomial quantile of u for a count with the given mean and standard deviation.

    `sd` = 0 means the count is the mean, rounded. Otherwise sd squared must exceed the mean.
    """
    if sd == 0 or mean < POSITIVE:
        return round(mean)
    p = mean / sd**2
    r = mean * p / (1 - p)
    # Begin where less than 1e-16 of the probability lies below: further down the first term may underflow.
    k = max(0, int(mean - 12 * sd))
    limit = mean + 40 * sd  # floating-point sums may stop just short of 1
    term = cumulative = exp(lgamma(k + r) - lgamma(r) - lgamma(k + 1) + r * log(p) + k * log1p(-p))
    while u > cumulative and k < limit:
        term *= (r + k) / (k + 1) * (1 - p)
        k += 1
        cumulative += term
    return k


def dirichlet_quantiles(us: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Draw shares from a Dirichlet distribution by normalising gamma quantiles, one uniform each."""
    gammas = [float(gammaincinv(w, u)) if w > 0 else 0.0 for w, u in zip(weights, us, strict=True)]
    total = sum(gammas)
    return [g / total for g in gammas]


def beta_mean_quantile(u: float, mean: float, concentration: float) -> float:
    """Beta quantile with the given mean and a + b = concentration; a mean of 0 or 1 is returned as it is."""
    if mean <= 0.0 or mean >= 1.0:
        return mean
    return float(betaincinv(mean * concentration, (1 - mean) * concentration, u))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
