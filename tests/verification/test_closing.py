"""Closing ages against the piecewise exponential distribution."""

import numpy as np
import pytest
from scipy import stats

from sim.model.clock import DAYS_PER_MONTH
from sim.model.streams import Purpose, Streams
from sim.model.world import World
from tests.helpers import run, study

pytestmark = [pytest.mark.verification, pytest.mark.short]

ALARM = 1e-4
EARLY, LATER, CHANGE = 0.02, 0.05, 24.0
HAZARDS = {"hubs.closure": EARLY, "hubs.closure_later": LATER, "hubs.closure_change": CHANGE}


def integrated(age):
    """Integrated hazard up to an age in months."""
    return EARLY * np.minimum(age, CHANGE) + LATER * np.maximum(age - CHANGE, 0)


@pytest.mark.parametrize("survived", [0.0, 7.0, 30.0])
def test_closing_ages(survived):
    """20,000 ages given survival to an age; KS against the exact distribution: false alarm 1e-4."""
    world = World(study(HAZARDS), Streams(1, 0))
    us = Streams(9, int(survived)).block(Purpose.SITE, 1, 20_000)
    ages = np.array([world.closing_age(u, survived) for u in us])
    assert ages.min() >= survived
    assert stats.kstest(ages, lambda age: 1 - np.exp(integrated(survived) - integrated(age))).pvalue > ALARM


def test_hubs_close_at_their_hazard():
    """In whole runs: integrated hazards of the hubs' lives are exponential, cut at the end of the run.

    So closures have the mean and variance of the integrated hazard lived through. z over 40 runs: false alarm 1e-4.
    Hubs open at the start count from the start, as they are known to have survived until then.
    """
    closures = hazard = 0.0
    for record in run(study({**HAZARDS, "start.open_hubs": 60}, end="2027-12-31"), 40):
        end = (record.dates[-1] - record.dates[0]).days + 1.0
        opened, closed = record.sites["opened"], record.sites["closed"]
        lived = ~np.isnan(opened)
        opened, last = opened[lived], np.where(np.isnan(closed), end, closed)[lived]
        from_age = np.maximum(-opened, 0) / DAYS_PER_MONTH
        hazard += np.sum(integrated((last - opened) / DAYS_PER_MONTH) - integrated(from_age))
        closures += np.sum(~np.isnan(closed))
    assert closures > 1000
    assert 2 * stats.norm.sf(abs(closures - hazard) / np.sqrt(hazard)) > ALARM
