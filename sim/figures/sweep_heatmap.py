"""A sweep over one or two levers: probability of each goal, and the mean and the shortfall of its metric."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.intervals import Estimate
from sim.analysis.sweep import axes as axes_of
from sim.analysis.sweep import level
from sim.analysis.tables import finished, of_scenario
from sim.errors import InputError
from sim.figures import style
from sim.figures.style import Run

MARKS = (0.5, 0.9)
"""Probabilities whose contours are drawn. A cell is marked if its interval holds one: it may be on either side."""
MOST = 12
"""Scenarios of a list or zip that are drawn."""


class Cell(NamedTuple):
    """Results of one scenario: its place on each lever, probability of the goal, mean and shortfall of its metric."""

    scenario: int
    place: tuple[int, ...]
    probability: Estimate
    mean: Estimate
    shortfall: Estimate


FIELDS = Cell._fields[2:]


@style.styled
def draw(run: Run, folder: Path, goal: str | None = None) -> list[Path]:
    """Write sweep_heatmap_GOAL.png and .csv for each goal due within the horizon, or for the one named.

    Of goals that differ only in their date and are as likely in every scenario, only the latest is drawn. Nothing is
    drawn for sweeps of three levers or more, or of more than a dozen listed scenarios: scenarios.csv has them.
    """
    sweep, scenarios = run.config.get("sweep") or {}, run.manifest["scenarios"]
    grid = axes_of(sweep, [scenario.get("name", str(scenario["scenario"])) for scenario in scenarios])
    if len(grid) not in (1, 2) or not style.has(run, "runs") or ("scenario" in grid and len(scenarios) > MOST):
        return []
    runs = finished(run.table("runs"))
    precision = style.precision_of(run)
    drawn: dict[tuple[Any, ...], tuple[Goal, list[Cell]]] = {}
    shape = [len(steps) for steps in grid.values()]
    for chosen in sorted(style.goals_of(run), key=lambda each: each.by):
        column = f"{chosen.metric}@{chosen.by}"
        if column not in runs.column_names or (goal is not None and chosen.name != goal):
            continue
        cells = [
            Cell(number, tuple(map(int, np.unravel_index(number, shape))), *level(rows, chosen, precision))
            for number in (scenario["scenario"] for scenario in scenarios)
            for rows in [of_scenario(runs, number)]
        ]
        chances = tuple(str(cell.probability) for cell in cells)
        drawn[(chosen.metric, chosen.level, chosen.held, chances)] = (chosen, cells)
    return [path for chosen, cells in drawn.values() for path in _draw_goal(run, folder, chosen, grid, cells)]


def _draw_goal(run: Run, folder: Path, goal: Goal, grid: dict[str, list[Any]], cells: list[Cell]) -> list[Path]:
    n = f"Runs a scenario: {words.span([cell.probability.n for cell in cells])}"
    caption = (
        f"Share of runs that {'had' if goal.held else 'reached'} {words.quantity(goal.metric, goal.level)} "
        f"{goal.when}; mean of all runs on that day; and mean of what a run lacks, 0 if it lacks nothing. {n}; "
        + (
            "dashed cells: the 95% interval holds 50% or 90%, so the cell may be on either side of that line; "
            "outlined: mean at the goal or above; intervals in the CSV."
            if len(grid) == 2
            else "in blue: 95% intervals; open points: the interval holds 50% or 90%."
        )
    )
    shape = tuple(len(steps) for steps in grid.values())
    columns, rows = (shape[1], shape[0]) if len(shape) == 2 else (max(5, shape[0]), 6)
    figure = style.new_figure(max(12, 3.2 + 1.65 * columns), max(4.6, 2.4 + 0.45 * rows), run, caption)
    left, middle, right = figure.subplots(1, 3, sharey=len(grid) == 2 and "row")
    meanings, (*_, across) = _meanings(run), grid
    for axes in (left, middle, right):  # before labels take their places
        axes.set_xlabel(_name(across, meanings, 44))

    def amount(value: float) -> str:
        return words.amount(goal.metric, value)

    if len(grid) == 2:
        _heatmap(left, grid, cells, "probability", words.percent, highest=1.0)
        _heatmap(middle, grid, cells, "mean", amount, outlined=goal.level)
        _heatmap(right, grid, cells, "shortfall", amount)
        left.set_ylabel(_name(next(iter(grid)), meanings, 32))
    else:
        for axes, field in zip((left, middle, right), FIELDS, strict=True):
            _line(axes, grid, cells, field)
            highest = [found.high for cell in cells if (found := getattr(cell, field)).n > 1]
            axes.set_ylim(0, 1.08 * max([goal.level if field == "mean" else 0.0, *highest]) or 1.0)
            style.value_axis(axes.yaxis, goal.metric)
        left.set_ylim(-0.02, 1.02)
        left.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 0.9, 1]))
        left.yaxis.set_major_formatter(FuncFormatter(lambda share, _: words.percent(share)))
        for mark in MARKS:
            left.axhline(mark, color=style.GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        middle.axhline(goal.level, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
        label = f"goal {words.amount(goal.metric, goal.level)}"
        style.label_right(middle, [style.Label(goal.level, label, style.VERMILLION)])
    left.set_title(f"Probability of {words.amount(goal.metric, goal.level)}\n{goal.when}")
    middle.set_title(f"Mean {words.name(goal.metric)}\non {words.day(goal.by)}")
    right.set_title(f"Mean shortfall\nof {words.amount(goal.metric, goal.level)}")
    return style.save(figure, folder, f"sweep_heatmap_{goal.name}", run, _columns(goal, grid, cells))


def straddles(one: Estimate) -> bool:
    """Whether the interval of a probability holds one of `MARKS`."""
    return any(one.low <= mark <= one.high for mark in MARKS)


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
    Of probabilities the contours of `MARKS` are drawn where both levers are numbers, linear between cells.
    """
    up_steps, across_steps = grid.values()
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
    if field == "probability":
        for cell in cells:
            if straddles(cell.probability):
                y, x = cell.place
                colour = "white" if cell.probability.value < high / 2 else "black"
                box = Rectangle((x - 0.44, y - 0.42), 0.88, 0.84, fill=False, edgecolor=colour, linestyle=(0, (3, 2)))
                axes.add_patch(box)
        if min(shades.shape) > 1 and all(map(_to_scale, grid.values())):
            known = shades[np.isfinite(shades)]
            crossed = [mark for mark in MARKS if known.size and known.min() < mark < known.max()]
            if crossed:
                lines = axes.contour(shades, levels=crossed, colors=style.VERMILLION, linewidths=1.5)
                axes.clabel(lines, fmt=words.percent, fontsize=style.SMALL)
    axes.set_xticks(range(len(across_steps)), [_step(step, 10) for step in across_steps])
    axes.set_yticks(range(len(up_steps)), [_step(step) for step in up_steps])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _meanings(run: Run) -> dict[str, str]:
    """What each parameter means, by its key."""
    from sim.config import read_study
    from sim.study.outcomes import about

    try:
        return {path: text for path, (text, _) in about(read_study(run.config)).items()}
    except InputError:  # a run of another version
        return {}


def _name(lever: str, meanings: dict[str, str], width: int) -> str:
    """A lever on an axis: what it means, and its key below."""
    return "\n".join(style.wrap(text, width) for text in (meanings.get(lever, ""), lever) if text)


def _to_scale(steps: list[Any]) -> bool:
    return all(isinstance(step, int | float) and not isinstance(step, bool) for step in steps)


def _line(axes: Axes, grid: dict[str, list[Any]], cells: list[Cell], field: str) -> None:
    """Values of a field with their 95% intervals over the steps of one lever.

    A line and a band to scale if all steps are numbers, points and bars in order otherwise.
    """
    (steps,) = grid.values()
    to_scale = _to_scale(steps)
    place = dict(enumerate(steps if to_scale else range(len(steps))))
    points = sorted((place[cell.place[0]], *getattr(cell, field)[:3]) for cell in cells if getattr(cell, field).n)
    x, value, low, high = np.array(points, dtype=np.float64).reshape(-1, 4).T
    if to_scale:
        axes.fill_between(x, low, high, color=style.BLUE, alpha=0.2, linewidth=0)
    else:
        axes.vlines(x, low, high, color=style.BLUE, alpha=0.4, linewidth=3)
        axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.plot(x, value, "o-" if to_scale else "o", color=style.BLUE, markersize=4)
    unclear = [cell for cell in cells if field == "probability" and straddles(cell.probability)]
    open_points = [(place[cell.place[0]], cell.probability.value) for cell in unclear]
    axes.plot(*zip(*open_points, strict=True) if open_points else ([], []), "o", color=style.BLUE, mfc="white", ms=5)
    axes.set_xticks(list(place.values()), [_step(step) for step in steps])


def _step(value: Any, width: int = 14) -> str:
    """A value of a lever on an axis; distributions come as [name, argument, ...]."""
    if isinstance(value, list):
        return style.wrap(f"{value[0]}({', '.join(map(_step, value[1:]))})", width)
    return f"{value:g}" if isinstance(value, float) else style.wrap(str(value), width)


def _columns(goal: Goal, grid: dict[str, list[Any]], cells: list[Cell]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"goal": [goal.name] * len(cells), "scenario": [cell.scenario for cell in cells]}
    for axis, (lever, steps) in enumerate(grid.items()):
        columns[lever] = [steps[cell.place[axis]] for cell in cells]
    for field in FIELDS:
        for part in Estimate._fields:
            columns[f"{field}_{part}"] = [getattr(getattr(cell, field), part) for cell in cells]
    return columns
