"""Hubs open in each region over time, as a share of the hubs planned there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.ticker import FuncFormatter

from sim.analysis import words
from sim.analysis.systems import deadline
from sim.analysis.tables import Paths, national, of_region
from sim.figures import style
from sim.figures.fan import draw_band, time_axis
from sim.figures.style import Run

COLUMNS = 4


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write regions.png and regions.csv: a panel for each region in which hubs are planned."""
    planned = planned_hubs(run)
    if not planned or not style.has(run, "monthly"):
        return []
    monthly = run.table("monthly")
    found = {region: national(of_region(monthly, region), "hubs_open") for region in planned}
    found = {region: paths for region, paths in found.items() if paths.values.size}
    if not found:
        return []
    dates = next(iter(found.values())).dates.tolist()
    day = deadline(run.config.get("claims") or {}, dates)
    caption = "Hubs open in each region as a share of those planned there. Same axes in all panels."
    rows = len(found) // COLUMNS + 1  # with room for the key
    figure = style.new_figure(9.5, 1.2 + 2.5 * rows, run, caption)
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    columns: dict[str, list[Any]] = {}
    for panel, (region, paths) in zip(axes, found.items(), strict=False):
        fan = draw_band(panel, Paths(paths.dates, paths.values / planned[region]))
        panel.axhline(1, color=style.VERMILLION, linewidth=1, linestyle=(0, (5, 3)), label="all hubs planned")
        panel.axvline(mdates.date2num(day), color=style.GREY, linewidth=0.9, linestyle=":", label=words.day(day))
        panel.tick_params(labelsize=style.SMALL)
        name = run.config["regions"][region]["name"]
        panel.set_title(style.wrap(name, 26), fontsize=9, pad=26)
        median, hubs = (words.number(number) for number in (np.median(paths.at(day)), planned[region]))
        said = f"median {median} of {hubs} planned\non {words.day(day)}"
        panel.text(0, 1.03, said, transform=panel.transAxes, va="bottom", fontsize=style.SMALL)
        own = {"region": [region] * len(dates), "date": dates, "n": [len(paths.values)] * len(dates)}
        own |= {"planned": [planned[region]] * len(dates)} | {name: share.tolist() for name, share in fan.items()}
        for column, values in own.items():
            columns.setdefault(column, []).extend(values)
    time_axis(axes[0], dates)
    axes[0].set_ylim(0, 1.05 * max(1.0, *columns["p90"], *axes[0].get_ylim()))
    axes[0].yaxis.set_major_formatter(FuncFormatter(lambda share, _: words.percent(share)))
    for panel in axes[len(found) - COLUMNS : len(found)]:  # with nothing but the key below them
        panel.tick_params(labelbottom=True)
    for panel in axes[len(found) :]:
        panel.axis("off")
    axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize=style.SMALL)
    style.headline(figure, "Hubs open as a share of the hubs planned, by region")
    return style.save(figure, folder, "regions", run, columns)


def planned_hubs(run: Run) -> dict[str, float]:
    """Hubs planned in each region where any are."""
    planned = {}
    for region, config in (run.config.get("regions") or {}).items():
        hubs = config["planned_hubs"]
        planned[region] = hubs["value"] if isinstance(hubs, dict) else hubs  # set on the command line: a bare number
    return {region: hubs for region, hubs in planned.items() if hubs}
