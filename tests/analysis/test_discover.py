"""PRIM: a published example, a planted box, and nothing where there is nothing."""

import csv
from itertools import pairwise

import numpy as np
import pytest

from sim.analysis.discover import Box, chance, densest, find, measure, peel, quasi_p, reproduced
from tests.helpers import ROOT

INPUTS = 6
RULE = (0.05, 0.05, 0.5)


@pytest.fixture(scope="module")
def published():
    """The runs of Bryant and Lempert (2010): inputs by name, and the cases of interest."""
    with (ROOT / "tests/data/bryant_lempert_2010.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    data = np.array(rows, dtype=float)
    return head[:-1], data[:, :-1], data[:, -1] > 0


def planted(n=1000, noise=0.1, seed=1):
    """Cases where the first input is below 0.4 and the second above 0.5, some flipped."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, INPUTS))
    y = (x[:, 0] < 0.4) & (x[:, 1] > 0.5)
    return x, y ^ (rng.random(n) < noise)


def test_the_published_example(published):
    """Total biomass, demand elasticity and backstop price, as published; so does the EMA workbench 2.5.3.

    That finds coverage 75%, density 77% on the 21st step of its trajectory, with a limit on the cost of cellulosic
    feedstock whose quasi-p-value (0.16) says that it may be chance.
    """
    names, x, y = published
    assert (len(y), int(y.sum())) == (882, 89)
    box = find(x, y, 0.1, 0.05, 0.7)
    assert [names[i] for i in box.limited] == ["Total biomass", "Demand elasticity", "Biomass backstop price"]
    biomass, elasticity, price = (box.limits[i] for i in box.limited)
    assert biomass[1] == pytest.approx(777, abs=10)
    assert elasticity[0] == pytest.approx(-0.40, abs=0.03)
    assert price[0] == pytest.approx(149, abs=3)
    found = measure(box, x, y)
    assert found.coverage.value == pytest.approx(0.75, abs=0.05)
    assert found.density.value == pytest.approx(0.77, abs=0.05)
    assert max(quasi_p(box, x, y).values()) < 1e-4


def test_the_trajectory_is_that_of_another_implementation(published):
    """Coverage against density of the EMA workbench 2.5.3 (share 0.1); steps differ by a run or two."""
    _, x, y = published
    path = [measure(box, x, y) for box, *_ in peel(x, y, 0.1, 0.05)]
    density = {one.coverage.value: one.density.value for one in path}
    for coverage, other in ((1.0, 0.301), (0.966, 0.404), (0.876, 0.574), (0.753, 0.770), (0.640, 0.905)):
        nearest = min(density, key=lambda seen: abs(seen - coverage) - 1e-6 * density[seen])
        assert density[nearest] == pytest.approx(other, abs=0.06)


def test_a_planted_box_is_found():
    x, y = planted()
    box = find(x, y, 0.05, 0.05, 0.65)  # the planted box has 69% of the cases
    assert box.limited == [0, 1]
    assert box.limits[0, 1] == pytest.approx(0.4, abs=0.05)
    assert box.limits[1, 0] == pytest.approx(0.5, abs=0.05)
    fresh = measure(box, *planted(seed=2))
    assert fresh.density.value == pytest.approx(0.9, abs=0.06)
    assert chance(x, y, *RULE, 19, np.random.default_rng(1)) == 1 / 20
    again = reproduced(x, y, *RULE, 5, np.random.default_rng(1))
    assert again[:2].min() >= 0.9
    assert again[2:].max() <= 0.3


def test_nothing_is_found_where_luck_decides():
    rng = np.random.default_rng(3)
    x, y = rng.random((300, INPUTS)), rng.random(300) < 0.4
    assert chance(x, y, *RULE, 39, np.random.default_rng(1)) > 0.05


def test_peeling_goes_inwards_and_keeps_enough():
    x, y = planted(300)
    path = peel(x, y, 0.05, 0.1)
    for (one, *_), (other, *_) in pairwise(path):
        assert (other.holds(x) <= one.holds(x)).all()
        assert 0 < one.holds(x).sum() - other.holds(x).sum() <= 0.05 * one.holds(x).sum() + 1
    assert [(runs, hits) for _, runs, hits in path] == [
        (box.holds(x).sum(), (box.holds(x) & y).sum()) for box, *_ in path
    ]
    assert path[0].box.limited == []
    assert path[-1].runs >= 0.1 * len(y)
    assert densest(path, 0.6).hits >= 0.6 * y.sum()


def test_inputs_with_few_values():
    """Ties are peeled off together, and a box may end between two values."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 3, (400, 2)).astype(float)
    y = x[:, 0] == 2
    box = find(x, y, 0.05, 0.05, 0.9)
    assert box.limited == [0]
    assert 1 < box.limits[0, 0] < 2
    assert measure(box, x, y).density.value == 1


def test_a_limit_that_does_nothing_has_a_large_quasi_p_value():
    x, y = planted(noise=0.0)
    limits = np.array([[-np.inf, 0.4], [0.5, np.inf], [0.05, np.inf], *[[-np.inf, np.inf]] * 3])
    p = quasi_p(Box(limits), x, y)
    assert p[0] < 1e-10
    assert p[1] < 1e-10
    assert p[2] > 0.3
