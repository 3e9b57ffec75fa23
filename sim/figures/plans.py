"""Plans against scenarios of the world: a table coloured by regret, and dots that show how the plans spread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.figures import style
from sim.figures.style import Run

MEASURES = ("probability", "mean")


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write plans_regret_GOAL and plans_dots_GOAL for each goal the plans were judged by."""
    cells, plans = run.summary.get("cells", ()), run.summary.get("plans", ())
    judged = {cell["goal"] for cell in cells}
    return [
        path
        for goal in style.goals_of(run)
        if goal.name in judged
        for own in [[cell for cell in cells if cell["goal"] == goal.name]]
        for mine in [[one for one in plans if one["goal"] == goal.name]]
        for path in (*_regret(run, folder, goal, own, mine), *_dots(run, folder, goal, own))
    ]


def _say(goal: Goal, measure: str, value: float | None) -> str:
    if value is None:
        return "no run"
    return words.percent(value) if measure == "probability" else words.amount(goal.metric, value)


def _behind(goal: Goal, measure: str, value: float) -> str:
    """A regret in words: whole points of probability, or the unit of the metric."""
    if measure == "probability":
        return f"{100 * value:.0f}"
    return words.amount(goal.metric, value)


def _title(goal: Goal, measure: str) -> str:
    if measure == "probability":
        return f"Probability of {words.quantity(goal.metric, goal.level)}\n{goal.when}"
    return f"Mean {words.name(goal.metric)}\non {words.day(goal.by)}"


def _regret(run: Run, folder: Path, goal: Goal, cells: list[dict[str, Any]], plans: list[dict[str, Any]]) -> list[Path]:
    """A table: rows are plans, the one with the least greatest regret in the mean on top, columns worlds."""
    order = sorted(plans, key=lambda one: (one["mean_greatest_regret"], -one["mean_worst"]))
    names, worlds = [one["plan"] for one in order], list(dict.fromkeys(cell["world"] for cell in cells))
    at = {(cell["plan"], cell["world"]): cell for cell in cells}
    caption = (
        "In each cell the result of the plan in that world, and below it how far it is behind the best plan there "
        "(regret; of probabilities in points; darker is further). Last column: the plan's greatest regret, with an "
        "interval that holds for all plans and worlds together (95%); outlined: may have the least. "
        f"Runs a cell: {words.span([cell['n'] for cell in cells])}, paired."
    )
    figure = style.new_figure(2.6 + 1.2 * (len(worlds) + 1.3), 3.6 + 1.0 * len(names), run, caption)
    for axes, measure in zip(figure.subplots(2, 1), MEASURES, strict=True):
        regrets = np.array([[at[name, world][f"{measure}_regret"] for world in worlds] for name in names])
        last = len(worlds) + 0.15
        highest = max(regrets.max(), 1e-9)
        axes.set_xlim(-0.5, last + 0.95)
        axes.set_ylim(len(names) - 0.5, -0.5)
        for y, one in enumerate(order):
            for x, world in enumerate(worlds):
                cell = at[one["plan"], world]
                share = cell[f"{measure}_regret"] / highest
                _box(axes, x, y, 0.5, share)
                behind = _behind(goal, measure, cell[f"{measure}_regret"])
                below = f"\n-{behind}" if cell[f"{measure}_regret"] > 0 else "\nbest"
                _text(axes, x, y, _say(goal, measure, cell[measure]) + below, share)
            value, low, high = (one[f"{measure}_greatest_regret{end}"] for end in ("", "_low", "_high"))
            _box(axes, last + 0.2, y, 0.7, value / highest)
            gap, *ends = (_behind(goal, measure, end) for end in (value, low, high))
            said = gap if value > 0 else "none"
            _text(axes, last + 0.2, y, f"{said}\n({ends[0]} to {ends[1]})", value / highest)
            if one[f"{measure}_may_be_least"]:
                axes.add_patch(
                    Rectangle((last - 0.47, y - 0.46), 1.34, 0.92, fill=False, edgecolor=style.GREEN, linewidth=2)
                )
        axes.set_xticks(
            [*range(len(worlds)), last + 0.2], [style.wrap(name, 10) for name in [*worlds, "greatest regret"]]
        )
        axes.set_yticks(range(len(names)), [style.wrap(name, 16) for name in names])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(_title(goal, measure))
    columns = {key: [cell[key] for cell in cells] for key in cells[0]}
    return style.save(figure, folder, f"plans_regret_{goal.name}", run, columns)


def _box(axes: Axes, x: float, y: float, half: float, share: float) -> None:
    """A cell, from white (no regret) to orange (the greatest)."""
    white, full = np.array([1.0, 1.0, 1.0]), np.array([0.835, 0.369, 0.0])
    colour = white + (full - white) * max(0.0, share) * 0.85
    axes.add_patch(Rectangle((x - half, y - 0.5), 2 * half, 1, facecolor=tuple(colour), edgecolor="white"))


def _text(axes: Axes, x: float, y: float, text: str, share: float) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=style.SMALL, color="white" if share > 0.75 else "black")


def _dots(run: Run, folder: Path, goal: Goal, cells: list[dict[str, Any]]) -> list[Path]:
    """A row a plan, a dot a world with its 95% interval."""
    names, worlds = (list(dict.fromkeys(cell[kind] for cell in cells)) for kind in ("plan", "world"))
    caption = (
        f"Each plan in each world, with 95% intervals (Wilson, t); lines join the worst and the best world of a plan. "
        f"Runs a dot: {words.span([cell['n'] for cell in cells])}, the same luck for all."
    )
    figure = style.new_figure(11.5, 2.2 + 0.62 * len(names), run, caption)
    both = figure.subplots(1, 2, sharey=True)
    for axes, measure in zip(both, MEASURES, strict=True):
        for y, name in enumerate(names):
            here = [cell for cell in cells if cell["plan"] == name and cell[measure] is not None]
            ends = [cell[measure] for cell in here]
            axes.plot([min(ends, default=0), max(ends, default=0)], [y, y], color="#CCCCCC", linewidth=5, zorder=1)
            for cell in here:
                number = worlds.index(cell["world"])
                shift = 0.5 * (number / max(1, len(worlds) - 1) - 0.5)
                colour = style.PALETTE[number % len(style.PALETTE)]
                axes.plot(
                    [cell[f"{measure}_low"], cell[f"{measure}_high"]], [y + shift] * 2, color=colour, linewidth=1.2
                )
                axes.plot(cell[measure], y + shift, "o", color=colour, markersize=5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), [style.wrap(name, 18) for name in names])
        axes.set_title(_title(goal, measure))
    both[0].set_xlim(-0.02, 1.02)
    both[0].xaxis.set_major_formatter(FuncFormatter(lambda share, _: words.percent(share)))
    both[1].set_xlim(0, 1.05 * max([goal.level, *(cell["mean_high"] or 0.0 for cell in cells)]))
    style.value_axis(both[1].xaxis, goal.metric)
    both[1].axvline(goal.level, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)))
    for number, world in enumerate(worlds):
        both[0].plot([], [], "o-", color=style.PALETTE[number % len(style.PALETTE)], label=world, markersize=5)
    figure.legend(loc="outside right center", frameon=False, fontsize=style.SMALL, title="world")
    kept = ("goal", "plan", "world", "n", *(f"{measure}{end}" for measure in MEASURES for end in ("", "_low", "_high")))
    return style.save(
        figure, folder, f"plans_dots_{goal.name}", run, {key: [cell[key] for cell in cells] for key in kept}
    )
