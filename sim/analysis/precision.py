"""Precise enough to stop? Looks at fixed numbers of runs, and intervals that hold whenever the runs are stopped.

Runs are looked at when there are 50, 100, 200, ... of them, and last when the budget ends. With K looks at which one
may stop, each interval has confidence 1 - alpha / K, so that all K cover with 1 - alpha at least (Boole's inequality),
and so does the one at which a rule stops, whatever the rule: a group-sequential design (Jennison and Turnbull 2000,
Group Sequential Methods, chapter 9) in its simplest form. For a probability the intervals are Clopper and Pearson's, so
this is exact, and looks do not count at which no data, or any data, would be precise enough; for a mean they are
Student's, as good as these are at n = 50 and more.

Why not a confidence sequence (Waudby-Smith and Ramdas 2024, J. R. Stat. Soc. B 86)? It holds at every n, which blocks
of runs on many workers do not need, and asks for bounds that jobs and dollars do not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.intervals import Estimate, clopper_pearson, mean
from sim.analysis.tables import finished, met_by_date, values

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = 50
"""Runs at the first look; those after it have twice as many each. Fewer would not do for the interval of a mean."""


class Precision(NamedTuple):
    """How well something should be known: the chance of a goal, or the mean of a column METRIC@DATE."""

    goal: Goal | None
    column: str
    half_width: float
    confidence: float
    budget: int

    @property
    def looks(self) -> list[int]:
        """Numbers of runs at which a scenario may stop."""
        return looks(self.budget)

    def estimate(self, runs: pa.Table) -> Estimate:
        """What is asked about, with an interval that holds at all looks together.

        Parameters
        ----------
        runs : pyarrow.Table
            Rows of one scenario in tables/runs; those that ended in an error are left out.
        """
        rows = finished(runs)
        if self.goal:
            met, n = met_by_date(rows, self.goal)
            low, high = clopper_pearson(met, n, self.each)
            return Estimate(met / n if n else nan, float(low), float(high), n)
        return mean(values(rows, self.column) if self.column in rows.column_names else [], self.each)

    @property
    def each(self) -> float:
        """Confidence of the interval at each look."""
        return _each(self)

    def reached(self, estimate: Estimate) -> bool:
        """Whether the interval reaches no further than the half-width from the estimate, on either side."""
        return max(estimate.high - estimate.value, estimate.value - estimate.low) <= self.half_width

    def enough(self, runs: pa.Table) -> bool:
        """Whether a scenario should stop: it is precise enough, or no run of it came to an end."""
        found = self.estimate(runs)
        return self.reached(found) or not found.n


@lru_cache(maxsize=16)
def _each(asked: Precision) -> float:
    """1 - alpha / K with the least K that is the number of looks at which one may stop with such intervals."""
    number = len(asked.looks)
    if asked.goal:
        alpha = 1 - asked.confidence
        number = next(k for k in range(1, number + 1) if len(may_stop(asked, 1 - alpha / k)) <= k)
    return 1 - (1 - asked.confidence) / number


def may_stop(asked: Precision, each: float) -> list[int]:
    """Looks at which the runs may end: some data are precise enough, and not all were at a look before."""
    found = []
    for n in asked.looks:
        share = np.arange(n + 1) / n
        low, high = clopper_pearson(np.arange(n + 1), n, each)
        reached = np.maximum(high - share, share - low) <= asked.half_width
        if reached.any() or n == asked.budget:
            found.append(n)
        if reached.all():
            break
    return found


def looks(budget: int) -> list[int]:
    """50, 100, 200, ... below the budget, and the budget."""
    found = [FIRST]
    while found[-1] < budget:
        found.append(2 * found[-1])
    return [*found[:-1], budget]


def read_precision(config: Mapping[str, Any], goals: Sequence[Goal], last: object) -> Precision | None:
    """What the configuration asks for; None if the number of runs is fixed. `last` is the last judged date."""
    asked = config.get("precision")
    if not asked or config.get("only") is not None:
        return None
    name = asked["metric"]
    goal = next((goal for goal in goals if goal.name == name), None)
    column = name if "@" in name else f"{name}@{last}"
    return Precision(goal, column, asked["half_width"], asked.get("confidence", 0.95), config["replications"])


def hold(summary: dict[str, Any], asked: Precision, found: Estimate) -> None:
    """Put the interval that holds under stopping into a summary (see `sim.analysis.summary`), for the other one."""
    if asked.goal:
        entries = [goal for goal in summary["goals"] if goal["name"] == asked.goal.name]
    else:
        name, _, day = asked.column.partition("@")
        entries = [one for key, one in summary["metrics"].items() if key.split("@")[0] == name and one["date"] == day]
    for entry in entries:
        if entry["low"] is not None:
            entry |= {"low": found.low, "high": found.high}


def in_words(asked: Precision, found: Sequence[Estimate], names: Sequence[str], runs: Sequence[int]) -> str:
    """What was reached, in a sentence or two.

    Parameters
    ----------
    found, names, runs
        Of each scenario its estimate, name and number of runs.
    """
    metric = asked.goal.metric if asked.goal else asked.column.partition("@")[0]
    what = f"chance of {asked.goal.label} {asked.goal.when}" if asked.goal else f"mean {words.name(metric)}"

    def say(value: float) -> str:
        return f"{words.number(100 * value)} points" if asked.goal else words.difference(metric, value)

    wide = [not asked.reached(one) for one in found]
    widths = [max(one.high - one.value, one.value - one.low) for one in found]
    target = f"within {say(asked.half_width)}, at {words.percent(asked.confidence)} confidence"
    if len(found) == 1 and widths[0] != widths[0]:
        return f"Precision: {runs[0]:,} runs are too few to say how well the {what} is known."
    if len(found) == 1:
        made = f"after {runs[0]:,} runs the {what} is known to {say(widths[0])}"
        ended = (
            f"; the budget of {asked.budget:,} ended before it was {target}" if wide[0] else f" (asked for: {target})"
        )
        return f"Precision: {made}{ended}."
    said = f"Precision: the {what} was to be known {target}; {sum(runs):,} runs were made of at most "
    said += f"{asked.budget * len(runs):,}, {words.span(runs)} a scenario."
    if any(wide):
        worst = max((one for one, far in zip(widths, wide, strict=True) if far and one == one), default=nan)
        late = [name for name, one in zip(names, wide, strict=True) if one]
        shown = words.listed(late[:3] + ([f"{len(late) - 3} more"] if len(late) > 3 else []))
        said += f" The budget ended before {len(late)} of {len(runs)} scenarios were so precise ({shown}"
        said += f"; at worst {say(worst)})." if worst == worst else ")."
    return said
