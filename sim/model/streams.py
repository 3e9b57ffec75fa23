"""Random streams: one for every purpose and entity, the same in every scenario.

A stream is addressed, never consumed in turn: the key of a counter-based generator (Philox4x64-10,
Salmon et al. 2011) is made from the study seed and the replication, its 256-bit counter holds the
purpose, the entity and a part of it. So the draws of one hub cannot move when another hub, a region or a lever is
added, and two scenarios share every dice roll they have in common (common random numbers).
"""

from array import array
from collections.abc import Iterator
from enum import IntEnum
from itertools import chain, count
from typing import Any

import numpy as np

_BLOCK_STRIDE = 1 << 32  # counter values kept apart for each block of one stream
_SHRINK, _SHIFT = 1.0 - 2.0**-52, 2.0**-53  # carry [0, 1) into the open interval: quantiles at 0 are infinite


class Purpose(IntEnum):
    """What a stream is for. Numbers are part of the published results: append, never renumber."""

    PARAMETER = 1
    CALL = 2
    SITE = 3
    HIRING = 4
    FISCAL_YEAR = 5
    OUTAGE = 6
    BACKLOG = 7
    STP = 8
    FIRM = 9
    STARTUP = 10


class Streams:
    """The random streams of one replication.

    Parameters
    ----------
    seed
        Seed of the study, any non-negative integer.
    replication
        Number of the replication, 0 <= replication < 2**32.
    """

    def __init__(self, seed: int, replication: int) -> None:
        key = np.random.SeedSequence(seed, spawn_key=(replication,)).generate_state(2, np.uint64)
        self._bits = np.random.Philox(key=key)
        self._random = np.random.Generator(self._bits).random
        # The state in which every block begins, in plain lists: NumPy reads them faster than arrays.
        self._counter = [0, 0, 0, 0]
        self._state: Any = {
            **self._bits.state,
            "state": {"counter": self._counter, "key": key.tolist()},
            "buffer": [0, 0, 0, 0],
        }

    def block(self, purpose: Purpose, entity: int, size: int, block: int = 0) -> list[float]:
        """Return `size` uniforms in (0, 1) of the stream (purpose, entity), from its block number `block`.

        `entity` identifies who draws, 0 <= entity < 2**64. The same address always gives the same numbers.
        """
        return self._draw(purpose, entity, 0, size, block).tolist()

    def _draw(self, purpose: Purpose, entity: int, part: int, size: int, block: int) -> np.ndarray:
        counter = self._counter
        counter[0], counter[1], counter[2], counter[3] = block * _BLOCK_STRIDE, purpose, entity, part
        self._bits.state = self._state
        uniforms = self._random(size)
        uniforms *= _SHRINK
        uniforms += _SHIFT
        return uniforms

    def groups(
        self, purpose: Purpose, entity: int, size: int, per_block: int = 24, part: int = 0
    ) -> Iterator[tuple[float, ...]]:
        """Yield the stream's uniforms for ever, `size` at a time: one group per hiring round or outage.

        `part` tells the parts of an entity apart, as the units of a park. A group is always used whole, so that round
        7 draws the same numbers whatever happened in rounds 1 to 6.
        """
        # Arrays, because the garbage collector would visit every float of a list again and again.
        draws = (self._draw(purpose, entity, part, size * per_block, number).tobytes() for number in count())
        return chain.from_iterable(zip(*[iter(array("d", block))] * size, strict=True) for block in draws)
