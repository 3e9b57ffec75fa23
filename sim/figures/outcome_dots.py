"""Counts of jobs at the deadline as quantile dots: each dot is 1 chance in 20."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sim.analysis import words
from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, metric_dates, of_scenario, values
from sim.figures import style
from sim.figures.style import Run

HUBS = {
    "jobs_supported.hub": "jobs supported:\nworking there on that day",
    "jobs_created.hub": "jobs created:\never placed",
    "jobs_additional.hub": "jobs additional:\nwould not exist otherwise",
}
PORTFOLIO = {
    "portfolio_jobs": "jobs in the portfolio: without\nthose in software technology\nparks before the start",
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
    panels = {"in hubs": HUBS} | ({"in the whole portfolio": PORTFOLIO} if style.is_portfolio(run) else {})
    goals = style.goals_of(run, *(metric for panel in panels.values() for metric in panel))
    dates = metric_dates(rows, "jobs_supported.hub")
    if not dates or not rows.num_rows:
        return []
    due = max([day for day in dates if day in {goal.by for goal in goals}] or dates)
    outcomes = {metric: values(rows, f"{metric}@{due}") for panel in panels.values() for metric in panel}
    dots = {metric: quantile_dots(x) for metric, x in outcomes.items()}
    goals = [goal for goal in goals if goal.by == due]

    meaning = "Each dot is one run" if rows.num_rows < DOTS else f"Each dot is 1 chance in {DOTS}"
    caption = f"Jobs in open sites on {words.day(due)}, counted in several ways. {meaning}."
    figure = style.new_figure(9.5, 0.9 + 0.95 * len(dots) + 0.6 * len(panels), run, caption)
    highest = max([*(goal.level for goal in goals), *(x.max() for x in dots.values())])
    lowest = min(0, *(x.min() for x in dots.values()))
    heights = [len(panel) for panel in panels.values()]
    all_axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, (where, panel) in zip(all_axes, panels.items(), strict=True):
        axes.set_xlim(1.06 * lowest, 1.06 * max(highest, 0) or 1.0)
        axes.set_title(f"Jobs {where} on {words.day(due)}", pad=18)
        _frame(axes, panel, outcomes, sorted({goal.level for goal in goals if goal.metric in panel}))
    for axes, panel in zip(all_axes, panels.values(), strict=True):  # when all else has its place
        _stack(axes, [dots[metric] for metric in panel])

    columns: dict[str, list[Any]] = {}
    for metric, x in dots.items():
        name, _, system = metric.partition(".")
        same = {"metric": name, "system": system, "date": due}
        same |= {"median": float(np.median(outcomes[metric])), "n": outcomes[metric].size}
        own = {"dot": list(range(1, x.size + 1)), "value": x.tolist()}
        for column, cells in ({key: [cell] * x.size for key, cell in same.items()} | own).items():
            columns.setdefault(column, []).extend(cells)
    return style.save(figure, folder, "outcome_dots", run, columns)


def _frame(axes: Axes, panel: Mapping[str, str], outcomes: Mapping[str, Floats], levels: list[float]) -> None:
    """Rows of a panel, the first on top, with the median of each and the levels of its goals."""
    rows = list(enumerate(reversed(list(panel.items()))))
    axes.set_ylim(0, len(panel))
    axes.set_yticks([row + 0.35 for row, _ in rows], [label for _, (_, label) in rows])
    axes.tick_params(axis="y", length=0)
    axes.spines.left.set_visible(False)
    style.value_axis(axes.xaxis, "jobs_supported")
    style.label_right(
        axes,
        [
            style.Label(row + 0.35, style.wrap(_in_words(metric, outcomes[metric], levels), 24), style.BLACK)
            for row, (metric, _) in rows
        ],
    )
    for level in levels:
        axes.axvline(level, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
    style.label_top(axes, [style.Label(level, f"goal {words.number(level)}", style.VERMILLION) for level in levels])


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


def _stack(axes: Axes, dots: Sequence[Floats]) -> None:
    """Draw a row of stacked dots for each metric, the first on top; dots as large as the tallest stack allows."""
    width, height = style.axes_size(axes)
    row_height = height / len(dots)
    per_inch = float(np.ptp(axes.get_xlim())) / width
    diameter = LARGEST
    while diameter * max(pile.size for x in dots for pile in stacks(x, diameter * per_inch)) > 0.8 * row_height:
        diameter *= 0.9
    for row, x in enumerate(reversed(dots)):
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
