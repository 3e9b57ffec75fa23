"""Three counts of jobs at the deadline as quantile dots: each dot is 1 chance in 20."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sim.analysis import words
from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, metric_dates, of_scenario, values
from sim.figures import style
from sim.figures.style import Run

METRICS = {
    "jobs_supported": "jobs supported:\nworking there on that day",
    "jobs_created": "jobs created:\never placed",
    "jobs_additional": "jobs additional:\nwould not exist otherwise",
}
DOTS = 20
LARGEST = 0.11
"""Diameter of a dot where the stacks leave room for it, inches."""


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write outcome_dots.png and outcome_dots.csv, for the latest deadline of a goal on jobs that was simulated."""
    if not style.has(run, "runs"):
        return []
    rows = finished(of_scenario(run.table("runs"), 0))
    goals = style.goals_of(run, *METRICS)
    held = [day for day in metric_dates(rows, "jobs_supported") if values(rows, f"jobs_supported@{day}").size]
    if not held:
        return []
    due = max([day for day in held if day in {goal.by for goal in goals}] or held)
    outcomes = {metric: values(rows, f"{metric}@{due}") for metric in METRICS if f"{metric}@{due}" in rows.column_names}
    outcomes = {metric: x for metric, x in outcomes.items() if x.size}
    levels = sorted({goal.level for goal in goals if goal.by == due})
    dots = {metric: quantile_dots(x) for metric, x in outcomes.items()}

    meaning = "Each dot is one run" if outcomes["jobs_supported"].size < DOTS else f"Each dot is 1 chance in {DOTS}"
    caption = f"Jobs in all open sites on {words.day(due)}, counted in three ways. {meaning}."
    figure = style.new_figure(9.5, 1.6 + 0.95 * len(dots), run, caption)
    axes = figure.subplots()
    axes.set_xlim(0, 1.06 * max([*levels, *(x.max() for x in dots.values())]) or 1.0)
    axes.set_ylim(0, len(dots))
    axes.set_yticks([row + 0.35 for row in range(len(dots))], [METRICS[metric] for metric in reversed(dots)])
    axes.tick_params(axis="y", length=0)
    axes.spines.left.set_visible(False)
    style.value_axis(axes.xaxis, "jobs_supported")
    axes.set_title(f"Jobs on {words.day(due)}", pad=18 if levels else 6)
    style.label_right(
        axes,
        [
            style.Label(row + 0.35, style.wrap(_in_words(metric, outcomes[metric], levels), 24), style.BLACK)
            for row, metric in enumerate(reversed(dots))
        ],
    )
    for level in levels:
        axes.axvline(level, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
    style.label_top(axes, [style.Label(level, f"goal {words.number(level)}", style.VERMILLION) for level in levels])
    _stack(axes, dots)

    columns: dict[str, list[Any]] = {"metric": [], "date": [], "dot": [], "value": [], "median": [], "n": []}
    for metric, x in dots.items():
        for dot, value in enumerate(x.tolist(), start=1):
            row = (metric, due, dot, value, float(np.median(outcomes[metric])), outcomes[metric].size)
            for column, cell in zip(columns.values(), row, strict=True):
                column.append(cell)
    return style.save(figure, folder, "outcome_dots", run, columns)


def quantile_dots(x: Floats) -> Floats:
    """Values of the dots, ascending: the 20 mid-quantiles, or each value where there are fewer than 20.

    Kay et al. (2016), When (ish) is my bus?, CHI '16: people read probabilities off counted dots better
    than off densities.
    """
    return np.sort(x) if x.size < DOTS else np.quantile(x, (np.arange(DOTS) + 0.5) / DOTS)


def stacks(x: Floats, width: float) -> list[Floats]:
    """Ascending values in stacks that each span less than `width` (Wilkinson 1999, Dot plots)."""
    piles: list[list[float]] = []
    for value in x.tolist():
        if piles and value - piles[-1][0] < width:
            piles[-1].append(value)
        else:
            piles.append([value])
    return [np.array(pile) for pile in piles]


def _stack(axes: Axes, dots: dict[str, Floats]) -> None:
    """Draw a row of stacked dots per metric, the first on top; dots as large as the tallest stack allows."""
    width, height = style.axes_size(axes)
    row_height = height / len(dots)
    per_inch = axes.get_xlim()[1] / width
    diameter = LARGEST
    while (
        diameter * max(pile.size for x in dots.values() for pile in stacks(x, diameter * per_inch)) > 0.8 * row_height
    ):
        diameter *= 0.9
    for row, x in enumerate(reversed(dots.values())):
        axes.axhline(row, color=style.GREY, linewidth=0.6)
        for pile in stacks(x, diameter * per_inch):
            heights = row + (np.arange(pile.size) + 0.5) * diameter / row_height
            axes.scatter(
                np.full(pile.size, pile.mean()),
                heights,
                s=(72 * diameter) ** 2,
                color=style.BLUE,
                linewidth=0,
                zorder=3,
            )


def _in_words(metric: str, x: Floats, levels: list[float]) -> str:
    """The median, and how far it is from the highest goal."""
    median = float(np.median(x))
    return words.shortfall(metric, median, levels[-1]) if levels else f"median {words.amount(metric, median)}"
