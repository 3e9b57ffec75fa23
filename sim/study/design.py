"""Designs: where the uniforms of the uncertain parameters come from, if not from their own random streams.

A scrambled Sobol sequence (Owen 1998, J. Complexity 14; scipy.stats.qmc) fills the cube of the parameters evenly. Its
points depend on the study's seed and the number of the replication only, so that a run can be extended, and one
replication run alone. What is luck (drawn per hub, call, round, ...) stays with the random streams.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sim.model.distributions import Distribution
from sim.model.parameters import walk

if TYPE_CHECKING:
    from sim.config import Study

LARGEST_SEED = 2**32


def designed(study: Study) -> list[str]:
    """Dotted paths of the parameters that the design draws, in order."""
    drawn = [path for path, p in walk(study) if p.spec.per == "run" and isinstance(p.value, Distribution)]
    return [path for path in drawn if not study.designed or path in study.designed]


def uniforms(study: Study, first: int, last: int) -> Iterator[dict[str, float]]:
    """Uniforms of the replications `first` to `last` - 1, by dotted path; none where streams decide."""
    if study.design == "random":
        yield from ({} for _ in range(first, last))
        return
    paths = designed(study)
    for point in _points(len(paths), study.seed % LARGEST_SEED, first, last):
        yield dict(zip(paths, point, strict=True))


@lru_cache(maxsize=4)
def _points(dimensions: int, seed: int, first: int, last: int) -> list[Any]:
    """Points of the sequence, moved off the ends of the unit interval."""
    import numpy as np
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if first:
        sequence.fast_forward(first)
    with warnings.catch_warnings():  # a block is no power of 2; the whole design is what should be one
        warnings.simplefilter("ignore", UserWarning)
        points = sequence.random(last - first)
    return (points * (1 - 2.0**-52) + 2.0**-53).tolist()
