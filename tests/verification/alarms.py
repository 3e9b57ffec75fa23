"""The ledger of the verification suite: every check with its false-alarm rate, shared out over its tests.

A check is a function under `check`. Its docstring states the theory with its source, the test, and the rate at which a
correct model fails it; the check gets a `Level` that holds it to that rate, and returns how to draw its picture. The
rates of all checks together stay below `BUDGET`, so a correct model passes the whole suite with 99% at least,
however the checks depend on each other (Boole's inequality). Seeds are fixed: VERIFY_SEED=7 make verify is another try.
"""

import os
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

BUDGET = 0.01
SEED = int(os.environ.get("VERIFY_SEED", "1"))
MODULES = (
    "engine",
    "pipeline",
    "restart",
    "hiring",
    "people",
    "exports",
    "parks",
    "streams",
    "coverage",
    "plans",
    "studies",
    "designs",
)
ONE_SIDED = 0.05
"""Level of each of the two one-sided tests of an equivalence test, as usual (Schuirmann 1987)."""


class Check(NamedTuple):
    name: str
    module: str
    title: str
    theory: str
    test: str
    alarm: float
    short: bool
    function: Callable[["Level"], Callable[[Any], None]]


CHECKS: dict[str, Check] = {}


def check(function=None, *, short=False):
    """Enter a check into the ledger."""
    if function is None:
        return lambda function: check(function, short=short)
    words = " ".join(function.__doc__.split())
    found = re.fullmatch(r"(.+?)\. Theory: (.+) Test: (.+) False alarm: (\S+)\.", words)
    assert found, f"{function.__name__}: the docstring should give title, Theory, Test and False alarm"
    title, theory, test, alarm = found.groups()
    name = function.__name__
    CHECKS[name] = Check(
        name, function.__module__.rpartition(".")[2], title, theory, test, float(alarm), short, function
    )
    return function


def load() -> dict[str, Check]:
    """All checks, in the order of the page."""
    for module in MODULES:
        import_module(f"tests.verification.{module}")
    return CHECKS


class Level:
    """False-alarm rate of a check, shared out: `share` is the part of it that a test may spend."""

    def __init__(self, alarm: float) -> None:
        self.alarm = alarm
        self.spent = 0.0
        self.tests: list[tuple[str, float]] = []  # what was tested, and its p-value (nan: an equivalence test)
        self.rows: list[tuple[Any, ...]] = []  # of the table that the check adds to the page

    def p(self, value, share, what):
        """Reject if a p-value is not above its part of the rate."""
        self.spent += share
        self.tests.append((what, float(value)))
        assert value > self.alarm * share, f"{what}: p = {value:.1e}, level {self.alarm * share:.1e}"

    def least(self, values, share, what):
        """Reject if the least of several p-values is too small, each at its part of the share (Bonferroni)."""
        self.p(min(1.0, len(values) * min(values)), share, f"{what}: least of {len(values)} is {min(values):.1e}")

    def z(self, value, share, what):
        """Two-sided test of a standard normal value."""
        self.p(2 * stats.norm.sf(abs(value)), share, f"{what}: z = {value:+.2f}")

    def t(self, estimate, share, target, what):
        """Two-sided t test of an estimate (value, standard error, degrees of freedom)."""
        value, se, dof = estimate
        t = (value - target) / se
        self.p(2 * stats.t.sf(abs(t), dof), share, f"{what}: {value:.5g} against {target:.5g}, t = {t:+.2f}")

    def zero(self, controls, share, what):
        """Each column has mean 0: what is taken for a control variate must have the expectation it is said to have."""
        x = np.asarray(controls)
        self.least(stats.ttest_1samp(x, 0).pvalue, share, what)

    def equal(self, estimate, share, target, margin, what):
        """Two one-sided tests: the 90% interval of the estimate lies within `margin` of the target.

        If the two are equal this fails with a probability that depends on the precision alone; that must be within
        the share, or there are too few runs for the margin.
        """
        value, se, dof = estimate
        t = stats.t.isf(ONE_SIDED, dof)
        self.spent += share
        false = 2 * stats.t.sf(margin / se - t, dof)
        self.tests.append((f"{what}: {value:.5g} ± {t * se:.2g}, margin {margin:.2g} about {target:.5g}", np.nan))
        if not false <= self.alarm * share:
            raise ValueError(f"{what}: too few runs for the margin, false alarm {false:.1e}")
        assert abs(value - target) + t * se < margin, (
            f"{what}: {value:.5g} ± {t * se:.2g} is not within {margin:.3g} of {target:.5g}"
        )


def same(actual, desired, what, rtol=0.0, atol=0.0):
    """Exact comparison, where nothing is left to chance."""
    off = np.abs(np.subtract(actual, desired))
    worst = np.max(off - rtol * np.abs(desired) - atol, initial=0.0)
    assert worst <= 0, f"{what}: off by up to {off.max():.3g}"


def run(name: str) -> tuple[Level, Callable[[Any], None]]:
    """Run a check; return its level, with all that was tested, and how to draw it."""
    one = CHECKS[name]
    level = Level(one.alarm)
    draw = one.function(level)
    assert level.spent <= 1 + 1e-9, f"{name} spends {level.spent} of its rate"
    assert bool(level.spent) == bool(one.alarm), f"{name}: a rate without a test, or a test without a rate"
    return level, draw


def rng(*key: int) -> np.random.Generator:
    """Random numbers of the tests' own, not the model's."""
    return np.random.default_rng([SEED, *key])


def mean_of(values) -> tuple[float, float, int]:
    """Mean of independent values, its standard error and degrees of freedom."""
    x = np.asarray(values, dtype=float)
    return x.mean(), x.std(ddof=1) / np.sqrt(x.size), x.size - 1


def controlled(values, controls) -> tuple[float, float, int]:
    """Mean with control variates whose expectation is 0, an array (n, k) (Lavenberg and Welch 1981)."""
    x = np.column_stack([np.ones(len(values)), controls])
    beta, residual, rank, _ = np.linalg.lstsq(x, np.asarray(values), rcond=None)
    dof = len(values) - int(rank)
    return beta[0], np.sqrt(residual[0] / dof * np.linalg.inv(x.T @ x)[0, 0]), dof


GREY, BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = (
    "#666666", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9",
)  # fmt: skip


def dots(x, y, error, theory, labels=("simulated, 99% interval", "theory"), **axes):
    """Picture of estimates with their 99% intervals over a theoretical curve (x, y), or values at the same x."""

    def draw(ax):
        named = isinstance(x[0], str)
        style = {"ls": "", "marker": "_", "ms": 22} if named else {"lw": 1.2}
        ax.plot(*(theory if isinstance(theory, tuple) else (x, theory)), color=GREY, label=labels[1], **style)
        ax.errorbar(x, y, 2.576 * np.asarray(error), fmt="o", ms=3, lw=1, color=BLUE, label=labels[0])
        ax.set(**axes)

    return draw


def fitted(sample, cdf, xlabel, to=None):
    """Picture of the difference between an empirical distribution function and the theoretical one."""
    x, n = np.sort(sample), len(sample)
    keep = slice(None, None, max(1, n // 400))

    def draw(ax):
        ax.plot(x[keep], ((np.arange(n) + 0.5) / n - cdf(x))[keep], color=BLUE, lw=1, label=f"simulated, n = {n:,}")
        for end in (-1.63, 1.63):
            ax.axhline(end / np.sqrt(n), color=GREY, lw=1, ls=":", label="99% band" if end > 0 else None)
        ax.axhline(0, color=GREY, lw=0.8)
        ax.set(xlabel=xlabel, ylabel="empirical - theoretical", xlim=(None, to))

    return draw


def in_order(found):
    """Picture of p-values in order: they lie on the diagonal, as they should, if they are uniform."""

    def draw(ax):
        for (name, p), colour in zip(found.items(), (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY), strict=False):
            ax.plot((np.arange(len(p)) + 0.5) / len(p), np.sort(p), ".", ms=3, color=colour, label=name)
        ax.plot([0, 1], [0, 1], color=GREY, lw=0.8)
        ax.set(xlabel="expected", ylabel="p-values in order")

    return draw
