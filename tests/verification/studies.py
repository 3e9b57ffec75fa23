"""Estimators of the studies that explain, against models whose answer is known."""

import numpy as np
from scipy import stats

from sim.analysis import discover, sensitivity
from sim.analysis import value_of_information as voi
from tests.verification.alarms import check, dots, in_order, mean_of, rng
from tests.verification.synthetic import sum_with_luck


@check
def indices_without_luck(level):
    """Sobol indices are those of the expectation, however much luck there is.

    Theory: of a sum 2 A + B + 0 C + luck with standard normal inputs the expectation has the indices 0.8, 0.2 and 0,
    first-order and total; with luck of variance 10, luck is two thirds of the variance between runs.

    Test: 400 designs of 512 random rows with two lucks a point; the mean index lies within 0.05 of the theory by two
    one-sided tests, and the share of luck within 0.03.

    False alarm: 2e-4.
    """
    found = [sensitivity.sobol(*sum_with_luck(key), 100, rng(902, key)) for key in range(400)]
    names = [f"{kind} {name}" for kind in ("first", "total") for name in "ABC"]
    each = np.array([[one.value for one in (*f.first, *f.total)] for f in found])
    theory = [0.8, 0.2, 0.0] * 2
    for name, column, true in zip(names, each.T, theory, strict=True):
        level.equal(mean_of(column), 1 / 7, true, 0.05, name)
    level.equal(mean_of([f.luck.value for f in found]), 1 / 7, 2 / 3, 0.03, "share of luck")
    error = each.std(axis=0, ddof=1) / np.sqrt(len(each))
    return dots(names, each.mean(axis=0), error, theory, ylabel="Sobol index")


@check
def evppi_of_normal_options(level):
    """The value of knowing a normal effect has its closed form.

    Theory: an option worth 0 against one worth a normal value with mean 0.3 and standard deviation s by the parameter,
    and luck besides: knowing the parameter is worth 0.3 F(0.3 / s) + s f(0.3 / s) - 0.3, with F and f of the standard
    normal distribution (Raiffa and Schlaifer 1961, Applied Statistical Decision Theory).

    Test: 150 sets of 1,500 runs for each of four s; the mean estimate lies within 0.03 of the theory by two one-sided
    tests.

    False alarm: 2e-4.
    """
    spreads = (0.3, 0.6, 1.0, 1.5)
    means, errors, theory = [], [], []
    for i, sd in enumerate(spreads):
        found = []
        for key in range(150):
            r = rng(903, i, key)
            x, luck = r.standard_normal((2, 1500))
            values = np.column_stack([np.zeros(1500), 0.3 + sd * x + 1.5 * luck])
            found.append(voi.evppi({"x": x}, values, np.arange(1500), 60, r)[0].value)
        z = 0.3 / sd
        true = 0.3 * stats.norm.cdf(z) + sd * stats.norm.pdf(z) - 0.3
        estimate = mean_of(found)
        level.equal(estimate, 1 / len(spreads), true, 0.03, f"spread {sd}")
        means.append(estimate[0])
        errors.append(estimate[1])
        theory.append(true)
    return dots(spreads, means, errors, theory, xlabel="standard deviation by the parameter", ylabel="EVPPI")


@check
def boxes_of_nothing(level):
    """Boxes are found in nothing as often as their p-value says.

    Theory: a permutation p-value is at most k / 20 with probability k / 20 at most, whatever is looked for (Phipson
    and Smyth 2010).

    Test: 120 sets of 150 runs with outcomes by chance; exact one-sided binomial tests of the number of p-values up to
    1 / 20 and up to 5 / 20.

    False alarm: 2e-4.
    """
    p = []
    for key in range(120):
        r = rng(904, key)
        x, y = r.random((150, 3)), r.random(150) < 0.4
        p.append(discover.chance(x, y, np.arange(150), 0.1, 0.1, 0.5, 19, r))
    # p is k / 20: for independent outcomes it is at most 1/20 with probability 1/20, and so on.
    for k, share in ((1, 0.5), (5, 0.5)):
        seen = int(np.sum(np.array(p) <= k / 20 + 1e-9))
        level.p(stats.binom.sf(seen - 1, len(p), k / 20), share, f"p up to {k}/20: {seen} of {len(p)}")
    return in_order({"permutation test of the densest box": np.array(p)})
