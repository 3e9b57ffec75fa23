"""Exports over time: yearly rate and total so far, side by side."""

from __future__ import annotations

from pathlib import Path

from sim.figures import style
from sim.figures.fan import draw_metric
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write exports.png and exports.csv (there in dollars, not millions)."""
    metrics = ["exports_usd_per_year", "exports_usd_cumulative"]
    titles = ["Exports, yearly rate", "Exports, total so far"]
    what = "Exports of people working from open sites, in millions of dollars, whole country"
    of_all = ", those that software technology parks had before the start included" if style.is_portfolio(run) else ""
    return draw_metric(run, folder, "exports", metrics, titles, f"{what}{of_all}.")
