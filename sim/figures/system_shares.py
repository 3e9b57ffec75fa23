"""What each system has of all jobs and of all exports over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sim.analysis import words
from sim.analysis.systems import deadline
from sim.analysis.tables import national, simulated
from sim.figures import style
from sim.figures.fan import mark_dates, time_axis
from sim.figures.style import Label, Run

PANELS = {
    "jobs_supported": ("portfolio_jobs", "Jobs supported"),
    "exports_usd_per_year": ("portfolio_exports_usd_per_year", "Exports, yearly rate"),
}
"""What is shown, the same less what was there before the start, and the title of the panel."""


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write system_shares.png and system_shares.csv: means, so that the systems add up to the whole."""
    if not style.is_portfolio(run) or not style.has(run, "monthly"):
        return []
    monthly = run.table("monthly")
    dates = national(monthly, "jobs_supported").dates.tolist()
    if not dates:
        return []
    day = deadline(run.config.get("claims") or {}, dates)
    at = dates.index(day)
    kinds = simulated(run.table("runs"))
    of = {
        metric: {kind: national(monthly, f"{metric}.{kind}").values.mean(axis=0) for kind in kinds} for metric in PANELS
    }
    kinds.sort(key=lambda kind: -of["jobs_supported"][kind][at])
    largest = words.system(kinds[0])
    before = {
        metric: of[metric][kinds[0]][0] - national(monthly, f"{portfolio}.{kinds[0]}").values[:, 0].mean()
        for metric, (portfolio, _) in PANELS.items()
    }
    known = before["jobs_supported"] > 0
    colours = [style.PALETTE[i % len(style.PALETTE)] for i in range(len(kinds))]
    caption = f"Means of all runs, which add up; percentages: shares on {words.day(day)}."
    figure = style.new_figure(
        9.5, 5.2, run, f"{caption} White line: what {largest} had before the start." if known else caption
    )
    columns: dict[str, list[Any]] = {name: [] for name in ("metric", "system", "date", "mean", "share")}
    for axes, (metric, (_, title)) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        stack = np.array([of[metric][kind] for kind in kinds])
        total = stack.sum(axis=0)
        shares = np.divide(stack, total, out=np.zeros(stack.shape), where=total > 0)
        axes.stackplot(dates, stack, colors=colours, linewidth=0)
        if before[metric] > 0:
            axes.axhline(before[metric], color="white", linewidth=1, linestyle=(0, (5, 3)))
            said = f"  {words.amount(metric, before[metric])} before the start"
            axes.text(dates[0], 0.97 * before[metric], said, color="white", va="top", fontsize=style.SMALL)
        axes.set_ylim(0, 1.05 * total.max() or 1.0)
        style.value_axis(axes.yaxis, metric)
        time_axis(axes, dates)
        mark_dates(axes, {day})
        axes.set_title(title, fontsize=9, pad=18)
        middles = np.cumsum(stack[:, -1]) - stack[:, -1] / 2
        labels = [
            Label(middle, style.wrap(f"{words.system(kind)} {words.percent(share)}", 22), colour)
            for kind, middle, share, colour in zip(kinds, middles, shares[:, at], colours, strict=True)
        ]
        style.label_right(axes, labels[::-1])
        for kind, mean, share in zip(kinds, stack, shares, strict=True):
            own = ([metric] * len(dates), [kind] * len(dates), dates, mean.tolist(), share.tolist())
            for column, values in zip(columns.values(), own, strict=True):
                column.extend(values)
        if metric == "jobs_supported":
            had = words.amount(metric, before[metric])
            said = f"{had} were in {largest} before" if known else f"{words.percent(shares[0, at])} are in {largest}"
            style.headline(figure, f"Of {words.amount(metric, total[at])} jobs on {words.day(day)}, {said}")
    return style.save(figure, folder, "system_shares", run, columns)
