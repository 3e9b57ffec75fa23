"""Control variates and grouped means against textbook results; when they say nothing."""

import numpy as np
import pyarrow as pa
import pytest

from sim.analysis.variance import controlled, expectation, grouped, in_words, reduced_means
from sim.model.parameters import walk
from tests.helpers import study

N = 400


def table(**columns):
    n = len(next(iter(columns.values())))
    return pa.table({"replication": np.arange(n), "error": pa.nulls(n, pa.string()), **columns})


@pytest.fixture
def drawn():
    """A mean of 10 that hangs on a parameter of expectation 0 three times as much as on luck: correlation² = 0.9."""
    random = np.random.default_rng(3)
    parameter = random.normal(size=N)
    return parameter, 10 + 3 * parameter + random.normal(size=N)


def test_a_control_takes_away_what_it_explains(drawn):
    parameter, y = drawn
    found = controlled(y, parameter[:, None])
    residual = y - np.polyval(np.polyfit(parameter, y, 1), parameter)
    assert found.value == pytest.approx(np.polyval(np.polyfit(parameter, y, 1), 0))
    assert found.gain == pytest.approx(y.var() / residual.var(), rel=0.02)
    assert 8 < found.gain < 12
    assert found.low < 10 < found.high
    assert found.high - found.low < 1.96 * 2 * y.std() / np.sqrt(N) / 2.5


def test_a_control_that_explains_nothing_costs_little(drawn):
    _, y = drawn
    found = controlled(y, np.random.default_rng(4).normal(size=(N, 5)))
    assert found.gain == pytest.approx(1, abs=0.1)
    assert controlled(y, np.empty((N, 0))).value == pytest.approx(y.mean())
    assert controlled(y, np.empty((N, 0))).gain == pytest.approx(1)


def test_a_mean_over_mirrored_pairs_knows_that_they_cancel():
    u = np.random.default_rng(5).random(N // 2)
    y = np.column_stack([u, 1 - u]).ravel() + np.random.default_rng(6).normal(0, 0.01, N)
    found = grouped(y, np.arange(N), 2)
    assert found.value == pytest.approx(y.mean())
    assert found.gain > 100
    assert found.low < 0.5 < found.high


def test_a_pair_of_which_one_failed_is_left_out():
    y, numbers = np.arange(9.0), np.array([0, 1, 2, 3, 4, 5, 6, 7, 9])
    found = grouped(y, numbers, 2)
    assert found.n == 8
    assert found.value == pytest.approx(np.mean([0.5, 2.5, 4.5, 6.5]))
    assert np.isnan(grouped(y[:3], numbers[:3], 2).value)


def test_expectation_of_a_distribution_and_of_the_states_that_hold_it():
    world = study()
    parameters = dict(walk(world))
    pert, held = parameters["hiring.people_per_seat"], "calls.applications"
    assert expectation("hiring.people_per_seat", pert, [], {}) == pytest.approx((1 + 4 * 1.1 + 1.5) / 6, rel=1e-5)
    states, prior = world.start.states, world.start.prior
    of_states = np.mean([state.parameters[held] for state in states])
    assert expectation(held, parameters[held], states, prior) == pytest.approx(of_states)
    assert expectation(held, parameters[held], states, {}) == pytest.approx((35 + 4 * 48 + 75) / 6, rel=1e-5)


def test_what_a_run_says(drawn):
    parameter, y = drawn
    runs = table(**{"param.a": parameter, "param.fixed": np.ones(N), "hubs_open@2027-12-31": y})
    (found,) = reduced_means(runs, ["hubs_open@2027-12-31"], {"a": 0.0, "fixed": 1.0}, 1)
    assert (found["metric"], found["date"], found["method"]) == ("hubs_open", "2027-12-31", "control variates")
    assert found["gain"] == pytest.approx(controlled(y, parameter[:, None]).gain)
    assert f"equal to {found['gain']:.1f} times as many runs" in in_words([found])
    (paired,) = reduced_means(runs, ["hubs_open@2027-12-31"], {"a": 0.0}, 2)
    assert paired["method"] == "the design"


def test_nothing_is_said_where_there_is_nothing_to_say(drawn):
    parameter, y = drawn
    runs = table(**{"param.a": parameter, "same@2027-12-31": np.ones(N), "m@2027-12-31": y})
    assert reduced_means(runs, ["m@2027-12-31"], {"a": 0.0}, None) == []  # Sobol: one whole
    assert reduced_means(runs, ["same@2027-12-31"], {"a": 0.0}, 1) == []
    assert reduced_means(runs.slice(0, 9), ["m@2027-12-31"], {"a": 0.0}, 1) == []  # too few for a coefficient
    assert [len(reduced_means(runs.slice(0, n), ["m@2027-12-31"], {}, 2)) for n in (38, 40)] == [0, 1]  # pairs
    assert in_words([]) == ""
