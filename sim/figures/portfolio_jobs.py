"""Jobs of the whole portfolio over time, with the goal."""

from __future__ import annotations

from pathlib import Path

from sim.figures import style
from sim.figures.fan import draw_metric
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write portfolio_jobs.png and portfolio_jobs.csv, if there is more than hubs."""
    if not style.is_portfolio(run):
        return []
    what = (
        "People working from open sites of every kind at each date, less those who worked in software technology parks "
        "on the start date."
    )
    return draw_metric(run, folder, "portfolio_jobs", ["portfolio_jobs"], ["Jobs in the portfolio"], what)
