"""Runs over each other: fans on the same axes, chances by date, and a forest of paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from math import isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from sim.analysis import words
from sim.analysis.compare import Difference
from sim.analysis.goals import Goal
from sim.analysis.reached import reached_by
from sim.analysis.tables import finished, has_paths, national, of_scenario, reached
from sim.figures import style
from sim.figures.fan import mark_dates, time_axis
from sim.figures.style import Label
from sim.results.side import against_first, sides_of

FANS = ("hubs_open", "jobs_supported.hub", "portfolio_jobs", "portfolio_exports_usd_per_year")
FOREST = (
    "hubs_open", "jobs_supported", "jobs_created", "jobs_additional", "portfolio_jobs", "women_share",
    "exports_usd_per_year", "portfolio_exports_usd_per_year", "seats", "applications", "approved", "opened", "closed",
    "grants_rs_million", "jobs_supported.hub", "jobs_supported.stp", "jobs_supported.islamabad_park",
    "jobs_supported.karachi_park",
)  # fmt: skip
"""Metrics of the forest; the table of the comparison has all."""


def draw_run(run: Any, folder: Path) -> list[Path]:
    """Draw the scenarios of one run over each other; nothing if they have no goals in common with dates in the runs."""
    sides = sides_of(run)
    columns = [name for name in sides[0].runs().column_names if "@" in name]
    return draw(sides, against_first(sides, columns, sides[0].goals), sides[0].goals, folder)


@style.styled
def draw(
    sides: Sequence[Any], pairs: Mapping[str, Sequence[Difference]], goals: Sequence[Goal], folder: Path
) -> list[Path]:
    """Write compare_fans, compare_chances and compare_forest, as far as the runs kept what they need.

    Parameters
    ----------
    sides
        At least two, each with name, run, scenario and runs() (see `sim.compare.Side`); the first is the base.
    pairs
        Name of every other side -> its differences from the base.
    """
    manifests = [side.run.manifest for side in sides]
    runs = [finished(side.runs()) for side in sides]
    shared = reduce(np.intersect1d, [table.column("replication").to_numpy() for table in runs])
    named = [f"{side.run.path}#{side.scenario}" if len(side.run.manifest["scenarios"]) > 1 else str(side.run.path)
             for side in sides]  # fmt: skip
    source = SimpleNamespace(
        manifest={
            "experiment": " / ".join(side.name for side in sides),
            "title": "Comparison",
            "seed": manifests[0]["seed"],
            "replications": shared.size,
            "config_digest": " / ".join(dict.fromkeys(manifest["config_digest"] for manifest in manifests)),
            **{key: manifests[0].get(key) for key in ("version", "commit", "dirty")},  # it is said where they differ
            "command": manifests[0]["command"]
            if len({side.run.path for side in sides}) == 1
            else ["sim", "compare", *named],
        }
    )
    paths = _forest(source, sides[0].name, pairs, folder)
    if shared.size and all(style.has(side.run, "monthly") for side in sides):
        runs = [table.filter(np.isin(table.column("replication").to_numpy(), shared)) for table in runs]
        monthly = _monthly(sides, shared)
        fans = _fans(source, sides, monthly, goals, folder)
        paths = [*fans, *_chances(source, sides, runs, monthly, goals, folder), *paths]
    return paths


def _monthly(sides: Sequence[Any], shared: NDArray[np.int32]) -> list[pa.Table]:
    """Monthly rows of every side, of the replications and up to the date that all have."""
    tables = [of_scenario(side.run.table("monthly"), side.scenario) for side in sides]
    dates = [table.column("month_end").to_numpy() for table in tables]
    last = min(days.max() for days in dates)
    return [
        table.filter((days <= last) & np.isin(table.column("replication").to_numpy(), shared))
        for table, days in zip(tables, dates, strict=True)
    ]


def _fans(
    source: Any, sides: Sequence[Any], monthly: Sequence[pa.Table], goals: Sequence[Goal], folder: Path
) -> list[Path]:
    """Medians and middle 80% of every side on the same axes, a panel a metric."""
    systems = [set(table["kind"].unique().to_pylist()) for table in monthly]
    metrics = [m for m in FANS if m in ("hubs_open", "jobs_supported.hub") or all(len(s) > 1 for s in systems)]
    caption = f"Lines: medians; shades: the middle 80% of the runs of each.{' Goals dashed.' if goals else ''}"
    rows = -(-len(metrics) // 2)
    figure = style.new_figure(10.5, 1.0 + 4.2 * rows, source, caption)
    all_axes = figure.subplots(rows, 2, squeeze=False).ravel()
    columns: dict[str, list[Any]] = {name: [] for name in ("metric", "side", "date", "p10", "p50", "p90")}
    marks: list[tuple[Axes, set[date]]] = []
    for axes, metric in zip(all_axes, metrics, strict=True):
        labels = []
        for side, table, colour in zip(sides, monthly, style.PALETTE, strict=False):
            paths = national(table, metric, side.scenario)
            dates = paths.dates.tolist()
            low, middle, high = np.quantile(paths.values, [0.1, 0.5, 0.9], axis=0)
            axes.fill_between(dates, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(dates, middle, color=colour, linewidth=1.8)
            labels.append(Label(middle[-1], style.wrap(f"{side.name}: {words.amount(metric, middle[-1])}", 24), colour))
            for row in zip(dates, low.tolist(), middle.tolist(), high.tolist(), strict=True):
                for column, cell in zip(columns.values(), (metric, side.name, *row), strict=True):
                    column.append(cell)
        own = [goal for goal in goals if goal.metric == metric and dates[0] <= goal.by <= dates[-1]]
        for level in {goal.level for goal in own}:
            axes.axhline(level, color=style.GREY, linewidth=1, linestyle=(0, (5, 3)))
        axes.set_ylim(min(0.0, axes.get_ylim()[0]))
        style.value_axis(axes.yaxis, metric)
        time_axis(axes, dates)
        axes.set_title(words.name(metric), pad=18)
        style.label_right(axes, labels)
        marks.append((axes, {goal.by for goal in own}))
    for axes, days in marks:  # when all labels on the right have taken their room
        mark_dates(axes, days)
    return style.save(figure, folder, "compare_fans", source, columns)


def _chances(
    source: Any,
    sides: Sequence[Any],
    runs: Sequence[pa.Table],
    monthly: Sequence[pa.Table],
    goals: Sequence[Goal],
    folder: Path,
) -> list[Path]:
    """Share of runs that reached each goal by date, every side on the same axes, a panel a goal."""
    levels: dict[tuple[str, float], list[Goal]] = {}
    for goal in goals:
        if not goal.held:
            levels.setdefault((goal.metric, goal.level), []).append(goal)
    if not levels:
        return []
    caption = "Share of runs that reached each goal by each date; shades: 95% intervals at each single date (Wilson)."
    lines = -(-len(levels) // 2)
    figure = style.new_figure(10.5, 1.0 + 3.4 * lines, source, caption)
    all_axes = figure.subplots(lines, 2, squeeze=False).ravel()
    columns: dict[str, list[Any]] = {
        name: [] for name in ("metric", "level", "side", "date", "probability", "low", "high")
    }
    marks: list[tuple[Axes, set[date]]] = []
    for axes, ((metric, level), same) in zip(all_axes, levels.items(), strict=False):
        labels = []
        for side, rows, table, colour in zip(sides, runs, monthly, style.PALETTE, strict=False):
            if not has_paths(table, "hubs_open"):
                continue
            grid = national(table, "hubs_open", side.scenario).dates
            mine = next(g for g in side.goals if (g.metric, g.level, g.by) == (metric, level, same[0].by))
            curve = reached_by(reached(rows, mine), grid)
            dates = grid.tolist()
            axes.fill_between(
                dates, 100 * curve.low, 100 * curve.high, step="post", color=colour, alpha=0.12, linewidth=0
            )
            axes.step(dates, 100 * curve.probability, where="post", color=colour, linewidth=1.6)
            said = f"{side.name}: {words.percent(curve.probability[-1])}"
            labels.append(Label(float(100 * curve.probability[-1]), style.wrap(said, 24), colour))
            for row in zip(dates, curve.probability.tolist(), curve.low.tolist(), curve.high.tolist(), strict=True):
                for column, cell in zip(columns.values(), (metric, level, side.name, *row), strict=True):
                    column.append(cell)
        axes.set_ylim(-2, 102)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}%"))
        time_axis(axes, dates)
        axes.set_title(words.quantity(metric, level), pad=18)
        style.label_right(axes, labels)
        marks.append((axes, {goal.by for goal in same if dates[0] <= goal.by <= dates[-1]}))
    for axes in all_axes[len(levels) :]:
        axes.axis("off")
    for axes, days in marks:
        mark_dates(axes, days)
    return style.save(figure, folder, "compare_chances", source, columns)


def _forest(source: Any, base: str, pairs: Mapping[str, Sequence[Difference]], folder: Path) -> list[Path]:
    """Paired differences with their intervals, in per cent of the base; a side has its own colour."""
    rows = [
        (name, one)
        for name, found in pairs.items()
        for one in found
        if not one.is_goal and isfinite(one.low) and one.a and one.metric in FOREST
    ]
    names = list(dict.fromkeys(one.name for _, one in rows if any(o.difference for _, o in rows if o.name == one.name)))
    last = max((name.partition("@")[2] for name in names), default="")
    names = [name for name in names if name.endswith(last)]
    if not names:
        return []
    caption = (
        f"Mean paired difference from {base} on {last}, in per cent of its mean, with intervals that hold for all "
        "comparisons together (95%). Filled: told apart from none."
    )
    figure = style.new_figure(9.5, 1.5 + 0.3 * len(names) + 0.1 * len(pairs), source, caption)
    axes = figure.subplots()
    axes.axvline(0, color=style.GREY, linewidth=1)
    columns: dict[str, list[Any]] = {name: [] for name in ("side", "metric", "percent", "low", "high", "distinct", "n")}
    for number, (side, found) in enumerate(pairs.items()):
        colour = style.PALETTE[(number + 1) % len(style.PALETTE)]
        shift = 0.5 * (number + 1) / (len(pairs) + 1) - 0.25
        by_name = {one.name: one for one in found}
        for row, name in enumerate(names):
            one = by_name[name]
            value, low, high = (100 * x / abs(one.a) for x in (one.difference, one.low, one.high))
            axes.plot([low, high], [row + shift] * 2, color=colour, linewidth=1.5)
            axes.plot(value, row + shift, "o", color=colour, markersize=5, mfc=colour if one.distinct else "white")
            for column, cell in zip(columns.values(), (side, name, value, low, high, one.distinct, one.n), strict=True):
                column.append(cell)
        axes.plot([], [], "o-", color=colour, label=side)
    axes.set_yticks(range(len(names)), [words.name(name.partition("@")[0]) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}%"))
    axes.legend(frameon=False, fontsize=style.SMALL, loc="best")
    style.headline(figure, f"Differences from {base}")
    return style.save(figure, folder, "compare_forest", source, columns)
