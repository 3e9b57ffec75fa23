"""Designs: even, addressed by seed and number, and only of what they are asked to draw."""

import numpy as np
import pytest

from sim.study import design
from sim.study.design import designed, uniforms
from sim.study.montecarlo import replicate
from tests.helpers import study

PATHS = ["calls.applications", "rollout.refusal"]
SOBOL = {"design": "sobol", "designed": PATHS}


def points(world, first, last):
    return np.array([list(point.values()) for point in uniforms(world, first, last)])


def test_the_streams_decide_by_default():
    assert list(uniforms(study(), 3, 6)) == [{}, {}, {}]


def test_every_drawn_parameter_unless_some_are_named():
    drawn = set(replicate(study(), 0).row)
    everything = designed(study({"design": "sobol"}))
    assert {f"param.{path}" for path in everything} == {name for name in drawn if name.startswith("param.")}
    assert designed(study(SOBOL)) == PATHS
    assert designed(study({**SOBOL, "rollout.refusal": 0.3})) == PATHS[:1]  # a number is not drawn


@pytest.mark.parametrize("kind", ["sobol", "latin_hypercube"])
def test_a_point_depends_on_seed_and_number_only(kind):
    world = study({**SOBOL, "design": kind})
    whole = points(world, 0, 64)
    np.testing.assert_array_equal(np.concatenate([points(world, 0, 7), points(world, 7, 64)]), whole)
    np.testing.assert_array_equal(points(world, 40, 41)[0], whole[40])
    design._sobol.cache_clear()
    design._latin.cache_clear()
    np.testing.assert_array_equal(points(world, 40, 64), whole[40:])
    assert not np.array_equal(points(study({**SOBOL, "design": kind, "seed": 2}), 0, 64), whole)


def test_a_latin_hypercube_has_each_parameter_once_in_each_stratum():
    x = points(study({**SOBOL, "design": "latin_hypercube"}), 0, 3 * design.STRATA)
    assert ((x > 0) & (x < 1)).all()
    for group in x.reshape(3, design.STRATA, len(PATHS)):
        for column in group.T:
            assert sorted((column * design.STRATA).astype(int)) == list(range(design.STRATA))


def test_an_antithetic_replication_mirrors_the_parameters_of_the_one_before():
    """Uniform parameters and their mirror images sum to both ends of the interval."""
    even = {"start.states": [], "rollout.refusal.value": ["uniform", 0.1, 0.5],
            "calls.applications.value": ["uniform", 40, 60], "end": "2025-11-30"}  # fmt: skip
    world, plain = study({**even, "design": "antithetic"}), study(even)
    rows = [replicate(world, number, point).row for number, point in zip(range(4), uniforms(world, 0, 4), strict=True)]
    for first, second in (rows[:2], rows[2:]):
        assert first["param.rollout.refusal"] + second["param.rollout.refusal"] == pytest.approx(0.6)
        assert first["param.calls.applications"] + second["param.calls.applications"] == pytest.approx(100)
    assert rows[0] == replicate(plain, 0).row
    assert rows[2] == replicate(plain, 2).row
    assert rows[0]["param.rollout.refusal"] != rows[2]["param.rollout.refusal"]


def test_points_are_even():
    """Every sixteenth of each parameter has just 16 of 256 points, and every quarter by quarter just 16."""
    x = points(study(SOBOL), 0, 256)
    assert ((x > 0) & (x < 1)).all()
    for column in x.T:
        assert set(np.histogram(column, 16, (0, 1))[0]) == {16}
    assert set(np.histogram2d(*x.T, 4, [[0, 1]] * 2)[0].ravel()) == {16}


def test_a_designed_parameter_is_the_quantile_of_its_point():
    world = study({**SOBOL, "end": "2025-11-30", "start.states_file": None, "start.states": []})
    (point,) = uniforms(world, 5, 6)
    plain, drawn = replicate(world, 5), replicate(world, 5, point)
    for path in PATHS:
        group, name = path.split(".")
        value = getattr(getattr(world, group), name).value.quantile(point[path])
        assert drawn.row[f"param.{path}"] == pytest.approx(value)
    others = [name for name in plain.row if name.startswith("param.") and name.removeprefix("param.") not in PATHS]
    assert len(others) > 15
    for name in others:
        assert drawn.row[name] == plain.row[name]
