"""The trend of a national figure, and the published figures it is fitted to."""

from datetime import date

import numpy as np
import pytest
from scipy import stats

from sim.analysis.national import log_linear
from sim.sources import ict_exports, population


def test_constant_growth_is_found_and_does_not_scatter():
    times = np.array([0, 1, 2, 5])
    trend = log_linear(times, 100 * 1.02**times)
    assert trend.fitted.tolist() == pytest.approx((100 * 1.02**times).tolist())
    assert trend.growth == pytest.approx(0.02)
    assert trend.scatter == pytest.approx(0, abs=1e-9)


def test_trend_and_scatter_are_those_of_a_regression():
    rng = np.random.default_rng(1)
    times = np.arange(30)
    values = 200 * np.exp(0.015 * times + rng.normal(0, 0.08, 30))
    line = stats.linregress(times, np.log(values))
    fitted = np.exp(line.intercept + line.slope * times)
    trend = log_linear(times, values)
    assert trend.fitted.tolist() == pytest.approx(fitted.tolist())
    assert trend.growth == pytest.approx(np.exp(line.slope) - 1)
    assert trend.scatter == pytest.approx(np.sqrt(sum((values - fitted) ** 2) / 28))


def test_published_exports_by_month():
    exports = ict_exports()
    months = list(exports)
    assert (months[0], months[-1], len(months)) == (date(2023, 7, 15), date(2025, 11, 15), 29)
    assert months == sorted(months)
    assert (exports[months[0]], exports[months[-1]]) == (214, 356)


def test_population_of_every_region():
    people = population()
    assert set(people) == {"Punjab", "Sindh", "KP", "Balochistan", "Islamabad", "AJK", "GB"}
    assert (people["Islamabad"], people["Punjab"]) == (2.36, 127.69)
