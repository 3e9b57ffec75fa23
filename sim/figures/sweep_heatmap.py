"""A sweep over one or two levers: probability of each goal, and the mean of its metric."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.intervals import Estimate, mean, proportion
from sim.analysis.tables import finished, met_by_date, of_scenario, values
from sim.figures import style
from sim.figures.style import Run


class Cell(NamedTuple):
    """Results of one scenario: its place on each lever, probability of the goal and mean of its metric."""

    scenario: int
    place: tuple[int, ...]
    probability: Estimate
    mean: Estimate


@style.styled
def draw(run: Run, folder: Path, goal: str | None = None) -> list[Path]:
    """Write sweep_heatmap_GOAL.png and .csv for each goal due within the horizon, or for the one named.

    Of goals that differ only in their date and are as likely in every scenario, only the latest is drawn. Nothing is
    drawn for sweeps of three levers or more, or that are not grids.
    """
    grid = {lever: list(steps) for lever, steps in ((run.config.get("sweep") or {}).get("grid") or {}).items()}
    if len(grid) not in (1, 2) or not style.has(run, "runs"):
        return []
    runs = finished(run.table("runs"))
    drawn: dict[tuple[Any, ...], tuple[Goal, list[Cell]]] = {}
    for chosen in sorted(style.goals_of(run), key=lambda each: each.by):
        column = f"{chosen.metric}@{chosen.by}"
        if column not in runs.column_names or (goal is not None and chosen.name != goal):
            continue
        cells = [_cell(runs, scenario, grid, chosen, column) for scenario in run.manifest["scenarios"]]
        chances = tuple(str(cell.probability) for cell in cells)
        drawn[(chosen.metric, chosen.level, chosen.held, chances)] = (chosen, cells)
    return [path for chosen, cells in drawn.values() for path in _draw_goal(run, folder, chosen, grid, cells)]


def _cell(runs: Any, scenario: dict[str, Any], grid: dict[str, list[Any]], goal: Goal, column: str) -> Cell:
    rows = of_scenario(runs, scenario["scenario"])
    place = tuple(steps.index(scenario["overrides"][lever]) for lever, steps in grid.items())
    return Cell(scenario["scenario"], place, proportion(*met_by_date(rows, goal)), mean(values(rows, column)))


def _draw_goal(run: Run, folder: Path, goal: Goal, grid: dict[str, list[Any]], cells: list[Cell]) -> list[Path]:
    sizes = sorted({cell.probability.n for cell in cells})
    n = f"Runs a scenario: {' to '.join(f'{size:,}' for size in sorted({sizes[0], sizes[-1]}))}"
    caption = (
        f"Share of runs that {'had' if goal.held else 'reached'} {words.quantity(goal.metric, goal.level)} "
        f"{goal.when}, and mean of all runs on that day. {n}; "
        + (
            "outlined: mean at the goal or above; intervals in the CSV."
            if len(grid) == 2
            else "in blue: 95% intervals."
        )
    )
    shape = tuple(len(steps) for steps in grid.values())
    columns, rows = (shape[1], shape[0]) if len(shape) == 2 else (5, 6)
    figure = style.new_figure(max(9.5, 2.6 + 1.1 * columns), max(4.6, 2.4 + 0.45 * rows), run, caption)
    left, right = figure.subplots(1, 2)
    if len(grid) == 2:
        _heatmap(left, grid, cells, "probability", words.percent, highest=1.0)
        _heatmap(right, grid, cells, "mean", lambda value: words.amount(goal.metric, value), outlined=goal.level)
    else:
        _line(left, grid, cells, "probability")
        left.set_ylim(-0.02, 1.02)
        left.yaxis.set_major_formatter(FuncFormatter(lambda share, _: words.percent(share)))
        _line(right, grid, cells, "mean")
        means = [cell.mean for cell in cells if cell.mean.n]
        right.set_ylim(0, 1.08 * max([goal.level, *(np.nanmax([mean.value, mean.high]) for mean in means)]))
        style.value_axis(right.yaxis, goal.metric)
        right.axhline(goal.level, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
        label = f"goal {words.amount(goal.metric, goal.level)}"
        style.label_right(right, [style.Label(goal.level, label, style.VERMILLION)])
    left.set_title(f"Probability of {words.quantity(goal.metric, goal.level)}\n{goal.when}")
    right.set_title(f"Mean {words.name(goal.metric)}\non {words.day(goal.by)}")
    return style.save(figure, folder, f"sweep_heatmap_{goal.name}", run, _columns(goal, grid, cells))


def _heatmap(
    axes: Axes,
    grid: dict[str, list[Any]],
    cells: list[Cell],
    field: str,
    say: Callable[[float], str],
    highest: float | None = None,
    outlined: float = inf,
) -> None:
    """Colour and number each cell by a field of its results; the first lever runs upwards, the second rightwards.

    Colours run from 0 to `highest` (by default the highest value); cells from the value `outlined` on get a border.
    """
    (up, up_steps), (across, across_steps) = grid.items()
    shades = np.full((len(up_steps), len(across_steps)), nan)
    for cell in cells:
        shades[cell.place] = getattr(cell, field).value
    high = highest or max(shades[np.isfinite(shades)], default=0) or 1.0
    axes.set_facecolor("#DDDDDD")
    axes.imshow(shades, cmap="cividis", vmin=0, vmax=high, origin="lower", aspect="auto")
    for (y, x), value in np.ndenumerate(shades):
        dark = value < high / 2
        text = say(value) if np.isfinite(value) else "no run"
        axes.text(x, y, text, ha="center", va="center", fontsize=style.SMALL, color="white" if dark else "black")
        if value >= outlined:
            axes.add_patch(
                Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor=style.VERMILLION, linewidth=2)
            )
    axes.set_xticks(range(len(across_steps)), [_step(step) for step in across_steps])
    axes.set_yticks(range(len(up_steps)), [_step(step) for step in up_steps])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(style.wrap(across, 44))
    axes.set_ylabel(style.wrap(up, 32))


def _line(axes: Axes, grid: dict[str, list[Any]], cells: list[Cell], field: str) -> None:
    """Values of a field with their 95% intervals over the steps of one lever.

    A line and a band to scale if all steps are numbers, points and bars in order otherwise.
    """
    ((lever, steps),) = grid.items()
    to_scale = all(isinstance(step, int | float) and not isinstance(step, bool) for step in steps)
    place = dict(enumerate(steps if to_scale else range(len(steps))))
    points = sorted((place[cell.place[0]], *getattr(cell, field)[:3]) for cell in cells if getattr(cell, field).n)
    x, value, low, high = np.array(points, dtype=np.float64).reshape(-1, 4).T
    if to_scale:
        axes.fill_between(x, low, high, color=style.BLUE, alpha=0.2, linewidth=0)
    else:
        axes.vlines(x, low, high, color=style.BLUE, alpha=0.4, linewidth=3)
        axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.plot(x, value, "o-" if to_scale else "o", color=style.BLUE, markersize=4)
    axes.set_xticks(list(place.values()), [_step(step) for step in steps])
    axes.set_xlabel(style.wrap(lever, 44))


def _step(value: Any) -> str:
    """A value of a lever on an axis; distributions come as [name, argument, ...]."""
    if isinstance(value, list):
        return style.wrap(f"{value[0]}({', '.join(map(_step, value[1:]))})", 14)
    return f"{value:g}" if isinstance(value, float) else style.wrap(str(value), 14)


def _columns(goal: Goal, grid: dict[str, list[Any]], cells: list[Cell]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"goal": [goal.name] * len(cells), "scenario": [cell.scenario for cell in cells]}
    for axis, (lever, steps) in enumerate(grid.items()):
        columns[lever] = [steps[cell.place[axis]] for cell in cells]
    for field in ("probability", "mean"):
        for part in Estimate._fields:
            columns[f"{field}_{part}"] = [getattr(getattr(cell, field), part) for cell in cells]
    return columns
