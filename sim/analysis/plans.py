"""Plans against scenarios of the world: how far each plan is from the best one, whatever the world turns out to be.

Regret is what the best plan of a world has over a plan (Savage 1951, J. Am. Stat. Assoc. 46); the plan with the least
greatest regret is never far from the best. All differences are paired (the same luck for every plan), with intervals
that hold for all pairs of plans in all worlds together (Bonferroni), so whatever is picked from the table is covered:
regret = max over plans k of (k - this plan) lies between the greatest of the lower and of the upper ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.analysis import words
from sim.analysis.compare import compare
from sim.analysis.goals import Goal
from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, of_scenario

if TYPE_CHECKING:
    import pyarrow as pa


class Regret(NamedTuple):
    """Regrets with the ends of their intervals, and the greatest over worlds; the plans that may have the least.

    `value`, `low`, `high` have shape (plans, worlds), `worst` shape (3, plans): value, low, high. `candidates` are
    the plans whose greatest regret may be the least, by value; `pairs` is the least number of paired runs.
    """

    value: Floats
    low: Floats
    high: Floats
    worst: Floats
    candidates: list[int]
    pairs: int


def regrets(runs: pa.Table, plans: int, worlds: int, goals: Sequence[Goal]) -> list[dict[str, Regret]]:
    """For each goal the regret in its `probability`, and in the `mean` of its metric on its date.

    Parameters
    ----------
    runs : pyarrow.Table
        Rows of tables/runs; the scenarios are plan by plan, the worlds in order for each.

    Raises
    ------
    ValueError
        If two plans have no finished replication in common in some world.
    """
    columns = [f"{goal.metric}@{goal.by}" for goal in goals]
    comparisons = 2 * len(goals) * worlds * plans * (plans - 1) // 2
    found = np.zeros((len(goals), 2, 3, plans, plans, worlds))  # how much the second plan has over the first
    fewest, rows = len(runs), finished(runs)
    for world in range(worlds):
        of = [of_scenario(rows, plan * worlds + world) for plan in range(plans)]
        for a, b in combinations(range(plans), 2):
            for i, (goal, column) in enumerate(zip(goals, columns, strict=True)):
                for j, one in enumerate(compare(of[a], of[b], [column], [goal], comparisons)):
                    found[i, j, :, a, b, world] = one.difference, one.low, one.high
                    found[i, j, :, b, a, world] = -one.difference, -one.high, -one.low
                    fewest = min(fewest, one.n)
    return [{"probability": _regret(chance, fewest), "mean": _regret(mean, fewest)} for chance, mean in found]


def _regret(differences: Floats, pairs: int) -> Regret:
    """From differences (value, low, high) x plan x other plan x world; a plan has nothing over itself."""
    value, low, high = differences.max(axis=2)
    worst = differences.max(axis=(2, 3))
    may = np.flatnonzero(worst[1] <= worst[2].min())
    return Regret(value, low, high, worst, sorted(may.tolist(), key=lambda plan: (worst[0, plan], plan)), pairs)


def in_words(found: Regret, plans: Sequence[str], worlds: Sequence[str], say: Callable[[float], str], of: str) -> str:
    """Which plan is never far from the best one, or that the plans cannot be told apart.

    `say` says a difference in the unit of the measure, which is called `of`.
    """
    first = found.candidates[0]
    value, _, high = found.worst[:, first]
    where = worlds[int(found.value[first].argmax())]
    behind = f"at most {say(value)} behind the best plan of a world (in {where!r}; the interval goes to {say(high)})"
    if value <= 0:
        behind = "best in every world" + (f" (at most {say(high)} behind, by the interval)" if high > 0 else "")
    if len(found.candidates) == 1:
        second = sorted(range(len(plans)), key=lambda plan: (plan == first, found.worst[0, plan]))[0]
        after = f"next is {plans[second]!r}, up to {say(found.worst[0, second])} behind"
        return f"In {of}, {plans[first]!r} is never far from the best: {behind}; {after}."
    named = [plans[plan] for plan in found.candidates]
    if len(named) == len(plans):
        return f"In {of}, {found.pairs:,} paired runs cannot tell the plans apart."
    others = words.listed([repr(name) for name in named[1:]])
    return (
        f"In {of}, {plans[first]!r} has the least greatest regret: {behind}; but {found.pairs:,} paired runs cannot "
        f"tell it from {others}."
    )
