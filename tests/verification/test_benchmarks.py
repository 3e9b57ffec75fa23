"""The benchmarks work, and what they set beside ours gives the same answers: `make bench` with next to no effort."""

import numpy as np
import pytest

from tests.benchmarks import bench, rivals

RUNS = 60
"""Of each way: a difference of 4% in hubs or in people is seen, most of the time; 2% is not."""


@pytest.mark.short
def test_every_part_of_the_benchmarks_can_be_measured_and_told():
    found = dict(bench.measured(0))
    page = bench.page({"quick": True, "machine": bench.machine(), "load": {"": 0.0}, **found})
    assert found["rivals"]["SimPy by hand, a process a person"]["seconds"] > 0
    assert all(row["run_megabytes"] > 0 for row in found["growth_replications"]["rows"])
    assert page.count("| at most ") + page.count("| at least ") == 12  # every aim is told


@pytest.fixture(scope="module")
def ours():
    return np.array([rivals.ours(number)[:2] for number in range(RUNS)], float)


@pytest.mark.parametrize("name", [name for name in rivals.WAYS if name != "this model"])
def test_a_rival_is_the_same_model(ours, name):
    run, package = rivals.WAYS[name]
    if package:
        pytest.importorskip(package, reason=f"{package} is not installed: `make bench` brings it")
    rivals.differences({"this model": ours, name: np.array([run(number)[:2] for number in range(RUNS)], float)})


@pytest.mark.parametrize(
    ("name", "value"), [("REJECTION", 0.35), ("ROUND_DAYS", 365.0), ("PLACES", 20), ("EMPLOYEE_RATE", 0.02)]
)
def test_another_model_is_seen(ours, monkeypatch, name, value):
    monkeypatch.setattr(rivals, name, value)
    results = {"this model": ours, "another": np.array([rivals.by_hand(number)[:2] for number in range(RUNS)], float)}
    with pytest.raises(AssertionError, match="another is another model"):
        rivals.differences(results)
