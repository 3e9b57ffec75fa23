"""From what is claimed to what is simulated: jobs, and exports a year."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sim.analysis import words
from sim.analysis.systems import deadline
from sim.analysis.tables import finished, metric_dates, of_scenario, values
from sim.analysis.waterfall import Step, waterfall
from sim.figures import style
from sim.figures.style import Run
from sim.model.metrics import CLAIMED

SAID = {
    "not_open": ("{} not open by then", "more {} open than claimed"),
    "smaller": ("open {}: less room than claimed", "open {}: more room than claimed"),
    "not_taken": ("open {}: room not taken", "open {}: more people than room"),
    "fewer_people": ("open {}: fewer people than claimed", "open {}: more people than claimed"),
    "less_each": ("open {}: less exported by each", "open {}: more exported by each"),
    "added": ("lost by {}", "added by {}"),
    "mean_to_median": ("median instead of mean of the runs",) * 2,
    "not_additional": ("would exist otherwise too", "more additional jobs than that"),
}
"""What a step is called if it takes away, and if it adds."""
ENDS = {"mean_to_median": "simulated, median", "not_additional": "additional jobs, median"}
"""Steps that lead to a median, and what it is called."""


class Bar(NamedTuple):
    """A bar from one height to another; that of a total begins at 0, and that of a median has its p10 and p90."""

    label: str
    before: float
    after: float
    is_total: bool = False
    p10: float | None = None
    p90: float | None = None


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write waterfall_jobs and waterfall_exports, PNG and CSV, at the judged date nearest to that of the claims.

    The CSV has a row a step and system; a bar shows a step for hubs, or for all other systems together.
    """
    claims = run.config.get("claims") or {}
    if not style.is_portfolio(run):
        return []
    rows = finished(of_scenario(run.table("runs"), 0))
    dates = metric_dates(rows, "portfolio_jobs")
    if not dates or not rows.num_rows:
        return []
    day = deadline(claims, dates)
    paths = []
    for name, what in (("waterfall_jobs", "jobs"), ("waterfall_exports", "exports_usd")):
        steps = waterfall(rows, claims, day, what)
        metrics = {"mean_to_median": CLAIMED[what], "not_additional": "jobs_additional"}
        ranges = {
            step: np.quantile(values(rows, f"{metric}@{day}"), [0.1, 0.9]).tolist() for step, metric in metrics.items()
        }
        paths += _draw(run, folder, name, CLAIMED[what], day, steps, ranges)
    return paths


def _draw(
    run: Run, folder: Path, name: str, metric: str, day: date, steps: list[Step], ranges: dict[str, list[float]]
) -> list[Path]:
    """Draw the steps of one metric; `ranges` has p10 and p90 of the medians."""
    groups = [list(group) for _, group in groupby(steps, key=lambda step: (step.name, step.system == "hub"))]
    bars = [bar for group in groups for bar in _bars(group, ranges)]
    claimed, median = (next(s.total for s in steps if s.name == step) for step in ("claimed", "mean_to_median"))
    caption = (
        "Steps are means of all runs, each accounted for by itself; thin lines: 8 in 10 runs. Of software technology "
        "parks only what they have more than on the start date counts."
    )
    figure = style.new_figure(9.5, 1.5 + 0.37 * len(bars), run, caption)
    axes = figure.subplots()
    main = 1 + next(i for i, bar in enumerate(bars) if bar.label == ENDS["mean_to_median"])
    rows = [i + 0.4 * (i >= main) for i in range(len(bars))]  # what comes after the median stands apart
    for row, bar in zip(rows, bars, strict=True):
        colour = style.BLUE if bar.is_total else style.VERMILLION if bar.after < bar.before else style.GREEN
        axes.barh(row, bar.after - bar.before, left=bar.before, height=0.62, color=colour)
        right, text = max(bar.before, bar.after), words.amount(metric, bar.after)
        if not bar.is_total:
            change = words.amount(metric, bar.after - bar.before)
            text = change if change.startswith("-") or change == words.amount(metric, 0) else f"+{change}"
        if bar.p10 is not None and bar.p90 is not None:
            axes.plot([bar.p10, bar.p90], [row, row], color=style.BLACK, linewidth=1)
            right = max(right, bar.p90)
            text += f" (8 in 10 runs: {words.amount(metric, bar.p10)} to {words.amount(metric, bar.p90)})"
        axes.annotate(text, (right, row), (4, 0), textcoords="offset points", va="center", fontsize=style.SMALL)
    for (row, bar), below in zip(zip(rows, bars, strict=True), rows[1:], strict=False):
        axes.plot([bar.after, bar.after], [row, below], color=style.GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(rows, [style.wrap(bar.label, 44) for bar in bars])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    edges = [edge for bar in bars for edge in (bar.before, bar.after, bar.p10 or 0.0, bar.p90 or 0.0)]
    axes.set_xlim(1.1 * min(edges), 1.12 * max(edges) or 1.0)
    style.value_axis(axes.xaxis, metric)
    unit = "jobs" if metric == CLAIMED["jobs"] else "of exports a year"
    said = f"{words.amount(metric, claimed)} {unit} claimed, {words.amount(metric, median)} simulated (median)"
    style.headline(figure, f"By {words.day(day)}: {said}")
    columns: dict[str, list[Any]] = {
        "step": [step.name for step in steps],
        "system": [step.system for step in steps],
        "amount": [step.amount for step in steps],
        "total": [step.total for step in steps],
    }
    for index, quantile in enumerate(("p10", "p90")):
        columns[quantile] = [ranges[step.name][index] if step.name in ranges else None for step in steps]
    return style.save(figure, folder, name, run, columns)


def _bars(group: list[Step], ranges: dict[str, list[float]]) -> list[Bar]:
    """The bar of steps of one name, and that of the median it may lead to."""
    name, before, after = group[0].name, group[0].total - group[0].amount, group[-1].total
    if name == "claimed":
        return [Bar("claimed officially", 0.0, after, is_total=True)]
    more = after >= before if name == "added" else after > before
    label = SAID[name][more].format(_of(step.system for step in group if step.system))
    step = Bar(label, before, after)
    return [step, Bar(ENDS[name], 0.0, after, True, *ranges[name])] if name in ENDS else [step]


def _of(systems: Iterable[str]) -> str:
    """Systems in words, IT parks together."""
    names = (words.SYSTEMS.get(system, "IT parks") for system in systems)
    return words.listed(list(dict.fromkeys(names)))
