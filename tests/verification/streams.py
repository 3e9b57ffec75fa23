"""Random streams against the uniform distribution, within and across streams."""

from functools import cache

import numpy as np
from scipy import stats

from sim.model.parameters import realise, walk
from sim.model.site import Origin, site_entity
from sim.model.streams import Purpose, Streams
from sim.model.world import World
from tests.helpers import study
from tests.verification.alarms import BLUE, GREY, SEED, check, in_order

LENGTH = 25


def tables():
    """Uniforms, a row a stream; neighbouring rows are those most likely to have something in common."""
    world = World(study({"start.open_hubs": 0, "start.states": []}), Streams(SEED, 3))
    hubs = [world.new_hub(Origin.call, 20 + n // 200, n % 200).u[:LENGTH] for n in range(4000)]
    return {"hubs of a run": np.array(hubs), **others()}


@cache
def others():
    streams, first = Streams(SEED, 3), site_entity(Origin.initial, 0, 1)
    found = {
        "replications": [Streams(SEED, r).block(Purpose.SITE, first, LENGTH) for r in range(4000)],
        "seeds": [Streams(SEED + s, 0).block(Purpose.SITE, first, LENGTH) for s in range(4000)],
        "blocks": [streams.block(Purpose.HIRING, 77, LENGTH, block) for block in range(4000)],
        "purposes": [streams.block(purpose, entity, LENGTH) for entity in range(600) for purpose in Purpose],
        "parts": [next(streams.groups(Purpose.FIRM, 77, LENGTH, part=part)) for part in range(4000)],
    }
    return {name: np.array(rows) for name, rows in found.items()}


def cells(x, y):
    """p-value of chi-square on 8 x 8 cells of pairs of uniforms."""
    return stats.chisquare(np.histogram2d(x, y, bins=8, range=[[0, 1], [0, 1]])[0].ravel()).pvalue


@check(short=True)
def streams_apart(level):
    """Streams next to each other.

    Theory: streams of Philox are independent and uniform (Salmon et al. 2011, SC'11), so of n numbers of 53 bits some
    two agree with a probability below n^2 / 2^54.
    Test: 4,000 or more neighbouring streams of the hubs of a run, of replications, seeds, blocks, purposes and parts
    of an entity, 25 numbers each: no two agree; Kolmogorov-Smirnov at each position; chi-square on 8 x 8 cells of a
    stream and the next at each position, and of each of the 300 pairs of positions.
    False alarm: 6e-4.
    """
    found = {}
    for name, table in tables().items():
        pairs = [(i, j) for i in range(LENGTH) for j in range(i)]
        found[name] = [cells(table[:, i], table[:, j]) for i, j in pairs]
        level.least([stats.kstest(column, "uniform").pvalue for column in table.T], 1 / 24, f"{name}: uniform")
        level.least([cells(*x.reshape(-1, 2).T) for x in table.T], 1 / 24, f"{name}: next stream")
        level.least(found[name], 1 / 24, f"{name}: positions")
        chance = table.size**2 / 2**54
        level.p(chance if len(np.unique(table)) < table.size else 1.0, 1 / 24, f"{name}: numbers occur twice")
    return in_order(found)


@check(short=True)
def along_a_stream(level):
    """A stream along its length.

    Theory: independent and uniform, as above.
    Test: a million numbers; chi-square on 1,000 cells, z of the correlations at lags 1 to 30.
    False alarm: 2e-4.
    """
    x = np.array(Streams(SEED, 3).block(Purpose.HIRING, 5, 1_000_000))
    level.p(stats.chisquare(np.histogram(x, 1000, (0, 1))[0]).pvalue, 1 / 2, "cells")
    z = [np.mean((x[k:] - 0.5) * (x[:-k] - 0.5)) * 12 * np.sqrt(len(x) - k) for k in range(1, 31)]
    level.least(2 * stats.norm.sf(np.abs(z)), 1 / 2, "correlations")

    def draw(ax):
        ax.bar(range(1, 31), z, color=BLUE)
        for end in (-2.576, 2.576):
            ax.axhline(end, color=GREY, lw=1, ls=":")
        ax.set(xlabel="lag", ylabel="correlation in standard errors", ylim=(-4, 4))

    return draw


@check(short=True)
def parameters_of_a_run(level):
    """Parameters that are drawn for a run.

    Theory: the declared distributions, by inversion.
    Test: every drawn parameter of the baseline over 1,500 replications; Kolmogorov-Smirnov of its probability
    transform, or chi-square for whole numbers.
    False alarm: 2e-4.
    """
    world = study()
    values = [realise(world, Streams(SEED, r))[1] for r in range(1500)]
    grid = np.linspace(0, 1, 2001)[1:-1]
    found = {}
    for path, parameter in walk(world):
        if path not in values[0]:
            continue
        drawn = np.array([row[path] for row in values])
        if parameter.value.whole:
            levels = np.array([parameter.value.quantile(u) for u in grid])
            kinds, share = np.unique(levels, return_counts=True)
            counts = [np.sum(drawn == kind) for kind in kinds]
            found[path] = stats.chisquare(counts, share / share.sum() * 1500).pvalue
        else:
            quantiles = np.array([parameter.value.quantile(u) for u in grid])
            found[path] = stats.kstest(np.interp(drawn, quantiles, grid), "uniform").pvalue
    assert len(found) > 15
    level.least(list(found.values()), 1, "parameters")

    return in_order({"parameters": list(found.values())})
