"""Two sets of replications side by side: differences pair by pair, with intervals that hold for all of them together.

Replication i of either side has the same random streams, so differences are taken within pairs (common random
numbers; Law 2015, Simulation Modeling and Analysis, 11.2). With m comparisons each interval has confidence
1 - 0.05 / m (Bonferroni), so that all of them cover with at least 95%; verdicts follow Holm (1979, Scand. J. Stat. 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf, log2, nan, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import bdtr, ndtri, stdtr, stdtrit

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, met

if TYPE_CHECKING:
    import pyarrow as pa

ALPHA = 0.05
POWER = 0.8


class Difference(NamedTuple):
    """How B differs from A in one figure.

    `difference` is the mean of B - A over `n` pairs, `low` and `high` its interval, corrected for all comparisons made
    together. `p` is not corrected; `distinct` says whether the difference is told from none after Holm's correction.
    `needed` is the number of pairs that would tell a difference of this size with a probability of 0.8 (0: it is told;
    inf: there is none). `narrower` is how many times the interval would be as wide with independent runs.
    """

    name: str
    metric: str
    is_goal: bool
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    distinct: bool
    needed: float
    narrower: float


def compare(
    a: pa.Table, b: pa.Table, columns: Sequence[str], goals: Sequence[Goal], comparisons: int | None = None
) -> list[Difference]:
    """Compare the replications that both sides finished.

    Parameters
    ----------
    a, b : pyarrow.Table
        Rows of tables/runs, one per replication, on the same random streams.
    columns : sequence of str
        Columns METRIC@DATE to compare; pairs in which either side has no value are left out.
    goals : sequence of Goal
        Goals whose chances are compared.
    comparisons : int, optional
        How many comparisons are made in all, if these are not all of them.
    """
    a, b = _pairs(finished(a), finished(b))
    m = comparisons or len(columns) + len(goals)
    found = []
    for goal in goals:
        found.append(_chances(goal, met(a, goal), met(b, goal), m))
    for column in columns:
        x, y = (np.asarray(table.column(column).to_numpy(), dtype=np.float64) for table in (a, b))
        known = np.isfinite(x) & np.isfinite(y)
        found.append(_means(column, x[known], y[known], m))
    return _holm(found, m)


def _pairs(a: pa.Table, b: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows of the replications that both have, in the same order."""
    common = np.intersect1d(a.column("replication").to_numpy(), b.column("replication").to_numpy())
    if not common.size:
        raise ValueError("no replication was finished on both sides")

    def of(table: pa.Table) -> pa.Table:
        numbers = table.column("replication").to_numpy()
        order = np.argsort(numbers, kind="stable")
        return table.take(order[np.isin(numbers[order], common)])

    return of(a), of(b)


def _means(name: str, x: Floats, y: Floats, m: int) -> Difference:
    """Paired t interval of the mean difference."""
    n, d = x.size, y - x
    metric = name.partition("@")[0]
    if n == 0:
        return Difference(name, metric, False, nan, nan, nan, nan, nan, 1.0, 0, False, inf, nan)
    mean, sd = float(d.mean()), float(d.std(ddof=1)) if n > 1 else np.nan
    half, p = np.nan, 1.0
    if n > 1:
        half = float(stdtrit(n - 1, 1 - ALPHA / m / 2)) * sd / sqrt(n)
        p = float(2 * stdtr(n - 1, -abs(mean) * sqrt(n) / sd)) if sd > 0 else float(mean == 0)
    apart = sqrt(x.var(ddof=1) + y.var(ddof=1)) / sd if n > 1 and sd > 0 else inf
    return Difference(
        name, metric, False, float(x.mean()), float(y.mean()), mean, mean - half, mean + half, p, n, False,
        _needed(mean, sd, m), float(apart),
    )  # fmt: skip


def _chances(goal: Goal, x: np.ndarray, y: np.ndarray, m: int) -> Difference:
    """Difference of two paired proportions.

    Interval of Agresti and Min (2005, Statistics in Medicine 24): Wald's after half an observation is added to each
    of the four cells. Exact test of McNemar on the discordant pairs.
    """
    n = x.size
    gained, lost = int(np.sum(y & ~x)), int(np.sum(x & ~y))
    more = n + 2
    shift = (gained - lost) / more
    variance = (gained + lost + 1) / more - shift**2
    half = float(ndtri(1 - ALPHA / m / 2)) * sqrt(variance / more)
    discordant = gained + lost
    p = min(1.0, 2 * float(bdtr(min(gained, lost), discordant, 0.5))) if discordant else 1.0
    share_a, share_b = float(x.mean()), float(y.mean())
    difference = (gained - lost) / n
    sd = sqrt(max(discordant / n - difference**2, 0.0))
    apart = sqrt(share_a * (1 - share_a) + share_b * (1 - share_b)) / sd if sd > 0 else inf
    low, high = max(shift - half, -1.0), min(shift + half, 1.0)
    # McNemar's test needs so many discordant pairs at least, all of them to one side
    least = ceil(1 + log2(m / ALPHA)) * n / discordant if discordant else inf
    return Difference(
        goal.name, goal.metric, True, share_a, share_b, difference, low, high, p, n, False,
        max(_needed(difference, sd, m), ceil(least) if least < inf else inf), apart,
    )  # fmt: skip


def _needed(difference: float, sd: float, m: int) -> float:
    """Pairs that tell a difference from none, at the corrected level, with probability `POWER`."""
    if not difference or np.isnan(sd):
        return inf
    return float(ceil(((ndtri(1 - ALPHA / m / 2) + ndtri(POWER)) * sd / difference) ** 2))


def _holm(found: Sequence[Difference], m: int) -> list[Difference]:
    """Mark the differences that are told from none: from the smallest p up, as long as p < alpha / (what is left)."""
    order = sorted(range(len(found)), key=lambda i: found[i].p)
    distinct: set[int] = set()
    for rank, i in enumerate(order):
        if found[i].p >= ALPHA / (m - rank):
            break
        distinct.add(i)
    return [
        one._replace(distinct=i in distinct, needed=0.0 if i in distinct else max(one.needed, one.n + 1.0))
        for i, one in enumerate(found)  # of few pairs the normal approximation asks for fewer than did not tell
    ]


def verdict(one: Difference, label: str | None = None) -> str:
    """How B differs from A in words: more, less, the same in every run, or not distinguishable and what would tell."""
    what = label or words.name(one.metric)
    in_points = one.is_goal or one.metric.partition(".")[0].endswith("_share")

    def say(value: float) -> str:
        return f"{words.number(100 * value)} points" if in_points else words.amount(one.metric, value)

    if one.n == 0:
        return f"{what}: no pair of runs has a value"
    if one.n == 1 and one.difference:
        return f"{what}: one pair cannot tell"
    if one.needed == inf and one.narrower == inf:
        return f"{what}: the same in all {one.n:,} pairs"
    if one.distinct:
        more, ends = ("more", (one.low, one.high)) if one.difference > 0 else ("less", (-one.high, -one.low))
        return f"{what}: {say(abs(one.difference))} {more} ({say(ends[0])} to {say(ends[1])})"
    tell = f"about {_round_up(one.needed):,} would tell" if one.needed < inf else "there is no difference to tell"
    return f"{what}: not distinguishable at n = {one.n:,} ({say(one.low)} to {say(one.high)}; {tell})"


def _round_up(n: float) -> int:
    """A number of runs with two significant digits, never rounded down."""
    size = 10 ** max(0, len(str(int(n))) - 2)
    return ceil(n / size) * size
