"""Random streams against the uniform distribution, within and across streams.

Each test makes k comparisons and rejects one at 1e-4 / k: a correct generator fails it once in 10,000 seeds at most.
"""

import numpy as np
import pytest
from scipy import stats

from sim.model.parameters import realise, walk
from sim.model.site import Origin, site_entity
from sim.model.streams import Purpose, Streams
from tests.helpers import run, study

pytestmark = [pytest.mark.verification, pytest.mark.short]

ALARM = 1e-4
STREAMS = Streams(20251114, 3)
SITES = np.array(
    [STREAMS.block(Purpose.SITE, site_entity(Origin.call, b, n), 25) for b in range(20) for n in range(200)]
)
REPLICATIONS = np.array([Streams(7, r).block(Purpose.SITE, site_entity(Origin.initial, 0, 1), 25) for r in range(4000)])
SEEDS = np.array([Streams(s, 0).block(Purpose.SITE, site_entity(Origin.initial, 0, 1), 25) for s in range(4000)])
BLOCKS = np.array([STREAMS.block(Purpose.HIRING, 77, 25, block) for block in range(4000)])
PURPOSES = np.array([STREAMS.block(purpose, entity, 25) for entity in range(600) for purpose in Purpose])
TABLES = {"sites": SITES, "replications": REPLICATIONS, "seeds": SEEDS, "blocks": BLOCKS, "purposes": PURPOSES}


@pytest.mark.parametrize("name", TABLES)
def test_every_position_is_uniform(name):
    """Kolmogorov-Smirnov for each of 25 positions: false alarm 1e-4 a table."""
    assert min(stats.kstest(column, "uniform").pvalue for column in TABLES[name].T) > ALARM / 25


@pytest.mark.parametrize("name", TABLES)
def test_neighbours_are_independent(name):
    """Chi-square on 8 x 8 cells of (stream, next stream) at each position: false alarm 1e-4 a table."""
    table = TABLES[name]
    assert min(cells(table[0::2, i], table[1::2, i]) for i in range(25)) > ALARM / 25


@pytest.mark.parametrize("name", TABLES)
def test_positions_are_independent(name):
    """Chi-square on 8 x 8 cells of each of the 300 pairs of positions: false alarm 1e-4 a table."""
    table = TABLES[name]
    pairs = [(i, j) for i in range(25) for j in range(i)]
    assert min(cells(table[:, i], table[:, j]) for i, j in pairs) > ALARM / 300


def cells(x, y):
    counts = np.histogram2d(x, y, bins=8, range=[[0, 1], [0, 1]])[0].ravel()
    return stats.chisquare(counts).pvalue


def test_a_stream_is_uniform_and_uncorrelated_along_its_length():
    """Chi-square on 1,000 cells and correlation at lags 1 to 9 of a million numbers: false alarm 1e-4."""
    x = np.array(STREAMS.block(Purpose.HIRING, 5, 1_000_000))
    assert stats.chisquare(np.histogram(x, 1000, (0, 1))[0]).pvalue > ALARM / 10
    for lag in range(1, 10):
        z = np.mean((x[lag:] - 0.5) * (x[:-lag] - 0.5)) * 12 * np.sqrt(len(x) - lag)
        assert 2 * stats.norm.sf(abs(z)) > ALARM / 10


def test_parameters_of_the_run_follow_their_distributions():
    """Probability transforms of every drawn parameter over 1,500 replications, KS: false alarm 1e-4."""
    world = study()
    values = [realise(world, Streams(11, r))[1] for r in range(1500)]
    grid = np.linspace(0, 1, 2001)[1:-1]
    p = []
    for path, parameter in walk(world):
        if path not in values[0]:
            continue
        drawn = np.array([row[path] for row in values])
        if parameter.value.name == "integers":
            low, high = parameter.value.args
            p.append(stats.chisquare(np.bincount((drawn - low).astype(int), minlength=int(high - low + 1))).pvalue)
        else:
            quantiles = np.array([parameter.value.quantile(u) for u in grid])
            p.append(stats.kstest(np.interp(drawn, quantiles, grid), "uniform").pvalue)
    assert len(p) > 15
    assert min(p) > ALARM / len(p)


def test_sites_fall_to_regions_as_planned():
    """Chi-square of the regions of 6,000 hubs against planned_hubs: false alarm 1e-4."""
    world = study({"start.open_hubs": 0, "calls.applications": 300, "calls.applications_sd": 0, "start.backlog": [],
                   "calls.interval": 600}, end="2025-11-15")  # fmt: skip
    regions = np.concatenate([record.sites["region"] for record in run(world, 20)])
    planned = {name: region.planned_hubs.value for name, region in world.regions.items()}
    counts = [np.sum(regions == name) for name in planned]
    assert sum(counts) == 6000
    assert stats.chisquare(counts, np.array(list(planned.values())) * 6000 / 250).pvalue > ALARM
