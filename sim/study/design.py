"""Designs: where the uniforms of the uncertain parameters come from, if not from their own random streams.

Three ways to fill the cube of the parameters more evenly than chance does:

- antithetic: replication 2k has what its streams say, 2k + 1 the mirror image 1 - u (Hammersley and Morton 1956);
- latin_hypercube: every `STRATA` replications have each parameter once in each of so many equal strata (McKay, Beckman
  and Conover 1979); these groups are independent of each other, so that there is an honest interval;
- sobol: a scrambled Sobol sequence (Owen 1998, J. Complexity 14; scipy.stats.qmc).

A point depends on the study's seed and the number of the replication only, so that a run can be extended, and one
replication run alone. What is luck (drawn per hub, call, round, ...) stays with the random streams.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sim.model.distributions import Distribution
from sim.model.parameters import walk
from sim.model.streams import Purpose, Streams

if TYPE_CHECKING:
    import numpy as np

    from sim.config import Study

LARGEST_SEED = 2**32
STRATA = 10
GROUPS = {"random": 1, "antithetic": 2, "latin_hypercube": STRATA}
"""Replications that belong together: their means are independent. A Sobol sequence is one whole."""


def designed(study: Study) -> list[str]:
    """Dotted paths of the parameters that the design draws, in order."""
    drawn = [path for path, p in walk(study) if p.spec.per == "run" and isinstance(p.value, Distribution)]
    return [path for path in drawn if not study.designed or path in study.designed]


def uniforms(study: Study, first: int, last: int) -> Iterator[dict[str, float]]:
    """Uniforms of the replications `first` to `last` - 1, by dotted path; none where streams decide."""
    paths = designed(study)
    if study.design == "random":
        yield from ({} for _ in range(first, last))
    elif study.design == "antithetic":
        for number in range(first, last):
            yield _mirrored(Streams(study.seed, number - 1), paths) if number % 2 else {}
    else:
        points = _sobol if study.design == "sobol" else _latin
        for point in points(len(paths), study.seed % LARGEST_SEED, first, last):
            yield dict(zip(paths, point, strict=True))


def _mirrored(streams: Streams, paths: list[str]) -> dict[str, float]:
    """One less what the streams of a replication say of each parameter (see `parameters.realise`)."""
    return {path: 1.0 - streams.block(Purpose.PARAMETER, crc32(path.encode()), 1)[0] for path in paths}


@lru_cache(maxsize=4)
def _latin(dimensions: int, seed: int, first: int, last: int) -> list[Any]:
    """Points of Latin hypercubes of `STRATA` each, side by side."""
    import numpy as np
    from scipy.stats import qmc

    groups = range(first // STRATA, -(-last // STRATA))
    cubes = [
        qmc.LatinHypercube(dimensions, rng=np.random.default_rng([seed, group])).random(STRATA) for group in groups
    ]
    begin = groups.start * STRATA
    return _inside(np.concatenate(cubes)[first - begin : last - begin])


@lru_cache(maxsize=4)
def _sobol(dimensions: int, seed: int, first: int, last: int) -> list[Any]:
    """Points of the sequence."""
    import numpy as np
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if first:
        sequence.fast_forward(first)
    with warnings.catch_warnings():  # a block is no power of 2; the whole design is what should be one
        warnings.simplefilter("ignore", UserWarning)
        return _inside(sequence.random(last - first))


def _inside(points: np.ndarray) -> list[Any]:
    """Points moved off the ends of the unit interval."""
    return (points * (1 - 2.0**-52) + 2.0**-53).tolist()
