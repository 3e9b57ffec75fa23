"""Exports of the whole portfolio over time, with the goal."""

from __future__ import annotations

from pathlib import Path

from sim.figures import style
from sim.figures.fan import draw_metric
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write portfolio_exports.png and portfolio_exports.csv (there in dollars), if there is more than hubs."""
    if not style.is_portfolio(run):
        return []
    metrics = ["portfolio_exports_usd_per_year"]
    what = (
        "Yearly rate of exports from open sites of every kind, in millions of dollars, less what software technology "
        "parks exported on the start date."
    )
    return draw_metric(run, folder, "portfolio_exports", metrics, ["Portfolio exports a year"], what)
