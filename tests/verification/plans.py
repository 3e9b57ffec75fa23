"""What it takes: the cheapest certified plan truly meets its target, as often as is said."""

import numpy as np
from scipy import stats

from sim.analysis.solve import CERTIFY, Plan, certify, solve
from tests.verification.alarms import check, rng
from tests.verification.synthetic import SIZES, TARGET, Problem

CONFIDENCE = 0.95
PLAN = Plan(TARGET, CONFIDENCE, 24, 20, 3, 8, 40, 6, 400)


@check
def certified_plans(level):
    """Certified plans meet their target.

    Theory: a sequence of tests that was fixed before and ends with the first failure errs with at most 5% (Westfall and
    Krishen 2001, J. Stat. Plan. Inference 99), however the sequence was found.
    Test: 100 searches for the cheapest of 240 plans with known probabilities; binomial test of certified plans that
    miss the target against 5%.
    False alarm: 1e-4.
    """
    regret, truth = [], []
    for number in range(100):
        problem = Problem(int(rng(number).integers(10**6)))
        found = solve(SIZES, problem.cost, problem.evaluate, PLAN, number)
        if found.certified is None:
            continue
        truth.append(problem.true(found.certified.point))
        regret.append(found.certified.cost / problem.cost[problem.p >= TARGET].min())
    truth = np.array(truth)
    assert len(truth) >= 90, f"only {len(truth)} of 100 searches certified a plan"
    assert np.median(regret) < 1.1
    misses = int(np.sum(truth < TARGET))
    level.p(stats.binomtest(misses, len(truth), 1 - CONFIDENCE, "greater").pvalue, 1, f"{misses} of {len(truth)} miss")

    def draw(ax):
        ax.plot(regret, truth, ".", ms=4, color="#0072B2", label="certified plans")
        ax.axhline(TARGET, color="#666666", lw=1, label="target")
        ax.set(xlabel="cost / cheapest that meets the target", ylabel="true probability")

    return draw


@check
def errors_of_a_sequence(level):
    """Error of a sequence of tests at its worst.

    Theory: as above, with plans from the target down, the worst case: the first test errs with just under 5%, and all
    later ones on the same runs only if it did.
    Test: 4,000 sequences of four plans with probabilities from 0.7999 to 0.7; share that certifies any of them against
    5%, one-sided.
    False alarm: 1e-4.
    """
    chances = np.array([0.7, 0.75, 0.79, 0.7999])
    plan = Plan(TARGET, CONFIDENCE, replications=300)
    random = rng(9)
    passed = np.zeros(5, int)
    for _ in range(4000):
        u = random.random(300)

        def evaluate(points, replications, block, u=u):
            assert (replications, block) == (300, CERTIFY)
            return [int(np.sum(u < chances[point])) for (point,) in points]

        tested = certify([(3,), (2,), (1,), (0,)], np.arange(4.0), evaluate, plan, CONFIDENCE, [4])
        passed[sum(one.passed for one in tested)] += 1
    wrong = int(passed[1:].sum())
    level.p(stats.binomtest(wrong, 4000, 1 - CONFIDENCE, "greater").pvalue, 1, f"{wrong} of 4,000 certify")

    def draw(ax):
        ax.bar(range(1, 5), passed[1:] / 4000, color="#0072B2", width=0.6, label="certified, all of them wrongly")
        ax.axhline(1 - CONFIDENCE, color="#666666", lw=1, label="promised for all together")
        ax.set(xlabel="plans certified in a sequence", ylabel="share of sequences", xticks=range(1, 5))

    return draw
