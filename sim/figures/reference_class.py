"""What share of their plan other roll-outs had delivered by its date, beside the share that a run forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sim.analysis import words
from sim.analysis.goals import Goal
from sim.analysis.intervals import Floats
from sim.analysis.tables import finished, of_scenario, values
from sim.figures import style
from sim.figures.style import Label, Run
from sim.sources import attainment, comparators

METRIC = "hubs_open"


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write reference_class.png and reference_class.csv, for runs with goals on hubs open that fall within them.

    The CSV has a row a dated count of another roll-out (``kind`` comparator: the share of its plan, and whether it was
    counted by the plan's date), one for the mean of earlier roll-outs with one sd on either side (``attainment``), and
    one for each goal (``forecast``: the median with p10 and p90).
    """
    if not style.has(run, "runs"):
        return []
    rows = finished(of_scenario(run.table("runs"), 0))
    goals = [goal for goal in style.goals_of(run, METRIC) if f"{METRIC}@{goal.by}" in rows.column_names]
    if not goals or not rows.num_rows:
        return []
    forecasts = [_forecast(run, goal, _shares(rows, goal)) for goal in sorted(goals, key=lambda goal: goal.by)]
    cells = [*_comparators(), _attainment(), *forecasts]
    plans = groupby(cells, lambda cell: (cell["programme"], cell["plan"], cell["plan_date"]))
    groups = [list(own) for _, own in plans]
    mean, latest = attainment(), cells[-1]
    facts = sorted({fact for cell in cells for fact in str(cell["fact_ids"]).split()})
    caption = (
        "Share of the planned number that was counted: filled by the plan's own date, open after it, square where the "
        f"plan names none. Green: {mean['n']:.0f} plans at their dates (G10, likely with most of these), mean and one "
        f"sd. Blue: hubs open in {rows.num_rows:,} runs, median and 8 in 10 runs. What is doubtful of a count "
        f"is noted in the CSV. Facts: {', '.join(facts)}."
    )
    figure = style.new_figure(9.5, 1.9 + 0.42 * len(groups), run, caption)
    axes = figure.subplots()
    axes.axvline(1, color=style.GREY, linewidth=1, linestyle=(0, (5, 3)))
    labels = [Label(y, _draw_row(axes, y, own), style.BLACK) for y, own in enumerate(groups)]
    axes.set_xlim(0, 1.06 * max(1.0, *(cell["share"] for cell in cells), *(cell["high"] or 0 for cell in cells)))
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_yticks(range(len(groups)), [_name(own[0]) for own in groups])
    axes.tick_params(axis="y", length=0, pad=8)
    style.value_axis(axes.xaxis, "plan_share")
    style.label_right(axes, labels)
    style.headline(
        figure,
        f"Hubs open on {words.day(latest['date'])}: {words.percent(latest['share'])} of the plan in the median run; "
        f"{mean['n']:.0f} earlier plans stood at {words.percent(mean['mean'])} on their dates, on average",
    )
    return style.save(
        figure, folder, "reference_class", run, {name: [cell[name] for cell in cells] for name in cells[0]}
    )


def _shares(rows: Any, goal: Goal) -> Floats:
    """Hubs open on a goal's date as a share of its level, a value a run."""
    return values(rows, f"{METRIC}@{goal.by}") / goal.level


def _cell(kind: str, programme: str, share: float, **others: Any) -> dict[str, Any]:
    """A row of the CSV."""
    names = ("plan", "plan_date", "delivered", "date", "by_plan_date", "low", "high", "n", "fact_ids", "note")
    return {"kind": kind, "programme": programme, "share": share, **dict.fromkeys(names), **others}


def _comparators() -> list[dict[str, Any]]:
    """A row for each dated count of another roll-out."""
    return [
        _cell(
            "comparator",
            share=row["delivered"] / row["plan"],
            by_plan_date=row["plan_date"] and row["date"] <= row["plan_date"],
            **row,
        )
        for row in comparators()
    ]


def _attainment() -> dict[str, Any]:
    """The row of earlier roll-outs taken together."""
    fact = attainment()
    mean, sd, n = fact["mean"], fact["sd"], int(fact["n"])
    note = f"mean and one sd of {n} plans at their dates; lowest {fact['low']}, highest {fact['high']}"
    return _cell(
        "attainment", f"{n} plans at their dates", mean, low=mean - sd, high=mean + sd, n=n, fact_ids="G10", note=note
    )


def _forecast(run: Run, goal: Goal, shares: Floats) -> dict[str, Any]:
    """The row of a goal: the median run, and 8 in 10 runs."""
    low, median, high = np.quantile(shares, [0.1, 0.5, 0.9]).tolist()
    return _cell(
        "forecast",
        "This forecast",
        median,
        plan=goal.level,
        plan_date=goal.by,
        delivered=median * goal.level,
        date=goal.by,
        low=low,
        high=high,
        n=shares.size,
        fact_ids=run.config["goals"][goal.name].get("source", ""),
    )


def _draw_row(axes: Axes, y: int, own: Sequence[Mapping[str, Any]]) -> str:
    """Draw the row of a programme; return what stands beside it."""
    first, last = own[0], own[-1]
    if first["kind"] != "comparator":
        colour = style.GREEN if first["kind"] == "attainment" else style.BLUE
        axes.plot([first["low"], first["high"]], [y, y], color=colour, linewidth=4, alpha=0.4, solid_capstyle="butt")
        axes.plot(first["share"], y, "o", color=colour, clip_on=False)
        low, share, high = (words.percent(first[name]) for name in ("low", "share", "high"))
        return f"{share} ({low} to {high})"
    axes.plot([cell["share"] for cell in own], [y] * len(own), color=style.GREY, linewidth=1)
    for cell in own:
        marker = "s" if cell["plan_date"] is None else "o"
        face = "white" if cell["by_plan_date"] is False else style.BLACK
        axes.plot(cell["share"], y, marker, color=style.BLACK, mfc=face, markersize=5.5, clip_on=False)
    ends = [first] if first is last else [first, last]
    return "\n".join(f"{words.percent(cell['share'])} in {cell['date']:%b %Y}" for cell in ends)


def _name(cell: Mapping[str, Any]) -> str:
    """What a row is called, and what was planned."""
    if cell["plan"] is None:
        return str(cell["programme"])
    when = f"by {cell['plan_date']:%b %Y}" if cell["plan_date"] else "no date named"
    return f"{cell['programme']}\n{words.number(cell['plan'])} planned, {when}"
