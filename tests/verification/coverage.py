"""Every interval that is printed, against the confidence it claims, on data like the model's."""

from datetime import date
from math import ceil, exp, log

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats
from scipy.special import gammaln

from sim.analysis import compare, intervals, precision, reached, sensitivity, value_of_information
from sim.analysis.goals import Goal
from sim.analysis.tables import metric_dates
from tests.helpers import ROOT
from tests.verification.alarms import BLUE, GREY, VERMILLION, check, rng, same
from tests.verification.synthetic import sum_with_luck

PROBABILITIES, SIZES, NOMINAL = (0.02, 0.1, 0.5, 0.9), (50, 400), 0.95
DRAWS = 4000
GOAL = Goal("goal", "hubs_open", 1.0, date(2027, 12, 31), "goal", held=True)
HELD = f"{GOAL.metric}@{GOAL.by}"


def population(*metrics):
    """Columns of the published runs of the baseline at the last date that has them: skewed counts."""
    runs = pq.read_table(ROOT / "results/baseline/tables/runs.parquet")
    return [runs.column(f"{name}@{metric_dates(runs, name)[-1]}").to_numpy().astype(float) for name in metrics]


def share_of(covered):
    """Share of intervals that cover, with its standard error and degrees of freedom, for `Level.equal`."""
    share = np.mean(covered)
    return share, np.sqrt(share * (1 - share) / len(covered)), len(covered) - 1


def against(level, covered, expected, share, name, what, n):
    """Binomial test of the covering intervals against their expectation; a row of the table."""
    measured = np.mean(covered)
    p = stats.binomtest(int(np.sum(covered)), len(covered), expected).pvalue
    level.p(p, share, f"{name}, {what}, n = {n}: {measured:.4f} for {expected:.4f}")
    level.rows.append((name, what, n, expected, measured, len(covered)))


def picture(level):
    """Measured coverage beside the expected one, by row of the table."""

    def draw(ax):
        for i, (_, _, _, expected, measured, draws) in enumerate(level.rows):
            ax.errorbar(i, measured, 2.576 * np.sqrt(expected * (1 - expected) / draws), fmt="o", ms=3, lw=1,
                        color=BLUE, label="" if i else "measured, 99% interval")  # fmt: skip
            ax.plot([i - 0.35, i + 0.35], [expected] * 2, color=VERMILLION, label="" if i else "theory")
        ax.axhline(NOMINAL, color=GREY, lw=0.8, ls=":", label="nominal")
        names = [f"{what}\nn = {n}" for _, what, n, *_ in level.rows]
        ax.set_xticks(range(len(names)), names, fontsize=6.5)
        ax.set(ylabel="coverage")

    return draw


def exact_wilson(p, n):
    """Coverage of Wilson's interval as scipy makes it, summed over the binomial distribution."""
    ends = [stats.binomtest(k, n).proportion_ci(method="wilson") for k in range(n + 1)]
    return sum(stats.binom.pmf(k, n, p) for k, end in enumerate(ends) if end.low <= p <= end.high)


@check(short=True)
def wilson_interval(level):
    """Wilson's interval of a probability.

    Theory: its coverage is not 95% at each probability but a sum over the binomial distribution (Brown, Cai and
    DasGupta 2001, Statistical Science 16), computed here with another implementation of the interval.
    Test: coverage of the model's interval by the same sum to 1e-12; and of 4,000 simulated proportions by a binomial
    test, at P = 0.02, 0.1, 0.5, 0.9 and n = 50, 400.
    False alarm: 2e-4.
    """
    for i, p in enumerate(PROBABILITIES):
        for n in SIZES:
            expected = exact_wilson(p, n)
            low, high = intervals.wilson(np.arange(n + 1), n)
            covers = (low <= p) & (p <= high)
            same(stats.binom.pmf(np.arange(n + 1), n, p)[covers].sum(), expected, "exact coverage", rtol=1e-12)
            estimates = [intervals.proportion(int(k), n) for k in rng(40, n, i).binomial(n, p, DRAWS)]
            covered = [one.low <= p <= one.high for one in estimates]
            against(level, covered, expected, 1 / 8, "Wilson, probability", f"P = {p}", n)
    return picture(level)


@check(short=True)
def curve_of_dates(level):
    """The band of a curve of dates, at one date.

    Theory: with one censoring time the share that got there is the estimate of Kaplan and Meier (1958), and its
    interval Wilson's, with the coverage of the check before at each date.
    Test: 2,000 sets of exponential dates cut at a horizon; binomial test of the coverage at four dates; one set
    against scipy's Kaplan-Meier estimate.
    False alarm: 2e-4.
    """
    rate = 0.002  # a day
    days = np.array([round(-log(1 - p) / rate) for p in PROBABILITIES])
    true = [1 - exp(-rate * (day + 1)) for day in days]
    start, horizon = np.datetime64("2025-11-14"), 1300
    for n in SIZES:
        curves = []
        for first in np.floor(rng(41, n).exponential(1 / rate, (2000, n))):
            dates = np.where(first <= horizon, start + first.astype("timedelta64[D]"), np.datetime64("NaT", "D"))
            curves.append(reached.reached_by(dates, start + days.astype("timedelta64[D]")))
        known = first <= horizon
        meier = stats.ecdf(stats.CensoredData(first[known], right=np.full(np.sum(~known), horizon))).cdf.evaluate(days)
        same(curves[-1].probability, meier, "estimate of Kaplan and Meier", atol=1e-12)
        for i, p in enumerate(true):
            covered = [curve.low[i] <= p <= curve.high[i] for curve in curves]
            against(level, covered, exact_wilson(p, n), 1 / 8, "Wilson, curve of dates", f"P = {p:.3f}", n)
    return picture(level)


def coverage_of_t(values, n):
    """Coverage of the t interval up to 1 / n, by the skewness and kurtosis of the population (Hall 1992, 2.6)."""
    z = stats.norm.ppf(0.975)
    skewness, kurtosis = stats.skew(values), stats.kurtosis(values)
    term = kurtosis * (z**2 - 3) / 12 - skewness**2 * (z**4 + 2 * z**2 - 3) / 18
    return NOMINAL + 2 / n * z * stats.norm.pdf(z) * term


@check(short=True)
def mean_interval(level):
    """Student's interval of a mean.

    Theory: exact for normal values; for skewed ones the coverage is 95% + O(1 / n), given by Edgeworth's expansion
    (Hall 1992, The Bootstrap and Edgeworth Expansion, 2.6).
    Test: 10,000 samples of hubs open and of jobs, drawn from the published runs of the baseline; binomial test
    against the expansion, and equivalence with 95% within 2 points.
    False alarm: 4e-4.
    """
    for name, values in zip(("hubs open", "jobs"), population("hubs_open", "jobs_supported"), strict=True):
        for n in SIZES:
            estimates = [intervals.mean(x) for x in rng(42, n).choice(values, (10_000, n))]
            covered = [one.low <= values.mean() <= one.high for one in estimates]
            against(level, covered, coverage_of_t(values, n), 1 / 8, "t, mean", name, n)
            level.equal(share_of(covered), 1 / 8, NOMINAL, 0.02, f"{name}, n = {n}")
    return picture(level)


@check(short=True)
def quantile_interval(level):
    """The interval of a quantile between two order statistics.

    Theory: for continuous values the coverage is P(r <= binomial(n, q) < s) for order statistics r and s; for counts
    at least 95% (David and Nagaraja 2003, Order Statistics, 7.1). An end that no order statistic gives is no bound.
    Test: 4,000 samples of uniform numbers, two-sided binomial test; and of hubs open in the published runs, one-sided
    binomial test.
    False alarm: 3e-4.
    """

    def covers(one, true):
        return not (one.low > true or one.high < true)  # nan bounds nothing

    (hubs,) = population("hubs_open")
    for i, q in enumerate(PROBABILITIES):
        true = np.sort(hubs)[ceil(q * len(hubs)) - 1]
        for n in SIZES:
            ranks = intervals.quantile(np.arange(n), q)
            below = 0.0 if np.isnan(ranks.low) else stats.binom.cdf(ranks.low, n, q)
            above = 0.0 if np.isnan(ranks.high) else stats.binom.sf(ranks.high, n, q)
            uniforms = rng(43, n, i).random((DRAWS, n))
            covered = [covers(intervals.quantile(x, q), q) for x in uniforms]
            against(level, covered, 1 - below - above, 1 / 16, "order statistics, quantile", f"q = {q}", n)
            found = sum(covers(intervals.quantile(x, q), true) for x in rng(44, n, i).choice(hubs, (DRAWS, n)))
            level.p(stats.binom.cdf(found, DRAWS, NOMINAL), 1 / 16, f"counts, q = {q}, n = {n}: {found / DRAWS:.4f}")
    return picture(level)


def table(**columns):
    n = len(next(iter(columns.values())))
    return pa.table({"replication": np.arange(n), "error": pa.nulls(n, pa.string()), **columns})


@check(short=True)
def paired_mean(level):
    """The interval of the mean difference of two scenarios.

    Theory: Student's interval of the paired differences (Law 2015, Simulation Modeling and Analysis, 10.2.1), with
    the expansion of the check of means.
    Test: 4,000 samples of pairs from the published runs, exports against jobs times their mean ratio; binomial test
    of the coverage.
    False alarm: 2e-4.
    """
    jobs, exports = population("jobs_supported", "exports_usd_per_year")
    jobs = jobs * exports.mean() / jobs.mean() * 0.9
    true = np.mean(exports - jobs)
    for n in SIZES:
        covered = []
        for rows in rng(45, n).integers(len(jobs), size=(DRAWS, n)):
            x, y = jobs[rows], exports[rows]
            (one,) = compare.compare(table(**{HELD: x}), table(**{HELD: y}), [HELD], [])
            covered.append(one.low <= true <= one.high)
        same(intervals.paired_difference(y, x)[1:3], (one.low, one.high), "two ways to the interval", rtol=1e-9)
        against(level, covered, coverage_of_t(exports - jobs, n), 1 / 2, "t, paired difference", "exports, jobs", n)
    return picture(level)


def exact_agresti_min(gain, loss, n):
    """Coverage of the interval of Agresti and Min: the sum over pairs gained and lost, trinomial."""
    gained, lost = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    keep = gained + lost <= n
    gained, lost = gained[keep], lost[keep]
    rest = n - gained - lost
    mass = np.exp(
        gammaln(n + 1) - gammaln(gained + 1) - gammaln(lost + 1) - gammaln(rest + 1)
        + gained * log(gain) + lost * log(loss) + rest * log(1 - gain - loss)
    )  # fmt: skip
    cells = np.array([gained, lost]) + 0.5
    centre = (cells[0] - cells[1]) / (n + 2)
    half = stats.norm.isf(0.025) * np.sqrt((cells.sum(0) / (n + 2) - centre**2) / (n + 2))
    return mass[np.abs(gain - loss - centre) <= half].sum()


@check(short=True)
def paired_chances(level):
    """The interval of the difference of two paired chances.

    Theory: half an observation is added to each of the four cells (Agresti and Min 2005, Statistics in Medicine 24);
    the coverage is a sum over the trinomial distribution.
    Test: 2,000 sets of pairs with the chance P in the first scenario, of which 0.6 P (1 - P) gain and 0.3 P (1 - P)
    lose the goal; binomial test of the coverage.
    False alarm: 2e-4.
    """
    for i, p in enumerate(PROBABILITIES):
        gain, loss = 0.6 * p * (1 - p), 0.3 * p * (1 - p)
        for n in SIZES:
            covered = []
            kinds = rng(46, n, i).choice(4, (2000, n), p=[gain, loss, p - loss, 1 - p - gain])
            for kind in kinds:
                before, after = (kind == 1) | (kind == 2), (kind == 0) | (kind == 2)
                (one,) = compare.compare(
                    table(**{HELD: before.astype(float)}), table(**{HELD: after.astype(float)}), [], [GOAL]
                )
                covered.append(one.low <= gain - loss <= one.high)
            expected = exact_agresti_min(gain, loss, n)
            against(level, covered, expected, 1 / 8, "Agresti-Min, paired difference", f"P = {p}", n)
    return picture(level)


@check(short=True)
def family_of_comparisons(level):
    """Several comparisons together, and how many pairs they need.

    Theory: for m independent comparisons without a difference, Holm (1979, Scand. J. Stat. 6) declares one with
    probability 1 - (1 - 0.05 / m)^m, and Bonferroni's intervals all cover with the opposite one; with a difference of
    delta standard deviations n pairs tell it with the power of the noncentral t distribution, 0.8 at the number that
    is printed.
    Test: 3,000 sets of 6 comparisons of 60 pairs without a difference, binomial test of the sets with a false
    finding; 5,000 single comparisons of the printed number of pairs with delta = 0.35, z of the findings and
    equivalence with 0.8 within 4 points.
    False alarm: 4e-4.
    """
    m, pairs = 6, 60
    names = [f"x{i}@2027-12-31" for i in range(m)]
    found, covered = [], []
    for noise in rng(47).normal(size=(3000, m, pairs)):
        zero = table(**dict.fromkeys(names, np.zeros(pairs)))
        every = compare.compare(zero, table(**dict(zip(names, noise, strict=True))), names, [])
        found.append(any(one.distinct for one in every))
        covered.append(all(one.low <= 0 <= one.high for one in every))
    size = 1 - (1 - 0.05 / m) ** m
    against(level, covered, 1 - size, 1 / 4, "Bonferroni, all of 6", "no difference", pairs)
    level.z((np.mean(found) - size) / np.sqrt(size * (1 - size) / len(found)), 1 / 4, f"found: {np.mean(found):.4f}")

    delta, few = 0.35, np.linspace(-1, 1, 20)
    sample = few / few.std(ddof=1) + delta  # mean and standard deviation are what they are meant to be
    (one,) = compare.compare(table(**{HELD: np.zeros(20)}), table(**{HELD: sample}), [HELD], [])
    assert not one.distinct
    n = int(one.needed)
    told = [
        compare.compare(table(**{HELD: np.zeros(n)}), table(**{HELD: x}), [HELD], [])[0].distinct
        for x in rng(48).normal(delta, 1, (5000, n))
    ]
    critical = stats.t.isf(0.025, n - 1)
    power = stats.nct.sf(critical, n - 1, delta * np.sqrt(n)) + stats.nct.cdf(-critical, n - 1, delta * np.sqrt(n))
    level.z((np.mean(told) - power) / np.sqrt(power * (1 - power) / len(told)), 1 / 4, f"power {np.mean(told):.3f}")
    level.equal(share_of(told), 1 / 4, 0.8, 0.04, f"power at the printed number of {n} pairs")

    def draw(ax):
        sizes = np.arange(10, 130)
        critical = stats.t.isf(0.025, sizes - 1)
        ax.plot(sizes, stats.nct.sf(critical, sizes - 1, delta * np.sqrt(sizes)), color=GREY, lw=1, label="theory")
        ax.errorbar([n], [np.mean(told)], [2.576 * share_of(told)[1]], fmt="o", color=BLUE, ms=3,
                    label="simulated at the printed number")  # fmt: skip
        ax.errorbar([pairs], [np.mean(found)], [2.576 * share_of(found)[1]], fmt="s", color=VERMILLION, ms=3,
                    label="false finding among 6 without a difference")  # fmt: skip
        ax.axhline(0.05, color=GREY, lw=0.8, ls=":")
        ax.set(xlabel="pairs", ylabel="chance of a finding", ylim=(0, 1.02))

    return draw


STOPPED = ((0.02, 0.03), (0.1, 0.06), (0.5, 0.06), (0.9, 0.1))
"""Probabilities, and half-widths that are asked for."""


@check(short=True)
def stopped_chances(level):
    """A probability known well enough to stop.

    Theory: with K looks at which one may stop, intervals of confidence 1 - 0.05 / K cover at all of them with 95% at
    least (Boole), so under any rule that looks at the data; for binomial data exactly (Clopper and Pearson 1934).
    Test: exact sums over all paths of successes from look to look, up to 800 runs: coverage when stopping as soon as
    the half-width is reached, and as soon as the interval misses the truth, the worst rule there is; both 95% or more.
    False alarm: 0.
    """
    for p, half_width in STOPPED:
        asked = precision.Precision(GOAL, HELD, half_width, NOMINAL, 800)
        may = precision.may_stop(asked, asked.each)
        covered, missed, alive, honest = 0.0, 0.0, np.ones(1), np.ones(1)
        for before, n in zip([0, *may], may, strict=False):
            step = stats.binom.pmf(np.arange(n - before + 1), n - before, p)
            alive, honest = np.convolve(alive, step), np.convolve(honest, step)
            found = [asked.estimate(table(**{HELD: (np.arange(n) < k).astype(float)})) for k in range(n + 1)]
            covers = np.array([one.low <= p <= one.high for one in found])
            stops = np.array([asked.reached(one) for one in found]) | (n == may[-1])
            covered += alive[stops & covers].sum()
            missed += honest[~covers].sum()
            alive, honest = np.where(stops, 0, alive), np.where(covers, honest, 0)
        for rule, share in (("half-width", covered), ("the worst rule", 1 - missed)):
            assert share >= NOMINAL - 1e-12, f"P = {p}, stopping by {rule}: {share:.4f}"
            level.rows.append((f"stopped by {rule}, probability", f"P = {p}", may[-1], NOMINAL, share, 0))
    return at_least(level)


@check(short=True)
def stopped_means(level):
    """A mean known well enough to stop.

    Theory: as for a probability, with Student's intervals of confidence 1 - 0.05 / K at K looks (Jennison and Turnbull
    2000, Group Sequential Methods, chapter 9).
    Test: 1,500 sequences of up to 800 hubs and jobs, drawn from the published runs of the baseline, stopped at a
    half-width of a twentieth of the mean, and by the worst rule, as soon as the interval misses the truth; one-sided
    binomial test of a coverage of 95%.
    False alarm: 1e-4.
    """
    draws = 1500
    for name, values in zip(("hubs open", "jobs"), population("hubs_open", "jobs_supported"), strict=True):
        true = values.mean()
        asked = precision.Precision(None, HELD, true / 20, NOMINAL, 800)
        kept = {"half-width": [], "the worst rule": []}
        for x in rng(48).choice(values, (draws, 800)):
            whole = table(**{HELD: x})
            found = [asked.estimate(whole.slice(0, n)) for n in asked.looks]
            covers = [one.low <= true <= one.high for one in found]
            stop = next((i for i, one in enumerate(found) if asked.reached(one)), len(found) - 1)
            kept["half-width"].append(covers[stop])
            kept["the worst rule"].append(all(covers))
        for rule, covered in kept.items():
            what = f"{name}, stopped by {rule}: {np.mean(covered):.4f}"
            level.p(stats.binom.cdf(sum(covered), draws, NOMINAL), 1 / 4, what)
            level.rows.append((f"stopped by {rule}, mean", name, 800, NOMINAL, np.mean(covered), draws))
    return at_least(level)


def at_least(level, line="nominal: at least"):
    """Coverage by row of the table, beside the nominal one, which `line` says what it is for."""

    def draw(ax):
        rules = dict.fromkeys(name for name, *_ in level.rows)
        for rule, colour in zip(rules, (BLUE, VERMILLION), strict=True):
            here = [(what, share) for name, what, _, _, share, _ in level.rows if name == rule]
            ax.plot(*zip(*here, strict=True), "o", color=colour, label=rule.partition(",")[0])
        ax.axhline(NOMINAL, color=GREY, lw=0.8, ls=":", label=line)
        ax.set(ylabel="coverage", ylim=(0.9, 1.002))

    return draw


@check
def sobol_intervals(level):
    """Intervals of Sobol indices and of the share of luck.

    Theory: percentiles of a bootstrap of the rows cover with their confidence but for terms that go with the number of
    rows (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13); the sum of normal inputs and luck of
    the check `indices_without_luck` has the indices 0.8, 0.2, 0 and a share of luck of two thirds.
    Test: 600 designs of 128 and of 512 independent random rows; one-sided binomial tests that the intervals of 95%
    cover with 90% at least. The quasi-random rows of the studies are more even, so that there they cover more.
    False alarm: 2e-4.
    """
    names = ["first, A", "first, B", "first, C", "total, A", "total, B", "total, C", "luck"]
    theory = np.array([0.8, 0.2, 0.0, 0.8, 0.2, 0.0, 2 / 3])
    for n in (128, 512):
        covered = []
        for key in range(600):
            found = sensitivity.sobol(*sum_with_luck(key, n, rows=n), 200, rng(49, n, key))
            each = [*found.first, *found.total, found.luck]
            covered.append([one.low <= true <= one.high for one, true in zip(each, theory, strict=True)])
        below(level, np.array(covered), names, n, f"{n} rows, Sobol index")
    return at_least(level, "nominal")


@check
def worth_intervals(level):
    """Intervals of what knowing a parameter is worth.

    Theory: as for Sobol indices, by the basic bootstrap, moved by the bias; the options of the check
    `evppi_of_normal_options`. What is worth hardly anything is no case: where no resample would change the decision,
    the interval is 0 to 0.
    Test: 300 sets of 500 and of 1,500 runs for each of three spreads; one-sided binomial tests that the intervals of
    95% cover with 90% at least.
    False alarm: 2e-4.
    """
    spreads = (0.4, 1.0, 1.5)
    for n in (500, 1500):
        covered = []
        for key in range(300):
            r = rng(50, n, key)
            x, luck, row = r.standard_normal(n), 2 * r.standard_normal(n), []
            for s in spreads:
                values = np.column_stack([np.zeros(n), 0.3 + s * x + luck])
                one = value_of_information.evppi({"x": x}, values, np.arange(n), 100, r)[0]
                worth = 0.3 * stats.norm.cdf(0.3 / s) + s * stats.norm.pdf(0.3 / s) - 0.3
                row.append(one.low <= worth <= one.high)
            covered.append(row)
        below(level, np.array(covered), [f"spread {s}" for s in spreads], n, f"{n} runs, worth of knowing")
    return at_least(level, "nominal")


def below(level, covered, names, n, name):
    """One-sided tests of a coverage of 90% at least for intervals of 95%, by column; a row of the table for each."""
    for what, column in zip(names, covered.T, strict=True):
        p = stats.binom.cdf(column.sum(), len(column), 0.9)
        level.p(p, 1 / 2 / len(names), f"{name}, {what}, n = {n}: {column.mean():.4f}")
        level.rows.append((name, what, n, NOMINAL, column.mean(), len(column)))
