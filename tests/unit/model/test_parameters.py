"""Parameters: read, bounded, drawn for the run or left as a function."""

from math import inf

import pytest

from sim.model.distributions import Distribution
from sim.model.parameters import OVERRIDDEN, Spec, read, realise, walk
from sim.model.streams import Streams
from tests.helpers import study

SHARE = Spec("a share", "share", "run", 0.0, 1.0, False)
COUNT = Spec("a count", "places", "run", 1.0, inf, True)
MONTHS = Spec("a time", "months", "hub", 0.0, inf, False)


def test_a_number_is_a_parameter():
    parameter = read(0.25, SHARE)
    assert (parameter.value, parameter.source) == (0.25, OVERRIDDEN)


def test_a_mapping_is_a_parameter():
    parameter = read({"value": ["pert", 1, 3, 8], "unit": "months", "per": "hub", "source": "P10"}, MONTHS)
    assert isinstance(parameter.value, Distribution)
    assert (str(parameter.value), parameter.source) == ("pert(1, 3, 8)", "P10")


def test_a_distribution_alone_is_a_parameter():
    """As documented: a number or a distribution is legal wherever uncertainty makes sense."""
    assert str(read(["uniform", 0, 1], SHARE).value) == "uniform(0, 1)"


@pytest.mark.parametrize(
    ("raw", "spec", "words"),
    [
        (-0.1, SHARE, "between 0 and 1"),
        (1.1, SHARE, "between 0 and 1"),
        ({"value": ["uniform", 0.5, 1.5]}, SHARE, "between 0 and 1"),
        ({"value": ["lognormal", 0.5, 1]}, SHARE, "between 0 and 1"),
        (-1, MONTHS, "at least 0"),
        (0, COUNT, "at least 1"),
        (2.5, COUNT, "whole number"),
        ({"value": ["uniform", 1, 3]}, COUNT, "whole number"),
        ({"value": 1, "unit": "days"}, MONTHS, "unit must be 'months'"),
        ({"value": 1, "per": "run"}, MONTHS, "per must be 'hub'"),
        ({"value": 1, "units": "months"}, MONTHS, "a number or"),
        ({"unit": "months"}, MONTHS, "a number or"),
        ("often", SHARE, "a number or a distribution"),
        (None, SHARE, "a number or a distribution"),
        (True, SHARE, "a number or a distribution"),
        (float("nan"), SHARE, "a number or a distribution"),
        (inf, MONTHS, "a number or a distribution"),
        ({"value": {"value": 1}}, SHARE, "a number or a distribution"),
    ],
    ids=str,
)
def test_what_is_not_a_parameter(raw, spec, words):
    with pytest.raises(ValueError, match=words):
        read(raw, spec)


def test_whole_numbers_may_be_drawn():
    assert read({"value": ["integers", 1, 4]}, COUNT).value.name == "integers"


def test_only_uncertain_parameters_of_the_run_are_drawn():
    world = study()
    values, drawn = realise(world, Streams(1, 0))
    uncertain = {path for path, p in walk(world) if isinstance(p.value, Distribution) and p.spec.per == "run"}
    assert set(drawn) == uncertain
    assert values.hiring.occupancy == drawn["hiring.occupancy"]
    assert values.rollout.committee == world.rollout.committee.value
    assert values.rollout.evaluation(0.3) == world.rollout.evaluation.value.quantile(0.3)
    assert values.calls.interval(0.1) < values.calls.interval(0.9)


def test_a_number_over_a_distribution_leaves_the_other_draws_alone():
    _, before = realise(study(), Streams(1, 0))
    values, after = realise(study({"hiring.occupancy": 0.7, "rollout.evaluation": 2}), Streams(1, 0))
    assert values.hiring.occupancy == 0.7
    assert values.rollout.evaluation(0.1) == values.rollout.evaluation(0.9) == 2
    assert after == {path: value for path, value in before.items() if path != "hiring.occupancy"}


def test_draws_are_inside_their_bounds():
    world = study()
    for replication in range(50):
        for path, value in realise(world, Streams(1, replication))[1].items():
            spec = dict(walk(world))[path].spec
            assert spec.low <= value <= spec.high
