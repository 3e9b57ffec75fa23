"""Where the jobs are: a tile a region, placed roughly where the region lies."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle

from sim.analysis import words
from sim.analysis.systems import deadline
from sim.analysis.tables import national, of_region
from sim.figures import style
from sim.figures.regions import planned_hubs
from sim.figures.style import Run
from sim.sources import population

PLACES = {
    "GB": (2.0, 3.0),
    "KP": (1.0, 3.0),
    "AJK": (2.0, 2.0),
    "Islamabad": (1.0, 2.0),
    "Punjab": (1.0, 1.0),
    "Balochistan": (0.0, 0.5),
    "Sindh": (1.0, 0.0),
}
"""Where the tile of a region stands: steps to the east and to the north."""
TILE = 0.94
METRICS = {"hubs": "sites_open.hub", "stps": "sites_open.stp", "jobs": "jobs_supported"}


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write tile_map.png and tile_map.csv, at the recorded date nearest to that of the claims."""
    if not style.has(run, "monthly"):
        return []
    monthly = run.table("monthly")
    dates = national(monthly, "hubs_open").dates.tolist()
    planned = planned_hubs(run)
    regions = [region for region in PLACES if region in planned]
    if not dates or not regions:
        return []
    day = deadline(run.config.get("claims") or {}, dates)
    medians = [_medians(of_region(monthly, region), day) for region in regions]
    millions = [population()[region] for region in regions]
    density = [each["jobs"] / people for each, people in zip(medians, millions, strict=True)]

    caption = (
        "Medians of the runs; jobs are all those supported, new or not. Schematic: tiles stand roughly where the "
        "regions lie, and are not to scale. Population: census of 2023, fact L22."
    )
    figure = style.new_figure(9.5, 5.8, run, caption)
    axes = figure.subplots()
    colours = ScalarMappable(PowerNorm(0.4, 0, max(density) or 1.0), "Blues")
    shades = colours.to_rgba(np.array(density))
    for region, each, jobs, shade in zip(regions, medians, density, shades, strict=True):
        x, y = PLACES[region]
        axes.add_patch(Rectangle((x, y), TILE, TILE, facecolor=shade, edgecolor=style.GREY))
        ink = "white" if shade[:3].mean() < 0.5 else "black"
        stps = f"{words.number(each['stps'])} software technology parks\n" if style.is_portfolio(run) else ""
        said = (
            f"{words.number(each['hubs'])} of {words.number(planned[region])} planned hubs open\n{stps}"
            f"{words.amount('jobs', each['jobs'])} jobs: {words.amount('jobs', jobs)} per million people"
        )
        name = style.wrap(run.config["regions"][region]["name"], 24)
        axes.text(x + 0.05, y + TILE - 0.1, name, color=ink, va="top", fontsize=10, fontweight="bold")
        axes.text(x + 0.05, y + 0.08, said, color=ink, va="bottom", fontsize=style.SMALL, linespacing=1.4)
    axes.set_xlim(-0.01, 2.01 + TILE)
    axes.set_ylim(-0.01, 3.01 + TILE)
    axes.axis("off")
    bar = figure.colorbar(colours, ax=axes, shrink=0.5, label="jobs per million people")
    style.value_axis(bar.ax.yaxis, "jobs")
    style.headline(figure, f"Hubs and jobs by region on {words.day(day)}")
    columns: dict[str, list[Any]] = {"region": regions, "date": [day] * len(regions)}
    columns |= {name: [each[name] for each in medians] for name in METRICS}
    columns |= {"planned_hubs": [planned[region] for region in regions], "million_people": millions}
    return style.save(figure, folder, "tile_map", run, columns | {"jobs_per_million": density})


def _medians(rows: Any, day: date) -> dict[str, float]:
    """Median over the runs of each of `METRICS` in the rows of one region; 0 where there is no such system."""
    found = {name: national(rows, metric) for name, metric in METRICS.items()}
    return {name: float(np.median(paths.at(day))) if paths.values.size else 0.0 for name, paths in found.items()}
