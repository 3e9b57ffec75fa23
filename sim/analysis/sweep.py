"""What the scenarios of a sweep come to: chances of goals, means and shortfalls of their metrics, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.analysis.goals import Goal
from sim.analysis.intervals import Estimate, mean, proportion
from sim.analysis.precision import Precision
from sim.analysis.tables import finished, met_by_date, of_scenario, values

if TYPE_CHECKING:
    import pyarrow as pa


class Level(NamedTuple):
    """How a scenario does on a goal: its probability, and on its date the mean of the metric and of what is missing.

    `shortfall` is the mean over runs of max(0, level - value).
    """

    probability: Estimate
    mean: Estimate
    shortfall: Estimate


def level(rows: pa.Table, goal: Goal, precision: Precision | None = None) -> Level:
    """Results of one scenario for a goal whose date is in its rows (of tables/runs), those without error.

    Intervals are 95% (Wilson, t), but for what `precision` decided when to stop: that one holds under stopping.
    """
    x = values(rows, f"{goal.metric}@{goal.by}")
    found = Level(proportion(*met_by_date(rows, goal)), mean(x), mean(np.maximum(0.0, goal.level - x)))
    if precision and precision.goal == goal:
        return found._replace(probability=precision.estimate(rows))
    if precision and not precision.goal and precision.column == f"{goal.metric}@{goal.by}":
        return found._replace(mean=precision.estimate(rows))
    return found


def axes(sweep: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Levers of a sweep with their steps: of a grid or packages each its own, of a list or zip the scenarios' names.

    The scenarios are all combinations, the last lever running fastest.
    """
    crossed = sweep.get("grid") or sweep.get("packages")
    if crossed:
        return {lever: list(steps) for lever, steps in crossed.items()}
    zipped = sweep.get("zip") or {}
    return {lever: list(steps) for lever, steps in zipped.items()} if len(zipped) == 1 else {"scenario": list(names)}


def table(
    runs: pa.Table, scenarios: Sequence[Mapping[str, Any]], goals: Sequence[Goal], precision: Precision | None = None
) -> Iterator[dict[str, Any]]:
    """Tidy results of a sweep: a row a scenario and goal or metric, as for scenarios.csv.

    Of goals there are probability, mean and shortfall, of every column METRIC@DATE the mean. A scenario without a
    finished run has its rows too: n = 0 and no estimate.
    """
    levers = list(dict.fromkeys(key for scenario in scenarios for key in scenario["levers"]))
    columns = [name for name in runs.column_names if "@" in name]
    for scenario in scenarios:
        rows = finished(of_scenario(runs, scenario["scenario"]))
        head = {"scenario": scenario["scenario"], "name": scenario["name"]}
        head |= {lever: scenario["levers"].get(lever) for lever in levers}
        for goal in goals:
            if f"{goal.metric}@{goal.by}" in columns:
                about = {"goal": goal.name, "metric": goal.metric, "date": goal.by}
                for statistic, one in level(rows, goal, precision)._asdict().items():
                    yield {**head, **about, "statistic": statistic, **_cells(one)}
        for column in columns:
            metric, _, day = column.partition("@")
            held = precision and not precision.goal and precision.column == column
            one = precision.estimate(rows) if precision and held else mean(values(rows, column))
            yield {**head, "goal": None, "metric": metric, "date": day, "statistic": "mean", **_cells(one)}


def _cells(one: Estimate) -> dict[str, Any]:
    return {"n": one.n, "estimate": one.value, "low": one.low, "high": one.high}
