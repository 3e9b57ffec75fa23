"""The benchmarks work, and what they set beside ours gives the same answers: `make bench` with next to no effort."""

import pytest

from tests.benchmarks import bench


@pytest.mark.short
def test_every_part_of_the_benchmarks_can_be_measured_and_told():
    found = dict(bench.measured(0))
    page = bench.page({"quick": True, "machine": bench.machine(), "load": {"": 0.0}, **found})
    assert found["rivals"]["SimPy by hand, a process a person"]["seconds"] > 0
    assert all(row["run_megabytes"] > 0 for row in found["growth_replications"]["rows"])
    assert page.count("| at most ") + page.count("| at least ") == 11  # every aim is told
