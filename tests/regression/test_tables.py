"""Results do not change unless that is meant: then `python -m tests.regression.refresh` and a line in the CHANGELOG."""

import pytest

from tests.regression import refresh


@pytest.mark.parametrize("experiment", refresh.EXPERIMENTS)
def test_results_are_those_of_the_last_refresh(experiment):
    """Counts, dates and everything drawn exactly; dollars to nine digits, as the last bit depends on the C library."""
    expected, got = refresh.read(experiment), refresh.compute(experiment)
    assert list(got) == list(expected)
    different = {key: (value, got[key]) for key, value in expected.items() if not same(value, got[key])}
    assert not different


def same(a, b):
    try:
        return float(b) == pytest.approx(float(a), rel=1e-9, abs=0, nan_ok=True)
    except ValueError:
        return a == b


def test_the_tables_would_show_a_difference():
    assert same("3", "3.0")
    assert not same("3", "4")
    assert not same("100000000.0", "100000001.0")
    assert not same("2027-12-31", "2027-11-30")
    assert not same("", "2027-11-30")
    assert all(len(refresh.read(experiment)) > 40 for experiment in refresh.EXPERIMENTS)
