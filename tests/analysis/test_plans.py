"""Regret of plans in worlds."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from sim.analysis import plans
from sim.analysis.goals import Goal

GOAL = Goal("hubs", "hubs_open", 100.0, date(2027, 12, 31), "100 hubs", held=True)
N = 200
NAMES = (["a", "b", "c"], ["dry", "wet"])


def runs(means, spread=5.0, n=N):
    """Runs with these means, shape (plans, worlds), on the same luck."""
    luck = np.random.default_rng(4).normal(0, 20, n)
    own = np.random.default_rng(5)
    values = [mean + luck + own.normal(0, spread, n) for mean in np.ravel(means)]
    scenario = np.repeat(np.arange(len(values)), n).astype(np.int32)
    error = pa.nulls(len(scenario), pa.string())
    columns = {"replication": np.tile(np.arange(n, dtype=np.int32), len(values)), "error": error}
    return pa.table({"scenario": scenario, **columns, "hubs_open@2027-12-31": np.concatenate(values)})


def test_regret_is_what_the_best_has_more():
    means = np.array([[90, 90], [130, 60], [110, 88]])
    (found,) = plans.regrets(runs(means), 3, 2, [GOAL])
    regret = found["mean"]
    assert regret.value == pytest.approx(means.max(axis=0) - means, abs=1.5)
    assert (regret.low <= regret.value).all()
    assert (regret.value <= regret.high).all()
    assert regret.worst[0] == pytest.approx([40, 30, 20], abs=1.5)
    assert regret.candidates == [2]
    assert regret.pairs == N
    table = runs(means)
    values = table["hubs_open@2027-12-31"].to_numpy().reshape(3, 2, N)
    share = (values >= 100).mean(axis=2)
    assert found["probability"].value == pytest.approx(share.max(axis=0) - share)


def test_the_answer_names_the_plan_and_where_it_is_worst():
    (found,) = plans.regrets(runs([[90, 90], [130, 60], [110, 88]]), 3, 2, [GOAL])
    said = plans.in_words(found["mean"], *NAMES, str, "mean hubs")
    assert said.startswith("In mean hubs, 'c' is never far from the best: at most ")
    assert "in 'dry'" in said


def test_plans_that_cannot_be_told_apart_are_said_to_be_so():
    (found,) = plans.regrets(runs([[90, 90]] * 3, n=20), 3, 2, [GOAL])
    said = plans.in_words(found["mean"], *NAMES, str, "mean hubs")
    assert said == "In mean hubs, 20 paired runs cannot tell the plans apart."
    (found,) = plans.regrets(runs([[90, 90], [90, 90], [20, 20]], n=20), 3, 2, [GOAL])
    assert "cannot tell it from" in plans.in_words(found["mean"], *NAMES, str, "mean hubs")


def test_a_plan_that_is_best_everywhere_has_no_regret():
    (found,) = plans.regrets(runs([[90, 90], [130, 130], [110, 88]]), 3, 2, [GOAL])
    assert found["mean"].worst[:, 1] == pytest.approx([0, 0, 0])
    assert "best in every world" in plans.in_words(found["mean"], *NAMES, str, "mean hubs")


def test_intervals_cover_all_regrets_together():
    """80 tables of 3 plans in 2 worlds with known means: at least 95% of them are covered whole."""
    means = np.array([[90.0, 90.0], [92.0, 89.0], [91.0, 90.5]])
    regret = means.max(axis=0) - means
    covered = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        table = runs(means, n=60).set_column(
            3, "hubs_open@2027-12-31", pa.array((means.reshape(-1, 1) + rng.normal(0, 5, (6, 60))).ravel())
        )
        found = plans.regrets(table, 3, 2, [GOAL])[0]["mean"]
        covered += bool(((found.low <= regret) & (regret <= found.high)).all())
    assert covered >= 74
