"""Fan of a national figure over time: median and bands over replications, with the goals on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.intervals import Floats
from sim.analysis.reached import Dates
from sim.analysis.tables import FEW, Paths, national, quantiles
from sim.figures import style
from sim.figures.style import Label, Run

BANDS = (("p05", "p95", 0.14), ("p10", "p90", 0.14), ("p25", "p75", 0.30))


def draw_metric(
    run: Run, folder: Path, name: str, metrics: Sequence[str], titles: Sequence[str], what: str
) -> list[Path]:
    """Draw one fan per metric, side by side, and save them as one figure.

    Parameters
    ----------
    name : str
        Name of the files, without ending.
    metrics, titles : sequence of str
        Metrics of the monthly table and the titles of their panels; the median is added to each title.
    what : str
        The first words of the caption: what is counted.
    """
    if not style.has(run, "monthly"):
        return []
    monthly = run.table("monthly")
    panels = {metric: national(monthly, metric) for metric in metrics}
    runs, dates = panels[metrics[0]].values.shape
    if not runs or not dates:
        return []
    last = next(iter(panels.values())).dates[-1].item()
    later = [goal for goal in style.goals_of(run, *metrics) if goal.by > last]
    caption = f"{what} {bands_in_words(runs)}{_later_in_words(later)}"
    figure = style.new_figure(9.5, 5.2, run, caption)
    all_axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    columns: dict[str, list[Any]] = {}
    for axes, (metric, paths), title in zip(all_axes, panels.items(), titles, strict=True):
        goals = style.goals_of(run, metric)
        draw_fan(axes, metric, paths, goals)
        axes.set_title(style.wrap(f"{title} {_answer(metric, paths, goals)}", 84 // len(metrics)), pad=18)
        for column, values in fan_columns(metric, paths).items():
            columns.setdefault(column, []).extend(values)
    return style.save(figure, folder, name, run, columns)


def draw_fan(
    axes: Axes, metric: str, paths: Paths, goals: Sequence[Goal], include: Sequence[tuple[date, float]] = ()
) -> None:
    """Draw median and bands (or, below `FEW` runs, each of them), goals due within the dates, and direct labels.

    The axes also make room for the points to `include`.
    """
    dates = paths.dates.tolist()
    fan = quantiles(paths.values)
    few = len(paths.values) < FEW
    if few:
        axes.plot(dates, paths.values.T, color=style.BLUE, linewidth=0.7, alpha=0.5)
    else:
        for low, high, alpha in BANDS:
            axes.fill_between(dates, fan[low], fan[high], color=style.BLUE, alpha=alpha, linewidth=0)
    axes.plot(dates, fan["p50"], color=style.BLUE, linewidth=2)

    due = due_within(goals, paths.dates)
    levels = {goal.level for goal in due}
    lowest, highest = (paths.values.min(), paths.values.max()) if few else (fan["p05"].min(), fan["p95"].max())
    highest = max(highest, *levels, *(value for _, value in include), 0)
    axes.set_ylim(1.08 * min(lowest, 0), 1.08 * highest or 1.0)
    style.value_axis(axes.yaxis, metric)
    time_axis(axes, dates + [day for day, _ in include])

    for level in levels:
        axes.axhline(level, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
    for goal in due:
        axes.plot(mdates.date2num(goal.by), goal.level, marker="D", markersize=5, color=style.VERMILLION, zorder=4)
    mark_dates(axes, {goal.by for goal in due})
    ends = {"p50": "median"} if few else {"p05": "1 in 20 below", "p50": "median", "p95": "1 in 20 above"}
    style.label_right(
        axes,
        [
            *(Label(level, f"goal {words.amount(metric, level)}", style.VERMILLION) for level in levels),
            *(Label(fan[q][-1], f"{words.amount(metric, fan[q][-1])}  {end}", style.BLUE) for q, end in ends.items()),
        ],
    )


def draw_band(axes: Axes, paths: Paths) -> dict[str, Floats]:
    """Draw the median and the band of 8 in 10 runs (or each run, if they are few), labelled for a legend.

    Return the quantiles p10, p50 and p90.
    """
    dates, runs = paths.dates.tolist(), len(paths.values)
    fan = {name: each for name, each in quantiles(paths.values).items() if name in ("p10", "p50", "p90")}
    if runs < FEW:
        lines = axes.plot(dates, paths.values.T, color=style.BLUE, linewidth=0.7, alpha=0.5)
        lines[0].set_label("one run" if runs > 1 else "the only run")
    else:
        label = f"8 in 10 of {runs:,} runs"
        axes.fill_between(dates, fan["p10"], fan["p90"], color=style.BLUE, alpha=0.25, linewidth=0, label=label)
    axes.plot(dates, fan["p50"], color=style.BLUE, linewidth=2, label="median")
    return fan


def due_within(goals: Iterable[Goal], dates: Dates) -> list[Goal]:
    """Goals that fall due from the first to the last of the dates: what a figure over them can show."""
    first, last = dates[[0, -1]].tolist()
    return [goal for goal in goals if first <= goal.by <= last]


def fan_columns(metric: str, paths: Paths) -> dict[str, list[Any]]:
    """The plotted numbers of a fan, in the metric's own unit, a row a date."""
    runs, dates = paths.values.shape
    columns: dict[str, list[Any]] = {"metric": [metric] * dates, "date": paths.dates.tolist(), "n": [runs] * dates}
    columns |= {name: values.tolist() for name, values in quantiles(paths.values).items()}
    if runs < FEW:
        columns |= {f"run_{i}": values.tolist() for i, values in enumerate(paths.values)}
    return columns


def bands_in_words(runs: int) -> str:
    """What the shades of a fan of so many runs mean."""
    if runs == 1:
        return "One run only: nothing is known about its spread."
    if runs < FEW:
        return f"Thick line: median; thin lines: each of the {runs} runs."
    return f"Line: median; shades: the middle 50%, 80% and 90% of {runs:,} runs at each date."


def time_axis(axes: Axes, dates: Sequence[date]) -> None:
    """Horizontal axis from the first to the last of some dates, with as many ticks as fit."""
    first, last = min(dates), max(dates)
    axes.set_xlim(mdates.date2num(first), mdates.date2num(max(last, first + timedelta(days=1))))
    locator = mdates.AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))


def mark_dates(axes: Axes, dates: set[date]) -> None:
    """Vertical lines at dates, each with its date above the axes."""
    for day in sorted(dates):
        axes.axvline(mdates.date2num(day), color=style.GREY, linewidth=0.9, linestyle=":")
    style.label_top(axes, [Label(mdates.date2num(day), f"{day.day} {day:%b %Y}", style.GREY) for day in sorted(dates)])


def _answer(metric: str, paths: Paths, goals: Sequence[Goal]) -> str:
    """The median at the last deadline, and its distance from the highest goal then; without goals, at the end."""
    shown = due_within(goals, paths.dates)
    due = max((goal.by for goal in shown), default=paths.dates[-1].item())
    median = float(np.median(paths.at(due)))
    levels = [goal.level for goal in shown if goal.by == due]
    said = words.shortfall(metric, median, max(levels)) if levels else f"median {words.amount(metric, median)}"
    return f"on {words.day(due)}, {said}"


def _later_in_words(goals: Sequence[Goal]) -> str:
    """What is left out because it is due after the last simulated day."""
    if not goals:
        return ""
    listed = {f"{words.quantity(goal.metric, goal.level)} by {words.day(goal.by)}": None for goal in goals}
    return f" Not drawn, due after the end of the runs: {'; '.join(listed)}."
