"""Hubs open over time, with the goals."""

from __future__ import annotations

from pathlib import Path

from sim.figures import style
from sim.figures.fan import draw_metric
from sim.figures.style import Run


@style.styled
def draw(run: Run, folder: Path) -> list[Path]:
    """Write hubs_open.png and hubs_open.csv."""
    return draw_metric(run, folder, "hubs_open", ["hubs_open"], ["Hubs open"], "Hubs open in the whole country.")
