"""How likely each goal is, by every date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.reached import Curve, held_on, reached_by
from sim.analysis.tables import FEW, finished, has_paths, met_by_date, national, of_scenario, reached
from sim.figures import style
from sim.figures.fan import mark_dates, time_axis
from sim.figures.style import Label, Run

BOX = {"facecolor": "white", "edgecolor": "none"}
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)))


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write goal_probability.png and goal_probability.csv: a curve for each level of each metric."""
    if not style.has(run, "runs", "monthly"):
        return []
    rows = finished(of_scenario(run.table("runs"), 0))
    monthly = run.table("monthly")
    grid = national(monthly, "hubs_open").dates
    same: dict[tuple[str, float, bool], list[Goal]] = {}
    for goal in style.goals_of(run):
        if not goal.held or has_paths(monthly, goal.metric):
            same.setdefault((goal.metric, goal.level, goal.held), []).append(goal)
    if not same or not rows.num_rows or not grid.size:
        return []

    days = grid.tolist()
    end, n = days[-1], rows.num_rows
    caption = (
        f"Share of {n:,} {'runs' if n > 1 else 'run'} in which each goal was reached by each date, to "
        f"{words.day(end)}. Runs that never got there count too. {_held_in_words(same.values())}"
        + ("Shades: 95% interval at each single date (Wilson)." if n >= FEW else "Too few runs to shade intervals.")
    )
    figure = style.new_figure(9.5, 5.4, run, caption)
    axes = figure.subplots()
    columns: dict[str, list[Any]] = {}
    labels = []
    anyone = False
    for index, goals in enumerate(same.values()):
        goal = goals[0]
        curve = (
            held_on(national(monthly, goal.metric).values, goal.level, grid)
            if goal.held
            else reached_by(reached(rows, goal), grid)
        )
        colour = style.PALETTE[index % len(style.PALETTE)]
        dash = DASHES[index % len(DASHES)]
        if n >= FEW:
            low, high = 100 * curve.low, 100 * curve.high
            axes.fill_between(days, low, high, step="post", color=colour, alpha=0.12, linewidth=0)
        axes.step(days, 100 * curve.probability, where="post", color=colour, linestyle=dash, linewidth=1.8)
        anyone |= bool(curve.probability.any())
        text = style.wrap(_in_words(goals, curve), 36)
        labels.append(Label(float(100 * curve.probability[-1]), text, colour))
        for column, values in _columns(goal, curve).items():
            columns.setdefault(column, []).extend(values)

    axes.set_ylim(-2, 102)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}%"))
    axes.set_ylabel("share of runs that got there")
    time_axis(axes, days)
    mark_dates(axes, {goal.by for goals in same.values() for goal in goals if days[0] <= goal.by <= end})
    style.label_right(axes, labels)
    axes.set_title(_answer(next(iter(same.values())), rows, end), pad=18)
    if not anyone:
        message = f"No run reached any of the goals by {words.day(end)}."
        axes.text(0.5, 0.55, message, transform=axes.transAxes, ha="center", va="center", bbox=BOX)
    return style.save(figure, folder, "goal_probability", run, columns)


def _answer(goals: list[Goal], rows: Any, end: date) -> str:
    """Probability of a goal by its last deadline within the runs."""
    due = [goal for goal in goals if goal.by <= end]
    if not due:
        return "How likely each goal is, by date"
    goal = max(due, key=lambda goal: goal.by)
    chance = words.probability(*met_by_date(rows, goal))
    what = f"{words.quantity(goal.metric, goal.level)} {goal.when}:"
    return f"{what} {chance}" if len(what + chance) < 75 else f"{what}\n{chance}"


def _held_in_words(same: Iterable[list[Goal]]) -> str:
    """Which goals are not reached once and for all."""
    held = [words.quantity(goals[0].metric, goals[0].level) for goals in same if goals[0].held]
    return f"{words.listed(held)}: share of runs that have as many on each date. " if held else ""


def _in_words(goals: list[Goal], curve: Curve) -> str:
    """What a curve shows: the goal, and its probability at each deadline and at the end."""
    goal, end = goals[0], curve.dates[-1].item()
    if not curve.probability.any():
        return f"{words.quantity(goal.metric, goal.level)}: no run reached it by {words.day(end)}"
    dates = sorted({goal.by for goal in goals if curve.dates[0].item() <= goal.by < end} | {end})
    shares = [
        curve.probability[np.searchsorted(curve.dates, np.datetime64(day, "D"), side="right") - 1] for day in dates
    ]
    when = "in" if goal.held else "by"
    said = ", ".join(
        f"{words.percent(share)}\u00a0{when}\u00a0{day:%b\u00a0%Y}" for day, share in zip(dates, shares, strict=True)
    )
    return f"{words.quantity(goal.metric, goal.level)}: {said}"


def _columns(goal: Goal, curve: Curve) -> dict[str, list[Any]]:
    dates = curve.dates.size
    return {
        "metric": [goal.metric] * dates,
        "level": [goal.level] * dates,
        "held": [goal.held] * dates,
        "date": curve.dates.tolist(),
        "probability": curve.probability.tolist(),
        "low": curve.low.tolist(),
        "high": curve.high.tolist(),
        "n": [curve.n] * dates,
    }
