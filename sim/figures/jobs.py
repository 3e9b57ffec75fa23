"""Jobs supported in hubs over time, with the goals."""

from __future__ import annotations

from pathlib import Path

from sim.figures import style
from sim.figures.fan import draw_metric
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write jobs.png and jobs.csv."""
    what = "People working from open hubs at each date, whole country."
    return draw_metric(run, folder, "jobs", ["jobs_supported.hub"], ["Jobs supported in hubs"], what)
