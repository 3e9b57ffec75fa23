"""Goals and metrics of a study in one JSON-safe dictionary: what a report prints first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.analysis.goals import Goal, read_goals
from sim.analysis.intervals import mean, proportion
from sim.analysis.reached import median_date
from sim.analysis.tables import finished, met_by_date, of_scenario, reached, scenarios, values

if TYPE_CHECKING:
    import pyarrow as pa

Goals = Mapping[str, Mapping[str, Any]]


def summarise(runs: pa.Table, goals: Goals, horizon_end: date) -> dict[str, Any]:
    """Summarise the replications of one scenario; those that ended in an error are left out.

    Parameters
    ----------
    runs : pyarrow.Table
        One row per replication.
    goals : mapping
        Name -> metric, level, by, as in the configuration.
    horizon_end : date
        Last simulated day. A goal due later has null probabilities: the runs do not say.

    Returns
    -------
    dict
        ``goals``: a list of name, metric, level, by, probability with its 95% Wilson interval low and high,
        replications, and median_date (ISO; null when fewer than half got there within the horizon).
        ``metrics``: for each ``<metric>@<date>`` column its date, mean with the 95% t interval low and high, quantiles
        p10, p50, p90, and the replications that have a value. At the latest date the key is the plain metric,
        at others it is the column name. What cannot be computed is None.
    """
    if len(scenarios(runs)) > 1:
        raise ValueError("several scenarios: use summarise_scenarios")
    rows = finished(runs)
    dated = [name for name in rows.column_names if "@" in name]
    latest = max((name.partition("@")[2] for name in dated), default="")
    return {
        "goals": [_goal(rows, goal, horizon_end) for goal in read_goals(goals)],
        "metrics": {name.removesuffix(f"@{latest}"): _metric(rows, name) for name in dated},
    }


def summarise_scenarios(runs: pa.Table, goals: Goals, horizon_end: date) -> list[dict[str, Any]]:
    """Summarise each scenario of a sweep: a list of {scenario, goals, metrics} (see `summarise`)."""
    return [
        {"scenario": number, **summarise(of_scenario(runs, number), goals, horizon_end)} for number in scenarios(runs)
    ]


def _goal(rows: pa.Table, goal: Goal, horizon_end: date) -> dict[str, Any]:
    median = median_date(reached(rows, goal))
    met = proportion(*met_by_date(rows, goal))
    known = goal.by <= horizon_end
    return {
        "name": goal.name,
        "metric": goal.metric,
        "level": goal.level,
        "by": goal.by.isoformat(),
        "probability": _json(met.value) if known else None,
        "low": _json(met.low) if known else None,
        "high": _json(met.high) if known else None,
        "replications": met.n,
        "median_date": median.isoformat() if median else None,
    }


def _metric(rows: pa.Table, column: str) -> dict[str, Any]:
    x = values(rows, column)
    average = mean(x)
    quantiles = np.quantile(x, [0.1, 0.5, 0.9]) if x.size else [np.nan] * 3
    return {
        "date": column.partition("@")[2],
        "mean": _json(average.value),
        **{name: _json(float(value)) for name, value in zip(("p10", "p50", "p90"), quantiles, strict=True)},
        "low": _json(average.low),
        "high": _json(average.high),
        "replications": average.n,
    }


def _json(value: float) -> float | None:
    """The value, or None where JSON has no word for it."""
    return value if isfinite(value) else None
