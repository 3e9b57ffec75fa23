"""Search and certification of the cheapest plan, on functions whose answer is known."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binom

from sim.analysis import solve as module
from sim.analysis.solve import CERTIFY, Plan, certify, design, grid, lower_bound, solve
from tests.verification.synthetic import SIZES, TARGET, Problem

QUICK = Plan(TARGET, design=20, design_replications=20, rounds=2, batch=6, batch_replications=30, replications=300)


def test_the_grid_is_every_combination_and_its_size_is_limited():
    assert [tuple(p) for p in grid([2, 3])] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    with pytest.raises(ValueError, match="the levers have 1,000,000 combinations, at most 100,000"):
        grid([10] * 6)


def test_a_design_has_the_ends_of_every_lever_alone():
    points = design([4, 3, 5], 20, seed=1)
    assert {(0, 0, 0), (3, 0, 0), (0, 2, 0), (0, 0, 4), (3, 2, 4)} <= set(points)
    assert len(set(points)) == len(points) <= 20
    assert np.max(points, axis=0).tolist() == [3, 2, 4]


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (7, 20), (20, 20), (512, 600)])
def test_the_lower_bound_is_exact(successes, n):
    """At the bound, so many successes or more have a probability of exactly 1 - confidence."""
    low = lower_bound(successes, n, 0.95)
    assert (successes == 0) == (low == 0)
    if successes:
        assert binom.sf(successes - 1, n, low) == pytest.approx(0.05)


def test_certification_stops_at_the_first_failure():
    counts = {(2,): 95, (1,): 60, (0,): 99}
    asked = []

    def evaluate(points, replications, block):
        asked.append((points, replications, block))
        return [counts[point] for point in points]

    plan = Plan(0.8, replications=100)
    tested = certify([(2,), (1,), (0,)], np.array([0.0, 1.0, 2.0]), evaluate, plan, 0.95, [3])
    assert [(one.point, one.cost, one.passed) for one in tested] == [((2,), 2.0, True), ((1,), 1.0, False)]
    assert asked == [([(2,)], 100, CERTIFY), ([(1,)], 100, CERTIFY)]


@pytest.mark.parametrize("number", [0, 3])
def test_the_certified_plan_is_the_cheapest_or_nearly_and_brute_force_agrees(number):
    """240 plans are few enough to know the best of them."""
    problem = Problem(number)
    found = solve(SIZES, problem.cost, problem.evaluate, QUICK, number)
    assert found.certified is not None
    assert problem.true(found.certified.point) >= TARGET
    cheapest = problem.cost[problem.p >= TARGET].min()
    assert cheapest <= found.certified.cost <= 1.25 * cheapest
    assert len(found.seen) < len(problem.p) / 4
    assert [one.cost for one in found.tested] == sorted((one.cost for one in found.tested), reverse=True)


def test_of_twenty_certified_plans_nineteen_meet_the_target():
    """The quick form of the check `certified_plans` in tests/verification."""
    met = 0
    for number in range(20):
        problem = Problem(100 + number)
        found = solve(SIZES, problem.cost, problem.evaluate, QUICK, number)
        assert found.certified is not None
        met += problem.true(found.certified.point) >= TARGET
    assert met >= 19


def test_the_same_seed_finds_the_same():
    first, second = (solve(SIZES, Problem(5).cost, Problem(5).evaluate, QUICK, 5) for _ in range(2))
    assert first.seen == second.seen
    assert first.tested == second.tested


def test_a_target_that_nothing_reaches():
    problem = Problem(1, shift=-7)
    assert problem.p.max() < 0.7
    found = solve(SIZES, problem.cost, problem.evaluate, QUICK, 1)
    assert found.certified is None
    (best,) = found.tested
    assert problem.true(best.point) > 0.8 * problem.p.max()


def test_one_lever_that_would_do_alone():
    """It is tested too, and each of the two claims gets half of the error."""
    problem = Problem(2)
    problem.p[:] = np.where(problem.points[:, 1] >= 3, 0.97, 0.05)
    found = solve(SIZES, problem.cost, problem.evaluate, QUICK, 2)
    assert found.alone is not None
    assert found.alone.passed
    assert found.alone.point[0] == found.alone.point[2] == 0
    assert found.alone.point[1] >= 3
    assert found.alone.low == lower_bound(found.alone.successes, 300, 0.975)


def test_plans_out_of_the_question_are_not_run():
    """Beyond a budget, or impossible: the others are searched as if nothing were."""
    problem = Problem(0)
    budget = np.quantile(problem.cost, 0.7)
    asked = set()

    def evaluate(points, replications, block):
        asked.update(points)
        counts = problem.evaluate(points, replications, block)
        return [np.nan if point[0] == point[1] == 3 else count for point, count in zip(points, counts, strict=True)]

    cost = np.where(problem.cost > budget, np.nan, problem.cost)
    found = solve(SIZES, cost, evaluate, QUICK, 0)
    assert all(cost[problem.row(point)] <= budget for point in asked)
    assert all(point[:2] != (3, 3) for point in found.seen)
    assert not {one.point for one in found.tested} & set(found.infeasible)
    assert found.certified is None or problem.true(found.certified.point) >= TARGET


def test_no_plan_within_a_budget_but_the_present_one():
    problem = Problem(0)
    cost = np.where(problem.cost > 0, np.nan, 0.0)
    found = solve(SIZES, cost, problem.evaluate, QUICK, 0)
    assert [one.point for one in found.tested] == [(0, 0, 0)]
    assert found.certified is None
    with pytest.raises(ValueError, match="no point"):
        solve(SIZES, np.full(len(cost), np.nan), problem.evaluate, QUICK, 0)


SEARCH = f"""
import json
from sim.analysis.solve import Plan, solve
from tests.verification.synthetic import SIZES, Problem

problems = [Problem(number) for number in (100, 101, 102)]
found = [solve(SIZES, one.cost, one.evaluate, {QUICK}, one.number) for one in problems]
print(json.dumps([[list(one.seen.items()), one.ladder] for one in found]))
"""


def test_the_search_goes_the_same_way_on_other_processors():
    """Their linear algebra rounds otherwise; OpenBLAS takes the kernels of an older processor if it is told to.

    Other libraries, and other kinds of processors, have no such kernels: there it sees that three searches are one.
    """
    started = {
        kernels: subprocess.Popen(
            [sys.executable, "-c", SEARCH], env=os.environ | {"OPENBLAS_CORETYPE": kernels}, stdout=subprocess.PIPE
        )
        for kernels in ("Nehalem", "Sandybridge", "Haswell")
    }
    found = {}
    for kernels, process in started.items():
        said, _ = process.communicate()
        if process.returncode >= 0:  # else killed by a signal: this processor cannot run them
            assert process.returncode == 0
            found[kernels] = json.loads(said)
    first, *others = found.values()
    for other in others:
        assert other == first, list(found)


def test_the_surrogate_follows_what_was_seen():
    problem = Problem(4)
    surrogate = module.Surrogate(3)
    x = problem.points / (np.array(SIZES) - 1)
    rows = np.arange(0, len(x), 4)
    counts = np.random.default_rng(1).binomial(100, problem.p[rows])
    surrogate.fit(x[rows], counts, np.full(rows.size, 100.0))
    mean, sd = surrogate.predict(x)
    truth = np.log(problem.p / (1 - problem.p))
    assert np.mean(np.abs(truth - mean) < 2 * sd) > 0.9
    assert np.corrcoef(mean, truth)[0, 1] > 0.97
    draws = surrogate.sample(x[:50], 4000, np.random.default_rng(2))
    np.testing.assert_allclose(draws.mean(axis=0), mean[:50], atol=0.1 * sd[:50].max() + 0.05)
    np.testing.assert_allclose(draws.std(axis=0), sd[:50], rtol=0.1)


@pytest.mark.parametrize("theta", [(0.0, 0.0, 0.0, 0.0), (0.5, -0.3, 0.4, 1.0), (-1.0, 0.7, -0.6, 0.2)])
def test_the_slope_of_the_evidence_is_that_of_its_differences(theta):
    problem = Problem(4)
    surrogate = module.Surrogate(3)
    rows = np.arange(0, len(problem.p), 8)
    surrogate.x = problem.points[rows] / (np.array(SIZES) - 1)
    surrogate.n = np.full(rows.size, 100.0)
    surrogate.successes = np.random.default_rng(1).binomial(100, problem.p[rows])
    theta = np.array(theta)
    surrogate._laplace(theta)
    slope = surrogate._slope(theta)
    h = 1e-3
    steps = [[surrogate._laplace(theta + sign * h * axis) for sign in (1, -1)] for axis in np.eye(4)]
    np.testing.assert_allclose(slope, [(up - down) / (2 * h) for up, down in steps], rtol=1e-4, atol=1e-4)
