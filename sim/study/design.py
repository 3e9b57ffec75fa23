"""Designs: where the uniforms of the uncertain parameters come from, if not from their own random streams.

Three ways to fill the cube of the parameters more evenly than chance does:

- antithetic: replication 2k has what its streams say, 2k + 1 the mirror image 1 - u (Hammersley and Morton 1956);
- latin_hypercube: every `STRATA` replications have each parameter once in each of so many equal strata (McKay, Beckman
  and Conover 1979); these groups are independent of each other, so that there is an honest interval;
- sobol: a scrambled Sobol sequence (Owen 1998, J. Complexity 14; scipy.stats.qmc).

A point depends on the study's seed and the number of the replication only, so that a run can be extended, and one
replication run alone. What is luck (drawn per hub, call, round, ...) stays with the random streams.

The design of a sensitivity study comes in rounds, each with some rows of Saltelli's design, trajectories of Morris's
and pairs for a tornado: a replication's number says which point of which it is, and with which luck. Points of a row,
a trajectory or a set of pairs share their lucks.
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from sim.model.distributions import Distribution
from sim.model.parameters import STATE, held, state_known, walk
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
    return [path for path in _drawn(study) if not study.designed or path in study.designed]


def _drawn(study: Study) -> list[str]:
    """Dotted paths of the parameters drawn per run."""
    return [path for path, p in walk(study) if p.spec.per == "run" and isinstance(p.value, Distribution)]


def uniforms(study: Study, first: int, last: int) -> Iterator[dict[str, float]]:
    """Uniforms of the replications `first` to `last` - 1, by dotted path; none where streams decide."""
    paths = designed(study)
    if study.design == "random":
        yield from ({} for _ in range(first, last))
    elif study.design == "antithetic":
        for number in range(first, last):
            yield _mirrored(Streams(study.seed, number - 1), paths) if number % 2 else {}
    else:
        cube = _sobol if study.design == "sobol" else _latin
        for point in cube(len(paths), study.seed % LARGEST_SEED, first, last):
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


class Point(NamedTuple):
    """What a replication is run with: the number of its random streams, uniforms and values by dotted path."""

    luck: int
    uniforms: dict[str, float]
    fixed: dict[str, float]


def points(study: Study, first: int, last: int) -> Iterator[Point]:
    """Points of the replications `first` to `last` - 1."""
    if study.design == "sensitivity":
        screen = Sensitivity(study)
        yield from (screen.point(number) for number in range(first, last))
        return
    numbers = range(first, last)
    for number, point in zip(numbers, uniforms(study, first, last), strict=True):
        yield Point(number, point, {})


class Place(NamedTuple):
    """Where a replication stands: `part` is rows, trajectories or pairs, `row` the number of that over all rounds."""

    part: str
    row: int
    column: int
    luck: int


OFFSET = {"rows": 0, "trajectories": 1 << 28, "pairs": 1 << 29}
"""Streams of the parts are kept apart."""
LEVELS = (1 / 8, 3 / 8, 5 / 8, 7 / 8)
"""Places of the elementary effects, in probability: middles of four equal parts, so that no quantile is infinite."""
TORNADO = (0.1, 0.9)
NEAR = 0.05
"""How far from these places, at most, the state of the start date is drawn. States of about the same size differ in the
stages that their hubs are in: two of them, the same ones in every pair, would be compared as two, not as few and many.
"""
LEAST_ROUNDS = 4
"""With fewer there is no telling how sure the indices are."""


class Sensitivity:
    """The design of a sensitivity study: which factors there are, and which point each replication is.

    Attributes
    ----------
    factors
        Independent inputs of the Sobol indices: uncertain parameters, but those that come with the state of the start
        date are one factor, the choice of the state, because they depend on each other.
    single
        Inputs of the elementary effects and the tornado, one by one: every uncertain parameter, the hubs under way on
        the start date, and the levers.
    """

    def __init__(self, study: Study) -> None:
        from sim.config import Sensitivity as Plan

        plan = study.study
        assert isinstance(plan, Plan)
        self.study, self.plan = study, plan
        levers = list(plan.levers)
        drawn = [path for path in _drawn(study) if path not in levers]
        self.held = [path for path in held(study) if path not in levers]
        wanted = [path for path in drawn if not plan.parameters or path in plan.parameters]
        state = [STATE] * (len(study.start.states) > 1)
        if plan.parameters and not set(self.held) & set(wanted):
            state = []
        self.factors = [*state, *(path for path in wanted if path not in self.held)]
        self.single = [*state, *wanted, *levers]
        self._declared = dict(walk(study))
        sizes = {
            "rows": plan.rows * (len(self.factors) + 2) * plan.lucks,
            "trajectories": plan.trajectories * (len(self.single) + 1) * plan.lucks,
            "pairs": plan.pairs * (2 * len(self.single) + 1),
        }
        self._parts = list(sizes)
        self._begins = [0, sizes["rows"], sizes["rows"] + sizes["trajectories"]]
        self.size = sum(sizes.values())
        """Replications of a round."""

    def place(self, number: int) -> Place:
        """Where a replication stands."""
        plan, (turn, rest) = self.plan, divmod(number, self.size)
        i = bisect_right(self._begins, rest) - 1
        part, rest = self._parts[i], rest - self._begins[i]
        each = {"rows": plan.rows, "trajectories": plan.trajectories, "pairs": plan.pairs}[part]
        width = {"rows": len(self.factors) + 2, "trajectories": len(self.single) + 1}.get(
            part, 2 * len(self.single) + 1
        )
        lucks = 1 if part == "pairs" else plan.lucks
        row, rest = divmod(rest, width * lucks)
        column, luck = divmod(rest, lucks)
        return Place(part, turn * each + row, column, luck)

    def point(self, number: int) -> Point:
        """What a replication is run with."""
        part, row, column, luck = self.place(number)
        stream = OFFSET[part] + row * (1 if part == "pairs" else self.plan.lucks) + luck
        if part == "rows":
            return Point(stream, self._saltelli(row, column), {})
        if part == "trajectories":
            places = dict(zip(self.single, self.trajectory(row)[column], strict=True))
        else:
            places = {self.single[(column - 1) // 2]: TORNADO[(column - 1) % 2]} if column else {}
        if STATE in places:
            places[STATE] += self._aside(part, row)
        return self._point(stream, places)

    def _saltelli(self, row: int, column: int) -> dict[str, float]:
        """Row of A, of B, or of A with one factor from B."""
        d = len(self.factors)
        (both,) = _sobol(2 * d, self.study.seed % LARGEST_SEED, row, row + 1)
        a, b = both[:d], both[d:]
        u = b if column == 1 else a
        values = dict(zip(self.factors, u, strict=True))
        if column >= 2:
            values[self.factors[column - 2]] = b[column - 2]
        return values

    def trajectory(self, row: int) -> list[list[float]]:
        """Points of a trajectory: each differs from the one before in one input, up or down by two levels of four."""
        start, order = self._walk(row)
        u = list(start)
        path = [list(u)]
        for index in order:
            u[index] = u[index] + 0.5 if u[index] < 0.5 else u[index] - 0.5
            path.append(list(u))
        return path

    def moves(self, row: int) -> list[tuple[int, float]]:
        """Input that each step of a trajectory moves, and 1 or -1 for up or down."""
        start, order = self._walk(row)
        return [(index, 1.0 if start[index] < 0.5 else -1.0) for index in order]

    def _walk(self, row: int) -> tuple[list[float], list[int]]:
        import numpy as np

        rng = np.random.default_rng([self.study.seed % LARGEST_SEED, row])
        start = [LEVELS[i] for i in rng.integers(0, len(LEVELS), len(self.single)).tolist()]
        return start, rng.permutation(len(self.single)).tolist()

    def _aside(self, part: str, row: int) -> float:
        """How far from its places the state of the start date is drawn: the same in all of a trajectory or pair."""
        import numpy as np

        rng = np.random.default_rng([self.study.seed % LARGEST_SEED, OFFSET[part] + row])
        return float(rng.uniform(-NEAR, NEAR))

    def _point(self, stream: int, places: dict[str, float]) -> Point:
        """A point with some inputs at given places of their distributions, one by one.

        What comes with the state of the start date is set by itself, even if the state is set too: `STATE` then stands
        for the hubs under way and the money left alone.
        """
        uniforms = {
            path: u for path, u in places.items() if path == STATE or path not in (*self.held, *self.plan.levers)
        }
        fixed = {path: self.value(path, u) for path, u in places.items() if path not in uniforms}
        if STATE in places:
            state = state_known(self.study, Streams(self.study.seed, stream))
            assert state is not None
            fixed = {path: state.parameters[path] for path in self.held} | fixed
        return Point(stream, uniforms, fixed)

    def value(self, path: str, u: float) -> float:
        """Value of an input at a place of its distribution: of a lever, between its ends.

        For the state of the start date, its hubs under way.
        """
        states = self.study.start.states
        if path == STATE:
            return float(sorted(len(state.hubs) for state in states)[int(u * len(states))])
        if path in self.plan.levers:
            low, high = self.plan.levers[path]
            value = low + (high - low) * u
            return float(round(value)) if self._declared[path].spec.whole else value
        if path in self.held:
            return sorted(state.parameters[path] for state in states)[int(u * len(states))]
        distribution = self._declared[path].value
        assert isinstance(distribution, Distribution)
        return float(distribution.quantile(u))
