"""The trend of a national figure, and how it scatters about it: what a programme would have to be seen against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sim.analysis.intervals import Floats


class Trend(NamedTuple):
    """A fitted trend: its values at the given times, its growth a unit of time, and how values scatter about it.

    `scatter` is the standard deviation of the residuals, in the unit of the values.
    """

    fitted: Floats
    growth: float
    scatter: float


def log_linear(times: ArrayLike, values: ArrayLike) -> Trend:
    """Trend of constant growth through positive values: least squares on their logarithm, at least three of them."""
    t, y = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    slope, level = np.polyfit(t, np.log(y), 1)
    fitted = np.exp(level + slope * t)
    return Trend(fitted, float(np.expm1(slope)), float(np.sqrt(np.sum((y - fitted) ** 2) / (y.size - 2))))
